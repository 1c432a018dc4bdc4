/*
 * api_allow.c - the change that lets a refused message in next time.
 *
 * Nothing is decided here: the remedies of explain were simulated and flip
 * the verdict under the policy in force; one of them is made, held by the
 * manager "allow", for 90 days unless said otherwise.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/http/api_message.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#define MANAGER "allow"
#define FOR_DEFAULT "90d"

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

static void
add_entry(const struct items *force, const json_t *remedy, const char *id,
    const char *until, struct change *ch)
{
	char *group = item_key("group", text(remedy, "group"), NULL);
	char *key = item_key("entry", text(remedy, "entry"),
	    text(remedy, "group"));
	const struct item *old = items_get(force, key);
	char *managers = managers_edit(old == NULL ? "" : old->managers,
	    MANAGER, NULL);
	json_t *o = json_pack("{s:o, s:s}", "comment",
	    json_sprintf("message %s", id), "until", until);
	char *value = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

	if (items_get(force, group) == NULL)
		change_add(ch, group, NULL, "{}", MANAGER);
	change_add(ch, key, old, value, managers);
	json_decref(o);
	free(value);
	free(managers);
	free(group);
	free(key);
}

static void
add_policy(const struct items *force, const json_t *remedy, const char *id,
    const char *until, struct change *ch)
{
	json_t *p = json_deep_copy(json_object_get(remedy, "policy"));
	char *key = item_key("policy", text(p, "id"), NULL), *value;

	json_object_del(p, "id");
	json_object_set_new(p, "valid", json_pack("{s:s}", "until", until));
	json_object_set_new(p, "comment", json_sprintf("message %s", id));
	value = json_dumps(p, JSON_COMPACT | JSON_SORT_KEYS);
	change_add(ch, key, items_get(force, key), value, MANAGER);
	json_decref(p);
	free(value);
	free(key);
}

/* A user's entry becomes a permit, or goes but for what was learned. */
static void
change_user_entry(const struct items *force, const json_t *remedy,
    bool permit, struct change *ch)
{
	char *key = item_key("sender", text(remedy, "user"),
	    text(remedy, "entry")), *value = NULL;
	const struct item *old = items_get(force, key);
	json_t *v = old == NULL ? json_object() : json_loads(old->value, 0,
	    NULL);

	json_object_del(v, "manual");
	if (permit)
		json_object_set_new(v, "manual", json_string("permit"));
	if (json_object_size(v) > 0)
		value = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
	if (old != NULL || value != NULL)
		change_add(ch, key, old, value, value == NULL ? NULL :
		    old == NULL ? MANAGER : old->managers);
	json_decref(v);
	free(value);
	free(key);
}

/* The recipient is there and enabled; what else is known of it stays. */
static void
enable_recipient(const struct items *force, const json_t *remedy,
    struct change *ch)
{
	char *key = item_key("directory", text(remedy, "address"), NULL);
	const struct item *old = items_get(force, key);
	json_t *v = old == NULL ? json_object() : json_loads(old->value, 0,
	    NULL);
	char *value;

	json_object_set_new(v, "enabled", json_true());
	value = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
	change_add(ch, key, old, value, old == NULL ? MANAGER :
	    old->managers);
	json_decref(v);
	free(value);
	free(key);
}

/* Plan one remedy; false: its kind is not a change of the policy that is made
 * from here. */
static bool
plan(const struct items *force, const json_t *remedy, const char *id,
    const char *until, struct change *ch, bool *ends)
{
	const char *kind = text(remedy, "kind");

	*ends = strcmp(kind, "group_entry") == 0 ||
	    strcmp(kind, "take_no_action") == 0;
	if (strcmp(kind, "group_entry") == 0)
		add_entry(force, remedy, id, until, ch);
	else if (strcmp(kind, "take_no_action") == 0)
		add_policy(force, remedy, id, until, ch);
	else if (strcmp(kind, "remove_user_entry") == 0)
		change_user_entry(force, remedy, false, ch);
	else if (strcmp(kind, "permit_user_entry") == 0)
		change_user_entry(force, remedy, true, ch);
	else if (strcmp(kind, "directory_add") == 0 ||
	    strcmp(kind, "directory_enable") == 0)
		enable_recipient(force, remedy, ch);
	return ch->n > 0;
}

/* The remedy asked for, or the first; NULL, answered, when there is none. */
static const json_t *
choose(struct api_call *c, const json_t *explained, const char *id)
{
	const json_t *list = json_object_get(explained, "remedies");
	json_int_t which = api_number(c, "remedy", 1);

	if (strcmp(text(explained, "verdict"), "accept") == 0)
		api_error(c, 409, "conflict", "the policy in force lets "
		    "message %s in already: ask the sender to send it again",
		    id);
	else if (json_array_size(list) == 0)
		api_error(c, 409, "conflict", "no change of a group or a "
		    "policy would let message %s in; \"message show %s\" says "
		    "why it is refused", id, id);
	else if (which < 1 || (size_t)which > json_array_size(list))
		api_error(c, 400, "usage", "remedy is a number from 1 to %zu",
		    json_array_size(list));
	else
		return json_array_get(list, (size_t)which - 1);
	return NULL;
}

void
api_message_allow(struct api_call *c)
{
	const struct items *force = store_items(c->api->store);
	struct change ch = { 0 };
	char until[CLOCK_TEXT_LEN], id[REPLY_ID_LEN + 1];
	const json_t *remedy;
	json_t *o = NULL, *more;
	uint64_t version, ms;
	bool ends;

	if (clock_parse_duration(api_text(c, "for", FOR_DEFAULT), &ms) < 0) {
		api_error(c, 400, "usage", "for is a time such as 90d");
		return;
	}
	if ((o = api_message_explained(c, id)) == NULL ||
	    (remedy = choose(c, json_object_get(o, "explain"), id)) == NULL) {
		json_decref(o);
		return;
	}
	clock_format(clock_wall_us() + (int64_t)ms * 1000, until);
	if (!plan(force, remedy, id, until, &ch, &ends))
		api_error(c, 409, "conflict", "that is not done from here: "
		    "%s", text(remedy, "text"));
	else if (api_commit(c, &ch, "allow", NULL, &version) == 0) {
		more = json_pack("{s:O}", "remedy", remedy);
		if (ends)
			json_object_set_new(more, "until",
			    json_string(until));
		api_reply_change(c, &ch, version, more);
	}
	change_fini(&ch);
	json_decref(o);
}
