/*
 * blake2b_lanes.h - BLAKE2b (RFC 7693) of several short messages at once, each
 * in a lane of the processor's vectors.
 *
 * For those who hash every record of a large set.  A message fits one block;
 * for longer ones, keys or a single message there is libsodium.
 */
#ifndef BASE_BLAKE2B_LANES_H
#define BASE_BLAKE2B_LANES_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE2B_LANES 8
#define BLAKE2B_BLOCK 128
#define BLAKE2B_OUT 32

/* Messages that wait to be hashed together; begins as zeros. */
struct blake2b_lanes {
	uint8_t block[BLAKE2B_LANES][BLAKE2B_BLOCK];
	size_t len[BLAKE2B_LANES];
	size_t n;
};

/*
 * Hash all n messages (0 bytes to a block; what is behind the length does not
 * matter): out_len bytes (16 to BLAKE2B_OUT) of each, the rest of out
 * undefined.  They stay.
 */
void blake2b_lanes(struct blake2b_lanes *l, size_t out_len,
    uint8_t out[BLAKE2B_LANES][BLAKE2B_OUT]);

/* As above with vectors of at most so many lanes: 8, 4, or 1 (libsodium); for
 * tests.  Returns how many there were, as the processor has them. */
unsigned blake2b_lanes_of(unsigned lanes, struct blake2b_lanes *l,
    size_t out_len, uint8_t out[BLAKE2B_LANES][BLAKE2B_OUT]);

#endif
