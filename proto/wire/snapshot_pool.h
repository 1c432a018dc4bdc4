/*
 * snapshot_pool.h - threads that hash chunks and sum up their records, for
 * snapshot.c alone.
 *
 * Chunks go in and come out in one order, from one thread; what is under way
 * is bounded.  A machine with one processor has no threads: a chunk is done
 * where it comes in.
 */
#ifndef WIRE_SNAPSHOT_POOL_H
#define WIRE_SNAPSHOT_POOL_H

#include "proto/wire/snapshot.h"

#define SNAPSHOT_THREADS_MAX 4

struct snapshot_pool;

/* Threads begin with the second chunk: a small set needs none. */
struct snapshot_pool *snapshot_pool_new(void);
void snapshot_pool_free(struct snapshot_pool **p);

/* Is there room for another?  If not, take one first. */
bool snapshot_pool_has_room(const struct snapshot_pool *p);
/* Put in a chunk of `count` records; its bytes are the pool's then, and data
 * is empty. */
void snapshot_pool_put(struct snapshot_pool *p, struct buf *data,
    uint32_t count);
/* Wait for the oldest and take it out: hash and length, and its bytes, which
 * replace data's.  False: none is in. */
bool snapshot_pool_take(struct snapshot_pool *p, struct manifest_chunk *c,
    struct buf *data);

/* The digest of all that was taken out. */
void snapshot_pool_digest(struct snapshot_pool *p, struct digest *out);

#endif
