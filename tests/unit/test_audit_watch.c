/*
 * test_audit_watch.c - what a node makes of the ends of the audit log that it
 * is told, and what of it outlives the node.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/audit_watch.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct fixture { char dir[64]; struct audit_watch w; int64_t now_us; };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-watch-XXXXXX");
	*state = f;
	if (mkdtemp(f->dir) == NULL)
		return -1;
	audit_watch_open(&f->w, f->dir);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

/* A head of this second tells it. */
static void
heard(struct fixture *f, const struct audit_mark *m)
{
	f->now_us += 1000000;
	audit_watch_heard(&f->w, m, f->now_us, f->now_us);
}

/* An end whose hash is this byte over and over. */
static struct audit_mark
mark(uint64_t adopted, uint64_t seq, int hash)
{
	struct audit_mark m = { .adopted = adopted, .seq = seq };

	memset(m.hash, hash, sizeof(m.hash));
	return m;
}

static void
each_way_of_going_on_has_its_state(void **state)
{
	static const struct {
		size_t n;
		struct { uint64_t adopted, seq; int hash; } told[4];
		enum audit_state want;
		uint64_t seen;
	} rows[] = {
		{ 1, { { 0, 0, 0 } }, AUDIT_UNTOLD, 0 },
		{ 1, { { 0, 5, 1 } }, AUDIT_OK, 5 },
		{ 3, { { 0, 5, 1 }, { 0, 5, 1 }, { 0, 9, 2 } }, AUDIT_OK, 9 },
		{ 2, { { 0, 5, 1 }, { 0, 4, 2 } }, AUDIT_BEHIND, 5 },
		{ 2, { { 0, 5, 1 }, { 0, 0, 0 } }, AUDIT_BEHIND, 5 },
		{ 2, { { 0, 5, 1 }, { 0, 5, 2 } }, AUDIT_FORKED, 5 },
		/* an alarm stays, and what was seen stays with it */
		{ 3, { { 0, 5, 1 }, { 0, 4, 2 }, { 0, 6, 3 } }, AUDIT_BEHIND,
		    5 },
		{ 3, { { 0, 5, 1 }, { 0, 5, 2 }, { 0, 6, 3 } }, AUDIT_FORKED,
		    5 },
		{ 3, { { 0, 5, 1 }, { 0, 4, 2 }, { 0, 5, 3 } }, AUDIT_FORKED,
		    5 },
		{ 3, { { 0, 5, 1 }, { 0, 5, 2 }, { 0, 4, 2 } }, AUDIT_FORKED,
		    5 },
		/* until the very log is there again, after going back */
		{ 3, { { 0, 5, 1 }, { 0, 4, 2 }, { 0, 5, 1 } }, AUDIT_OK, 5 },
		{ 3, { { 0, 5, 1 }, { 0, 5, 2 }, { 0, 5, 1 } }, AUDIT_FORKED,
		    5 },
		/* or it was adopted */
		{ 2, { { 0, 5, 1 }, { 6, 6, 2 } }, AUDIT_OK, 6 },
		{ 3, { { 0, 5, 1 }, { 0, 5, 2 }, { 6, 7, 2 } }, AUDIT_OK, 7 },
		{ 3, { { 0, 5, 1 }, { 0, 4, 2 }, { 3, 3, 2 } }, AUDIT_OK, 3 },
		/* what was before that is older, whatever its sequence */
		{ 2, { { 6, 6, 2 }, { 0, 9, 1 } }, AUDIT_BEHIND, 6 },
	};
	struct fixture *f = *state;
	size_t i, k;

	for (i = 0; i < N(rows); i++) {
		struct audit_watch again;

		teardown(state);
		assert_int_equal(setup(state), 0);
		f = *state;
		for (k = 0; k < rows[i].n; k++) {
			struct audit_mark m = mark(rows[i].told[k].adopted,
			    rows[i].told[k].seq, rows[i].told[k].hash);

			heard(f, &m);
		}
		if (f->w.state != rows[i].want ||
		    f->w.seen.seq != rows[i].seen)
			fail_msg("row %zu: %s, seen %llu", i,
			    audit_state_name(f->w.state),
			    (unsigned long long)f->w.seen.seq);
		audit_watch_close(&f->w);
		audit_watch_open(&again, f->dir);
		assert_int_equal(again.state, f->w.state);
		assert_true(audit_mark_same(&again.seen, &f->w.seen));
	}
}

