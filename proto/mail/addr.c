/*
 * addr.c - addresses in the three input forms to their canonical text.
 */
#include "proto/mail/addr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#include "proto/base/err.h"
#include "proto/mail/ip.h"
#include "proto/mail/plain.h"

#define RAW_MAX 1024

/* RFC 5321 atext, and UTF-8 (RFC 6531). */
static bool
is_atext(unsigned char c)
{
	return c >= 0x80 || plain_is_atext(c);
}

static bool
is_dot_atom(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || s[0] == '.' || s[len - 1] == '.')
		return false;
	for (i = 0; i < len; i++) {
		if (s[i] == '.' ? s[i - 1] == '.' :
		    !is_atext((unsigned char)s[i]))
			return false;
	}
	return true;
}

/*
 * Fold an unquoted local part: NFC and, with UTF-8, full case folding; ASCII
 * lower case otherwise.  *out_len holds the room on entry.
 */
static int
fold(const char *raw, size_t len, char *out, size_t *out_len,
    struct diag *why)
{
	size_t i, n = 0;
	uint8_t *p;

	for (i = 0; i < len && (unsigned char)raw[i] < 0x80; i++)
		out[i] = raw[i] >= 'A' && raw[i] <= 'Z' ?
		    (char)(raw[i] + ('a' - 'A')) : raw[i];
	if (i == len) {
		*out_len = len;
		return 0;
	}
	if (u8_check((const uint8_t *)raw, len) != NULL)
		return diag_set(why, ERR_INVAL,
		    "the local part is no valid UTF-8");
	p = u8_casefold((const uint8_t *)raw, len, NULL, UNINORM_NFC, NULL,
	    &n);
	if (p == NULL || n > *out_len) {
		free(p);
		return diag_set(why, ERR_TOOBIG, "the local part is too long");
	}
	memcpy(out, p, n);
	*out_len = n;
	free(p);
	return 0;
}

/*
 * Take quotes off "..." into out; 0, or ERR_INVAL for a malformed one.  UTF-8
 * stands in the string, never behind a backslash (RFC 6531 3.3).
 */
static int
unquote(const char *s, size_t len, char *out, size_t *out_len)
{
	size_t i, n = 0;

	if (len < 2 || s[0] != '"' || s[len - 1] != '"')
		return ERR_INVAL;
	for (i = 1; i < len - 1; i++) {
		if (s[i] == '"')
			return ERR_INVAL;
		if (s[i] == '\\' && (++i == len - 1 ||
		    (unsigned char)s[i] >= 0x80))
			return ERR_INVAL;
		out[n++] = s[i];
	}
	*out_len = n;
	return 0;
}

/* Append a local part, in quotes when it needs them. */
static int
put_local(struct addr *a, const char *s, size_t len)
{
	bool quote = !is_dot_atom(s, len);
	size_t i;

	if (quote)
		a->text[a->len++] = '"';
	for (i = 0; i < len; i++) {
		if (a->len + 4 > sizeof(a->text))
			return ERR_TOOBIG;
		if (quote && (s[i] == '"' || s[i] == '\\'))
			a->text[a->len++] = '\\';
		a->text[a->len++] = s[i];
	}
	if (quote)
		a->text[a->len++] = '"';
	a->local_len = a->len;
	return 0;
}

/* "[192.0.2.1]" or "[IPv6:...]" to its canonical text. */
static int
put_literal(struct addr *a, const char *s, size_t len, struct diag *why)
{
	char text[IP_TEXT_LEN];
	const char *p = s + 1;
	size_t n = len - 2;
	struct ip ip;
	bool v6 = n > 5 && strncasecmp(p, "IPv6:", 5) == 0;

	if (v6) {
		p += 5;
		n -= 5;
	}
	if (n >= sizeof(text))
		return diag_set(why, ERR_INVAL, "malformed address literal");
	memcpy(text, p, n);
	text[n] = '\0';
	if (ip_parse(text, &ip) < 0 || v6 != (strchr(text, ':') != NULL))
		return diag_set(why, ERR_INVAL, "malformed address literal");
	ip_format(&ip, text);
	a->kind = ADDR_LITERAL;
	a->len += (size_t)snprintf(a->text + a->len,
	    sizeof(a->text) - a->len, "[%s%s]",
	    ip_is_v4(&ip) ? "" : "ipv6:", text);
	return 0;
}

static int
put_domain(struct addr *a, const char *s, size_t len, struct diag *why)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	int rc;

	a->text[a->len++] = '@';
	a->domain_at = a->len;
	if (len >= 2 && s[0] == '[' && s[len - 1] == ']')
		return put_literal(a, s, len, why);
	if ((rc = addr_domain_parse(s, len, domain, why)) < 0)
		return rc;
	if (a->len + strlen(domain) >= sizeof(a->text))
		return diag_set(why, ERR_TOOBIG, "the address is too long");
	memcpy(a->text + a->len, domain, strlen(domain) + 1);
	a->len += strlen(domain);
	return 0;
}

static bool
has_control(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	}
	return false;
}

