/*
 * hash.c - the key of hashes, from a secret.
 */
#include "proto/base/hash.h"

#include <sodium.h>

void
hash_key_init(struct hash_key *k, const uint8_t secret[HASH_SECRET_LEN])
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = "nh";
	uint8_t seed[crypto_stream_chacha20_KEYBYTES];

	crypto_generichash(seed, sizeof(seed), secret, HASH_SECRET_LEN, NULL,
	    0);
	crypto_stream_chacha20((uint8_t *)k, sizeof(*k), nonce, seed);
}
