/*
 * record_cache.h - the records that a reader found last: senders come again,
 * and a record found again costs no read of the database.
 *
 * A fixed megabyte, in which each key has one slot: another one that falls
 * there takes its place.  A slot answers only for the view that it was filled
 * under and for the same key, byte by byte; slots of a view that is gone are
 * never asked again and stay until others take them.  Only values that were
 * found, and whose hash was verified, belong here.  For one thread.
 */
#ifndef NODE_RECORD_CACHE_H
#define NODE_RECORD_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/policy/record_hash.h"

#define RECORD_CACHE_SLOTS 4096
#define RECORD_CACHE_ROOM 232	/* of key and value; what needs more is not
				 * kept */
struct record_cache;

struct record_cache *record_cache_new(void);
void record_cache_free(struct record_cache **c);

/*
 * Was this key found under this view (a number that no other view has; not
 * 0)?  Then *value borrows from c, until the next put.  hash is that of the
 * key, and chooses the slot.
 */
bool record_cache_get(const struct record_cache *c, uint64_t view,
    struct record_hash hash, struct bytes key, struct bytes *value);

/* Keep what was found. */
void record_cache_put(struct record_cache *c, uint64_t view,
    struct record_hash hash, struct bytes key, struct bytes value);

#endif
