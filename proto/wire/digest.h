/*
 * digest.h - an incremental digest over the set of all records (LtHash).
 *
 * Element = 2,048 bytes of ChaCha20 under the key BLAKE2b-256("postern.record"
 * NUL, u32 key length, key, value); the state is 1,024 sums modulo 2^16 of
 * the little-endian u16 of all elements, so records are added and taken away
 * in any order.  The 32-byte digest is BLAKE2b-256 of the state (little
 * endian), the count (u64 big-endian) and RECORD_FORMAT (u32 big-endian).
 * Adding one element 2^16 times cancels: keys are unique in a set.
 */
#ifndef WIRE_DIGEST_H
#define WIRE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32
#define DIGEST_STATE_LEN 2048

struct digest {
	uint16_t sum[DIGEST_STATE_LEN / 2];
	uint64_t count;
};

void digest_init(struct digest *d);
/* Put a record in, take it out, and the digest of what is in. */
void digest_add(struct digest *d, const void *key, size_t key_len,
    const void *val, size_t val_len);
void digest_sub(struct digest *d, const void *key, size_t key_len,
    const void *val, size_t val_len);
/* All that is in another is in d too. */
void digest_merge(struct digest *d, const struct digest *other);
void digest_final(const struct digest *d, uint8_t out[DIGEST_LEN]);
/* The state as bytes on the wire and on disk (sums little-endian). */
void digest_save(const struct digest *d, uint8_t out[DIGEST_STATE_LEN]);
void digest_load(struct digest *d, const uint8_t in[DIGEST_STATE_LEN],
    uint64_t count);

#endif
