/*
 * output.h - answers on stdout: as a table, JSON, YAML, CSV or names.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>

#include "controller/cli/flags.h"

struct column {
	const char *title;
	const char *key;	/* "reply.text" looks into an object */
};

/*
 * Print the objects of list with the n columns that a table and CSV have;
 * "name" prints the first column alone; JSON and YAML print whole as it is.
 */
void output_list(const struct flags *f, const json_t *whole,
    const json_t *list, const struct column *columns, size_t n);

/* The same for one object, whose table is "title  value" lines; keys that it
 * does not have are left out. */
void output_object(const struct flags *f, const json_t *o,
    const struct column *columns, size_t n);

/* Print whole when JSON or YAML was asked for; whether it was. */
bool output_whole(const struct flags *f, const json_t *whole);

/* The text of o's key, or "". */
const char *text_of(const json_t *o, const char *key);

#endif
