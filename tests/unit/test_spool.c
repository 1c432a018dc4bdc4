/*
 * test_spool.c - the segment log under torn tails, flipped bytes, full disks.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/spool.h"
#include "node/spool_file.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

static struct spool_batch batch;

struct place {
	char dir[256];
	struct spool *spool;
	struct spool_conf conf;
	uint64_t lost_at_commit;
};

static void
reopen(struct place *p)
{
	struct diag why = { "" };

	spool_close(&p->spool);
	if (spool_open(&p->spool, &p->conf, &why) < 0)
		fail_msg("%s", why.text);
}

static int
setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	const char *tmp = getenv("TMPDIR");

	log_setup("test", LOG_TEXT, LOG_ERROR);
	snprintf(p->dir, sizeof(p->dir), "%s/spoolXXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(p->dir));
	p->conf = (struct spool_conf){ .dir = p->dir,
	    .max_bytes = 1024 * 1024, .segment_bytes = 256 };
	buf_init(&batch.data, 0);
	reopen(p);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	spool_close(&p->spool);
	file_remove_tree(p->dir, NULL);
	buf_fini(&batch.data);
	free(p);
	return 0;
}

static void
wait_done(struct spool *s, uint64_t ticket)
{
	uint64_t end = clock_mono_ms() + 10000;

	while (spool_done(s) < ticket && clock_mono_ms() < end)
		poll(NULL, 0, 1);
	assert_true(spool_done(s) >= ticket);
}

/* Put n events "event-<i>" one by one, each durable before the next. */
static void
put(struct spool *s, int from, int n)
{
	char text[32];
	int i;

	for (i = from; i < from + n; i++) {
		snprintf(text, sizeof(text), "event-%d", i);
		wait_done(s, spool_put(s, text, strlen(text)));
	}
}

static const char *
text_of(size_t i)
{
	static char text[64];
	size_t at = i == 0 ? 0 : batch.end[i - 1];

	snprintf(text, sizeof(text), "%.*s", (int)(batch.end[i] - at),
	    batch.data.data + at);
	return text;
}

/* Read and acknowledge everything; how many there were, the last in *last. */
static int
drain(struct spool *s, char last[64])
{
	int n = 0;

	while (spool_peek(s, 1000, 1 << 20, &batch) == 0) {
		n += (int)batch.n;
		strcpy(last, text_of(batch.n - 1));
		spool_ack(s, batch.first_seq + batch.n - 1);
	}
	return n;
}

static int
segments(const struct place *p, char newest[512])
{
	DIR *d = opendir(p->dir);
	struct dirent *e;
	int n = 0;

	newest[0] = '\0';
	while ((e = readdir(d)) != NULL) {
		char path[512];

		if (strstr(e->d_name, ".seg") == NULL)
			continue;
		n++;
		snprintf(path, sizeof(path), "%s/%.200s", p->dir, e->d_name);
		if (strcmp(path, newest) > 0)
			strcpy(newest, path);
	}
	closedir(d);
	return n;
}

static void
event_survives_reopening_in_order(void **state)
{
	struct place *p = *state;
	uint8_t id[SPOOL_ID_LEN];
	char last[64];

	memcpy(id, spool_id(p->spool), sizeof(id));
	put(p->spool, 0, 20);
	reopen(p);
	assert_memory_equal(id, spool_id(p->spool), sizeof(id));
	assert_int_equal(spool_events(p->spool), 20);
	assert_int_equal(spool_peek(p->spool, 3, 1 << 20, &batch), 0);
	assert_int_equal(batch.first_seq, 1);
	assert_int_equal(batch.n, 3);
	assert_string_equal(text_of(0), "event-0");
	assert_string_equal(text_of(2), "event-2");
	assert_int_equal(drain(p->spool, last), 20);
	assert_string_equal(last, "event-19");
	assert_int_equal(spool_events(p->spool), 0);
}

static void
segment_all_acked_is_deleted_and_sequence_goes_on(void **state)
{
	struct place *p = *state;
	char last[64], newest[512];

	put(p->spool, 0, 40);
	assert_true(segments(p, newest) > 3);
	assert_int_equal(drain(p->spool, last), 40);
	assert_int_equal(segments(p, newest), 1);
	reopen(p);
	drain(p->spool, last);
	put(p->spool, 40, 1);
	assert_int_equal(spool_peek(p->spool, 10, 1 << 20, &batch), 0);
	assert_int_equal(batch.first_seq, 41);
	assert_string_equal(text_of(0), "event-40");
}

