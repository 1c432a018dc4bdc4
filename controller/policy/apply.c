/*
 * apply.c - compares what documents want with what is in force.
 *
 * Both sets are sorted, so one walk over both finds what is new, what differs
 * and what this manager no longer names.
 */
#include "controller/policy/apply.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"

#define PRUNE_LEAST 10
#define PRUNE_PERCENT 5

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

void
change_fini(struct change *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free(c->c[i].key);
		free(c->c[i].before);
		free(c->c[i].after);
		free(c->c[i].managers_before);
		free(c->c[i].managers_after);
	}
	free(c->c);
	memset(c, 0, sizeof(*c));
}

void
change_add(struct change *c, const char *key, const struct item *before,
    const char *after, const char *managers_after)
{
	struct change_item *i;

	c->c = xgrow(c->c, &c->cap, c->n + 1, sizeof(*c->c));
	i = &c->c[c->n++];
	i->key = xstrdup(key);
	i->before = before == NULL ? NULL : xstrdup(before->value);
	i->managers_before = before == NULL ? NULL :
	    xstrdup(before->managers);
	i->after = copy(after);
	i->managers_after = copy(managers_after);
	c->deletes += after == NULL;
}

bool
managers_hold(const char *managers, const char *name)
{
	size_t len = strlen(name);

	while (*managers != '\0') {
		size_t n = strcspn(managers, ",");

		if (n == len && memcmp(managers, name, n) == 0)
			return true;
		managers += n + (managers[n] == ',');
	}
	return false;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *
managers_edit(const char *managers, const char *add, const char *drop)
{
	char *text = xstrdup(managers), *save = NULL, *p;
	const char *name[64];
	struct buf out;
	size_t n = 0, i;

	for (p = strtok_r(text, ",", &save); p != NULL && n < 63;
	    p = strtok_r(NULL, ",", &save)) {
		if (drop == NULL || strcmp(p, drop) != 0)
			name[n++] = p;
	}
	if (add != NULL && !managers_hold(managers, add))
		name[n++] = add;
	qsort(name, n, sizeof(*name), by_text);
	buf_init(&out, 0);
	for (i = 0; i < n; i++)
		buf_printf(&out, "%s%s", i > 0 ? "," : "", name[i]);
	free(text);
	return buf_steal(&out);
}

/* Kinds that several managers may hold: the union is in force. */
static bool
is_shared(const char *key)
{
	return strncmp(key, "entry" ITEM_SEP_S, 6) == 0 ||
	    strncmp(key, "nest" ITEM_SEP_S, 5) == 0 ||
	    strncmp(key, "group" ITEM_SEP_S, 6) == 0;
}

void
item_key_show(const char *key, char *out, size_t cap)
{
	size_t i;

	for (i = 0; key[i] != '\0' && i + 1 < cap; i++)
		out[i] = key[i] == ITEM_SEP ? ' ' : key[i];
	out[i] = '\0';
}

static int
conflict(const struct item *old, const struct item *want, struct diag *why)
{
	char name[300];

	item_key_show(old->key, name, sizeof(name));
	return diag_set(why, ERR_CONFLICT, "%s%s%s is held by %s: change it "
	    "there, or adopt it with --take-over",
	    want->place == NULL ? "" : want->place->file,
	    want->place == NULL ? "" : ": ", name, old->managers);
}

/* What a comment says and until when an entry stands is not in documents: a
 * comment stays when another manager holds the entry too, an end does not,
 * since the documents name no end. */
static const char *
wanted_value(const struct item *old, const struct item *want)
{
	if (is_shared(old->key) && strcmp(want->value, "{}") == 0 &&
	    strstr(old->value, "\"until\":") == NULL)
		return old->value;
	return want->value;
}

/* An item that both have. */
static int
plan_both(const struct item *old, const struct item *want,
    const struct apply_options *o, struct change *out, struct diag *why)
{
	const char *value = wanted_value(old, want);
	bool same = strcmp(old->value, value) == 0;
	bool mine = managers_hold(old->managers, o->manager);
	char *managers;

	if (same && (mine || !is_shared(old->key))) {
		if (mine || !o->take_over)
			return 0;
	}
	if (!mine && !is_shared(old->key) && !o->take_over)
		return conflict(old, want, why);
	managers = is_shared(old->key) ?
	    managers_edit(old->managers, o->manager, NULL) :
	    xstrdup(o->manager);
	change_add(out, old->key, old, value, managers);
	free(managers);
	return 0;
}

/* An item in force that the documents lack. */
static void
plan_gone(const struct item *old, const struct apply_options *o,
    struct change *out)
{
	char *rest;

	if (!managers_hold(old->managers, o->manager))
		return;
	rest = managers_edit(old->managers, NULL, o->manager);
	if (rest[0] == '\0')
		change_add(out, old->key, old, NULL, NULL);
	else
		change_add(out, old->key, old, old->value, rest);
	free(rest);
}

static int
check_prune(const struct items *force, const struct apply_options *o,
    const struct change *c, struct diag *why)
{
	struct items_cursor cur;
	const struct item *it;
	size_t mine = 0, most;

	for (it = items_first(&cur, force, ""); it != NULL;
	    it = items_next(&cur))
		mine += managers_hold(it->managers, o->manager);
	most = mine * PRUNE_PERCENT / 100;
	if (most < PRUNE_LEAST)
		most = PRUNE_LEAST;
	if (o->prune_limit >= 0)
		most = (size_t)o->prune_limit;
	if (c->deletes <= most)
		return 0;
	return diag_set(why, ERR_TOOBIG, "this would delete %zu of %zu items "
	    "of %s, and at most %zu are deleted unasked: if that is meant, "
	    "say --prune-limit %zu", c->deletes, mine, o->manager, most,
	    c->deletes);
}

int
apply_plan(const struct items *force, const struct items *wanted,
    const struct apply_options *o, struct change *out, struct diag *why)
{
	struct items_cursor at_old, at_want;
	const struct item *old = items_first(&at_old, force, "");
	const struct item *want = items_first(&at_want, wanted, "");
	int rc = 0;

	memset(out, 0, sizeof(*out));
	while (rc == 0 && (old != NULL || want != NULL)) {
		int c = old == NULL ? 1 : want == NULL ? -1 :
		    strcmp(old->key, want->key);

		if (c < 0)
			plan_gone(old, o, out);
		else if (c > 0)
			change_add(out, want->key, NULL, want->value,
			    o->manager);
		else
			rc = plan_both(old, want, o, out, why);
		if (c <= 0)
			old = items_next(&at_old);
		if (c >= 0)
			want = items_next(&at_want);
	}
	if (rc == 0)
		rc = check_prune(force, o, out, why);
	if (rc < 0)
		change_fini(out);
	return rc;
}

void
apply_change(struct items *s, const struct change *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		if (c->c[i].after == NULL)
			items_del(s, c->c[i].key);
		else
			items_put(s, c->c[i].key, c->c[i].after,
			    c->c[i].managers_after);
	}
}

