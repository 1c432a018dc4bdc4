/*
 * export.c - items to a document, section by section, in the order in which
 * people read one.
 */
#include "controller/policy/export.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/names.h"

struct exporting {
	const struct items *items;
	const char *managers;
	struct buf *out;
};

/* An item taken apart, its value parsed; each_of() frees both. */
struct part { const char *a, *b; json_t *value; };

typedef void (*part_fn)(struct exporting *x, const struct part *p);

/* Is one of the item's managers among those asked for? */
static bool
is_wanted(const struct exporting *x, const struct item *it)
{
	const char *p = it->managers;

	if (x->managers == NULL)
		return true;
	while (*p != '\0') {
		size_t n = strcspn(p, ",");
		const char *w = x->managers;

		while (*w != '\0') {
			size_t m = strcspn(w, ",");

			if (m == n && memcmp(w, p, n) == 0)
				return true;
			w += m + (w[m] == ',');
		}
		p += n + (p[n] == ',');
	}
	return false;
}

/* Hand each wanted item of a kind to fn; returns how many there were.  With
 * fn NULL it counts them. */
static size_t
each_of(struct exporting *x, const char *kind, part_fn fn)
{
	char *prefix = item_key(kind, "", NULL);
	const struct item *it;
	struct items_cursor c;
	size_t n = 0;

	for (it = items_first(&c, x->items, prefix); it != NULL;
	    it = items_next(&c)) {
		struct part p;
		char *mem;
		const char *k;

		if (!is_wanted(x, it))
			continue;
		n++;
		if (fn == NULL)
			continue;
		item_split(it->key, &mem, &k, &p.a, &p.b);
		p.value = json_loads(it->value, JSON_DECODE_ANY, NULL);
		fn(x, &p);
		json_decref(p.value);
		free(mem);
	}
	free(prefix);
	return n;
}

/* May text stand without quotes, here and for any other reader of YAML? */
static bool
is_plain(const char *text)
{
	static const char *const words[] = { "true", "false", "yes", "no",
	    "on", "off", "null", "y", "n", NULL };
	bool letter = false;
	size_t i;

	if (!isalnum((unsigned char)text[0]))
		return false;
	for (i = 0; text[i] != '\0'; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!isalnum(c) && strchr("._-+@/=", c) == NULL &&
		    !(c == ' ' && text[i + 1] != '\0'))
			return false;
		letter = letter || (isalpha(c) && c != 'e' && c != 'E' &&
		    c != 'x' && c != 'o');
	}
	for (i = 0; words[i] != NULL; i++) {
		if (strcasecmp(text, words[i]) == 0)
			return false;
	}
	return letter;
}

/* A scalar: plain where that is safe, else in double quotes as JSON, which
 * YAML 1.2 reads alike. */
static void
put_text(struct buf *out, const char *text)
{
	json_t *s;
	char *quoted;

	if (is_plain(text)) {
		buf_puts(out, text);
		return;
	}
	s = json_string(text);
	quoted = json_dumps(s, JSON_ENCODE_ANY);
	buf_puts(out, quoted == NULL ? "\"\"" : quoted);
	free(quoted);
	json_decref(s);
}

static void
put_pair(struct buf *out, const char *indent, const char *name,
    const char *text)
{
	buf_puts(out, indent);
	put_text(out, name);
	buf_puts(out, ": ");
	put_text(out, text);
	buf_putc(out, '\n');
}

/* A value in one line: {a: b}, [a, b]. */
static void
put_flow(struct buf *out, const json_t *v)
{
	const char *key, *sep = "";
	json_t *one;
	size_t i;

	if (json_is_object(v)) {
		buf_putc(out, '{');
		json_object_foreach((json_t *)(uintptr_t)v, key, one) {
			buf_puts(out, sep);
			put_text(out, key);
			buf_puts(out, ": ");
			put_flow(out, one);
			sep = ", ";
		}
		buf_putc(out, '}');
	} else if (json_is_array(v)) {
		buf_putc(out, '[');
		json_array_foreach(v, i, one) {
			buf_puts(out, sep);
			put_flow(out, one);
			sep = ", ";
		}
		buf_putc(out, ']');
	} else if (json_is_boolean(v))
		buf_puts(out, json_is_true(v) ? "true" : "false");
	else
		put_text(out, json_is_string(v) ? json_string_value(v) : "");
}