static void
ack_in_the_middle_leaves_the_rest(void **state)
{
	struct place *p = *state;
	char last[64];

	put(p->spool, 0, 10);
	spool_ack(p->spool, 4);
	assert_int_equal(spool_events(p->spool), 6);
	spool_ack(p->spool, 2);
	assert_int_equal(spool_peek(p->spool, 1, 1 << 20, &batch), 0);
	assert_int_equal(batch.first_seq, 5);
	assert_int_equal(drain(p->spool, last), 6);
}

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

static void
spool_at_its_limit_counts_what_it_loses(void **state)
{
	struct place *p = *state;
	char last[64];

	p->conf.max_bytes = 10 * (SPOOL_HEAD_LEN + strlen("event-0"));
	reopen(p);
	put(p->spool, 0, 10);
	assert_int_equal(spool_lost(p->spool), 0);
	put(p->spool, 10, 5);
	assert_int_equal(spool_lost(p->spool), 5);
	assert_int_equal(spool_events(p->spool), 10);
	assert_int_equal(drain(p->spool, last), 10);
	assert_string_equal(last, "event-9");
	put(p->spool, 15, 1);
	assert_int_equal(drain(p->spool, last), 1);
	assert_string_equal(last, "event-15");
}

static void
event_too_long_is_lost_and_needs_no_wait(void **state)
{
	struct place *p = *state;
	char *big = xcalloc(1, SPOOL_RECORD_MAX + 1);

	assert_int_equal(spool_put(p->spool, big, SPOOL_RECORD_MAX + 1), 0);
	assert_int_equal(spool_lost(p->spool), 1);
	wait_done(p->spool, spool_put(p->spool, big, SPOOL_RECORD_MAX));
	assert_int_equal(spool_peek(p->spool, 9, 1 << 20, &batch), 0);
	assert_int_equal(batch.end[0], SPOOL_RECORD_MAX);
	free(big);
}

static void
closing_writes_what_waits(void **state)
{
	struct place *p = *state;
	char last[64];
	int i;

	for (i = 0; i < 500; i++)
		assert_true(spool_put(p->spool, "event-x", 7) > 0);
	reopen(p);
	assert_int_equal(drain(p->spool, last), 500);
}

/* The page of lost events, read or written at an offset. */
static void
page_do(const struct place *p, off_t at, void *data, size_t len, bool put_it)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/lost", p->dir);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(put_it ? pwrite(fd, data, len, at) :
	    pread(fd, data, len, at), len);
	close(fd);
}

static void
count_of_lost_at_a_full_spool_survives_a_restart(void **state)
{
	struct place *p = *state;
	char *big = xcalloc(1, SPOOL_RECORD_MAX + 1), last[64];
	int i;

	p->conf.max_bytes = 10 * (SPOOL_HEAD_LEN + strlen("event-0"));
	reopen(p);
	put(p->spool, 0, 10);
	for (i = 1; i <= 5; i++) {
		put(p->spool, 10, 1);
		assert_int_equal(spool_lost(p->spool), 2 * i - 1);
		reopen(p);
		assert_int_equal(spool_lost(p->spool), 2 * i - 1);
		spool_put(p->spool, big, SPOOL_RECORD_MAX + 1);
		reopen(p);
		assert_int_equal(spool_lost(p->spool), 2 * i);
	}
	assert_int_equal(drain(p->spool, last), 10);
	free(big);
}

/* The count that a start now would find. */
static uint64_t
lost_on_disk(const char *dir)
{
	struct spool_conf conf = { .dir = dir, .max_bytes = 1024 * 1024 };
	struct spool *other = NULL;
	struct diag why = { "" };
	uint64_t n;

	if (spool_open(&other, &conf, &why) < 0)
		fail_msg("%s", why.text);
	n = spool_lost(other);
	spool_close(&other);
	return n;
}

/* On the spool's thread, which saves nothing meanwhile. */
static void
look_at_commit(void *arg)
{
	struct place *p = arg;

	p->lost_at_commit = lost_on_disk(p->dir);
}

/* A kill leaves the page as it is when the ticket is done. */
static void
count_of_lost_is_on_the_disk_when_the_ticket_is_done(void **state)
{
	struct place *p = *state;

	p->conf.max_bytes = 1;
	p->conf.on_commit = look_at_commit;
	p->conf.arg = p;
	reopen(p);
	put(p->spool, 0, 3);
	spool_close(&p->spool);
	assert_int_equal(p->lost_at_commit, 3);
}

