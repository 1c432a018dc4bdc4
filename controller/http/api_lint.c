/*
 * api_lint.c - findings on the policy in force and on a change of it; export.
 *
 * "Unused" needs two things that only a controller has: which policies the
 * message center saw decide something, and which were made or changed so
 * lately that their silence says nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/messages/messages.h"
#include "controller/policy/export.h"
#include "controller/policy/lint.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#define USAGE_US ((int64_t)90 * 86400 * 1000000)
#define REVISIONS_MAX 1000	/* looked through for young policies */
#define ROWS_MAX 200000		/* of the message center */

struct usage {
	json_t *used, *young;	/* objects with policy ids as keys */
	bool whole;		/* both are complete */
};

static void
on_row(void *arg, const struct message *row)
{
	struct usage *u = arg;

	if (row->event.policy[0] != '\0')
		json_object_set_new(u->used, row->event.policy, json_true());
}

/* Which policies refused something since then. */
static void
find_used(struct api_call *c, int64_t since_us, struct usage *u)
{
	struct message_query q = { .since_us = since_us,
	    .limit = MESSAGES_LIMIT_MAX };
	struct message_found found = { .next = "" };
	char cursor[MESSAGES_CURSOR_LEN + 1];
	size_t rows = 0;
	struct diag why;

	do {
		if (messages_search(c->api->messages, &q, on_row, u, &found,
		    &why) < 0) {
			u->whole = false;
			return;
		}
		rows += found.searched;
		memcpy(cursor, found.next, sizeof(cursor));
		q.before = cursor;
	} while (found.next[0] != '\0' && rows < ROWS_MAX);
	u->whole = u->whole && found.next[0] == '\0';
}

static void
add_young(struct usage *u, const json_t *revision)
{
	const json_t *change;
	size_t i;

	json_array_foreach(json_object_get(revision, "changes"), i, change) {
		const char *kind = json_string_value(json_object_get(change,
		    "kind"));
		const char *id = json_string_value(json_object_get(change,
		    "name"));

		if (kind != NULL && id != NULL && strcmp(kind, "policy") == 0)
			json_object_set_new(u->young, id, json_true());
	}
}

/* The policies that were made or changed since then. */
static void
find_young(struct api_call *c, int64_t since_us, struct usage *u)
{
	uint64_t v = store_version(c->api->store);
	struct diag why;
	int n;

	for (n = 0; v > 0; v--, n++) {
		json_t *revision;
		struct buf text;
		int64_t at = 0;
		const char *time;

		if (n == REVISIONS_MAX) {
			u->whole = false;
			return;
		}
		buf_init(&text, 0);
		if (store_revision(c->api->store, v, false, &text, &why) < 0)
			u->whole = false;
		revision = json_loads(text.data == NULL ? "" : text.data, 0,
		    NULL);
		buf_fini(&text);
		time = json_string_value(json_object_get(revision, "time"));
		if (time != NULL && clock_parse(time, &at) == 0 &&
		    at < since_us) {
			json_decref(revision);
			return;
		}
		add_young(u, revision);
		json_decref(revision);
	}
}

static int64_t
last_used(void *arg, const char *policy)
{
	const struct usage *u = arg;

	if (!u->whole || json_object_get(u->young, policy) != NULL)
		return -1;
	return json_object_get(u->used, policy) != NULL ? clock_wall_us() : 0;
}

void
api_lint(struct api_call *c)
{
	struct usage u = { json_object(), json_object(), true };
	struct lint_options o = { .now_us = clock_wall_us(),
	    .accept_directory_loss = -1, .last_used_us = last_used,
	    .arg = &u };

	find_used(c, o.now_us - USAGE_US, &u);
	find_young(c, o.now_us - USAGE_US, &u);
	api_reply(c, json_pack("{s:I, s:o}", "version",
	    (json_int_t)store_version(c->api->store), "findings",
	    lint(store_items(c->api->store), &o)));
	json_decref(u.used);
	json_decref(u.young);
}

/* What came from documents keeps its place there. */
static void
take_places(struct items *after, const struct change *ch,
    const struct items *wanted)
{
	size_t i;

	for (i = 0; i < ch->n; i++) {
		const struct change_item *x = &ch->c[i];
		const struct item *w = items_get(wanted, x->key);

		if (w != NULL && w->place != NULL && x->after != NULL)
			item_set_place(items_put(after, x->key, x->after,
			    x->managers_after), w->place->file,
			    w->place->line, w->place->column);
	}
}

int
api_lint_change(struct api_call *c, const struct change *ch,
    const struct items *wanted, json_t **out)
{
	const struct items *force = store_items(c->api->store);
	struct lint_options o = { .now_us = clock_wall_us(),
	    .before = force, .accept_directory_loss = (long)api_number(c,
	    "accept_directory_loss", -1),
	    .accept_list_loss = api_flag(c, "accept_list_loss") };
	struct items after;
	const json_t *first;

	items_over(&after, force);
	apply_change(&after, ch);
	take_places(&after, ch, wanted);
	*out = lint(&after, &o);
	items_fini(&after);
	if (!lint_is_refused(*out))
		return 0;
	first = json_array_get(*out, 0);
	api_error(c, 422, "refused", "%s: %s; %s", json_string_value(
	    json_object_get(first, "subject")), json_string_value(
	    json_object_get(first, "message")), json_string_value(
	    json_object_get(first, "mend")));
	json_decref(*out);
	*out = NULL;
	return ERR_INVAL;
}

/* All items as they are, for programs: [[key, value], ..]. */
static void
export_items(struct api_call *c)
{
	json_t *list = json_array();
	struct items_cursor at;
	const struct item *it;

	for (it = items_first(&at, store_items(c->api->store), "");
	    it != NULL; it = items_next(&at))
		json_array_append_new(list, json_pack("[s,s]", it->key,
		    it->value));
	api_reply(c, json_pack("{s:I, s:o}", "version",
	    (json_int_t)store_version(c->api->store), "items", list));
}

void
api_export(struct api_call *c)
{
	const char *managers = httpd_query(c->req, "manager");
	const char *form = httpd_query(c->req, "form");
	struct buf text;

	if (form != NULL && strcmp(form, "items") == 0) {
		export_items(c);
		return;
	}
	buf_init(&text, 0);
	buf_puts(&text, "");
	export_document(store_items(c->api->store), managers, &text);
	api_reply(c, json_pack("{s:I, s:s}", "version",
	    (json_int_t)store_version(c->api->store), "document", text.data));
	buf_fini(&text);
}
