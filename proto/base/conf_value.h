/*
 * conf_value.h - one setting's value from its text, and back to words for
 * --help; internal to conf.c.
 */
#ifndef BASE_CONF_VALUE_H
#define BASE_CONF_VALUE_H

#include "proto/base/buf.h"
#include "proto/base/conf.h"

/*
 * Read text as o's type into target; what stood there before is replaced.
 * 0, or ERR_INVAL with a why that says what would do, but not which option:
 * the caller knows whether a flag or a place in a file is to blame.
 */
int conf_value_set(const struct conf_option *o, void *target,
    const char *text, struct diag *why);

/* Free what o holds in target and make it NULL; for CONF_TEXT alone. */
void conf_value_clear(const struct conf_option *o, void *target);

/* Append what a value of o looks like: "N", "DURATION", "a|b". */
void conf_value_shape(const struct conf_option *o, struct buf *out);

#endif
