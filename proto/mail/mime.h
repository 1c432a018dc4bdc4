/*
 * mime.h - one encoded word of RFC 2047: "=?charset?q?text?=".
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>

struct mime_word {
	size_t len;		/* of the whole word */
	const char *charset;	/* a constant in lower case, one pointer for
				 * each charset; NULL: not one of ours */
	bool base64;
	const char *text;	/* encoded, borrowed */
	size_t text_len;
};

/*
 * Does s begin with an encoded word?  Its text is any bytes but "?" and white
 * space, of any length: senders exceed what RFC 2047 section 2 allows and
 * readers decode it.  A language (RFC 2231 section 5) is skipped.  Looks no
 * further than the fourth "?".
 */
bool mime_word(const char *s, size_t len, struct mime_word *out);

/*
 * Write the bytes that the word stands for, at most text_len; returns how
 * many.  A "=" that no two hex digits follow stands for itself; in base 64
 * what is outside its alphabet is skipped.
 */
size_t mime_word_decode(const struct mime_word *w, char *out);

#endif
