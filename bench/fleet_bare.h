/*
 * fleet_bare.h - a ROUTER with CURVE that sends frames and knows nothing:
 * what the controller's fleet is measured against.
 */
#ifndef BENCH_FLEET_BARE_H
#define BENCH_FLEET_BARE_H

#include "bench/fleet.h"
#include "proto/base/buf.h"

/* What it answers with; borrowed.  Unchanged while it runs. */
struct bare_frames {
	struct buf head, manifest;
	struct buf *chunk;		/* FRAME_CHUNK each */
	size_t chunks_n;
};

struct bare;

/* Its thread answers HELLO (of a client without a version), MANIFEST_REQ and
 * CHUNK_REQ from frames.  Fills s->endpoint.  0, ERR_IO. */
int bare_start(struct bare **out, struct fleet_shared *s,
    const uint8_t secret[SOCK_KEY_LEN], const struct bare_frames *frames,
    struct diag *why);
/* *b may be NULL. */
void bare_stop(struct bare **b);
/* Send these two frames to every client, one after the other; they are
 * copied. */
void bare_push(struct bare *b, const struct buf *delta,
    const struct buf *head);

#endif
