/*
 * eml.c - finds the header From fields of a message.
 */
#include "controller/policy/eml.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <unistr.h>

/* Bytes of line after "From:" and white space before the colon, or NULL. */
static const char *
from_value(const char *line, const char *end)
{
	const char *p = line + 4;

	if (end - line < 5 || strncasecmp(line, "From", 4) != 0)
		return NULL;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p < end && *p == ':' ? p + 1 : NULL;
}

static void
put_text(const char *s, const char *end, struct buf *out)
{
	ucs4_t c;
	int n;

	while (s < end) {
		n = u8_mbtoucr(&c, (const uint8_t *)s, (size_t)(end - s));
		if (n < 0)
			buf_puts(out, "\xef\xbf\xbd");
		else if (c == 0)
			buf_putc(out, 1);
		else
			buf_put(out, s, (size_t)n);
		s += n < 0 ? 1 : n;
	}
}

size_t
eml_from(const void *message, size_t len, struct buf *out)
{
	const char *line = message, *end = line + len, *eol, *value;
	bool taking = false;
	size_t n = 0;

	for (; line < end; line = eol + 1) {
		eol = memchr(line, '\n', (size_t)(end - line));
		if (eol == NULL)
			eol = end;
		value = eol > line && eol[-1] == '\r' ? eol - 1 : eol;
		if (value == line)
			break;
		if (*line == ' ' || *line == '\t') {
			if (taking) {
				buf_putc(out, '\n');
				put_text(line, value, out);
			}
			continue;
		}
		taking = from_value(line, value) != NULL;
		if (!taking)
			continue;
		if (n++ > 0)
			buf_putc(out, '\n');
		put_text(from_value(line, value), value, out);
	}
	return n;
}
