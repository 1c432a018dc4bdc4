/*
 * diag.c - fills the fixed buffer in which a reason travels.
 */
#include "proto/base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
diag_set(struct diag *why, int err, const char *fmt, ...)
{
	va_list ap;

	if (why != NULL) {
		va_start(ap, fmt);
		vsnprintf(why->text, sizeof(why->text), fmt, ap);
		va_end(ap);
	}
	return err;
}

int
diag_prefix(struct diag *why, int err, const char *fmt, ...)
{
	char rest[sizeof(why->text)];
	va_list ap;
	size_t n;

	if (why == NULL)
		return err;
	memcpy(rest, why->text, sizeof(rest));
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	n = strlen(why->text);
	snprintf(why->text + n, sizeof(why->text) - n, ": %s", rest);
	return err;
}
