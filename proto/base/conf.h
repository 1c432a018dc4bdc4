/*
 * conf.h - a program's settings from one table: command-line flags and a YAML
 * file, with --help, --version, --config and --check-config.
 *
 * A flag is "--" and the name with "-" for "_"; it beats the file.  In the
 * file a name with a dot ("policy.tcp") may be nested.  Unknown names are
 * errors with file:line:column and the nearest known name.
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/diag.h"

enum conf_type {
	CONF_TEXT,	/* char *; owned by the conf, NULL when unset */
	CONF_INT,	/* int64_t within min..max */
	CONF_BOOL,	/* bool; as a flag it needs no value */
	CONF_MS,	/* uint64_t milliseconds, from "250ms", "5s", "1h" */
	CONF_BYTES,	/* uint64_t, from "64k", "16M", "2G" */
	CONF_ENUM,	/* int: index into choices */
};

struct conf_option {
	const char *name;		/* NULL ends the table */
	enum conf_type type;
	size_t offset;			/* of the value in the target struct */
	int64_t min, max;
	const char *def;		/* default as text, or NULL */
	const char *const *choices;	/* CONF_ENUM: NULL-terminated */
	const char *help;		/* one line */
};

struct conf_program {
	const char *name;		/* "postern-node" */
	const char *summary;		/* one line for --help */
	const struct conf_option *options;
	/* a check of the whole after parsing; NULL if none */
	int (*check)(const void *target, struct diag *why);
};

enum conf_result { CONF_RUN, CONF_EXIT_OK };	/* second: help was printed */

/*
 * Fill target from defaults, the file of --config, and argv (argv[0] is
 * skipped; what is no flag is an error).  Prints help, version or the result
 * of --check-config itself and then gives CONF_EXIT_OK.  0 or ERR_INVAL with
 * why.  Text values live until conf_fini().
 */
int conf_load(const struct conf_program *prog, void *target, int argc,
    char **argv, enum conf_result *result, struct diag *why);
void conf_fini(const struct conf_program *prog, void *target);

/* The version that all programs print, "0.1.0". */
const char *conf_version(void);

#endif
