/*
 * judge.c - the stages of a verdict, in their order, in both passes.
 *
 * E2 syntax, E3 relay guard, protected recipients, E4 blocked senders, E5
 * anti-spoofing, E6 recipient validation, E7 permitted senders, E8 managed
 * senders, E9 greylisting, E12 accepted.
 */
#include "proto/policy/decide.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "proto/policy/managed.h"
#include "proto/policy/match.h"
#include "proto/policy/reply.h"

/* What the stages hand on to each other. */
struct run {
	struct judging j;
	struct verdict *v;
	struct trace *trace;	/* or NULL */
	enum stage stage;
	int pass;
	bool permit_envelope;	/* E7 of pass 1 said permit */
	bool permitted;		/* E7 of the last pass */
	bool would_greylist;	/* what would be is of the greylist stage */
};

static struct stage_trace *
add_trace(struct run *r, enum stage_id id)
{
	struct stage_trace *st;

	assert(r->trace->n < DECIDE_TRACE_STAGES);	/* seven and four */
	st = &r->trace->stage[r->trace->n++];
	memset(st, 0, offsetof(struct stage_trace, candidates));
	st->id = id;
	st->pass = r->pass;
	st->user_entry[0] = '\0';
	st->user_flags = 0;
	return st;
}

static inline struct stage_trace *
trace_stage(struct run *r, enum stage_id id)
{
	return r->trace == NULL ? NULL : add_trace(r, id);
}

/* Of a refusal. */
static enum verdict_kind
kind_of(enum reason reason)
{
	int code = reply_info(reason)->code;

	return code < 500 ? VERDICT_DEFER : VERDICT_REJECT;
}

/* Refuse; returns true so that a stage can say "return refuse(...)". */
static bool
refuse(struct run *r, struct stage_trace *st, enum reason reason,
    enum level level)
{
	r->v->reason = reason;
	r->v->kind = kind_of(reason);
	r->v->level = level;
	r->v->open = false;
	if (st != NULL)
		st->result = reply_info(reason)->reason;
	return true;
}

/* Does the local part equal one of the names, with any extension? */
static bool
local_is_one_of(const struct run *r, const struct addr *a,
    const struct name_list *names)
{
	const char *delimiters = r->j.t->settings.delimiters;
	char local[ADDR_TEXT_MAX] UNSET;
	size_t n = a->local_len;
	uint8_t c = (uint8_t)a->text[0];

	if ((r->j.t->protected_first[c / 64] >> c % 64 & 1) == 0)
		return false;
	memcpy(local, a->text, n);
	local[n] = '\0';
	if (strcmp(local, "postmaster") == 0 ||
	    name_list_holds(names, local))
		return true;
	/* An extension is cut at the organisation's delimiter, or at "+". */
	n = strcspn(local, delimiters[0] != '\0' ? delimiters : "+");
	local[n] = '\0';
	return strcmp(local, "postmaster") == 0 ||
	    name_list_holds(names, local);
}

static bool
is_protected(const struct run *r)
{
	const struct addr *a = &r->j.env->rcpt;

	if (a->kind == ADDR_BARE)
		return true;
	return r->j.rcpt_internal &&
	    local_is_one_of(r, a, &r->j.t->protected_local);
}

/* Of an address without a domain. */
static bool
is_bare_postmaster(const struct addr *a)
{
	return strcmp(a->text, "postmaster") == 0;
}

static bool
stage_syntax(struct run *r)
{
	const struct envelope *e = r->j.env;
	bool sender = e->sender_bad || (e->sender.kind == ADDR_BARE &&
	    !is_bare_postmaster(&e->sender));
	bool rcpt = e->rcpt_bad || e->rcpt.kind == ADDR_NULL ||
	    (e->rcpt.kind == ADDR_BARE && !is_bare_postmaster(&e->rcpt));

	if (!sender && !rcpt)
		return false;
	return refuse(r, trace_stage(r, ST_SYNTAX), sender ?
	    REASON_SENDER_SYNTAX : REASON_RECIPIENT_SYNTAX, LEVEL_SYSTEM);
}

static bool
stage_relay(struct run *r)
{
	const struct judging *j = &r->j;

	if (j->rcpt_internal || j->env->rcpt.kind == ADDR_BARE)
		return false;
	if (!j->authorized)
		return refuse(r, trace_stage(r, ST_RELAY),
		    REASON_RELAY_UNAUTHORIZED, LEVEL_SYSTEM);
	if (!j->sender_internal && (j->env->rcpt.ambiguous ||
	    !match_rcpt_in_group(&r->j, model_gid("Relay"))))
		return refuse(r, trace_stage(r, ST_RELAY),
		    REASON_RELAY_EXTERNAL, LEVEL_SYSTEM);
	trace_stage(r, ST_RELAY);
	return false;
}

