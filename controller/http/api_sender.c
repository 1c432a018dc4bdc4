/*
 * api_sender.c - managed senders: lists, changes in batches, and which
 * senders are refused most.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/messages/messages.h"
#include "controller/policy/listable.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#define PAGE 1000
#define PAGE_MAX 10000
#define WALK_MAX 200000	/* items that one page looks at */
#define TOP_DAYS 7
#define TOP_MAX 1000
#define DAY_US ((int64_t)86400 * 1000000)

static json_t *
sender_json(const struct item *it, const char *user, const char *entry)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "user", user, "entry",
	    entry, "managers", it->managers);

	json_object_update_new(o, json_loads(it->value, 0, NULL));
	return o;
}

/* A user's address as items name it, or text itself when it is none. */
static void
canonical(const char *text, char out[ADDR_TEXT_MAX])
{
	struct entry e;

	if (entry_parse(&e, text, strlen(text), NULL) == 0)
		text = e.text;
	snprintf(out, ADDR_TEXT_MAX, "%s", text);
}

/* Where the walk begins: all, one user, or behind the page before, whose
 * "next" is "USER ENTRY" (neither holds a blank). */
static char *
begin(const char *user, const char *after, char **prefix)
{
	const char *blank = after == NULL ? NULL : strrchr(after, ' ');
	char *last_user, *from;

	*prefix = user[0] == '\0' ? item_key("sender", "", NULL) :
	    item_key("sender", user, "");
	if (blank == NULL)
		return xstrdup(*prefix);
	last_user = xstrdup(after);
	last_user[blank - after] = '\0';
	from = item_key("sender", last_user, blank + 1);
	free(last_user);
	return from;
}

void
api_senders(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	const char *after = httpd_query(c->req, "after");
	char user[ADDR_TEXT_MAX], sender[ADDR_TEXT_MAX], *prefix, *from;
	json_t *list, *o, *next = NULL;
	struct items_cursor cur;
	const struct item *it;
	json_int_t limit;
	size_t seen = 0;

	if (!api_query_number(c, "limit", PAGE, PAGE_MAX, &limit))
		return;
	canonical(api_text(c, "user", ""), user);
	canonical(api_text(c, "sender", ""), sender);
	list = json_array();
	from = begin(user, after, &prefix);
	for (it = items_from(&cur, items, prefix, from); it != NULL;
	    it = items_next(&cur)) {
		const char *kind, *a, *b;
		char *mem;

		item_split(it->key, &mem, &kind, &a, &b);
		if (strcmp(it->key, from) != 0 && (sender[0] == '\0' ||
		    strcmp(sender, b) == 0))
			json_array_append_new(list, sender_json(it, a, b));
		if (++seen >= WALK_MAX ||
		    (json_int_t)json_array_size(list) >= limit)
			next = json_sprintf("%s %s", a, b);
		free(mem);
		if (next != NULL)
			break;
	}
	o = json_pack("{s:o}", "senders", list);
	if (next != NULL)
		json_object_set_new(o, "next", next);
	api_reply(c, o);
	free(prefix);
	free(from);
}

struct edit {
	struct api_call *c;
	const char *manager;
	struct items wanted;	/* what becomes of each key; "" is removed */
	json_t *skipped;
	json_int_t unchanged;
};

static void
skip(struct edit *e, const char *user, const char *text, const char *reason)
{
	json_array_append_new(e->skipped, json_pack("{s:s?, s:s?, s:s}",
	    "user", user, "entry", text, "reason", reason));
}

/* One row; what may not be listed is skipped and named. */
static void
edit_one(struct edit *e, const char *user_text, const char *action,
    const char *text)
{
	const struct store *s = e->c->api->store;
	bool block = action != NULL && strcmp(action, "block") == 0;
	bool remove = action != NULL && strcmp(action, "remove") == 0;
	struct entry user, entry;
	const char *reason = NULL;
	struct diag why = { "an entry is a text" };
	char *key;

	if (action == NULL || (!block && !remove &&
	    strcmp(action, "permit") != 0))
		reason = "the action is permit, block or remove";
	else if (user_text == NULL || entry_parse(&user, user_text,
	    strlen(user_text), NULL) < 0 || user.kind != ENTRY_ADDRESS)
		reason = "the user is an address";
	else if (text == NULL || entry_parse(&entry, text, strlen(text),
	    &why) < 0)
		reason = why.text;
	else if (!remove)
		reason = unlistable(store_items(s), store_records(s), &entry,
		    block);
	if (reason != NULL) {
		skip(e, user_text, text, reason);
		return;
	}
	key = item_key("sender", user.text, entry.text);
	items_put(&e->wanted, key, remove ? "" : block ?
	    "{\"manual\":\"block\"}" : "{\"manual\":\"permit\"}", e->manager);
	free(key);
}

