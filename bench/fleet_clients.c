/*
 * fleet_clients.c - nodes that verify and keep nothing; they acknowledge each
 * second and say hello when no head comes, as node/sync.h says.
 *
 * All sockets of a process are looked at in turn; when none had anything, a
 * wait of a millisecond on some of them.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/fleet.h"
#include "bench/stat.h"
#include "node/sync.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/policy/decide.h"
#include "proto/policy/record.h"
#include "proto/wire/delta.h"
#include "proto/wire/frame.h"
#include "proto/wire/snapshot.h"

#define HWM 64
#define MISSING_MS 3000

struct one {
	struct sock *sock, *events;	/* events: or NULL, and never used */
	uint64_t head_ms, hello_ms, ack_ms;
	struct fleet_client *shared;
	struct head have;
	struct manifest manifest;	/* chunks NULL: none yet */
	uint8_t manifest_id[HASH_LEN];
	uint32_t asked, got;
	uint64_t missing_ms;		/* a delta, since then; 0: none */
	bool asked_manifest;
};

struct many {
	struct fleet_shared *s;
	struct one *one;
	size_t n;
	struct buf out;
};

static void
send_out(struct many *m, struct one *c)
{
	sock_send(c->sock, NULL, m->out.data, m->out.len);
}

static void
say_hello(struct many *m, struct one *c)
{
	struct hello h = { .proto_min = WIRE_PROTOCOL,
	    .proto_max = WIRE_PROTOCOL, .record_format = RECORD_FORMAT,
	    .engine = DECIDE_ENGINE, .version = c->have.version,
	    .build = "bench" };

	memcpy(h.digest, c->have.digest, DIGEST_LEN);
	c->hello_ms = clock_mono_ms();
	buf_reset(&m->out);
	frame_begin(&m->out, FRAME_HELLO);
	hello_encode(&h, &m->out);
	send_out(m, c);
}

static void
say_ack(struct many *m, struct one *c)
{
	struct ack a = { .accepted = c->have.version,
	    .enforced = c->have.version, .engine = DECIDE_ENGINE };

	memcpy(a.digest, c->have.digest, DIGEST_LEN);
	c->ack_ms = clock_mono_ms();
	buf_reset(&m->out);
	frame_begin(&m->out, FRAME_ACK);
	ack_encode(&a, &m->out);
	send_out(m, c);
}

static void
on_delta(struct many *m, struct one *c, struct bytes frame)
{
	struct delta d;

	if (delta_open(&d, frame, m->s->publisher, NULL) < 0) {
		m->s->failed++;
		return;
	}
	if (d.from_version == c->have.version && memcmp(d.from_digest,
	    c->have.digest, DIGEST_LEN) == 0) {
		c->have.version = d.to_version;
		memcpy(c->have.digest, d.to_digest, DIGEST_LEN);
		c->shared->at_ns = stat_now_ns();
		c->shared->version = d.to_version;
		c->missing_ms = 0;
		say_ack(m, c);
	}
	delta_fini(&d);
}

/* Nobody sends the delta again: neither the bare ROUTER, nor a fleet whose
 * store is not the set's. */
static void
go_to_head(struct many *m, struct one *c, const struct head *h)
{
	c->have = *h;
	c->missing_ms = 0;
	m->s->missed++;
	c->shared->at_ns = stat_now_ns();
	c->shared->version = h->version;
	say_ack(m, c);
}

/* A delta was missed. */
static void
ask_deltas(struct many *m, struct one *c, const struct head *h)
{
	struct delta_req q = { .version = c->have.version };
	uint64_t now = clock_mono_ms();

	if (c->missing_ms == 0)
		c->missing_ms = now;
	else if (now - c->missing_ms > MISSING_MS) {
		go_to_head(m, c, h);
		return;
	}
	memcpy(q.digest, c->have.digest, DIGEST_LEN);
	buf_reset(&m->out);
	frame_begin(&m->out, FRAME_DELTA_REQ);
	delta_req_encode(&q, &m->out);
	send_out(m, c);
}

static void
on_head(struct many *m, struct one *c, struct bytes frame)
{
	struct bytes payload;
	struct head h;

	if (frame_open(frame.p, frame.n, FRAME_HEAD, m->s->publisher,
	    &payload, NULL) < 0 || head_decode(&h, payload, NULL) < 0) {
		m->s->failed++;
		return;
	}
	c->head_ms = clock_mono_ms();
	if (c->have.version != 0) {
		if (c->shared->joined_ns == 0)
			c->shared->joined_ns = stat_now_ns();
		if (h.version > c->have.version)
			ask_deltas(m, c, &h);
		return;
	}
	if (c->asked_manifest)
		return;
	c->asked_manifest = true;
	memcpy(c->manifest_id, h.manifest_id, HASH_LEN);
	buf_reset(&m->out);
	frame_begin(&m->out, FRAME_MANIFEST_REQ);
	buf_put(&m->out, h.manifest_id, HASH_LEN);
	send_out(m, c);
}

