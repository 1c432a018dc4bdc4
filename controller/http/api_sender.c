/*
 * api_sender.c - managed senders, and revisions.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"

void
api_senders(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	const char *user = httpd_query(c->req, "user");
	const char *sender = httpd_query(c->req, "sender");
	json_t *list = json_array();
	struct items_cursor cur;
	const struct item *it;

	for (it = items_first(&cur, items, "sender" ITEM_SEP_S); it != NULL;
	    it = items_next(&cur)) {
		const char *kind, *a, *b;
		char *mem;
		json_t *o;

		item_split(it->key, &mem, &kind, &a, &b);
		if ((user == NULL || strcmp(user, a) == 0) &&
		    (sender == NULL || strcmp(sender, b) == 0)) {
			o = json_pack("{s:s, s:s, s:s}", "user", a, "entry",
			    b, "managers", it->managers);
			json_object_update_new(o, json_loads(it->value, 0,
			    NULL));
			json_array_append_new(list, o);
		}
		free(mem);
	}
	api_reply(c, json_pack("{s:o}", "senders", list));
}

/* Why this entry may not stand on a user's list, or NULL. */
static const char *
unlistable(const struct records *r, const struct entry *e, bool block)
{
	struct buf key;
	bool free_mail;

	if (e->kind == ENTRY_WILDCARD)
		return "a user's list holds addresses and domains";
	if (!block || e->kind != ENTRY_DOMAIN)
		return NULL;
	buf_init(&key, 0);
	record_key_text(&key, RECORD_FREE_MAIL, e->text);
	free_mail = records_has(r, key.data, key.len);
	buf_fini(&key);
	return free_mail ? "a free-mail domain cannot be blocked as a domain"
	    : NULL;
}

void
api_senders_edit(struct api_call *c)
{
	const struct items *items = store_items(c->api->store);
	const char *action = api_text(c, "action", "");
	const char *manager = strcmp(api_text(c, "as", "cli"), "user") == 0 ?
	    "user" : "cli";
	const json_t *entries = json_object_get(c->body, "entries");
	bool block = strcmp(action, "block") == 0;
	bool remove = strcmp(action, "remove") == 0;
	json_t *skipped = json_array();
	struct change ch = { 0 };
	struct entry user, entry;
	uint64_t version;
	size_t i;

	if ((!block && !remove && strcmp(action, "permit") != 0) ||
	    entry_parse(&user, api_text(c, "user", ""),
	    strlen(api_text(c, "user", "")), NULL) < 0 ||
	    user.kind != ENTRY_ADDRESS) {
		api_error(c, 400, "usage", "\"user\" is an address and "
		    "\"action\" is permit, block or remove");
		json_decref(skipped);
		return;
	}
	for (i = 0; i < json_array_size(entries); i++) {
		const char *text = json_string_value(json_array_get(entries,
		    i)), *reason = NULL;
		const struct item *old;
		struct diag why = { "an entry is a text" };
		char *key;

		if (text == NULL || entry_parse(&entry, text, strlen(text),
		    &why) < 0)
			reason = why.text;
		else if (!remove)
			reason = unlistable(store_records(c->api->store),
			    &entry, block);
		if (reason != NULL) {
			json_array_append_new(skipped, json_pack("{s:s?, "
			    "s:s}", "entry", text, "reason", reason));
			continue;
		}
		key = item_key("sender", user.text, entry.text);
		old = items_get(items, key);
		if (remove ? old != NULL : true)
			change_add(&ch, key, old, remove ? NULL : block ?
			    "{\"manual\":\"block\"}" :
			    "{\"manual\":\"permit\"}",
			    remove ? NULL : manager);
		free(key);
	}
	if (api_commit(c, &ch, "sender", NULL, &version) == 0)
		api_reply(c, json_pack("{s:I, s:I, s:O}", "version",
		    (json_int_t)version, "changed", (json_int_t)ch.n,
		    "skipped", skipped));
	json_decref(skipped);
	change_fini(&ch);
}

static int
revision_json(struct api_call *c, uint64_t version, bool document,
    json_t **out, struct diag *why)
{
	struct buf text;
	int rc;

	buf_init(&text, 0);
	rc = store_revision(c->api->store, version, document, &text, why);
	*out = rc < 0 ? NULL : json_loads(text.data, 0, NULL);
	buf_fini(&text);
	return rc;
}

void
api_revisions(struct api_call *c)
{
	const char *text = httpd_query(c->req, "limit");
	long limit = text == NULL ? 50 : strtol(text, NULL, 10);
	uint64_t v = store_version(c->api->store);
	json_t *list = json_array(), *one;
	struct diag why;

	for (; v > 0 && limit > 0 && limit <= 1000; v--, limit--) {
		json_t *changes;

		if (revision_json(c, v, false, &one, &why) < 0)
			break;
		changes = json_object_get(one, "changes");
		json_object_set_new(one, "changes",
		    json_integer((json_int_t)json_array_size(changes)));
		json_array_append_new(list, one);
	}
	api_reply(c, json_pack("{s:o}", "revisions", list));
}

void
api_revision(struct api_call *c)
{
	const char *document = httpd_query(c->req, "document");
	json_t *o = NULL;
	struct diag why;
	int rc = revision_json(c, strtoull(c->tail, NULL, 10),
	    document != NULL && strcmp(document, "1") == 0, &o, &why);

	if (rc < 0)
		api_fail(c, rc, &why);
	else
		api_reply(c, o);
}
