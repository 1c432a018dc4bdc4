/*
 * cmd_group.c - postern group: profile groups and their entries.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])
#define BATCH 10000	/* entries a request: well under the 1 MiB of a body */
#define BATCH_BYTES 700000

static const struct column group_columns[] = {
	{ "GROUP", "name" }, { "ENTRIES", "entries" },
	{ "POLICIES", "policies" },
};

static const struct column entry_columns[] = {
	{ "ENTRY", "entry" }, { "KIND", "kind" }, { "MANAGERS", "managers" },
	{ "UNTIL", "until" }, { "COMMENT", "comment" },
};

static const struct column where_columns[] = {
	{ "GROUP", "group" }, { "MANAGERS", "managers" }, { "PATH", "path" },
};

static void
group_path(struct buf *path, const char *name, const char *tail)
{
	buf_init(path, 65536);
	buf_puts(path, "/v1/groups/");
	client_escape(path, name);
	buf_puts(path, tail);
}

static int
group_ls(struct flags *f)
{
	return get_list(f, "/v1/groups", "groups", COLUMNS(group_columns));
}

/* The whole group: its pages in one answer. */
static int
read_group(const struct flags *f, const char *name, json_t **out)
{
	json_t *whole = NULL, *page;
	struct buf path;
	int rc;

	group_path(&path, name, "?limit=10000");
	for (;;) {
		char *next;

		rc = client_call(f, "GET", path.data, NULL, &page);
		if (rc != CLI_OK)
			break;
		if (whole == NULL)
			whole = json_incref(page);
		else
			json_array_extend(json_object_get(whole, "entries"),
			    json_object_get(page, "entries"));
		buf_fini(&path);
		group_path(&path, name, "?limit=10000&after=");
		next = xstrdup(text_of(page, "next"));
		json_decref(page);
		client_escape(&path, next);
		if (*next == '\0') {
			free(next);
			break;
		}
		free(next);
	}
	buf_fini(&path);
	if (rc == CLI_OK)
		json_object_del(whole, "next");
	else {
		json_decref(whole);
		whole = NULL;
	}
	*out = whole;
	return rc;
}

static int
group_show(struct flags *f)
{
	json_t *group;
	int rc = read_group(f, f->args[0], &group);

	if (rc == CLI_OK)
		output_list(f, group, json_object_get(group, "entries"),
		    COLUMNS(entry_columns));
	json_decref(group);
	return rc;
}

static int
group_export(struct flags *f)
{
	json_t *group, *entry;
	size_t i;
	int rc = read_group(f, f->args[0], &group);

	if (rc == CLI_OK && !output_whole(f, group)) {
		json_array_foreach(json_object_get(group, "entries"), i, entry)
			puts(text_of(entry, "entry"));
	}
	json_decref(group);
	return rc;
}

/* One request of an edit; adds up what it did in total. */
static int
send_batch(const struct flags *f, json_t *body, const char *verb,
    json_t *batch, json_t *total)
{
	static const char *const counts[] = { "added", "removed",
	    "unchanged" };
	json_t *answer;
	struct buf path;
	size_t i;
	int rc;

	json_object_set(body, verb, batch);
	group_path(&path, f->args[0], "/entries");
	rc = client_call(f, "POST", path.data, body, &answer);
	buf_fini(&path);
	for (i = 0; i < 3 && rc == CLI_OK; i++)
		json_object_set_new(total, counts[i], json_integer(
		    json_integer_value(json_object_get(total, counts[i])) +
		    json_integer_value(json_object_get(answer, counts[i]))));
	if (rc == CLI_OK)
		json_object_set(total, "version", json_object_get(answer,
		    "version"));
	json_decref(answer);
	return rc;
}

/* A large list goes in batches, since a request is at most 1 MiB. */
static int
edit(const struct flags *f, json_t *body, const char *verb,
    const json_t *entries)
{
	json_t *total = json_object(), *batch = json_array(), *entry;
	size_t i, bytes = 0, n = json_array_size(entries);
	int rc = put_change_flags(f, body);

	json_array_foreach(entries, i, entry) {
		if (rc != CLI_OK)
			break;
		json_array_append(batch, entry);
		bytes += json_string_length(entry) + 8;
		if (i + 1 < n && json_array_size(batch) < BATCH &&
		    bytes < BATCH_BYTES)
			continue;
		rc = send_batch(f, body, verb, batch, total);
		json_array_clear(batch);
		bytes = 0;
		/* what was meant for the state before has held by now */
		json_object_del(body, "if_revision");
		json_object_del(body, "replace");
	}
	if (rc == CLI_OK)
		output_whole(f, total);
	if (rc == CLI_OK && flag(f, "dry-run") != NULL &&
	    f->format == FORMAT_TABLE)
		printf("%lld would be added, %lld removed, %lld stay\n",
		    json_integer_value(json_object_get(total, "added")),
		    json_integer_value(json_object_get(total, "removed")),
		    json_integer_value(json_object_get(total, "unchanged")));
	if (rc == CLI_OK)
		rc = wait_nodes(f, (uint64_t)json_integer_value(
		    json_object_get(total, "version")));
	json_decref(batch);
	json_decref(total);
	return rc;
}