/* Drop "<", ">" and a source route "@a,@b:" (RFC 5321 appendix C). */
static int
strip_path(const char **s, size_t *len, struct diag *why)
{
	const char *colon;

	if (*len >= 1 && **s == '<') {
		if ((*s)[*len - 1] != '>')
			return diag_set(why, ERR_INVAL, "\">\" is missing");
		*s += 1;
		*len -= 2;
	}
	if (*len > 0 && **s == '@') {
		if ((colon = memchr(*s, ':', *len)) == NULL)
			return diag_set(why, ERR_INVAL,
			    "the local part is empty");
		*len -= (size_t)(colon + 1 - *s);
		*s = colon + 1;
		/* a route to nothing is not the null sender */
		if (*len == 0)
			return diag_set(why, ERR_INVAL,
			    "the local part is empty");
	}
	return 0;
}

/* Where the local part of s ends: at the last "@", for a quoted string at the
 * "@" behind its quote; len when there is none. */
static size_t
split(const char *s, size_t len, bool quoted)
{
	size_t i;

	if (quoted) {
		for (i = 1; i < len && s[i] != '"'; i++)
			i += s[i] == '\\';
		return i + 1 < len && s[i + 1] == '@' ? i + 1 : len;
	}
	for (i = len; i > 0; i--) {
		if (s[i - 1] == '@')
			return i - 1;
	}
	return len;
}

/* Has an unquoted local part a second reading? */
static bool
is_ambiguous(const char *s, size_t len)
{
	return len > 0 && (memchr(s, '"', len) != NULL ||
	    memchr(s, '\\', len) != NULL || memchr(s, '@', len) != NULL ||
	    s[0] == '<' || s[len - 1] == '>');
}

static int
parse(struct addr *a, const char *s, size_t len, enum addr_form form,
    struct diag *why)
{
	bool quoted = form != ADDR_UNQUOTED && len > 0 && s[0] == '"';
	size_t at = split(s, len, quoted), n, folded_len;
	/* folding may lengthen: over the limit, the text could not be read
	 * again */
	char raw[RAW_MAX], folded[ADDR_LOCAL_MAX];
	int rc;

	if (quoted) {
		if (unquote(s, at, raw, &n) < 0)
			return diag_set(why, ERR_INVAL,
			    "the quoted local part is malformed");
	} else {
		if (form != ADDR_UNQUOTED && !is_dot_atom(s, at))
			return diag_set(why, ERR_INVAL, "the local part is "
			    "empty or needs quotes");
		memcpy(raw, s, at);
		n = at;
		a->ambiguous = is_ambiguous(s, at);
	}
	if (n == 0 && !quoted)
		return diag_set(why, ERR_INVAL, "the local part is empty");
	if (n > ADDR_LOCAL_MAX)
		return diag_set(why, ERR_TOOBIG,
		    "the local part is over 64 bytes");
	folded_len = sizeof(folded);
	if ((rc = fold(raw, n, folded, &folded_len, why)) < 0)
		return rc;
	if (put_local(a, folded, folded_len) < 0)
		return diag_set(why, ERR_TOOBIG, "the address is too long");
	if (at == len) {
		a->kind = ADDR_BARE;
		a->domain_at = a->len;
		return 0;
	}
	a->kind = ADDR_MAILBOX;
	return put_domain(a, s + at + 1, len - at - 1, why);
}

int
addr_parse(struct addr *out, const char *raw, size_t len,
    enum addr_form form, struct diag *why)
{
	const char *s = raw;
	int rc;

	if (plain_mailbox(s, len, out))
		return 0;
	memset(out, 0, sizeof(*out));
	if (len > RAW_MAX)
		return diag_set(why, ERR_TOOBIG, "the address is too long");
	if (has_control(s, len))
		return diag_set(why, ERR_INVAL,
		    "the address holds a control byte");
	if (form == ADDR_SMTP && (rc = strip_path(&s, &len, why)) < 0)
		return rc;
	if (len == 0)
		return 0;
	if (s != raw && plain_mailbox(s, len, out))
		return 0;
	memset(out->text, 0, sizeof(out->text));
	rc = parse(out, s, len, form, why);
	if (rc < 0)
		memset(out, 0, sizeof(*out));
	return rc;
}

bool
addr_strip_extension(const struct addr *a, const char *delimiters,
    struct addr *out)
{
	size_t cut = a->local_len;
	const char *d, *at;

	if (cut < 2 || a->text[0] == '"')
		return false;
	for (d = delimiters; *d != '\0'; d++) {
		if ((at = memchr(a->text + 1, *d, cut - 1)) != NULL)
			cut = (size_t)(at - a->text);
	}
	if (cut == a->local_len)
		return false;
	memset(out, 0, sizeof(*out));
	out->kind = a->kind;
	out->ambiguous = a->ambiguous;
	/* what is left may need quotes: "a.+x" leaves "a." */
	if (put_local(out, a->text, cut) < 0)
		return false;
	memcpy(out->text + out->len, a->text + a->local_len,
	    a->len - a->local_len + 1);
	out->len += a->len - a->local_len;
	out->domain_at = out->len - (a->len - a->domain_at);
	return true;
}

const char *
addr_domain(const struct addr *a)
{
	return a->text + a->domain_at;
}
