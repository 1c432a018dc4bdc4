/*
 * filter.h - which keys may be in a set: a split-block Bloom filter of 12
 * bits a key, under a keyed hash of the parts of each.
 *
 * "Not there" is certain, "there" is right in about 199 of 200 cases and
 * must be looked up.  Any number ask while others add; who asks
 * for a key is sure to see it once the one who added it has said so, as by
 * handing over a view.
 */
#ifndef NODE_FILTER_H
#define NODE_FILTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/diag.h"
#include "proto/policy/record_hash.h"

#define FILTER_SECRET_LEN HASH_SECRET_LEN
#define FILTER_NAME_LEN 32	/* whose filter a file is */

struct filter;

/* What a probe reads of a filter, which begins with it: FILTER_WORDS for each
 * block.  To ask for many keys take a copy. */
#define FILTER_WORDS 4
struct filter_probe {
	uint64_t blocks;
	_Atomic uint64_t *bits;
};

/* For about this many keys (a quarter more costs no accuracy). */
struct filter *filter_new(uint64_t keys,
    const uint8_t secret[FILTER_SECRET_LEN]);
void filter_free(struct filter **f);

/* The hash under which all below know a key, and the key of that hash. */
struct record_hash filter_hash(const struct filter *f, const void *key,
    size_t len);
const struct hash_key *filter_hash_key(const struct filter *f);
void filter_add(struct filter *f, struct record_hash h);

/*
 * Keys on their way into a filter, whose places in memory are fetched
 * meanwhile: for many keys.  Begins as zeros, one for each thread; such threads
 * may add at the same time.  What was put in is in the filter after the end.
 */
#define FILTER_ADDER_KEYS 16
struct filter_adder {
	struct record_hash pending[FILTER_ADDER_KEYS];	/* a ring, .. */
	size_t n;				/* .. of so many in all */
};
void filter_adder_put(struct filter *f, struct filter_adder *a,
    const void *key, size_t len);
void filter_adder_end(struct filter *f, struct filter_adder *a);

/* More keys than it was made for: slower, never wrong. */
bool filter_is_full(const struct filter *f);
/* Memory of its bits. */
size_t filter_bytes(const struct filter *f);

/* Write it to path, as that of the set `name`.  0, ERR_FULL, ERR_IO. */
int filter_save(struct filter *f, const char *path,
    const uint8_t name[FILTER_NAME_LEN], struct diag *why);
/*
 * Read it back.  0; ERR_NOENT; ERR_CORRUPT: damaged, or of another set or
 * secret: make it anew; ERR_IO.
 */
int filter_load(struct filter **out, const char *path,
    const uint8_t name[FILTER_NAME_LEN],
    const uint8_t secret[FILTER_SECRET_LEN], struct diag *why);

static inline struct filter_probe
filter_probe(const struct filter *f)
{
	return *(const struct filter_probe *)(const void *)f;
}

/* The block of keys that lie near; the high half chooses it. */
static inline _Atomic uint64_t *
filter_block(struct filter_probe p, uint64_t near)
{
	return p.bits + (((near >> 32) * p.blocks) >> 32) * FILTER_WORDS;
}

/* Fetch the cache line of what lies near, so that who asks for it later need
 * not wait. */
static inline void
filter_probe_prefetch(struct filter_probe p, uint64_t near)
{
	__builtin_prefetch((const void *)filter_block(p, near));
}

/* The lowest bit: two bits of a word are set, which 12 bits of own choose. */
static inline uint64_t
filter_word_has(const _Atomic uint64_t *word, uint64_t own)
{
	uint64_t w = atomic_load_explicit(word, memory_order_relaxed);

	return (w >> (own & 63)) & (w >> (own >> 6 & 63));
}

static inline bool
filter_probe_has(struct filter_probe p, struct record_hash h)
{
	const _Atomic uint64_t *b = filter_block(p, h.near);

	_Static_assert(FILTER_WORDS == 4, "as many as are asked here");
	return (filter_word_has(&b[0], h.own) &
	    filter_word_has(&b[1], h.own >> 12) &
	    filter_word_has(&b[2], h.own >> 24) &
	    filter_word_has(&b[3], h.own >> 36) & 1) != 0;
}

static inline void
filter_prefetch(const struct filter *f, uint64_t near)
{
	filter_probe_prefetch(filter_probe(f), near);
}

static inline bool
filter_has(const struct filter *f, struct record_hash h)
{
	return filter_probe_has(filter_probe(f), h);
}

#endif
