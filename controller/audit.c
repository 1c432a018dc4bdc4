/*
 * audit.c - the line of an entry, and how often strangers may cause one.
 */
#include "controller/audit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "proto/base/clock.h"

/* A text that fits: cut between characters, with "?" for what is no UTF-8. */
static void
put_text(json_t *o, const char *name, const char *text, size_t max)
{
	char copy[AUDIT_REASON_MAX + 1];
	const uint8_t *bad;
	size_t n;

	if (text == NULL || text[0] == '\0')
		return;
	n = strnlen(text, max + 1);
	if (n > max)
		for (n = max; n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80; n--)
			;
	memcpy(copy, text, n);
	copy[n] = '\0';
	while ((bad = u8_check((uint8_t *)copy, n)) != NULL)
		copy[bad - (uint8_t *)copy] = '?';
	json_object_set_new(o, name, json_string(copy));
}

static void
put_number(json_t *o, const char *name, uint64_t n)
{
	if (n != 0)
		json_object_set_new(o, name, json_integer((json_int_t)n));
}

void
audit_line(const struct audit_entry *e, struct buf *out)
{
	json_t *o = json_object();
	char *text;

	put_number(o, "sequence", e->seq);
	if (e->adopts)
		json_object_set_new(o, "above",
		    json_integer((json_int_t)e->above));
	json_object_set_new(o, "time_us", json_integer(e->time_us));
	put_text(o, "actor", e->actor, AUDIT_NAME_MAX);
	put_text(o, "role", e->role, AUDIT_NAME_MAX);
	put_text(o, "peer", e->peer, AUDIT_NAME_MAX);
	put_text(o, "action", e->action, AUDIT_NAME_MAX);
	put_text(o, "object", e->object, AUDIT_OBJECT_MAX);
	put_number(o, "before", e->before);
	put_number(o, "after", e->after);
	put_number(o, "changes", e->changes);
	put_number(o, "more", e->more);
	put_text(o, "reason", e->reason, AUDIT_REASON_MAX);
	put_text(o, "result", e->result == NULL ? "ok" : e->result,
	    AUDIT_NAME_MAX);
	text = json_dumps(o, JSON_COMPACT);
	buf_puts(out, text == NULL ? "" : text);
	free(text);
	json_decref(o);
}

bool
audit_allows(struct audit_limit *l, uint64_t now_ms, uint64_t *more)
{
	const uint64_t burst_ms = (uint64_t)AUDIT_BURST * AUDIT_EACH_MS;

	if (l->full_ms < now_ms)
		l->full_ms = now_ms;
	if (l->full_ms + AUDIT_EACH_MS > now_ms + burst_ms) {
		l->more++;
		return false;
	}
	l->full_ms += AUDIT_EACH_MS;
	*more = l->more;
	l->more = 0;
	return true;
}
