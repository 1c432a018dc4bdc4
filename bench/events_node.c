/*
 * events_node.c - a node's end of the event line: spool and uplink, or frames
 * that stand ready.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/events.h"
#include "bench/stat.h"
#include "node/spool.h"
#include "node/uplink.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/wire/event.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"

#define BATCH 500		/* as the uplink's */
#define WAIT_MS 20
#define LOOK_US 500

struct sender {
	struct events_shared *s;
	struct events_node *me;
	struct spool *spool;		/* NULL before the bare server */
	struct uplink *uplink;
	struct buf *frame;		/* of the bare one */
	size_t frames, at;
	struct sock_ctx *ctx;
	struct sock *sock;
	double cpu;
};

/* One refusal as a node tells it: nobody sends twice, 500,000 receive. */
static void
make_event(const struct events_shared *s, uint64_t n, struct buf *out)
{
	struct verdict v = { .kind = VERDICT_REJECT,
	    .reason = REASON_BLOCKED_ENVELOPE, .level = LEVEL_POLICY };
	struct event e = { .version = 12, .verdict = VERDICT_REJECT,
	    .reason = REASON_BLOCKED_ENVELOPE, .level = LEVEL_POLICY,
	    .policy = "blocked-senders", .client_ip = "198.51.100.7",
	    .client_name = "mail.client.example",
	    .helo = "mail.client.example", .origin = "gateway",
	    .repeats = 1 };
	struct settings settings;
	struct reply reply;

	settings_default(&settings);
	reply_id_new(e.id);
	reply_make(&settings, ENFORCE, &v, e.id, &reply);
	e.time_us = clock_wall_us();
	e.reply_code = reply.code;
	memcpy(e.reply_enhanced, reply.enhanced, sizeof(e.reply_enhanced));
	memcpy(e.reply_text, reply.text, sizeof(e.reply_text));
	set_sender(s->set, n, true, e.sender);
	set_recipient(s->set, n, true, e.recipient);
	memcpy(e.primary, e.recipient, sizeof(e.primary));
	snprintf(e.entry, sizeof(e.entry), "%s", strchr(e.sender, '@') + 1);
	snprintf(e.instance, sizeof(e.instance), "8e.6b0476e9.%06llx.0",
	    (unsigned long long)n & 0xffffff);
	event_encode(&e, out);
}

static int
fill_spool(struct sender *o, uint32_t i, struct diag *why)
{
	char dir[128];
	struct spool_conf c = { .dir = dir, .max_bytes = (uint64_t)1 << 40 };
	uint64_t n, ticket = 0;
	struct buf b;
	int rc;

	snprintf(dir, sizeof(dir), "%s/spool-%u", o->s->dir, i);
	if ((rc = spool_open(&o->spool, &c, why)) < 0)
		return rc;
	buf_init(&b, EVENT_MAX);
	for (n = 0; n < o->s->n; n++) {
		buf_reset(&b);
		make_event(o->s, (uint64_t)i << 32 | n, &b);
		ticket = spool_put(o->spool, b.data, b.len);
		while (ticket - spool_done(o->spool) > 10 * BATCH)
			usleep(LOOK_US);
	}
	while (spool_done(o->spool) < ticket)
		usleep(LOOK_US);
	buf_fini(&b);
	o->uplink = uplink_new(o->spool);
	return spool_lost(o->spool) == 0 ? 0 : ERR_FULL;
}

/* The frames that the uplink would make. */
static void
make_frames(struct sender *o, uint32_t i)
{
	struct bytes part[BATCH];
	struct events e = { .first_seq = 1, .event = part };
	size_t end[BATCH], k, cap = 0;
	struct buf b;

	buf_init(&b, 0);
	while (e.first_seq <= o->s->n) {
		buf_reset(&b);
		for (k = 0; k < BATCH && e.first_seq + k <= o->s->n; k++) {
			make_event(o->s, (uint64_t)i << 32 |
			    (e.first_seq + k - 1), &b);
			end[k] = b.len;
		}
		e.n = k;
		for (k = 0; k < e.n; k++)
			part[k] = bytes_of(b.data + (k == 0 ? 0 : end[k - 1]),
			    end[k] - (k == 0 ? 0 : end[k - 1]));
		o->frame = xgrow(o->frame, &cap, o->frames + 1,
		    sizeof(*o->frame));
		buf_init(&o->frame[o->frames], FRAME_EVENTS_MAX);
		frame_begin(&o->frame[o->frames], FRAME_EVENTS);
		events_encode(&e, &o->frame[o->frames++]);
		e.first_seq += e.n;
	}
	buf_fini(&b);
}

static int
dial(struct sender *o, struct diag *why)
{
	struct sock_conf c = { .endpoint = o->s->endpoint,
	    .secret = o->me->secret, .server = o->s->server_key,
	    .max_msg = FRAME_EVENTS_MAX, .hwm = 64 };

	o->ctx = sock_ctx_new();
	return sock_connect(&o->sock, o->ctx, &c, why);
}

/* An acknowledgement came, up to and including that event. */
static void
on_acknowledged(struct sender *o, uint64_t upto)
{
	if (o->me->begin_ns == 0) {
		o->me->first_n = upto;
		o->cpu = stat_cpu(0);
		o->me->begin_ns = stat_now_ns();
	}
	if (upto == o->s->n) {
		o->me->cpu = stat_cpu(0) - o->cpu;
		o->me->end_ns = stat_now_ns();
	}
}

static void
on_frame(struct sender *o, const struct buf *data)
{
	struct bytes in;
	struct eack e;

	if (frame_payload(data->data, data->len, FRAME_EACK, &in) < 0 ||
	    eack_decode(&e, in, NULL) < 0)
		return;
	if (o->uplink != NULL)
		uplink_on_frame(o->uplink, data->data, data->len);
	else if (o->at < o->frames)
		o->at++;
	on_acknowledged(o, e.upto_seq);
	if (o->uplink == NULL && o->at < o->frames)
		sock_send(o->sock, NULL, o->frame[o->at].data,
		    o->frame[o->at].len);
}

static void
serve(struct sender *o)
{
	struct sock_poll p = { .sock = o->sock };
	struct sock_msg m;

	buf_init(&m.data, 0);
	if (o->uplink == NULL)
		sock_send(o->sock, NULL, o->frame[0].data, o->frame[0].len);
	while (o->me->end_ns == 0 && !o->s->stop) {
		if (o->uplink != NULL)
			uplink_step(o->uplink, o->sock, clock_mono_ms());
		sock_poll(&p, 1, WAIT_MS);
		while (sock_recv(o->sock, &m) == 0)
			on_frame(o, &m.data);
	}
	buf_fini(&m.data);
}

void
events_send(struct events_shared *s, uint32_t i)
{
	struct sender o = { .s = s, .me = &s->node[i] };
	struct diag why = { "" };
	size_t k;
	int rc = 0;

	if (s->bare)
		make_frames(&o, i);
	else
		rc = fill_spool(&o, i, &why);
	o.me->ready = true;
	while (rc == 0 && !s->go && !s->stop)
		usleep(LOOK_US);
	if (rc == 0)
		rc = dial(&o, &why);
	if (rc < 0) {
		fprintf(stderr, "postern-bench events: %s\n", why.text);
		s->failed = true;
	} else
		serve(&o);
	sock_close(&o.sock);
	if (o.ctx != NULL)
		sock_ctx_free(&o.ctx);
	uplink_free(&o.uplink);
	spool_close(&o.spool);
	for (k = 0; k < o.frames; k++)
		buf_fini(&o.frame[k]);
	free(o.frame);
}
