/*
 * ruleset_build.c - records in, a complete set out.
 */
#include "node/ruleset_build.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/filter.h"
#include "node/sets.h"
#include "proto/base/db_load.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define META(name) (name), sizeof(name) - 1

struct ruleset_build {
	struct db_load *db;
	struct filter *filter;
	struct filter_adder adder;
	char dir[SETS_PATH_LEN];
	uint8_t key[RULESET_KEY_LEN];
	uint8_t name[FILTER_NAME_LEN];
	uint64_t records, small;
	uint8_t last[RECORD_KEY_MAX];
	size_t last_len;
	struct buf value;
};

int
ruleset_build_begin(struct ruleset_build **out, const char *dir,
    uint64_t count, struct diag *why)
{
	struct ruleset_build *b = xcalloc(1, sizeof(*b));
	char path[SETS_PATH_LEN + 8];
	int rc;

	buf_init(&b->value, RECORD_VALUE_MAX + RULESET_HASH_LEN);
	snprintf(b->dir, sizeof(b->dir), "%s", dir);
	snprintf(path, sizeof(path), "%s/base", b->dir);
	if ((rc = file_mkdirs(b->dir, 0700, why)) < 0 ||
	    (rc = db_load_begin(&b->db, path, why)) < 0) {
		ruleset_build_free(&b);
		return rc;
	}
	randombytes_buf(b->key, sizeof(b->key));
	/* room for a quarter more, and for the deltas of a small set */
	b->filter = filter_new(count + count / 4 + 65536, b->key);
	*out = b;
	return 0;
}

void
ruleset_build_free(struct ruleset_build **bp)
{
	struct ruleset_build *b = *bp;

	if (b == NULL)
		return;
	db_load_free(&b->db);
	filter_free(&b->filter);
	buf_fini(&b->value);
	free(b);
	*bp = NULL;
}

/* Does key sort behind the one before? */
static bool
rises(const struct ruleset_build *b, struct bytes key)
{
	size_t n = key.n < b->last_len ? key.n : b->last_len;
	int c = memcmp(key.p, b->last, n);

	return c > 0 || (c == 0 && key.n > b->last_len);
}

int
ruleset_build_put(struct ruleset_build *b, struct bytes key,
    struct bytes val, struct diag *why)
{
	uint8_t hash[RULESET_HASH_LEN];

	if (key.n == 0 || !record_is_known(key.p[0]))
		return diag_set(why, ERR_VERSION, "a record of unknown class");
	if (key.n > RECORD_KEY_MAX || val.n > RECORD_VALUE_MAX)
		return diag_set(why, ERR_TOOBIG, "a record over its limit");
	if (!rises(b, key))
		return diag_set(why, ERR_CORRUPT, "records out of order");
	memcpy(b->last, key.p, key.n);
	b->last_len = key.n;
	b->records++;
	if (record_is_small(key.p[0]))
		b->small++;
	else
		filter_adder_put(b->filter, &b->adder, key.p, key.n);
	ruleset_hash(b->key, key.p, key.n, val.p, val.n, hash);
	buf_reset(&b->value);
	buf_put(&b->value, val.p, val.n);
	buf_put(&b->value, hash, sizeof(hash));
	return db_load_put(b->db, key, bytes_of(b->value.data, b->value.len),
	    why);
}

static int
put_meta(struct ruleset_build *b, const char *name, size_t len,
    struct bytes value, struct diag *why)
{
	return db_load_put(b->db, bytes_of(name, len), value, why);
}

/* Names the filter, too. */
static int
put_complete(struct ruleset_build *b, struct diag *why)
{
	uint8_t hash[RULESET_HASH_LEN];

	buf_reset(&b->value);
	buf_put(&b->value, b->key, sizeof(b->key));
	buf_put_u64(&b->value, b->records);
	buf_put_u64(&b->value, b->small);
	ruleset_hash(b->key, META(RULESET_META_COMPLETE), b->value.data,
	    b->value.len, hash);
	buf_put(&b->value, hash, sizeof(hash));
	crypto_generichash(b->name, sizeof(b->name),
	    (uint8_t *)b->value.data, b->value.len, NULL, 0);
	return put_meta(b, META(RULESET_META_COMPLETE), bytes_of(
	    b->value.data, b->value.len), why);
}

int
ruleset_build_finish(struct ruleset_build *b, uint64_t count,
    const struct ruleset_frames *frames, struct diag *why)
{
	char path[SETS_PATH_LEN + 8];
	int rc;

	if (b->records != count)
		return diag_set(why, ERR_CONFLICT, "%llu records came and the "
		    "manifest says %llu", (unsigned long long)b->records,
		    (unsigned long long)count);
	filter_adder_end(b->filter, &b->adder);
	/* what is known last sorts first: a range of its own, by name */
	if ((rc = db_load_range(b->db, why)) < 0 ||
	    (rc = put_meta(b, META(RULESET_META_CERT), frames->cert,
	    why)) < 0 || (rc = put_complete(b, why)) < 0 ||
	    (rc = put_meta(b, META(RULESET_META_HEAD), frames->head,
	    why)) < 0 ||
	    (rc = put_meta(b, META(RULESET_META_MANIFEST), frames->manifest,
	    why)) < 0 || (rc = db_load_finish(b->db, why)) < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/filter", b->dir);
	return filter_save(b->filter, path, b->name, why);
}
