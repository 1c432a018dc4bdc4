/*
 * test_spool_damage.c - the segment log under torn tails, flipped bytes,
 * kills and pages that never came to the disk.
 */
#include "tests/unit/spool_fixture.h"

#include <sys/syscall.h>

#include "node/spool_lost.h"

/* A kill in the middle of a write leaves any prefix of the last record. */
static void
tail_torn_at_every_offset_loses_that_record_alone(void **state)
{
	struct place *p = *state;
	size_t len = SPOOL_HEAD_LEN + strlen("event-3"), cut;
	uint64_t first = 0;

	p->conf.segment_bytes = 1 << 20;
	reopen(p);
	put(p->spool, 0, 4);
	for (cut = 1; cut <= len; cut++) {
		char newest[512], last[64];
		struct stat st;

		spool_close(&p->spool);
		file_remove_tree(p->dir, NULL);
		assert_int_equal(mkdir(p->dir, 0700), 0);
		reopen(p);
		put(p->spool, 0, 4);
		spool_close(&p->spool);
		assert_int_equal(segments(p, newest), 1);
		assert_int_equal(stat(newest, &st), 0);
		assert_int_equal(truncate(newest, st.st_size - (off_t)cut), 0);
		reopen(p);
		assert_int_equal(spool_events(p->spool), 3);
		put(p->spool, 9, 1);
		assert_int_equal(spool_peek(p->spool, 3, 1 << 20, &batch), 0);
		first = batch.first_seq;
		spool_ack(p->spool, first + 2);
		assert_int_equal(spool_peek(p->spool, 3, 1 << 20, &batch), 0);
		assert_true(batch.first_seq > first + 2);
		assert_int_equal(drain(p->spool, last), 1);
		assert_string_equal(last, "event-9");
	}
}

static void
byte_flipped_anywhere_is_never_delivered(void **state)
{
	struct place *p = *state;
	size_t at, total = 5 * (SPOOL_HEAD_LEN + strlen("event-0"));

	p->conf.segment_bytes = 1 << 20;
	for (at = 0; at < total; at += 3) {
		char newest[512], want[32];
		uint8_t b;
		size_t i;
		int fd;

		spool_close(&p->spool);
		file_remove_tree(p->dir, NULL);
		assert_int_equal(mkdir(p->dir, 0700), 0);
		reopen(p);
		put(p->spool, 0, 5);
		spool_close(&p->spool);
		segments(p, newest);
		fd = open(newest, O_RDWR);
		assert_int_equal(pread(fd, &b, 1, (off_t)at), 1);
		b ^= 0x10;
		assert_int_equal(pwrite(fd, &b, 1, (off_t)at), 1);
		close(fd);
		reopen(p);
		batch.n = 0;
		spool_peek(p->spool, 10, 1 << 20, &batch);
		assert_int_equal(batch.n,
		    at / (SPOOL_HEAD_LEN + strlen("event-0")));
		for (i = 0; i < batch.n; i++) {
			snprintf(want, sizeof(want), "event-%zu", i);
			assert_string_equal(text_of(i), want);
		}
	}
}

/* Five events, the third damaged: it and the two behind it are lost. */
static void
damage_before_whole_events_counts_them_as_lost(void **state)
{
	struct place *p = *state;
	off_t at = 3 * (SPOOL_HEAD_LEN + strlen("event-0")) - 1;
	char newest[512], last[64];
	int fd;

	p->conf.segment_bytes = 1 << 20;
	reopen(p);
	put(p->spool, 0, 5);
	spool_close(&p->spool);
	segments(p, newest);
	fd = open(newest, O_RDWR);
	assert_int_equal(pwrite(fd, "#", 1, at), 1);
	close(fd);
	reopen(p);
	assert_int_equal(spool_lost(p->spool), 3);
	assert_int_equal(drain(p->spool, last), 2);
	assert_string_equal(last, "event-1");
}

