/*
 * test_messages.c - the message center: each event once, found again, gone
 * when its time is over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/messages/messages.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define DAY ((int64_t)86400 * 1000000)
#define NOW (20000 * DAY)

struct fixture {
	char dir[64], path[80];
	struct messages *m;
	uint64_t seq;
};

struct seen { size_t n; char ids[512]; struct message last; };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-messages-XXXXXX");
	*state = f;
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/messages", f->dir);
	f->seq = 1;
	return messages_open(&f->m, f->path, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	messages_close(&f->m);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

static struct event
event(int n, const char *from, const char *to)
{
	struct event e = { .time_us = NOW - 3600 * (int64_t)1000000 + n,
	    .verdict = VERDICT_REJECT, .reason = REASON_BLOCKED_ENVELOPE,
	    .level = LEVEL_POLICY, .reply_code = 550, .repeats = 1 };

	snprintf(e.id, sizeof(e.id), "ID%08d", n);
	snprintf(e.sender, sizeof(e.sender), "%s", from);
	snprintf(e.recipient, sizeof(e.recipient), "%s", to);
	strcpy(e.policy, "p1");
	return e;
}

/* Store n events of node beginning at sequence first; what put gave. */
static int
put_at(struct fixture *f, const char *node, uint64_t first,
    const struct event *e, size_t n, uint64_t *upto)
{
	struct events batch = { .first_seq = first, .n = n };
	struct bytes raw[16];
	struct buf b[16];
	size_t i;
	int err;

	memcpy(batch.spool_id, "spool--1", 8);
	for (i = 0; i < n; i++) {
		buf_init(&b[i], 0);
		event_encode(&e[i], &b[i]);
		assert_int_equal(b[i].err, 0);
		raw[i] = bytes_of(b[i].data, b[i].len);
	}
	batch.event = raw;
	err = messages_put(f->m, node, &batch, NOW, upto, NULL, NULL);
	for (i = 0; i < n; i++)
		buf_fini(&b[i]);
	return err;
}

static void
put(struct fixture *f, struct event e)
{
	uint64_t upto;

	assert_int_equal(put_at(f, "mx1", f->seq, &e, 1, &upto), 0);
	assert_int_equal(upto, f->seq);
	f->seq++;
}

static void
see(void *arg, const struct message *row)
{
	struct seen *s = arg;
	size_t len = strlen(s->ids);

	s->n++;
	s->last = *row;
	/* the last two digits tell the rows of a test apart */
	snprintf(s->ids + len, sizeof(s->ids) - len, "%s%s",
	    len > 0 ? " " : "", row->event.id + 8);
}

static struct message_found
search(struct fixture *f, struct message_query q, const char *want)
{
	struct message_found found;
	struct seen s = { .n = 0 };

	assert_int_equal(messages_search(f->m, &q, see, &s, &found, NULL), 0);
	assert_string_equal(s.ids, want);
	assert_int_equal(found.n, s.n);
	return found;
}

static void
batch_sent_again_is_stored_once(void **state)
{
	struct fixture *f = *state;
	struct event e[4];
	uint64_t upto, mark;
	int i;

	for (i = 0; i < 4; i++)
		e[i] = event(i, "a@x.example", "b@y.example");
	assert_int_equal(put_at(f, "mx1", 5, e, 2, &upto), 0);
	assert_int_equal(upto, 6);
	assert_int_equal(put_at(f, "mx1", 5, e, 2, &upto), 0);
	assert_int_equal(upto, 6);
	/* overlaps by one, and would be a new row had it another id */
	e[1] = event(9, "a@x.example", "b@y.example");
	assert_int_equal(put_at(f, "mx1", 6, e + 1, 3, &upto), 0);
	assert_int_equal(upto, 8);
	search(f, (struct message_query){ 0 }, "03 02 01 00");
	assert_int_equal(messages_count(f->m), 4);
	assert_int_equal(messages_watermark(f->m, "mx1",
	    (const uint8_t *)"spool--1", &mark, NULL), 0);
	assert_int_equal(mark, 8);
	assert_int_equal(messages_watermark(f->m, "mx2",
	    (const uint8_t *)"spool--1", &mark, NULL), 0);
	assert_int_equal(mark, 0);
}

