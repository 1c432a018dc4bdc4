/*
 * api_revision.c - revisions: who changed what, the difference of two, and
 * going back to one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/http/api_history.h"
#include "proto/base/err.h"

#define LIST_MAX 1000

static int
read_revision(struct api_call *c, uint64_t version, bool document,
    json_t **out, struct diag *why)
{
	struct buf text;
	int rc;

	buf_init(&text, 0);
	rc = store_revision(c->api->store, version, document, &text, why);
	*out = rc < 0 ? NULL : json_loads(text.data, 0, NULL);
	buf_fini(&text);
	if (rc == 0 && *out == NULL)
		rc = diag_set(why, ERR_CORRUPT, "revision %" PRIu64
		    " cannot be read", version);
	return rc;
}

int
api_history(struct api_call *c, uint64_t from, uint64_t upto,
    struct history *h, json_t **last, struct diag *why)
{
	uint64_t v;
	json_t *one;
	int rc = 0;

	history_init(h);
	if (last != NULL)
		*last = NULL;
	for (v = from; v <= upto && rc == 0; v++) {
		rc = read_revision(c, v, false, &one, why);
		if (rc == 0)
			rc = history_add(h, one, why);
		if (rc == 0 && last != NULL && v == upto)
			*last = json_incref(one);
		json_decref(one);
	}
	if (rc < 0)
		history_fini(h);
	return rc;
}

/* The revision in the path; 0 with the error answered. */
static uint64_t
revision_of(struct api_call *c, const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (v > 0 && *end == '\0' && *text >= '0' && *text <= '9' &&
	    v <= store_version(c->api->store))
		return v;
	api_error(c, 404, "not_found", "there is no revision %.40s; the "
	    "newest is %" PRIu64, text, store_version(c->api->store));
	return 0;
}

void
api_revisions(struct api_call *c)
{
	json_int_t limit, before;
	uint64_t v = store_version(c->api->store);
	json_t *list, *one;
	struct diag why;

	if (!api_query_number(c, "limit", 50, LIST_MAX, &limit) ||
	    !api_query_number(c, "before", 0, INT64_MAX, &before))
		return;
	if (before > 0 && (uint64_t)before <= v)
		v = (uint64_t)before - 1;
	list = json_array();
	for (; v > 0 && limit > 0; v--, limit--) {
		json_t *changes;

		if (read_revision(c, v, false, &one, &why) < 0)
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
	uint64_t v = revision_of(c, c->tail);
	json_t *o = NULL;
	struct diag why;
	int rc;

	if (v == 0)
		return;
	rc = read_revision(c, v, api_flag(c, "document"), &o, &why);
	if (rc < 0)
		api_fail(c, rc, &why);
	else
		api_reply(c, o);
}

/* Version 0, before the first, may be named here. */
void
api_revision_diff(struct api_call *c)
{
	uint64_t now = store_version(c->api->store), from, to, low, high;
	const char *text = httpd_query(c->req, "to");
	struct history h;
	struct change ch;
	struct diag why;
	int rc;

	from = strcmp(c->tail, "0") == 0 ? 0 : revision_of(c, c->tail);
	if (from == 0 && strcmp(c->tail, "0") != 0)
		return;
	to = text == NULL ? now : strcmp(text, "0") == 0 ? 0 :
	    revision_of(c, text);
	if (to == 0 && text != NULL && strcmp(text, "0") != 0)
		return;
	low = from < to ? from : to;
	high = from < to ? to : from;
	if ((rc = api_history(c, low + 1, high, &h, NULL, &why)) < 0) {
		api_fail(c, rc, &why);
		return;
	}
	if (from <= to)
		history_forward(&h, &ch);
	else
		history_backward(&h, &ch);
	api_reply_change(c, &ch, now, json_pack("{s:I, s:I}", "from",
	    (json_int_t)from, "to", (json_int_t)to));
	change_fini(&ch);
	history_fini(&h);
}

void
api_rollback(struct api_call *c)
{
	uint64_t v = revision_of(c, c->tail), version;
	char said[64];
	struct history h;
	struct change ch;
	struct diag why;
	int rc;

	if (v == 0)
		return;
	rc = api_history(c, v + 1, store_version(c->api->store), &h, NULL,
	    &why);
	if (rc < 0) {
		api_fail(c, rc, &why);
		return;
	}
	history_back(&h, store_items(c->api->store), false, &ch);
	snprintf(said, sizeof(said), "rollback to %" PRIu64, v);
	if (api_commit(c, &ch, said, NULL, &version) == 0)
		api_reply_change(c, &ch, version, NULL);
	change_fini(&ch);
	history_fini(&h);
}