static void
loss_without_a_ticket_is_on_the_disk_without_a_close(void **state)
{
	struct place *p = *state;
	char *big = xcalloc(1, SPOOL_RECORD_MAX + 1);
	uint64_t end = clock_mono_ms() + 10000;

	assert_int_equal(spool_put(p->spool, big, SPOOL_RECORD_MAX + 1), 0);
	while (lost_on_disk(p->dir) == 0 && clock_mono_ms() < end)
		poll(NULL, 0, 1);
	assert_int_equal(lost_on_disk(p->dir), 1);
	free(big);
}

/* Whatever byte of the newest slot is wrong, the one before it counts; with
 * both gone the spool opens all the same and counts on. */
static void
page_of_lost_torn_at_every_byte_gives_the_count_before(void **state)
{
	struct place *p = *state;
	uint8_t page[4096], torn[24];
	size_t cut;

	p->conf.max_bytes = 1;
	reopen(p);
	put(p->spool, 0, 1);
	put(p->spool, 0, 1);
	spool_close(&p->spool);
	page_do(p, 0, page, sizeof(page), false);
	for (cut = 0; cut < 24; cut++) {
		memcpy(torn, page + 2048, sizeof(torn));
		torn[cut] ^= 0x40;
		page_do(p, 2048, torn, sizeof(torn), true);
		reopen(p);
		assert_int_equal(spool_lost(p->spool), 1);
		spool_close(&p->spool);
		page_do(p, 2048, page + 2048, sizeof(torn), true);
		reopen(p);
		assert_int_equal(spool_lost(p->spool), 2);
		spool_close(&p->spool);
	}
	memset(page, 0xff, sizeof(page));
	page_do(p, 0, page, sizeof(page), true);
	reopen(p);
	assert_int_equal(spool_lost(p->spool), 0);
	put(p->spool, 0, 1);
	reopen(p);
	assert_int_equal(spool_lost(p->spool), 1);
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

/* How many lines of the file hold the text. */
static int
lines_with(const char *path, const char *text)
{
	struct buf b;
	const char *at;
	int n = 0;

	buf_init(&b, 0);
	assert_int_equal(file_read(path, 1 << 20, &b, NULL), 0);
	buf_putc(&b, '\0');
	for (at = b.data; (at = strstr(at, text)) != NULL; at++)
		n++;
	buf_fini(&b);
	return n;
}

static void
spool_filling_up_is_logged_once_at_each_threshold(void **state)
{
	static const struct { int put, n[3]; } steps[] = {
		{ 69, { 0, 0, 0 } }, { 1, { 1, 0, 0 } },
		{ 14, { 1, 0, 0 } }, { 1, { 1, 1, 0 } },
		{ 10, { 1, 1, 1 } }, { 5, { 1, 1, 1 } },
	};
	struct place *p = *state;
	int err = dup(2), fd, logged[3];
	char path[512], last[64];
	size_t i;

	snprintf(path, sizeof(path), "%s/log", p->dir);
	fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
	assert_true(fd >= 0 && dup2(fd, 2) == 2);
	log_setup("test", LOG_TEXT, LOG_WARNING);
	p->conf.max_bytes = 100 * (SPOOL_HEAD_LEN + strlen("event-0"));
	reopen(p);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int t;

		for (t = 0; t < steps[i].put; t++)
			put(p->spool, 0, 1);
		for (t = 0; t < 3; t++)
			logged[t] = lines_with(path, (const char *[]){
			    "threshold=70", "threshold=85",
			    "threshold=95" }[t]);
		assert_memory_equal(logged, steps[i].n, sizeof(logged));
	}
	assert_int_equal(spool_fill(p->spool), 1000);
	drain(p->spool, last);
	put(p->spool, 0, 80);
	assert_int_equal(lines_with(path, "threshold=70"), 2);
	dup2(err, 2);
	close(err);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(event_survives_reopening_in_order),
		T(segment_all_acked_is_deleted_and_sequence_goes_on),
		T(ack_in_the_middle_leaves_the_rest),
		T(tail_torn_at_every_offset_loses_that_record_alone),
		T(byte_flipped_anywhere_is_never_delivered),
		T(spool_at_its_limit_counts_what_it_loses),
		T(event_too_long_is_lost_and_needs_no_wait),
		T(closing_writes_what_waits),
		T(count_of_lost_at_a_full_spool_survives_a_restart),
		T(count_of_lost_is_on_the_disk_when_the_ticket_is_done),
		T(loss_without_a_ticket_is_on_the_disk_without_a_close),
		T(page_of_lost_torn_at_every_byte_gives_the_count_before),
		T(damage_before_whole_events_counts_them_as_lost),
		T(spool_filling_up_is_logged_once_at_each_threshold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
