/*
 * sync_fixture.h - the sync thread against a controller in miniature, which
 * the test plays.
 */
#ifndef UNIT_SYNC_FIXTURE_H
#define UNIT_SYNC_FIXTURE_H

#include "tests/unit/delta_fixture.h"

#include "node/sync.h"
#include "tests/lib/wait.h"

#define DELTAS 20

struct fleet {
	struct fixture *x;
	struct buf delta[DELTAS];	/* kept ones, in order */
	struct delta_req from[DELTAS];	/* where each begins */
	size_t deltas_n;
	bool no_deltas;			/* says that they are gone */
	bool no_last_delta;		/* says so of the last one alone */
	bool loses_request;		/* the next one for deltas */
	bool no_manifests;		/* does not answer for now */
	unsigned odd_chunks;		/* so many are of another manifest */
	unsigned chunks_sent;
	bool no_beats;			/* no head after acknowledgements */
	unsigned delta_reqs, manifest_reqs;
	struct sock_ctx *ctx;
	struct sock *control, *events;
	uint8_t server_pub[32], server_sec[32], node_pub[32];
	struct spool *spool;
	struct metrics metrics;
	struct sync *sync;
	struct sentry *sentry;
	struct ruleset *_Atomic got;
	struct ack ack;
	uint64_t events_n;
	struct sock_msg m;
};

static struct fleet fleet;
static uint64_t fleet_silence_ms, fleet_stale_ms; /* of the next node; 0: its
						   * default */

static inline bool
admit(void *arg, const char *domain, const uint8_t key[SOCK_KEY_LEN])
{
	(void)domain;
	return memcmp(key, ((struct fleet *)arg)->node_pub, 32) == 0;
}

static inline void
on_ruleset(void *arg, struct ruleset *r)
{
	struct fleet *f = arg;

	struct ruleset *old = f->got;

	f->got = r;
	ruleset_unref(&old);
	sync_enforced(f->sync, ruleset_head(r));
}

static inline struct sock *
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

/* A node that heard of that version before and waits so long for answers. */
static inline int
setup_with(void **state, uint64_t heard, uint64_t patience_ms)
{
	struct fleet *f = &fleet;
	struct sync_conf conf = { .metrics = &f->metrics, .arg = f,
	    .on_ruleset = on_ruleset, .ratchet = 3,
	    .silence_ms = fleet_silence_ms, .stale_ms = fleet_stale_ms,
	    .patience_ms = patience_ms };
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
	assert_int_equal(sentry_open(&f->sentry, f->x->dir, 1, NULL), 0);
	conf.sentry = f->sentry;
	sentry_heard(f->sentry, heard);
	if (sync_start(&f->sync, &conf, &why) < 0)
		fail_msg("%s", why.text);
	return 0;
}

/* It never asks twice because this machine is slow. */
static inline int
setup(void **state)
{
	return setup_with(state, 0, 2 * WAIT_MS);
}

static inline int
teardown(void **state)
{
	struct fleet *f = &fleet;
	struct ruleset *r = f->got;

	sync_stop(&f->sync);
	spool_close(&f->spool);
	sentry_close(&f->sentry);
	ruleset_unref(&r);
	sock_close(&f->control);
	sock_close(&f->events);
	sock_ctx_free(&f->ctx);
	buf_fini(&f->m.data);
	while (f->deltas_n > 0)
		buf_fini(&f->delta[--f->deltas_n]);
	return fixture_teardown(state);
}

static inline void
send_buf(struct fleet *f, struct sock *s, const struct buf *b)
{
	sock_send(s, f->m.peer, b->data, b->len);
}

static inline void
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
		if (f->chunks_sent++ < f->odd_chunks)
			b.data[b.len - 1] ^= 1;
		send_buf(f, f->control, &b);
		buf_fini(&b);
	}
}

static inline void
send_gone(struct fleet *f, const struct delta_req *at)
{
	struct buf b;

	buf_init(&b, 0);
	frame_begin(&b, FRAME_DELTA_GONE);
	delta_req_encode(at, &b);
	send_buf(f, f->control, &b);
	buf_fini(&b);
}

