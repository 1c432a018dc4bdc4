/*
 * test_fleet_audit.c - heads tell the end of the audit log; what a node has
 * seen of it is held against it, and an alarm stays until it is adopted.
 */
#include "tests/unit/fleet_fixture.h"

#include "controller/audit.h"

static const struct head nothing = { .engine = 1 };

static void
note(struct fixture *f, bool adopts, uint64_t above)
{
	const struct audit_entry e = { .action = "x", .adopts = adopts,
	    .above = above };

	/* the fleet writes what a HELLO says */
	pthread_mutex_lock(&f->lock);
	assert_int_equal(store_audit(f->s, &e, NULL), 0);
	pthread_mutex_unlock(&f->lock);
}

static void
say_hello(struct sock *s, const struct audit_mark *seen)
{
	struct hello h = { .proto_min = WIRE_PROTOCOL,
	    .proto_max = WIRE_PROTOCOL, .record_format_min = RECORD_FORMAT,
	    .record_format = RECORD_FORMAT, .engine_min = DECIDE_ENGINE,
	    .engine = DECIDE_ENGINE, .audit = *seen };
	struct buf b;

	buf_init(&b, 0);
	frame_begin(&b, FRAME_HELLO);
	hello_encode(&h, &b);
	tell(s, &b);
	buf_fini(&b);
}

static void
say_ack(struct sock *s, const struct audit_mark *seen, enum audit_state told)
{
	struct ack a = { .engine = nothing.engine, .audit = *seen,
	    .audit_state = told };
	struct buf b;

	buf_init(&b, 0);
	frame_begin(&b, FRAME_ACK);
	ack_encode(&a, &b);
	tell(s, &b);
	buf_fini(&b);
}

static void
wait_audit(struct fixture *f, enum audit_state want)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	struct node_info n;

	do {
		assert_int_equal(fleet_node(f->f, "mx1", &n), 0);
		if (n.audit != want)
			sock_poll(NULL, 0, 5);
	} while (n.audit != want && clock_mono_ms() < end);
	assert_string_equal(audit_state_name(n.audit),
	    audit_state_name(want));
}

static void
head_tells_where_the_log_ends_now(void **state)
{
	struct fixture *f = *state;
	struct audit_mark end;
	struct enrolled e;
	struct head h;
	struct sock *s;
	int i;

	enter(f, &e);
	s = dial(f, FLEET_CONTROL);
	publish_one(f);
	say_hello(s, &(struct audit_mark){ .seq = 0 });
	hear_head(f, s, &h);
	store_audit_mark(f->s, &end);
	assert_true(end.seq > 0);
	assert_true(audit_mark_same(&h.audit, &end));
	/* no version, and yet it is told, with one of the next beats */
	note(f, false, 0);
	store_audit_mark(f->s, &end);
	for (i = 0; i < 5 && h.audit.seq != end.seq; i++)
		hear_head(f, s, &h);
	assert_true(audit_mark_same(&h.audit, &end));
	sock_close(&s);
}

static void
what_a_node_has_seen_is_held_against_the_log(void **state)
{
	struct fixture *f = *state;
	struct audit_mark first, end, other, ahead;
	struct enrolled e;
	struct sock *s;

	enter(f, &e);
	store_audit_mark(f->s, &first);
	note(f, false, 0);
	store_audit_mark(f->s, &end);
	s = dial(f, FLEET_CONTROL);
	say_ack(s, &(struct audit_mark){ .seq = 0 }, AUDIT_UNTOLD);
	wait_audit(f, AUDIT_UNTOLD);
	/* an older end of the same log: it was away */
	say_hello(s, &first);
	wait_audit(f, AUDIT_OK);
	ahead = end;
	ahead.seq += 40;
	say_hello(s, &ahead);
	wait_audit(f, AUDIT_BEHIND);
	assert_int_equal(fleet_highest_audit(f->f), ahead.seq);
	/* this log is another one, and longer by now: the node cannot tell,
	 * and hears it from us meanwhile */
	other = first;
	other.hash[0] ^= 1;
	say_hello(s, &other);
	wait_audit(f, AUDIT_FORKED);
	say_ack(s, &end, AUDIT_OK);
	say_hello(s, &end);
	wait_audit(f, AUDIT_FORKED);
	/* a number that nobody reaches is not gone above */
	other.seq = UINT64_MAX / 4;
	say_hello(s, &other);
	say_ack(s, &end, AUDIT_OK);
	assert_int_equal(fleet_highest_audit(f->f), ahead.seq);
	/* taken on as it is, by a person */
	note(f, true, fleet_highest_audit(f->f));
	say_ack(s, &end, AUDIT_OK);
	wait_audit(f, AUDIT_OK);
	store_audit_mark(f->s, &end);
	assert_int_equal(end.seq, ahead.seq + 1);
	say_ack(s, &end, AUDIT_OK);
	wait_audit(f, AUDIT_OK);
	sock_close(&s);
}

static void
alarm_of_a_node_is_believed_until_the_log_is_adopted(void **state)
{
	struct fixture *f = *state;
	struct audit_mark seen, end;
	struct enrolled e;
	struct sock *s;

	enter(f, &e);
	store_audit_mark(f->s, &seen);
	s = dial(f, FLEET_CONTROL);
	say_ack(s, &seen, AUDIT_FORKED);
	wait_audit(f, AUDIT_FORKED);
	note(f, true, fleet_highest_audit(f->f));
	/* it has not heard of that yet */
	say_ack(s, &seen, AUDIT_FORKED);
	wait_audit(f, AUDIT_OK);
	store_audit_mark(f->s, &end);
	say_ack(s, &end, AUDIT_BEHIND);
	wait_audit(f, AUDIT_BEHIND);
	sock_close(&s);
}

static void
entry_that_was_cut_is_no_alarm(void **state)
{
	struct fixture *f = *state;
	struct audit_mark seen;
	struct enrolled e;
	struct sock *s;
	uint64_t n;

	enter(f, &e);
	store_audit_mark(f->s, &seen);
	note(f, false, 0);
	note(f, false, 0);
	assert_int_equal(store_audit_cut(f->s, INT64_MAX, 100, &n, NULL), 0);
	s = dial(f, FLEET_CONTROL);
	say_hello(s, &seen);
	wait_audit(f, AUDIT_OK);
	sock_close(&s);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(head_tells_where_the_log_ends_now),
		TEST(what_a_node_has_seen_is_held_against_the_log),
		TEST(alarm_of_a_node_is_believed_until_the_log_is_adopted),
		TEST(entry_that_was_cut_is_no_alarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