static void
center_reopened_has_rows_watermark_and_count(void **state)
{
	struct fixture *f = *state;
	struct event e = event(1, "a@x.example", "b@y.example");
	uint64_t upto;

	put(f, e);
	messages_close(&f->m);
	assert_int_equal(messages_open(&f->m, f->path, NULL), 0);
	assert_int_equal(messages_count(f->m), 1);
	e = event(2, "a@x.example", "b@y.example");
	assert_int_equal(put_at(f, "mx1", 1, &e, 1, &upto), 0);
	assert_int_equal(upto, 1);
	search(f, (struct message_query){ 0 }, "01");
}

static void
event_that_is_damaged_is_passed_over_and_counted(void **state)
{
	struct fixture *f = *state;
	struct bytes raw[2] = { bytes_of("\xff\xff\xff", 3), bytes_of("", 0) };
	struct events batch = { .first_seq = 1, .n = 2, .event = raw };
	uint64_t upto;
	size_t refused;

	assert_int_equal(messages_put(f->m, "mx1", &batch, NOW, &upto,
	    &refused, NULL), 0);
	assert_int_equal(upto, 2);
	assert_int_equal(refused, 2);
	assert_int_equal(messages_count(f->m), 0);
	assert_int_equal(messages_put(f->m, "", &batch, NOW, &upto, NULL,
	    NULL), ERR_INVAL);
	batch.first_seq = UINT64_MAX;
	assert_int_equal(messages_put(f->m, "mx1", &batch, NOW, &upto, NULL,
	    NULL), ERR_INVAL);
}

static void
event_reported_under_two_sequences_is_one_row(void **state)
{
	struct fixture *f = *state;
	struct event e[2] = { event(1, "a@x.example", "b@y.example") };
	struct message_top top[1];
	uint64_t upto;
	size_t n;

	e[1] = e[0];
	assert_int_equal(put_at(f, "mx1", 1, e, 2, &upto), 0);
	assert_int_equal(put_at(f, "mx1", 3, e, 1, &upto), 0);
	assert_int_equal(messages_count(f->m), 1);
	assert_int_equal(messages_top(f->m, 0, top, 1, &n, NULL), 0);
	assert_int_equal(top[0].rejections, 1);
	/* the same id at another node is another row */
	assert_int_equal(put_at(f, "mx2", 1, e, 1, &upto), 0);
	assert_int_equal(messages_count(f->m), 2);
}

static void
event_from_the_future_is_filed_at_our_time(void **state)
{
	struct fixture *f = *state;
	struct event e = event(1, "a@x.example", "b@y.example");
	struct message row;

	e.time_us = NOW + 400 * DAY;
	put(f, e);
	assert_int_equal(messages_get(f->m, e.id, &row, NULL), 0);
	assert_true(row.event.time_us == NOW);
	assert_string_equal(row.node, "mx1");
}

static void
fill(struct fixture *f)
{
	struct event e;

	put(f, event(1, "a@x.example", "b@y.example"));
	put(f, event(2, "a@sub.x.example", "c@y.example"));
	e = event(3, "", "b@y.example");
	strcpy(e.header_from, "a@x.example");
	strcpy(e.policy, "p2");
	put(f, e);
	e = event(4, "aa@x.example", "alias@y.example");
	strcpy(e.primary, "b@y.example");
	e.enforcement = ENFORCE_OBSERVE;
	e.reply_code = 0;
	put(f, e);
	e = event(5, "z@z.example", "b@y.example");
	e.verdict = VERDICT_DEFER;
	e.reason = REASON_GREYLISTED;
	e.reply_code = 451;
	put(f, e);
	e = event(6, "z@z.example", "postmaster");
	e.verdict = VERDICT_ACCEPT;
	e.reason = REASON_ACCEPTED;
	e.has_would = true;
	e.would = REASON_SPOOF_HEADER;
	strcpy(e.would_policy, "p3");
	e.reply_code = 0;
	put(f, e);
}

