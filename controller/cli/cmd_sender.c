/*
 * cmd_sender.c - postern sender: users' own lists of senders.
 */
#include <stdio.h>

#include "controller/cli/cli.h"
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

static int
query(const struct flags *f, const char *base, const char *names,
    const char *key, const struct column *columns, size_t n)
{
	struct buf path;
	int rc;

	buf_init(&path, 65536);
	buf_puts(&path, base);
	client_query(&path, f, names);
	rc = get_list(f, path.data, key, columns, n);
	buf_fini(&path);
	return rc;
}

static int
sender_ls(struct flags *f)
{
	if (flag(f, "user") == NULL && flag(f, "sender") == NULL)
		return usage_error("whose list? say --user or --sender");
	return query(f, "/v1/senders", "user sender", "senders",
	    COLUMNS(list_columns));
}

static int
sender_top(struct flags *f)
{
	return query(f, "/v1/senders/top", "days limit", "top",
	    COLUMNS(top_columns));
}

static int
change(const struct flags *f, const char *action)
{
	json_t *entries = json_array(), *body, *answer = NULL, *skipped;
	uint64_t version;
	size_t i;
	int rc = flag(f, "user") == NULL ?
	    usage_error("whose list? say --user") : entries_of(f, 0, entries);

	body = json_pack("{s:s, s:o, s:s, s:s}", "user",
	    flag(f, "user") == NULL ? "" : flag(f, "user"), "entries",
	    entries, "action", action, "as", "cli");
	if (rc == 0)
		rc = put_change_flags(f, body);
	if (rc == 0)
		rc = client_call(f, "POST", "/v1/senders", body, &answer);
	json_decref(body);
	if (rc != CLI_OK)
		return rc;
	output_whole(f, answer);
	json_array_foreach(json_object_get(answer, "skipped"), i, skipped)
		rc = fail(CLI_DIFFERS, "%s was left out: %s",
		    text_of(skipped, "entry"), text_of(skipped, "reason"));
	version = (uint64_t)json_integer_value(json_object_get(answer,
	    "version"));
	json_decref(answer);
	return rc != CLI_OK ? rc : wait_nodes(f, version);
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

#define EDIT "user= if-revision= message= wait?"
#define EDIT_USAGE "--user ADDRESS ENTRY... | - [--wait[=30s]]"

static const struct verb verbs[] = {
	{ "ls", "user= sender=", 0, 0, sender_ls, "--user A | --sender S" },
	{ "permit", EDIT, 1, -1, sender_permit, EDIT_USAGE },
	{ "block", EDIT, 1, -1, sender_block, EDIT_USAGE },
	{ "rm", EDIT, 1, -1, sender_rm, EDIT_USAGE },
	{ "top", "days= limit=", 0, 0, sender_top, "[--days 7] [--limit 20]" },
};

int
cmd_sender(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
