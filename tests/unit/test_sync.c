/*
 * test_sync.c - the sync thread against a controller in miniature: taking a
 * version, refusing others, delivering events.
 */
#include "tests/unit/node_fixture.h"

#include "node/sync.h"

struct fleet {
	struct fixture *x;
	struct sock_ctx *ctx;
	struct sock *control, *events;
	uint8_t server_pub[32], server_sec[32], node_pub[32];
	struct spool *spool;
	struct metrics metrics;
	struct sync *sync;
	struct ruleset *_Atomic got;
	struct ack ack;
	uint64_t events_n;
	struct sock_msg m;
};

static struct fleet fleet;

static bool
admit(void *arg, const char *domain, const uint8_t key[SOCK_KEY_LEN])
{
	(void)domain;
	return memcmp(key, ((struct fleet *)arg)->node_pub, 32) == 0;
}

static void
on_ruleset(void *arg, struct ruleset *r)
{
	struct fleet *f = arg;

	f->got = r;
	sync_enforced(f->sync, ruleset_head(r));
}

static struct sock *
serve(struct fleet *f, char endpoint[128])
{
	struct sock_conf c = { .endpoint = "tcp://127.0.0.1:*",
	    .zap_domain = "fleet", .secret = f->server_sec,
	    .max_msg = FRAME_MAX, .hwm = 100 };
	struct sock *s = NULL;
	struct diag why;

	if (sock_serve(&s, f->ctx, &c, &why) < 0)
		fail_msg("%s", why.text);
	snprintf(endpoint, 128, "%s", sock_endpoint(s));
	return s;
}

static int
setup(void **state)
{
	struct fleet *f = &fleet;
	struct sync_conf conf = { .metrics = &f->metrics, .arg = f,
	    .on_ruleset = on_ruleset, .ratchet = 3 };
	struct spool_conf sc = { .max_bytes = 1 << 20 };
	struct diag why = { "" };
	char dir[512];

	fixture_setup(state);
	memset(f, 0, sizeof(*f));
	f->x = *state;
	buf_init(&f->m.data, 0);
	f->ctx = sock_ctx_new();
	sock_keypair(f->server_pub, f->server_sec);
	sock_keypair(f->node_pub, f->x->id->secret);
	memcpy(f->x->id->server_key, f->server_pub, 32);
	strcpy(f->x->id->id, "node-1");
	assert_int_equal(sock_zap_start(f->ctx, admit, f, NULL), 0);
	f->control = serve(f, f->x->id->control);
	f->events = serve(f, f->x->id->events);
	snprintf(dir, sizeof(dir), "%s/spool", f->x->dir);
	sc.dir = dir;
	assert_int_equal(spool_open(&f->spool, &sc, NULL), 0);
	conf.dir = f->x->dir;
	conf.id = f->x->id;
	conf.spool = f->spool;
	if (sync_start(&f->sync, &conf, &why) < 0)
		fail_msg("%s", why.text);
	return 0;
}

static int
teardown(void **state)
{
	struct fleet *f = &fleet;
	struct ruleset *r = f->got;

	sync_stop(&f->sync);
	spool_close(&f->spool);
	ruleset_unref(&r);
	sock_close(&f->control);
	sock_close(&f->events);
	sock_ctx_free(&f->ctx);
	buf_fini(&f->m.data);
	return fixture_teardown(state);
}

static void
send_buf(struct fleet *f, struct sock *s, const struct buf *b)
{
	sock_send(s, f->m.peer, b->data, b->len);
}

static void
send_chunks(struct fleet *f, struct bytes in)
{
	struct chunk_req r;
	uint32_t i;

	assert_int_equal(chunk_req_decode(&r, in, NULL), 0);
	for (i = r.first; i < r.first + r.n; i++) {
		struct buf b;

		buf_init(&b, 0);
		frame_begin(&b, FRAME_CHUNK);
		buf_put_u32(&b, i);
		buf_put(&b, f->x->chunk[i].data, f->x->chunk[i].len);
		send_buf(f, f->control, &b);
		buf_fini(&b);
	}
}

