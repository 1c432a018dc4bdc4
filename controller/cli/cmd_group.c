/*
 * cmd_group.c - postern group: profile groups and their entries.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/import.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])

static const struct column group_columns[] = {
	{ "GROUP", "name" }, { "ENTRIES", "entries" },
	{ "POLICIES", "policies" },
};

static const struct column entry_columns[] = {
	{ "ENTRY", "entry" }, { "KIND", "kind" }, { "MANAGERS", "managers" },
	{ "UNTIL", "until" }, { "COMMENT", "comment" },
};

static const struct column where_columns[] = {
	{ "ENTRY", "entry" }, { "GROUP", "group" }, { "IN", "in" },
	{ "POLICIES", "policies" }, { "MANAGERS", "managers" },
	{ "UNTIL", "until" },
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

static int
read_group(const struct flags *f, const char *name, json_t **out)
{
	struct buf path;
	int rc;

	group_path(&path, name, "?limit=10000");
	rc = get_pages(f, path.data, "entries", out);
	buf_fini(&path);
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

/* What an edit would do, as lines and counts; CLI_DIFFERS if anything. */
static int
show_preview(const json_t *answer)
{
	long long added = json_integer_value(json_object_get(answer,
	    "added")), updated = json_integer_value(json_object_get(answer,
	    "updated")), removed = json_integer_value(json_object_get(answer,
	    "removed"));

	fputs(text_of(answer, "summary"), stdout);
	printf("%lld would be added, %lld changed, %lld removed, %lld stay\n",
	    added, updated, removed,
	    json_integer_value(json_object_get(answer, "unchanged")));
	return added + updated + removed > 0 ? CLI_DIFFERS : CLI_OK;
}

/* "empty,shrink" as a list. */
static void
put_accept(const char *text, json_t *body)
{
	json_t *list = json_array();

	while (*text != '\0') {
		size_t n = strcspn(text, ",");

		json_array_append_new(list, json_stringn(text, n));
		text += n + (text[n] == ',');
	}
	json_object_set_new(body, "accept", list);
}

/* Flags that go into the body as they are: texts, then true. */
static void
put_edit_flags(const struct flags *f, json_t *body)
{
	static const char *const texts[] = { "comment", "until", "for" };
	static const char *const flags[][2] = { { "create", "create" },
	    { "replace", "replace" }, { "take-over", "take_over" } };
	size_t i;

	for (i = 0; i < 3; i++) {
		if (flag(f, texts[i]) != NULL)
			json_object_set_new(body, texts[i],
			    json_string(flag(f, texts[i])));
		if (flag(f, flags[i][0]) != NULL)
			json_object_set_new(body, flags[i][1], json_true());
	}
	if (flag(f, "accept") != NULL)
		put_accept(flag(f, "accept"), body);
}

/* Send {verb: entries}; body and entries are consumed. */
static int
edit(const struct flags *f, json_t *body, const char *verb, json_t *entries)
{
	json_t *answer = NULL;
	struct buf path;
	bool dry = flag(f, "dry-run") != NULL, whole = false;
	int rc = put_change_flags(f, body);

	put_edit_flags(f, body);
	json_object_set_new(body, verb, entries);
	group_path(&path, f->args[0], "/entries");
	if (rc == CLI_OK)
		rc = client_call(f, "POST", path.data, body, &answer);
	buf_fini(&path);
	json_decref(body);
	if (rc == CLI_OK)
		whole = output_whole(f, answer);
	if (rc == CLI_OK && dry && !whole)
		rc = show_preview(answer);
	else if (rc == CLI_OK)
		rc = wait_nodes(f, (uint64_t)json_integer_value(
		    json_object_get(answer, "version")));
	json_decref(answer);
	return rc;
}

