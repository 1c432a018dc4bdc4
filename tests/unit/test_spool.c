/*
 * test_spool.c - the segment log: order, acknowledgement, limits, counts.
 */
#include "tests/unit/spool_fixture.h"

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
	uint64_t end = clock_mono_ms() + WAIT_MS;

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

static void
event_added_is_written_when_it_is_told(void **state)
{
	struct place *p = *state;
	char last[64];
	uint64_t ticket;
	int round, i;

	for (round = 0; round < 50; round++) {
		for (i = 0; i < 20; i++)
			ticket = spool_add(p->spool, "event-x", 7);
		while (!spool_write(p->spool))
			;
		wait_done(p->spool, ticket);
	}
	assert_int_equal(ticket, 1000);
	spool_add(p->spool, "event-y", 7);
	reopen(p);
	assert_int_equal(drain(p->spool, last), 1001);
	assert_string_equal(last, "event-y");
}

/* An acknowledgement may be of a batch, of more, of less, or come twice. */
static void
ack_of_any_place_leaves_what_is_behind_it(void **state)
{
	static const uint64_t ack[] = { 3, 3, 5, 4, 12, 20, 1, 47 };
	struct place *p = *state;
	char last[64], want[32], newest[512];
	uint64_t upto = 0;
	size_t i;

	put(p->spool, 1, 60);
	for (i = 0; i < sizeof(ack) / sizeof(ack[0]); i++) {
		assert_int_equal(spool_peek(p->spool, 3, 1 << 20, &batch), 0);
		assert_int_equal(batch.first_seq, upto + 1);
		snprintf(want, sizeof(want), "event-%d", (int)upto + 1);
		assert_string_equal(text_of(0), want);
		put(p->spool, 61 + (int)i, 1);
		spool_ack(p->spool, ack[i]);
		if (ack[i] > upto)
			upto = ack[i];
		assert_int_equal(spool_events(p->spool), 61 + i - upto);
	}
	assert_int_equal(drain(p->spool, last), 68 - upto);
	assert_string_equal(last, "event-68");
	assert_int_equal(segments(p, newest), 1);
	assert_int_equal(spool_lost(p->spool), 0);
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
		T(spool_at_its_limit_counts_what_it_loses),
		T(event_too_long_is_lost_and_needs_no_wait),
		T(closing_writes_what_waits),
		T(count_of_lost_at_a_full_spool_survives_a_restart),
		T(count_of_lost_is_on_the_disk_when_the_ticket_is_done),
		T(loss_without_a_ticket_is_on_the_disk_without_a_close),
		T(page_of_lost_torn_at_every_byte_gives_the_count_before),
		T(event_added_is_written_when_it_is_told),
		T(ack_of_any_place_leaves_what_is_behind_it),
		T(spool_filling_up_is_logged_once_at_each_threshold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
