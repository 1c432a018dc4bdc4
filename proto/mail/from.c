/*
 * from.c - reads header From fields, see from.h.
 *
 * Each field is read once with encoded words as single tokens.  Where such a
 * word holds bytes of syntax ("=?utf-8?q?Doe,_Al?=", "=?utf-8?q?<a@x>?="), it
 * is read again as RFC 5322 has it without RFC 2047; addresses that only this
 * reading finds are added and make the header malformed.
 */
#include "proto/mail/from.h"

#include <string.h>

#include "proto/mail/from_lex.h"

#define DOMAIN_RAW_MAX 800	/* UTF-8 of a domain of 253 octets, and more */

enum spec_state { AT_START, AT_LOCAL, AT_DOT, AT_SIGN, AT_DOMAIN };

/* An address being read: what stands there that might be one. */
struct spec {
	enum spec_state state;
	char local[ADDR_LOCAL_MAX];	/* without quotes */
	char domain[DOMAIN_RAW_MAX];
	size_t local_len, domain_len;
	bool local_bad, domain_bad;	/* did not fit, or cannot be read */
	bool odd;			/* outside the grammar of addr-spec */
};

struct reader {
	struct from *f;
	struct lex x;
	struct spec s;
	bool again;	/* the reading without encoded words */
	size_t first;	/* addresses before this field */
	size_t found;	/* in this mailbox */
	size_t group_len;	/* of the group's name, in f->raw */
	bool any;	/* a token of it was seen */
	bool odd, angle, angled, route, group, stop;
};

static void
spec_reset(struct spec *s)
{
	s->state = AT_START;
	s->local_len = s->domain_len = 0;
	s->local_bad = s->domain_bad = s->odd = false;
}

/* Make *a of s; false when not even its domain can be read. */
static bool
spec_parse(const struct spec *s, struct addr *a, bool *odd)
{
	char raw[ADDR_LOCAL_MAX * 2 + DOMAIN_RAW_MAX + 3];
	size_t i, n = 0;

	raw[n++] = '"';
	for (i = 0; i < s->local_len; i++) {
		if (s->local[i] == '"' || s->local[i] == '\\')
			raw[n++] = '\\';
		raw[n++] = s->local[i];
	}
	raw[n++] = '"';
	raw[n++] = '@';
	memcpy(raw + n, s->domain, s->domain_len);
	/* where a replacement stands, a byte could not be read elsewhere */
	*odd |= memmem(s->local, s->local_len, "\xef\xbf\xbd", 3) != NULL;
	if (!s->local_bad && addr_parse(a, raw, n + s->domain_len, ADDR_TEXT,
	    NULL) == 0)
		return true;
	*odd = true;
	memcpy(raw, "?@", 2);
	memcpy(raw + 2, s->domain, s->domain_len);
	return addr_parse(a, raw, s->domain_len + 2, ADDR_TEXT, NULL) == 0;
}

static bool
is_known(const struct reader *r, const struct addr *a)
{
	size_t i;

	for (i = r->first; i < r->f->n; i++) {
		if (strcmp(r->f->addr[i].text, a->text) == 0)
			return true;
	}
	return false;
}

/* Take what s holds as an address of this mailbox. */
static void
emit(struct reader *r)
{
	struct from *f = r->f;
	struct addr a;
	bool odd = r->s.odd || r->s.domain_bad;

	if (f->tries++ == FROM_TRIES_MAX) {
		f->more = r->stop = true;
		return;
	}
	if (r->s.domain_bad || !spec_parse(&r->s, &a, &odd)) {
		r->odd = true;
		return;
	}
	r->odd |= odd;
	if (r->again && is_known(r, &a))
		return;
	f->malformed |= r->again;
	if (f->n == FROM_MAX) {
		f->more = r->stop = true;
		return;
	}
	f->addr[f->n++] = a;
	r->found++;
}

/* The end of what might be an address. */
static void
spec_end(struct reader *r)
{
	if (r->s.state == AT_DOMAIN)
		emit(r);
	else if (r->s.state == AT_SIGN || (r->angle && r->s.state != AT_START))
		r->odd = true;
	spec_reset(&r->s);
}

