/*
 * decide_event.c - an event's texts, and which questions were asked before.
 */
#include "node/decide_impl.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistr.h>

#include "proto/base/clock.h"

#define RECENT_MS (10 * 60 * 1000)

void
decide_put_value(char *out, size_t cap, const struct value *v)
{
	size_t n = v->p == NULL ? 0 : v->len, i;
	unsigned char any = 0;

	if (n >= cap)
		n = cap - 1;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)v->p[i];

		any |= c;
		out[i] = (char)(c < ' ' || c == 127 ? '?' : c);
	}
	out[n] = '\0';
	if ((any & 0x80) == 0)
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
    uint8_t out[DECIDE_HASH_LEN])
{
	const struct value *part[] = { &q->instance, &q->sender,
	    &q->recipient };
	uint8_t text[3 * (sizeof(uint32_t) + 512)];
	crypto_generichash_state h;
	size_t n = 0, i;

	/* each with its length before it */
	for (i = 0; i < 3 && part[i]->len <= 512; i++) {
		uint32_t len = (uint32_t)part[i]->len;

		memcpy(text + n, &len, sizeof(len));
		if (len > 0)		/* p may be NULL then */
			memcpy(text + n + sizeof(len), part[i]->p, len);
		n += sizeof(len) + len;
	}
	if (i == 3) {
		crypto_shorthash_siphashx24(out, text, n, d->key);
		return;
	}
	crypto_generichash_init(&h, d->key, sizeof(d->key), DECIDE_HASH_LEN);
	for (i = 0; i < 3; i++) {
		crypto_generichash_update(&h,
		    (const uint8_t *)&part[i]->len, sizeof(part[i]->len));
		crypto_generichash_update(&h, (const uint8_t *)part[i]->p,
		    part[i]->len);
	}
	crypto_generichash_final(&h, out, DECIDE_HASH_LEN);
}

bool
decide_asked_before(struct decider *d, const struct question *q,
    enum reason reason, char id[REPLY_ID_LEN + 1])
{
	uint8_t hash[DECIDE_HASH_LEN];
	struct decide_recent *slot;
	uint64_t now = clock_mono_ms();

	if (q->instance.p == NULL || q->instance.len == 0) {
		decide_id(d, id);
		return false;
	}
	hash_question(d, q, hash);
	slot = &d->recent[(hash[0] | hash[1] << 8) & (DECIDE_RECENT - 1)];
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
		memcpy(out, a->text, ADDR_TEXT_MAX);
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
		memcpy(e->primary, d->env.primary.text, ADDR_TEXT_MAX);
	if (q->from != NULL && q->from->n > 0)
		memcpy(e->header_from, q->from->addr[0].text, ADDR_TEXT_MAX);
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