static void
search_by_each_filter_finds_its_rows(void **state)
{
	struct fixture *f = *state;
	const int64_t t0 = NOW - 3600 * (int64_t)1000000;
	const struct { struct message_query q; const char *want; } t[] = {
		{ { 0 }, "06 05 04 03 02 01" },
		{ { .from = "a@x.example" }, "03 01" },
		{ { .from = "" }, "03" },
		{ { .from = "x.example" }, "04 03 01" },
		{ { .from = "*.x.example" }, "02" },
		{ { .from = "nobody@x.example" }, "" },
		{ { .to = "b@y.example" }, "05 04 03 01" },
		{ { .to = "alias@y.example" }, "04" },
		{ { .to = "y.example" }, "05 04 03 02 01" },
		{ { .to = "postmaster" }, "06" },
		{ { .from = "a@x.example", .to = "b@y.example" }, "03 01" },
		{ { .from = "z@z.example", .to = "c@y.example" }, "" },
		{ { .policy = "p2" }, "03" },
		{ { .policy = "p3" }, "06" },
		{ { .node = "mx1", .from = "" }, "03" },
		{ { .node = "mx2" }, "" },
		{ { .id = "ID00000004" }, "04" },
		{ { .id = "ID00000004", .from = "z.example" }, "" },
		{ { .id = "ID000000049999" }, "" },
		{ { .status = STATUS_REJECTED }, "03 02 01" },
		{ { .status = STATUS_DEFERRED }, "05" },
		{ { .status = STATUS_OBSERVED }, "06 04" },
		{ { .has_reason = true, .reason = REASON_GREYLISTED }, "05" },
		{ { .has_reason = true, .reason = REASON_SPOOF_HEADER },
		    "06" },
		{ { .since_us = t0 + 3, .until_us = t0 + 5 }, "04 03" },
		{ { .to = "b@y.example", .since_us = t0 + 3,
		    .until_us = t0 + 5 }, "04 03" },
		{ { .until_us = 1 }, "" },
	};
	size_t i;

	fill(f);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_string_equal(search(f, t[i].q, t[i].want).next, "");
}

static void
search_by_an_index_looks_at_its_rows_only(void **state)
{
	struct fixture *f = *state;

	fill(f);
	assert_int_equal(search(f, (struct message_query){
	    .from = "a@x.example" }, "03 01").searched, 2);
	assert_int_equal(search(f, (struct message_query){
	    .id = "ID00000002" }, "02").searched, 1);
	assert_int_equal(search(f, (struct message_query){
	    .policy = "p2" }, "03").searched, 6);
}

static void
search_page_by_page_gives_each_row_once(void **state)
{
	struct fixture *f = *state;
	struct message_query q = { .limit = 2, .to = "b@y.example" };
	struct message_found a, b;

	fill(f);
	a = search(f, q, "05 04");
	q.before = a.next;
	b = search(f, q, "03 01");
	assert_string_equal(b.next, "");
	q = (struct message_query){ .limit = 4 };
	a = search(f, q, "06 05 04 03");
	q.before = a.next;
	search(f, q, "02 01");
}

static void
search_that_hits_its_bound_says_so_and_goes_on(void **state)
{
	struct fixture *f = *state;
	struct message_query q = { .policy = "p2", .scan_max = 3 };
	struct message_found a, b;

	fill(f);
	a = search(f, q, "");
	assert_int_equal(a.searched, 3);
	assert_string_not_equal(a.next, "");
	q.before = a.next;
	b = search(f, q, "03");
	assert_int_equal(b.searched, 3);
	assert_string_equal(b.next, "");
}

static void
search_with_a_mark_that_is_none_is_refused(void **state)
{
	static const char *const marks[] = { "0", "00", "zz", "0123456789",
	    "000000000000000000000000000000000000zz",
	    "00000000000000000000000000000000000000AB" };
	struct fixture *f = *state;
	struct message_found found;
	struct seen s = { .n = 0 };
	char big[1024];
	size_t i;

	memset(big, '0', sizeof(big));
	big[sizeof(big) - 2] = big[sizeof(big) - 1] = '\0';
	for (i = 0; i <= sizeof(marks) / sizeof(marks[0]); i++) {
		struct message_query q = { .before = i == 6 ? big : marks[i] };

		assert_int_equal(messages_search(f->m, &q, see, &s, &found,
		    NULL), ERR_INVAL);
	}
}

static void
get_of_an_unknown_id_is_no_entry(void **state)
{
	struct fixture *f = *state;
	struct message row;

	fill(f);
	assert_int_equal(messages_get(f->m, "ID00000003", &row, NULL), 0);
	assert_string_equal(row.event.header_from, "a@x.example");
	assert_int_equal(messages_get(f->m, "ID0000000", &row, NULL),
	    ERR_NOENT);
	assert_int_equal(messages_get(f->m, "", &row, NULL), ERR_NOENT);
}

