/*
 * conf_value.c - settings from text, by type, with messages that say what
 * would have been right.
 */
#include "proto/base/conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"

/* The value's place as bytes: memcpy to it has no rule of aliasing. */
static void *
place(const struct conf_option *o, void *target)
{
	return (char *)target + o->offset;
}

/* A table that states no limits (0, 0) means none. */
static bool
in_range(const struct conf_option *o, int64_t v)
{
	return (o->min == 0 && o->max == 0) || (v >= o->min && v <= o->max);
}

static int
set_text(const struct conf_option *o, void *target, const char *text)
{
	char *copy = xstrdup(text);

	conf_value_clear(o, target);
	memcpy(place(o, target), &copy, sizeof(copy));
	return 0;
}

static int
set_int(const struct conf_option *o, void *target, const char *text,
    struct diag *why)
{
	int64_t v;
	char *end;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' ||
	    isspace((unsigned char)text[0]))
		return diag_set(why, ERR_INVAL, "\"%s\" is not a whole number",
		    text);
	if (!in_range(o, v))
		return diag_set(why, ERR_INVAL, "%" PRId64 " is not between %"
		    PRId64 " and %" PRId64, v, o->min, o->max);
	memcpy(place(o, target), &v, sizeof(v));
	return 0;
}

static int
set_bool(const struct conf_option *o, void *target, const char *text,
    struct diag *why)
{
	bool v = strcmp(text, "true") == 0;

	if (!v && strcmp(text, "false") != 0)
		return diag_set(why, ERR_INVAL,
		    "\"%s\" is neither true nor false", text);
	memcpy(place(o, target), &v, sizeof(v));
	return 0;
}

static int
set_ms(const struct conf_option *o, void *target, const char *text,
    struct diag *why)
{
	uint64_t v;

	if (clock_parse_duration(text, &v) < 0)
		return diag_set(why, ERR_INVAL, "\"%s\" is not a duration such "
		    "as 250ms, 5s, 15m, 36h or 30d", text);
	if (!in_range(o, (int64_t)v))
		return diag_set(why, ERR_INVAL, "%s is not between %" PRId64
		    "ms and %" PRId64 "ms", text, o->min, o->max);
	memcpy(place(o, target), &v, sizeof(v));
	return 0;
}

/* "64k": a number and at most one letter, each step 1,024. */
static int
parse_bytes(const char *text, uint64_t *out)
{
	static const char units[] = "kMGT";
	const char *p, *unit;
	uint64_t v = 0;
	int shift = 0;

	for (p = text; isdigit((unsigned char)*p); p++) {
		if (v > INT64_MAX / 10 - 1)
			return ERR_TOOBIG;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	if (p == text)
		return ERR_INVAL;
	if (*p != '\0') {
		unit = strchr(units, *p == 'K' ? 'k' : *p);
		if (unit == NULL || p[1] != '\0')
			return ERR_INVAL;
		shift = 10 * (int)(unit - units + 1);
	}
	if (v > (uint64_t)INT64_MAX >> shift)
		return ERR_TOOBIG;
	*out = v << shift;
	return 0;
}

static int
set_bytes(const struct conf_option *o, void *target, const char *text,
    struct diag *why)
{
	uint64_t v;

	if (parse_bytes(text, &v) < 0)
		return diag_set(why, ERR_INVAL, "\"%s\" is not a size such as "
		    "4096, 64k, 16M or 2G", text);
	if (!in_range(o, (int64_t)v))
		return diag_set(why, ERR_INVAL, "%s is not between %" PRId64
		    " and %" PRId64 " bytes", text, o->min, o->max);
	memcpy(place(o, target), &v, sizeof(v));
	return 0;
}

static int
set_enum(const struct conf_option *o, void *target, const char *text,
    struct diag *why)
{
	struct buf known;
	int i;

	for (i = 0; o->choices[i] != NULL; i++) {
		if (strcmp(text, o->choices[i]) == 0) {
			memcpy(place(o, target), &i, sizeof(i));
			return 0;
		}
	}
	buf_init(&known, 512);
	conf_value_shape(o, &known);
	diag_set(why, ERR_INVAL, "\"%s\" is none of %s", text,
	    known.data == NULL ? "" : known.data);
	buf_fini(&known);
	return ERR_INVAL;
}

int
conf_value_set(const struct conf_option *o, void *target, const char *text,
    struct diag *why)
{
	switch (o->type) {
	case CONF_TEXT:
		return set_text(o, target, text);
	case CONF_INT:
		return set_int(o, target, text, why);
	case CONF_BOOL:
		return set_bool(o, target, text, why);
	case CONF_MS:
		return set_ms(o, target, text, why);
	case CONF_BYTES:
		return set_bytes(o, target, text, why);
	case CONF_ENUM:
		return set_enum(o, target, text, why);
	}
	return diag_set(why, ERR_INTERNAL, "an option of no known type");
}

void
conf_value_clear(const struct conf_option *o, void *target)
{
	char *old;

	if (o->type != CONF_TEXT)
		return;
	memcpy(&old, place(o, target), sizeof(old));
	free(old);
	old = NULL;
	memcpy(place(o, target), &old, sizeof(old));
}

void
conf_value_shape(const struct conf_option *o, struct buf *out)
{
	static const char *const shapes[] = { [CONF_TEXT] = "TEXT",
	    [CONF_INT] = "N", [CONF_BOOL] = "true|false",
	    [CONF_MS] = "DURATION", [CONF_BYTES] = "SIZE" };
	size_t i;

	if (o->type != CONF_ENUM) {
		buf_puts(out, shapes[o->type]);
		return;
	}
	for (i = 0; o->choices[i] != NULL; i++)
		buf_printf(out, "%s%s", i == 0 ? "" : "|", o->choices[i]);
}
