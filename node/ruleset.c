/*
 * ruleset.c - opens, verifies and reads one version's set.
 */
#include "node/ruleset.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/db.h"
#include "proto/base/err.h"
#include "proto/wire/frame.h"

struct ruleset {
	atomic_int refs;
	struct db *db;
	struct tables *tables;
	struct head head;
	uint8_t key[RULESET_KEY_LEN];
	uint64_t records, small;	/* as the complete row says */
	uint64_t small_seen;
};

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

/* Split value and hash; ERR_CORRUPT when they do not belong together. */
static int
check(const struct ruleset *r, const void *key, size_t key_len,
    struct bytes stored, struct bytes *value)
{
	uint8_t hash[RULESET_HASH_LEN];

	if (stored.n < sizeof(hash))
		return ERR_CORRUPT;
	*value = bytes_of(stored.p, stored.n - sizeof(hash));
	ruleset_hash(r->key, key, key_len, value->p, value->n, hash);
	return memcmp(hash, stored.p + value->n, sizeof(hash)) == 0 ? 0 :
	    ERR_CORRUPT;
}

int
ruleset_get(struct ruleset *r, const void *key, size_t key_len,
    struct buf *scratch, struct bytes *value)
{
	int rc;

	buf_reset(scratch);
	rc = db_get(r->db, NULL, key, key_len, false, scratch, NULL);
	if (rc < 0)
		return rc;
	if (scratch->err != 0)
		return ERR_CORRUPT;
	return check(r, key, key_len, bytes_of(scratch->data, scratch->len),
	    value);
}

void
ruleset_fetch(struct ruleset *r, const struct want *w, size_t from,
    struct facts *f, struct buf *scratch)
{
	uint8_t key[RECORD_KEY_MAX];
	struct bytes value;
	size_t i;

	for (i = from; i < w->n; i++) {
		size_t len = want_key_write(&w->key[i], key);
		int rc = ruleset_get(r, key, len, scratch, &value);

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
	return r->tables;
}

const struct head *
ruleset_head(const struct ruleset *r)
{
	return &r->head;
}

#define META(name) (name), sizeof(name) - 1

static int
get_meta(struct ruleset *r, const char *name, size_t len, struct buf *out,
    struct diag *why)
{
	buf_reset(out);
	return db_get(r->db, NULL, name, len, true, out, why);
}

static int
load_complete(struct ruleset *r, struct buf *b, struct diag *why)
{
	uint8_t hash[RULESET_HASH_LEN];
	struct bytes in;
	int rc;

	if ((rc = get_meta(r, META(RULESET_META_COMPLETE), b, why)) < 0)
		return rc;
	if (b->len != RULESET_KEY_LEN + 16 + RULESET_HASH_LEN)
		return diag_set(why, ERR_CORRUPT, "the set's last row is "
		    "damaged");
	in = bytes_of(b->data, b->len);
	memcpy(r->key, bytes_take(&in, RULESET_KEY_LEN), RULESET_KEY_LEN);
	r->records = bytes_u64(&in);
	r->small = bytes_u64(&in);
	ruleset_hash(r->key, META(RULESET_META_COMPLETE), b->data,
	    b->len - RULESET_HASH_LEN, hash);
	if (memcmp(hash, in.p, sizeof(hash)) != 0)
		return diag_set(why, ERR_CORRUPT, "the set's last row is "
		    "damaged");
	return 0;
}

/* The head, verified: root signed the publisher, who signed the head. */
static int
load_head(struct ruleset *r, const uint8_t *root, struct buf *b,
    struct diag *why)
{
	struct publisher_cert cert;
	struct bytes payload;
	int rc;

	if ((rc = get_meta(r, META(RULESET_META_CERT), b, why)) < 0 ||
	    (rc = cert_open(root, b->data, b->len, INT64_MIN, &cert,
	    why)) < 0)
		return rc;
	if ((rc = get_meta(r, META(RULESET_META_HEAD), b, why)) < 0 ||
	    (rc = frame_open(b->data, b->len, FRAME_HEAD, cert.key, &payload,
	    why)) < 0 || (rc = head_decode(&r->head, payload, why)) < 0)
		return rc;
	if (r->head.issued_us > cert.not_after_us)
		return diag_set(why, ERR_AUTH, "the head was signed after the "
		    "end of its certificate");
	if (r->head.record_format != RECORD_FORMAT ||
	    r->head.engine != DECIDE_ENGINE)
		return diag_set(why, ERR_VERSION, "the set is of record "
		    "format %u, engine %u", (unsigned)r->head.record_format,
		    (unsigned)r->head.engine);
	if (r->head.count != r->records)
		return diag_set(why, ERR_CORRUPT, "the set holds %llu records "
		    "and its head says %llu", (unsigned long long)r->records,
		    (unsigned long long)r->head.count);
	return 0;
}

/* Take all records of one small class into the tables. */
static int
load_class(struct ruleset *r, uint8_t cls, struct diag *why)
{
	struct db_iter *it = db_iter_new(r->db, NULL);
	int rc = 0;

	for (db_iter_seek(it, &cls, 1); rc == 0 && db_iter_valid(it);
	    db_iter_next(it)) {
		struct bytes key = db_iter_key(it), value;

		if (key.n == 0 || key.p[0] != cls)
			break;
		if (check(r, key.p, key.n, db_iter_value(it), &value) < 0)
			rc = diag_set(why, ERR_CORRUPT, "a record of class "
			    "%c fails its hash", cls);
		else
			rc = tables_put(r->tables, key, value, why);
		r->small_seen++;
	}
	if (rc == 0)
		rc = db_iter_error(it, why);
	db_iter_free(&it);
	return rc;
}

static int
load_tables(struct ruleset *r, struct diag *why)
{
	int cls, rc;

	r->tables = tables_new();
	for (cls = 1; cls < 256; cls++) {
		if (record_is_small((uint8_t)cls) &&
		    (rc = load_class(r, (uint8_t)cls, why)) < 0)
			return rc;
	}
	if (r->small_seen != r->small)
		return diag_set(why, ERR_CORRUPT, "%llu small records where "
		    "%llu should be", (unsigned long long)r->small_seen,
		    (unsigned long long)r->small);
	return tables_finish(r->tables, why);
}

int
ruleset_open(struct ruleset **out, const char *dir,
    const uint8_t root[SIGN_PUBLIC_LEN], struct diag *why)
{
	struct ruleset *r = xcalloc(1, sizeof(*r));
	struct buf b;
	int rc;

	atomic_init(&r->refs, 1);
	buf_init(&b, FRAME_MAX);
	if ((rc = db_open(&r->db, dir, DB_PARANOID, why)) < 0 ||
	    (rc = load_complete(r, &b, why)) < 0 ||
	    (rc = load_head(r, root, &b, why)) < 0 ||
	    (rc = load_tables(r, why)) < 0) {
		diag_prefix(why, rc, "%s", dir);
		ruleset_unref(&r);
	} else
		*out = r;
	buf_fini(&b);
	return rc;
}

struct ruleset *
ruleset_ref(struct ruleset *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void
ruleset_unref(struct ruleset **rp)
{
	struct ruleset *r = *rp;

	*rp = NULL;
	if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1,
	    memory_order_acq_rel) > 1)
		return;
	tables_free(&r->tables);
	db_close(&r->db);
	free(r);
}
