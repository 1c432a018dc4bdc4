/*
 * store.c - opens the policy store, keeps items and records in memory, and
 * commits new versions.
 *
 * Keys: "i" item key -> managers NUL value; "v" u64 version -> revision JSON;
 * "d" u64 version -> the document as given; "h" -> u64 version, 32 digest;
 * "t" table NUL key -> row JSON; "m" see store_txn.c.
 */
#include "controller/store.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/store_txn.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

struct store {
	struct db *db;
	char *dir;
	int lock;
	struct chain chain;
	uint64_t version;
	uint8_t prev_digest[DIGEST_LEN];
	struct items items;
	struct records records;
	struct digest digest;
};

static void
digest_records(const struct records *r, struct digest *d)
{
	size_t i;

	digest_init(d);
	for (i = 0; i < r->n; i++)
		digest_add(d, r->r[i].key, r->r[i].key_len, r->r[i].val,
		    r->r[i].val_len);
}

static int
load_items(struct store *s, struct diag *why)
{
	struct db_iter *it = db_iter_new(s->db, NULL);
	int rc;

	items_init(&s->items);
	for (db_iter_seek(it, "i", 1); db_iter_valid(it); db_iter_next(it)) {
		struct bytes k = db_iter_key(it), v = db_iter_value(it);
		struct buf key, val;
		const char *nul = memchr(v.p, 0, v.n);

		if (k.n < 2 || k.p[0] != 'i' || nul == NULL)
			break;
		buf_init(&key, 0);
		buf_init(&val, 0);
		buf_put(&key, k.p + 1, k.n - 1);
		buf_put(&val, v.p, v.n);
		items_put(&s->items, key.data, val.data + strlen(val.data) +
		    1, val.data);
		buf_fini(&key);
		buf_fini(&val);
	}
	rc = db_iter_error(it, why);
	db_iter_free(&it);
	return rc;
}

/* The stored version must be what the items compile to. */
static int
load_head(struct store *s, struct diag *why)
{
	uint8_t digest[DIGEST_LEN];
	struct bytes in;
	struct buf b;
	int rc;

	digest_records(&s->records, &s->digest);
	buf_init(&b, 0);
	rc = db_get(s->db, NULL, "h", 1, true, &b, why);
	if (rc == ERR_NOENT) {
		buf_fini(&b);
		return 0;
	}
	in = bytes_of(b.data, b.len);
	s->version = bytes_u64(&in);
	digest_final(&s->digest, digest);
	if (rc == 0 && (in.n != DIGEST_LEN ||
	    memcmp(in.p, digest, DIGEST_LEN) != 0))
		rc = diag_set(why, ERR_CORRUPT, "the policy of version %"
		    PRIu64 " does not have its digest: restore the folder "
		    "from its backup", s->version);
	buf_fini(&b);
	return rc;
}

int
store_open(struct store **out, const char *dir, struct diag *why)
{
	struct store *s = xcalloc(1, sizeof(*s));
	char path[4096];
	int rc;

	*out = NULL;
	s->lock = -1;
	s->dir = xstrdup(dir);
	snprintf(path, sizeof(path), "%s/policy", dir);
	if ((rc = file_mkdirs(dir, 0700, why)) < 0 ||
	    (rc = file_lock_dir(dir, &s->lock, why)) < 0 ||
	    (rc = db_open(&s->db, path, DB_CREATE, why)) < 0 ||
	    (rc = chain_load(s->db, dir, &s->chain, why)) < 0 ||
	    (rc = load_items(s, why)) < 0 ||
	    (rc = compile(&s->items, &s->records, why)) < 0 ||
	    (rc = load_head(s, why)) < 0) {
		store_close(&s);
		return rc;
	}
	*out = s;
	return 0;
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;

	if (s == NULL)
		return;
	db_close(&s->db);
	items_fini(&s->items);
	records_fini(&s->records);
	if (s->lock >= 0)
		close(s->lock);
	free(s->dir);
	free(s);
	*sp = NULL;
}

