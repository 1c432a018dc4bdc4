/*
 * record_cache.c - a table of slots, each four cache lines.
 */
#include "node/record_cache.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"

struct slot {
	uint64_t view;			/* 0: empty */
	uint64_t own;			/* of the key's hash */
	uint16_t key_len, val_len;
	uint8_t data[RECORD_CACHE_ROOM];	/* key, value */
	uint8_t rest[4];
};
_Static_assert(sizeof(struct slot) == 256, "whole cache lines");

struct record_cache { struct slot slot[RECORD_CACHE_SLOTS]; };

struct record_cache *
record_cache_new(void)
{
	struct record_cache *c = aligned_alloc(64, sizeof(*c));

	if (c == NULL)
		abort();
	memset(c, 0, sizeof(*c));
	return c;
}

void
record_cache_free(struct record_cache **c)
{
	free(*c);
	*c = NULL;
}

/* The filter takes the low bits. */
static inline size_t
index_of(struct record_hash hash)
{
	return (size_t)(hash.own >> 32) % RECORD_CACHE_SLOTS;
}

bool
record_cache_get(const struct record_cache *c, uint64_t view,
    struct record_hash hash, struct bytes key, struct bytes *value)
{
	const struct slot *s = &c->slot[index_of(hash)];

	if (s->own != hash.own || s->view != view || s->key_len != key.n ||
	    memcmp(s->data, key.p, key.n) != 0)
		return false;
	*value = bytes_of(s->data + key.n, s->val_len);
	return true;
}

void
record_cache_put(struct record_cache *c, uint64_t view,
    struct record_hash hash, struct bytes key, struct bytes value)
{
	struct slot *s = &c->slot[index_of(hash)];

	if (key.n > RECORD_CACHE_ROOM ||
	    value.n > RECORD_CACHE_ROOM - key.n)
		return;
	s->view = view;
	s->own = hash.own;
	s->key_len = (uint16_t)key.n;
	s->val_len = (uint16_t)value.n;
	memcpy(s->data, key.p, key.n);
	if (value.n > 0)
		memcpy(s->data + key.n, value.p, value.n);
}
