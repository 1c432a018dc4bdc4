/*
 * api_group.c - profile groups and their entries.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/http/api_group.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

#define PAGE 1000
#define PAGE_MAX 10000
#define WALK_MAX 200000	/* entries of all groups that one page looks at */

json_t *
api_group_policies(const struct items *items, const char *group)
{
	json_t *list = json_array();
	struct items_cursor cur;
	const struct item *it;

	for (it = items_first(&cur, items, "policy" ITEM_SEP_S); it != NULL;
	    it = items_next(&cur)) {
		json_t *p = json_loads(it->value, 0, NULL);
		const char *from = json_string_value(json_object_get(
		    json_object_get(p, "from"), "group"));
		const char *to = json_string_value(json_object_get(
		    json_object_get(p, "to"), "group"));

		if ((from != NULL && strcmp(from, group) == 0) ||
		    (to != NULL && strcmp(to, group) == 0))
			json_array_append_new(list,
			    json_string(it->key + 7));
		json_decref(p);
	}
	return list;
}

static bool
has_group(const struct items *items, const char *name)
{
	char *key = item_key("group", name, NULL);
	bool there = items_get(items, key) != NULL;

	free(key);
	return there;
}

/* The second name of an "entry" or "nest" key, and its first into *first. */
static const char *
split_pair(const char *key, const char **first)
{
	const char *a = strchr(key, ITEM_SEP) + 1;

	*first = a;
	return strchr(a, ITEM_SEP) + 1;
}

/* How many entries a group has itself. */
struct group_count { const char *name; json_int_t n; };

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct group_count *)a)->name,
	    ((const struct group_count *)b)->name);
}

/* All groups by name, with their counts from one walk; caller frees. */
static struct group_count *
count_entries(const struct items *items, size_t *n)
{
	struct group_count *list = NULL, *found;
	struct items_cursor cur;
	const struct item *it;
	const char *entry;
	size_t cap = 0;

	*n = 0;
	for (it = items_first(&cur, items, "group" ITEM_SEP_S); it != NULL;
	    it = items_next(&cur)) {
		list = xgrow(list, &cap, *n + 1, sizeof(*list));
		list[(*n)++] = (struct group_count){ it->key + 6, 0 };
	}
	for (it = items_first(&cur, items, "entry" ITEM_SEP_S);
	    it != NULL && *n > 0; it = items_next(&cur)) {
		struct group_count want = { split_pair(it->key, &entry), 0 };

		found = bsearch(&want, list, *n, sizeof(*list), by_name);
		if (found != NULL)
			found->n++;
	}
	return list;
}

void
api_groups(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	json_t *list = json_array();
	struct group_count *group;
	size_t i, n;

	group = count_entries(items, &n);
	for (i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:I, s:o}",
		    "name", group[i].name, "entries", group[i].n, "policies",
		    api_group_policies(items,
		    group[i].name)));
	free(group);
	api_reply(c, json_pack("{s:o}", "groups", list));
}

json_t *
api_group_nested(const struct items *items, const char *group, bool children)
{
	json_t *list = json_array();
	struct items_cursor cur;
	const struct item *it;

	for (it = items_first(&cur, items, "nest" ITEM_SEP_S); it != NULL;
	    it = items_next(&cur)) {
		const char *child, *parent = split_pair(it->key, &child);
		size_t n = (size_t)(parent - child) - 1;

		if (children && strcmp(parent, group) == 0)
			json_array_append_new(list, json_stringn(child, n));
		if (!children && strlen(group) == n &&
		    memcmp(child, group, n) == 0)
			json_array_append_new(list, json_string(parent));
	}
	return list;
}

static json_t *
entry_json(const struct item *it, const char *text, size_t len)
{
	json_t *o = json_pack("{s:o, s:s, s:o}", "entry",
	    json_stringn(text, len), "kind", memchr(text, '@', len) != NULL ?
	    "address" : text[0] == '*' ? "wildcard" : "domain", "managers",
	    api_managers(it->managers));

	json_object_update_new(o, json_loads(it->value, 0, NULL));
	return o;
}

/* One page of a group's entries; *next is where the next one begins, or
 * stays NULL behind the last. */
