/*
 * compile_change.c - the records that a change of items changes.
 *
 * Each changed item names the subjects whose records it may change; their
 * values before and after are compared.  So only what is touched is read,
 * however many items there are.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "controller/policy/records_impl.h"
#include "controller/policy/subject.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"

struct touched { struct subject s; char *mem; };

struct changing {
	const struct records *base;
	struct records *out;
	struct records_diff *diff;
	struct touched *t;
	size_t n, cap;
	struct diag *why;
};

static void
touch(struct changing *g, uint8_t cls, const char *a, const char *b)
{
	size_t a_len = strlen(a) + 1, b_len = b == NULL ? 0 : strlen(b) + 1;
	struct touched *t;

	g->t = xgrow(g->t, &g->cap, g->n + 1, sizeof(*g->t));
	t = &g->t[g->n++];
	t->mem = xmalloc(a_len + b_len);
	memcpy(t->mem, a, a_len);
	if (b != NULL)
		memcpy(t->mem + a_len, b, b_len);
	t->s = (struct subject){ cls, t->mem, b == NULL ? NULL :
	    t->mem + a_len };
}

static void
touch_aliases(struct changing *g, const char *value)
{
	json_t *v = value == NULL ? NULL : json_loads(value, 0, NULL), *alias;
	size_t i;

	json_array_foreach(json_object_get(v, "aliases"), i, alias)
		if (json_is_string(alias))
			touch(g, RECORD_ALIAS, json_string_value(alias),
			    NULL);
	json_decref(v);
}

/* A setting that other records depend on. */
static void
touch_dependents(struct changing *g, const char *setting)
{
	struct items_cursor cur;
	const struct item *it;
	struct subject s;
	size_t i;

	if (strcmp(setting, "time_zone") == 0)
		for (it = items_first(&cur, g->out->items,
		    "policy" ITEM_SEP_S); it != NULL; it = items_next(&cur))
			touch(g, RECORD_POLICY, strchr(it->key, ITEM_SEP) + 1,
			    NULL);
	if (strcmp(setting, "free_mail_domains") == 0 ||
	    strcmp(setting, "return_paths") == 0)
		for (i = 0; subject_default(i, &s); i++)
			touch(g, s.cls, s.a, s.b);
}

/* The subjects of one changed item. */
static void
touch_item(struct changing *g, const struct change_item *x)
{
	const char *kind, *a, *b;
	char *mem;
	uint8_t cls;

	item_split(x->key, &mem, &kind, &a, &b);
	cls = subject_class(kind);
	if (cls != 0 && a != NULL)
		touch(g, cls, a, cls == RECORD_USER ? b : NULL);
	if (cls == RECORD_SETTING && a != NULL)
		touch_dependents(g, a);
	if (cls == RECORD_DIRECTORY) {
		touch_aliases(g, x->before);
		touch_aliases(g, x->after);
	}
	free(mem);
}

/* Old aliases go first, so that one may change hands. */
static int
change_aliases(struct changing *g, const struct change *c, bool add)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < c->n && rc == 0; i++) {
		const struct change_item *x = &c->c[i];
		const char *value = add ? x->after : x->before;

		if (value != NULL && strncmp(x->key, "directory" ITEM_SEP_S,
		    10) == 0)
			rc = compile_aliases(g->out, x->key + 10, value, add,
			    g->why);
	}
	return rc;
}

static int
check_changed(struct changing *g, const struct change *c)
{
	const struct item *it;
	size_t i;
	int rc = 0;

	for (i = 0; i < c->n && rc == 0; i++)
		if (c->c[i].after != NULL && (it = items_get(g->out->items,
		    c->c[i].key)) != NULL)
			rc = check_item(g->out, it, g->why);
	return rc == 0 ? check_others(g->out, c, g->why) : rc;
}

static void
add_diff(struct records_diff *out, const struct buf *key,
    const struct buf *before, const struct buf *after)
{
	size_t before_len = before == NULL ? 0 : before->len;
	size_t after_len = after == NULL ? 0 : after->len;
	struct record_diff *d;

	out->d = xgrow(out->d, &out->cap, out->n + 1, sizeof(*out->d));
	d = &out->d[out->n++];
	*d = (struct record_diff){ .key_len = (uint32_t)key->len,
	    .before_len = (uint32_t)before_len,
	    .after_len = (uint32_t)after_len,
	    .has_before = before != NULL, .has_after = after != NULL };
	d->key = xmalloc(key->len + before_len + after_len);
	d->before = d->key + key->len;
	d->after = d->before + before_len;
	memcpy(d->key, key->data, key->len);
	if (before_len > 0)
		memcpy(d->before, before->data, before_len);
	if (after_len > 0)
		memcpy(d->after, after->data, after_len);
}