/* What documents and feeds put there is changed there. */
static bool
is_elsewhere(const struct edit *e, const struct item *old)
{
	return (strncmp(old->managers, "file:", 5) == 0 ||
	    strncmp(old->managers, "feed:", 5) == 0) &&
	    !api_flag(e->c, "take_over");
}

static void
skip_held(struct edit *e, const struct item *old)
{
	const char *kind, *user, *entry;
	char *mem, reason[300];

	item_split(old->key, &mem, &kind, &user, &entry);
	snprintf(reason, sizeof(reason), "it is held by %.100s: change it "
	    "there, or adopt it with --take-over", old->managers);
	skip(e, user, entry, reason);
	free(mem);
}

static void
plan(struct edit *e, struct change *ch)
{
	const struct items *items = store_items(e->c->api->store);
	struct items_cursor cur;
	const struct item *it;

	for (it = items_first(&cur, &e->wanted, ""); it != NULL;
	    it = items_next(&cur)) {
		const struct item *old = items_get(items, it->key);
		bool gone = it->value[0] == '\0';

		if (gone ? old == NULL : old != NULL &&
		    strcmp(old->value, it->value) == 0)
			e->unchanged++;
		else if (old != NULL && is_elsewhere(e, old))
			skip_held(e, old);
		else
			change_add(ch, it->key, old, gone ? NULL : it->value,
			    gone ? NULL : it->managers);
	}
}

/* Either one user's entries, or rows of {user, action, entry}. */
static int
read_rows(struct edit *e)
{
	const json_t *rows = json_object_get(e->c->body, "rows"), *v;
	const char *user = api_text(e->c, "user", NULL);
	const char *action = api_text(e->c, "action", NULL);
	size_t i;

	if (rows == NULL && (user == NULL || action == NULL ||
	    (strcmp(action, "permit") != 0 && strcmp(action, "block") != 0 &&
	    strcmp(action, "remove") != 0))) {
		api_error(e->c, 400, "usage", "\"user\" is an address and "
		    "\"action\" is permit, block or remove; or give \"rows\"");
		return ERR_INVAL;
	}
	if (action != NULL)
		e->c->audit.action = action[0] == 'p' ? "sender.permit" :
		    action[0] == 'b' ? "sender.block" : "sender.rm";
	e->c->audit.object = user;
	json_array_foreach(json_object_get(e->c->body, "entries"), i, v)
		edit_one(e, user, action, json_string_value(v));
	json_array_foreach(rows, i, v)
		edit_one(e, json_string_value(json_object_get(v, "user")),
		    json_string_value(json_object_get(v, "action")),
		    json_string_value(json_object_get(v, "entry")));
	return 0;
}

void
api_senders_edit(struct api_call *c)
{
	struct edit e = { .c = c };
	struct change ch = { 0 };
	uint64_t before = store_version(c->api->store), version;
	json_t *o;

	if ((e.manager = api_manager(c, "user")) == NULL)
		return;
	items_init(&e.wanted);
	e.skipped = json_array();
	if (read_rows(&e) == 0) {
		plan(&e, &ch);
		if (api_commit(c, &ch, "sender", NULL, &version) == 0) {
			o = json_pack("{s:I, s:I, s:I, s:O}", "version",
			    (json_int_t)version, "changed", (json_int_t)ch.n,
			    "unchanged", e.unchanged, "skipped", e.skipped);
			if (version != before)
				json_object_set_new(o, "batch",
				    json_integer((json_int_t)version));
			api_reply(c, o);
		}
	}
	change_fini(&ch);
	items_fini(&e.wanted);
	json_decref(e.skipped);
}

void
api_senders_top(struct api_call *c)
{
	json_int_t days, limit;
	char since[CLOCK_TEXT_LEN], last[CLOCK_TEXT_LEN];
	struct message_top *top;
	struct diag why;
	json_t *list;
	int64_t from;
	size_t i, n;
	int rc;

	if (!api_query_number(c, "days", TOP_DAYS, 3650, &days) ||
	    !api_query_number(c, "limit", 20, TOP_MAX, &limit))
		return;
	from = clock_wall_us() - days * DAY_US;
	top = xcalloc((size_t)limit, sizeof(*top));
	rc = messages_top(c->api->messages, from, top, (size_t)limit, &n,
	    &why);
	if (rc < 0) {
		free(top);
		api_fail(c, rc, &why);
		return;
	}
	list = json_array();
	for (i = 0; i < n; i++) {
		clock_format(top[i].last_us, last);
		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s}",
		    "sender", top[i].sender, "users",
		    (json_int_t)top[i].users, "rejections",
		    (json_int_t)top[i].rejections, "last", last));
	}
	free(top);
	clock_format(from, since);
	api_reply(c, json_pack("{s:o, s:s}", "top", list, "since", since));
}