static void
head_said_again_does_not_count_after_a_start_neither(void **state)
{
	struct fixture *f = *state;
	struct audit_mark old = mark(0, 5, 1), now = mark(0, 9, 2);
	const int64_t s = 1000000;

	audit_watch_heard(&f->w, &old, 100 * s, 100 * s);
	audit_watch_heard(&f->w, &now, 105 * s, 105 * s);
	audit_watch_heard(&f->w, &old, 100 * s, 106 * s);
	assert_int_equal(f->w.state, AUDIT_OK);
	audit_watch_close(&f->w);
	audit_watch_open(&f->w, f->dir);
	audit_watch_heard(&f->w, &old, 104 * s, 107 * s);
	assert_int_equal(f->w.state, AUDIT_OK);
	/* by its own clock it is later: the log did go back */
	audit_watch_heard(&f->w, &old, 106 * s, 108 * s);
	assert_int_equal(f->w.state, AUDIT_BEHIND);
}

static void
head_of_a_clock_that_ran_ahead_does_not_blind(void **state)
{
	struct fixture *f = *state;
	struct audit_mark old = mark(0, 5, 1), now = mark(0, 9, 2);
	const int64_t s = 1000000;

	audit_watch_heard(&f->w, &now, 100000 * s, 100 * s);
	audit_watch_heard(&f->w, &old, 101 * s, 101 * s);
	assert_int_equal(f->w.state, AUDIT_BEHIND);
}

static uint64_t
saved(struct fixture *f)
{
	struct audit_watch again;

	audit_watch_open(&again, f->dir);
	return again.seen.seq;
}

static void
stream_is_saved_once_a_second_and_an_alarm_at_once(void **state)
{
	struct fixture *f = *state;
	struct audit_watch again;
	struct audit_mark m;
	uint64_t now = 10000, i;

	for (i = 1; i <= 100; i++) {
		m = mark(0, i, 1);
		heard(f, &m);
		audit_watch_tick(&f->w, now);
	}
	assert_int_equal(saved(f), 1);
	audit_watch_tick(&f->w, now + AUDIT_WATCH_SAVE_MS - 1);
	assert_int_equal(saved(f), 1);
	audit_watch_tick(&f->w, now + AUDIT_WATCH_SAVE_MS);
	assert_int_equal(saved(f), 100);
	m = mark(0, 101, 1);
	heard(f, &m);
	m = mark(0, 50, 1);
	heard(f, &m);
	audit_watch_tick(&f->w, now + AUDIT_WATCH_SAVE_MS + 1);
	audit_watch_open(&again, f->dir);
	assert_int_equal(again.state, AUDIT_BEHIND);
	assert_int_equal(again.seen.seq, 101);
}

static void
damaged_file_counts_as_none_and_is_written_anew(void **state)
{
	static const char *const bad[] = { "", "x", "1 0 5 ab\n", "9 0 5 "
	    "0000000000000000000000000000000000000000000000000000000000000000"
	    " 1\n", "1 0 5 "
	    "0000000000000000000000000000000000000000000000000000000000000000"
	    " 1\nmore" };
	struct fixture *f = *state;
	struct audit_mark m = mark(0, 7, 1);
	char path[100];
	size_t i;

	snprintf(path, sizeof(path), "%s/audit", f->dir);
	for (i = 0; i < N(bad); i++) {
		assert_int_equal(file_write(path, bad[i], strlen(bad[i]),
		    0600, NULL), 0);
		audit_watch_open(&f->w, f->dir);
		assert_int_equal(f->w.seen.seq, 0);
		assert_int_equal(f->w.state, AUDIT_UNTOLD);
		heard(f, &m);
		audit_watch_close(&f->w);
		assert_int_equal(saved(f), 7);
	}
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_way_of_going_on_has_its_state),
		TEST(head_said_again_does_not_count_after_a_start_neither),
		TEST(head_of_a_clock_that_ran_ahead_does_not_blind),
		TEST(stream_is_saved_once_a_second_and_an_alarm_at_once),
		TEST(damaged_file_counts_as_none_and_is_written_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
