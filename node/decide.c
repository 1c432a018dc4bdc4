/*
 * decide.c - request to envelope, envelope to verdict, verdict to action.
 */
#include "node/decide.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistr.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/policy/reply.h"

#define RECENT 4096			/* a power of two */
#define RECENT_MS (10 * 60 * 1000)
#define COMPLAIN_MS (60 * 1000)

/* A refusal given lately, found again by instance, sender and recipient. */
struct recent {
	uint8_t hash[16];
	uint64_t at_ms;			/* 0: empty */
	enum reason reason;
	char id[REPLY_ID_LEN + 1];
};

struct decider {
	struct decide_conf conf;
	struct metrics *m;
	struct settings defaults;
	struct want want;
	struct facts facts;
	struct buf scratch;
	struct envelope env;
	char host[ADDR_DOMAIN_MAX + 1];
	struct event event;
	struct recent recent[RECENT];
	uint64_t complained_ms;
};

struct decider *
decide_new(const struct decide_conf *conf, struct metrics *m)
{
	struct decider *d = xcalloc(1, sizeof(*d));

	d->conf = *conf;
	d->m = m;
	settings_default(&d->defaults);
	facts_init(&d->facts);
	buf_init(&d->scratch, 4 * RECORD_VALUE_MAX);
	return d;
}

void
decide_free(struct decider **dp)
{
	struct decider *d = *dp;

	if (d == NULL)
		return;
	facts_fini(&d->facts);
	buf_fini(&d->scratch);
	free(d);
	*dp = NULL;
}

static bool
is(const struct policy_value *v, const char *text)
{
	return v->p != NULL && v->len == strlen(text) &&
	    memcmp(v->p, text, v->len) == 0;
}

/* v as text of at most cap - 1 bytes of valid UTF-8 without controls. */
static void
put_value(char *out, size_t cap, const struct policy_value *v)
{
	size_t n = v->p == NULL ? 0 : v->len, i;

	if (n >= cap)
		n = cap - 1;
	for (i = 0; i < n; i++)
		out[i] = (unsigned char)v->p[i] < ' ' || v->p[i] == 127 ?
		    '?' : v->p[i];
	out[n] = '\0';
	while (n > 0 && v->len >= cap && (out[n - 1] & 0xc0) == 0x80)
		out[--n] = '\0';
	if (n > 0 && v->len >= cap && (out[n - 1] & 0x80) != 0)
		out[--n] = '\0';
	for (i = 0; u8_check((uint8_t *)out, n) != NULL && i < n; i++) {
		if ((out[i] & 0x80) != 0)
			out[i] = '?';
	}
}

static void
make_envelope(struct decider *d, const struct policy_request *q)
{
	struct envelope *e = &d->env;
	char text[IP_TEXT_LEN];

	memset(e, 0, sizeof(*e));
	e->sender_bad = addr_parse(&e->sender, q->sender.p, q->sender.len,
	    ADDR_UNQUOTED, NULL) < 0;
	e->rcpt_bad = addr_parse(&e->rcpt, q->recipient.p, q->recipient.len,
	    ADDR_UNQUOTED, NULL) < 0;
	put_value(text, sizeof(text), &q->client_address);
	e->has_ip = ip_parse(text, &e->ip) == 0;
	/* Postfix says "unknown" unless the name was confirmed forward. */
	if (q->client_name.p != NULL && !is(&q->client_name, "unknown") &&
	    addr_domain_parse(q->client_name.p, q->client_name.len, d->host,
	    NULL) == 0)
		e->host = d->host;
	e->authenticated = q->sasl_username.p != NULL &&
	    q->sasl_username.len > 0;
}

static enum stage
stage_of(const struct decider *d, const struct settings *s)
{
	switch (d->conf.header_stage) {
	case NODE_HEADER_YES:
		return STAGE_RCPT;
	case NODE_HEADER_NO:
		return STAGE_ONLY;
	default:
		/* "auto" needs a front that sees headers: there is none. */
		return s->header_stage == HEADER_YES ? STAGE_RCPT :
		    STAGE_ONLY;
	}
}

