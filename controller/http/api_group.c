/*
 * api_group.c - profile groups and their entries.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"

#define MANAGER "cli"

static json_t *
managers_json(const char *managers)
{
	json_t *list = json_array();

	while (*managers != '\0') {
		size_t n = strcspn(managers, ",");

		json_array_append_new(list, json_stringn(managers, n));
		managers += n + (managers[n] == ',');
	}
	return list;
}

/* The ids of the policies that name this group on either side. */
static json_t *
policies_of(const struct items *items, const char *group)
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
		    policies_of(items, group[i].name)));
	free(group);
	api_reply(c, json_pack("{s:o}", "groups", list));
}

/* Pairs of `kind` whose first or second name is the group. */
static json_t *
nested(const struct items *items, const char *group, bool children)
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

void
api_group(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	struct items_cursor cur;
	const struct item *it;
	json_t *list;

	if (!has_group(items, c->tail)) {
		api_error(c, 404, "not_found", "there is no group \"%s\"",
		    c->tail);
		return;
	}
	list = json_array();
	for (it = items_first(&cur, items, "entry" ITEM_SEP_S); it != NULL;
	    it = items_next(&cur)) {
		const char *entry, *group = split_pair(it->key, &entry);

		if (strcmp(group, c->tail) != 0)
			continue;
		json_array_append_new(list, json_pack("{s:o, s:o}", "entry",
		    json_stringn(entry, (size_t)(group - entry) - 1),
		    "managers", managers_json(it->managers)));
	}
	api_reply(c, json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", c->tail,
	    "entries", list, "groups", nested(items, c->tail, true), "in",
	    nested(items, c->tail, false), "policies",
	    policies_of(items, c->tail)));
}

struct edit { struct change ch; json_int_t added, removed, unchanged; };

static int
edit_one(struct api_call *c, struct edit *e, const char *text, bool add)
{
	const struct items *items = store_items(c->api->store);
	const struct item *old;
	struct entry entry;
	struct diag why;
	char *key;

	if (text == NULL || entry_parse(&entry, text, strlen(text),
	    &why) < 0) {
		api_error(c, 422, "invalid_policy", "\"%.200s\": %s",
		    text == NULL ? "" : text,
		    text == NULL ? "an entry is a text" : why.text);
		return ERR_INVAL;
	}
	key = item_key("entry", entry.text, c->tail);
	old = items_get(items, key);
	if (add == (old != NULL))
		e->unchanged++;
	else {
		change_add(&e->ch, key, old, add ? "{}" : NULL,
		    add ? MANAGER : NULL);
		e->added += add;
		e->removed += !add;
	}
	free(key);
	return 0;
}

/* With "replace", entries that are not named again go away. */
static void
edit_replace(struct api_call *c, struct edit *e)
{
	const struct items *items = store_items(c->api->store);
	struct items_cursor cur;
	const struct item *it;
	struct items named;
	size_t i;

	items_init(&named);
	for (i = 0; i < e->ch.n; i++)
		items_put(&named, e->ch.c[i].key, "", "");
	for (i = 0; i < json_array_size(json_object_get(c->body, "add")); i++) {
		const char *text = json_string_value(json_array_get(
		    json_object_get(c->body, "add"), i));
		struct entry entry;
		char *key;

		if (entry_parse(&entry, text, strlen(text), NULL) < 0)
			continue;
		key = item_key("entry", entry.text, c->tail);
		items_put(&named, key, "", "");
		free(key);
	}
	for (it = items_first(&cur, items, "entry" ITEM_SEP_S); it != NULL;
	    it = items_next(&cur)) {
		const char *entry;

		if (strcmp(split_pair(it->key, &entry), c->tail) != 0 ||
		    items_get(&named, it->key) != NULL)
			continue;
		change_add(&e->ch, it->key, it, NULL, NULL);
		e->removed++;
	}
	items_fini(&named);
}

