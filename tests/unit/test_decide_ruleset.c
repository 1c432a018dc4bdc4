/*
 * test_decide_ruleset.c - random policies as a node holds them: built as a
 * set on disk, looked up through its filters, judged, against the oracle.
 *
 * POSTERN_SEED repeats a run; its number is printed.
 */
#include "tests/unit/node_fixture.h"

#include "tests/lib/random_judge.h"
#include "tests/unit/model_fixture.h"

#if defined(__SANITIZE_ADDRESS__)
#define MODELS 10
#else
#define MODELS 40
#endif
#define MESSAGES 500			/* a model */

struct bench {
	struct random r;
	struct oracle_model m;
	struct oracle_message msg;
	struct want want;
	struct facts facts;
	struct ruleset_reader reader;	/* its cache has been everywhere */
};

/* All records of the model, signed and built as a set in path. */
static void
build(struct fixture *x, const struct oracle_model *m, uint64_t version,
    const char *path)
{
	struct diag why = { "" };

	model_fixture(x, m);
	fixture_publish(x, version);
	if (fixture_build(x, path, &why) < 0)
		fail_msg("%s", why.text);
}

/* As the node decides. */
static void
decide(struct bench *b, struct ruleset *r, enum stage stage,
    struct oracle_answer *out)
{
	const struct tables *t = ruleset_tables(r);
	struct random_envelope e;
	struct verdict v;
	size_t first;

	random_fill(&b->msg, &e);
	facts_reset(&b->facts);
	assert_int_equal(want_first(t, &e.env, &b->want, NULL, NULL), 0);
	ruleset_fetch(r, &b->want, 0, &b->facts, &b->reader);
	first = b->want.n;
	assert_int_equal(want_second(t, &e.env, &b->facts, &b->want), 0);
	ruleset_fetch(r, &b->want, first, &b->facts, &b->reader);
	judge(t, &e.env, &b->want, &b->facts, b->msg.now_us, stage, &v, NULL);
	random_answer(&v, out);
}

static void
report(const struct bench *b, const struct oracle_answer *want,
    const struct oracle_answer *got)
{
	struct buf text;

	buf_init(&text, 0);
	random_document(&b->m, &text);
	random_describe(&b->msg, &text);
	random_tell("oracle", want, &text);
	random_tell("node  ", got, &text);
	printf("%s", text.data);
	buf_fini(&text);
	fail_msg("a node's set and the oracle differ");
}

static void
decision_on_a_set_of_a_node_equals_the_oracle(void **state)
{
	struct fixture *x = *state;
	struct bench *b = xcalloc(1, sizeof(*b));
	const char *seed = getenv("POSTERN_SEED");
	char path[512];
	int n, i;

	b->r.state = seed != NULL ? strtoull(seed, NULL, 0) :
	    (uint64_t)clock_wall_us();
	print_message("POSTERN_SEED=%llu\n", (unsigned long long)b->r.state);
	facts_init(&b->facts);
	ruleset_reader_init(&b->reader);
	for (n = 0; n < MODELS; n++) {
		struct ruleset *r = NULL;
		struct diag why = { "" };

		random_model(&b->r, &b->m);
		snprintf(path, sizeof(path), "%s/set%d", x->dir, n);
		build(x, &b->m, (uint64_t)n + 1, path);
		if (ruleset_open(&r, path, x->id->root, &why) < 0)
			fail_msg("%s", why.text);
		for (i = 0; i < MESSAGES; i++) {
			enum stage stage = (enum stage)random_below(&b->r, 3);
			struct oracle_answer want, got;

			random_message(&b->r, &b->m, &b->msg);
			oracle_decide(&b->m, &b->msg, stage, &want);
			decide(b, r, stage, &got);
			if (!random_same(&want, &got))
				report(b, &want, &got);
		}
		ruleset_unref(&r);
	}
	facts_fini(&b->facts);
	ruleset_reader_fini(&b->reader);
	free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    decision_on_a_set_of_a_node_equals_the_oracle,
		    fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
