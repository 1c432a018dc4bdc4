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
	client_query(&path, f, "limit before");
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
revision_show(struct flags *f)
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
	output_object(f, answer, COLUMNS(show_columns));
	if (f->format == FORMAT_TABLE) {
		fputs(text_of(answer, "document"), stdout);
		print_changes(answer);
	}
	json_decref(answer);
	return CLI_OK;
}

/* One number: what that revision changed; two: from the one to the other. */
static int
revision_diff(struct flags *f)
{
	bool two = f->args_n == 2, changed;
	char *end;
	unsigned long long n = strtoull(f->args[0], &end, 10);
	struct buf path;
	json_t *answer;
	int rc;

	if (*end != '\0' || *f->args[0] < '0' || *f->args[0] > '9')
		return usage_error("a revision is a number");
	buf_init(&path, 4096);
	buf_printf(&path, "/v1/revisions/%llu/diff?to=", two || n == 0 ? n :
	    n - 1);
	client_escape(&path, f->args[two ? 1 : 0]);
	rc = client_call(f, "GET", path.data, NULL, &answer);
	buf_fini(&path);
	if (rc != CLI_OK)
		return rc;
	changed = json_is_true(json_object_get(answer, "changed"));
	if (!output_whole(f, answer))
		fputs(text_of(answer, "summary"), stdout);
	json_decref(answer);
	return changed ? CLI_DIFFERS : CLI_OK;
}

static int
revision_rollback(struct flags *f)
{
	json_t *body = json_object(), *answer = NULL;
	struct buf path;
	char what[200];
	int rc = put_change_flags(f, body);

	snprintf(what, sizeof(what), "go back to what revision %.40s held "
	    "(\"--dry-run\" shows the change)", f->args[0]);
	if (rc == CLI_OK && flag(f, "dry-run") == NULL &&
	    !flags_confirm(f, what))
		rc = CLI_USAGE;
	buf_init(&path, 4096);
	buf_puts(&path, "/v1/revisions/");
	client_escape(&path, f->args[0]);
	buf_puts(&path, "/rollback");
	if (rc == CLI_OK)
		rc = client_call(f, "POST", path.data, body, &answer);
	buf_fini(&path);
	json_decref(body);
	return finish_change(f, rc, answer);
}

static const struct verb verbs[] = {
	{ "ls", "limit= before=", 0, 0, revision_ls, "[--limit N] "
	    "[--before N]" },
	{ "show", "document", 1, 1, revision_show, "N [--document]" },
	{ "diff", "", 1, 2, revision_diff, "N [M]: what N changed, or from N "
	    "to M; 1 if anything" },
	{ "rollback", "yes " CHANGE_FLAGS, 1, 1, revision_rollback, "N "
	    "[--yes] [--dry-run] [--if-revision N] [--message TEXT] "
	    "[--wait[=30s]]\n    a new version with what N held; users' own "
	    "entries stay" },
};

int
cmd_revision(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