/* {NAME: A} with more of the value's keys, or A alone when there are none. */
static void
put_row(struct exporting *x, const struct part *p, const char *name)
{
	json_t *o;

	if (json_object_size(p->value) == 0) {
		put_text(x->out, p->a);
		return;
	}
	o = json_pack("{s:s}", name, p->a);
	json_object_update(o, p->value);
	put_flow(x->out, o);
	json_decref(o);
}

static void
domain(struct exporting *x, const struct part *p)
{
	buf_puts(x->out, "    - ");
	put_row(x, p, "domain");
	buf_putc(x->out, '\n');
}

static void
name_row(struct exporting *x, const struct part *p)
{
	buf_puts(x->out, "    - ");
	put_text(x->out, p->a);
	buf_putc(x->out, '\n');
}

/* Settings that only mark that a list was given are no lines of their own. */
static bool
is_mark(const char *name)
{
	return strcmp(name, "free_mail_domains") == 0 ||
	    strcmp(name, "return_paths") == 0;
}

static void
setting(struct exporting *x, const struct part *p)
{
	if (!is_mark(p->a) && json_is_string(p->value))
		put_pair(x->out, "  ", p->a, json_string_value(p->value));
}

static bool
has_mark(const struct exporting *x, const char *name)
{
	char *key = item_key("setting", name, NULL);
	const struct item *it = items_get(x->items, key);
	bool there = it != NULL && is_wanted(x, it);

	free(key);
	return there;
}

static void
organization(struct exporting *x)
{
	static const struct { const char *kind, *name; part_fn row; } lists[] =
	    { { "domain", "internal_domains", domain },
	    { "range", "authorized_outbound", name_row },
	    { "trusted", "trusted_relays", name_row },
	    { "freemail", "free_mail_domains", name_row },
	    { "protected", "protected_recipients", name_row },
	    { "return_path", "return_paths", name_row } };
	size_t i, n = each_of(x, "setting", NULL);

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		n += each_of(x, lists[i].kind, NULL);
	if (n == 0)
		return;
	buf_puts(x->out, "organization:\n");
	each_of(x, "setting", setting);
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (each_of(x, lists[i].kind, NULL) > 0) {
			buf_printf(x->out, "  %s:\n", lists[i].name);
			each_of(x, lists[i].kind, lists[i].row);
		} else if (is_mark(lists[i].name) &&
		    has_mark(x, lists[i].name))
			buf_printf(x->out, "  %s: []\n", lists[i].name);
	}
}

static void
directory_row(struct exporting *x, const struct part *p)
{
	json_t *o = json_pack("{s:s}", "address", p->a);

	json_object_update(o, p->value);
	buf_puts(x->out, "  - ");
	put_flow(x->out, o);
	buf_putc(x->out, '\n');
	json_decref(o);
}

/* Keys name the entry first, so the rows of each group are gathered in one
 * pass over all of them. */
struct gathering { struct exporting x; struct names groups; };

/* The rows of a group, which begin empty. */
static struct buf *
rows_of(struct gathering *g, const char *group)
{
	struct name *n = names_add(&g->groups, group, NULL);

	if (n->data == NULL) {
		n->data = xmalloc(sizeof(struct buf));
		buf_init(n->data, 0);
	}
	return n->data;
}

static void
add_group(struct exporting *x, const struct part *p)
{
	rows_of((struct gathering *)x, p->a);
}

/* An entry or a nested group whose group is held by another manager still
 * needs the group's name above it. */
static void
add_entry(struct exporting *x, const struct part *p)
{
	struct gathering *g = (struct gathering *)x;
	struct exporting row = { x->items, x->managers, rows_of(g, p->b) };

	buf_puts(row.out, "    - ");
	put_row(&row, p, "entry");
	buf_putc(row.out, '\n');
}

