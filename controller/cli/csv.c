/*
 * csv.c - fields into rows.
 */
#include "controller/cli/csv.h"

#include <stdio.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/flags.h"
#include "controller/policy/csv.h"
#include "controller/policy/document.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define FIELDS_MAX 16

static const char *const names[] = { "user", "action", "entry" };

/* Is this the head?  Then where each name stands. */
static bool
read_head(char *const *field, size_t n, size_t at[3])
{
	size_t i, k, found = 0;

	for (i = 0; i < n; i++) {
		const char *name = strcmp(field[i], "manual") == 0 ?
		    "action" : field[i];

		for (k = 0; k < 3; k++) {
			if (strcmp(name, names[k]) == 0) {
				at[k] = i;
				found++;
			}
		}
	}
	return found == 3;
}

static int
add_row(const char *name, size_t line, char *const *field, size_t n,
    const size_t at[3], json_t *rows)
{
	json_t *row;
	size_t k;

	for (k = 0; k < 3; k++) {
		if (at[k] >= n)
			return fail(CLI_INVALID, "%s:%zu: user,action,entry "
			    "are wanted, and the %s is missing; nothing was "
			    "changed", name, line, names[k]);
	}
	row = json_pack("{s:s, s:s, s:s}", "user", field[at[0]], "action",
	    field[at[1]], "entry", field[at[2]] + (*field[at[2]] == '\''));
	if (row == NULL)
		return fail(CLI_INVALID, "%s:%zu: this is not UTF-8", name,
		    line);
	json_array_append_new(rows, row);
	return CLI_OK;
}

static int
read_text(const char *name, char *text, json_t *rows)
{
	size_t at[3] = { 0, 1, 2 }, number = 0, n;
	char *field[FIELDS_MAX], *line;
	int rc = CLI_OK;

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (rc == CLI_OK && (line = csv_line(&text)) != NULL) {
		number++;
		if (*line == '\0' || *line == '#')
			continue;
		if ((n = csv_split(line, field, FIELDS_MAX)) == 0)
			rc = fail(CLI_INVALID, "%s:%zu: a quote does not end; "
			    "nothing was changed", name, number);
		else if (json_array_size(rows) > 0 || !read_head(field, n,
		    at))
			rc = add_row(name, number, field, n, at, rows);
	}
	return rc;
}

int
csv_read_senders(const char *path, json_t *rows)
{
	bool in = strcmp(path, "-") == 0;
	struct buf text;
	struct diag why;
	int rc;

	buf_init(&text, DOCUMENT_LIST_MAX);
	rc = file_read(in ? "/dev/stdin" : path, DOCUMENT_LIST_MAX, &text,
	    &why);
	if (rc < 0)
		rc = fail(cli_exit_of(rc), "%s", why.text);
	else if (text.len > 0)
		rc = read_text(in ? "standard input" : path, text.data, rows);
	buf_fini(&text);
	return rc;
}