static enum enforcement
enforcement_of(const struct decider *d, const struct settings *s)
{
	switch (d->conf.enforcement) {
	case NODE_ENFORCE:
		return ENFORCE;
	case NODE_SOFT:
		return ENFORCE_SOFT;
	case NODE_OBSERVE:
		return ENFORCE_OBSERVE;
	default:
		return s->enforcement;
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

/* The verdict under r. */
static void
evaluate(struct decider *d, struct ruleset *r, struct verdict *v)
{
	const struct tables *t = ruleset_tables(r);
	size_t first;

	facts_reset(&d->facts);
	d->want.n = 0;
	if (want_first(t, &d->env, &d->want) < 0) {
		inside_fault(v, REASON_INTERNAL);
		return;
	}
	ruleset_fetch(r, &d->want, 0, &d->facts, &d->scratch);
	first = d->want.n;
	if (want_second(t, &d->env, &d->facts, &d->want) < 0) {
		inside_fault(v, REASON_INTERNAL);
		return;
	}
	ruleset_fetch(r, &d->want, first, &d->facts, &d->scratch);
	judge(t, &d->env, &d->want, &d->facts, clock_wall_us(),
	    stage_of(d, tables_settings(t)), v, NULL);
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

/*
 * Find or take the slot of this question; true when it was asked before with
 * the same outcome, and then its id is in place.
 */
static bool
asked_before(struct decider *d, const struct policy_request *q,
    enum reason reason, char id[REPLY_ID_LEN + 1])
{
	const struct policy_value *part[] = { &q->instance, &q->sender,
	    &q->recipient };
	crypto_generichash_state h;
	uint8_t hash[16];
	struct recent *slot;
	uint64_t now = clock_mono_ms();
	size_t i;

	if (q->instance.p == NULL || q->instance.len == 0) {
		reply_id_new(id);
		return false;
	}
	crypto_generichash_init(&h, NULL, 0, sizeof(hash));
	for (i = 0; i < 3; i++) {
		uint32_t len = (uint32_t)part[i]->len;

		crypto_generichash_update(&h, (uint8_t *)&len, sizeof(len));
		crypto_generichash_update(&h, (const uint8_t *)part[i]->p,
		    len);
	}
	crypto_generichash_final(&h, hash, sizeof(hash));
	slot = &d->recent[(hash[0] | hash[1] << 8) & (RECENT - 1)];
	if (slot->at_ms != 0 && now - slot->at_ms < RECENT_MS &&
	    slot->reason == reason &&
	    memcmp(slot->hash, hash, sizeof(hash)) == 0) {
		memcpy(id, slot->id, sizeof(slot->id));
		return true;
	}
	reply_id_new(id);
	memcpy(slot->hash, hash, sizeof(hash));
	memcpy(slot->id, id, sizeof(slot->id));
	slot->at_ms = now;
	slot->reason = reason;
	return false;
}

static void
put_address(char out[ADDR_TEXT_MAX], bool bad, const struct addr *a,
    const struct policy_value *given)
{
	if (bad)
		put_value(out, ADDR_TEXT_MAX, given);
	else
		memcpy(out, a->text, ADDR_TEXT_MAX);
}

static void
put_policy(char out[MODEL_ID_MAX + 1], const struct policy *p)
{
	if (p != NULL)
		snprintf(out, MODEL_ID_MAX + 1, "%s", p->id);
}

static void
make_event(struct decider *d, const struct policy_request *q,
    const struct verdict *v, const struct reply *reply)
{
	struct event *e = &d->event;

	e->time_us = clock_wall_us();
	e->verdict = v->kind;
	e->reason = v->reason;
	e->level = v->level;
	e->has_would = v->has_would;
	e->would = v->would;
	e->reply_code = reply->continues ? 0 : reply->code;
	memcpy(e->reply_enhanced, reply->enhanced, sizeof(e->reply_enhanced));
	memcpy(e->reply_text, reply->text, sizeof(e->reply_text));
	put_policy(e->policy, v->policy);
	put_policy(e->would_policy, v->would_policy);
	memcpy(e->entry, v->entry, sizeof(e->entry));
	put_address(e->sender, d->env.sender_bad, &d->env.sender, &q->sender);
	put_address(e->recipient, d->env.rcpt_bad, &d->env.rcpt,
	    &q->recipient);
	if (d->env.has_primary)
		memcpy(e->primary, d->env.primary.text, ADDR_TEXT_MAX);
	put_value(e->client_ip, sizeof(e->client_ip), &q->client_address);
	put_value(e->client_name, sizeof(e->client_name), &q->client_name);
	put_value(e->helo, sizeof(e->helo), &q->helo_name);
	put_value(e->sasl_user, sizeof(e->sasl_user), &q->sasl_username);
	put_value(e->instance, sizeof(e->instance), &q->instance);
	put_value(e->queue_id, sizeof(e->queue_id), &q->queue_id);
	strcpy(e->origin, "gateway");
	e->repeats = 1;
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
respond(struct decider *d, struct ruleset *r, const struct policy_request *q,
    const struct verdict *v, struct answer *out)
{
	const struct settings *s = r == NULL ? &d->defaults :
	    tables_settings(ruleset_tables(r));
	struct reply reply;
	bool repeated;

	d->m->verdicts[v->kind]++;
	if (v->kind != VERDICT_ACCEPT)
		d->m->reasons[v->reason]++;
	strcpy(out->action, "DUNNO");
	if ((v->kind == VERDICT_ACCEPT && !v->has_would) ||
	    fault_continues(d, v->reason))
		return;
	memset(&d->event, 0, sizeof(d->event));
	d->event.version = r == NULL ? 0 : ruleset_head(r)->version;
	d->event.enforcement = enforcement_of(d, s);
	repeated = asked_before(d, q, v->reason, d->event.id);
	reply_make(s, d->event.enforcement, v, d->event.id, &reply);
	if (!reply.continues)
		snprintf(out->action, sizeof(out->action), "%d %s %s",
		    reply.code, reply.enhanced, reply.text);
	if (repeated)
		return;
	make_event(d, q, v, &reply);
	out->event = &d->event;
}

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void
decide_answer(struct decider *d, struct ruleset *r,
    const struct policy_request *q, struct answer *out)
{
	uint64_t begin = now_us();
	struct verdict v;

	strcpy(out->action, "DUNNO");
	out->event = NULL;
	if (!is(&q->protocol_state, "RCPT"))
		return;
	memset(&d->env, 0, sizeof(d->env));
	if (q->sender.p == NULL || q->recipient.p == NULL)
		inside_fault(&v, REASON_INTERNAL);
	else {
		make_envelope(d, q);
		if (r == NULL)
			inside_fault(&v, REASON_NO_SNAPSHOT);
		else
			evaluate(d, r, &v);
	}
	if (v.reason == REASON_INTERNAL)
		complain(d, r);
	respond(d, r, q, &v, out);
	metrics_took(d->m, now_us() - begin);
}

void
decide_shed(struct decider *d, struct answer *out)
{
	char id[REPLY_ID_LEN + 1];
	struct reply reply;
	struct verdict v;

	d->m->shed++;
	out->event = NULL;
	strcpy(out->action, "DUNNO");
	if (d->conf.on_error == FALLBACK_DUNNO ||
	    d->conf.enforcement == NODE_OBSERVE)
		return;
	inside_fault(&v, REASON_INTERNAL);
	reply_id_new(id);
	reply_make(&d->defaults, ENFORCE, &v, id, &reply);
	snprintf(out->action, sizeof(out->action), "%d %s %s", reply.code,
	    reply.enhanced, reply.text);
}
