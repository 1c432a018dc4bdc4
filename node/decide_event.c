/*
 * decide_event.c - an event's texts, and which questions were asked before.
 */
#include "node/decide_impl.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistr.h>

#include "node/text.h"
#include "proto/base/clock.h"

#define RECENT_MS (10 * 60 * 1000)

void
decide_put_value(char *out, size_t cap, const struct value *v)
{
	size_t n = v->p == NULL ? 0 : v->len, i;
	bool high;

	if (n >= cap)
		n = cap - 1;
	high = text_put(out, v->p, n);
	out[n] = '\0';
	if (!high)
		return;
	while (n > 0 && v->len >= cap && (out[n - 1] & 0xc0) == 0x80)
		out[--n] = '\0';
	if (n > 0 && v->len >= cap && (out[n - 1] & 0x80) != 0)
		out[--n] = '\0';
	for (i = 0; u8_check((uint8_t *)out, n) != NULL && i < n; i++) {
		if ((out[i] & 0x80) != 0)
			out[i] = '?';
	}
}

void
decide_id(struct decider *d, char out[REPLY_ID_LEN + 1])
{
	uint8_t *mine;

	if (d->random_left < REPLY_ID_RANDOM) {
		randombytes_buf(d->random, sizeof(d->random));
		d->random_left = sizeof(d->random);
	}
	d->random_left -= REPLY_ID_RANDOM;
	mine = d->random + d->random_left;
	reply_id_of(mine, out);
	memset(mine, 0, REPLY_ID_RANDOM);
}

/* The hash of what makes a question the same: keyed, since senders choose
 * two of three. */
static void
hash_question(const struct decider *d, const struct question *q,
    uint64_t out[DECIDE_HASHES])
{
	const struct value *part[] = { &q->instance, &q->sender,
	    &q->recipient };
	crypto_generichash_state h;
	size_t i, k;

	for (k = 0; k < DECIDE_HASHES; k++) {
		out[k] = 0;
		for (i = 0; i < 3 && part[i]->len <= HASH_TEXT_MAX; i++)
			out[k] = hash_join(out[k], hash_text(&d->key[k],
			    part[i]->p, part[i]->len));
	}
	if (i == 3)
		return;
	crypto_generichash_init(&h, (const uint8_t *)d->key[0].word, 32,
	    DECIDE_HASHES * sizeof(out[0]));
	for (i = 0; i < 3; i++) {
		crypto_generichash_update(&h,
		    (const uint8_t *)&part[i]->len, sizeof(part[i]->len));
		crypto_generichash_update(&h, (const uint8_t *)part[i]->p,
		    part[i]->len);
	}
	crypto_generichash_final(&h, (uint8_t *)out,
	    DECIDE_HASHES * sizeof(out[0]));
}

void
decide_event_clear(struct event *e)
{
	char *const texts[] = { e->id, e->reply_enhanced, e->reply_text,
	    e->policy, e->would_policy, e->entry, e->sender, e->recipient,
	    e->primary, e->header_from, e->client_ip, e->client_name,
	    e->helo, e->sasl_user, e->instance, e->queue_id, e->origin };
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		texts[i][0] = '\0';
	e->time_us = 0;
	e->version = 0;
	e->verdict = VERDICT_ACCEPT;
	e->enforcement = ENFORCE;
	e->reason = e->would = REASON_ACCEPTED;
	e->level = LEVEL_NONE;
	e->has_would = e->after_acceptance = false;
	e->reply_code = 0;
	e->repeats = 0;
}

bool
decide_asked_before(struct decider *d, const struct question *q,
    enum reason reason, char id[REPLY_ID_LEN + 1])
{
	uint64_t hash[DECIDE_HASHES];
	struct decide_recent *slot;
	uint64_t now = clock_mono_tick_ms();

	if (q->instance.p == NULL || q->instance.len == 0) {
		decide_id(d, id);
		return false;
	}
	hash_question(d, q, hash);
	slot = &d->recent[hash[0] & (DECIDE_RECENT - 1)];
	if (slot->at_ms != 0 && now - slot->at_ms < RECENT_MS &&
	    slot->reason == reason &&
	    memcmp(slot->hash, hash, sizeof(hash)) == 0) {
		memcpy(id, slot->id, sizeof(slot->id));
		return true;
	}
	decide_id(d, id);
	memcpy(slot->hash, hash, sizeof(hash));
	memcpy(slot->id, id, sizeof(slot->id));
	slot->at_ms = now;
	slot->reason = reason;
	return false;
}

static void
put_address(char out[ADDR_TEXT_MAX], bool bad, const struct addr *a,
    const struct value *given)
{
	if (bad)
		decide_put_value(out, ADDR_TEXT_MAX, given);
	else
		memcpy(out, a->text, a->len + 1);
}

void
decide_describe(struct decider *d, const struct ruleset *r,
    const struct question *q)
{
	struct event *e = &d->event;

	e->time_us = clock_wall_us();
	e->version = r == NULL ? 0 : ruleset_head(r)->version;
	put_address(e->sender, d->env.sender_bad, &d->env.sender, &q->sender);
	put_address(e->recipient, d->env.rcpt_bad, &d->env.rcpt,
	    &q->recipient);
	if (d->env.has_primary)
		strcpy(e->primary, d->env.primary.text);
	if (q->from != NULL && q->from->n > 0)
		strcpy(e->header_from, q->from->addr[0].text);
#define PUT(field, value) \
	decide_put_value(e->field, sizeof(e->field), &q->value)
	PUT(client_ip, client_address);
	PUT(client_name, client_name);
	PUT(helo, helo_name);
	PUT(sasl_user, sasl_username);
	PUT(instance, instance);
	PUT(queue_id, queue_id);
#undef PUT
	strcpy(e->origin, "gateway");
	e->repeats = 1;
}
