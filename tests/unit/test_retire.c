/*
 * test_retire.c - views that nobody decides by any more are let go of by
 * another thread, and by the end all of them are.
 */
#include "tests/unit/node_fixture.h"

#include <sched.h>

#include "node/retire.h"
#include "tests/lib/wait.h"

static struct ruleset *
open_set(struct fixture *x, char path[512])
{
	struct ruleset *r = NULL;
	struct diag why = { "" };

	snprintf(path, 512, "%s/set", x->dir);
	if ((access(path, F_OK) < 0 && fixture_build(x, path, &why) < 0) ||
	    ruleset_open(&r, path, x->id->root, &why) < 0)
		fail_msg("%s", why.text);
	return r;
}

/* Is the set's database closed, so that it can be opened? */
static bool
is_closed(struct fixture *x, const char *path)
{
	struct ruleset *r = NULL;
	struct diag why;

	if (ruleset_open(&r, path, x->id->root, &why) < 0)
		return false;
	ruleset_unref(&r);
	return true;
}

static void
view_that_others_hold_stays(void **state)
{
	struct fixture *x = *state;
	struct retire *t = retire_start();
	struct ruleset *r, *held;
	struct buf scratch;
	struct bytes v;
	char path[512];

	assert_non_null(t);
	r = open_set(x, path);
	held = ruleset_ref(r);
	retire_put(t, &r);
	assert_null(r);
	retire_put(t, &r);		/* nothing */
	retire_stop(&t);
	assert_null(t);
	buf_init(&scratch, 0);
	assert_int_equal(ruleset_get(held, "Iacme.example", 13, &scratch,
	    &v), 0);
	buf_fini(&scratch);
	assert_false(is_closed(x, path));
	ruleset_unref(&held);
	assert_true(is_closed(x, path));
}

static void
last_reference_closes_the_set_by_the_end(void **state)
{
	struct fixture *x = *state;
	struct retire *t;
	struct ruleset *r;
	char path[512];
	int i;

	for (i = 0; i < 20; i++) {
		t = retire_start();
		assert_non_null(t);
		r = open_set(x, path);
		retire_put(t, &r);
		retire_stop(&t);
		assert_true(is_closed(x, path));
	}
}

static void
set_is_closed_soon_and_not_only_at_the_end(void **state)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	struct fixture *x = *state;
	struct retire *t = retire_start();
	struct ruleset *r;
	char path[512];

	r = open_set(x, path);
	retire_put(t, &r);
	while (retire_done(t) == 0 && clock_mono_ms() < end)
		sched_yield();
	assert_int_equal(retire_done(t), 1);
	assert_true(is_closed(x, path));
	retire_stop(&t);
}

static void
without_a_thread_it_is_done_at_once(void **state)
{
	struct fixture *x = *state;
	struct retire *none = NULL;
	struct ruleset *r;
	char path[512];

	r = open_set(x, path);
	retire_put(none, &r);
	assert_null(r);
	assert_true(is_closed(x, path));
	retire_stop(&none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
		T(view_that_others_hold_stays),
		T(last_reference_closes_the_set_by_the_end),
		T(set_is_closed_soon_and_not_only_at_the_end),
		T(without_a_thread_it_is_done_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
