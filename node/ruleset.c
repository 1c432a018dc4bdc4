/*
 * ruleset.c - reads a view: the filter first, then the tables of base/, then
 * LevelDB, every hit held against its hash.
 *
 * A record that no delta named is what it was in base/, whose tables are read
 * past LevelDB (proto/base/db_frozen.h).  Only a value whose hash is right
 * counts there; anything else is LevelDB's to say.
 *
 * A miss behind a filter that says "may be there" is read once more with
 * checksums: a damaged block may hide a record, and a hidden block rule is a
 * wrong answer.  A key that a delta named is read with checksums at once: a
 * damaged block might hide its newest value and show an older one, whose
 * hash is right.  A damaged record is an error, never another value.
 * What was read and found right may be remembered for its view by who asked
 * (record_cache.h).
 */
#include "node/ruleset.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "node/ruleset_impl.h"
#include "proto/base/err.h"

#define AHEAD_KEYS 4		/* of a sender and a recipient without more */

void
ruleset_hash(const uint8_t hash_key[RULESET_KEY_LEN], const void *key,
    size_t key_len, const void *val, size_t val_len,
    uint8_t out[RULESET_HASH_LEN])
{
	uint8_t mixed[RULESET_KEY_LEN], h[8];
	size_t i;

	/* The key's hash goes into the key of the value's: no copy, and a
	 * value that strays to another key does not pass. */
	crypto_shorthash(h, key, key_len, hash_key);
	memcpy(mixed, hash_key, sizeof(mixed));
	for (i = 0; i < sizeof(h); i++)
		mixed[i] ^= h[i];
	crypto_shorthash(out, val, val_len, mixed);
}

int
ruleset_check(const struct store *s, const void *key, size_t key_len,
    struct bytes stored, struct bytes *value)
{
	uint8_t hash[RULESET_HASH_LEN];

	if (stored.n < sizeof(hash))
		return ERR_CORRUPT;
	*value = bytes_of(stored.p, stored.n - sizeof(hash));
	ruleset_hash(s->key, key, key_len, value->p, value->n, hash);
	return memcmp(hash, stored.p + value->n, sizeof(hash)) == 0 ? 0 :
	    ERR_CORRUPT;
}

void
ruleset_stamp(const struct store *s, const void *key, size_t key_len,
    const void *val, size_t val_len, struct buf *out)
{
	uint8_t hash[RULESET_HASH_LEN];

	ruleset_hash(s->key, key, key_len, val, val_len, hash);
	buf_put(out, val, val_len);
	buf_put(out, hash, sizeof(hash));
}

/* Is what base/ holds of this key what r holds?  A delta that named it since
 * may have come behind r as well: that is told by the database. */
static bool
is_of_base(const struct ruleset *r, struct record_hash hash)
{
	return ruleset_is_fresh(r) || !filter_has(r->store->changed, hash);
}

/* What stands in base/, if its hash is right. */
static bool
look_into_base(const struct ruleset *r, const void *key, size_t key_len,
    struct bytes *value)
{
	const struct store *s = r->store;
	struct bytes k = { key, key_len, 0 }, stored;

	return s->base != NULL && db_frozen_get(s->base, k, &stored) &&
	    ruleset_check(s, key, key_len, stored, value) == 0;
}

/* What the set says of a key that may be there. */
static int
look_up(struct ruleset *r, const void *key, size_t key_len,
    struct record_hash hash, struct buf *scratch, struct bytes *value)
{
	bool of_base = is_of_base(r, hash);
	struct store *s = r->store;
	int rc;

	if (of_base && look_into_base(r, key, key_len, value))
		return 0;
	buf_reset(scratch);
	/* What base/ does not tell is asked seldom, and a damaged block that
	 * is not summed may trip an assertion of LevelDB's. */
	rc = db_get(s->db, r->view, key, key_len, s->base != NULL ||
	    !of_base, scratch, NULL);
	if (rc == ERR_NOENT && (rc = db_get_surely(s->db, r->view, key,
	    key_len, scratch, NULL)) == 0)
		atomic_store(&s->damaged, true);
	if (rc == 0)
		rc = scratch->err != 0 ? ERR_CORRUPT : ruleset_check(s, key,
		    key_len, bytes_of(scratch->data, scratch->len), value);
	if (rc < 0 && rc != ERR_NOENT)
		atomic_store(&s->damaged, true);
	return rc;
}

int
ruleset_get(struct ruleset *r, const void *key, size_t key_len,
    struct buf *scratch, struct bytes *value)
{
	const struct filter *f = r->store->filter;
	struct record_hash hash;

	if (key_len == 0 || key_len > RECORD_KEY_MAX)
		return ERR_NOENT;
	hash = filter_hash(f, key, key_len);
	if (!record_is_small(*(const uint8_t *)key) && !filter_has(f, hash))
		return ERR_NOENT;
	return look_up(r, key, key_len, hash, scratch, value);
}

void
ruleset_reader_init(struct ruleset_reader *rd)
{
	buf_init(&rd->scratch, 4 * RECORD_VALUE_MAX);
	rd->cache = record_cache_new();
}

