/*
 * decide.c - question to envelope, envelope to verdict, verdict to answer.
 */
#include "node/decide_impl.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#define COMPLAIN_MS (60 * 1000)

struct decider *
decide_new(const struct decide_conf *conf, struct metrics *m)
{
	struct decider *d = xcalloc(1, sizeof(*d));
	uint8_t secret[HASH_SECRET_LEN];
	size_t k;

	d->conf = *conf;
	d->m = m;
	d->stages = stages_new();
	for (k = 0; k < DECIDE_HASHES; k++) {
		randombytes_buf(secret, sizeof(secret));
		hash_key_init(&d->key[k], secret);
	}
	settings_default(&d->defaults);
	facts_init(&d->facts);
	ruleset_reader_init(&d->reader);
	return d;
}

void
decide_free(struct decider **dp)
{
	struct decider *d = *dp;

	if (d == NULL)
		return;
	stages_free(&d->stages);
	facts_fini(&d->facts);
	ruleset_reader_fini(&d->reader);
	free(d);
	*dp = NULL;
}

struct stages *
decide_stages(struct decider *d)
{
	return d->stages;
}

void
decide_passed(struct decider *d, const struct answer *a)
{
	if (a->open || a->event != NULL)
		stages_passed(d->stages, &d->env, a->open, a->event == NULL ?
		    REASON_ACCEPTED : a->told, clock_mono_ms());
}

enum reason
decide_settle(struct decider *d)
{
	return stages_settle(d->stages, &d->env);
}

bool
decide_may_split(struct decider *d)
{
	return stages_may_split(d->stages, &d->env, clock_mono_ms());
}

void
decide_split_done(struct decider *d)
{
	stages_split_done(d->stages, &d->env);
}

static void
take_headers(struct envelope *e, const struct from *f, struct addr *base)
{
	if (f == NULL)
		return;
	e->headers_more = f->more;
	e->header_name = f->name[0] == '\0' ? NULL : f->name;
	if (f->n == 0)
		return;
	e->headers = f->addr;
	e->headers_n = f->n;
	e->header_base = base;
}

/* As nothing had been asked; what stands behind an empty text is left. */
static void
clear_envelope(struct envelope *e)
{
	struct addr *const all[] = { &e->sender, &e->rcpt, &e->rcpt_base,
	    &e->sender_base, &e->primary };
	const size_t rest = offsetof(struct envelope, has_rcpt_base);
	size_t i;

	_Static_assert(offsetof(struct envelope, has_rcpt_base) ==
	    5 * sizeof(struct addr) + 2 * _Alignof(struct addr),
	    "five addresses and two flags come first");
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		all[i]->kind = ADDR_NULL;
		all[i]->ambiguous = false;
		all[i]->text[0] = '\0';
		all[i]->len = all[i]->domain_at = all[i]->local_len = 0;
	}
	e->sender_bad = e->rcpt_bad = false;
	memset((char *)e + rest, 0, sizeof(*e) - rest);
}

static bool
parse_client(const struct value *v, struct ip *out)
{
	char text[IP_TEXT_LEN];

	if (v->p == NULL || v->len >= sizeof(text) ||
	    memchr(v->p, 0, v->len) != NULL)
		return false;
	memcpy(text, v->p, v->len);
	text[v->len] = '\0';
	return ip_parse(text, out) == 0;
}

static void
make_envelope(struct decider *d, const struct question *q)
{
	struct envelope *e = &d->env;

	clear_envelope(e);
	e->sender_bad = addr_parse(&e->sender, q->sender.p, q->sender.len,
	    q->form, NULL) < 0;
	e->rcpt_bad = addr_parse(&e->rcpt, q->recipient.p, q->recipient.len,
	    q->form, NULL) < 0;
	e->has_ip = parse_client(&q->client_address, &e->ip);
	if (q->name_confirmed && q->client_name.p != NULL &&
	    addr_domain_parse(q->client_name.p, q->client_name.len, d->host,
	    NULL) == 0)
		e->host = d->host;
	e->authenticated = q->sasl_username.p != NULL &&
	    q->sasl_username.len > 0;
	take_headers(e, q->from, d->header_base);
}

void
decide_recipient(struct decider *d, struct event *e)
{
	strcpy(e->recipient, d->env.rcpt.text);
	e->primary[0] = '\0';
	if (d->env.has_primary)
		strcpy(e->primary, d->env.primary.text);
}

static const struct settings *
settings_of(const struct decider *d, const struct ruleset *r)
{
	return r == NULL ? &d->defaults : tables_settings(ruleset_tables(r));
}

