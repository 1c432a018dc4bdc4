/*
 * hash.h - keyed hashes of short texts, and of what is made of several.
 *
 * hash_text() is NH of UMAC (RFC 4418, 5.2) over 64-bit words: who does not
 * know the key cannot choose texts that collide.  Hashes of parts are joined
 * by hash_join(), so that each part of a key is hashed once, however many keys
 * it stands in.  The numbers depend on this machine's byte order: they may be
 * kept on disk, never sent.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_SECRET_LEN 16
#define HASH_TEXT_MAX 1024	/* bytes of a text that count */
#define HASH_WORDS (HASH_TEXT_MAX / sizeof(uint64_t))

struct hash_key {
	uint64_t word[HASH_WORDS];
	uint64_t end;
};

/* The key that a secret stands for: the same each time. */
void hash_key_init(struct hash_key *k, const uint8_t secret[HASH_SECRET_LEN]);

/* The two halves of a product, one over the other. */
static inline uint64_t
hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Two hashes as one; the order counts. */
static inline uint64_t
hash_join(uint64_t a, uint64_t b)
{
	return hash_fold(a + 0x9e3779b97f4a7c15u, b ^ 0xd6e8feb86659fd93u);
}

static inline uint64_t
hash_load_64(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Up to 8 bytes as a number of their own for each length: where fewer are
 * read than a word holds, some are read twice. */
static inline uint64_t
hash_load_short(const uint8_t *p, size_t n)
{
	uint32_t a, b;

	if (n >= 4) {
		memcpy(&a, p, 4);
		memcpy(&b, p + n - 4, 4);
		return (uint64_t)a << 32 | b;
	}
	return n == 0 ? 0 : (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 |
	    p[n - 1];
}

static inline uint64_t
hash_text(const struct hash_key *key, const void *text, size_t len)
{
	const uint8_t *p = text;
	const uint64_t *k = key->word;
	unsigned __int128 sum = 0;
	size_t left = len > HASH_TEXT_MAX ? HASH_TEXT_MAX : len;
	uint64_t a, b;

	for (; left > 16; left -= 16, p += 16, k += 2)
		sum += (unsigned __int128)(hash_load_64(p) + k[0]) *
		    (hash_load_64(p + 8) + k[1]);
	/* the end may be read as words that overlap those before */
	if (left > 8) {
		a = hash_load_64(p);
		b = hash_load_64(p + left - 8);
	} else {
		a = hash_load_short(p, left);
		b = 0;
	}
	sum += (unsigned __int128)(a + k[0]) * (b + k[1]);
	return hash_fold(((uint64_t)sum ^ (uint64_t)(sum >> 64)) + key->end,
	    0xa0761d6478bd642fu ^ ((uint64_t)len << 32 | (uint64_t)len));
}

#endif
