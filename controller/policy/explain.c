/*
 * explain.c - asks the decision and puts what it said into JSON.
 */
#include "controller/policy/explain.h"

#include <stdlib.h>
#include <string.h>

#include "controller/policy/remedy.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/mail/from.h"
#include "proto/policy/reply.h"

/* A parsed question: the envelope and the room it points into. */
struct asked {
	struct envelope env;
	struct from header;
	struct addr header_base[FROM_MAX];
	char name[NAME_TEXT_MAX];
	char host[ADDR_DOMAIN_MAX + 1];
	int64_t at_us;
	enum stage stage;
};

static void
parse_sides(struct asked *a, const struct question *q)
{
	a->env.sender_bad = addr_parse(&a->env.sender, q->from,
	    strlen(q->from), ADDR_SMTP, NULL) < 0;
	a->env.rcpt_bad = addr_parse(&a->env.rcpt, q->to, strlen(q->to),
	    ADDR_SMTP, NULL) < 0;
}

_Static_assert(FROM_MAX == DECIDE_HEADERS_MAX,
    "the decision takes what the reader keeps");

/* One line a field; what begins with white space belongs to the line before. */
static void
read_header(struct from *f, const char *text)
{
	const char *end;

	from_init(f);
	while (*text != '\0') {
		end = text + strcspn(text, "\n");
		while (*end == '\n' && (end[1] == ' ' || end[1] == '\t'))
			end += 1 + strcspn(end + 1, "\n");
		from_add(f, text, (size_t)(end - text));
		text = *end == '\n' ? end + 1 : end;
	}
	from_finish(f);
}

static void
parse_header(struct asked *a, const struct question *q)
{
	const char *name = a->header.name;

	if (q->header_from != NULL)
		read_header(&a->header, q->header_from);
	else if (a->env.sender.kind != ADDR_NULL) {
		a->header.addr[0] = a->env.sender;
		a->header.n = 1;
	}
	if (q->header_name != NULL) {
		name = a->name;
		name_parse(a->name, q->header_name, strlen(q->header_name),
		    NULL);
	}
	a->env.header_name = name[0] == '\0' ? NULL : name;
	a->env.headers_n = a->header.n;
	a->env.headers_more = a->header.more;
	if (a->header.n > 0) {
		a->env.headers = a->header.addr;
		a->env.header_base = a->header_base;
	}
}

static int
parse_client(struct asked *a, const struct question *q, struct diag *why)
{
	a->env.authenticated = q->auth_user != NULL &&
	    q->auth_user[0] != '\0';
	a->env.has_ip = q->ip != NULL && q->ip[0] != '\0';
	if (a->env.has_ip && ip_parse(q->ip, &a->env.ip) < 0)
		return diag_set(why, ERR_INVAL, "ip \"%s\" is no address",
		    q->ip);
	if (q->host == NULL || q->host[0] == '\0')
		return 0;
	if (addr_domain_parse(q->host, strlen(q->host), a->host, why) < 0)
		return diag_prefix(why, ERR_INVAL, "host \"%s\"", q->host);
	a->env.host = a->host;
	return 0;
}

static int
parse_stage(struct asked *a, const struct question *q,
    const struct settings *s, struct diag *why)
{
	bool has_header = s->header_stage != HEADER_NO;
	const char *stage = q->stage == NULL ? "full" : q->stage;
	const char *grey = q->greylist == NULL ? "passed" : q->greylist;

	if (strcmp(stage, "full") == 0)
		a->stage = has_header ? STAGE_FULL : STAGE_ONLY;
	else if (strcmp(stage, "rcpt") == 0)
		a->stage = has_header ? STAGE_RCPT : STAGE_ONLY;
	else
		return diag_set(why, ERR_INVAL, "stage is rcpt or full");
	if (strcmp(grey, "new") == 0)
		a->env.greylist = GREYLIST_NEW;
	else if (strcmp(grey, "passed") != 0)
		return diag_set(why, ERR_INVAL, "greylist is new or passed");
	a->at_us = clock_wall_us();
	if (q->at != NULL && clock_parse(q->at, &a->at_us) < 0)
		return diag_set(why, ERR_INVAL, "at \"%s\" is no time such as "
		    "2026-06-15T12:00:00Z", q->at);
	return 0;
}

static json_t *
key_json(const struct match *m)
{
	json_t *key = json_array();
	int i;

	for (i = 0; i < KEY_PARTS; i++)
		json_array_append_new(key,
		    json_integer(match_key_shown(m, i)));
	return key;
}

/* The groups from the one that holds the entry up to the policy's. */
static json_t *
path_json(const struct tables *t, const struct match *m)
{
	const struct target *target = m->reverse ? &m->policy->to :
	    &m->policy->from;
	const char *path[16];
	json_t *list = json_array();
	size_t n, i;

	if (target->kind != TARGET_GROUP)
		return list;
	n = tables_group_path(t, m->gid, target->gid, path, 16);
	for (i = 0; i < n; i++)
		json_array_append_new(list, json_string(path[i]));
	return list;
}

static json_t *
match_json(const struct tables *t, const struct match *m)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:b, s:s, s:o}",
	    "policy", m->policy->id, "narrative", m->policy->narrative,
	    "action", policy_action_name(m->policy->action),
	    "identity", identity_name(m->identity), "key", key_json(m),
	    "reverse", m->reverse, "entry", m->entry,
	    "path", path_json(t, m));
}