/* How a stage of policies ends under its winner (NULL: none): the reason of a
 * refusal, OUTCOME_PERMIT, or REASON_ACCEPTED when nothing follows. */
enum { OUTCOME_PERMIT = REASONS };

static int
outcome_of(const struct run *r, const struct match *w)
{
	if (w == NULL)
		return REASON_ACCEPTED;
	if (w->policy->action == ACTION_PERMIT)
		return OUTCOME_PERMIT;
	if (w->policy->action == ACTION_BLOCK)
		return w->identity == BASED_HEADER ? REASON_BLOCKED_HEADER :
		    REASON_BLOCKED_ENVELOPE;
	if (w->policy->action == ACTION_TAKE_NO_ACTION)
		return REASON_ACCEPTED;
	if (w->policy->type == POLICY_ANTI_SPOOFING)
		return w->identity == BASED_HEADER ? REASON_SPOOF_HEADER :
		    REASON_SPOOF_ENVELOPE;
	return r->j.env->greylist == GREYLIST_NEW ? REASON_GREYLISTED :
	    REASON_ACCEPTED;
}

/* The stage again with monitored policies among the candidates: told when it
 * would end otherwise, of the first stage that would. */
static void
note_would(struct run *r, enum policy_type type, enum identity based, int is)
{
	struct verdict *v = r->v;
	struct match w UNSET;
	int would;

	if (v->has_would && !r->would_greylist)
		return;
	r->j.with_monitored = true;
	would = outcome_of(r, match_best(&r->j, type, based, &w, NULL) ? &w :
	    NULL);
	r->j.with_monitored = false;
	if (would == is)
		return;
	v->has_would = true;
	v->would = would == OUTCOME_PERMIT ? REASON_ACCEPTED :
	    (enum reason)would;
	v->would_policy = w.policy;
	r->would_greylist = type == POLICY_GREYLISTING;
}

/* Of a stage that some policy may decide. */
static int
find_winner(struct run *r, struct stage_trace *st, enum policy_type type,
    enum identity based, struct match *w)
{
	bool found = match_best(&r->j, type, based, w, st);
	int outcome = outcome_of(r, found ? w : NULL);

	if (found && st != NULL) {
		st->has_winner = true;
		st->winner = *w;
	}
	if (r->j.t->has_monitored)
		note_would(r, type, based, outcome);
	return outcome;
}

/* The winner of a stage, traced; what its outcome is. */
static inline int
stage_winner(struct run *r, struct stage_trace *st, enum policy_type type,
    enum identity based, struct match *w)
{
	return match_may_find(&r->j, type, based) ?
	    find_winner(r, st, type, based, w) : REASON_ACCEPTED;
}

/* E4 and E5: one winner; a refusal when it is no exception and final. */
static bool
stage_refusing(struct run *r, enum stage_id id, enum policy_type type)
{
	enum identity based = r->pass == 1 ? BASED_ENVELOPE : BASED_BOTH;
	struct stage_trace *st = trace_stage(r, id);
	struct match w UNSET;
	int outcome = stage_winner(r, st, type, based, &w);

	if (outcome == REASON_ACCEPTED)
		return false;
	if (r->pass == 1 && r->stage != STAGE_ONLY &&
	    match_is_open(&r->j, type, &w)) {
		r->v->open = true;
		if (st != NULL)
			st->open = true;
		return false;
	}
	r->v->policy = w.policy;
	memcpy(r->v->entry, w.entry, sizeof(w.entry));
	return refuse(r, st, (enum reason)outcome, LEVEL_POLICY);
}

static bool
stage_blocked(struct run *r)
{
	return stage_refusing(r, ST_BLOCKED, POLICY_BLOCKED_SENDERS);
}

static bool
stage_spoofing(struct run *r)
{
	if (!r->j.rcpt_internal || r->j.authorized || r->j.trusted)
		return false;
	return stage_refusing(r, ST_SPOOFING, POLICY_ANTI_SPOOFING);
}