uint64_t
store_version(const struct store *s)
{
	return s->version;
}

const struct items *
store_items(const struct store *s)
{
	return &s->items;
}

const struct records *
store_records(const struct store *s)
{
	return &s->records;
}

void
store_head(const struct store *s, struct head *out, struct digest *d)
{
	memset(out, 0, sizeof(*out));
	out->version = s->version;
	out->prev_version = s->version == 0 ? 0 : s->version - 1;
	memcpy(out->prev_digest, s->prev_digest, DIGEST_LEN);
	out->count = s->digest.count;
	out->record_format = RECORD_FORMAT;
	digest_final(&s->digest, out->digest);
	if (d != NULL)
		*d = s->digest;
}

static void
version_key(struct buf *key, char cls, uint64_t version)
{
	buf_putc(key, cls);
	buf_put_u64(key, version);
}

static void
put_items(struct txn *t, const struct change *c)
{
	struct buf key, val;
	size_t i;

	buf_init(&key, 0);
	buf_init(&val, 0);
	for (i = 0; i < c->n; i++) {
		const struct change_item *x = &c->c[i];

		buf_reset(&key);
		buf_reset(&val);
		buf_putc(&key, 'i');
		buf_puts(&key, x->key);
		if (x->after == NULL) {
			txn_del(t, key.data, key.len);
			continue;
		}
		buf_puts(&val, x->managers_after);
		buf_putc(&val, '\0');
		buf_puts(&val, x->after);
		txn_put(t, key.data, key.len, val.data, val.len);
	}
	buf_fini(&key);
	buf_fini(&val);
}

/* The revision as people read it later. */
static char *
revision_json(uint64_t version, const struct change *c,
    const struct commit *info, const uint8_t digest[DIGEST_LEN], size_t n)
{
	char now[CLOCK_TEXT_LEN], hex[DIGEST_LEN * 2 + 1], *text;
	struct buf changes;
	json_t *o;

	clock_format(clock_wall_us(), now);
	sodium_bin2hex(hex, sizeof(hex), digest, DIGEST_LEN);
	buf_init(&changes, 0);
	change_json(c, &changes);
	o = json_pack("{s:I, s:s, s:s, s:s, s:s?, s:s, s:I, s:o}", "version",
	    (json_int_t)version, "time", now, "actor", info->actor, "action",
	    info->action, "message", info->message, "digest", hex, "records",
	    (json_int_t)n, "changes", json_loads(changes.data, 0, NULL));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	buf_fini(&changes);
	return text;
}

static int
write_version(struct store *s, const struct change *c,
    const struct commit *info, const struct records *r,
    const struct digest *d, struct diag *why)
{
	uint64_t version = s->version + 1;
	uint8_t digest[DIGEST_LEN];
	struct buf key, val;
	struct txn t;
	char *json;

	digest_final(d, digest);
	json = revision_json(version, c, info, digest, r->n);
	buf_init(&key, 0);
	buf_init(&val, 0);
	txn_begin(&t, &s->chain);
	put_items(&t, c);
	version_key(&key, 'v', version);
	txn_put(&t, key.data, key.len, json, strlen(json));
	if (info->document != NULL) {
		buf_reset(&key);
		version_key(&key, 'd', version);
		txn_put(&t, key.data, key.len, info->document,
		    strlen(info->document));
	}
	buf_put_u64(&val, version);
	buf_put(&val, digest, DIGEST_LEN);
	txn_put(&t, "h", 1, val.data, val.len);
	buf_fini(&key);
	buf_fini(&val);
	free(json);
	return txn_commit(&t, s->db, s->dir, &s->chain, why);
}

