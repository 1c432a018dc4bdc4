/*
 * small_records.c - the small records of a set, held in memory with their
 * tables.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/policy/records_impl.h"
#include "proto/base/err.h"

int
record_compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (c != 0)
		return c;
	return a_len < b_len ? -1 : a_len > b_len;
}

struct small_records *
small_new(void)
{
	struct small_records *s = xcalloc(1, sizeof(*s));

	s->refs = 1;
	return s;
}

struct small_records *
small_ref(struct small_records *s)
{
	s->refs++;
	return s;
}

static void
record_unref(struct small_record *r)
{
	if (--r->refs == 0)
		free(r);
}

void
small_unref(struct small_records **sp)
{
	struct small_records *s = *sp;
	size_t i;

	*sp = NULL;
	if (s == NULL || --s->refs > 0)
		return;
	for (i = 0; i < s->n; i++)
		record_unref(s->r[i]);
	free(s->r);
	tables_free(&s->tables);
	free(s);
}

static struct small_record *
record_new(const void *key, size_t key_len, const void *val, size_t val_len)
{
	struct small_record *r = xmalloc(sizeof(*r) + key_len + val_len);

	r->refs = 1;
	r->key_len = (uint32_t)key_len;
	r->val_len = (uint32_t)val_len;
	memcpy(r->data, key, key_len);
	if (val_len > 0)
		memcpy(r->data + key_len, val, val_len);
	return r;
}

static void
append(struct small_records *s, struct small_record *r)
{
	s->r = xgrow(s->r, &s->cap, s->n + 1, sizeof(*s->r));
	s->r[s->n++] = r;
}

void
small_add(struct small_records *s, const struct buf *key,
    const struct buf *val)
{
	append(s, record_new(key->data, key->len, val->data, val->len));
}

struct small_records *
small_change(const struct small_records *s, const struct records_diff *diff)
{
	struct small_records *out = small_new();
	size_t i = 0, k = 0;

	while (i < s->n || k < diff->n) {
		const struct record_diff *d = k < diff->n ? &diff->d[k] :
		    NULL;
		int c;

		if (d != NULL && !record_is_small(d->key[0])) {
			k++;
			continue;
		}
		c = i == s->n ? 1 : d == NULL ? -1 :
		    record_compare(s->r[i]->data, s->r[i]->key_len, d->key,
		    d->key_len);
		if (c < 0) {
			s->r[i]->refs++;
			append(out, s->r[i]);
		} else if (d->has_after)
			append(out, record_new(d->key, d->key_len, d->after,
			    d->after_len));
		i += c <= 0;
		k += c >= 0;
	}
	return out;
}

static int
by_key(const void *a, const void *b)
{
	const struct small_record *x = *(struct small_record *const *)a;
	const struct small_record *y = *(struct small_record *const *)b;

	return record_compare(x->data, x->key_len, y->data, y->key_len);
}

static bool
is_equal(const struct small_record *a, const struct small_record *b)
{
	return a->val_len == b->val_len &&
	    memcmp(a->data + a->key_len, b->data + b->key_len,
	    a->val_len) == 0;
}

/* The same key twice, such as a protected local part that is a default: equal
 * values are one; others would be two groups of one number. */
static int
unite(struct small_records *s, struct diag *why)
{
	size_t i, n = 0;
	int rc = 0;

	for (i = 0; i < s->n; i++) {
		if (n == 0 || by_key(&s->r[n - 1], &s->r[i]) != 0) {
			s->r[n++] = s->r[i];
			continue;
		}
		if (!is_equal(s->r[n - 1], s->r[i]))
			rc = diag_set(why, ERR_INVAL, "two records have one "
			    "key of class %c: name one of the two otherwise",
			    s->r[i]->data[0]);
		record_unref(s->r[i]);
	}
	s->n = n;
	return rc;
}

int
small_load(struct small_records *s, struct diag *why)
{
	size_t i;
	int rc;

	if (s->n > 1)
		qsort(s->r, s->n, sizeof(*s->r), by_key);
	if ((rc = unite(s, why)) < 0)
		return rc;
	s->tables = tables_new(NULL);
	for (i = 0; i < s->n; i++) {
		const struct small_record *r = s->r[i];

		if ((rc = tables_put(s->tables, bytes_of(r->data, r->key_len),
		    bytes_of(r->data + r->key_len, r->val_len), why)) < 0)
			return rc;
	}
	return tables_finish(s->tables, why);
}

const struct small_record *
small_find(const struct small_records *s, const void *key, size_t len)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = record_compare(s->r[mid]->data, s->r[mid]->key_len,
		    key, len);

		if (c == 0)
			return s->r[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}
