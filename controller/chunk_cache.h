/*
 * chunk_cache.h - the chunks served last, as frames in memory: when a fleet
 * starts at once, a thousand nodes ask for the same ones, and each was read
 * and hashed a thousand times.
 *
 * Belongs to one thread.
 */
#ifndef CONTROLLER_CHUNK_CACHE_H
#define CONTROLLER_CHUNK_CACHE_H

#include "controller/publish.h"
#include "proto/base/sock.h"

#define CHUNK_CACHE_N 32	/* chunks: at most 32 MiB */

struct chunk_cache;

struct chunk_cache *chunk_cache_new(void);
void chunk_cache_free(struct chunk_cache **c);

/*
 * The FRAME_CHUNK number i of p, whose manifest has this id; *frame is
 * borrowed until the next call.  Read from its file and checked unless it is
 * here.  Errors as publication_chunk().
 */
int chunk_cache_get(struct chunk_cache *c, const struct publication *p,
    const uint8_t manifest_id[HASH_LEN], uint32_t i,
    struct sock_blob **frame);

#endif
