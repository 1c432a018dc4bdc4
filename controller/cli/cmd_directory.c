/*
 * cmd_directory.c - postern directory: the recipients of the organisation.
 *
 * A file goes up in parts, each with the head of the file again, so that ten
 * million rows need no large request; each part is one revision.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "controller/cli/progress.h"
#include "proto/base/err.h"

#define PART_MAX ((size_t)4 << 20)	/* bytes of rows in one request */

struct import {
	const struct flags *f;
	const char *name;
	struct buf head, part;
	size_t before;		/* lines before the part */
	long long sum[4];
	long long version;
};

static const char *const sums[] = { "added", "changed", "removed",
    "unchanged" };

static void
add_sums(struct import *m, const json_t *answer)
{
	size_t i;

	for (i = 0; i < 4; i++)
		m->sum[i] += json_integer_value(json_object_get(answer,
		    sums[i]));
	m->version = json_integer_value(json_object_get(answer, "version"));
}

/* Send the head and the rows gathered; the part is then empty. */
static int
send_part(struct import *m)
{
	json_t *body, *csv, *answer = NULL;
	int rc;

	if (m->part.len == 0)
		return CLI_OK;
	csv = json_sprintf("%s%s", m->head.data, m->part.data);
	if (csv == NULL)
		return fail(CLI_INVALID, "%s is not UTF-8 somewhere behind "
		    "line %zu", m->name, m->before);
	/* the head counts as a line of its own in front of the rows */
	body = json_pack("{s:o, s:s, s:I, s:b}", "csv", csv, "name", m->name,
	    "line", (json_int_t)m->before - 1, "take_over",
	    flag(m->f, "take-over") != NULL);
	if ((rc = put_change_flags(m->f, body)) == CLI_OK)
		rc = client_call(m->f, "POST", "/v1/directory", body,
		    &answer);
	json_decref(body);
	if (rc == CLI_OK)
		add_sums(m, answer);
	json_decref(answer);
	buf_reset(&m->part);
	return rc;
}

static int
read_file(struct import *m, FILE *in)
{
	struct progress progress;
	size_t cap = 0, number = 0;
	uint64_t done = 0;
	char *line = NULL;
	struct stat st;
	ssize_t len;
	int rc = CLI_OK;

	if (fstat(fileno(in), &st) != 0 || !S_ISREG(st.st_mode))
		st.st_size = 0;
	progress_init(&progress);
	while (rc == CLI_OK && (len = getline(&line, &cap, in)) != -1) {
		number++;
		done += (uint64_t)len;
		if (m->head.len == 0) {
			if (line[0] == '#' || line[0] == '\n')
				continue;
			buf_put(&m->head, line, (size_t)len);
			m->before = number;
			continue;
		}
		buf_put(&m->part, line, (size_t)len);
		if (m->part.len < PART_MAX)
			continue;
		rc = send_part(m);
		m->before = number;
		progress_show(&progress, done, (uint64_t)st.st_size, "");
	}
	progress_end(&progress);
	free(line);
	if (rc == CLI_OK && ferror(in))
		return fail(CLI_NOT_FOUND, "%s: %s", m->name,
		    strerror(errno));
	if (rc == CLI_OK && m->head.len == 0)
		return fail(CLI_INVALID, "%s is empty: the first line must "
		    "name the columns, and address among them", m->name);
	return rc == CLI_OK ? send_part(m) : rc;
}

static int
directory_import(struct flags *f)
{
	bool in = strcmp(f->args[0], "-") == 0;
	struct import m = { .f = f, .name = in ? "standard input" :
	    f->args[0] };
	FILE *file = in ? stdin : fopen(f->args[0], "re");
	int rc;

	if (file == NULL)
		return fail(CLI_NOT_FOUND, "cannot open %s: %s", f->args[0],
		    strerror(errno));
	buf_init(&m.head, 65536);
	buf_init(&m.part, 2 * PART_MAX);
	rc = read_file(&m, file);
	if (rc != CLI_OK && m.version > 0)
		fail(0, "what stands before line %zu is in the directory; "
		    "mend the rest and import again", m.before);
	if (rc == CLI_OK && flag(f, "dry-run") != NULL)
		printf("%lld would be added, %lld changed, %lld stay as they "
		    "are\n", m.sum[0], m.sum[1], m.sum[3]);
	else if (rc == CLI_OK)
		rc = wait_nodes(f, (uint64_t)m.version);
	if (!in)
		fclose(file);
	buf_fini(&m.head);
	buf_fini(&m.part);
	return rc;
}

static int
directory_show(struct flags *f)
{
	static const struct column columns[] = { { "address", "address" },
	    { "enabled", "enabled" }, { "state", "state" },
	    { "aliases", "aliases" }, { "attributes", "attributes" },
	    { "managers", "managers" } };
	struct buf path;
	json_t *answer;
	int rc;

	buf_init(&path, 4096);
	buf_puts(&path, "/v1/directory/");
	client_escape(&path, f->args[0]);
	rc = client_call(f, "GET", path.data, NULL, &answer);
	buf_fini(&path);
	if (rc == CLI_OK)
		output_object(f, answer, columns,
		    sizeof(columns) / sizeof(columns[0]));
	json_decref(answer);
	return rc;
}

static int
directory_rm(struct flags *f)
{
	json_t *list = json_array(), *body, *answer = NULL;
	long long loss;
	int rc = entries_of(f, 0, list);

	body = json_pack("{s:o, s:b}", "remove", list, "take_over",
	    flag(f, "take-over") != NULL);
	if (rc == CLI_OK && flag_number(f, "accept-directory-loss", -1,
	    &loss) != 0)
		rc = CLI_USAGE;
	if (rc == CLI_OK && loss >= 0)
		json_object_set_new(body, "accept_directory_loss",
		    json_integer(loss));
	if (rc == CLI_OK && flag(f, "dry-run") == NULL && !flags_confirm(f,
	    "refuse mail to these recipients from now on"))
		rc = CLI_USAGE;
	if (rc == CLI_OK)
		rc = put_change_flags(f, body);
	if (rc == CLI_OK)
		rc = client_call(f, "POST", "/v1/directory", body, &answer);
	json_decref(body);
	if (rc == CLI_OK && flag(f, "dry-run") != NULL)
		printf("%" JSON_INTEGER_FORMAT " would be removed\n",
		    json_integer_value(json_object_get(answer, "removed")));
	else if (rc == CLI_OK)
		rc = wait_nodes(f, (uint64_t)json_integer_value(
		    json_object_get(answer, "version")));
	json_decref(answer);
	return rc;
}

static const struct verb verbs[] = {
	{ "import", CHANGE_FLAGS " take-over ", 1, 1, directory_import,
	    "FILE.csv|- [--take-over] [--dry-run] [--wait[=30s]]" },
	{ "show", "", 1, 1, directory_show, "ADDRESS" },
	{ "rm", CHANGE_FLAGS " take-over yes accept-directory-loss= ", 1, -1,
	    directory_rm, "ADDRESS... | - [--yes] [--take-over] "
	    "[--accept-directory-loss N] [--dry-run]" },
};

int
cmd_directory(int argc, char **argv)
{
	return run_verb(verbs, sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}
