/*
 * cmd_sender.c - postern sender: users' own lists of senders.
 */
#include <stdio.h>
#include <stdlib.h>

#include "controller/cli/cli.h"
#include "controller/cli/csv.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])

static const struct column list_columns[] = {
	{ "USER", "user" }, { "ENTRY", "entry" }, { "MANUAL", "manual" },
	{ "AUTO", "auto" }, { "LAST USED", "last_used" },
	{ "MANAGERS", "managers" },
};

static const struct column top_columns[] = {
	{ "SENDER", "sender" }, { "USERS", "users" },
	{ "REJECTIONS", "rejections" }, { "LAST", "last" },
};

/* What a file for "sender import" has. */
static const struct column file_columns[] = {
	{ "USER", "user" }, { "ACTION", "manual" }, { "ENTRY", "entry" },
};

static int
get_senders(const struct flags *f, json_t **out)
{
	struct buf path;
	int rc;

	buf_init(&path, 65536);
	buf_puts(&path, "/v1/senders?limit=10000");
	client_query(&path, f, "user sender");
	rc = get_pages(f, path.data, "senders", out);
	buf_fini(&path);
	return rc;
}

static int
sender_ls(struct flags *f)
{
	json_t *answer, *list;
	int rc;

	if (flag(f, "user") == NULL && flag(f, "sender") == NULL)
		return usage_error("whose list? say --user or --sender");
	if ((rc = get_senders(f, &answer)) != CLI_OK)
		return rc;
	list = json_object_get(answer, "senders");
	if (json_array_size(list) == 0 && f->format == FORMAT_TABLE) {
		puts("no list has such an entry");
		rc = CLI_DIFFERS;
	} else
		output_list(f, answer, list, COLUMNS(list_columns));
	json_decref(answer);
	return rc;
}

static int
sender_export(struct flags *f)
{
	json_t *answer, *list, *row;
	size_t i;
	int rc = get_senders(f, &answer);

	if (rc != CLI_OK)
		return rc;
	if (f->format == FORMAT_TABLE)
		f->format = FORMAT_CSV;
	/* what was learned goes along as what it does: a permit */
	list = json_object_get(answer, "senders");
	json_array_foreach(list, i, row) {
		if (*text_of(row, "manual") == '\0')
			json_object_set_new(row, "manual",
			    json_string("permit"));
	}
	output_list(f, answer, list, COLUMNS(file_columns));
	json_decref(answer);
	return CLI_OK;
}

static int
sender_top(struct flags *f)
{
	json_t *answer, *list;
	struct buf path;
	int rc;

	buf_init(&path, 65536);
	buf_puts(&path, "/v1/senders/top");
	client_query(&path, f, "days limit");
	rc = client_call(f, "GET", path.data, NULL, &answer);
	buf_fini(&path);
	if (rc != CLI_OK)
		return rc;
	list = json_object_get(answer, "top");
	if (json_array_size(list) == 0 && f->format == FORMAT_TABLE) {
		printf("no sender was refused since %s, as far as nodes "
		    "reported\n", text_of(answer, "since"));
		rc = CLI_DIFFERS;
	} else
		output_list(f, answer, list, COLUMNS(top_columns));
	json_decref(answer);
	return rc;
}

/* Send an edit (body is consumed), name what was left out, wait. */
static int
send_edit(const struct flags *f, json_t *body)
{
	json_t *answer = NULL, *skipped;
	bool dry = flag(f, "dry-run") != NULL;
	long long changed;
	uint64_t version;
	size_t i;
	int rc = put_change_flags(f, body);

	if (flag(f, "take-over") != NULL)
		json_object_set_new(body, "take_over", json_true());
	if (rc == CLI_OK)
		rc = client_call(f, "POST", "/v1/senders", body, &answer);
	json_decref(body);
	if (rc != CLI_OK)
		return rc;
	changed = json_integer_value(json_object_get(answer, "changed"));
	if (!output_whole(f, answer) && dry)
		printf("%lld would be changed, %lld stay\n", changed,
		    json_integer_value(json_object_get(answer, "unchanged")));
	json_array_foreach(json_object_get(answer, "skipped"), i, skipped)
		rc = fail(CLI_DIFFERS, "%s was left out: %s",
		    text_of(skipped, "entry"), text_of(skipped, "reason"));
	version = (uint64_t)json_integer_value(json_object_get(answer,
	    "version"));
	json_decref(answer);
	if (dry && changed > 0)
		rc = CLI_DIFFERS;
	return rc != CLI_OK ? rc : wait_nodes(f, version);
}

static int
change(const struct flags *f, const char *action)
{
	json_t *entries;
	int rc;

	if (flag(f, "user") == NULL)
		return usage_error("whose list? say --user");
	entries = json_array();
	if ((rc = entries_of(f, 0, entries)) != 0) {
		json_decref(entries);
		return rc;
	}
	return send_edit(f, json_pack("{s:s, s:o, s:s}", "user",
	    flag(f, "user"), "entries", entries, "action", action));
}

static int
sender_permit(struct flags *f)
{
	return change(f, "permit");
}

static int
sender_block(struct flags *f)
{
	return change(f, "block");
}

static int
sender_rm(struct flags *f)
{
	return change(f, "remove");
}

static int
sender_import(struct flags *f)
{
	json_t *rows = json_array();
	int rc = csv_read_senders(f->args[0], rows);

	if (rc == CLI_OK && json_array_size(rows) == 0)
		rc = fail(CLI_INVALID, "%s holds no rows", f->args[0]);
	if (rc == CLI_OK)
		return send_edit(f, json_pack("{s:o}", "rows", rows));
	json_decref(rows);
	return rc;
}

static int
sender_undo(struct flags *f)
{
	json_t *body, *answer = NULL;
	long long batch;
	char *end;
	int rc;

	batch = strtoll(f->args[0], &end, 10);
	if (*end != '\0' || batch < 1)
		return usage_error("a batch is the number that the change "
		    "gave as \"batch\", which is its revision");
	body = json_pack("{s:I}", "batch", (json_int_t)batch);
	rc = put_change_flags(f, body);
	if (rc == CLI_OK)
		rc = client_call(f, "POST", "/v1/senders/undo", body,
		    &answer);
	json_decref(body);
	return finish_change(f, rc, answer);
}

#define EDIT "user= take-over " CHANGE_FLAGS
#define CHANGE_USAGE "[--dry-run] [--if-revision N] [--message TEXT] " \
    "[--wait[=30s]]"
#define EDIT_USAGE "--user ADDRESS ENTRY... | - [--take-over] " CHANGE_USAGE

static const struct verb verbs[] = {
	{ "ls", "user= sender=", 0, 0, sender_ls, "--user A | --sender S" },
	{ "permit", EDIT, 1, -1, sender_permit, EDIT_USAGE },
	{ "block", EDIT, 1, -1, sender_block, EDIT_USAGE },
	{ "rm", EDIT, 1, -1, sender_rm, EDIT_USAGE },
	{ "undo", CHANGE_FLAGS, 1, 1, sender_undo, "BATCH " CHANGE_USAGE },
	{ "import", "take-over " CHANGE_FLAGS, 1, 1, sender_import,
	    "FILE.csv|- [--take-over] " CHANGE_USAGE "\n    lines of "
	    "user,action,entry; the action is permit, block or remove" },
	{ "export", "user= sender=", 0, 0, sender_export,
	    "[--user A] [--sender S]" },
	{ "top", "days= limit=", 0, 0, sender_top,
	    "[--days 7] [--limit 20]" },
};

int
cmd_sender(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