void
api_group_edit(struct api_call *c)
{
	const json_t *add = json_object_get(c->body, "add");
	const json_t *del = json_object_get(c->body, "remove");
	struct edit e = { 0 };
	uint64_t version;
	int rc = 0;
	size_t i;

	if (!has_group(store_items(c->api->store), c->tail)) {
		char *key = item_key("group", c->tail, NULL);

		if (api_flag(c, "create"))
			change_add(&e.ch, key, NULL, "{}", MANAGER);
		free(key);
		if (e.ch.n == 0) {
			api_error(c, 404, "not_found",
			    "there is no group \"%s\"", c->tail);
			return;
		}
	}
	for (i = 0; rc == 0 && i < json_array_size(add); i++)
		rc = edit_one(c, &e, json_string_value(json_array_get(add,
		    i)), true);
	for (i = 0; rc == 0 && i < json_array_size(del); i++)
		rc = edit_one(c, &e, json_string_value(json_array_get(del,
		    i)), false);
	if (rc == 0 && api_flag(c, "replace"))
		edit_replace(c, &e);
	if (rc == 0 && api_commit(c, &e.ch, "group", NULL, &version) == 0)
		api_reply(c, json_pack("{s:I, s:I, s:I, s:I}", "version",
		    (json_int_t)version, "added", e.added, "removed",
		    e.removed, "unchanged", e.unchanged));
	change_fini(&e.ch);
}

void
api_group_delete(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	json_t *policies = policies_of(items, c->tail);
	struct change ch = { 0 };
	struct items_cursor cur;
	const struct item *it;
	uint64_t version;

	if (!has_group(items, c->tail))
		api_error(c, 404, "not_found", "there is no group \"%s\"",
		    c->tail);
	else if (json_array_size(policies) > 0)
		api_error(c, 409, "conflict", "policy %s names the group "
		    "\"%s\": change that first", json_string_value(
		    json_array_get(policies, 0)), c->tail);
	else {
		for (it = items_first(&cur, items, ""); it != NULL;
		    it = items_next(&cur)) {
			const char *kind, *a, *b;
			char *mem;

			item_split(it->key, &mem, &kind, &a, &b);
			if ((strcmp(kind, "group") == 0 &&
			    strcmp(a, c->tail) == 0) ||
			    (strcmp(kind, "entry") == 0 &&
			    strcmp(b, c->tail) == 0) ||
			    (strcmp(kind, "nest") == 0 &&
			    (strcmp(a, c->tail) == 0 ||
			    strcmp(b, c->tail) == 0)))
				change_add(&ch, it->key, it, NULL, NULL);
			free(mem);
		}
		if (api_commit(c, &ch, "group rm", NULL, &version) == 0)
			api_reply(c, json_pack("{s:I}", "version",
			    (json_int_t)version));
		change_fini(&ch);
	}
	json_decref(policies);
}

void
api_entry(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	json_t *groups = json_array(), *policies = json_array();
	struct entry entry;
	struct diag why;
	struct items_cursor cur;
	const struct item *it;
	char *prefix;
	size_t k;

	if (entry_parse(&entry, c->tail, strlen(c->tail), &why) < 0) {
		api_error(c, 400, "usage", "\"%s\": %s", c->tail, why.text);
		json_decref(groups);
		json_decref(policies);
		return;
	}
	prefix = item_key("entry", entry.text, "");
	for (it = items_first(&cur, items, prefix); it != NULL;
	    it = items_next(&cur)) {
		const char *group = it->key + strlen(prefix);
		json_t *named = policies_of(items, group), *id;

		json_array_append_new(groups, json_pack("{s:s, s:o}",
		    "group", group, "managers",
		    managers_json(it->managers)));
		json_array_foreach(named, k, id)
			json_array_append(policies, id);
		json_decref(named);
	}
	free(prefix);
	api_reply(c, json_pack("{s:s, s:o, s:o}", "entry", entry.text,
	    "groups", groups, "policies", policies));
}
