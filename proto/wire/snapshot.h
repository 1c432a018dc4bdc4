/*
 * snapshot.h - a set of records as sorted chunks under a manifest.
 *
 * A chunk is records in key order: u16 key length, u32 value length, key,
 * value.  Chunks are cut by content, so that one changed record changes one
 * chunk: after a record whose key hashes to 0 modulo 4,096 once the chunk
 * has 64 KiB, and always before it would pass 1 MiB.
 */
#ifndef WIRE_SNAPSHOT_H
#define WIRE_SNAPSHOT_H

#include <stdbool.h>

#include "proto/wire/message.h"

#define CHUNK_MIN (64 * 1024)
#define CHUNK_MAX (1024 * 1024)

/* Takes a finished chunk, in order, on the writer's thread; data is borrowed
 * for the call.  0 or an error that snapshot_add() gives on, perhaps some
 * records later: chunks are hashed by threads. */
typedef int (*snapshot_chunk_fn)(void *arg, const struct manifest_chunk *c,
    const void *data);

struct snapshot_writer;
struct snapshot_writer *snapshot_writer_new(snapshot_chunk_fn fn, void *arg);
/* Keys must rise.  0, ERR_INVAL (order, size), or what fn gave. */
int snapshot_add(struct snapshot_writer *w, const void *key, size_t key_len,
    const void *val, size_t val_len);
/* Close the last chunk and fill *m (but version); the caller frees m. */
int snapshot_finish(struct snapshot_writer *w, struct manifest *m);
void snapshot_writer_free(struct snapshot_writer **w);

/* Does data have the hash and length that c states?  0 or ERR_CORRUPT. */
int chunk_check(const struct manifest_chunk *c, const void *data,
    size_t len);
/* Next record of a checked chunk; false at its end or (chunk->err) when the
 * rest is malformed. */
bool chunk_next(struct bytes *chunk, struct bytes *key, struct bytes *val);

#endif