static json_t *
entry_page(const struct items *items, const char *group, const char *after,
    json_int_t limit, json_t **next)
{
	char *from = item_key("entry", after, NULL);
	json_t *list = json_array();
	struct items_cursor cur;
	const struct item *it;
	size_t seen = 0;

	for (it = items_from(&cur, items, "entry" ITEM_SEP_S, from);
	    it != NULL; it = items_next(&cur)) {
		const char *entry, *in = split_pair(it->key, &entry);
		size_t len = (size_t)(in - entry) - 1;
		bool last = strlen(after) == len &&
		    memcmp(after, entry, len) == 0;

		if (!last && strcmp(in, group) == 0)
			json_array_append_new(list, entry_json(it, entry,
			    len));
		if (!last && (++seen >= WALK_MAX ||
		    (json_int_t)json_array_size(list) >= limit)) {
			*next = json_stringn(entry, len);
			break;
		}
	}
	free(from);
	return list;
}

void
api_group(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	const char *after = httpd_query(c->req, "after");
	json_t *o, *list, *next = NULL;
	json_int_t limit;

	if (!has_group(items, c->tail)) {
		api_error(c, 404, "not_found", "there is no group \"%s\"; "
		    "\"group ls\" lists them", c->tail);
		return;
	}
	if (!api_query_number(c, "limit", PAGE, PAGE_MAX, &limit))
		return;
	list = entry_page(items, c->tail, after == NULL ? "" : after, limit,
	    &next);
	o = json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", c->tail,
	    "entries", list, "groups", api_group_nested(items, c->tail, true),
	    "in", api_group_nested(items, c->tail, false), "policies",
	    api_group_policies(items, c->tail));
	if (next != NULL)
		json_object_set_new(o, "next", next);
	api_reply(c, o);
}

/* Does an item belong to the group: itself, an entry, a nesting? */
static bool
is_of_group(const char *key, const char *group)
{
	const char *kind, *a, *b;
	char *mem;
	bool is;

	item_split(key, &mem, &kind, &a, &b);
	is = (strcmp(kind, "group") == 0 && strcmp(a, group) == 0) ||
	    (strcmp(kind, "entry") == 0 && strcmp(b, group) == 0) ||
	    (strcmp(kind, "nest") == 0 && (strcmp(a, group) == 0 ||
	    strcmp(b, group) == 0));
	free(mem);
	return is;
}

/* All of a group goes away.  ERR_CONFLICT, answered, when another manager
 * holds a part of it. */
static int
plan_delete(struct api_call *c, const char *manager, struct change *ch)
{
	static const char *const kinds[] = { "group", "entry", "nest" };
	const struct items *items = store_items(c->api->store);
	bool take_over = api_flag(c, "take_over");
	struct items_cursor cur;
	const struct item *it;
	size_t i;

	for (i = 0; i < 3; i++) {
		for (it = items_first(&cur, items, kinds[i]); it != NULL;
		    it = items_next(&cur)) {
			if (!is_of_group(it->key, c->tail))
				continue;
			if (!take_over && strcmp(it->managers, manager) != 0) {
				char name[300];

				item_key_show(it->key, name, sizeof(name));
				api_error(c, 409, "conflict", "%s is held by "
				    "%s: take it out there, or remove it all "
				    "the same with --take-over", name,
				    it->managers);
				return ERR_CONFLICT;
			}
			change_add(ch, it->key, it, NULL, NULL);
		}
	}
	return 0;
}

void
api_group_delete(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	json_t *policies = api_group_policies(items, c->tail);
	const char *manager = api_manager(c, "console");
	struct change ch = { 0 };
	uint64_t version;

	if (manager == NULL)
		;
	else if (!has_group(items, c->tail))
		api_error(c, 404, "not_found", "there is no group \"%s\"",
		    c->tail);
	else if (json_array_size(policies) > 0)
		api_error(c, 409, "conflict", "policy %s names the group "
		    "\"%s\": change that first", json_string_value(
		    json_array_get(policies, 0)), c->tail);
	else if (plan_delete(c, manager, &ch) == 0 &&
	    api_commit(c, &ch, "group rm", NULL, &version) == 0)
		api_reply(c, json_pack("{s:I, s:I}", "version",
		    (json_int_t)version, "removed", (json_int_t)ch.n));
	change_fini(&ch);
	json_decref(policies);
}

