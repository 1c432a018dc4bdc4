/*
 * exact.c - open addressing over an arena.
 *
 * A slot holds 24 bits of the hash and a 40-bit offset (plus 1) into the
 * arena, where a record is u16 key length, u16 value length, key, value.
 */
#include "bench/exact.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"

#define OFFSET_BITS 40
#define OFFSET_MASK (((uint64_t)1 << OFFSET_BITS) - 1)

struct exact {
	uint64_t *slot;
	uint64_t mask;
	uint8_t *arena;
	uint64_t used, size;
	uint8_t secret[crypto_shorthash_KEYBYTES];
};

struct exact *
exact_new(uint64_t count, uint64_t bytes)
{
	struct exact *e = xcalloc(1, sizeof(*e));
	uint64_t n = 1024;

	while (n * 3 / 4 < count)
		n *= 2;
	e->slot = xcalloc(n, sizeof(*e->slot));
	e->mask = n - 1;
	e->arena = xmalloc(bytes + 1);
	e->size = bytes;
	randombytes_buf(e->secret, sizeof(e->secret));
	return e;
}

void
exact_free(struct exact **ep)
{
	struct exact *e = *ep;

	if (e == NULL)
		return;
	free(e->slot);
	free(e->arena);
	free(e);
	*ep = NULL;
}

static uint64_t
hash_of(const struct exact *e, const void *key, size_t len)
{
	uint64_t h;

	crypto_shorthash((uint8_t *)&h, key, len, e->secret);
	return h;
}

void
exact_put(struct exact *e, struct bytes key, struct bytes val)
{
	uint64_t h = hash_of(e, key.p, key.n), i = h & e->mask;
	uint16_t len[2] = { (uint16_t)key.n, (uint16_t)val.n };
	uint8_t *p = e->arena + e->used;

	if (e->used + sizeof(len) + key.n + val.n > e->size)
		return;
	while (e->slot[i] != 0)
		i = (i + 1) & e->mask;
	e->slot[i] = (h & ~OFFSET_MASK) | (e->used + 1);
	memcpy(p, len, sizeof(len));
	memcpy(p + sizeof(len), key.p, key.n);
	memcpy(p + sizeof(len) + key.n, val.p, val.n);
	e->used += sizeof(len) + key.n + val.n;
}

int
exact_get(const struct exact *e, const void *key, size_t len,
    struct bytes *val)
{
	uint64_t h = hash_of(e, key, len), i = h & e->mask;

	for (; e->slot[i] != 0; i = (i + 1) & e->mask) {
		const uint8_t *p = e->arena + (e->slot[i] & OFFSET_MASK) - 1;
		uint16_t have[2];

		if (((e->slot[i] ^ h) & ~OFFSET_MASK) != 0)
			continue;
		memcpy(have, p, sizeof(have));
		p += sizeof(have);
		if (have[0] != len || memcmp(p, key, len) != 0)
			continue;
		*val = bytes_of(p + len, have[1]);
		return 0;
	}
	return ERR_NOENT;
}

uint64_t
exact_bytes(const struct exact *e)
{
	return e->used + (e->mask + 1) * sizeof(*e->slot);
}
