/*
 * api_message.c - the message center: search, one row, most refused senders.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/fleet.h"
#include "controller/http/api_message.h"
#include "controller/messages/messages.h"
#include "controller/policy/explain.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"

/* Text that may be "" becomes absent. */
static void
set(json_t *o, const char *key, const char *text)
{
	if (text[0] != '\0')
		json_object_set_new(o, key, json_string(text));
}

static json_t *
message_json(const struct api_call *c, const struct message *m)
{
	const struct event *e = &m->event;
	const struct reply_info *info = reply_info(e->reason);
	const struct policy *p = tables_policy(
	    records_tables(store_records(c->api->store)), e->policy);
	char at[CLOCK_TEXT_LEN];
	json_t *o;

	clock_format(e->time_us, at);
	o = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, "
	    "s:s?, s:{s:i, s:s, s:s}, s:i}", "id", e->id, "time", at, "node",
	    m->node, "version", (json_int_t)e->version, "verdict",
	    verdict_name(e->verdict), "status",
	    message_status_name(message_status(e)), "reason",
	    info->reason, "type", info->type, "info", info->info, "level",
	    level_name(e->level), "policy",
	    e->policy[0] == '\0' ? NULL : e->policy, "reply", "code",
	    e->reply_code, "enhanced", e->reply_enhanced, "text",
	    e->reply_text, "repeats", (int)e->repeats);
	json_object_set_new(o, "from", json_string(e->sender));
	json_object_set_new(o, "to", json_string(e->recipient));
	if (p != NULL)
		set(o, "narrative", p->narrative);
	set(o, "entry", e->entry);
	set(o, "primary", e->primary);
	set(o, "header_from", e->header_from);
	set(o, "client_ip", e->client_ip);
	set(o, "client_name", e->client_name);
	set(o, "helo", e->helo);
	set(o, "sasl_user", e->sasl_user);
	set(o, "instance", e->instance);
	set(o, "queue_id", e->queue_id);
	set(o, "origin", e->origin);
	if (e->after_acceptance)
		json_object_set_new(o, "after_acceptance", json_true());
	if (e->has_would)
		set(o, "would", reply_info(e->would)->reason);
	return o;
}

struct collect { struct api_call *c; json_t *list; };

static void
collect(void *arg, const struct message *m)
{
	struct collect *k = arg;

	json_array_append_new(k->list, message_json(k->c, m));
}

/* Until when each node was heard: what a search that finds nothing proves. */
static void
heard(void *arg, const struct node_info *n)
{
	char until[CLOCK_TEXT_LEN];
	json_t *o = json_pack("{s:s, s:s, s:I, s:I}", "node", n->id, "state",
	    node_state_name(n->state), "spool", (json_int_t)n->ack.spool_n,
	    "events_lost", (json_int_t)n->ack.events_lost);

	clock_format(n->seen_us, until);
	json_object_set_new(o, "until", n->seen_us == 0 ? json_null() :
	    json_string(until));
	json_array_append_new(arg, o);
}

/* A query with the canonical texts it points to. */
struct asked {
	struct message_query q;
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], id[REPLY_ID_LEN + 1];
};

/* An address, a domain, a wildcard; "" and "<>" are the null sender.  False
 * with the error answered. */
static bool
read_address(struct api_call *c, const char *key, char buf[ADDR_TEXT_MAX],
    const char **out)
{
	const char *text = httpd_query(c->req, key);
	struct entry e;
	struct diag why;

	*out = NULL;
	if (text == NULL)
		return true;
	if (text[0] == '\0' || strcmp(text, "<>") == 0)
		buf[0] = '\0';
	else if (entry_parse(&e, text, strlen(text), &why) == 0)
		memcpy(buf, e.text, e.len + 1);
	else {
		api_error(c, 400, "usage", "%s \"%.200s\": %s", key, text,
		    why.text);
		return false;
	}
	*out = buf;
	return true;
}

