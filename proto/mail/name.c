/*
 * name.c - a display name as written to its canonical form: decode, then
 * clean, then fold.
 */
#include "proto/mail/name.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicase.h>
#include <uniconv.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "proto/base/err.h"
#include "proto/mail/mime.h"

#define TEXT_MAX (NAME_RAW_MAX * 3)	/* a byte of a charset: 3 of UTF-8 */

struct text {
	char data[TEXT_MAX];
	size_t len;
	bool cut;
	int conversions;	/* that went into it */
};

static void
put(struct text *t, const char *s, size_t len)
{
	if (len > sizeof(t->data) - t->len) {
		len = sizeof(t->data) - t->len;
		t->cut = true;
	}
	memcpy(t->data + t->len, s, len);
	t->len += len;
}

/* The bytes of adjacent encoded words in one charset, to text. */
static void
flush(struct text *t, struct text *run, const char *charset)
{
	uint8_t *p;
	size_t n = 0;

	if (run->len == 0)
		return;
	if (strcmp(charset, "utf-8") == 0 ||
	    t->conversions++ >= NAME_CONVERSIONS_MAX)
		put(t, run->data, run->len);
	else {
		p = u8_conv_from_encoding(charset, iconveh_question_mark,
		    run->data, run->len, NULL, NULL, &n);
		if (p != NULL)
			put(t, (char *)p, n);
		else	/* this system has no converter for it */
			put(t, run->data, run->len);
		free(p);
	}
	run->len = 0;
}

/* Is nothing but white space between s + at and an encoded word?  Where that
 * begins, or at. */
static size_t
next_word(const char *s, size_t at, size_t len)
{
	struct mime_word w;
	size_t i = at;

	while (i < len && strchr(" \t\r\n", s[i]) != NULL && s[i] != '\0')
		i++;
	return mime_word(s + i, len - i, &w) && w.charset != NULL ? i : at;
}

static void
decode(struct text *t, const char *raw, size_t len)
{
	struct text run;
	struct mime_word w;
	const char *charset = "utf-8";
	size_t i = 0;

	run.len = 0;
	run.cut = false;
	while (i < len) {
		if (!mime_word(raw + i, len - i, &w) || w.charset == NULL) {
			flush(t, &run, charset);
			put(t, raw + i++, 1);
			continue;
		}
		if (w.charset != charset)
			flush(t, &run, charset);
		charset = w.charset;
		run.len += mime_word_decode(&w, run.data + run.len);
		i = next_word(raw, i + w.len, len);
	}
	flush(t, &run, charset);
}

/* Valid UTF-8 without control bytes; white space is not touched yet. */
static void
clean(const struct text *in, struct text *out)
{
	const uint8_t *s = (const uint8_t *)in->data;
	uint8_t one[6];
	size_t i = 0;
	ucs4_t c;
	int n;

	while (i < in->len) {
		n = u8_mbtoucr(&c, s + i, in->len - i);
		if (n < 0) {
			put(out, "\xef\xbf\xbd", 3);
			i++;
			continue;
		}
		i += (size_t)n;
		if (uc_is_property_white_space(c) || !uc_is_cntrl(c)) {
			n = u8_uctomb(one, c, sizeof(one));
			put(out, (char *)one, (size_t)n);
		}
	}
}

/* Runs of white space to one space, none at the ends. */
static int
collapse(char out[NAME_TEXT_MAX], const uint8_t *s, size_t len)
{
	size_t i = 0, n = 0;
	bool gap = false;
	ucs4_t c;

	while (i < len) {
		size_t width = (size_t)u8_mbtouc(&c, s + i, len - i);

		if (uc_is_property_white_space(c)) {
			gap = n > 0;
			i += width;
			continue;
		}
		if (n + gap + width >= NAME_TEXT_MAX)
			return ERR_TOOBIG;
		if (gap)
			out[n++] = ' ';
		gap = false;
		memcpy(out + n, s + i, width);
		n += width;
		i += width;
	}
	out[n] = '\0';
	return 0;
}

int
name_parse(char out[NAME_TEXT_MAX], const char *raw, size_t len,
    struct diag *why)
{
	struct text text, cleaned;
	uint8_t *nfkc = NULL, *folded = NULL;
	size_t n = 0;
	int rc = 0;

	out[0] = '\0';
	if (len > NAME_RAW_MAX)
		return diag_set(why, ERR_TOOBIG, "the name is too long");
	text.len = cleaned.len = 0;
	text.cut = cleaned.cut = false;
	text.conversions = 0;
	decode(&text, raw, len);
	clean(&text, &cleaned);
	if (cleaned.len == 0)
		return 0;
	nfkc = u8_normalize(UNINORM_NFKC, (uint8_t *)cleaned.data,
	    cleaned.len, NULL, &n);
	if (nfkc != NULL)
		folded = u8_casefold(nfkc, n, NULL, UNINORM_NFKC, NULL, &n);
	if (folded == NULL || text.cut || cleaned.cut)
		rc = ERR_TOOBIG;
	else
		rc = collapse(out, folded, n);
	free(nfkc);
	free(folded);
	if (rc < 0) {
		out[0] = '\0';
		return diag_set(why, rc, "the name is too long");
	}
	return 0;
}
