/*
 * log.c - formats one event as one line and writes it with one write(2).
 *
 * The sink (format, level, name) is set once at start and only read later.
 */
#include "proto/base/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#define LINE_MAX_BYTES 8192

static struct {
	char name[32];
	enum log_format format;
	enum log_level level;
} sink = { "postern", LOG_TEXT, LOG_INFO };

static const char *const levels[] = { "error", "warning", "info", "debug" };
static const char *const formats[] = { "text", "logfmt", "json" };

void
log_setup(const char *name, enum log_format format, enum log_level level)
{
	snprintf(sink.name, sizeof(sink.name), "%s", name);
	sink.format = format;
	sink.level = level;
}

int
log_format_parse(const char *text, enum log_format *out)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (strcmp(text, formats[i]) == 0) {
			*out = (enum log_format)i;
			return 0;
		}
	}
	return ERR_INVAL;
}

int
log_level_parse(const char *text, enum log_level *out)
{
	int i;

	for (i = 0; i < 4; i++) {
		if (strcmp(text, levels[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return ERR_INVAL;
}

/* In quotes with JSON's escapes; bytes that are no plain ASCII as \u00xx. */
static void
put_quoted(struct buf *b, const char *s)
{
	buf_putc(b, '"');
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			buf_printf(b, "\\u%04x", c);
		else
			buf_putc(b, (char)c);
	}
	buf_putc(b, '"');
}

static bool
is_plain(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' ||
		    c == '\\')
			return false;
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
		buf_printf(b, "%s %-7s %s %s", now, levels[level],
		    sink.name, event);
	}
}

void
log_write(enum log_level level, const char *event,
    const struct log_field *fields)
{
	const struct log_field *f;
	struct buf b;
	bool json = sink.format == LOG_JSON;
	ssize_t n;

	if (level > sink.level)
		return;
	buf_init(&b, LINE_MAX_BYTES);
	put_head(&b, level, event);
	for (f = fields; f->key != NULL; f++) {
		if (json) {
			buf_putc(&b, ',');
			put_quoted(&b, f->key);
			buf_putc(&b, ':');
		} else
			buf_printf(&b, " %s=", f->key);
		put_value(&b, f, json);
	}
	b.err = 0;		/* a line cut at the limit is still a line */
	b.max += 8;
	buf_puts(&b, json ? "}\n" : "\n");
	n = write(STDERR_FILENO, b.data, b.len);
	(void)n;		/* a line that cannot be written is lost */
	buf_fini(&b);
}