static bool
read_id(struct api_call *c, struct asked *a)
{
	const char *text = httpd_query(c->req, "id");

	if (text == NULL)
		return true;
	a->q.id = a->id;
	if (reply_id_parse(text, a->id))
		return true;
	api_error(c, 400, "usage", "\"%.40s\" is no id of a reply: ten "
	    "letters and digits, one of them was misread", text);
	return false;
}

/* The query's parameters; false when one is malformed (answered). */
static bool
read_query(struct api_call *c, struct asked *a)
{
	const char *status = httpd_query(c->req, "status");
	const char *reason = httpd_query(c->req, "reason");
	json_int_t limit;

	memset(a, 0, sizeof(*a));
	a->q.policy = httpd_query(c->req, "policy");
	a->q.node = httpd_query(c->req, "node");
	a->q.before = httpd_query(c->req, "before");
	a->q.has_reason = reason != NULL;
	if (!api_query_number(c, "limit", 100, MESSAGES_LIMIT_MAX, &limit) ||
	    !read_address(c, "from", a->from, &a->q.from) ||
	    !read_address(c, "to", a->to, &a->q.to) ||
	    !api_query_time(c, "since", &a->q.since_us) ||
	    !api_query_time(c, "until", &a->q.until_us) || !read_id(c, a))
		return false;
	a->q.limit = (size_t)limit;
	if (status != NULL && message_status_parse(status,
	    &a->q.status) < 0)
		api_error(c, 400, "usage", "status is rejected, deferred or "
		    "observed");
	else if (reason != NULL && reason_parse(reason, &a->q.reason) < 0)
		api_error(c, 400, "usage", "there is no reason \"%.60s\"",
		    reason);
	else
		return true;
	return false;
}

void
api_messages(struct api_call *c)
{
	struct collect k = { c, json_array() };
	struct message_found found;
	struct asked a;
	struct diag why;
	json_t *o, *nodes;
	int rc;

	if (!read_query(c, &a)) {
		json_decref(k.list);
		return;
	}
	rc = messages_search(c->api->messages, &a.q, collect, &k, &found,
	    &why);
	if (rc < 0) {
		json_decref(k.list);
		if (rc == ERR_INVAL)
			api_error(c, 400, "usage", "%s", why.text);
		else
			api_fail(c, rc, &why);
		return;
	}
	nodes = json_array();
	if (c->api->fleet != NULL)
		fleet_nodes(c->api->fleet, heard, nodes);
	o = json_pack("{s:o, s:I, s:o}", "messages", k.list, "searched",
	    (json_int_t)found.searched, "heard", nodes);
	set(o, "next", found.next);
	api_reply(c, o);
}

/* What the policy of today says of that message. */
static void
explain_now(struct api_call *c, const struct event *e, json_t *o)
{
	const struct question q = { .from = e->sender, .to = e->recipient,
	    .header_from = e->header_from[0] == '\0' ? NULL :
	    e->header_from, .ip = e->client_ip,
	    .host = e->client_name, .auth_user = e->sasl_user,
	    .stage = "rcpt" };
	json_t *answer = NULL;

	if (explain(store_records(c->api->store), &q, &answer, NULL) < 0)
		return;
	json_object_set(o, "remedies", json_object_get(answer, "remedies"));
	json_object_set_new(o, "explain", answer);
}

json_t *
api_message_explained(struct api_call *c, char id[REPLY_ID_LEN + 1])
{
	struct message m;
	struct diag why;
	json_t *o;
	int rc;

	if (!reply_id_parse(c->tail, id)) {
		api_error(c, 400, "usage", "\"%s\" is no id of a reply: ten "
		    "letters and digits, one of them was misread", c->tail);
		return NULL;
	}
	rc = messages_get(c->api->messages, id, &m, &why);
	if (rc < 0) {
		if (rc == ERR_NOENT)
			diag_set(&why, rc, "no message with id %s was "
			    "reported", id);
		api_fail(c, rc, &why);
		return NULL;
	}
	o = message_json(c, &m);
	explain_now(c, &m.event, o);
	return o;
}

void
api_message(struct api_call *c)
{
	char id[REPLY_ID_LEN + 1];
	json_t *o = api_message_explained(c, id);

	if (o != NULL)
		api_reply(c, o);
}