static const char *
user_action(uint8_t flag)
{
	return flag == USER_BLOCK ? "block" : flag == USER_PERMIT ?
	    "permit" : "auto";
}

static json_t *
stage_json(const struct tables *t, const struct stage_trace *st)
{
	json_t *o = json_pack("{s:s, s:i, s:n}", "stage", stage_name(st->id),
	    "pass", st->pass, "winner"), *list;
	size_t i;

	if (st->has_winner) {
		json_object_set_new(o, "winner",
		    json_string(st->winner.policy->id));
		json_object_set_new(o, "action", json_string(
		    policy_action_name(st->winner.policy->action)));
		json_object_set_new(o, "identity",
		    json_string(identity_name(st->winner.identity)));
	}
	if (st->user_entry[0] != '\0') {
		json_object_set_new(o, "entry", json_string(st->user_entry));
		json_object_set_new(o, "action",
		    json_string(user_action(st->user_flags)));
	}
	if (st->open)
		json_object_set_new(o, "open", json_true());
	if (st->result != NULL)
		json_object_set_new(o, "result", json_string(st->result));
	list = json_array();
	for (i = 0; i < st->candidates_n && i < DECIDE_TRACE_CANDIDATES; i++)
		json_array_append_new(list,
		    match_json(t, &st->candidates[i]));
	json_object_set_new(o, "candidates", list);
	if (st->candidates_n > DECIDE_TRACE_CANDIDATES)
		json_object_set_new(o, "candidates_more",
		    json_integer((json_int_t)(st->candidates_n -
		    DECIDE_TRACE_CANDIDATES)));
	return o;
}

static json_t *
bypass_json(const struct verdict *v)
{
	return json_pack("{s:s, s:o}", "granted_by", granted_name(v->granted),
	    "checks", v->granted == GRANTED_NONE ? json_array() :
	    json_pack("[s,s,s]", "spam", "greylist", "reputation"));
}

static json_t *
verdict_json(const struct settings *s, const struct verdict *v)
{
	const struct reply_info *info = reply_info(v->reason);
	struct reply reply;
	json_t *o;

	reply_make(s, s->enforcement, v, "id", &reply);
	o = json_pack("{s:s, s:s, s:s, s:s?, s:s, s:{s:i, s:s, s:s}, s:s, "
	    "s:s, s:o}", "verdict", verdict_name(v->kind),
	    "reason", info->reason, "level", level_name(v->level),
	    "policy", v->policy == NULL ? NULL : v->policy->id,
	    "entry", v->entry, "reply", "code", reply.code,
	    "enhanced", reply.enhanced, "text", reply.text,
	    "type", info->type, "info", info->info,
	    "bypass", bypass_json(v));
	if (v->open)
		json_object_set_new(o, "open", json_true());
	if (v->has_would)
		json_object_set_new(o, "would", json_pack("{s:s, s:s, s:s?}",
		    "verdict", verdict_name(v->would == REASON_ACCEPTED ?
		    VERDICT_ACCEPT : reply_info(v->would)->code < 500 ?
		    VERDICT_DEFER : VERDICT_REJECT),
		    "reason", reply_info(v->would)->reason, "policy",
		    v->would_policy == NULL ? NULL : v->would_policy->id));
	return o;
}

/* The header From as it was read. */
static json_t *
header_json(const struct asked *a)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < a->env.headers_n; i++)
		json_array_append_new(list,
		    json_string(a->env.headers[i].text));
	return json_pack("{s:o, s:s?, s:b, s:b}", "addresses", list, "name",
	    a->env.header_name, "malformed", a->header.malformed, "more",
	    a->header.more);
}

int
explain(const struct records *r, const struct question *q, json_t **out,
    struct diag *why)
{
	const struct tables *tables = records_tables(r);
	const struct settings *s = tables_settings(tables);
	struct asked *a = xcalloc(1, sizeof(*a));
	struct trace *trace = xmalloc(sizeof(*trace));
	struct verdict v;
	json_t *stages;
	size_t i;
	int rc;

	parse_sides(a, q);
	parse_header(a, q);
	if ((rc = parse_client(a, q, why)) < 0 ||
	    (rc = parse_stage(a, q, s, why)) < 0)
		goto out;
	records_decide(r, &a->env, a->at_us, a->stage, &v, trace);
	*out = verdict_json(s, &v);
	stages = json_array();
	for (i = 0; i < trace->n; i++)
		json_array_append_new(stages,
		    stage_json(tables, &trace->stage[i]));
	json_object_set_new(*out, "stages", stages);
	if (q->header_from != NULL || q->header_name != NULL)
		json_object_set_new(*out, "header", header_json(a));
	json_object_set_new(*out, "remedies", remedies(r, &a->env, a->at_us,
	    a->stage, &v));
	if (remedy_none(v.reason) != NULL)
		json_object_set_new(*out, "no_remedy",
		    json_string(remedy_none(v.reason)));
out:
	free(a);
	free(trace);
	return rc;
}

int
explain_exit(const json_t *answer)
{
	const char *v = json_string_value(json_object_get(answer,
	    "verdict"));

	if (v == NULL || strcmp(v, "accept") == 0)
		return 0;
	return strcmp(v, "reject") == 0 ? 1 : strcmp(v, "defer") == 0 ? 10 :
	    11;
}
