/*
 * explain.c - asks the decision and puts what it said into JSON.
 */
#include "controller/policy/explain.h"

#include <stdlib.h>
#include <string.h>

#include "controller/policy/remedy.h"
#include "proto/policy/reply.h"

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
header_json(const struct question_parsed *a)
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
	struct question_parsed *a = xcalloc(1, sizeof(*a));
	struct trace *trace = xmalloc(sizeof(*trace));
	struct verdict v;
	json_t *stages;
	size_t i;
	int rc;

	if ((rc = question_parse(q, s, a, why)) < 0)
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