static bool
is_return_path(const struct run *r)
{
	const struct name_list *s = &r->j.t->return_path;
	const struct addr *a = &r->j.env->rcpt;
	size_t i;

	for (i = 0; i < s->n; i++) {
		size_t n = strlen(s->name[i]);

		if (a->local_len >= n && strncasecmp(a->text, s->name[i],
		    n) == 0)
			return true;
	}
	return false;
}

/* The directory's state of the recipient: of its primary address, else as
 * given, else without its extension; 0 when it is in none. */
static uint8_t
directory_state(const struct run *r)
{
	static const uint8_t order[] = { WHO_PRIMARY, WHO_RCPT,
	    WHO_RCPT_BASE };
	size_t o;

	for (o = 0; o < sizeof(order); o++) {
		size_t i = r->j.slot[order[o]].directory;

		if (i != 0) {
			struct bytes v = match_fact(&r->j, i - 1);

			return bytes_u8(&v);
		}
	}
	return 0;
}

static bool
stage_validation(struct run *r)
{
	enum validation mode = r->j.env->rcpt_validation;
	struct stage_trace *st;
	uint8_t state;

	if (mode == VALIDATE_DEFAULT)
		mode = r->j.t->settings.validation;
	if (!r->j.rcpt_internal || mode == VALIDATE_ANY)
		return false;
	st = trace_stage(r, ST_VALIDATION);
	if (is_return_path(r))
		return false;
	state = directory_state(r);
	if (state == DIRECTORY_DISABLED)
		return refuse(r, st, REASON_RECIPIENT_DISABLED, LEVEL_SYSTEM);
	if (state != 0)
		return false;
	return refuse(r, st, mode == VALIDATE_DEFER ?
	    REASON_RECIPIENT_UNKNOWN : REASON_RECIPIENT_INVALID,
	    LEVEL_SYSTEM);
}

static void
stage_permitted(struct run *r)
{
	enum identity based = r->pass == 1 ? BASED_ENVELOPE : BASED_BOTH;
	struct stage_trace *st = trace_stage(r, ST_PERMITTED);
	struct match w UNSET;

	r->permitted = stage_winner(r, st, POLICY_PERMITTED_SENDERS, based,
	    &w) == OUTCOME_PERMIT;
	if (r->pass == 1)
		r->permit_envelope = r->permitted;
}

static bool
user_refuse(struct run *r, struct stage_trace *st,
    const struct managed_match *m)
{
	memcpy(r->v->entry, m->key->b, m->key->b_len);
	r->v->entry[m->key->b_len] = '\0';
	r->v->user_domain = m->key->precision < 3000;
	return refuse(r, st, m->header ? REASON_USER_BLOCKED_HEADER :
	    REASON_USER_BLOCKED_ENVELOPE, LEVEL_USER);
}

static void
trace_user(struct stage_trace *st, const struct managed_match *m)
{
	if (st == NULL || !m->found)
		return;
	memcpy(st->user_entry, m->key->b, m->key->b_len);
	st->user_entry[m->key->b_len] = '\0';
	st->user_flags = m->flag;
}

static bool
stage_managed(struct run *r)
{
	struct stage_trace *st = trace_stage(r, ST_MANAGED);
	struct managed_match m = { 0 };

	if (r->j.any_user)
		managed_best(&r->j, false, &m);
	/* A block of the envelope is final: no header lifts it. */
	if (r->j.any_user && r->pass == 2 &&
	    !(m.found && m.flag == USER_BLOCK))
		managed_best(&r->j, true, &m);
	trace_user(st, &m);
	if (m.found && m.flag == USER_BLOCK) {
		if (!r->permit_envelope)
			return user_refuse(r, st, &m);
		m.found = false;
	}
	if (r->permitted)
		r->v->granted = GRANTED_ADMIN;
	else if (m.found)
		r->v->granted = m.flag == USER_PERMIT ? GRANTED_USER :
		    GRANTED_AUTO;
	else
		r->v->granted = GRANTED_NONE;
	return false;
}

static bool
stage_greylist(struct run *r)
{
	struct stage_trace *st;
	struct match w UNSET;

	if (r->v->granted != GRANTED_NONE || r->j.authorized || r->j.trusted)
		return false;
	st = trace_stage(r, ST_GREYLIST);
	if (stage_winner(r, st, POLICY_GREYLISTING, BASED_ENVELOPE, &w) ==
	    REASON_ACCEPTED)
		return false;
	r->v->policy = w.policy;
	return refuse(r, st, REASON_GREYLISTED, LEVEL_POLICY);
}