static int
group_change(const struct flags *f, const char *verb)
{
	json_t *entries = json_array();
	int rc = entries_of(f, 1, entries);

	if (rc == 0 && json_array_size(entries) == 0)
		rc = usage_error("no entries were given");
	if (rc == 0)
		return edit(f, json_object(), verb, entries);
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
	json_t *answer = NULL;
	struct buf path;
	char what[300];
	int rc;

	if (f->args_n > 1)
		return group_change(f, "remove");
	snprintf(what, sizeof(what), "remove the group \"%.200s\" with all "
	    "its entries", f->args[0]);
	if (flag(f, "dry-run") == NULL && !flags_confirm(f, what))
		return CLI_USAGE;
	group_path(&path, f->args[0], "");
	if (flag(f, "dry-run") != NULL)
		buf_puts(&path, "?dry_run=1");
	if (flag(f, "take-over") != NULL)
		buf_printf(&path, "%ctake_over=1",
		    strchr(path.data, '?') == NULL ? '?' : '&');
	client_query(&path, f, "message");
	if (flag(f, "if-revision") != NULL) {
		buf_printf(&path, "%cif_revision=",
		    strchr(path.data, '?') == NULL ? '?' : '&');
		client_escape(&path, flag(f, "if-revision"));
	}
	rc = client_call(f, "DELETE", path.data, NULL, &answer);
	buf_fini(&path);
	if (rc == CLI_OK && !output_whole(f, answer) &&
	    flag(f, "dry-run") != NULL)
		printf("the group and its entries, %lld in all, would be "
		    "removed\n", json_integer_value(json_object_get(answer,
		    "removed")));
	if (rc == CLI_OK)
		rc = wait_nodes(f, (uint64_t)json_integer_value(
		    json_object_get(answer, "version")));
	json_decref(answer);
	return rc;
}

static int
group_import(struct flags *f)
{
	bool replace = flag(f, "replace") != NULL;
	const char *form = flag(f, "format");
	enum import_format format = IMPORT_TEXT;
	json_t *entries;
	char what[300];
	size_t skipped;
	int rc;

	if (form != NULL && import_format_parse(form, &format) < 0)
		return usage_error("--format is text, csv, rspamd or access");
	entries = json_array();
	rc = import_file(f->args[1], format, entries, &skipped);
	snprintf(what, sizeof(what), "replace what \"%.200s\" holds by these "
	    "%zu entries", f->args[0], json_array_size(entries));
	if (rc == 0 && replace && flag(f, "dry-run") == NULL &&
	    !flags_confirm(f, what))
		rc = CLI_USAGE;
	if (rc == 0)
		return edit(f, json_pack("{s:b}", "import", 1), "add",
		    entries);
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
		const json_t *groups = json_object_get(answer, "where");

		if (json_array_size(groups) == 0 &&
		    f->format == FORMAT_TABLE) {
			printf("no group and no policy names %s, itself or by "
			    "a domain or wildcard that covers it\n",
			    f->args[0]);
			rc = CLI_DIFFERS;
		} else
			output_list(f, answer, groups,
			    COLUMNS(where_columns));
	}
	json_decref(answer);
	buf_fini(&path);
	return rc;
}

#define ADD_FLAGS CHANGE_FLAGS " comment= until= for= create "
#define CHANGE_USAGE "[--dry-run] [--if-revision N] [--message TEXT] " \
    "[--wait[=30s]]"

static const struct verb verbs[] = {
	{ "ls", "", 0, 0, group_ls, "" },
	{ "show", "", 1, 1, group_show, "GROUP" },
	{ "add", ADD_FLAGS, 2, -1, group_add, "GROUP ENTRY... | - [--create] "
	    "[--comment TEXT] [--for 30d | --until TIME] " CHANGE_USAGE },
	{ "rm", CHANGE_FLAGS " yes take-over ", 1, -1, group_rm,
	    "GROUP [ENTRY... | -] [--yes] [--take-over] " CHANGE_USAGE },
	{ "import", ADD_FLAGS " replace accept= yes format= ", 2, 2,
	    group_import, "GROUP FILE|- [--format text|csv|rspamd|access] "
	    "[--create] [--replace [--yes]] [--accept "
	    "empty,shrink,internal,free-mail] " CHANGE_USAGE },
	{ "export", "", 1, 1, group_export, "GROUP" },
	{ "where", "", 1, 1, group_where, "ENTRY" },
};

int
cmd_group(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
