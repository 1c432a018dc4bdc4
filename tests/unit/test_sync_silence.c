/*
 * test_sync_silence.c - the sync thread when what it waits for does not come:
 * connections given up, heads said again, acknowledgements of others.
 */
#include "tests/unit/sync_fixture.h"

#define HOUR_US ((int64_t)3600 * 1000000)

/* The head in force, issued now or so much later; said, and said again. */
static void
say_head_of_now(struct fleet *f, int64_t later_us)
{
	struct buf b;

	f->x->head.issued_us = clock_wall_us() + later_us;
	buf_init(&b, 0);
	head_encode(&f->x->head, &b);
	buf_reset(&f->x->head_frame);
	assert_int_equal(frame_sign(&f->x->head_frame, FRAME_HEAD,
	    f->x->publisher, b.data, b.len), 0);
	buf_fini(&b);
	send_buf(f, f->control, &f->x->head_frame);
}

static int
setup_impatient(void **state)
{
	int rc;

	fleet_silence_ms = 1500;
	rc = setup(state);
	fleet_silence_ms = 0;
	return rc;
}

static int
setup_watchful(void **state)
{
	int rc;

	fleet_stale_ms = 1500;
	rc = setup(state);
	fleet_stale_ms = 0;
	return rc;
}

static bool
is_stale(struct fleet *f)
{
	return f->ack.state == ACK_STALE;
}

static bool
is_current_by_new_heads(struct fleet *f)
{
	say_head_of_now(f, 0);
	return f->ack.state == ACK_CURRENT;
}

/* Whoever has the connection but no key says the last head again and again. */
static void
freeze_by_a_replayed_beat_is_told_as_stale(void **state)
{
	struct fleet *f = &fleet;

	(void)state;
	play(f, enforces_7);
	play(f, is_stale);		/* heads come all the time */
	assert_int_equal(f->ack.enforced, 7);
	assert_int_equal(f->ack.nack, NACK_NONE);
	play(f, is_current_by_new_heads);
}

/* The controller's clock was set back to what the node's says. */
static void
head_issued_before_the_last_is_heard_when_it_is_of_now(void **state)
{
	struct fleet *f = &fleet;
	uint64_t end = clock_mono_ms() + 4000;

	(void)state;
	play(f, enforces_7);
	say_head_of_now(f, HOUR_US / 2);
	while (clock_mono_ms() < end)
		play_once(f);
	f->ack.state = ACK_STALE;	/* until it says otherwise */
	play(f, is_current_by_new_heads);
}

static void
send_endless(struct fleet *f, struct sock *s, size_t len)
{
	char *zeros = xcalloc(1, len);

	sock_send(s, f->m.peer, zeros, len);
	free(zeros);
}

static bool
has_all_events(struct fleet *f)
{
	return f->events_n >= 100 && spool_events(f->spool) == 0;
}

/* A frame over the limit ends a connection, and libzmq does not make it again:
 * the node does, and goes on where it was. */
static void
endless_frame_ends_the_connection_alone(void **state)
{
	struct fleet *f = &fleet;
	int i;

	(void)state;
	play(f, enforces_7);
	send_endless(f, f->control, FRAME_MAX + 1);
	change(f, 8, "Dnew@acme.example", "\1");
	play(f, is_at_head);
	fixture_agrees(f->x, f->got, NULL);
	send_endless(f, f->events, FRAME_EVENTS_MAX + 1);
	for (i = 0; i < 100; i++)
		spool_put(f->spool, "event", 5);
	play(f, has_all_events);
}

/* Another spool's acknowledgement, and one of more than was ever sent. */
static void
acknowledgement_of_another_spool_drops_no_event(void **state)
{
	struct eack ack = { .upto_seq = UINT64_MAX };
	struct fleet *f = &fleet;
	struct buf b;
	int i;

	(void)state;
	play(f, enforces_7);
	memset(ack.spool_id, 0x5a, sizeof(ack.spool_id));
	buf_init(&b, 0);
	frame_begin(&b, FRAME_EACK);
	eack_encode(&ack, &b);
	send_buf(f, f->events, &b);
	buf_fini(&b);
	for (i = 0; i < 100; i++)
		spool_put(f->spool, "event", 5);
	play(f, has_all_events);
	assert_int_equal(f->events_n, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f, up) cmocka_unit_test_setup_teardown(f, up, teardown)
		T(endless_frame_ends_the_connection_alone, setup_impatient),
		T(freeze_by_a_replayed_beat_is_told_as_stale, setup_watchful),
		T(head_issued_before_the_last_is_heard_when_it_is_of_now,
		    setup_watchful),
		T(acknowledgement_of_another_spool_drops_no_event, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
