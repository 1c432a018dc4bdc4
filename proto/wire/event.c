/*
 * event.c - one event as bytes: numbers by hand, texts by a table.
 */
#include "proto/wire/event.h"

#include <stddef.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/wire/pb.h"
#include "proto/wire/postern.pb-c.h"

/* Where a text stands in struct event and in the generated struct. */
struct text {
	size_t at, size, field;
};

#define TEXT(name) { offsetof(struct event, name), \
	sizeof(((struct event *)0)->name), offsetof(Postern__Event, name) }

static const struct text texts[] = {
	TEXT(id), TEXT(reply_enhanced), TEXT(reply_text), TEXT(policy),
	TEXT(would_policy), TEXT(entry), TEXT(sender), TEXT(recipient),
	TEXT(primary), TEXT(header_from), TEXT(client_ip),
	TEXT(client_name), TEXT(helo), TEXT(sasl_user), TEXT(instance),
	TEXT(queue_id), TEXT(origin),
};

#define TEXTS_N (sizeof(texts) / sizeof(texts[0]))

static ProtobufCBinaryData *
field_of(Postern__Event *m, const struct text *t)
{
	return (ProtobufCBinaryData *)(void *)((char *)m + t->field);
}

void
event_encode(const struct event *e, struct buf *out)
{
	Postern__Event m = POSTERN__EVENT__INIT;
	struct event clean = *e;
	size_t i;

	/* a client may say anything in HELO: what is no UTF-8 must not make
	 * the controller refuse the report of it */
	for (i = 0; i < TEXTS_N; i++) {
		char *s = (char *)&clean + texts[i].at;

		s[texts[i].size - 1] = '\0';
		pb_scrub(s);
		*field_of(&m, &texts[i]) = pb_text(s);
	}
	m.time_us = e->time_us;
	m.version = e->version;
	m.verdict = (uint32_t)e->verdict;
	m.enforcement = (uint32_t)e->enforcement;
	m.reason = (uint32_t)e->reason;
	m.level = (uint32_t)e->level;
	m.has_would = e->has_would;
	m.would = (uint32_t)e->would;
	m.reply_code = (uint32_t)e->reply_code;
	m.repeats = e->repeats == 0 ? 1 : e->repeats;
	m.after_acceptance = e->after_acceptance;
	pb_pack(&m, out);
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