int
store_commit(struct store *s, const struct change *c,
    const struct commit *info, uint64_t *version, struct diag *why)
{
	struct records next = { 0 };
	struct digest digest;
	struct items items;
	int rc;

	*version = s->version;
	if (info->if_revision != 0 && info->if_revision != s->version)
		return diag_set(why, ERR_CONFLICT, "the policy is at "
		    "revision %" PRIu64 ", not %" PRIu64 ": look at what "
		    "changed, then try again", s->version,
		    info->if_revision);
	if (c->n == 0)
		return 0;
	items_copy(&items, &s->items);
	apply_change(&items, c);
	rc = compile(&items, &next, why);
	if (rc == 0) {
		digest_records(&next, &digest);
		rc = write_version(s, c, info, &next, &digest, why);
	}
	if (rc < 0) {
		items_fini(&items);
		records_fini(&next);
		return rc;
	}
	digest_final(&s->digest, s->prev_digest);
	items_fini(&s->items);
	records_fini(&s->records);
	s->items = items;
	s->records = next;
	s->digest = digest;
	*version = ++s->version;
	return 0;
}

int
store_revision(struct store *s, uint64_t version, bool with_document,
    struct buf *out, struct diag *why)
{
	struct buf key, text, document;
	json_t *o;
	char *json;
	int rc;

	buf_init(&key, 0);
	buf_init(&text, 0);
	buf_init(&document, 0);
	version_key(&key, 'v', version);
	rc = db_get(s->db, NULL, key.data, key.len, true, &text, why);
	if (rc == ERR_NOENT)
		diag_set(why, rc, "there is no revision %" PRIu64, version);
	if (rc < 0)
		goto out;
	o = json_loads(text.data, 0, NULL);
	key.data[0] = 'd';
	if (with_document && db_get(s->db, NULL, key.data, key.len, true,
	    &document, NULL) == 0)
		json_object_set_new(o, "document",
		    json_string(document.data));
	json = json_dumps(o, JSON_COMPACT);
	buf_puts(out, json == NULL ? "null" : json);
	free(json);
	json_decref(o);
out:
	buf_fini(&key);
	buf_fini(&text);
	buf_fini(&document);
	return rc;
}

static void
row_key(struct buf *key, const char *table, const char *name)
{
	buf_init(key, 0);
	buf_putc(key, 't');
	buf_puts(key, table);
	buf_putc(key, '\0');
	buf_puts(key, name);
}

int
store_row_put(struct store *s, const char *table, const char *name,
    const char *json, struct diag *why)
{
	struct buf key;
	struct txn t;

	row_key(&key, table, name);
	txn_begin(&t, &s->chain);
	txn_put(&t, key.data, key.len, json, strlen(json));
	buf_fini(&key);
	return txn_commit(&t, s->db, s->dir, &s->chain, why);
}

int
store_row_del(struct store *s, const char *table, const char *name,
    struct diag *why)
{
	struct buf key;
	struct txn t;

	row_key(&key, table, name);
	txn_begin(&t, &s->chain);
	txn_del(&t, key.data, key.len);
	buf_fini(&key);
	return txn_commit(&t, s->db, s->dir, &s->chain, why);
}

int
store_row_scan(struct store *s, const char *table, store_row_fn fn,
    void *arg, struct diag *why)
{
	struct db_iter *it = db_iter_new(s->db, NULL);
	struct buf prefix;
	int rc;

	row_key(&prefix, table, "");
	for (db_iter_seek(it, prefix.data, prefix.len); db_iter_valid(it);
	    db_iter_next(it)) {
		struct bytes k = db_iter_key(it), v = db_iter_value(it);
		struct buf name, json;

		if (k.n < prefix.len ||
		    memcmp(k.p, prefix.data, prefix.len) != 0)
			break;
		buf_init(&name, 0);
		buf_init(&json, 0);
		buf_put(&name, k.p + prefix.len, k.n - prefix.len);
		buf_put(&json, v.p, v.n);
		fn(arg, name.data, json.data);
		buf_fini(&name);
		buf_fini(&json);
	}
	rc = db_iter_error(it, why);
	db_iter_free(&it);
	buf_fini(&prefix);
	return rc;
}
