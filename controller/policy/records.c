/*
 * records.c - looks up records, walks over them, and decides on them.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/policy/compile.h"
#include "controller/policy/records_impl.h"
#include "controller/policy/subject.h"
#include "proto/base/err.h"

/* All classes in their order. */
static const char classes[] = "ADEFGILOPRSTU";

void
records_diff_fini(struct records_diff *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		free(d->d[i].key);
	free(d->d);
	memset(d, 0, sizeof(*d));
}

void
records_fini(struct records *r)
{
	small_unref(&r->small);
	items_fini(&r->alias);
	memset(r, 0, sizeof(*r));
}

void
records_merge(struct records *base, struct records *over)
{
	small_unref(&base->small);
	base->small = small_ref(over->small);
	items_merge(&base->alias, &over->alias);
	memcpy(base->depths, over->depths, sizeof(base->depths));
	base->n = over->n;
	records_fini(over);
}

const struct tables *
records_tables(const struct records *r)
{
	return r->small->tables;
}

uint64_t
records_n(const struct records *r)
{
	return r->n;
}

int
records_get(const struct records *r, const void *key, size_t len,
    struct buf *val)
{
	const struct small_record *s;
	struct subject subject;
	char *mem;
	int rc = ERR_NOENT;

	if (len > 0 && record_is_small(*(const uint8_t *)key)) {
		if ((s = small_find(r->small, key, len)) == NULL)
			return ERR_NOENT;
		buf_put(val, s->data + s->key_len, s->val_len);
		return 0;
	}
	if (subject_of_key(key, len, &subject, &mem))
		rc = subject_value(r, &subject, val, NULL);
	free(mem);
	return rc;
}

bool
records_has(const struct records *r, const void *key, size_t len)
{
	struct buf val;
	int rc;

	buf_init(&val, 0);
	rc = records_get(r, key, len, &val);
	buf_fini(&val);
	return rc == 0;
}

/* --- walks --- */

void
records_begin(struct records_cursor *c, const struct records *r)
{
	memset(c, 0, sizeof(*c));
	c->r = r;
	buf_init(&c->key, 0);
	buf_init(&c->val, 0);
}

void
records_end(struct records_cursor *c)
{
	buf_fini(&c->key);
	buf_fini(&c->val);
}

static bool
next_small(struct records_cursor *c, uint8_t cls)
{
	const struct small_records *s = c->r->small;
	const struct small_record *r;

	if (c->small == s->n || (r = s->r[c->small])->data[0] != cls)
		return false;
	c->small++;
	buf_put(&c->key, r->data, r->key_len);
	buf_put(&c->val, r->data + r->key_len, r->val_len);
	return true;
}

static const struct item *
first_item(struct records_cursor *c, uint8_t cls)
{
	switch (cls) {
	case RECORD_DIRECTORY:
		return items_first(&c->items, c->r->items,
		    "directory" ITEM_SEP_S);
	case RECORD_ENTRY:
		return items_first(&c->items, c->r->items,
		    "entry" ITEM_SEP_S);
	case RECORD_ALIAS:
		return items_first(&c->items, &c->r->alias, "");
	default:
		return items_first(&c->items, c->r->items,
		    "sender" ITEM_SEP_S);
	}
}

/* The record of the item the cursor stands at; ERR_NOENT ends a class. */
static int
large_record(struct records_cursor *c, uint8_t cls)
{
	struct subject s = { cls, c->item->key, NULL };
	const char *kind;
	char *mem = NULL;
	int rc;

	if (cls != RECORD_ALIAS)
		item_split(c->item->key, &mem, &kind, &s.a, &s.b);
	if ((rc = subject_key(&s, &c->key)) == 0)
		rc = subject_value(c->r, &s, &c->val, NULL);
	free(mem);
	return rc;
}

static bool
next_large(struct records_cursor *c, uint8_t cls)
{
	struct buf last;
	bool same = true;

	buf_init(&last, 0);
	while (same) {
		if (c->item == NULL)
			c->item = first_item(c, cls);
		else {
			buf_reset(&last);
			buf_put(&last, c->key.data, c->key.len);
			c->item = items_next(&c->items);
		}
		if (c->item == NULL)
			break;
		buf_reset(&c->key);
		buf_reset(&c->val);
		if (large_record(c, cls) < 0)
			continue;
		/* an entry of several groups has one record */
		same = last.len == c->key.len && last.len > 0 &&
		    memcmp(last.data, c->key.data, last.len) == 0;
	}
	buf_fini(&last);
	return c->item != NULL;
}

bool
records_next(struct records_cursor *c)
{
	for (; classes[c->cls] != '\0'; c->cls++) {
		uint8_t cls = (uint8_t)classes[c->cls];

		if (record_is_small(cls)) {
			buf_reset(&c->key);
			buf_reset(&c->val);
			if (next_small(c, cls))
				return true;
		} else if (next_large(c, cls))
			return true;
	}
	return false;
}

/* --- decisions --- */

static void
fetch(const struct records *r, const struct want *w, size_t from,
    struct facts *f)
{
	uint8_t key[RECORD_KEY_MAX];
	struct buf val;
	size_t i;

	buf_init(&val, 0);
	for (i = from; i < w->n; i++) {
		size_t len = want_key_write(&w->key[i], key);
		int rc;

		buf_reset(&val);
		rc = records_get(r, key, len, &val);
		facts_set(f, i, rc < 0 ? FACT_ABSENT : FACT_FOUND,
		    rc < 0 ? NULL : val.data, rc < 0 ? 0 : val.len);
	}
	buf_fini(&val);
}

void
records_decide(const struct records *r, struct envelope *env, int64_t now_us,
    enum stage stage, struct verdict *v, struct trace *t)
{
	const struct tables *tables = records_tables(r);
	struct facts *f = xmalloc(sizeof(*f));
	struct want *w = xmalloc(sizeof(*w));
	size_t first;
	int rc;

	facts_init(f);
	rc = want_first(tables, env, w, NULL, NULL);
	fetch(r, w, 0, f);
	first = w->n;
	if (rc == 0)
		rc = want_second(tables, env, f, w);
	fetch(r, w, first, f);
	if (rc < 0) {	/* some key is missing: no verdict without it */
		w->n = 1;
		facts_set(f, 0, FACT_ERROR, NULL, 0);
	}
	judge(tables, env, w, f, now_us, stage, v, t);
	facts_fini(f);
	free(f);
	free(w);
}