void
ruleset_reader_fini(struct ruleset_reader *rd)
{
	buf_fini(&rd->scratch);
	record_cache_free(&rd->cache);
}

/* What rd found last, else what the database says. */
static int
find(struct ruleset *r, const void *key, size_t key_len,
    struct record_hash hash, struct ruleset_reader *rd, struct bytes *value)
{
	struct bytes k = { key, key_len, 0 };
	int rc;

	if (record_cache_get(rd->cache, r->number, hash, k, value))
		return 0;
	rc = look_up(r, key, key_len, hash, &rd->scratch, value);
	if (rc == 0)
		record_cache_put(rd->cache, r->number, hash, k, *value);
	return rc;
}

void
ruleset_ahead(void *arg, const uint64_t *near, size_t n)
{
	const struct ruleset *r = arg;
	struct filter_probe probe = filter_probe(r->store->filter);
	size_t i;

	for (i = 0; i < n; i++)
		filter_probe_prefetch(probe, near[i]);
}

void
ruleset_fetch(struct ruleset *r, const struct want *w, size_t from,
    struct facts *f, struct ruleset_reader *rd)
{
	struct filter_probe probe = filter_probe(r->store->filter);
	uint8_t key[RECORD_KEY_MAX] __attribute__((uninitialized));
	struct bytes value;
	size_t i, len;
	int rc;

	/* the usual ones were told to ruleset_ahead() */
	if (w->n - from > AHEAD_KEYS)
		for (i = from; i < w->n; i++)
			filter_probe_prefetch(probe, w->key[i].hash.near);
	for (i = from; i < w->n; i++) {
		if (!record_is_small(w->key[i].cls) &&
		    !filter_probe_has(probe, w->key[i].hash)) {
			facts_set_absent(f, i);
			continue;
		}
		len = want_key_write(&w->key[i], key);
		rc = find(r, key, len, w->key[i].hash, rd, &value);
		if (rc == 0)
			facts_set(f, i, FACT_FOUND, value.p, value.n);
		else
			facts_set(f, i, rc == ERR_NOENT ? FACT_ABSENT :
			    FACT_ERROR, NULL, 0);
	}
}

const struct tables *
ruleset_tables(const struct ruleset *r)
{
	return r->tables->t;
}

const struct head *
ruleset_head(const struct ruleset *r)
{
	return &r->head;
}

bool
ruleset_is_damaged(const struct ruleset *r)
{
	return atomic_load(&r->store->damaged);
}

bool
ruleset_is_proved(const struct ruleset *r)
{
	return atomic_load(&r->store->proved);
}

bool
ruleset_is_worn(const struct ruleset *r)
{
	return r->store->delta_bytes > RULESET_DELTAS_BYTES ||
	    filter_is_full(r->store->filter);
}

bool
ruleset_is_fresh(const struct ruleset *r)
{
	return r->head.version == r->store->base_version;
}

uint64_t
ruleset_serial(const struct ruleset *r)
{
	return r->serial;
}

const uint8_t *
ruleset_manifest_id(const struct ruleset *r)
{
	return r->store->manifest_id;
}

const char *
ruleset_dir(const struct ruleset *r)
{
	return r->store->dir;
}

size_t
ruleset_filter_bytes(const struct ruleset *r)
{
	return filter_bytes(r->store->filter);
}

/* --- references ----------------------------------------------------------- */

static void
ref(atomic_int *refs)
{
	atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* True when it was the last. */
static bool
unref(atomic_int *refs)
{
	return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

struct shared_tables *
ruleset_tables_ref(struct shared_tables *t)
{
	ref(&t->refs);
	return t;
}

void
ruleset_tables_unref(struct shared_tables **tp)
{
	struct shared_tables *t = *tp;

	*tp = NULL;
	if (t == NULL || !unref(&t->refs))
		return;
	tables_free(&t->t);
	free(t);
}

void
ruleset_store_unref(struct store **sp)
{
	struct store *s = *sp;

	*sp = NULL;
	if (s == NULL || !unref(&s->refs))
		return;
	db_close(&s->db);
	db_frozen_close(&s->base);
	filter_free(&s->filter);
	filter_free(&s->changed);
	free(s);
}

struct ruleset *
ruleset_view(struct store *s, struct shared_tables *tables,
    const struct head *head, uint64_t serial)
{
	struct ruleset *r = xcalloc(1, sizeof(*r));

	atomic_init(&r->refs, 1);
	ref(&s->refs);
	r->store = s;
	r->view = db_view_new(s->db);
	r->tables = tables;
	r->head = *head;
	r->serial = serial;
	do
		randombytes_buf(&r->number, sizeof(r->number));
	while (r->number == 0);
	return r;
}

struct ruleset *
ruleset_ref(struct ruleset *r)
{
	ref(&r->refs);
	return r;
}

void
ruleset_unref(struct ruleset **rp)
{
	struct ruleset *r = *rp;

	*rp = NULL;
	if (r == NULL || !unref(&r->refs))
		return;
	db_view_free(r->store->db, &r->view);
	ruleset_tables_unref(&r->tables);
	ruleset_store_unref(&r->store);
	free(r);
}
