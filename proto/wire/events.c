/*
 * events.c - the payload of EVENTS: a batch as it stands in the spool.
 *
 *	8 spool id, u64 sequence of the first, u16 n, then n times
 *	u16 length, an encoded event
 *
 * Numbers are big-endian.  Not protobuf: the controller stores the events as
 * they came, so that they are borrowed here and not copied.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/wire/event.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"

void
events_encode(const struct events *e, struct buf *out)
{
	size_t i;

	if (e->n > EVENTS_MAX) {
		out->err = out->err != 0 ? out->err : ERR_TOOBIG;
		return;
	}
	buf_put(out, e->spool_id, sizeof(e->spool_id));
	buf_put_u64(out, e->first_seq);
	buf_put_u16(out, (uint16_t)e->n);
	for (i = 0; i < e->n; i++) {
		if (e->event[i].n > EVENT_MAX && out->err == 0)
			out->err = ERR_TOOBIG;
		buf_put_u16(out, (uint16_t)e->event[i].n);
		buf_put(out, e->event[i].p, e->event[i].n);
	}
}

static int
malformed(struct events *out, const char *what, struct diag *why)
{
	events_fini(out);
	return diag_set(why, ERR_CORRUPT, "events: %s", what);
}

int
events_decode(struct events *out, struct bytes in, struct diag *why)
{
	const uint8_t *id;
	size_t i, n;

	memset(out, 0, sizeof(*out));
	if (in.n > FRAME_EVENTS_MAX)
		return malformed(out, "more bytes than a frame holds", why);
	id = bytes_take(&in, sizeof(out->spool_id));
	out->first_seq = bytes_u64(&in);
	n = bytes_u16(&in);
	if (in.err != 0 || n > EVENTS_MAX || out->first_seq > UINT64_MAX - n)
		return malformed(out, "its head is cut off or out of range",
		    why);
	memcpy(out->spool_id, id, sizeof(out->spool_id));
	out->event = xcalloc(n == 0 ? 1 : n, sizeof(*out->event));
	for (i = 0; i < n; i++) {
		size_t len = bytes_u16(&in);
		const uint8_t *p = bytes_take(&in, len);

		if (p == NULL || len == 0 || len > EVENT_MAX)
			return malformed(out, "an event's length is wrong",
			    why);
		out->event[i] = bytes_of(p, len);
	}
	if (in.n != 0)
		return malformed(out, "bytes after the last event", why);
	out->n = n;
	return 0;
}

void
events_fini(struct events *e)
{
	free(e->event);
	memset(e, 0, sizeof(*e));
}
