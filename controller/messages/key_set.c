/*
 * key_set.c - keys one behind the other, and a table of their places that is
 * never more than a quarter full.
 */
#include "controller/messages/key_set.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (4 * KEY_SET_MAX)		/* a power of two */

struct key_set {
	uint8_t secret[crypto_shorthash_KEYBYTES];
	struct buf bytes;
	size_t end[KEY_SET_MAX];	/* of each in bytes */
	uint64_t hash[KEY_SET_MAX];
	size_t n;
	uint16_t slot[SLOTS];		/* place + 1; 0: empty */
};

struct key_set *
key_set_new(void)
{
	struct key_set *s = xcalloc(1, sizeof(*s));

	randombytes_buf(s->secret, sizeof(s->secret));
	buf_init(&s->bytes, 0);
	return s;
}

void
key_set_free(struct key_set **sp)
{
	if (*sp == NULL)
		return;
	buf_fini(&(*sp)->bytes);
	free(*sp);
	*sp = NULL;
}

void
key_set_clear(struct key_set *s)
{
	buf_reset(&s->bytes);
	memset(s->slot, 0, sizeof(s->slot));
	s->n = 0;
}

size_t
key_set_n(const struct key_set *s)
{
	return s->n;
}

struct bytes
key_set_key(const struct key_set *s, size_t at)
{
	size_t begin = at == 0 ? 0 : s->end[at - 1];

	return bytes_of(s->bytes.data + begin, s->end[at] - begin);
}

/* The slot of key, or the empty one where it would stand. */
static size_t
find(const struct key_set *s, const void *key, size_t len, uint64_t *hash)
{
	size_t i;

	crypto_shorthash((uint8_t *)hash, key, len, s->secret);
	for (i = *hash % SLOTS; s->slot[i] != 0; i = (i + 1) % SLOTS) {
		size_t at = s->slot[i] - 1u;
		struct bytes b = key_set_key(s, at);

		if (s->hash[at] == *hash && b.n == len &&
		    memcmp(b.p, key, len) == 0)
			break;
	}
	return i;
}

bool
key_set_has(const struct key_set *s, const void *key, size_t len)
{
	uint64_t hash;

	return s->slot[find(s, key, len, &hash)] != 0;
}

size_t
key_set_put(struct key_set *s, const void *key, size_t len, bool *is_new)
{
	uint64_t hash;
	size_t i = find(s, key, len, &hash);

	*is_new = s->slot[i] == 0;
	if (!*is_new)
		return s->slot[i] - 1u;
	assert(s->n < KEY_SET_MAX);
	buf_put(&s->bytes, key, len);
	assert(s->bytes.err == 0);
	s->end[s->n] = s->bytes.len;
	s->hash[s->n] = hash;
	s->slot[i] = (uint16_t)++s->n;
	return s->n - 1;
}
