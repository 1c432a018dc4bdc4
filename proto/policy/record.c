/*
 * record.c - keys and values of records as bytes, and back.
 *
 * The value of a policy record:
 *
 *	u8 format (1), u8 type, u8 action, u8 identity, u8 flags
 *	(1 override, 2 bidirectional, 4 enabled, 8 monitor),
 *	i64 valid from, i64 valid until (microseconds),
 *	u16 len narrative, u16 len comment (0: none),
 *	target from, target to: u8 kind, u16 len text, u16 len value,
 *	u16 n x (16 address, u8 prefix length), u16 n x (u16 len host)
 */
#include "proto/policy/record.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"

#define POLICY_FORMAT 1

enum { FLAG_OVERRIDE = 1, FLAG_BIDIRECTIONAL = 2, FLAG_ENABLED = 4,
    FLAG_MONITOR = 8, FLAGS_ALL = 15 };

void
record_key_text(struct buf *key, uint8_t cls, const char *text)
{
	buf_put_u8(key, cls);
	buf_puts(key, text);
}

void
record_key_prefix(struct buf *key, uint8_t cls, const struct ip_prefix *p)
{
	buf_put_u8(key, cls);
	buf_put(key, p->ip.b, sizeof(p->ip.b));
	buf_put_u8(key, p->len);
}

void
record_key_gid(struct buf *key, uint64_t gid)
{
	buf_put_u8(key, RECORD_GROUP);
	buf_put_u64(key, gid);
}

void
record_key_user(struct buf *key, const char *user, const char *entry)
{
	buf_put_u8(key, RECORD_USER);
	buf_puts(key, user);
	buf_put_u8(key, 0);
	buf_puts(key, entry);
}

static void
put_text(struct buf *out, const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);

	buf_put_u16(out, (uint16_t)len);
	buf_put(out, text == NULL ? "" : text, len);
}

static void
put_target(struct buf *out, const struct target *t)
{
	buf_put_u8(out, t->kind);
	put_text(out, t->text);
	put_text(out, t->value);
}

void
policy_encode(const struct policy *p, struct buf *out)
{
	size_t i;

	buf_put_u8(out, POLICY_FORMAT);
	buf_put_u8(out, p->type);
	buf_put_u8(out, p->action);
	buf_put_u8(out, p->based_on);
	buf_put_u8(out, (p->override ? FLAG_OVERRIDE : 0) |
	    (p->bidirectional ? FLAG_BIDIRECTIONAL : 0) |
	    (p->enabled ? FLAG_ENABLED : 0) |
	    (p->monitor ? FLAG_MONITOR : 0));
	buf_put_u64(out, (uint64_t)p->valid_from_us);
	buf_put_u64(out, (uint64_t)p->valid_until_us);
	put_text(out, p->narrative);
	put_text(out, p->comment);
	put_target(out, &p->from);
	put_target(out, &p->to);
	buf_put_u16(out, (uint16_t)p->ips_n);
	for (i = 0; i < p->ips_n; i++) {
		buf_put(out, p->ips[i].ip.b, 16);
		buf_put_u8(out, p->ips[i].len);
	}
	buf_put_u16(out, (uint16_t)p->hosts_n);
	for (i = 0; i < p->hosts_n; i++)
		put_text(out, p->hosts[i]);
}

/* A text of at most max bytes without NUL; NULL for an empty one. */
static char *
take_text(struct bytes *in, size_t max)
{
	uint16_t len = bytes_u16(in);
	const uint8_t *p;
	char *s;

	if (len > max)
		in->err = ERR_CORRUPT;
	p = bytes_take(in, len);
	if (p == NULL || in->err != 0 || len == 0)
		return NULL;
	if (memchr(p, 0, len) != NULL) {
		in->err = ERR_CORRUPT;
		return NULL;
	}
	s = xmalloc((size_t)len + 1);
	memcpy(s, p, len);
	s[len] = '\0';
	return s;
}

static bool
target_is_whole(const struct target *t)
{
	switch (t->kind) {
	case TARGET_DOMAIN:
	case TARGET_GROUP:
	case TARGET_DISPLAY_NAME:
	case TARGET_ADDRESS:
		return t->text != NULL && t->value == NULL;
	case TARGET_ATTRIBUTE:
		return t->text != NULL && t->value != NULL;
	default:
		return t->text == NULL && t->value == NULL;
	}
}

