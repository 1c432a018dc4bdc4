/*
 * uplink.c - stop and wait: a batch in flight, its acknowledgement, the next.
 *
 * The first event after a silence goes at once.  While there is more, a batch
 * that is not full waits GATHER_MS for others: each costs a sync of the
 * controller's disk.
 */
#include "node/uplink.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"

#define BATCH_N 500
#define BATCH_BYTES (200 * 1024)
#define RESEND_MS 3000
#define RETRY_MS 200
#define GATHER_MS 50

struct uplink {
	struct spool *spool;
	struct spool_batch batch;
	struct buf frame;
	struct bytes event[BATCH_N];
	bool in_flight;
	uint64_t next_ms;	/* not before this */
	uint64_t sent_ms;	/* the batch in flight, or the last one */
	atomic_bool idle;	/* there was nothing to send */
	uint64_t since_ms;	/* the batch waits; 0: none does */
};

struct uplink *
uplink_new(struct spool *spool)
{
	struct uplink *u = xcalloc(1, sizeof(*u));

	u->spool = spool;
	/* peek stops after the record that passes BATCH_BYTES */
	buf_init(&u->batch.data, FRAME_EVENTS_MAX + 65536);
	buf_init(&u->frame, FRAME_EVENTS_MAX);
	return u;
}

void
uplink_free(struct uplink **up)
{
	struct uplink *u = *up;

	if (u == NULL)
		return;
	buf_fini(&u->batch.data);
	buf_fini(&u->frame);
	free(u);
	*up = NULL;
}

static void
encode(struct uplink *u)
{
	struct spool_batch *b = &u->batch;
	struct events e = { .first_seq = b->first_seq, .n = b->n,
	    .event = u->event };
	size_t i, at = 0;

	memcpy(e.spool_id, spool_id(u->spool), sizeof(e.spool_id));
	for (i = 0; i < b->n; i++) {
		e.event[i] = bytes_of(b->data.data + at, b->end[i] - at);
		at = b->end[i];
	}
	buf_reset(&u->frame);
	frame_begin(&u->frame, FRAME_EVENTS);
	events_encode(&e, &u->frame);
}

static int
peek(struct uplink *u)
{
	return spool_peek(u->spool, BATCH_N, BATCH_BYTES, &u->batch);
}

bool
uplink_was_idle(struct uplink *u)
{
	return atomic_load(&u->idle) && atomic_exchange(&u->idle, false);
}

void
uplink_step(struct uplink *u, struct sock *s, uint64_t now_ms)
{
	if (now_ms < u->next_ms)
		return;
	if (!u->in_flight) {
		if (peek(u) < 0) {
			atomic_store(&u->idle, true);
			/* what came before that was seen wakes nobody */
			if (peek(u) < 0)
				return;
		}
		encode(u);
	}
	if (u->since_ms == 0)
		u->since_ms = now_ms;
	if (u->frame.err == 0 &&
	    sock_send(s, NULL, u->frame.data, u->frame.len) == 0) {
		u->in_flight = true;
		u->sent_ms = now_ms;
		u->next_ms = now_ms + RESEND_MS;
	} else
		u->next_ms = now_ms + RETRY_MS;
}

uint64_t
uplink_next_ms(const struct uplink *u)
{
	return u->next_ms;
}

uint64_t
uplink_waits_since(const struct uplink *u)
{
	return u->since_ms;
}

void
uplink_on_frame(struct uplink *u, const void *data, size_t len)
{
	struct spool_batch *b = &u->batch;
	struct bytes payload;
	struct eack e;

	if (frame_payload(data, len, FRAME_EACK, &payload) < 0 ||
	    eack_decode(&e, payload, NULL) < 0 ||
	    memcmp(e.spool_id, spool_id(u->spool), sizeof(e.spool_id)) != 0)
		return;
	spool_ack(u->spool, e.upto_seq);
	if (u->in_flight && e.upto_seq >= b->first_seq + b->n - 1) {
		u->in_flight = false;
		u->next_ms = b->n == BATCH_N || b->data.len >= BATCH_BYTES ?
		    0 : u->sent_ms + GATHER_MS;
		u->since_ms = 0;
	}
}
