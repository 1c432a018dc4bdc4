/*
 * compile.c - all records of a set of items, from nothing.
 */
#include "controller/policy/compile.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/records_impl.h"
#include "controller/policy/subject.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"

struct compiling {
	struct records *out;
	struct diag *why;
	bool check;			/* large ones too */
	struct buf key, val;
};

int
compile_aliases(struct records *r, const char *address, const char *value,
    bool add, struct diag *why)
{
	json_t *v, *alias;
	size_t i;
	int rc = 0;

	if (strstr(value, "\"aliases\"") == NULL)
		return 0;
	v = json_loads(value, 0, NULL);
	json_array_foreach(json_object_get(v, "aliases"), i, alias) {
		const char *text = json_string_value(alias), *other;

		if (text == NULL || rc < 0)
			continue;
		other = subject_alias(r, text);
		if (other != NULL && strcmp(other, address) != 0) {
			if (add)
				rc = diag_set(why, ERR_INVAL, "\"%s\" is an "
				    "alias of two addresses, %s and %s",
				    text, other, address);
		} else if (add)
			items_put(&r->alias, text, address, "");
		else
			items_del(&r->alias, text);
	}
	json_decref(v);
	return rc;
}

static int
add_small(struct compiling *c, const struct subject *s,
    const struct item *it)
{
	int rc;

	buf_reset(&c->key);
	buf_reset(&c->val);
	if (subject_key(s, &c->key) < 0)
		return item_fail(it, ERR_INVAL, c->why, "malformed prefix");
	rc = subject_value(c->out, s, &c->val, c->why);
	if (rc == ERR_NOENT)
		return 0;
	if (rc == 0)
		small_add(c->out->small, &c->key, &c->val);
	return rc;
}

/* An entry's record comes from the first of its items. */
static int
add_entry(struct compiling *c, const struct subject *s)
{
	c->out->n++;
	if (strncmp(s->a, "*.", 2) == 0)
		c->out->depths[addr_labels(s->a + 2) % COMPILE_DEPTHS]++;
	buf_reset(&c->val);
	return c->check ? subject_value(c->out, s, &c->val, c->why) : 0;
}

/* Is it the first of its kind and first name?  last came before, or NULL. */
static bool
is_first(const struct item *last, const struct item *it)
{
	const char *p = strchr(it->key, ITEM_SEP);

	if (last == NULL || p == NULL || (p = strchr(p + 1, ITEM_SEP)) == NULL)
		return true;
	return strncmp(last->key, it->key, (size_t)(p - it->key) + 1) != 0;
}

static int
compile_item(struct compiling *c, const struct item *last,
    const struct item *it)
{
	const char *kind;
	struct subject s;
	char *mem;
	int rc = 0;

	item_split(it->key, &mem, &kind, &s.a, &s.b);
	s.cls = subject_class(kind);
	if (s.cls == 0 || s.a == NULL)
		rc = item_fail(it, ERR_VERSION, c->why,
		    "an item of unknown kind");
	else if (record_is_small(s.cls)) {
		/* an edge stands in the record of the child */
		if (strcmp(kind, "nest") != 0)
			rc = add_small(c, &s, it);
	} else if (s.cls == RECORD_ENTRY) {
		if (is_first(last, it))
			rc = add_entry(c, &s);
	} else {
		c->out->n++;
		if (s.cls == RECORD_DIRECTORY)
			rc = compile_aliases(c->out, s.a, it->value, true,
			    c->why);
	}
	free(mem);
	return rc;
}

static int
each_item(struct compiling *c)
{
	const struct item *it, *last = NULL;
	struct items_cursor cur;
	int rc = 0;

	for (it = items_first(&cur, c->out->items, ""); it != NULL &&
	    rc == 0 && c->check; it = items_next(&cur))
		rc = check_item(c->out, it, c->why);
	for (it = items_first(&cur, c->out->items, ""); it != NULL &&
	    rc == 0; it = items_next(&cur)) {
		rc = compile_item(c, last, it);
		last = it;
	}
	return rc;
}

static int
add_defaults(struct compiling *c)
{
	struct subject s;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && subject_default(i, &s); i++)
		rc = add_small(c, &s, NULL);
	if (rc == 0)
		rc = add_small(c, &(struct subject){ RECORD_SETTING,
		    "wildcard_depths", NULL }, NULL);
	return rc;
}

static int
compile_all(const struct items *in, struct records *out, bool check,
    struct diag *why)
{
	struct compiling c = { .out = out, .why = why, .check = check };
	int rc;

	memset(out, 0, sizeof(*out));
	out->items = in;
	out->small = small_new();
	items_init(&out->alias);
	buf_init(&c.key, 0);
	buf_init(&c.val, 0);
	rc = each_item(&c);
	if (rc == 0)
		rc = add_defaults(&c);
	if (rc == 0)
		rc = small_load(out->small, why);
	out->n += out->small->n + items_n(&out->alias);
	buf_fini(&c.key);
	buf_fini(&c.val);
	if (rc < 0)
		records_fini(out);
	return rc;
}

int
compile(const struct items *in, struct records *out, struct diag *why)
{
	return compile_all(in, out, true, why);
}

int
compile_again(const struct items *in, struct records *out, struct diag *why)
{
	return compile_all(in, out, false, why);
}
