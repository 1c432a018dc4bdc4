/*
 * api_entry.c - where an entry stands: in which groups, itself or by a domain
 * or wildcard that covers it, what those groups are nested in, and which
 * policies name it or them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/http/api_group.h"
#include "proto/mail/addr.h"

/* Add the groups that hold name, and theirs, each once. */
static void
add_ancestors(const struct items *items, const char *name, json_t *list)
{
	json_t *parents = api_group_nested(items, name, false), *v, *old;
	size_t i, k;

	json_array_foreach(parents, i, v) {
		bool there = false;

		json_array_foreach(list, k, old)
			there = there || json_equal(old, v);
		if (there)
			continue;
		json_array_append(list, v);
		add_ancestors(items, json_string_value(v), list);
	}
	json_decref(parents);
}

static void
add_policies(const struct items *items, const char *group, json_t *list)
{
	json_t *more = api_group_policies(items, group);

	json_array_extend(list, more);
	json_decref(more);
}

static void
in_groups(const struct items *items, const char *entry, json_t *where)
{
	char *prefix = item_key("entry", entry, "");
	struct items_cursor cur;
	const struct item *it;

	for (it = items_first(&cur, items, prefix); it != NULL;
	    it = items_next(&cur)) {
		const char *group = it->key + strlen(prefix);
		json_t *in = json_array(), *policies = json_array(), *o, *v;
		size_t i;

		add_ancestors(items, group, in);
		add_policies(items, group, policies);
		json_array_foreach(in, i, v)
			add_policies(items, json_string_value(v), policies);
		o = json_pack("{s:s, s:s, s:o, s:o, s:o}", "entry", entry,
		    "group", group, "in", in, "policies", policies,
		    "managers", api_managers(it->managers));
		json_object_update_new(o, json_loads(it->value, 0, NULL));
		json_array_append_new(where, o);
	}
	free(prefix);
}

/* Does a policy's side name the entry itself? */
static bool
names(const json_t *policy, const char *side, const char *entry)
{
	const json_t *target = json_object_get(policy, side);
	const char *domain = json_string_value(json_object_get(target,
	    "domain"));
	const char *address = json_string_value(json_object_get(target,
	    "address"));

	return (domain != NULL && strcmp(domain, entry) == 0) ||
	    (address != NULL && strcmp(address, entry) == 0);
}

static void
in_policies(const struct items *items, const char *entry, json_t *where)
{
	struct items_cursor cur;
	const struct item *it;

	for (it = items_first(&cur, items, "policy" ITEM_SEP_S); it != NULL;
	    it = items_next(&cur)) {
		json_t *p = json_loads(it->value, 0, NULL);

		if (names(p, "from", entry) || names(p, "to", entry))
			json_array_append_new(where, json_pack("{s:s, s:[s], "
			    "s:o}", "entry", entry, "policies", it->key +
			    strlen("policy" ITEM_SEP_S), "managers",
			    api_managers(it->managers)));
		json_decref(p);
	}
}

static void
look_for(const struct items *items, const char *entry, json_t *where)
{
	in_groups(items, entry, where);
	in_policies(items, entry, where);
}

void
api_entry(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	char wild[ADDR_TEXT_MAX + 2];
	const char *domain, *at;
	struct entry entry;
	struct diag why;
	json_t *where;

	if (entry_parse(&entry, c->tail, strlen(c->tail), &why) < 0) {
		api_error(c, 400, "usage", "\"%s\": %s", c->tail, why.text);
		return;
	}
	where = json_array();
	look_for(items, entry.text, where);
	at = strrchr(entry.text, '@');
	domain = entry.kind == ENTRY_ADDRESS && at != NULL ? at + 1 :
	    entry.kind == ENTRY_WILDCARD ? entry.text + 2 : entry.text;
	if (entry.kind == ENTRY_ADDRESS)
		look_for(items, domain, where);
	for (at = strchr(domain, '.'); at != NULL; at = strchr(at + 1, '.')) {
		snprintf(wild, sizeof(wild), "*%s", at);
		look_for(items, wild, where);
	}
	api_reply(c, json_pack("{s:s, s:o}", "entry", entry.text, "where",
	    where));
}
