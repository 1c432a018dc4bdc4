/*
 * filter.h - which keys may be in a set: a split-block Bloom filter of 12
 * bits a key, under a keyed hash of the parts of each.
 *
 * "Not there" is certain, "there" is right in about 199 of 200 cases and
 * must be looked up.  One thread adds, any number ask meanwhile; who asks
 * for a key is sure to see it once the one who added it has said so, as by
 * handing over a view.
 */
#ifndef NODE_FILTER_H
#define NODE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/diag.h"
#include "proto/policy/record_hash.h"

#define FILTER_SECRET_LEN HASH_SECRET_LEN
#define FILTER_NAME_LEN 32	/* whose filter a file is */

struct filter;

/* For about this many keys (a quarter more costs no accuracy). */
struct filter *filter_new(uint64_t keys,
    const uint8_t secret[FILTER_SECRET_LEN]);
void filter_free(struct filter **f);

/* The hash under which all below know a key, and the key of that hash. */
struct record_hash filter_hash(const struct filter *f, const void *key,
    size_t len);
const struct hash_key *filter_hash_key(const struct filter *f);
/* Fetch the cache line of what lies near, so that filter_has() need not wait
 * for it. */
void filter_prefetch(const struct filter *f, uint64_t near);
bool filter_has(const struct filter *f, struct record_hash h);
void filter_add(struct filter *f, struct record_hash h);

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

#endif