/* Append to the display name, unless that is decided. */
static void
name_add(struct reader *r, const char *s, size_t len, bool escapes)
{
	struct from *f = r->f;
	size_t n;

	if (f->named || r->again || r->angle)
		return;
	if (r->x.gap && f->raw_len > r->group_len &&
	    f->raw_len < sizeof(f->raw))
		f->raw[f->raw_len++] = ' ';
	f->raw_cut |= !lex_copy(s, len, escapes, f->raw + f->raw_len,
	    sizeof(f->raw) - f->raw_len, &n);
	f->raw_len += n;
}

/* The first mailbox with an address ends: its name is the name. */
static void
decide_name(struct reader *r)
{
	struct from *f = r->f;

	if (f->raw_len > r->group_len) {
		f->raw_len -= r->group_len;
		memmove(f->raw, f->raw + r->group_len, f->raw_len);
	} else if (f->raw_len == 0 && r->x.comment != NULL)
		f->raw_cut = !lex_copy(r->x.comment, r->x.comment_len, true,
		    f->raw, sizeof(f->raw), &f->raw_len);
	f->named = true;
}

static void
mailbox_end(struct reader *r)
{
	struct from *f = r->f;

	spec_end(r);
	r->odd |= !r->stop && (r->angle || (r->any && r->found != 1));
	if (!f->named && !r->again) {
		if (!r->angled)		/* that was the address itself */
			f->raw_len = r->group_len;
		if (r->found > 0)
			decide_name(r);
		else
			f->raw_len = r->group_len;
	}
	r->found = 0;
	r->any = r->angle = r->angled = r->route = false;
	r->x.comment = NULL;
}

/* The first control byte of s, or its end: a reader may stop there. */
static size_t
find_control(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len && (unsigned char)s[i] >= 0x20 && s[i] != 0x7f;
	    i++)
		;
	return i;
}

static void
domain_add(struct reader *r, const char *text, size_t len)
{
	struct spec *s = &r->s;
	size_t cut = find_control(text, len), n;

	s->state = AT_DOMAIN;
	if (cut < len && cut > 0) {
		size_t was = s->domain_len;

		domain_add(r, text, cut);
		emit(r);
		s->domain_len = was;
	}
	s->domain_bad |= !lex_copy(text, len, false,
	    s->domain + s->domain_len, sizeof(s->domain) - s->domain_len, &n);
	s->domain_len += n;
}

static void
on_word(struct reader *r, int tok)
{
	struct spec *s = &r->s;
	bool quoted = tok == TOK_QUOTED;
	size_t n;

	name_add(r, r->x.text, r->x.len, quoted);
	if (s->state == AT_DOMAIN) {
		if (r->x.gap || s->domain_len == 0 ||
		    s->domain[s->domain_len - 1] != '.') {
			emit(r);
			r->odd = true;
		}
		if (s->domain_len == 0 ||
		    s->domain[s->domain_len - 1] != '.')
			spec_reset(s);
	}
	if (s->state == AT_SIGN || s->state == AT_DOMAIN) {
		s->odd |= r->x.gap;
		s->domain_bad |= quoted;
		domain_add(r, r->x.text, r->x.len);
		return;
	}
	if (s->state == AT_LOCAL) {
		/* two words are no local part; the second may begin one */
		spec_reset(s);
		s->odd = true;
	} else if (s->state == AT_DOT)
		s->odd |= r->x.gap;
	s->odd |= tok == TOK_WORD;
	s->local_bad |= !lex_copy(r->x.text, r->x.len, quoted,
	    s->local + s->local_len, sizeof(s->local) - s->local_len, &n);
	s->local_len += n;
	s->state = AT_LOCAL;
}

static void
on_dot(struct reader *r)
{
	struct spec *s = &r->s;

	name_add(r, ".", 1, false);
	if (s->state == AT_DOMAIN && r->x.gap)
		emit(r);	/* "a@x .y": x to some reader, x.y to another */
	s->odd |= r->x.gap;
	if (s->state == AT_SIGN || s->state == AT_DOMAIN) {
		domain_add(r, ".", 1);
		return;
	}
	s->odd |= s->state != AT_LOCAL;
	if (s->local_len == sizeof(s->local))
		s->local_bad = true;
	else
		s->local[s->local_len++] = '.';
	s->state = AT_DOT;
}

