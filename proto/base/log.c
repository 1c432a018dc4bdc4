/*
 * log.c - formats one event as one line and writes it with one write(2).
 *
 * The sink (format, level, name) is set once at start and only read later.
 */
#include "proto/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/buf.h"
#include "proto/base/clock.h"

#define LINE_MAX_BYTES 8192

static struct {
	char name[32];
	enum log_format format;
	enum log_level level;
} sink = { "postern", LOG_TEXT, LOG_INFO };

static const char *const levels[] = { "error", "warning", "info", "debug" };

void
log_setup(const char *name, enum log_format format, enum log_level level)
{
	snprintf(sink.name, sizeof(sink.name), "%s", name);
	sink.format = format;
	sink.level = level;
}

/*
 * Length of the well-formed UTF-8 sequence of more than one byte at s
 * (RFC 3629: no overlong form, no surrogate, at most U+10FFFF), or 0.  C1
 * controls count as ill-formed, since terminals obey them.
 */
static size_t
utf8_len(const unsigned char *s)
{
	size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2, i;
	unsigned char low = 0x80, high = 0xbf;

	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	if (s[0] == 0xe0 || s[0] == 0xc2)
		low = 0xa0;
	else if (s[0] == 0xf0)
		low = 0x90;
	if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (i = 2; i < len; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}
	return len;
}

/* In quotes with JSON's escapes; controls and bytes that are no UTF-8 as
 * \u00xx. */
static void
put_quoted(struct buf *b, const char *s)
{
	size_t len;

	buf_putc(b, '"');
	while (*s != '\0') {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x80 &&
		    (len = utf8_len((const unsigned char *)s)) > 0) {
			buf_put(b, s, len);
			s += len;
			continue;
		}
		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			buf_printf(b, "\\u%04x", c);
		else
			buf_putc(b, (char)c);
		s++;
	}
	buf_putc(b, '"');
}

static bool
is_plain(const char *s)
{
	size_t len;

	if (*s == '\0')
		return false;
	while (*s != '\0') {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c == 0x7f || c == '"' || c == '=' ||
		    c == '\\')
			return false;
		len = c < 0x80 ? 1 : utf8_len((const unsigned char *)s);
		if (len == 0)
			return false;
		s += len;
	}
	return true;
}

static void
put_value(struct buf *b, const struct log_field *f, bool json)
{
	const char *s = f->s == NULL ? "" : f->s;

	if (f->type == 'u')
		buf_printf(b, "%" PRIu64, f->u);
	else if (f->type == 'i')
		buf_printf(b, "%" PRId64, (int64_t)f->u);
	else if (json || !is_plain(s))
		put_quoted(b, s);
	else
		buf_puts(b, s);
}

static void
put_head(struct buf *b, enum log_level level, const char *event)
{
	char now[CLOCK_TEXT_LEN];

	clock_format(clock_wall_us(), now);
	switch (sink.format) {
	case LOG_JSON:
		buf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\","
		    "\"program\":\"%s\",\"event\":\"%s\"", now,
		    levels[level], sink.name, event);
		break;
	case LOG_LOGFMT:
		buf_printf(b, "time=%s level=%s program=%s event=%s", now,
		    levels[level], sink.name, event);
		break;
	default:
		buf_printf(b, "%s %-5s %s %s", now, levels[level],
		    sink.name, event);
	}
}

/* One field; when it does not fit, b is left as it was and true returned. */
static bool
put_field(struct buf *b, const struct log_field *f, bool json)
{
	size_t before = b->len;

	if (json) {
		buf_putc(b, ',');
		put_quoted(b, f->key);
		buf_putc(b, ':');
	} else
		buf_printf(b, " %s=", f->key);
	put_value(b, f, json);
	if (b->err == 0)
		return false;
	b->len = before;
	b->err = 0;
	return true;
}

void
log_write(enum log_level level, const char *event,
    const struct log_field *fields)
{
	const struct log_field *f;
	struct buf b;
	bool json = sink.format == LOG_JSON, cut = false;
	ssize_t n;

	if (level > sink.level)
		return;
	buf_init(&b, LINE_MAX_BYTES);
	put_head(&b, level, event);
	for (f = fields; f->key != NULL; f++)
		cut |= put_field(&b, f, json);
	b.max += 16;		/* the end of the line always has room */
	if (cut)
		buf_puts(&b, json ? ",\"cut\":true" : " cut=true");
	buf_puts(&b, json ? "}\n" : "\n");
	do		/* a line that cannot be written is lost */
		n = write(STDERR_FILENO, b.data, b.len);
	while (n < 0 && errno == EINTR);
	buf_fini(&b);
}