static int
edit_with(const struct flags *f, const char *verb, json_t *entries)
{
	json_t *body = json_object();
	int rc;

	if (flag(f, "comment") != NULL)
		json_object_set_new(body, "comment",
		    json_string(flag(f, "comment")));
	if (flag(f, "until") != NULL)
		json_object_set_new(body, "until",
		    json_string(flag(f, "until")));
	if (flag(f, "create") != NULL)
		json_object_set_new(body, "create", json_true());
	if (flag(f, "replace") != NULL)
		json_object_set_new(body, "replace", json_true());
	if (json_array_size(entries) == 0)
		rc = usage_error("no entries were given");
	else
		rc = edit(f, body, verb, entries);
	json_decref(body);
	return rc;
}

static int
group_change(const struct flags *f, const char *verb)
{
	json_t *entries = json_array();
	int rc = entries_of(f, 1, entries);

	if (rc == 0)
		rc = edit_with(f, verb, entries);
	json_decref(entries);
	return rc;
}

static int
group_add(struct flags *f)
{
	return group_change(f, "add");
}

/* Entries of a group, or the whole group. */
static int
group_rm(struct flags *f)
{
	struct buf path;
	char what[300];
	int rc;

	if (f->args_n > 1)
		return group_change(f, "remove");
	if (flag(f, "dry-run") != NULL)
		return usage_error("a whole group has no --dry-run; \"group "
		    "show\" says what it holds and who uses it");
	snprintf(what, sizeof(what), "remove the group \"%.200s\"",
	    f->args[0]);
	if (!flags_confirm(f, what))
		return CLI_USAGE;
	group_path(&path, f->args[0], "");
	rc = client_call(f, "DELETE", path.data, NULL, NULL);
	buf_fini(&path);
	return rc;
}

static int
group_import(struct flags *f)
{
	json_t *entries = json_array();
	int rc = read_entries(f->args[1], entries);

	if (rc == 0 && flag(f, "replace") != NULL &&
	    json_array_size(entries) > BATCH)
		rc = fail(CLI_USAGE, "--replace takes at most %d entries; "
		    "name the file in a policy document instead", BATCH);
	if (rc == 0)
		rc = edit_with(f, "add", entries);
	json_decref(entries);
	return rc;
}

static int
group_where(struct flags *f)
{
	json_t *answer;
	struct buf path;
	int rc;

	buf_init(&path, 65536);
	buf_puts(&path, "/v1/entries/");
	client_escape(&path, f->args[0]);
	rc = client_call(f, "GET", path.data, NULL, &answer);
	if (rc == CLI_OK) {
		const json_t *groups = json_object_get(answer, "groups");

		if (json_array_size(groups) == 0 &&
		    f->format == FORMAT_TABLE) {
			printf("no group holds %s, itself or by a wildcard "
			    "that covers it\n", f->args[0]);
			rc = CLI_DIFFERS;
		} else
			output_list(f, answer, groups,
			    COLUMNS(where_columns));
	}
	json_decref(answer);
	buf_fini(&path);
	return rc;
}

#define ADD_FLAGS CHANGE_FLAGS " comment= until= create "

static const struct verb verbs[] = {
	{ "ls", "", 0, 0, group_ls, "" },
	{ "show", "", 1, 1, group_show, "GROUP" },
	{ "add", ADD_FLAGS, 2, -1, group_add, "GROUP ENTRY... | - [--create] "
	    "[--comment TEXT] [--until TIME] [--dry-run] [--wait[=30s]]" },
	{ "rm", CHANGE_FLAGS " yes ", 1, -1, group_rm,
	    "GROUP [ENTRY... | -] [--yes] [--dry-run] [--wait[=30s]]" },
	{ "import", ADD_FLAGS " replace ", 2, 2, group_import, "GROUP "
	    "FILE|- [--create] [--replace] [--dry-run] [--wait[=30s]]" },
	{ "export", "", 1, 1, group_export, "GROUP" },
	{ "where", "", 1, 1, group_where, "ENTRY" },
};

int
cmd_group(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