static void
add_nested(struct exporting *x, const struct part *p)
{
	struct gathering *g = (struct gathering *)x;
	struct buf *rows = rows_of(g, p->b);

	buf_puts(rows, "    - {group: ");
	put_text(rows, p->a);
	buf_puts(rows, "}\n");
}

static void
groups(struct exporting *x)
{
	struct gathering g = { .x = *x };
	size_t i;

	each_of(&g.x, "group", add_group);
	each_of(&g.x, "entry", add_entry);
	each_of(&g.x, "nest", add_nested);
	if (g.groups.n > 0)
		buf_puts(x->out, "groups:\n");
	for (i = 0; i < g.groups.n; i++) {
		struct buf *rows = g.groups.name[i].data;

		buf_puts(x->out, "  ");
		put_text(x->out, g.groups.name[i].text);
		buf_puts(x->out, rows->len == 0 ? ": []\n" : ":\n");
		buf_put(x->out, rows->data, rows->len);
		buf_fini(rows);
	}
	names_fini(&g.groups);
}

/* A policy's keys in the order of the manual; defaults are left out. */
static void
policy(struct exporting *x, const struct part *p)
{
	static const struct { const char *name, *def; } keys[] = {
	    { "type", NULL }, { "narrative", NULL }, { "action", NULL },
	    { "addresses_based_on", "envelope" }, { "from", NULL },
	    { "to", NULL }, { "override", "false" },
	    { "bidirectional", "false" }, { "enabled", "true" },
	    { "valid", NULL }, { "source_ips", NULL }, { "hostnames", NULL },
	    { "monitor", "false" }, { "comment", NULL } };
	size_t i;

	buf_puts(x->out, "  - id: ");
	put_text(x->out, p->a);
	buf_putc(x->out, '\n');
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *v = json_object_get(p->value, keys[i].name);
		struct buf text;

		if (v == NULL)
			continue;
		buf_init(&text, 0);
		put_flow(&text, v);
		if (keys[i].def == NULL || strcmp(text.data, keys[i].def) != 0)
			buf_printf(x->out, "    %s: %s\n", keys[i].name,
			    text.data);
		buf_fini(&text);
	}
}

struct sending { struct exporting x; char *user; };

static void
put_sender(struct sending *s, const char *action, const struct part *p)
{
	const json_t *used = json_object_get(p->value, "last_used");

	buf_printf(s->x.out, "    - {%s: ", action);
	put_text(s->x.out, p->b);
	if (used != NULL) {
		buf_puts(s->x.out, ", last_used: ");
		put_flow(s->x.out, used);
	}
	buf_puts(s->x.out, "}\n");
}

static void
sender(struct exporting *x, const struct part *p)
{
	struct sending *s = (struct sending *)x;
	const char *manual = json_string_value(json_object_get(p->value,
	    "manual"));

	if (s->user == NULL || strcmp(s->user, p->a) != 0) {
		free(s->user);
		s->user = xstrdup(p->a);
		buf_puts(x->out, "  ");
		put_text(x->out, p->a);
		buf_puts(x->out, ":\n");
	}
	if (manual != NULL)
		put_sender(s, manual, p);
	if (json_is_true(json_object_get(p->value, "auto")))
		put_sender(s, "auto", p);
}

void
export_document(const struct items *items, const char *managers,
    struct buf *out)
{
	struct exporting x = { items, managers, out };
	struct sending s = { x, NULL };

	organization(&x);
	if (each_of(&x, "directory", NULL) > 0) {
		buf_puts(out, "directory:\n");
		each_of(&x, "directory", directory_row);
	}
	groups(&x);
	if (each_of(&x, "policy", NULL) > 0) {
		buf_puts(out, "policies:\n");
		each_of(&x, "policy", policy);
	}
	if (each_of(&x, "sender", NULL) > 0) {
		buf_puts(out, "managed_senders:\n");
		each_of(&s.x, "sender", sender);
		free(s.user);
	}
}
