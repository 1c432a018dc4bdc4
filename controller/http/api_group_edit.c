/*
 * api_group_edit.c - entries put into a profile group and taken out of it.
 *
 * An edit changes its own manager's hold (cli or console).  What another
 * manager holds too stays in force, so taking it out is refused unless
 * take_over says that the other's hold goes as well.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/policy/listable.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#define SHRINK_PERCENT 20
#define SUMMARY_MAX 1000	/* lines */

struct edit {
	struct api_call *c;
	const char *manager;
	const char *comment;		/* or NULL */
	char until[CLOCK_TEXT_LEN];	/* "": no end */
	struct items named;		/* keys to put in */
	struct change ch;
	json_int_t added, updated, removed, unchanged;
};

/* An answered error is ERR_INVAL or ERR_CONFLICT. */
static int
read_until(struct edit *e)
{
	const char *until = api_text(e->c, "until", NULL);
	const char *span = api_text(e->c, "for", NULL);
	int64_t at, now = clock_wall_us();
	uint64_t ms;

	if (span != NULL && clock_parse_duration(span, &ms) == 0)
		at = now + (int64_t)ms * 1000;
	else if (span == NULL && until == NULL)
		return 0;
	else if (span != NULL || clock_parse(until, &at) < 0 || at <= now) {
		api_error(e->c, 400, "usage", span != NULL ? "for is a time "
		    "such as 30d or 12h" : "until is a time to come, such as "
		    "2030-01-31 or 2030-01-31T12:00:00Z");
		return ERR_INVAL;
	}
	clock_format(at, e->until);
	return 0;
}

static int
parse_entry(struct edit *e, const char *text, struct entry *entry)
{
	struct diag why;

	if (entry_parse(entry, text, strlen(text), &why) == 0)
		return 0;
	api_error(e->c, 422, "invalid_policy", "\"%.200s\": %s; nothing was "
	    "changed", text, why.text);
	return ERR_INVAL;
}

/* The value of an entry put in: what it had, with this edit's words.  Where
 * others hold it without an end, it has none. */
static char *
new_value(const struct edit *e, const struct item *old, bool others)
{
	json_t *o = old == NULL ? json_object() : json_loads(old->value, 0,
	    NULL);
	char *text;

	if (e->comment != NULL)
		json_object_set_new(o, "comment", json_string(e->comment));
	if (e->until[0] == '\0')
		json_object_del(o, "until");
	else if (!others || json_object_get(o, "until") != NULL)
		json_object_set_new(o, "until", json_string(e->until));
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
	return text;
}

static void
put_entry(struct edit *e, const char *key)
{
	const struct item *old = items_get(store_items(e->c->api->store),
	    key);
	bool others = old != NULL && strcmp(old->managers, e->manager) != 0;
	char *value = new_value(e, old, others);
	char *managers = managers_edit(old == NULL ? "" : old->managers,
	    e->manager, NULL);

	if (old == NULL)
		e->added++;
	else if (strcmp(old->value, value) == 0 &&
	    strcmp(old->managers, managers) == 0)
		e->unchanged++;
	else
		e->updated++;
	if (old == NULL || strcmp(old->value, value) != 0 ||
	    strcmp(old->managers, managers) != 0)
		change_add(&e->ch, key, old, value, managers);
	free(managers);
	free(value);
}

static int
take_entry(struct edit *e, const char *key)
{
	const struct item *old = items_get(store_items(e->c->api->store),
	    key);
	char name[300];

	if (old == NULL) {
		e->unchanged++;
		return 0;
	}
	if (strcmp(old->managers, e->manager) != 0 &&
	    !api_flag(e->c, "take_over")) {
		item_key_show(key, name, sizeof(name));
		api_error(e->c, 409, "conflict", "%s is held by %s: take it "
		    "out there, or remove it all the same with --take-over; "
		    "nothing was changed", name, old->managers);
		return ERR_CONFLICT;
	}
	change_add(&e->ch, key, old, NULL, NULL);
	e->removed++;
	return 0;
}

/* Was this word among the body's "accept"? */
static bool
accepted(const struct edit *e, const char *word)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(e->c->body, "accept"), i, v)
		if (strcmp(json_string_value(v), word) == 0)
			return true;
	return false;
}

static int __attribute__((format(printf, 3, 4)))
refuse(struct edit *e, const char *word, const char *fmt, ...)
{
	char text[500];
	va_list ap;

	if (accepted(e, word))
		return 0;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	api_error(e->c, 409, "conflict", "%s: if that is meant, say --accept "
	    "%s", text, word);
	return ERR_CONFLICT;
}

