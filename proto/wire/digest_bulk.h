/*
 * digest_bulk.h - the digest of very many records, several times as fast as
 * digest_add() where the processor has vectors for it.
 *
 * The same sums as digest.h has them, kept as they come out of the vectors
 * until somebody takes them.  For one thread at a time.
 */
#ifndef WIRE_DIGEST_BULK_H
#define WIRE_DIGEST_BULK_H

#include "proto/wire/digest.h"

struct digest_bulk;

struct digest_bulk *digest_bulk_new(void);
/* With vectors of at most so many numbers: 16, 8, or 1 (libsodium alone); for
 * tests. */
struct digest_bulk *digest_bulk_new_of(unsigned lanes);
void digest_bulk_free(struct digest_bulk **b);

/* Put a record in; key and val are borrowed for the call. */
void digest_bulk_add(struct digest_bulk *b, const void *key, size_t key_len,
    const void *val, size_t val_len);
/* Add all that was put in to d; nothing is in then. */
void digest_bulk_take(struct digest_bulk *b, struct digest *d);
/* How many numbers its vectors hold. */
unsigned digest_bulk_lanes(const struct digest_bulk *b);

#endif
