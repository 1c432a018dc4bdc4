/*
 * import.h - lists of senders as other systems keep them, as entries of a
 * profile group.
 *
 *	text	one entry a line, "#" comments
 *	csv	the column "entry", "address", "domain" or "sender" when the
 *		first line names columns, else the first column
 *	rspamd	a multimap: one key a line, perhaps a score or "symbol:score"
 *		behind it; regular expressions are no entries
 *	access	Postfix access(5): "domain" also means its subdomains, as
 *		Postfix takes it by default; lines whose action lets through
 *		are left out
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include <jansson.h>

enum import_format { IMPORT_TEXT, IMPORT_CSV, IMPORT_RSPAMD, IMPORT_ACCESS,
    IMPORT_FORMATS };

/* "text", ..; 0 or ERR_INVAL. */
int import_format_parse(const char *name, enum import_format *out);

/*
 * Append the entries of a file ("-": standard input) to entries; a line that
 * has no equal here is told on stderr as "name:line: why" and counted in
 * *skipped.  CLI_OK, or the exit status with the error printed.
 */
int import_file(const char *path, enum import_format format, json_t *entries,
    size_t *skipped);

#endif
