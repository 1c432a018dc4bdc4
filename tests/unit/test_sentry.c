/*
 * test_sentry.c - three deaths inside within a minute hold the node, nothing
 * else does, and a head that moves frees it.
 */
#include "tests/unit/node_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "node/sentry.h"

#define SECOND ((int64_t)1000000)

static struct sentry *
open_at(struct fixture *x, int64_t now_us)
{
	struct sentry *s = NULL;
	struct diag why = { "" };

	if (sentry_open(&s, x->dir, now_us, &why) < 0)
		fail_msg("%s", why.text);
	return s;
}

/* Ten minutes and more under a version. */
static void
run_long(struct sentry *s, uint64_t version)
{
	uint64_t ms;

	for (ms = 0; ms <= SENTRY_RAN_MS; ms += 30000)
		sentry_runs(s, version, ms);
}

/* A process that begins at now_us and dies in a room. */
static void
die(struct fixture *x, enum sentry_room room, uint64_t version,
    int64_t now_us)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		sentry_enter(open_at(x, now_us), room, version);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void
make_good(struct fixture *x, uint64_t version)
{
	struct sentry *s = open_at(x, SECOND);

	run_long(s, version);
	assert_int_equal(sentry_good(s), version);
	sentry_close(&s);
}

static void
three_deaths_within_a_minute_hold_until_the_head_moves(void **state)
{
	struct fixture *x = *state;
	uint64_t upto = 0, bad = 0;
	struct sentry *s;

	make_good(x, 5);
	s = open_at(x, SECOND);
	assert_false(sentry_heard(s, 9));
	sentry_close(&s);
	die(x, SENTRY_DECIDE, 8, 100 * SECOND);
	die(x, SENTRY_APPLY, 8, 120 * SECOND);
	die(x, SENTRY_BUILD, 8, 140 * SECOND);
	s = open_at(x, 160 * SECOND);
	assert_true(sentry_is_held(s, &upto, &bad));
	assert_int_equal(upto, 5);
	assert_int_equal(bad, 8);
	/* it stays held, through restarts too, for all that was heard */
	assert_false(sentry_heard(s, 9));
	sentry_close(&s);
	s = open_at(x, 170 * SECOND);
	assert_true(sentry_is_held(s, NULL, NULL));
	assert_true(sentry_heard(s, 10));
	assert_false(sentry_is_held(s, NULL, NULL));
	sentry_close(&s);
}

static void
deaths_far_apart_or_few_or_outside_do_not_hold(void **state)
{
	struct fixture *x = *state;
	struct sentry *s;
	int i;

	make_good(x, 5);
	die(x, SENTRY_DECIDE, 8, 100 * SECOND);
	die(x, SENTRY_DECIDE, 8, 110 * SECOND);
	/* ends that are none: left again, and never entered */
	for (i = 0; i < 5; i++) {
		s = open_at(x, 115 * SECOND);
		sentry_enter(s, SENTRY_DECIDE, 8);
		sentry_leave(s, SENTRY_DECIDE);
		sentry_close(&s);
	}
	die(x, SENTRY_DECIDE, 8, 175 * SECOND);
	s = open_at(x, 200 * SECOND);
	assert_false(sentry_is_held(s, NULL, NULL));
	sentry_close(&s);
}

static void
nothing_to_go_back_to_is_no_hold(void **state)
{
	struct fixture *x = *state;
	struct sentry *s;
	int i;

	for (i = 0; i < 6; i++)
		die(x, SENTRY_DECIDE, 8, (100 + i) * SECOND);
	s = open_at(x, 110 * SECOND);
	assert_false(sentry_is_held(s, NULL, NULL));
	assert_int_equal(sentry_good(s), 0);
	sentry_close(&s);
}

static void
version_is_good_once_it_was_in_force_ten_minutes_ago(void **state)
{
	struct sentry *s = open_at(*state, SECOND);
	uint64_t ms;

	/* a new version every minute */
	for (ms = 0; ms <= SENTRY_RAN_MS + 120000; ms += 60000)
		sentry_runs(s, 100 + ms / 60000, ms);
	assert_int_equal(sentry_good(s), 102);
	sentry_close(&s);
}

static void
page_of_another_form_is_begun_anew(void **state)
{
	struct fixture *x = *state;
	char path[300];
	struct sentry *s;
	int fd;

	make_good(x, 5);
	snprintf(path, sizeof(path), "%s/sentry", x->dir);
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "nonsense", 8, 0), 8);
	close(fd);
	s = open_at(x, SECOND);
	assert_int_equal(sentry_good(s), 0);
	assert_false(sentry_is_held(s, NULL, NULL));
	sentry_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, \
	fixture_teardown)
		T(three_deaths_within_a_minute_hold_until_the_head_moves),
		T(deaths_far_apart_or_few_or_outside_do_not_hold),
		T(nothing_to_go_back_to_is_no_hold),
		T(version_is_good_once_it_was_in_force_ten_minutes_ago),
		T(page_of_another_form_is_begun_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