/* Ask for chunks, as far as the credit goes. */
static void
ask_chunks(struct many *m, struct one *c)
{
	struct chunk_req q = { .first = c->asked };
	uint32_t left = (uint32_t)c->manifest.chunks_n - c->asked;

	q.n = FRAME_CREDIT - (c->asked - c->got);
	q.n = q.n < left ? q.n : left;
	if (q.n == 0)
		return;
	memcpy(q.manifest_id, c->manifest_id, HASH_LEN);
	c->asked += q.n;
	buf_reset(&m->out);
	frame_begin(&m->out, FRAME_CHUNK_REQ);
	chunk_req_encode(&q, &m->out);
	send_out(m, c);
}

static void
on_manifest(struct many *m, struct one *c, struct bytes frame)
{
	struct bytes payload;

	if (c->manifest.chunks != NULL)
		return;
	if (frame_open(frame.p, frame.n, FRAME_MANIFEST, m->s->publisher,
	    &payload, NULL) < 0 || manifest_decode(&c->manifest, payload,
	    NULL) < 0) {
		m->s->failed++;
		return;
	}
	ask_chunks(m, c);
}

static void
on_chunk(struct many *m, struct one *c, struct bytes in)
{
	uint32_t i;

	bytes_u8(&in);
	i = bytes_u32(&in);
	if (c->manifest.chunks == NULL || i >= c->manifest.chunks_n)
		return;
	if (chunk_check(&c->manifest.chunks[i], in.p, in.n) < 0) {
		m->s->failed++;
		return;
	}
	if (++c->got == c->manifest.chunks_n) {
		c->have.version = c->manifest.version;
		memcpy(c->have.digest, c->manifest.digest, DIGEST_LEN);
		c->shared->joined_ns = stat_now_ns();
		say_ack(m, c);
	} else
		ask_chunks(m, c);
}

static void
on_frame(struct many *m, struct one *c, const struct buf *data)
{
	struct bytes frame = bytes_of(data->data, data->len);

	switch (frame_type(data->data, data->len)) {
	case FRAME_DELTA:
		on_delta(m, c, frame);
		break;
	case FRAME_HEAD:
		on_head(m, c, frame);
		break;
	case FRAME_MANIFEST:
		on_manifest(m, c, frame);
		break;
	case FRAME_CHUNK:
		on_chunk(m, c, frame);
		break;
	default:
		break;
	}
}

/* What is due by the clock. */
static void
tick(struct many *m, struct one *c, uint64_t now)
{
	if (now - c->head_ms > SYNC_HELLO_MS &&
	    now - c->hello_ms > SYNC_HELLO_MS)
		say_hello(m, c);
	if (now - c->ack_ms >= SYNC_ACK_MS)
		say_ack(m, c);
}

static int
connect_one(struct many *m, struct sock_ctx *ctx, struct one *c)
{
	struct sock_conf conf = { .endpoint = m->s->endpoint,
	    .server = m->s->server_key, .max_msg = FRAME_MAX, .hwm = HWM,
	    .secret = c->shared->secret };
	int rc = sock_connect(&c->sock, ctx, &conf, NULL);

	conf.endpoint = m->s->events;
	if (rc == 0 && conf.endpoint[0] != '\0')
		rc = sock_connect(&c->events, ctx, &conf, NULL);
	return rc;
}

static void
connect_all(struct many *m, struct sock_ctx *ctx, uint32_t first)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		struct one *c = &m->one[i];

		c->shared = &m->s->client[first + i];
		c->have = m->s->have;
		if (connect_one(m, ctx, c) < 0) {
			m->s->failed++;
			return;
		}
		/* their clocks are not in step */
		c->head_ms = clock_mono_ms();
		c->ack_ms = c->head_ms + i * SYNC_ACK_MS / m->n -
		    SYNC_ACK_MS;
		say_hello(m, c);
	}
}

/* Look at all once; did anything come? */
static bool
look(struct many *m, struct sock_msg *msg)
{
	uint64_t now = clock_mono_ms();
	bool any = false;
	size_t i;

	for (i = 0; i < m->n; i++) {
		tick(m, &m->one[i], now);
		while (sock_recv(m->one[i].sock, msg) == 0) {
			on_frame(m, &m->one[i], &msg->data);
			any = true;
		}
	}
	return any;
}

void
fleet_clients(struct fleet_shared *s, uint32_t first, uint32_t end)
{
	struct many m = { .s = s, .n = end - first,
	    .one = xcalloc(end - first, sizeof(struct one)) };
	struct sock_ctx *ctx = sock_ctx_new();
	struct sock_poll p[SOCK_POLL_MAX];
	struct sock_msg msg;
	size_t i;

	buf_init(&m.out, FRAME_MAX);
	buf_init(&msg.data, FRAME_MAX);
	connect_all(&m, ctx, first);
	while (!s->stop && s->failed == 0) {
		if (look(&m, &msg))
			continue;
		for (i = 0; i < m.n && i < SOCK_POLL_MAX; i++)
			p[i] = (struct sock_poll){ .sock = m.one[i].sock };
		sock_poll(p, i, 1);
	}
	for (i = 0; i < m.n; i++) {
		sock_close(&m.one[i].sock);
		sock_close(&m.one[i].events);
		manifest_fini(&m.one[i].manifest);
	}
	sock_ctx_free(&ctx);
	buf_fini(&m.out);
	buf_fini(&msg.data);
	free(m.one);
}