static void
top_counts_refusals_and_users_of_the_days_asked(void **state)
{
	struct fixture *f = *state;
	struct message_top top[3];
	struct event e;
	size_t n;

	fill(f);
	e = event(10, "loud@l.example", "b@y.example");
	e.repeats = 7;
	put(f, e);
	e = event(11, "loud@l.example", "c@y.example");
	put(f, e);
	e = event(12, "loud@l.example", "b@y.example");
	e.time_us -= 3 * DAY;
	put(f, e);
	assert_int_equal(messages_top(f->m, NOW - 30 * DAY, top, 3, &n, NULL),
	    0);
	assert_int_equal(n, 3);
	assert_string_equal(top[0].sender, "loud@l.example");
	assert_int_equal(top[0].rejections, 9);
	assert_int_equal(top[0].users, 2);
	assert_true(top[0].last_us == event(11, "", "").time_us);
	assert_int_equal(top[1].rejections, 1);
	assert_int_equal(messages_top(f->m, NOW - DAY, top, 1, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(top[0].rejections, 8);
	assert_int_equal(messages_top(f->m, NOW + DAY, top, 3, &n, NULL), 0);
	assert_int_equal(n, 0);
}

static void
expire_takes_old_rows_out_of_every_index(void **state)
{
	struct fixture *f = *state;
	const int64_t old = 8 * DAY;
	struct message_top top[4];
	struct event e;
	uint64_t mark;
	size_t n, i;

	for (i = 20; i < 23; i++) {
		e = event((int)i, "old@x.example", "b@y.example");
		e.time_us -= old;
		put(f, e);
	}
	fill(f);
	assert_int_equal(messages_expire(f->m, NOW - 7 * DAY, 2, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(messages_count(f->m), 7);
	assert_int_equal(messages_expire(f->m, NOW - 7 * DAY, 2, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(messages_count(f->m), 6);
	search(f, (struct message_query){ 0 }, "06 05 04 03 02 01");
	assert_int_equal(search(f, (struct message_query){
	    .from = "old@x.example" }, "").searched, 0);
	assert_int_equal(search(f, (struct message_query){
	    .to = "b@y.example" }, "05 04 03 01").searched, 4);
	assert_int_equal(search(f, (struct message_query){
	    .id = "ID00000021" }, "").searched, 0);
	assert_int_equal(messages_top(f->m, 0, top, 4, &n, NULL), 0);
	for (i = 0; i < n; i++)
		assert_string_not_equal(top[i].sender, "old@x.example");
	assert_int_equal(n, 3);
	/* what was deleted is not taken in again */
	assert_int_equal(messages_watermark(f->m, "mx1",
	    (const uint8_t *)"spool--1", &mark, NULL), 0);
	assert_int_equal(mark, f->seq - 1);
}

static void
status_is_what_a_person_calls_the_outcome(void **state)
{
	static const struct {
		enum verdict_kind verdict;
		enum enforcement enforcement;
		int code;
		enum message_status want;
	} t[] = {
		{ VERDICT_REJECT, ENFORCE, 550, STATUS_REJECTED },
		{ VERDICT_REJECT, ENFORCE_SOFT, 450, STATUS_DEFERRED },
		{ VERDICT_REJECT, ENFORCE_OBSERVE, 0, STATUS_OBSERVED },
		{ VERDICT_REJECT, ENFORCE, 0, STATUS_REJECTED },
		{ VERDICT_DEFER, ENFORCE, 451, STATUS_DEFERRED },
		{ VERDICT_DEFER, ENFORCE_OBSERVE, 0, STATUS_OBSERVED },
		{ VERDICT_ACCEPT, ENFORCE, 0, STATUS_OBSERVED },
	};
	enum message_status s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct event e = { .verdict = t[i].verdict,
		    .enforcement = t[i].enforcement, .reply_code = t[i].code };

		assert_int_equal(message_status(&e), t[i].want);
		assert_int_equal(message_status_parse(
		    message_status_name(t[i].want), &s), 0);
		assert_int_equal(s, t[i].want);
	}
	assert_int_equal(message_status_parse("any", &s), ERR_INVAL);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(batch_sent_again_is_stored_once),
		TEST(center_reopened_has_rows_watermark_and_count),
		TEST(event_that_is_damaged_is_passed_over_and_counted),
		TEST(event_reported_under_two_sequences_is_one_row),
		TEST(event_from_the_future_is_filed_at_our_time),
		TEST(search_by_each_filter_finds_its_rows),
		TEST(search_by_an_index_looks_at_its_rows_only),
		TEST(search_page_by_page_gives_each_row_once),
		TEST(search_that_hits_its_bound_says_so_and_goes_on),
		TEST(search_with_a_mark_that_is_none_is_refused),
		TEST(get_of_an_unknown_id_is_no_entry),
		TEST(top_counts_refusals_and_users_of_the_days_asked),
		TEST(expire_takes_old_rows_out_of_every_index),
		TEST(status_is_what_a_person_calls_the_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
