/*
 * test_decide_random.c - random policies and messages: the decision against
 * the oracle, and what must hold of any of them.
 *
 * POSTERN_SEED repeats a run (its number is printed), POSTERN_PAIRS asks for
 * another number of pairs.  A difference is made small and printed as a
 * document and a message.
 *
 * What is never met is not proved: every end must be met ENOUGH times.  A
 * slow machine may leave pairs out, which is printed; it never ends the test
 * before that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "proto/policy/reply.h"
#include "tests/lib/random_judge.h"

#define MESSAGES 50			/* a model */
#define SECONDS 60			/* then enough is enough */
#define ENOUGH 20			/* times that each end must be met */
#define LIMIT 400000			/* pairs that must do for that: the
					 * rarest end is one in 250 */

#if defined(__SANITIZE_ADDRESS__)
#define PAIRS 20000
#else
#define PAIRS 200000
#endif

struct bench {
	struct random r;
	uint64_t seed;
	struct oracle_model m;
	struct oracle_message msg;
	struct random_envelope e;
};

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const char *seed = getenv("POSTERN_SEED");

	b->seed = seed != NULL ? strtoull(seed, NULL, 0) :
	    (uint64_t)clock_wall_us();
	b->r.state = b->seed;
	print_message("POSTERN_SEED=%llu\n", (unsigned long long)b->seed);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static size_t
pairs(void)
{
	const char *n = getenv("POSTERN_PAIRS");

	return n != NULL ? strtoul(n, NULL, 0) : PAIRS;
}

/* For shrinking: does the case still differ? */
static bool
differs(const struct oracle_model *m, const struct oracle_message *msg,
    void *arg)
{
	enum stage stage = *(enum stage *)arg;
	struct oracle_answer want, got;
	struct records records;
	struct items items;
	struct diag why;

	if (random_compile(m, &items, &records, &why) < 0)
		return false;
	oracle_decide(m, msg, stage, &want);
	random_judge(&records, msg, stage, &got);
	records_fini(&records);
	items_fini(&items);
	return !random_same(&want, &got);
}

static void
report(struct bench *b, enum stage stage)
{
	struct oracle_answer want, got;
	struct records records;
	struct items items;
	struct diag why;
	struct buf text;

	random_shrink(&b->m, &b->msg, differs, &stage);
	buf_init(&text, 0);
	buf_printf(&text, "\nPOSTERN_SEED=%llu, stage %s\n",
	    (unsigned long long)b->seed, stage == STAGE_RCPT ? "rcpt" :
	    stage == STAGE_ONLY ? "only" : "full");
	random_document(&b->m, &text);
	random_describe(&b->msg, &text);
	assert_int_equal(random_compile(&b->m, &items, &records, &why), 0);
	oracle_decide(&b->m, &b->msg, stage, &want);
	random_judge(&records, &b->msg, stage, &got);
	random_tell("oracle", &want, &text);
	random_tell("judge ", &got, &text);
	printf("%s", text.data);	/* cmocka cuts long texts */
	buf_fini(&text);
	records_fini(&records);
	items_fini(&items);
	fail_msg("the decision and the oracle differ");
}

/* How often each end was met. */
struct tally {
	size_t n, reason[REASONS], granted[4], open, would, would_accept;
};

static void
count(struct tally *t, const struct oracle_answer *a)
{
	t->n++;
	t->reason[a->reason]++;
	t->granted[a->granted]++;
	t->open += a->open;
	t->would += a->has_would;
	t->would_accept += a->has_would && a->would == REASON_ACCEPTED;
}

/* The end that was met least. */
static size_t
least_met(const struct tally *t, const char **name)
{
	size_t least = t->open, i;

	*name = "open";
#define END(times, text) do { \
	if ((times) < least) { \
		least = (times); \
		*name = (text); \
	} } while (0)
	END(t->would, "would");
	END(t->would_accept, "would accept");
	for (i = 0; i < 4; i++)
		END(t->granted[i], granted_name((enum granted)i));
	/* from REASON_NO_SNAPSHOT on they are a node's, not a decision's */
	for (i = 0; i < REASON_NO_SNAPSHOT; i++)
		END(t->reason[i], reply_info((enum reason)i)->reason);
#undef END
	return least;
}

/* Every pair that was asked for, if there is time, and enough in any case. */
static bool
goes_on(const struct tally *t, uint64_t end)
{
	const char *name;

	if (t->n < pairs() && clock_mono_ms() < end)
		return true;
	return least_met(t, &name) < ENOUGH && t->n < LIMIT;
}

static void
print_tally(const struct tally *t)
{
	size_t i;

	for (i = 0; i < REASONS; i++)
		print_message("%7zu %s\n", t->reason[i],
		    reply_info((enum reason)i)->reason);
	print_message("%7zu pairs; open %zu, would %zu, would accept %zu; "
	    "granted by admin %zu, user %zu, auto %zu\n", t->n, t->open,
	    t->would, t->would_accept, t->granted[GRANTED_ADMIN],
	    t->granted[GRANTED_USER], t->granted[GRANTED_AUTO]);
	if (t->n < pairs())
		print_message("%zu of %zu pairs: the rest had no time in %d "
		    "s\n", t->n, pairs(), SECONDS);
}

/* Headers' ends are met in the whole decision alone, `open` at RCPT alone. */
static enum stage
draw_stage(struct random *r)
{
	static const enum stage often[] = { STAGE_FULL, STAGE_FULL,
	    STAGE_FULL, STAGE_RCPT, STAGE_RCPT, STAGE_ONLY };

	return often[random_below(r, sizeof(often) / sizeof(often[0]))];
}

static void
decision_on_random_cases_equals_the_oracle(void **state)
{
	struct bench *b = *state;
	struct tally tally = { 0 };
	uint64_t end = clock_mono_ms() + SECONDS * 1000;
	const char *name;
	size_t i;

	while (goes_on(&tally, end)) {
		struct oracle_answer want, got;
		struct records records;
		struct items items;
		struct diag why;

		random_model(&b->r, &b->m);
		if (random_compile(&b->m, &items, &records, &why) < 0)
			fail_msg("%s", why.text);
		for (i = 0; i < MESSAGES; i++) {
			enum stage stage = draw_stage(&b->r);

			random_message(&b->r, &b->m, &b->msg);
			oracle_decide(&b->m, &b->msg, stage, &want);
			random_judge(&records, &b->msg, stage, &got);
			count(&tally, &want);
			if (!random_same(&want, &got))
				report(b, stage);
		}
		records_fini(&records);
		items_fini(&items);
	}
	print_tally(&tally);
	if (least_met(&tally, &name) < ENOUGH)
		fail_msg("%s was met %zu times in %zu", name,
		    least_met(&tally, &name), tally.n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(decision_on_random_cases_equals_the_oracle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
