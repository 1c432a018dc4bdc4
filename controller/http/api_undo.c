/*
 * api_undo.c - a batch of managed senders taken back as a whole.
 *
 * A batch is one revision whose action is "sender".  It is undone for 30
 * days, and only while each of its entries still is as the batch left it:
 * half a batch undone would be neither state.
 */
#include <stdio.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/http/api_history.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#define UNDO_DAYS 30
#define DAY_US ((int64_t)86400 * 1000000)

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

/* May it be undone?  Why not was answered. */
static bool
undoable(struct api_call *c, const json_t *revision, const struct history *h,
    json_int_t batch)
{
	const char *changed;
	char name[300];
	int64_t at;

	if (strcmp(text(revision, "action"), "sender") != 0)
		api_error(c, 409, "conflict", "revision %lld is no batch of "
		    "managed senders but \"%s\"; \"revision rollback\" goes "
		    "back before it", (long long)batch,
		    text(revision, "action"));
	else if (clock_parse(text(revision, "time"), &at) < 0 ||
	    at < clock_wall_us() - UNDO_DAYS * DAY_US)
		api_error(c, 409, "conflict", "batch %lld is older than %d "
		    "days", (long long)batch, UNDO_DAYS);
	else if ((changed = history_changed_since(h,
	    store_items(c->api->store))) != NULL) {
		item_key_show(changed, name, sizeof(name));
		api_error(c, 409, "conflict", "%s was changed after batch "
		    "%lld; nothing was undone", name, (long long)batch);
	} else
		return true;
	return false;
}

void
api_senders_undo(struct api_call *c)
{
	json_int_t batch = api_number(c, "batch", 0);
	uint64_t version = store_version(c->api->store);
	struct change ch = { 0 };
	struct history h;
	struct diag why;
	json_t *revision;
	char said[64];
	int rc;

	if (batch < 1 || (uint64_t)batch > version) {
		api_error(c, 404, "not_found", "there is no batch %lld",
		    (long long)batch);
		return;
	}
	rc = api_history(c, (uint64_t)batch, (uint64_t)batch, &h, &revision,
	    &why);
	if (rc < 0) {
		api_fail(c, rc, &why);
		return;
	}
	snprintf(c->object, sizeof(c->object), "batch %lld",
	    (long long)batch);
	c->audit.object = c->object;
	if (undoable(c, revision, &h, batch)) {
		history_back(&h, store_items(c->api->store), true, &ch);
		snprintf(said, sizeof(said), "undo of %lld",
		    (long long)batch);
		if (api_commit(c, &ch, said, NULL, &version) == 0)
			api_reply_change(c, &ch, version, NULL);
		change_fini(&ch);
	}
	json_decref(revision);
	history_fini(&h);
}
