/*
 * from_lex.c - tokens of a structured header field.  Nesting is a counter.
 */
#include "proto/mail/from_lex.h"

#include <string.h>

#include "proto/mail/mime.h"

void
lex_init(struct lex *x, const char *s, size_t len, bool words)
{
	memset(x, 0, sizeof(*x));
	x->p = s;
	x->end = s + len;
	x->words = words;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool
is_special(char c)
{
	return c != '\0' && strchr("()<>[]:;@\\,.\"", c) != NULL;
}

/* The byte that closes what opens at x->p: a quoted string or a literal. */
static const char *
find_close(const struct lex *x, char close)
{
	const char *p;

	for (p = x->p + 1; p < x->end; p++) {
		if (*p == close)
			return p;
		if (*p == '\\')
			p++;
	}
	return NULL;
}

static const char *
find_comment_close(const struct lex *x)
{
	const char *p;
	size_t depth = 0;

	for (p = x->p; p < x->end; p++) {
		if (*p == '\\')
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p;
	}
	return NULL;
}

/* At "(": skip the comment, or the parenthesis if nothing closes it. */
static void
skip_comment(struct lex *x)
{
	const char *close = x->no_comment ? NULL : find_comment_close(x);

	if (close == NULL) {
		x->no_comment = x->odd = true;
		x->p++;
		return;
	}
	if (x->comment == NULL) {
		x->comment = x->p + 1;
		x->comment_len = (size_t)(close - x->comment);
	}
	x->p = close + 1;
}

static void
skip_between(struct lex *x)
{
	x->gap = false;
	while (x->p < x->end) {
		if (*x->p == '(')
			skip_comment(x);
		else if (*x->p == ')' || *x->p == '\\' || *x->p == ']') {
			x->odd = true;
			x->p++;
		} else if (is_space(*x->p))
			x->p++;
		else
			return;
		x->gap = true;
	}
}

/* At a quote or "[": the text between, or false if nothing closes it. */
static bool
enclosed(struct lex *x, char close, bool *unclosed)
{
	const char *end = *unclosed ? NULL : find_close(x, close);

	if (end == NULL) {
		*unclosed = x->odd = true;
		x->p++;
		return false;
	}
	x->text = x->p + 1;
	x->len = (size_t)(end - x->text);
	for (; x->p < end; x->p++)
		x->odd |= is_control(*x->p) && !is_space(*x->p);
	x->p = end + 1;
	return true;
}

static bool
encoded_word(struct lex *x)
{
	struct mime_word w;
	size_t i;

	if (!x->words || !mime_word(x->p, (size_t)(x->end - x->p), &w))
		return false;
	for (i = 0; i < w.len; i++)
		x->special |= is_special(x->p[i]) && x->p[i] != '.';
	x->text = x->p;
	x->len = w.len;
	x->p += w.len;
	return true;
}

static int
atom(struct lex *x)
{
	x->text = x->p;
	while (x->p < x->end && !is_space(*x->p) && !is_special(*x->p)) {
		x->odd |= is_control(*x->p);
		x->p++;
	}
	x->len = (size_t)(x->p - x->text);
	return TOK_ATOM;
}

int
lex_next(struct lex *x)
{
	bool gap = false;

	for (;;) {
		skip_between(x);
		x->gap |= gap;
		if (x->p == x->end)
			return TOK_END;
		if (*x->p == '"') {
			if (enclosed(x, '"', &x->no_quote))
				return TOK_QUOTED;
		} else if (*x->p == '[') {
			if (enclosed(x, ']', &x->no_literal))
				return TOK_LITERAL;
		} else
			break;
		gap = true;
	}
	if (is_special(*x->p))
		return (unsigned char)*x->p++;
	return encoded_word(x) ? TOK_WORD : atom(x);
}

bool
lex_copy(const char *s, size_t s_len, bool escapes, char *out, size_t cap,
    size_t *len)
{
	size_t i, n = 0;

	for (i = 0; i < s_len && n < cap; i++) {
		if (escapes && s[i] == '\\' && i + 1 < s_len)
			i++;
		if (s[i] == '\t')
			out[n++] = ' ';
		else if (!is_control(s[i]))
			out[n++] = s[i];
	}
	*len = n;
	return i == s_len;
}