enum stage
decide_stage(const struct decider *d, const struct ruleset *r,
    const char *peer)
{
	enum node_header here = d->conf.header_stage;
	enum header_stage there = settings_of(d, r)->header_stage;

	if (here == NODE_HEADER_AUTO && there != HEADER_AUTO)
		here = there == HEADER_YES ? NODE_HEADER_YES : NODE_HEADER_NO;
	if (here == NODE_HEADER_AUTO)
		here = !stages_is_empty(d->stages) && stages_has(d->stages,
		    peer, clock_mono_ms()) ? NODE_HEADER_YES : NODE_HEADER_NO;
	return here == NODE_HEADER_YES ? STAGE_RCPT : STAGE_ONLY;
}

bool
decide_wants_headers(const struct decider *d, const struct ruleset *r)
{
	if (d->conf.header_stage != NODE_HEADER_AUTO)
		return d->conf.header_stage == NODE_HEADER_YES;
	return settings_of(d, r)->header_stage != HEADER_NO;
}

enum mixed
decide_mixed(const struct ruleset *r)
{
	return r == NULL ? MIXED_REMOVE :
	    tables_settings(ruleset_tables(r))->mixed;
}

enum enforcement
decide_enforcement(const struct decider *d, const struct ruleset *r)
{
	switch (d->conf.enforcement) {
	case NODE_ENFORCE:
		return ENFORCE;
	case NODE_SOFT:
		return ENFORCE_SOFT;
	case NODE_OBSERVE:
		return ENFORCE_OBSERVE;
	default:
		return settings_of(d, r)->enforcement;
	}
}

static void
inside_fault(struct verdict *v, enum reason reason)
{
	memset(v, 0, sizeof(*v));
	v->kind = VERDICT_DEFER;
	v->reason = reason;
	v->level = LEVEL_SYSTEM;
}

/* All records that the envelope needs.  0, or below when that failed. */
static int
gather(struct decider *d, struct ruleset *r)
{
	const struct tables *t = ruleset_tables(r);
	size_t first;
	int rc;

	facts_reset(&d->facts);
	d->want.n = 0;
	if ((rc = want_first(t, &d->env, &d->want, ruleset_ahead,
	    r)) < 0)
		return rc;
	ruleset_fetch(r, &d->want, 0, &d->facts, &d->reader);
	first = d->want.n;
	if ((rc = want_second(t, &d->env, &d->facts, &d->want)) < 0)
		return rc;
	ruleset_fetch(r, &d->want, first, &d->facts, &d->reader);
	return 0;
}

/* The verdict under r, with the sentry told: a version that makes the process
 * die here is known by that. */
static void
evaluate(struct decider *d, struct ruleset *r, enum stage stage,
    struct verdict *v)
{
	sentry_enter(d->conf.sentry, SENTRY_DECIDE,
	    ruleset_head(r)->version);
	if (gather(d, r) < 0)
		inside_fault(v, REASON_INTERNAL);
	else
		judge(ruleset_tables(r), &d->env, &d->want, &d->facts,
		    clock_wall_tick_us(), stage, v, NULL);
	sentry_leave(d->conf.sentry, SENTRY_DECIDE);
}

static void
complain(struct decider *d, const struct ruleset *r)
{
	uint64_t now = clock_mono_ms();

	d->m->internal++;
	if (d->complained_ms != 0 && now - d->complained_ms < COMPLAIN_MS)
		return;
	d->complained_ms = now;
	log_error("decide.internal", F_U("version", r == NULL ? 0 :
	    ruleset_head(r)->version), F_U("so_far", d->m->internal));
}

static void
put_policy(char out[MODEL_ID_MAX + 1], const struct policy *p)
{
	size_t n = p == NULL ? 0 : strnlen(p->id, MODEL_ID_MAX);

	if (n > 0)
		memcpy(out, p->id, n);
	out[n] = '\0';
}

/* How a fault inside is answered, without an event or with. */
static bool
fault_continues(const struct decider *d, enum reason reason)
{
	if (reason == REASON_INTERNAL)
		return d->conf.on_error == FALLBACK_DUNNO;
	return reason == REASON_NO_SNAPSHOT &&
	    d->conf.bootstrap == FALLBACK_DUNNO;
}

