/*
 * cmd_revision.c - postern revision: who changed what, when and why.
 */
#include <stdio.h>
#include <stdlib.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])

static const struct column list_columns[] = {
	{ "VERSION", "version" }, { "TIME", "time" }, { "ACTOR", "actor" },
	{ "ACTION", "action" }, { "CHANGES", "changes" },
	{ "MESSAGE", "message" },
};

static const struct column show_columns[] = {
	{ "version", "version" }, { "time", "time" }, { "actor", "actor" },
	{ "action", "action" }, { "message", "message" },
};

static int
revision_ls(struct flags *f)
{
	struct buf path;
	int rc;

	buf_init(&path, 4096);
	buf_puts(&path, "/v1/revisions");
	client_query(&path, f, "limit");
	rc = get_list(f, path.data, "revisions", COLUMNS(list_columns));
	buf_fini(&path);
	return rc;
}

/* A change as one line: a text as it is, else compact JSON. */
static void
print_changes(const json_t *revision)
{
	const json_t *change;
	size_t i;

	json_array_foreach(json_object_get(revision, "changes"), i, change) {
		char *text = json_dumps(change, JSON_ENCODE_ANY |
		    JSON_COMPACT);

		puts(text == NULL ? "" : text);
		free(text);
	}
}

static int
get_revision(const struct flags *f, bool head)
{
	struct buf path;
	json_t *answer;
	int rc;

	buf_init(&path, 4096);
	buf_puts(&path, "/v1/revisions/");
	client_escape(&path, f->args[0]);
	if (flag(f, "document") != NULL)
		buf_puts(&path, "?document=1");
	rc = client_call(f, "GET", path.data, NULL, &answer);
	buf_fini(&path);
	if (rc != CLI_OK)
		return rc;
	if (f->format == FORMAT_TABLE && head) {
		output_object(f, answer, COLUMNS(show_columns));
		fputs(text_of(answer, "document"), stdout);
	}
	if (f->format == FORMAT_TABLE)
		print_changes(answer);
	else
		output_object(f, answer, COLUMNS(show_columns));
	json_decref(answer);
	return CLI_OK;
}

static int
revision_show(struct flags *f)
{
	return get_revision(f, true);
}

static int
revision_diff(struct flags *f)
{
	return get_revision(f, false);
}

static const struct verb verbs[] = {
	{ "ls", "limit=", 0, 0, revision_ls, "[--limit N]" },
	{ "show", "document", 1, 1, revision_show, "N [--document]" },
	{ "diff", "", 1, 1, revision_diff, "N" },
};

int
cmd_revision(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
