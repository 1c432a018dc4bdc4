/*
 * api_directory.c - the directory of recipients, part by part: a document is
 * bounded, ten million recipients come as CSV in many requests.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/policy/document.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"

#define MANAGER "cli"

struct edit {
	struct api_call *c;
	struct change ch;
	json_int_t added, changed, removed, unchanged;
};

void
api_directory(struct api_call *c)
{
	struct entry entry;
	struct diag why;
	const struct item *it;
	json_t *o;
	char *key;

	if (entry_parse(&entry, c->tail, strlen(c->tail), &why) < 0) {
		api_error(c, 400, "usage", "\"%s\": %s", c->tail, why.text);
		return;
	}
	key = item_key("directory", entry.text, NULL);
	it = items_get(store_items(c->api->store), key);
	free(key);
	if (it == NULL) {
		api_error(c, 404, "not_found", "%s is not in the directory",
		    entry.text);
		return;
	}
	o = json_pack("{s:s, s:s}", "address", entry.text, "managers",
	    it->managers);
	json_object_update_new(o, json_loads(it->value, 0, NULL));
	api_reply(c, o);
}

/* What another manager holds is changed there, or taken over as a whole. */
static int
check_holder(struct edit *e, const struct item *old, const char *address)
{
	if (old == NULL || strcmp(old->managers, MANAGER) == 0 ||
	    api_flag(e->c, "take_over"))
		return 0;
	api_error(e->c, 409, "conflict", "%s is held by %s: change it there, "
	    "or adopt it with --take-over", address, old->managers);
	return ERR_CONFLICT;
}

static int
put_rows(struct edit *e, const char *csv)
{
	const struct items *force = store_items(e->c->api->store);
	const char *name = api_text(e->c, "name", "the request");
	struct items rows;
	struct items_cursor at;
	const struct item *it;
	struct diag why;
	int rc = document_read_directory(name, csv,
	    (size_t)api_number(e->c, "line", 0), &rows, &why);

	if (rc < 0) {
		api_fail(e->c, ERR_INVAL, &why);
		return rc;
	}
	for (it = items_first(&at, &rows, ""); it != NULL && rc == 0;
	    it = items_next(&at)) {
		const struct item *old = items_get(force, it->key);

		if (old != NULL && strcmp(old->value, it->value) == 0) {
			e->unchanged++;
			continue;
		}
		rc = check_holder(e, old, strchr(it->key, ITEM_SEP) + 1);
		if (rc == 0)
			change_add(&e->ch, it->key, old, it->value, MANAGER);
		e->added += old == NULL;
		e->changed += old != NULL;
	}
	items_fini(&rows);
	return rc;
}

static int
take_out(struct edit *e, const char *text)
{
	const struct item *old;
	struct entry entry;
	struct diag why;
	char *key;
	int rc;

	if (text == NULL || entry_parse(&entry, text, strlen(text),
	    &why) < 0) {
		api_error(e->c, 422, "invalid_policy", "\"%.200s\": %s",
		    text == NULL ? "" : text, text == NULL ?
		    "an address is a text" : why.text);
		return ERR_INVAL;
	}
	key = item_key("directory", entry.text, NULL);
	old = items_get(store_items(e->c->api->store), key);
	rc = check_holder(e, old, entry.text);
	if (rc == 0 && old != NULL) {
		change_add(&e->ch, key, old, NULL, NULL);
		e->removed++;
	} else
		e->unchanged++;
	free(key);
	return rc;
}

void
api_directory_edit(struct api_call *c)
{
	struct edit e = { .c = c };
	const char *csv = api_text(c, "csv", NULL);
	json_t *findings = NULL;
	struct items none;
	uint64_t version;
	const json_t *v;
	size_t i;
	int rc = csv == NULL ? 0 : put_rows(&e, csv);

	if (csv == NULL)
		c->audit.action = "directory.rm";
	json_array_foreach(json_object_get(c->body, "remove"), i, v) {
		if (rc == 0)
			rc = take_out(&e, json_string_value(v));
	}
	items_init(&none);
	if (rc == 0 && e.removed > 0)
		rc = api_lint_change(c, &e.ch, &none, &findings);
	if (rc == 0 && api_commit(c, &e.ch, "directory", NULL, &version) == 0)
		api_reply(c, json_pack("{s:I, s:I, s:I, s:I, s:I}", "version",
		    (json_int_t)version, "added", e.added, "changed",
		    e.changed, "removed", e.removed, "unchanged",
		    e.unchanged));
	json_decref(findings);
	items_fini(&none);
	change_fini(&e.ch);
}