static void
respond(struct decider *d, const struct ruleset *r, const struct question *q,
    const struct verdict *v, struct answer *out)
{
	struct event *e = &d->event;
	bool repeated;

	if ((v->kind == VERDICT_ACCEPT && !v->has_would) ||
	    fault_continues(d, v->reason))
		return;
	decide_event_clear(e);
	e->enforcement = decide_enforcement(d, r);
	repeated = decide_asked_before(d, q, v->reason, e->id);
	reply_make(settings_of(d, r), e->enforcement, v, e->id, &out->reply);
	if (repeated)
		return;
	decide_describe(d, r, q);
	e->verdict = v->kind;
	e->reason = v->reason;
	e->level = v->level;
	e->has_would = v->has_would;
	e->would = v->would;
	e->reply_code = out->reply.continues ? 0 : out->reply.code;
	memcpy(e->reply_enhanced, out->reply.enhanced,
	    sizeof(e->reply_enhanced));
	strcpy(e->reply_text, out->reply.text);
	put_policy(e->policy, v->policy);
	put_policy(e->would_policy, v->would_policy);
	strcpy(e->entry, v->entry);
	out->event = e;
}

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* One in eight is timed, by chance, so that it cannot be always the same ones:
 * two looks at the clock are a tenth of a decision.  The first is. */
static bool
is_timed(struct decider *d)
{
	uint64_t dice = d->dice;

	d->dice = dice * 6364136223846793005u + 1442695040888963407u;
	return dice >> 61 == 0;
}

static void
count(struct decider *d, enum stage stage, const struct verdict *v)
{
	/* what passed at RCPT was counted there */
	if (stage != STAGE_FULL || v->kind != VERDICT_ACCEPT)
		metrics_add(&d->m->verdicts[v->kind], 1);
	if (v->kind != VERDICT_ACCEPT)
		metrics_add(&d->m->reasons[v->reason], 1);
}

/* Let it pass, without an event. */
static void
begin_answer(struct answer *out)
{
	out->kind = VERDICT_ACCEPT;
	out->reason = out->told = REASON_ACCEPTED;
	out->granted = GRANTED_NONE;
	out->open = false;
	out->event = NULL;
	out->reply.code = 0;
	out->reply.enhanced[0] = out->reply.text[0] = '\0';
	out->reply.continues = true;
}

void
decide(struct decider *d, struct ruleset *r, const struct question *q,
    enum stage stage, struct answer *out)
{
	struct verdict v __attribute__((uninitialized));
	bool timed = is_timed(d);
	uint64_t begin = timed ? now_us() : 0;

	begin_answer(out);
	if (q->sender.p == NULL || q->recipient.p == NULL) {
		clear_envelope(&d->env);
		inside_fault(&v, REASON_INTERNAL);
	} else {
		make_envelope(d, q);
		if (r == NULL)
			inside_fault(&v, REASON_NO_SNAPSHOT);
		else
			evaluate(d, r, stage, &v);
	}
	if (v.reason == REASON_INTERNAL)
		complain(d, r);
	out->kind = v.kind;
	out->reason = v.reason;
	out->granted = v.granted;
	out->open = v.open;
	out->told = v.has_would ? v.would : v.reason;
	if (!q->again)
		count(d, stage, &v);
	respond(d, r, q, &v, out);
	if (timed)
		metrics_took(d->m, now_us() - begin);
}

void
decide_shed(struct decider *d, struct answer *out)
{
	char id[REPLY_ID_LEN + 1];
	struct verdict v;

	d->m->shed++;
	begin_answer(out);
	inside_fault(&v, REASON_INTERNAL);
	out->kind = v.kind;
	out->reason = v.reason;
	if (d->conf.on_error == FALLBACK_DUNNO ||
	    d->conf.enforcement == NODE_OBSERVE)
		return;
	decide_id(d, id);
	reply_make(&d->defaults, ENFORCE, &v, id, &out->reply);
}

const struct event *
decide_refused_by_mta(struct decider *d, struct ruleset *r,
    const struct question *q, int code, const char *enhanced,
    const char *text)
{
	struct event *e = &d->event;

	make_envelope(d, q);
	stages_settle(d->stages, &d->env);
	decide_event_clear(e);
	decide_id(d, e->id);
	decide_describe(d, r, q);
	e->verdict = code >= 400 && code < 500 ? VERDICT_DEFER :
	    VERDICT_REJECT;
	e->reason = REASON_MTA_REFUSED;
	e->level = LEVEL_SYSTEM;
	e->reply_code = code;
	snprintf(e->reply_enhanced, sizeof(e->reply_enhanced), "%s",
	    enhanced);
	snprintf(e->reply_text, sizeof(e->reply_text), "%s", text);
	strcpy(e->origin, "mta");
	return e;
}

uint64_t
decide_header_set(struct decider *d, struct ruleset *r,
    const struct question *q)
{
	if (r == NULL)
		return 0;
	make_envelope(d, q);
	return gather(d, r) < 0 ? 0 : judge_header_set(ruleset_tables(r),
	    &d->env, &d->want, &d->facts, clock_wall_tick_us());
}
