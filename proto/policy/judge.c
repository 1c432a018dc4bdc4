/*
 * judge.c - the stages of a verdict, in their order, in both passes.
 *
 * E2 syntax, E3 relay guard, protected recipients, E4 blocked senders, E5
 * anti-spoofing, E6 recipient validation, E7 permitted senders, E8 managed
 * senders, E9 greylisting, E12 accepted.
 */
#include "proto/policy/decide.h"

#include <string.h>
#include <strings.h>

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
};

static struct stage_trace *
trace_stage(struct run *r, enum stage_id id)
{
	struct stage_trace *st;

	if (r->trace == NULL || r->trace->n == DECIDE_TRACE_STAGES)
		return NULL;
	st = &r->trace->stage[r->trace->n++];
	memset(st, 0, offsetof(struct stage_trace, candidates));
	st->id = id;
	st->pass = r->pass;
	st->user_entry[0] = '\0';
	st->user_flags = 0;
	return st;
}

static enum verdict_kind
kind_of(enum reason reason)
{
	int code = reply_info(reason)->code;

	return code < 400 ? VERDICT_ACCEPT :
	    code < 500 ? VERDICT_DEFER : VERDICT_REJECT;
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
    const struct names *names)
{
	const char *delimiters = r->j.t->settings.delimiters;
	char local[ADDR_TEXT_MAX];
	size_t n = a->local_len;

	memcpy(local, a->text, n);
	local[n] = '\0';
	if (strcmp(local, "postmaster") == 0 || names_hold(names, local))
		return true;
	/* An extension is cut at the organisation's delimiter, or at "+". */
	n = strcspn(local, delimiters[0] != '\0' ? delimiters : "+");
	local[n] = '\0';
	return strcmp(local, "postmaster") == 0 || names_hold(names, local);
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

static bool
is_bare_postmaster(const struct addr *a)
{
	return a->kind == ADDR_BARE && strcmp(a->text, "postmaster") == 0;
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
	if (!j->sender_internal &&
	    !match_rcpt_in_group(&r->j, model_gid("Relay")))
		return refuse(r, trace_stage(r, ST_RELAY),
		    REASON_RELAY_EXTERNAL, LEVEL_SYSTEM);
	trace_stage(r, ST_RELAY);
	return false;
}

/* E4 and E5: one winner; a refusal when it is no exception and final. */
static bool
stage_refusing(struct run *r, enum stage_id id, enum policy_type type,
    enum reason envelope, enum reason header)
{
	enum identity based = r->pass == 1 ? BASED_ENVELOPE : BASED_BOTH;
	struct stage_trace *st = trace_stage(r, id);
	struct match w;

	if (!match_best(&r->j, type, based, &w, st))
		return false;
	if (st != NULL) {
		st->has_winner = true;
		st->winner = w;
	}
	if (w.policy->action == ACTION_TAKE_NO_ACTION)
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
	return refuse(r, st, w.identity == BASED_HEADER ? header : envelope,
	    LEVEL_POLICY);
}

static bool
stage_blocked(struct run *r)
{
	return stage_refusing(r, ST_BLOCKED, POLICY_BLOCKED_SENDERS,
	    REASON_BLOCKED_ENVELOPE, REASON_BLOCKED_HEADER);
}

static bool
stage_spoofing(struct run *r)
{
	if (!r->j.rcpt_internal || r->j.authorized || r->j.trusted)
		return false;
	return stage_refusing(r, ST_SPOOFING, POLICY_ANTI_SPOOFING,
	    REASON_SPOOF_ENVELOPE, REASON_SPOOF_HEADER);
}

static bool
is_return_path(const struct run *r)
{
	const struct names *s = &r->j.t->return_path;
	const struct addr *a = &r->j.env->rcpt;
	size_t i;

	for (i = 0; i < s->n; i++) {
		size_t n = strlen(s->name[i]);

		if (a->local_len > n && strncasecmp(a->text, s->name[i],
		    n) == 0)
			return true;
	}
	return false;
}

/* The directory's state of the recipient: 0 when it is in none. */
static uint8_t
directory_state(const struct run *r)
{
	uint8_t state = 0;
	size_t i;

	for (i = 0; i < r->j.keys->n; i++) {
		const struct want_key *k = &r->j.keys->key[i];
		struct bytes v;

		if (k->cls != RECORD_DIRECTORY || k->who > WHO_PRIMARY ||
		    r->j.f->state[i] != FACT_FOUND)
			continue;
		v = match_fact(&r->j, i);
		state = bytes_u8(&v);
		if (state == DIRECTORY_ACTIVE)
			return state;
	}
	return state;
}

static bool
stage_validation(struct run *r)
{
	const struct domain_row *row = tables_internal(r->j.t,
	    addr_domain(&r->j.env->rcpt));
	enum validation mode = r->j.t->settings.validation;
	struct stage_trace *st;
	uint8_t state;

	if (row != NULL && row->validation != VALIDATE_DEFAULT)
		mode = row->validation;
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
	struct match w;

	r->permitted = match_best(&r->j, POLICY_PERMITTED_SENDERS, based, &w,
	    st);
	if (!r->permitted)
		return;
	if (st != NULL) {
		st->has_winner = true;
		st->winner = w;
	}
	r->permitted = w.policy->action == ACTION_PERMIT;
	if (r->pass == 1)
		r->permit_envelope = r->permitted;
}

/* One entry of a user's list under its order: manual before automatic,
 * address before domain, block before permit, envelope before header. */
struct user_match {
	bool found;
	int rank;
	uint8_t flag;		/* the one that counts */
	bool header;
	const struct want_key *key;
};

static int
user_rank(uint8_t flag, uint16_t precision)
{
	return (flag != USER_AUTO) * 100 + precision / 1000 * 10 +
	    (flag == USER_BLOCK ? 2 : flag == USER_PERMIT);
}

static void
user_consider(struct user_match *best, const struct want_key *k,
    uint8_t flag, bool header)
{
	int rank = user_rank(flag, k->precision);

	if (best->found && rank <= best->rank)
		return;
	*best = (struct user_match){ true, rank, flag, header, k };
}

static bool
is_ambiguous(const struct run *r, const struct want_key *k)
{
	const struct envelope *e = r->j.env;

	if (e->rcpt.ambiguous)
		return true;
	return k->who >= WHO_HEADER ? e->headers[k->index].ambiguous :
	    e->sender.ambiguous;
}

/* An entry by this flag allows only what every header address has. */
static bool
all_headers_have(const struct run *r, uint8_t flag)
{
	const struct want *w = r->j.keys;
	size_t h, i;

	if (r->j.env->headers_more)
		return false;
	for (h = 0; h < r->j.env->headers_n; h++) {
		for (i = 0; i < w->n; i++) {
			const struct want_key *k = &w->key[i];
			struct bytes v;

			if (k->cls != RECORD_USER || k->who != WHO_HEADER ||
			    k->index != h || r->j.f->state[i] != FACT_FOUND)
				continue;
			v = match_fact(&r->j, i);
			if ((bytes_u8(&v) & flag) != 0)
				break;
		}
		if (i == w->n)
			return false;
	}
	return true;
}

static void
user_best(struct run *r, bool header, struct user_match *best)
{
	const struct want *w = r->j.keys;
	size_t i;

	for (i = 0; i < w->n; i++) {
		const struct want_key *k = &w->key[i];
		bool base = k->who == WHO_SENDER_BASE ||
		    k->who == WHO_HEADER_BASE;
		struct bytes v;
		uint8_t flags;

		r->j.steps++;
		if (k->cls != RECORD_USER || (k->who >= WHO_HEADER) != header ||
		    r->j.f->state[i] != FACT_FOUND)
			continue;
		v = match_fact(&r->j, i);
		flags = bytes_u8(&v);
		if ((flags & USER_BLOCK) != 0)
			user_consider(best, k, USER_BLOCK, header);
		if (base || is_ambiguous(r, k))
			continue;
		if ((flags & USER_PERMIT) != 0 &&
		    (!header || all_headers_have(r, USER_PERMIT)))
			user_consider(best, k, USER_PERMIT, header);
		if ((flags & USER_AUTO) != 0 && !header)
			user_consider(best, k, USER_AUTO, header);
	}
}

static bool
user_refuse(struct run *r, struct stage_trace *st,
    const struct user_match *m)
{
	memcpy(r->v->entry, m->key->b, m->key->b_len);
	r->v->entry[m->key->b_len] = '\0';
	r->v->user_domain = m->key->precision < 3000;
	return refuse(r, st, m->header ? REASON_USER_BLOCKED_HEADER :
	    REASON_USER_BLOCKED_ENVELOPE, LEVEL_USER);
}

static void
trace_user(struct stage_trace *st, const struct user_match *m)
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
	struct user_match m = { 0 };

	user_best(r, false, &m);
	/* A block of the envelope is final: no header lifts it. */
	if (r->pass == 2 && !(m.found && m.flag == USER_BLOCK))
		user_best(r, true, &m);
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
	struct match w;

	if (r->v->granted != GRANTED_NONE || r->j.authorized || r->j.trusted)
		return false;
	st = trace_stage(r, ST_GREYLIST);
	if (!match_best(&r->j, POLICY_GREYLISTING, BASED_ENVELOPE, &w, st))
		return false;
	if (st != NULL) {
		st->has_winner = true;
		st->winner = w;
	}
	if (w.policy->action != ACTION_APPLY ||
	    r->j.env->greylist != GREYLIST_NEW)
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
run(const struct tables *t, const struct envelope *env,
    const struct want *keys, const struct facts *f, int64_t now_us,
    enum stage stage, bool monitored, struct verdict *out,
    struct trace *trace)
{
	struct run r = { .v = out, .trace = trace, .stage = stage };
	struct judging *j = &r.j;

	memset(out, 0, sizeof(*out));
	*j = (struct judging){ .t = t, .env = env, .keys = keys, .f = f,
	    .now_us = now_us, .with_monitored = monitored };
	j->trusted = env->has_ip && prefixes_hold(&t->trusted, &env->ip);
	j->authorized = env->authenticated ||
	    (env->has_ip && prefixes_hold(&t->authorized, &env->ip));
	j->rcpt_internal = tables_internal(t, addr_domain(&env->rcpt)) !=
	    NULL;
	j->sender_internal = env->sender.kind == ADDR_NULL ? j->authorized :
	    tables_internal(t, addr_domain(&env->sender)) != NULL;
	if (any_fact_failed(keys, f))
		refuse(&r, NULL, REASON_INTERNAL, LEVEL_SYSTEM);
	else
		run_stages(&r);
	if (j->steps > DECIDE_STEPS_MAX) {
		memset(out, 0, sizeof(*out));
		refuse(&r, NULL, REASON_INTERNAL, LEVEL_SYSTEM);
	}
	if (out->kind != VERDICT_ACCEPT)
		out->granted = GRANTED_NONE;
}

void
judge(const struct tables *t, const struct envelope *env,
    const struct want *keys, const struct facts *f, int64_t now_us,
    enum stage stage, struct verdict *out, struct trace *trace)
{
	struct verdict would;

	if (trace != NULL)
		trace->n = 0;
	run(t, env, keys, f, now_us, stage, false, out, trace);
	if (!t->has_monitored || out->reason == REASON_INTERNAL)
		return;
	run(t, env, keys, f, now_us, stage, true, &would, NULL);
	if (would.reason == out->reason && would.policy == out->policy)
		return;
	out->has_would = true;
	out->would = would.reason;
	out->would_policy = would.policy;
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