/* A process of its own puts n events and is killed once they are durable. */
static void
put_and_die(struct place *p, int n)
{
	pid_t pid;
	int status;

	spool_close(&p->spool);
	if ((pid = fork()) == 0) {
		reopen(p);
		put(p->spool, 0, n);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* Overwrite the newest segment at an offset. */
static void
overwrite(const struct place *p, off_t at, const void *data, size_t len)
{
	char newest[512];
	int fd;

	segments(p, newest);
	fd = open(newest, O_RDWR);
	assert_int_equal(pwrite(fd, data, len, at), len);
	close(fd);
}

static off_t
newest_size(const struct place *p)
{
	char newest[512];
	struct stat st;

	segments(p, newest);
	assert_int_equal(stat(newest, &st), 0);
	return st.st_size;
}

/* What the page says at the moment of the next cut; UINT64_MAX: no cut. */
static const struct place *watched;
static uint64_t lost_at_cut = UINT64_MAX;

/* libc's, but it looks at the page first. */
int
ftruncate(int fd, off_t len)
{
	struct spool_lost page = { .fd = -1 };
	uint8_t key[SPOOL_KEY_LEN];
	char path[300];
	struct buf id;

	if (watched != NULL) {
		snprintf(path, sizeof(path), "%s/id", watched->dir);
		buf_init(&id, 64);
		assert_int_equal(file_read(path, 64, &id, NULL), 0);
		spool_file_key((const uint8_t *)id.data, key);
		buf_fini(&id);
		assert_int_equal(spool_lost_open(&page, watched->dir, key,
		    &lost_at_cut, NULL), 0);
		spool_lost_close(&page);
	}
	return (int)syscall(SYS_ftruncate, fd, len);
}

static void
lost_events_are_counted_on_the_disk_before_the_cut(void **state)
{
	struct place *p = *state;
	off_t at = 3 * (SPOOL_HEAD_LEN + strlen("event-0")) - 1;

	p->conf.segment_bytes = 1 << 20;
	put_and_die(p, 5);
	overwrite(p, at, "#", 1);
	watched = p;
	reopen(p);
	watched = NULL;
	assert_int_equal(lost_at_cut, 3);
	assert_int_equal(spool_lost(p->spool), 3);
	reopen(p);
	assert_int_equal(spool_lost(p->spool), 3);
}

static void
zeros_behind_a_kill_are_no_damage(void **state)
{
	struct place *p = *state;
	size_t record = SPOOL_HEAD_LEN + strlen("event-0");
	char last[64];
	int i;

	p->conf.segment_bytes = 1 << 20;
	for (i = 0; i < 3; i++) {
		put_and_die(p, 4);
		assert_true(newest_size(p) > (off_t)(12 * record));
	}
	reopen(p);
	assert_int_equal(spool_events(p->spool), 12);
	assert_int_equal(spool_lost(p->spool), 0);
	assert_int_equal(spool_bytes(p->spool), 12 * record);
	put(p->spool, 9, 1);
	assert_int_equal(spool_peek(p->spool, 100, 1 << 20, &batch), 0);
	assert_int_equal(batch.first_seq, 1);
	assert_int_equal(batch.n, 13);
	spool_close(&p->spool);
	assert_int_equal(newest_size(p), 13 * record);
	reopen(p);
	assert_int_equal(drain(p->spool, last), 13);
	assert_string_equal(last, "event-9");
}

/* A power cut in the middle of a group leaves some of its pages: none of its
 * verdicts was sent, so that none of it counts. */
static void
group_torn_over_zeros_is_cut_alone(void **state)
{
	struct place *p = *state;
	size_t record = SPOOL_HEAD_LEN + strlen("event-0"), at;
	char last[64];

	p->conf.segment_bytes = 1 << 20;
	for (at = 4 * record; at < 6 * record; at++) {
		file_remove_tree(p->dir, NULL);
		assert_int_equal(mkdir(p->dir, 0700), 0);
		put_and_die(p, 4);
		overwrite(p, (off_t)at, "xxxxxxxxxxxxxxxxxxxx", 20);
		reopen(p);
		assert_int_equal(spool_events(p->spool), 4);
		assert_int_equal(spool_lost(p->spool), 0);
		put(p->spool, 9, 1);
		assert_int_equal(drain(p->spool, last), 5);
		assert_string_equal(last, "event-9");
	}
}

/* Zeros in the midst of records are damage, wherever they begin and end. */
static void
zeros_before_whole_events_count_what_they_took(void **state)
{
	static const char zeros[64];
	struct place *p = *state;
	size_t record = SPOOL_HEAD_LEN + strlen("event-0"), at;
	char last[64];

	p->conf.segment_bytes = 1 << 20;
	for (at = 0; at < record; at++) {
		file_remove_tree(p->dir, NULL);
		assert_int_equal(mkdir(p->dir, 0700), 0);
		put_and_die(p, 6);
		overwrite(p, (off_t)(2 * record + at), zeros, record + 1);
		reopen(p);
		assert_int_equal(drain(p->spool, last), 2);
		assert_string_equal(last, "event-1");
		assert_int_equal(spool_lost(p->spool), 4);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(tail_torn_at_every_offset_loses_that_record_alone),
		T(byte_flipped_anywhere_is_never_delivered),
		T(damage_before_whole_events_counts_them_as_lost),
		T(lost_events_are_counted_on_the_disk_before_the_cut),
		T(zeros_behind_a_kill_are_no_damage),
		T(group_torn_over_zeros_is_cut_alone),
		T(zeros_before_whole_events_count_what_they_took),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
