/*
 * event.c - one event as bytes.  A node makes one for each refusal, while the
 * mail server waits: they are written by hand, byte for byte what protobuf-c
 * packs.
 */
#include "proto/wire/event.h"

#include <stddef.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/wire/pb.h"
#include "proto/wire/postern.pb-c.h"

/* Where a text stands in struct event and in the generated struct, and its
 * number there. */
struct text {
	size_t at, size, field;
	unsigned number;
};

#define TEXT(name, number) { offsetof(struct event, name), \
	sizeof(((struct event *)0)->name), \
	offsetof(Postern__Event, name), number }

static const struct text texts[] = {
	TEXT(id, 1), TEXT(reply_enhanced, 11), TEXT(reply_text, 12),
	TEXT(policy, 13), TEXT(would_policy, 14), TEXT(entry, 15),
	TEXT(sender, 16), TEXT(recipient, 17), TEXT(primary, 18),
	TEXT(header_from, 19), TEXT(client_ip, 20), TEXT(client_name, 21),
	TEXT(helo, 22), TEXT(sasl_user, 23), TEXT(instance, 24),
	TEXT(queue_id, 25), TEXT(origin, 26),
};

#define TEXTS_N (sizeof(texts) / sizeof(texts[0]))
/* All texts full, four bytes before each, twelve numbers. */
#define ENCODED_MAX (sizeof(struct event) + 4 * TEXTS_N + 12 * 12)

static ProtobufCBinaryData *
field_of(Postern__Event *m, const struct text *t)
{
	return (ProtobufCBinaryData *)(void *)((char *)m + t->field);
}

static uint8_t *
put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* A number; what is 0 is left out, as all fields are. */
static uint8_t *
put_number(uint8_t *p, unsigned number, uint64_t v)
{
	return v == 0 ? p : put_varint(put_varint(p, number << 3), v);
}

/* The high bits of n bytes, copied. */
static uint64_t
copy(uint8_t *p, const char *s, size_t n)
{
	uint64_t any = 0, word;
	size_t i;

	if (n < sizeof(word)) {
		for (i = 0; i < n; i++)
			any |= p[i] = (uint8_t)s[i];
		return any & 0x80;
	}
	for (i = 0; i + sizeof(word) < n; i += sizeof(word)) {
		memcpy(&word, s + i, sizeof(word));
		memcpy(p + i, &word, sizeof(word));
		any |= word;
	}
	/* the end, some of it once more */
	memcpy(&word, s + n - sizeof(word), sizeof(word));
	memcpy(p + n - sizeof(word), &word, sizeof(word));
	return (any | word) & UINT64_C(0x8080808080808080);
}

/* A text.  A client may say anything in HELO: what is no UTF-8 must not make
 * the controller refuse the report of it. */
static uint8_t *
put_text(uint8_t *p, const struct event *e, const struct text *t)
{
	const char *s = (const char *)e + t->at;
	size_t n;

	if (s[0] == '\0')
		return p;
	n = strnlen(s, t->size - 1);
	p = put_varint(put_varint(p, t->number << 3 | 2), n);
	if (copy(p, s, n) != 0) {
		p[n] = '\0';
		pb_scrub((char *)p);
	}
	return p + n;
}

void
event_encode(const struct event *e, struct buf *out)
{
	/* zeroing it would take longer than the rest */
	uint8_t bytes[ENCODED_MAX] __attribute__((uninitialized));
	uint8_t *p = bytes;
	size_t i;

	p = put_text(p, e, &texts[0]);
	p = put_number(p, 2, (uint64_t)e->time_us);
	p = put_number(p, 3, e->version);
	p = put_number(p, 4, (uint32_t)e->verdict);
	p = put_number(p, 5, (uint32_t)e->enforcement);
	p = put_number(p, 6, (uint32_t)e->reason);
	p = put_number(p, 7, (uint32_t)e->level);
	p = put_number(p, 8, e->has_would);
	p = put_number(p, 9, (uint32_t)e->would);
	p = put_number(p, 10, (uint32_t)e->reply_code);
	for (i = 1; i < TEXTS_N; i++)
		p = put_text(p, e, &texts[i]);
	p = put_number(p, 27, e->repeats == 0 ? 1 : e->repeats);
	p = put_number(p, 28, e->after_acceptance);
	buf_put(out, bytes, (size_t)(p - bytes));
}

static bool
in_range(const Postern__Event *m)
{
	return m->time_us >= 0 && m->verdict <= VERDICT_HOLD &&
	    m->enforcement <= ENFORCE_OBSERVE && m->reason < REASONS &&
	    m->level <= LEVEL_SYSTEM && m->would < REASONS &&
	    (m->reply_code == 0 ||
	    (m->reply_code >= 200 && m->reply_code <= 599)) &&
	    m->repeats > 0;
}

static void
take_numbers(const Postern__Event *m, struct event *out)
{
	out->time_us = m->time_us;
	out->version = m->version;
	out->verdict = (enum verdict_kind)m->verdict;
	out->enforcement = (enum enforcement)m->enforcement;
	out->reason = (enum reason)m->reason;
	out->level = (enum level)m->level;
	out->has_would = m->has_would;
	out->would = (enum reason)m->would;
	out->reply_code = (int)m->reply_code;
	out->repeats = m->repeats;
	out->after_acceptance = m->after_acceptance;
}

int
event_decode(struct event *out, struct bytes in, struct diag *why)
{
	Postern__Event *m;
	bool ok;
	size_t i;

	memset(out, 0, sizeof(*out));
	m = pb_unpack(&postern__event__descriptor, in, EVENT_MAX, why);
	if (m == NULL)
		return ERR_CORRUPT;
	ok = in_range(m);
	for (i = 0; ok && i < TEXTS_N; i++)
		ok = pb_take_text(field_of(m, &texts[i]),
		    (char *)out + texts[i].at, texts[i].size, PB_CUT);
	if (ok)
		take_numbers(m, out);
	pb_free(m);
	if (ok)
		return 0;
	memset(out, 0, sizeof(*out));
	return diag_set(why, ERR_CORRUPT,
	    "event: a field is out of range or no text");
}
