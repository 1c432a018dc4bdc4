/*
 * test_uplink.c - when the uplink sends, waits, and wants to be told.
 *
 * Its socket connects to nobody: what is sent stands in its queue, and the
 * acknowledgements are made here.
 */
#include "tests/unit/spool_fixture.h"

#include "node/uplink.h"
#include "proto/base/sock.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"

#define BATCH 500		/* what the uplink takes at most */

struct line {
	struct place *p;
	struct sock_ctx *ctx;
	struct sock *sock;
	struct uplink *uplink;
};

static struct line line;

static int
line_setup(void **state)
{
	uint8_t secret[SOCK_KEY_LEN], key[SOCK_KEY_LEN];
	struct sock_conf c = { .endpoint = "tcp://127.0.0.1:9",
	    .secret = secret, .server = key, .max_msg = FRAME_EVENTS_MAX,
	    .hwm = 64 };

	setup(state);
	line.p = *state;
	line.p->conf.segment_bytes = 1 << 20;
	reopen(line.p);
	sock_keypair(key, secret);
	line.ctx = sock_ctx_new();
	assert_int_equal(sock_connect(&line.sock, line.ctx, &c, NULL), 0);
	line.uplink = uplink_new(line.p->spool);
	return 0;
}

static int
line_teardown(void **state)
{
	uplink_free(&line.uplink);
	sock_close(&line.sock);
	sock_ctx_free(&line.ctx);
	return teardown(state);
}

static void
acknowledge(uint64_t seq)
{
	struct eack e = { .upto_seq = seq };
	struct buf frame;

	memcpy(e.spool_id, spool_id(line.p->spool), sizeof(e.spool_id));
	buf_init(&frame, 0);
	frame_begin(&frame, FRAME_EACK);
	eack_encode(&e, &frame);
	uplink_on_frame(line.uplink, frame.data, frame.len);
	buf_fini(&frame);
}

static void
uplink_tells_once_that_it_had_nothing(void **state)
{
	(void)state;
	assert_false(uplink_was_idle(line.uplink));
	uplink_step(line.uplink, line.sock, 1000);
	assert_true(uplink_was_idle(line.uplink));
	assert_false(uplink_was_idle(line.uplink));
	put(line.p->spool, 0, 1);
	uplink_step(line.uplink, line.sock, 1001);
	assert_false(uplink_was_idle(line.uplink));
	assert_int_equal(uplink_next_ms(line.uplink), 1001 + 3000);
}

static void
batch_that_is_not_full_waits_for_others(void **state)
{
	(void)state;
	put(line.p->spool, 0, 1);
	uplink_step(line.uplink, line.sock, 1000);
	acknowledge(1);
	assert_int_equal(spool_events(line.p->spool), 0);
	put(line.p->spool, 1, 3);
	assert_int_equal(uplink_next_ms(line.uplink), 1050);
	uplink_step(line.uplink, line.sock, 1049);
	assert_int_equal(uplink_next_ms(line.uplink), 1050);
	uplink_step(line.uplink, line.sock, 1050);
	assert_int_equal(uplink_next_ms(line.uplink), 1050 + 3000);
	/* of a part: the rest is still in flight */
	acknowledge(3);
	assert_int_equal(uplink_next_ms(line.uplink), 1050 + 3000);
	acknowledge(4);
	assert_int_equal(spool_events(line.p->spool), 0);
	uplink_step(line.uplink, line.sock, 9000);
	assert_true(uplink_was_idle(line.uplink));
}

static void
full_batch_is_followed_at_once(void **state)
{
	uint64_t ticket = 0;
	int i;

	(void)state;
	for (i = 0; i < BATCH + 1; i++)
		ticket = spool_add(line.p->spool, "event-x", 7);
	while (!spool_write(line.p->spool))
		;
	wait_done(line.p->spool, ticket);
	uplink_step(line.uplink, line.sock, 1000);
	acknowledge(BATCH);
	assert_int_equal(spool_events(line.p->spool), 1);
	assert_true(uplink_next_ms(line.uplink) <= 1000);
	uplink_step(line.uplink, line.sock, 1001);
	acknowledge(BATCH + 1);
	assert_int_equal(spool_events(line.p->spool), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, line_setup, line_teardown)
		T(uplink_tells_once_that_it_had_nothing),
		T(batch_that_is_not_full_waits_for_others),
		T(full_batch_is_followed_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