/* What follows a version, at most the credit; or that it is gone. */
static inline void
answer_delta_req(struct fleet *f, struct bytes in)
{
	size_t i, sent = 0, n = f->deltas_n - (f->no_last_delta ? 1 : 0);
	struct delta_req r;

	f->delta_reqs++;
	if (f->loses_request) {
		f->loses_request = false;
		return;
	}
	assert_int_equal(delta_req_decode(&r, in, NULL), 0);
	for (i = 0; i < n && !f->no_deltas; i++) {
		if (f->from[i].version >= r.version &&
		    sent++ < FRAME_CREDIT)
			send_buf(f, f->control, &f->delta[i]);
	}
	if (f->no_last_delta)
		send_gone(f, &f->from[n]);
	else if (sent == 0 && r.version != f->x->head.version)
		send_gone(f, &r);
}

/* Change one record; the delta is kept, the head says so from now on. */
static inline void
change(struct fleet *f, uint64_t to, const char *key, const char *val)
{
	struct change c = { key, val };
	struct buf b;

	assert_true(f->deltas_n < DELTAS);
	f->from[f->deltas_n].version = f->x->head.version;
	memcpy(f->from[f->deltas_n].digest, f->x->head.digest, DIGEST_LEN);
	buf_init(&f->delta[f->deltas_n], 0);
	fixture_change(f->x, to, &c, 1, &f->delta[f->deltas_n++]);
	buf_init(&b, 0);
	head_encode(&f->x->head, &b);
	buf_reset(&f->x->head_frame);
	assert_int_equal(frame_sign(&f->x->head_frame, FRAME_HEAD,
	    f->x->publisher, b.data, b.len), 0);
	buf_fini(&b);
}

static inline void
answer_control(struct fleet *f)
{
	struct bytes in = bytes_of(f->m.data.data, f->m.data.len);
	uint8_t type = frame_type(in.p, in.n);

	assert_int_equal(frame_payload(in.p, in.n, type, &in), 0);
	if (type == FRAME_HELLO) {
		send_buf(f, f->control, &f->x->cert);
		send_buf(f, f->control, &f->x->head_frame);
	} else if (type == FRAME_DELTA_REQ)
		answer_delta_req(f, in);
	else if (type == FRAME_MANIFEST_REQ && ++f->manifest_reqs > 0 &&
	    !f->no_manifests)
		send_buf(f, f->control, &f->x->manifest_frame);
	else if (type == FRAME_CHUNK_REQ)
		send_chunks(f, in);
	else if (type == FRAME_ACK) {
		assert_int_equal(ack_decode(&f->ack, in, NULL), 0);
		if (!f->no_beats)
			send_buf(f, f->control, &f->x->head_frame);
	}
}

static inline void
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

static inline void
play_once(struct fleet *f)
{
	struct sock_poll p[2] = { { .sock = f->control },
	    { .sock = f->events } };

	sock_poll(p, 2, 50);
	while (sock_recv(f->control, &f->m) == 0)
		answer_control(f);
	while (sock_recv(f->events, &f->m) == 0)
		answer_events(f);
}

/* Be the controller until done says so, at most WAIT_MS. */
static inline void
play(struct fleet *f, bool (*done)(struct fleet *f))
{
	uint64_t end = clock_mono_ms() + WAIT_MS;

	while (!done(f) && clock_mono_ms() < end)
		play_once(f);
	assert_true(done(f));
}

static inline bool
enforces_7(struct fleet *f)
{
	return f->ack.enforced == 7 && f->ack.nack == NACK_NONE;
}

static inline bool
is_at_head(struct fleet *f)
{
	return f->ack.enforced == f->x->head.version && memcmp(f->ack.digest,
	    f->x->head.digest, DIGEST_LEN) == 0;
}

static inline bool
is_refused(struct fleet *f)
{
	return f->ack.nack != NACK_NONE;
}

#endif