static void
on_at(struct reader *r)
{
	struct spec *s = &r->s;

	name_add(r, "@", 1, false);
	if (s->state == AT_DOMAIN) {
		/* "a@x@y": x and y are each the domain to some reader */
		spec_end(r);
	}
	s->odd |= r->x.gap || s->state != AT_LOCAL;
	if (s->state == AT_START) {
		s->local_bad = true;
		r->route = r->angle;
	}
	s->state = AT_SIGN;
}

static void
on_literal(struct reader *r)
{
	struct spec *s = &r->s;
	size_t n = 0;

	if (s->state != AT_SIGN || r->x.len > 64) {
		r->odd = true;
		return;
	}
	s->odd |= r->x.gap;
	s->domain[0] = '[';
	lex_copy(r->x.text, r->x.len, false, s->domain + 1, 64, &n);
	s->domain[n + 1] = ']';
	s->domain_len = n + 2;
	s->state = AT_DOMAIN;
}

static void
on_angle(struct reader *r, bool open)
{
	if (!open) {
		r->odd |= !r->angle || r->s.state == AT_START;
		spec_end(r);
		r->angle = false;
		return;
	}
	r->odd |= r->angled;
	if (r->s.state == AT_SIGN || r->s.state == AT_DOMAIN) {
		r->odd = true;
		spec_end(r);
	}
	spec_reset(&r->s);
	r->angle = r->angled = true;
	r->route = false;
}

static void
on_colon(struct reader *r)
{
	if (r->angle) {
		r->odd = true;
		if (r->route)
			spec_reset(&r->s);
		else
			spec_end(r);
		r->route = false;
		return;
	}
	r->odd |= r->group || r->angled || r->s.state == AT_SIGN ||
	    r->s.state == AT_DOMAIN;
	spec_end(r);
	r->group = true;
	r->any = r->angled = false;
	r->group_len = r->f->raw_len;
	r->x.comment = NULL;
}

static void
on_separator(struct reader *r, int tok)
{
	if (tok == ',' && r->angle) {
		r->odd = true;
		if (r->route)
			spec_reset(&r->s);
		else
			spec_end(r);
		return;
	}
	mailbox_end(r);
	if (tok == ';') {
		r->odd |= !r->group;
		r->group = false;
		r->group_len = 0;
		if (!r->f->named)
			r->f->raw_len = 0;
	}
}

/* Anything but a comma behind "<...>" is outside the grammar. */
static void
on_token(struct reader *r, int tok)
{
	if (r->angled && !r->angle && tok != ',' && tok != ';')
		r->odd = true;
	r->any |= tok != ',' && tok != ';';
	switch (tok) {
	case TOK_ATOM:
	case TOK_QUOTED:
	case TOK_WORD: on_word(r, tok); break;
	case TOK_LITERAL: on_literal(r); break;
	case '.': on_dot(r); break;
	case '@': on_at(r); break;
	case '<': on_angle(r, true); break;
	case '>': on_angle(r, false); break;
	case ':': on_colon(r); break;
	default: on_separator(r, tok); break;
	}
}

static void
read_field(struct reader *r, const char *value, size_t len, bool words)
{
	int tok;

	lex_init(&r->x, value, len, words);
	spec_reset(&r->s);
	if (!r->f->named) {
		r->f->raw_len = 0;
		r->f->raw_cut = false;
	}
	while (!r->stop && (tok = lex_next(&r->x)) != TOK_END)
		on_token(r, tok);
	mailbox_end(r);
	r->odd |= r->x.odd || r->group;
}

void
from_init(struct from *f)
{
	memset(f, 0, sizeof(*f));
}

void
from_add(struct from *f, const char *value, size_t len)
{
	struct reader r = { .f = f, .first = f->n }, second = r;

	f->fields++;
	if (f->more)
		return;
	if (len > FROM_BYTES_MAX - f->bytes) {
		len = FROM_BYTES_MAX - f->bytes;
		f->more = true;
	}
	f->bytes += len;
	read_field(&r, value, len, true);
	f->malformed |= r.odd || (f->n == r.first && !r.stop);
	if (!r.x.special || r.stop)
		return;
	second.again = true;
	read_field(&second, value, len, false);
}

void
from_finish(struct from *f)
{
	size_t i;

	if (f->named && !f->raw_cut)
		name_parse(f->name, f->raw, f->raw_len, NULL);
	for (i = 0; f->malformed && i < f->n; i++)
		f->addr[i].ambiguous = true;
}