void
change_print(const struct change *c, struct buf *out)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct change_item *x = &c->c[i];
		char name[1200];

		item_key_show(x->key, name, sizeof(name));
		if (x->before == NULL)
			buf_printf(out, "+ %s %s\n", name, x->after);
		else if (x->after == NULL)
			buf_printf(out, "- %s %s\n", name, x->before);
		else if (strcmp(x->before, x->after) != 0)
			buf_printf(out, "~ %s %s -> %s\n", name, x->before,
			    x->after);
		else
			buf_printf(out, "~ %s, held by %s\n", name,
			    x->managers_after);
	}
}

static json_t *
value_json(const char *text)
{
	json_t *v = text == NULL ? NULL :
	    json_loads(text, JSON_DECODE_ANY, NULL);

	return v == NULL ? json_null() : v;
}

void
change_json(const struct change *c, struct buf *out)
{
	json_t *list = json_array();
	char *text;
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct change_item *x = &c->c[i];
		const char *kind, *a, *b;
		char *mem;

		item_split(x->key, &mem, &kind, &a, &b);
		json_array_append_new(list, json_pack(
		    "{s:s, s:s, s:s?, s:s?, s:o, s:o, s:s?, s:s?}", "op",
		    x->before == NULL ? "add" : x->after == NULL ? "delete" :
		    "change", "kind", kind, "name", a, "of", b, "before",
		    value_json(x->before), "after", value_json(x->after),
		    "managers", x->managers_after, "managers_before",
		    x->managers_before));
		free(mem);
	}
	text = json_dumps(list, JSON_COMPACT);
	buf_puts(out, text);
	free(text);
	json_decref(list);
}
