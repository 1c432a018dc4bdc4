/*
 * api_policies.c - single policies: list, show, add, change, remove, and how
 * often each refused.
 *
 * What a request says of a policy is put over what stands there, key by key,
 * and goes through the reader of documents: a policy that came by the API is
 * what the same text in a file would be.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/messages/messages.h"
#include "controller/policy/document.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#define PAGE 1000
#define PAGE_MAX 10000
#define DAYS 90
#define DAY_US ((int64_t)86400 * 1000000)
#define ROWS_MAX 200000		/* of the message center, for one answer */
#define PREFIX "policy" ITEM_SEP_S

static json_t *
policy_json(const struct item *it)
{
	json_t *o = json_pack("{s:s}", "id", it->key + strlen(PREFIX));

	json_object_update_new(o, json_loads(it->value, 0, NULL));
	json_object_set_new(o, "managers", api_managers(it->managers));
	return o;
}

static const struct item *
find(struct api_call *c)
{
	char *key = item_key("policy", c->tail, NULL);
	const struct item *it = items_get(store_items(c->api->store), key);

	free(key);
	return it;
}

static void
not_found(struct api_call *c)
{
	api_error(c, 404, "not_found", "there is no policy \"%s\"; \"policy "
	    "ls\" lists them", c->tail);
}

void
api_policies(struct api_call *c)
{
	const char *after = httpd_query(c->req, "after"), *id = NULL;
	char *from = item_key("policy", after == NULL ? "" : after, NULL);
	json_t *list = json_array(), *o;
	struct items_cursor at;
	const struct item *it = NULL;
	json_int_t limit, n = 0;

	if (api_query_number(c, "limit", PAGE, PAGE_MAX, &limit)) {
		for (it = items_from(&at, store_items(c->api->store), PREFIX,
		    from); it != NULL && n < limit; it = items_next(&at)) {
			if (after != NULL && strcmp(it->key, from) == 0)
				continue;
			json_array_append_new(list, policy_json(it));
			id = it->key + strlen(PREFIX);
			n++;
		}
		o = json_pack("{s:O}", "policies", list);
		if (it != NULL)
			json_object_set_new(o, "next", json_string(id));
		api_reply(c, o);
	}
	json_decref(list);
	free(from);
}

void
api_policy(struct api_call *c)
{
	const struct item *it = find(c);

	if (it == NULL)
		not_found(c);
	else
		api_reply(c, policy_json(it));
}

/* Put what over says onto p: null takes a key out, and the two ends of the
 * validity are keys of their own. */
static void
put_over(json_t *p, const json_t *over)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)over, key, v) {
		json_t *old = json_object_get(p, key);

		if (json_is_null(v))
			json_object_del(p, key);
		else if (strcmp(key, "valid") == 0 && json_is_object(v) &&
		    json_is_object(old))
			put_over(old, v);
		else
			json_object_set_new(p, key, json_deep_copy(v));
	}
}

/*
 * The policy as the reader of documents takes it, into *out.  ERR_INVAL,
 * answered: what is wrong, without the place in a text that nobody wrote.
 */
static int
read_policy(struct api_call *c, json_t *p, struct items *out)
{
	struct document doc = { .name = "policy" };
	const char *reason;
	struct diag why;
	json_t *whole;
	char *text;
	int rc;

	json_object_set_new(p, "id", json_string(c->tail));
	whole = json_pack("{s:[O]}", "policies", p);
	text = json_dumps(whole, 0);
	json_decref(whole);
	doc.text = text;
	doc.len = strlen(text);
	rc = document_read(&doc, 1, NULL, NULL, out, &why);
	free(text);
	if (rc == 0)
		return 0;
	reason = strstr(why.text, ": ");
	api_error(c, 422, "invalid_policy", "policy %s: %s", c->tail,
	    reason == NULL ? why.text : reason + 2);
	return rc;
}

/* Whether this call may change it; why not was answered. */
static bool
may_change(struct api_call *c, const struct item *it, const char *manager)
{
	if (it == NULL || strcmp(it->managers, manager) == 0 ||
	    api_flag(c, "take_over"))
		return true;
	api_error(c, 409, "conflict", "policy %s is held by %s: change it "
	    "there, or adopt it with --take-over", c->tail, it->managers);
	return false;
}

/* The change to what the call wants; false: why not was answered. */
static bool
plan(struct api_call *c, const struct item *old, const char *manager,
    struct change *ch)
{
	json_t *p = old == NULL ? json_object() : json_loads(old->value, 0,
	    NULL);
	const struct item *now;
	struct items_cursor at;
	struct items read;
	int rc;

