/*
 * from_lex.h - the tokens of a structured header field (RFC 5322 3.2), for
 * from.c alone.
 *
 * Comments and white space are skipped and remembered.  What is unclosed or
 * stands where nothing may is dropped and sets odd, so that one quote or
 * parenthesis cannot swallow the addresses behind it.
 */
#ifndef MAIL_FROM_LEX_H
#define MAIL_FROM_LEX_H

#include <stdbool.h>
#include <stddef.h>

/* Any other token is its own byte: < > , ; : @ . */
enum { TOK_END = 256, TOK_ATOM, TOK_QUOTED, TOK_LITERAL, TOK_WORD };

struct lex {
	const char *p, *end;
	bool words;	/* an encoded word is one token, TOK_WORD */
	bool odd;	/* something was outside the grammar */
	bool special;	/* a TOK_WORD holds bytes that are syntax without
			 * words: read again to see what that makes */
	bool no_quote, no_comment, no_literal;	/* seen unclosed */
	/* of the token returned last */
	const char *text;	/* without quotes or brackets, borrowed */
	size_t len;
	bool gap;		/* white space or a comment before it */
	/* the first comment since the reader cleared it, or NULL */
	const char *comment;
	size_t comment_len;
};

void lex_init(struct lex *x, const char *s, size_t len, bool words);

/*
 * The next token, TOK_END after the last.  All calls together look at each
 * byte a bounded number of times.
 */
int lex_next(struct lex *x);

/*
 * Copy a token's text (or a comment) to out, at most cap bytes: without
 * backslashes, control bytes and the ends of folded lines.  False when it
 * did not fit; *len is what was written.
 */
bool lex_copy(const char *s, size_t s_len, bool escapes, char *out,
    size_t cap, size_t *len);

#endif
