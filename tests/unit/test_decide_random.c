/*
 * test_decide_random.c - random policies and messages: the decision against
 * the oracle, and what must hold of any of them.
 *
 * POSTERN_SEED repeats a run (its number is printed), POSTERN_PAIRS asks for
 * another number of pairs.  A difference is made small and printed as a
 * document and a message.
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

#define MESSAGES 100			/* a model */
#define SECONDS 60			/* at most */

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

/* How often each end was met: what is never met is not proved. */
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

static void
check_tally(const struct tally *t)
{
	size_t i, least = t->n / 2000;

	/* from REASON_NO_SNAPSHOT on they are a node's, not a decision's */
	for (i = 0; i < REASON_NO_SNAPSHOT; i++) {
		if (t->reason[i] <= least)
			fail_msg("%s was met %zu times in %zu",
			    reply_info((enum reason)i)->reason, t->reason[i],
			    t->n);
	}
	for (i = 0; i < 4; i++)
		assert_true(t->granted[i] > least);
	assert_true(t->open > least && t->would > least &&
	    t->would_accept > least);
}

static void
decision_on_random_cases_equals_the_oracle(void **state)
{
	struct bench *b = *state;
	struct tally tally = { 0 };
	uint64_t end = clock_mono_ms() + SECONDS * 1000;
	size_t i;

	while (tally.n < pairs() && clock_mono_ms() < end) {
		struct oracle_answer want, got;
		struct records records;
		struct items items;
		struct diag why;

		random_model(&b->r, &b->m);
		if (random_compile(&b->m, &items, &records, &why) < 0)
			fail_msg("%s", why.text);
		for (i = 0; i < MESSAGES; i++) {
			enum stage stage = (enum stage)random_below(&b->r, 3);

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
	for (i = 0; i < REASONS; i++)
		print_message("%7zu %s\n", tally.reason[i],
		    reply_info((enum reason)i)->reason);
	print_message("%7zu pairs; open %zu, would %zu; granted by admin %zu, "
	    "user %zu, auto %zu\n", tally.n, tally.open, tally.would,
	    tally.granted[GRANTED_ADMIN], tally.granted[GRANTED_USER],
	    tally.granted[GRANTED_AUTO]);
	assert_true(tally.n >= pairs());
	check_tally(&tally);
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
