/*
 * store_rows.c - revisions read back, and the rows of other modules.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controller/store_impl.h"
#include "proto/base/err.h"

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
	store_version_key(&key, 'v', version);
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
store_rows_write(struct store *s, const struct store_row *row, size_t n,
    const struct audit_entry *e, struct diag *why)
{
	struct audit_step step;
	struct buf key;
	struct txn t;
	size_t i;
	int rc;

	txn_begin(&t, &s->chain);
	for (i = 0; i < n; i++) {
		row_key(&key, row[i].table, row[i].key);
		if (row[i].json == NULL)
			txn_del(&t, key.data, key.len);
		else
			txn_put(&t, key.data, key.len, row[i].json,
			    strlen(row[i].json));
		buf_fini(&key);
	}
	if (e != NULL)
		store_audit_put(s, &t, e, &step);
	rc = txn_commit(&t, s->db, s->dir, &s->chain, why);
	if (rc == 0 && e != NULL)
		store_audit_done(s, &step);
	return rc;
}

int
store_row_put(struct store *s, const char *table, const char *name,
    const char *json, struct diag *why)
{
	const struct store_row row = { table, name, json };

	return store_rows_write(s, &row, 1, NULL, why);
}

int
store_row_del(struct store *s, const char *table, const char *name,
    struct diag *why)
{
	const struct store_row row = { table, name, NULL };

	return store_rows_write(s, &row, 1, NULL, why);
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