/* A list that comes from elsewhere may hold what nobody meant to block. */
static int
check_named(struct edit *e)
{
	const struct records *r = store_records(e->c->api->store);
	struct items_cursor cur;
	const struct item *it;
	int rc = 0;

	if (items_n(&e->named) == 0)
		return refuse(e, "empty", "the list is empty");
	for (it = items_first(&cur, &e->named, ""); it != NULL && rc == 0;
	    it = items_next(&cur)) {
		struct entry entry;

		if (entry_parse(&entry, it->value, strlen(it->value),
		    NULL) < 0)
			continue;
		if (entry_is_internal(r, &entry))
			rc = refuse(e, "internal", "the list holds %s, which "
			    "is internal", entry.text);
		else if (entry_is_free_mail(r, &entry))
			rc = refuse(e, "free-mail", "the list holds the "
			    "free-mail domain %s", entry.text);
	}
	return rc;
}

/* This manager's entries that are not named go away. */
static int
replace(struct edit *e)
{
	const struct items *items = store_items(e->c->api->store);
	struct items_cursor cur;
	const struct item *it;
	size_t had = 0, gone = 0;

	for (it = items_first(&cur, items, "entry" ITEM_SEP_S); it != NULL;
	    it = items_next(&cur)) {
		char *rest;

		if (strcmp(strrchr(it->key, ITEM_SEP) + 1, e->c->tail) != 0 ||
		    !managers_hold(it->managers, e->manager))
			continue;
		had++;
		if (items_get(&e->named, it->key) != NULL)
			continue;
		rest = managers_edit(it->managers, NULL, e->manager);
		change_add(&e->ch, it->key, it, rest[0] == '\0' ? NULL :
		    it->value, rest[0] == '\0' ? NULL : rest);
		free(rest);
		gone++;
	}
	e->removed += (json_int_t)gone;
	if (!api_flag(e->c, "import") || gone * 100 <= had * SHRINK_PERCENT)
		return 0;
	return refuse(e, "shrink", "the list lacks %zu of the %zu entries "
	    "that are there", gone, had);
}

static int
plan(struct edit *e)
{
	const json_t *v;
	struct items_cursor cur;
	const struct item *it;
	struct entry entry;
	int rc = read_until(e);
	char *key;
	size_t i;

	json_array_foreach(json_object_get(e->c->body, "add"), i, v) {
		if (rc < 0 || (rc = parse_entry(e, json_string_value(v),
		    &entry)) < 0)
			return rc;
		key = item_key("entry", entry.text, e->c->tail);
		items_put(&e->named, key, entry.text, "");
		free(key);
	}
	if (rc == 0 && api_flag(e->c, "import"))
		rc = check_named(e);
	for (it = items_first(&cur, &e->named, ""); it != NULL && rc == 0;
	    it = items_next(&cur))
		put_entry(e, it->key);
	json_array_foreach(json_object_get(e->c->body, "remove"), i, v) {
		if (rc < 0 || (rc = parse_entry(e, json_string_value(v),
		    &entry)) < 0)
			return rc;
		key = item_key("entry", entry.text, e->c->tail);
		rc = take_entry(e, key);
		free(key);
	}
	if (rc == 0 && api_flag(e->c, "replace"))
		rc = replace(e);
	return rc;
}

/* The group itself, when it is not there yet and "create" says so. */
static int
plan_group(struct edit *e)
{
	char *key = item_key("group", e->c->tail, NULL);
	int rc = 0;

	if (items_get(store_items(e->c->api->store), key) == NULL) {
		if (api_flag(e->c, "create"))
			change_add(&e->ch, key, NULL, "{}", e->manager);
		else {
			api_error(e->c, 404, "not_found", "there is no group "
			    "\"%s\"; %s", e->c->tail, json_object_get(
			    e->c->body, "add") != NULL ? "--create makes it" :
			    "\"group ls\" lists them");
			rc = ERR_NOENT;
		}
	}
	free(key);
	return rc;
}

static void
answer(struct edit *e, uint64_t version)
{
	struct buf text;

	buf_init(&text, 0);
	if (e->ch.n <= SUMMARY_MAX)
		change_print(&e->ch, &text);
	api_reply(e->c, json_pack("{s:I, s:I, s:I, s:I, s:I, s:s}",
	    "version", (json_int_t)version, "added", e->added, "updated",
	    e->updated, "removed", e->removed, "unchanged", e->unchanged,
	    "summary", text.len == 0 ? "" : text.data));
	buf_fini(&text);
}

void
api_group_edit(struct api_call *c)
{
	struct edit e = { .c = c, .comment = api_text(c, "comment", NULL) };
	uint64_t version;

	if ((e.manager = api_manager(c, "console")) == NULL)
		return;
	if (api_flag(c, "import"))
		c->audit.action = "group.import";
	else if (json_object_get(c->body, "add") == NULL)
		c->audit.action = "group.rm";
	items_init(&e.named);
	if (plan_group(&e) == 0 && plan(&e) == 0 &&
	    api_commit(c, &e.ch, "group", NULL, &version) == 0)
		answer(&e, version);
	items_fini(&e.named);
	change_fini(&e.ch);
}