static void
take_target(struct bytes *in, struct target *t)
{
	uint8_t kind = bytes_u8(in);

	if (kind >= TARGET_KINDS) {
		in->err = ERR_CORRUPT;
		return;
	}
	t->kind = kind;
	t->text = take_text(in, MODEL_TEXT_MAX);
	t->value = take_text(in, MODEL_TEXT_MAX);
	if (in->err == 0 && !target_is_whole(t))
		in->err = ERR_CORRUPT;
	if (in->err == 0 && t->kind == TARGET_GROUP)
		t->gid = model_gid(t->text);
}

static void
take_conditions(struct bytes *in, struct policy *p)
{
	size_t i, n;

	n = bytes_u16(in);
	if (n > MODEL_IPS_MAX)
		in->err = ERR_CORRUPT;
	if (in->err == 0 && n > 0)
		p->ips = xcalloc(n, sizeof(*p->ips));
	for (i = 0; i < n && in->err == 0; i++) {
		const uint8_t *b = bytes_take(in, 16);

		if (b == NULL)
			return;
		memcpy(p->ips[i].ip.b, b, 16);
		p->ips[i].len = bytes_u8(in);
		if (p->ips[i].len > 128)
			in->err = ERR_CORRUPT;
		p->ips_n++;
	}
	n = bytes_u16(in);
	if (n > MODEL_HOSTS_MAX)
		in->err = ERR_CORRUPT;
	if (in->err == 0 && n > 0)
		p->hosts = xcalloc(n, sizeof(*p->hosts));
	for (i = 0; i < n && in->err == 0; i++) {
		p->hosts[i] = take_text(in, 255);
		p->hosts_n++;
		if (p->hosts[i] == NULL)
			in->err = ERR_CORRUPT;
	}
}

static bool
policy_is_sound(const struct policy *p)
{
	if (!policy_action_fits(p->type, p->action))
		return false;
	if (p->to.kind == TARGET_FREE_MAIL ||
	    p->to.kind == TARGET_DISPLAY_NAME)
		return false;
	if (p->from.kind == TARGET_DISPLAY_NAME && p->bidirectional)
		return false;
	return p->narrative != NULL && p->valid_from_us <= p->valid_until_us;
}

int
policy_decode(struct policy *out, const char *id, struct bytes in,
    struct diag *why)
{
	uint8_t format, type, action, based_on, flags;

	memset(out, 0, sizeof(*out));
	format = bytes_u8(&in);
	if (in.err == 0 && format != POLICY_FORMAT)
		return diag_set(why, ERR_VERSION,
		    "policy %s: format %u is not known here", id, format);
	type = bytes_u8(&in);
	action = bytes_u8(&in);
	based_on = bytes_u8(&in);
	flags = bytes_u8(&in);
	if (in.err != 0 || type >= POLICY_TYPES ||
	    action > ACTION_TAKE_NO_ACTION || based_on < BASED_ENVELOPE ||
	    based_on > BASED_BOTH || (flags & ~FLAGS_ALL) != 0)
		goto out;
	out->id = xstrdup(id);
	out->type = type;
	out->action = action;
	out->based_on = based_on;
	out->override = (flags & FLAG_OVERRIDE) != 0;
	out->bidirectional = (flags & FLAG_BIDIRECTIONAL) != 0;
	out->enabled = (flags & FLAG_ENABLED) != 0;
	out->monitor = (flags & FLAG_MONITOR) != 0;
	out->valid_from_us = (int64_t)bytes_u64(&in);
	out->valid_until_us = (int64_t)bytes_u64(&in);
	out->narrative = take_text(&in, MODEL_TEXT_MAX);
	out->comment = take_text(&in, MODEL_TEXT_MAX);
	take_target(&in, &out->from);
	take_target(&in, &out->to);
	take_conditions(&in, out);
	if (in.err == 0 && in.n == 0 && policy_is_sound(out))
		return 0;
out:
	policy_fini(out);
	return diag_set(why, ERR_CORRUPT, "policy %s: malformed record", id);
}

void
record_group_encode(struct buf *out, const char *name,
    const uint64_t *parents, size_t n)
{
	size_t i;

	put_text(out, name);
	buf_put_u16(out, (uint16_t)n);
	for (i = 0; i < n; i++)
		buf_put_u64(out, parents[i]);
}