/* Hold the subject's record before against the one after. */
static int
compare(struct changing *g, const struct subject *s)
{
	struct buf key, before, after;
	bool had, has, wild;
	int rc;

	buf_init(&key, 0);
	buf_init(&before, 0);
	buf_init(&after, 0);
	if (subject_key(s, &key) < 0) {
		rc = diag_set(g->why, ERR_INVAL, "%s: malformed prefix",
		    s->a);
		goto out;
	}
	had = records_get(g->base, key.data, key.len, &before) == 0;
	rc = subject_value(g->out, s, &after, g->why);
	if (rc < 0 && rc != ERR_NOENT)
		goto out;
	has = rc == 0;
	rc = 0;
	wild = s->cls == RECORD_ENTRY && strncmp(s->a, "*.", 2) == 0;
	if (wild && had != has)
		g->out->depths[addr_labels(s->a + 2) % COMPILE_DEPTHS] +=
		    has ? 1 : -1u;
	g->out->n = g->out->n + has - had;
	if (had != has || (has && (before.len != after.len || (after.len > 0
	    && memcmp(before.data, after.data, after.len) != 0))))
		add_diff(g->diff, &key, had ? &before : NULL,
		    has ? &after : NULL);
out:
	buf_fini(&key);
	buf_fini(&before);
	buf_fini(&after);
	return rc;
}

static int
by_subject(const void *a, const void *b)
{
	const struct subject *x = &((const struct touched *)a)->s;
	const struct subject *y = &((const struct touched *)b)->s;
	int c = x->cls - y->cls;

	if (c == 0)
		c = strcmp(x->a, y->a);
	if (c == 0 && x->b != NULL && y->b != NULL)
		c = strcmp(x->b, y->b);
	return c;
}

static int
by_key(const void *a, const void *b)
{
	const struct record_diff *x = a, *y = b;

	return record_compare(x->key, x->key_len, y->key, y->key_len);
}

static int
compare_all(struct changing *g)
{
	bool wild = false;
	size_t i;
	int rc = 0;

	if (g->n > 1)
		qsort(g->t, g->n, sizeof(*g->t), by_subject);
	for (i = 0; i < g->n && rc == 0; i++) {
		const struct subject *s = &g->t[i].s;

		if (i > 0 && by_subject(&g->t[i - 1], &g->t[i]) == 0)
			continue;
		rc = compare(g, s);
		wild = wild || (s->cls == RECORD_ENTRY &&
		    strncmp(s->a, "*.", 2) == 0);
	}
	/* it counts entries, so it comes after them */
	if (rc == 0 && wild)
		rc = compare(g, &(struct subject){ RECORD_SETTING,
		    "wildcard_depths", NULL });
	if (g->diff->n > 1)
		qsort(g->diff->d, g->diff->n, sizeof(*g->diff->d), by_key);
	return rc;
}

static int
change_small(struct changing *g)
{
	size_t i;

	for (i = 0; i < g->diff->n; i++)
		if (record_is_small(g->diff->d[i].key[0]))
			break;
	if (i == g->diff->n) {
		g->out->small = small_ref(g->base->small);
		return 0;
	}
	g->out->small = small_change(g->base->small, g->diff);
	return small_load(g->out->small, g->why);
}

int
compile_change(const struct records *base, const struct items *changed,
    const struct change *c, struct records *out, struct records_diff *diff,
    struct diag *why)
{
	struct records_diff own = { 0 };
	struct changing g = { .base = base, .out = out, .why = why,
	    .diff = diff == NULL ? &own : diff };
	size_t i;
	int rc;

	memset(out, 0, sizeof(*out));
	memset(g.diff, 0, sizeof(*g.diff));
	out->items = changed;
	items_over(&out->alias, &base->alias);
	memcpy(out->depths, base->depths, sizeof(out->depths));
	out->n = base->n;
	if ((rc = check_changed(&g, c)) == 0 &&
	    (rc = change_aliases(&g, c, false)) == 0)
		rc = change_aliases(&g, c, true);
	for (i = 0; i < c->n && rc == 0; i++)
		touch_item(&g, &c->c[i]);
	if (rc == 0)
		rc = compare_all(&g);
	if (rc == 0)
		rc = change_small(&g);
	for (i = 0; i < g.n; i++)
		free(g.t[i].mem);
	free(g.t);
	if (rc < 0)
		records_fini(out);
	if (rc < 0 || diff == NULL)
		records_diff_fini(g.diff);
	return rc;
}
