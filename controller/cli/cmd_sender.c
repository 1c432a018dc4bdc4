/*
 * cmd_sender.c - postern sender: users' own lists of senders.
 *
 * An import is one request, one revision and one batch to undo as long as one
 * request can hold it; a larger one goes in as few as do, one after the other,
 * each a batch of its own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "controller/cli/cli.h"
#include "controller/cli/csv.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"

/* Bytes of rows in one request: what the API reads (64 MiB), but for what
 * stands around them. */
#define PART_MAX (((size_t)64 << 20) - ((size_t)64 << 10))
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

/* Send an edit (body is consumed).  With --if-revision, after (0: none) is
 * the revision that an earlier part of the same import made. */
static int
post_edit(const struct flags *f, json_t *body, json_int_t after,
    json_t **answer)
{
	int rc = put_change_flags(f, body);

	*answer = NULL;
	if (after > 0 && flag(f, "if-revision") != NULL)
		json_object_set_new(body, "if_revision", json_integer(after));
	if (flag(f, "take-over") != NULL)
		json_object_set_new(body, "take_over", json_true());
	if (rc == CLI_OK)
		rc = client_call(f, "POST", "/v1/senders", body, answer);
	json_decref(body);
	return rc;
}

/* Say what an edit did, name what was left out, wait; answer is consumed. */
static int
finish_edit(const struct flags *f, json_t *answer)
{
	json_t *skipped;
	bool dry = flag(f, "dry-run") != NULL;
	long long changed;
	uint64_t version;
	size_t i;
	int rc = CLI_OK;

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
	json_t *entries, *answer;
	int rc;

	if (flag(f, "user") == NULL)
		return usage_error("whose list? say --user");
	entries = json_array();
	if ((rc = entries_of(f, 0, entries)) != 0) {
		json_decref(entries);
		return rc;
	}
	rc = post_edit(f, json_pack("{s:s, s:o, s:s}", "user",
	    flag(f, "user"), "entries", entries, "action", action), 0,
	    &answer);
	return rc != CLI_OK ? rc : finish_edit(f, answer);
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

/* The next rows, from *from on, that go into one request. */
static json_t *
take_part(const json_t *rows, size_t *from)
{
	json_t *part = json_array(), *row;
	size_t bytes = 0;

	while ((row = json_array_get(rows, *from)) != NULL) {
		bytes += json_dumpb(row, NULL, 0, JSON_COMPACT) + 1;
		if (bytes > PART_MAX && json_array_size(part) > 0)
			break;
		json_array_append(part, row);
		++*from;
	}
	return part;
}

/* Add an answer (consumed) to the one of all parts, its batch to theirs. */
static void
add_answer(json_t **all, json_t *answer, json_t *batches)
{
	static const char *const sums[] = { "changed", "unchanged" };
	json_t *batch = json_object_get(answer, "batch");
	size_t i;

	if (batch != NULL)
		json_array_append(batches, batch);
	if (*all == NULL) {
		*all = answer;
		return;
	}
	for (i = 0; i < 2; i++)
		json_object_set_new(*all, sums[i], json_integer(
		    json_integer_value(json_object_get(*all, sums[i])) +
		    json_integer_value(json_object_get(answer, sums[i]))));
	json_object_set(*all, "version", json_object_get(answer, "version"));
	json_array_extend(json_object_get(*all, "skipped"),
	    json_object_get(answer, "skipped"));
	json_decref(answer);
}

/* How to take back what took more than one batch. */
static void
say_batches(const json_t *batches)
{
	size_t i = json_array_size(batches);

	fprintf(stderr, "postern: the rows went in %zu parts; to take them "
	    "back, postern sender undo", i);
	while (i-- > 0)
		fprintf(stderr, " %" JSON_INTEGER_FORMAT "%s",
		    json_integer_value(json_array_get(batches, i)),
		    i > 0 ? ", then" : "\n");
}

/* Send rows (consumed) in as few requests as hold them. */
static int
send_rows(const struct flags *f, json_t *rows)
{
	json_t *all = NULL, *batches = json_array(), *answer;
	size_t n = json_array_size(rows), done = 0, from = 0;
	json_int_t after = 0;
	int rc = CLI_OK;

	while (rc == CLI_OK && done < n) {
		rc = post_edit(f, json_pack("{s:o}", "rows", take_part(rows,
		    &from)), after, &answer);
		if (rc == CLI_OK) {
			after = json_integer_value(json_object_get(answer,
			    "version"));
			add_answer(&all, answer, batches);
			done = from;
		}
	}
	if (rc != CLI_OK && done > 0 && flag(f, "dry-run") == NULL)
		fail(0, "the first %zu of %zu rows are in the lists; mend the "
		    "rest and import again", done, n);
	if (json_array_size(batches) > 1)
		say_batches(batches);
	if (rc == CLI_OK && json_array_size(batches) > 1) {
		json_object_del(all, "batch");
		json_object_set(all, "batches", batches);
	} else if (rc == CLI_OK && json_array_size(batches) == 1)
		json_object_set(all, "batch", json_array_get(batches, 0));
	json_decref(batches);
	json_decref(rows);
	if (rc == CLI_OK)
		return finish_edit(f, all);
	json_decref(all);
	return rc;
}

static int
sender_import(struct flags *f)
{
	json_t *rows = json_array();
	int rc = csv_read_senders(f->args[0], rows);

	if (rc == CLI_OK && json_array_size(rows) == 0)
		rc = fail(CLI_INVALID, "%s holds no rows", f->args[0]);
	if (rc == CLI_OK)
		return send_rows(f, rows);
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
	    "user,action,entry; the action is permit, block or remove.\n"
	    "    Over 64 MiB it goes in parts, each a batch of its own" },
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
