/*
 * import.c - one function a format: a line to an entry, or why it is none.
 */
#include "controller/cli/import.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controller/cli/cli.h"
#include "controller/cli/flags.h"
#include "controller/policy/csv.h"
#include "controller/policy/document.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define FIELDS_MAX 64

struct import {
	json_t *entries;
	bool has_head;		/* csv: the first line was looked at */
	size_t column;		/* csv: which one */
	const char *bad;	/* what went wrong for good, or NULL */
};

static const char *const names[IMPORT_FORMATS] = { "text", "csv", "rspamd",
    "access" };

int
import_format_parse(const char *name, enum import_format *out)
{
	int i;

	for (i = 0; i < IMPORT_FORMATS; i++) {
		if (strcmp(name, names[i]) == 0) {
			*out = (enum import_format)i;
			return 0;
		}
	}
	return ERR_INVAL;
}

static void
add(struct import *m, const char *prefix, const char *entry)
{
	json_t *s = json_sprintf("%s%s", prefix, entry);

	if (s == NULL)
		m->bad = "this is not UTF-8";
	else
		json_array_append_new(m->entries, s);
}

/* Cut line at the first "#" and drop the blanks before. */
static void
cut_comment(char *line)
{
	size_t len = strcspn(line, "#");

	while (len > 0 && strchr(" \t", line[len - 1]) != NULL)
		len--;
	line[len] = '\0';
}

/* Each takes a line without leading blanks; NULL, or why it is no entry. */

static const char *
on_text(struct import *m, char *line)
{
	cut_comment(line);
	if (*line != '\0')
		add(m, "", line);
	return NULL;
}

static bool
is_entry_column(const char *name)
{
	return strcasecmp(name, "entry") == 0 ||
	    strcasecmp(name, "address") == 0 ||
	    strcasecmp(name, "domain") == 0 ||
	    strcasecmp(name, "sender") == 0;
}

static const char *
on_csv(struct import *m, char *line)
{
	char *field[FIELDS_MAX];
	size_t n, i;

	if (*line == '#')
		return NULL;
	if ((n = csv_split(line, field, FIELDS_MAX)) == 0)
		return "a quote does not end";
	if (!m->has_head) {
		m->has_head = true;
		for (i = 0; i < n; i++) {
			if (is_entry_column(field[i])) {
				m->column = i;
				return NULL;
			}
		}
	}
	if (m->column >= n || field[m->column][0] == '\0')
		return "the row has no entry";
	add(m, "", field[m->column]);
	return NULL;
}

static const char *
on_rspamd(struct import *m, char *line)
{
	char *end = line;

	if (*line == '/')
		return "a regular expression has no equal here: name the "
		    "domains or addresses that it means";
	cut_comment(line);
	if (*line == '\0')
		return NULL;
	if (*line == '"') {
		end = strchr(++line, '"');
		if (end == NULL)
			return "a quote does not end";
	} else
		end = line + strcspn(line, " \t");
	*end = '\0';
	/* "@domain" is how some of its filters write a domain */
	add(m, "", *line == '@' ? line + 1 : line);
	return NULL;
}

/* Does this action of access(5) refuse? */
static bool
refuses(const char *action)
{
	return strncasecmp(action, "reject", 6) == 0 ||
	    strncasecmp(action, "defer", 5) == 0 ||
	    strncasecmp(action, "discard", 7) == 0 ||
	    ((action[0] == '4' || action[0] == '5') &&
	    isdigit((unsigned char)action[1]) &&
	    isdigit((unsigned char)action[2]));
}

static bool
is_network(const char *key)
{
	return strspn(key, "0123456789./") == strlen(key) ||
	    strchr(key, ':') != NULL;
}

static const char *
on_access(struct import *m, char *line)
{
	char *action = line + strcspn(line, " \t"), *at;

	if (*line == '#')
		return NULL;
	if (*action != '\0')
		*action++ = '\0';
	action += strspn(action, " \t");
	if (!refuses(action))
		return "its action lets through: import it into the group of "
		    "exceptions";
	if (is_network(line))
		return "a network is no sender: use source_ips of a policy";
	if (strcmp(line, "<>") == 0)
		return "the null sender cannot stand in a group";
	at = strrchr(line, '@');
	if (at != NULL && at[1] == '\0')
		return "a local part of any domain has no equal here";
	if (at != NULL)
		add(m, "", line);
	else if (*line == '.')
		add(m, "*", line);
	else {
		add(m, "", line);
		add(m, "*.", line);
	}
	return NULL;
}

/* All of a text, which is changed; 0, or ERR_INVAL for what is no UTF-8. */
static int
import_text(const char *name, char *text, enum import_format format,
    json_t *entries, size_t *skipped)
{
	static const char *(*const on[IMPORT_FORMATS])(struct import *m,
	    char *line) = { on_text, on_csv, on_rspamd, on_access };
	struct import m = { .entries = entries };
	size_t number = 0;
	char *line;

	*skipped = 0;
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (m.bad == NULL && (line = csv_line(&text)) != NULL) {
		const char *why;

		number++;
		line += strspn(line, " \t");
		why = *line == '\0' ? NULL : on[format](&m, line);
		if (why != NULL) {
			fprintf(stderr, "postern: %s:%zu: left out: %s\n",
			    name, number, why);
			++*skipped;
		}
	}
	if (m.bad == NULL)
		return 0;
	fail(CLI_INVALID, "%s:%zu: %s; nothing was changed", name, number,
	    m.bad);
	return ERR_INVAL;
}

int
import_file(const char *path, enum import_format format, json_t *entries,
    size_t *skipped)
{
	bool in = strcmp(path, "-") == 0;
	struct buf text;
	struct diag why;
	int rc;

	buf_init(&text, DOCUMENT_LIST_MAX);
	*skipped = 0;
	rc = file_read(in ? "/dev/stdin" : path, DOCUMENT_LIST_MAX, &text,
	    &why);
	if (rc < 0)
		rc = fail(cli_exit_of(rc), "%s", why.text);
	else if (text.len > 0 && import_text(in ? "standard input" : path,
	    text.data, format, entries, skipped) < 0)
		rc = CLI_INVALID;
	buf_fini(&text);
	return rc;
}