static void
answer_control(struct fleet *f)
{
	struct bytes in = bytes_of(f->m.data.data, f->m.data.len);
	uint8_t type = frame_type(in.p, in.n);

	assert_int_equal(frame_payload(in.p, in.n, type, &in), 0);
	if (type == FRAME_HELLO) {
		send_buf(f, f->control, &f->x->cert);
		send_buf(f, f->control, &f->x->head_frame);
	} else if (type == FRAME_MANIFEST_REQ)
		send_buf(f, f->control, &f->x->manifest_frame);
	else if (type == FRAME_CHUNK_REQ)
		send_chunks(f, in);
	else if (type == FRAME_ACK) {
		assert_int_equal(ack_decode(&f->ack, in, NULL), 0);
		send_buf(f, f->control, &f->x->head_frame);
	}
}

static void
answer_events(struct fleet *f)
{
	struct bytes in = bytes_of(f->m.data.data, f->m.data.len);
	struct eack ack = { .upto_seq = 0 };
	struct events e;
	struct buf b;

	assert_int_equal(frame_payload(in.p, in.n, FRAME_EVENTS, &in), 0);
	assert_int_equal(events_decode(&e, in, NULL), 0);
	f->events_n += e.n;
	memcpy(ack.spool_id, e.spool_id, sizeof(ack.spool_id));
	ack.upto_seq = e.first_seq + e.n - 1;
	events_fini(&e);
	buf_init(&b, 0);
	frame_begin(&b, FRAME_EACK);
	eack_encode(&ack, &b);
	send_buf(f, f->events, &b);
	buf_fini(&b);
}

/* Be the controller until done says so, at most 20 s. */
static void
play(struct fleet *f, bool (*done)(struct fleet *f))
{
	uint64_t end = clock_mono_ms() + 20000;

	while (!done(f) && clock_mono_ms() < end) {
		struct sock_poll p[2] = { { .sock = f->control },
		    { .sock = f->events } };

		sock_poll(p, 2, 50);
		while (sock_recv(f->control, &f->m) == 0)
			answer_control(f);
		while (sock_recv(f->events, &f->m) == 0)
			answer_events(f);
	}
	assert_true(done(f));
}

static bool
enforces_7(struct fleet *f)
{
	return f->ack.enforced == 7 && f->ack.nack == NACK_NONE;
}

static bool
is_refused(struct fleet *f)
{
	return f->ack.nack != NACK_NONE;
}

static bool
has_delivered(struct fleet *f)
{
	return f->events_n >= 1200 && spool_events(f->spool) == 0;
}

static void
version_is_taken_and_acknowledged(void **state)
{
	(void)state;
	play(&fleet, enforces_7);
	assert_non_null(fleet.got);
	assert_int_equal(fleet.ack.accepted, 7);
	assert_memory_equal(fleet.ack.digest, fleet.x->head.digest,
	    DIGEST_LEN);
	assert_int_equal(fleet.metrics.head_version, 7);
}

static void
older_version_is_refused_as_rollback(void **state)
{
	(void)state;
	fixture_publish(fleet.x, 2);
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_ROLLBACK);
	assert_int_equal(fleet.ack.nack_version, 2);
	assert_null(fleet.got);
}

static void
version_of_a_stranger_is_refused_and_ours_taken_after(void **state)
{
	struct sign_key *ours = fleet.x->publisher, *other;

	(void)state;
	assert_int_equal(sign_key_new(&other), 0);
	fleet.x->publisher = other;
	fixture_publish(fleet.x, 9);
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_SIGNATURE);
	assert_null(fleet.got);
	fleet.x->publisher = ours;
	sign_key_free(&other);
	fixture_publish(fleet.x, 7);
	play(&fleet, enforces_7);
}

static void
chunk_changed_on_the_way_is_refused_and_tried_again(void **state)
{
	(void)state;
	fleet.x->chunk[0].data[12] ^= 1;
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_CORRUPT);
	fleet.x->chunk[0].data[12] ^= 1;
	play(&fleet, enforces_7);
}

static void
events_are_delivered_in_batches(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 1200; i++)
		spool_put(fleet.spool, "event", 5);
	play(&fleet, has_delivered);
	assert_int_equal(fleet.events_n, 1200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(version_is_taken_and_acknowledged),
		T(older_version_is_refused_as_rollback),
		T(version_of_a_stranger_is_refused_and_ours_taken_after),
		T(chunk_changed_on_the_way_is_refused_and_tried_again),
		T(events_are_delivered_in_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
