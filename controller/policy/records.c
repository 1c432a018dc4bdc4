/*
 * records.c - a sorted set of records in memory, and decisions on it.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/policy/compile.h"
#include "controller/policy/records_impl.h"
#include "proto/base/err.h"

void
records_add(struct records *r, const struct buf *key, const struct buf *val)
{
	struct record *rec;

	r->r = xgrow(r->r, &r->cap, r->n + 1, sizeof(*r->r));
	rec = &r->r[r->n++];
	rec->key_len = (uint32_t)key->len;
	rec->val_len = (uint32_t)val->len;
	rec->key = xmalloc(key->len);
	memcpy(rec->key, key->data, key->len);
	rec->val = xmalloc(val->len);
	if (val->len > 0)
		memcpy(rec->val, val->data, val->len);
}

static int
compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (c != 0)
		return c;
	return a_len < b_len ? -1 : a_len > b_len;
}

static int
by_key(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return compare(x->key, x->key_len, y->key, y->key_len);
}

void
records_sort(struct records *r)
{
	if (r->n > 1)
		qsort(r->r, r->n, sizeof(*r->r), by_key);
}

int
records_load_tables(struct records *r, struct diag *why)
{
	size_t i;
	int rc;

	r->tables = tables_new();
	for (i = 0; i < r->n; i++) {
		const struct record *rec = &r->r[i];

		if (!record_is_small(rec->key[0]))
			continue;
		if ((rc = tables_put(r->tables,
		    bytes_of(rec->key, rec->key_len),
		    bytes_of(rec->val, rec->val_len), why)) < 0)
			return rc;
	}
	return tables_finish(r->tables, why);
}

void
records_fini(struct records *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		free(r->r[i].key);
		free(r->r[i].val);
	}
	free(r->r);
	tables_free(&r->tables);
	memset(r, 0, sizeof(*r));
}

const struct record *
records_find(const struct records *r, const void *key, size_t len)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = compare(r->r[mid].key, r->r[mid].key_len, key, len);

		if (c == 0)
			return &r->r[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void
fetch(const struct records *r, const struct want *w, size_t from,
    struct facts *f)
{
	uint8_t key[RECORD_KEY_MAX];
	size_t i;

	for (i = from; i < w->n; i++) {
		size_t len = want_key_write(&w->key[i], key);
		const struct record *rec = records_find(r, key, len);

		facts_set(f, i, rec == NULL ? FACT_ABSENT : FACT_FOUND,
		    rec == NULL ? NULL : rec->val,
		    rec == NULL ? 0 : rec->val_len);
	}
}

void
records_decide(const struct records *r, struct envelope *env, int64_t now_us,
    enum stage stage, struct verdict *v, struct trace *t)
{
	struct facts *f = xmalloc(sizeof(*f));
	struct want *w = xmalloc(sizeof(*w));
	size_t first;
	int rc;

	facts_init(f);
	rc = want_first(r->tables, env, w);
	fetch(r, w, 0, f);
	first = w->n;
	if (rc == 0)
		rc = want_second(r->tables, env, f, w);
	fetch(r, w, first, f);
	if (rc < 0) {	/* some key is missing: no verdict without it */
		w->n = 1;
		facts_set(f, 0, FACT_ERROR, NULL, 0);
	}
	judge(r->tables, env, w, f, now_us, stage, v, t);
	facts_fini(f);
	free(f);
	free(w);
}
