/*
 * mime.c - encoded words of RFC 2047.
 */
#include "proto/mail/mime.h"

#include <string.h>
#include <strings.h>

#define CHARSET_MAX 40

/*
 * The charsets that mail is written in.  A list, since a name goes to iconv,
 * which would load any converter that the sender of a message names.
 */
static const char *const charsets[] = {
	"utf-8", "iso-8859-1", "iso-8859-2", "iso-8859-3",
	"iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8",
	"iso-8859-9", "iso-8859-10", "iso-8859-13", "iso-8859-14",
	"iso-8859-15", "iso-8859-16", "windows-1250", "windows-1251",
	"windows-1252", "windows-1253", "windows-1254", "windows-1255",
	"windows-1256", "windows-1257", "windows-1258", "koi8-r", "koi8-u",
	"iso-2022-jp", "shift_jis", "euc-jp", "iso-2022-kr", "euc-kr",
	"gb2312", "gbk", "gb18030", "big5", NULL
};

static const char *
known(const char *s, size_t len)
{
	size_t i;

	for (i = 0; charsets[i] != NULL; i++) {
		if (strlen(charsets[i]) == len &&
		    strncasecmp(charsets[i], s, len) == 0)
			return charsets[i];
	}
	/* the same by another name, and what is part of it */
	if ((len == 4 && strncasecmp(s, "utf8", 4) == 0) ||
	    (len == 8 && strncasecmp(s, "us-ascii", 8) == 0))
		return charsets[0];
	return NULL;
}

static bool
is_text(unsigned char c)
{
	return c > ' ' && c != 0x7f && c != '?';
}

bool
mime_word(const char *s, size_t len, struct mime_word *out)
{
	size_t i = 2, n;

	if (len < 8 || s[0] != '=' || s[1] != '?')
		return false;
	while (i < len && is_text((unsigned char)s[i]) && i < CHARSET_MAX)
		i++;
	n = i - 2;
	if (n == 0 || i + 3 > len || s[i] != '?' || s[i + 2] != '?' ||
	    strchr("bBqQ", s[i + 1]) == NULL || s[i + 1] == '\0')
		return false;
	if (memchr(s + 2, '*', n) != NULL)
		n = (size_t)((const char *)memchr(s + 2, '*', n) - s) - 2;
	out->charset = known(s + 2, n);
	out->base64 = s[i + 1] == 'b' || s[i + 1] == 'B';
	i += 3;
	out->text = s + i;
	while (i < len && is_text((unsigned char)s[i]))
		i++;
	if (i + 1 >= len || s[i] != '?' || s[i + 1] != '=')
		return false;
	out->text_len = i - (size_t)(out->text - s);
	out->len = i + 2;
	return true;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t
decode_q(const struct mime_word *w, char *out)
{
	const char *s = w->text;
	size_t i, n = 0;

	for (i = 0; i < w->text_len; i++) {
		if (s[i] == '=' && i + 2 < w->text_len &&
		    hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
			out[n++] = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
			i += 2;
		} else
			out[n++] = s[i] == '_' ? ' ' : s[i];
	}
	return n;
}

static size_t
decode_b(const struct mime_word *w, char *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, have = 0;
	size_t i, n = 0;

	for (i = 0; i < w->text_len && w->text[i] != '='; i++) {
		const char *at = strchr(alphabet, w->text[i]);

		if (at == NULL)
			continue;
		bits = (bits << 6 | (unsigned)(at - alphabet)) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (char)(bits >> have);
		}
	}
	return n;
}

size_t
mime_word_decode(const struct mime_word *w, char *out)
{
	return w->base64 ? decode_b(w, out) : decode_q(w, out);
}
