/*
 * api_audit.c - the audit log read back, and what the API itself puts there:
 * deeds outside the store, changes that were refused, tokens that are none.
 *
 * What was refused costs a synced write each, so it is bounded (audit.h), and
 * of one address the first denial and the one that closes the door are all
 * that gets an entry within a minute.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/wire/keys.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define LOOK_MAX 10000		/* entries looked at for one answer */

/* --- what goes in --- */

bool
api_audit_begin(struct api_call *c)
{
	struct diag why;
	int rc;

	c->audit.result = "begun";
	rc = store_audit(c->api->store, &c->audit, &why);
	c->audit.result = NULL;
	if (rc < 0)
		api_fail(c, rc, &why);
	return rc == 0;
}

/* What was done is done: an entry that cannot be written is in the log. */
static void
note(struct api_call *c, const struct audit_entry *e)
{
	struct diag why;

	if (store_audit(c->api->store, e, &why) < 0)
		log_error("audit.failed", F_S("action", e->action),
		    F_S("reason", why.text));
}

void
api_audit_done(struct api_call *c)
{
	c->audit.result = "ok";
	note(c, &c->audit);
}

void
api_audit_refused(struct api_call *c)
{
	struct audit_entry e = c->audit;
	int status = c->reply->status;

	/* a mistake in the request itself, or a name that is not there, never
	 * came near a change */
	if ((status != 409 && status < 422) || api_flag(c, "dry_run"))
		return;
	e.adopts = false;
	e.result = c->code;
	e.reason = api_text(c, "message", NULL);
	if (audit_allows(&c->api->failed, clock_mono_ms(), &e.more))
		note(c, &e);
}

void
api_audit_denied(struct api_call *c, unsigned n)
{
	struct audit_limit *l = &c->api->denied;
	struct audit_entry e = { .role = "unknown", .peer = c->req->peer,
	    .action = "auth", .object = c->req->path, .result = "denied" };

	if (n != 1 && n != AUTH_RATE_MAX + 1)
		l->more++;
	else if (audit_allows(l, clock_mono_ms(), &e.more))
		note(c, &e);
}

/* --- what comes out --- */

json_t *
api_audit_mark(const struct audit_mark *m)
{
	char hex[AUDIT_HASH_LEN * 2 + 1];

	hex_format(m->hash, AUDIT_HASH_LEN, hex);
	return json_pack("{s:I, s:s, s:I}", "sequence", (json_int_t)m->seq,
	    "hash", hex, "adopted", (json_int_t)m->adopted);
}

struct listing {
	const char *actor, *action;
	int64_t since_us, until_us;
	json_int_t limit, looked;
	json_t *list;
	uint64_t next;		/* where another page begins; 0: none */
};

static bool
is_text(const json_t *o, const char *key, const char *want)
{
	const char *s = json_string_value(json_object_get(o, key));

	return want == NULL || (s != NULL && strcmp(s, want) == 0);
}

/* "group" is all that is done to groups. */
static bool
is_action(const json_t *o, const char *want)
{
	const char *s = json_string_value(json_object_get(o, "action"));
	size_t n = want == NULL ? 0 : strlen(want);

	return want == NULL || (s != NULL && strncmp(s, want, n) == 0 &&
	    (s[n] == '\0' || s[n] == '.'));
}

static bool
list_one(void *arg, uint64_t seq, const uint8_t hash[AUDIT_HASH_LEN],
    struct bytes line)
{
	char hex[AUDIT_HASH_LEN * 2 + 1], time[CLOCK_TEXT_LEN];
	struct listing *l = arg;
	json_int_t at;
	json_t *o;

	if (json_array_size(l->list) >= (size_t)l->limit ||
	    l->looked++ >= LOOK_MAX) {
		l->next = seq;
		return false;
	}
	o = json_loadb((const char *)line.p, line.n, 0, NULL);
	at = json_integer_value(json_object_get(o, "time_us"));
	if (o != NULL && is_text(o, "actor", l->actor) &&
	    is_action(o, l->action) && at >= l->since_us &&
	    at < l->until_us) {
		clock_format(at, time);
		hex_format(hash, AUDIT_HASH_LEN, hex);
		json_object_set_new(o, "time", json_string(time));
		json_object_set_new(o, "hash", json_string(hex));
		json_array_append(l->list, o);
	}
	json_decref(o);
	return true;
}

void
api_audit(struct api_call *c)
{
	struct listing l = { .actor = api_text(c, "actor", NULL),
	    .action = api_text(c, "action", NULL), .until_us = INT64_MAX };
	struct audit_mark end;
	struct diag why;
	json_int_t from;
	char next[24] = "";
	int rc;

	if (!api_query_number(c, "limit", LIMIT_DEFAULT, LIMIT_MAX,
	    &l.limit) || !api_query_number(c, "cursor", INT64_MAX, INT64_MAX,
	    &from) || !api_query_time(c, "since", &l.since_us) ||
	    !api_query_time(c, "until", &l.until_us))
		return;
	l.list = json_array();
	store_audit_mark(c->api->store, &end);
	rc = store_audit_scan(c->api->store, (uint64_t)from, false, list_one,
	    &l, &why);
	if (l.next != 0)
		snprintf(next, sizeof(next), "%llu",
		    (unsigned long long)l.next);
	if (rc < 0)
		api_fail(c, rc, &why);
	else
		api_reply(c, json_pack("{s:O, s:o, s:s}", "entries", l.list,
		    "end", api_audit_mark(&end), "next", next));
	json_decref(l.list);
}

static bool
chain_one(void *arg, uint64_t seq, const uint8_t hash[AUDIT_HASH_LEN],
    struct bytes line)
{
	char hex[AUDIT_HASH_LEN * 2 + 1];
	struct listing *l = arg;

	hex_format(hash, AUDIT_HASH_LEN, hex);
	json_array_append_new(l->list, json_pack("{s:I, s:s, s:o}",
	    "sequence", (json_int_t)seq, "hash", hex, "line",
	    json_stringn((const char *)line.p, line.n)));
	return json_array_size(l->list) < (size_t)l->limit;
}

void
api_audit_chain(struct api_call *c)
{
	struct listing l = { .limit = 0 };
	struct audit_mark base, end;
	struct diag why;
	json_int_t after;
	int rc;

	if (!api_query_number(c, "limit", LIMIT_MAX, LIMIT_MAX, &l.limit) ||
	    !api_query_number(c, "after", 0, INT64_MAX, &after))
		return;
	l.list = json_array();
	store_audit_base(c->api->store, &base);
	store_audit_mark(c->api->store, &end);
	rc = store_audit_scan(c->api->store, (uint64_t)after, true,
	    chain_one, &l, &why);
	if (rc < 0)
		api_fail(c, rc, &why);
	else
		api_reply(c, json_pack("{s:o, s:o, s:O}", "base",
		    api_audit_mark(&base), "end", api_audit_mark(&end),
		    "entries", l.list));
	json_decref(l.list);
}