	put_over(p, json_object_get(c->body, "policy"));
	if ((rc = read_policy(c, p, &read)) == 0) {
		now = items_first(&at, &read, PREFIX);
		if (old == NULL || strcmp(old->value, now->value) != 0 ||
		    strcmp(old->managers, manager) != 0)
			change_add(ch, now->key, old, now->value, manager);
		items_fini(&read);
	}
	json_decref(p);
	return rc == 0;
}

/* Commit with what lint says of it, and answer. */
static void
commit(struct api_call *c, const struct change *ch, const char *action)
{
	json_t *findings = NULL;
	struct items none;
	uint64_t version;

	items_init(&none);
	if (api_lint_change(c, ch, &none, &findings) == 0 &&
	    api_commit(c, ch, action, NULL, &version) == 0)
		api_reply_change(c, ch, version, json_pack("{s:O}",
		    "findings", findings));
	json_decref(findings);
	items_fini(&none);
}

void
api_policy_edit(struct api_call *c)
{
	const struct item *old = find(c);
	const char *manager = api_manager(c, "console");
	struct change ch = { 0 };

	if (manager == NULL)
		return;
	if (api_flag(c, "create"))
		c->audit.action = "policy.add";
	if (old == NULL && !api_flag(c, "create"))
		not_found(c);
	else if (old != NULL && api_flag(c, "create"))
		api_error(c, 409, "conflict", "there is a policy \"%s\" "
		    "already; \"policy set\" changes it", c->tail);
	else if (may_change(c, old, manager) && plan(c, old, manager, &ch))
		commit(c, &ch, "policy");
	change_fini(&ch);
}

void
api_policy_delete(struct api_call *c)
{
	const struct item *old = find(c);
	struct change ch = { 0 };

	if (old == NULL)
		not_found(c);
	else if (may_change(c, old, "cli")) {
		change_add(&ch, old->key, old, NULL, NULL);
		commit(c, &ch, "policy rm");
	}
	change_fini(&ch);
}

/* --- hits --------------------------------------------------------------- */

static void
count(json_t *hits, const char *policy, const char *key)
{
	json_t *o = json_object_get(hits, policy), *n;

	if (policy[0] == '\0' || o == NULL)
		return;
	n = json_object_get(o, key);
	json_integer_set(n, json_integer_value(n) + 1);
}

static void
on_row(void *arg, const struct message *row)
{
	const struct event *e = &row->event;
	char text[CLOCK_TEXT_LEN];
	json_t *hits = arg, *o = json_object_get(hits, e->policy);

	count(hits, e->policy, message_status(e) == STATUS_OBSERVED ?
	    "observed" : "refused");
	if (e->has_would)
		count(hits, e->would_policy, "would");
	/* rows come newest first */
	if (o != NULL && json_object_get(o, "last") == NULL) {
		clock_format(e->time_us, text);
		json_object_set_new(o, "last", json_string(text));
	}
}

void
api_policy_hits(struct api_call *c)
{
	struct message_query q = { .limit = MESSAGES_LIMIT_MAX };
	struct message_found found = { .next = "" };
	char since[CLOCK_TEXT_LEN], cursor[MESSAGES_CURSOR_LEN + 1];
	json_t *hits = json_object(), *list = json_array(), *o;
	struct items_cursor at;
	const struct item *it;
	const char *id;
	struct diag why;
	json_int_t days, rows = 0;
	int rc = ERR_INVAL;

	for (it = items_first(&at, store_items(c->api->store), PREFIX);
	    it != NULL; it = items_next(&at))
		json_object_set_new(hits, it->key + strlen(PREFIX),
		    json_pack("{s:s, s:i, s:i, s:i}", "policy", it->key +
		    strlen(PREFIX), "refused", 0, "observed", 0, "would", 0));
	if (api_query_number(c, "days", DAYS, 3650, &days)) {
		q.since_us = clock_wall_us() - days * DAY_US;
		do {
			rc = messages_search(c->api->messages, &q, on_row,
			    hits, &found, &why);
			rows += (json_int_t)found.searched;
			memcpy(cursor, found.next, sizeof(cursor));
			q.before = cursor;
		} while (rc == 0 && found.next[0] != '\0' && rows < ROWS_MAX);
		if (rc < 0)
			api_fail(c, rc, &why);
	}
	if (rc == 0) {
		json_object_foreach(hits, id, o)
			json_array_append(list, o);
		clock_format(q.since_us, since);
		api_reply(c, json_pack("{s:O, s:s, s:I, s:b}", "hits", list,
		    "since", since, "searched", rows, "whole",
		    found.next[0] == '\0'));
	}
	json_decref(list);
	json_decref(hits);
}
