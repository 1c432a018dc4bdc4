/*
 * flags.h - the flags of a command that talks to a controller.
 *
 * A command says its flags in one text, "user= dry-run wait?": "=" takes a
 * value, "?" may take one ("--wait=5s"); those of all
 * commands (--addr, --token-file, --ca-file, -o, --help) need not be said.
 */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#define FLAGS_MAX 64

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_YAML, FORMAT_CSV,
    FORMAT_NAME };

struct flags {
	struct { char name[24]; const char *value; } set[FLAGS_MAX];
	size_t n;
	char **args;		/* what is no flag, args_n of them */
	int args_n;
	enum format format;
};

/*
 * Read argv[1..] into f, which keeps pointing into argv.  accepts as above,
 * "file=" is also -f.  0: go on; 1: help was printed, all is done; -1: the
 * mistake was printed, CLI_USAGE is the exit status.
 */
int flags_parse(struct flags *f, int argc, char **argv, const char *accepts,
    const char *help);

/* The last value of a flag, or NULL; "" for one without a value. */
const char *flag(const struct flags *f, const char *name);
/* Its i-th value, or NULL when it was given less often. */
const char *flag_nth(const struct flags *f, const char *name, size_t i);

/* A flag that must be a whole number from 0; def where it was not given.
 * 0, or CLI_USAGE with the mistake printed. */
int flag_number(const struct flags *f, const char *name, long long def,
    long long *out);

/*
 * Ask before what destroys: true with --yes or after a "y" on a terminal.
 * Else false, and why not is printed.
 */
bool flags_confirm(const struct flags *f, const char *what);

/* Print "postern: text; --help says more" and return CLI_USAGE. */
int usage_error(const char *text);

/* Print an error and return status; the text ends with what to do. */
int fail(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