static bool
pass_one(struct run *r)
{
	r->pass = 1;
	if (stage_blocked(r) || stage_spoofing(r) || stage_validation(r))
		return true;
	stage_permitted(r);
	return stage_managed(r) || stage_greylist(r);
}

static bool
pass_two(struct run *r)
{
	r->pass = 2;
	r->v->open = false;
	/* the stages that follow say anew what would be */
	if (!r->would_greylist)
		r->v->has_would = false;
	if (stage_blocked(r) || stage_spoofing(r))
		return true;
	stage_permitted(r);
	return stage_managed(r);
}

static bool
any_fact_failed(const struct want *keys, const struct facts *f)
{
	size_t i;

	for (i = 0; i < keys->n; i++) {
		if (f->state[i] == FACT_ERROR)
			return true;
	}
	return false;
}

static void
run_stages(struct run *r)
{
	r->pass = 1;
	if (stage_syntax(r) || stage_relay(r))
		return;
	if (is_protected(r)) {
		trace_stage(r, ST_PROTECTED);
		return;
	}
	if (pass_one(r))
		return;
	if (r->stage == STAGE_FULL)
		pass_two(r);
}

static void
begin(struct judging *j, const struct tables *t, const struct envelope *env,
    const struct want *keys, const struct facts *f, int64_t now_us)
{
	j->t = t;
	j->env = env;
	j->keys = keys;
	j->f = f;
	j->now_us = now_us;
	j->with_monitored = false;
	j->steps = 0;
	j->trusted = keys->trusted;
	j->authorized = env->authenticated || keys->authorized;
	j->rcpt_internal = env->rcpt_internal;
	j->sender_internal = env->sender.kind == ADDR_NULL ? j->authorized :
	    env->sender_internal;
}

uint64_t
judge_header_set(const struct tables *t, const struct envelope *env,
    const struct want *keys, const struct facts *f, int64_t now_us)
{
	struct judging j UNSET;
	uint64_t set = 0;
	size_t i;

	begin(&j, t, env, keys, f, now_us);
	match_begin(&j);
	/* GCOVR_EXCL_BR_START: the budget is a net; no legal input spends it */
	for (i = 0; i < t->header_rule_n && j.steps <= DECIDE_STEPS_MAX; i++) {
		/* GCOVR_EXCL_BR_STOP */
		/* rules stand in order, so a chain of them names the set */
		if (match_by_header(&j, &t->policies[t->header_rule[i]]))
			set = (set ^ (t->header_rule[i] + 1)) *
			    0x100000001b3 + 1;
	}
	return set;
}

static void
begin_verdict(struct verdict *v)
{
	memset(v, 0, offsetof(struct verdict, entry));
	v->entry[0] = '\0';
}

void
judge(const struct tables *t, const struct envelope *env,
    const struct want *keys, const struct facts *f, int64_t now_us,
    enum stage stage, struct verdict *out, struct trace *trace)
{
	struct run r UNSET;
	struct judging *j = &r.j;

	r.v = out;
	r.trace = trace;
	r.stage = stage;
	r.permit_envelope = r.permitted = r.would_greylist = false;
	begin_verdict(out);
	if (trace != NULL)
		trace->n = 0;
	begin(j, t, env, keys, f, now_us);
	if (any_fact_failed(keys, f))
		refuse(&r, NULL, REASON_INTERNAL, LEVEL_SYSTEM);
	else {
		match_begin(j);
		run_stages(&r);
	}
	if (j->steps > DECIDE_STEPS_MAX) {
		begin_verdict(out);
		refuse(&r, NULL, REASON_INTERNAL, LEVEL_SYSTEM);
	}
	if (out->kind != VERDICT_ACCEPT)
		out->granted = GRANTED_NONE;
	out->steps = j->steps;
}

const char *
verdict_name(enum verdict_kind k)
{
	static const char *const names[] = { "accept", "reject", "defer",
	    "hold" };

	return names[k];
}

const char *
stage_name(enum stage_id id)
{
	static const char *const names[] = { "syntax", "relay", "protected",
	    "blocked_senders", "anti_spoofing", "recipient_validation",
	    "permitted_senders", "managed_senders", "greylisting" };

	return names[id];
}

const char *
level_name(enum level l)
{
	static const char *const names[] = { "none", "policy", "user",
	    "system" };

	return names[l];
}

const char *
granted_name(enum granted g)
{
	static const char *const names[] = { "none", "admin", "user",
	    "auto" };

	return names[g];
}
