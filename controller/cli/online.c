/*
 * online.c - what the commands that talk to a controller share.
 */
#include "controller/cli/online.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/cli/cli.h"
#include "controller/cli/import.h"
#include "controller/cli/output.h"
#include "controller/cli/progress.h"
#include "controller/policy/document.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/near.h"

#define VERBS_MAX 16
#define WAIT_DEFAULT_MS 30000

static void
print_verbs(const struct verb *verbs, size_t n, const char *noun, FILE *out)
{
	size_t i;

	fprintf(out, "usage: postern %s VERB [FLAGS]\n\n", noun);
	for (i = 0; i < n; i++)
		fprintf(out, "  %s %s\n", verbs[i].name, verbs[i].usage);
}

static int
unknown_verb(const struct verb *verbs, size_t n, const char *noun,
    const char *got)
{
	const char *names[VERBS_MAX + 1] = { 0 }, *near;
	size_t i;

	for (i = 0; i < n && i < VERBS_MAX; i++)
		names[i] = verbs[i].name;
	near = near_name(got, names);
	fail(CLI_USAGE, "\"%s\" is no verb of %s%s%s%s", got, noun,
	    near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
	    near == NULL ? "" : "\"?");
	print_verbs(verbs, n, noun, stderr);
	return CLI_USAGE;
}

int
run_verb(const struct verb *verbs, size_t n, int argc, char **argv)
{
	struct flags f;
	char help[2048];
	size_t i;
	int rc;

	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		print_verbs(verbs, n, argv[0], argc < 2 ? stderr : stdout);
		return argc < 2 ? CLI_USAGE : CLI_OK;
	}
	for (i = 0; i < n && strcmp(verbs[i].name, argv[1]) != 0; i++)
		;
	if (i == n)
		return unknown_verb(verbs, n, argv[0], argv[1]);
	snprintf(help, sizeof(help), "usage: postern %s %s %s\n", argv[0],
	    verbs[i].name, verbs[i].usage);
	rc = flags_parse(&f, argc - 1, argv + 1, verbs[i].accepts, help);
	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n < verbs[i].min_args || (verbs[i].max_args >= 0 &&
	    f.args_n > verbs[i].max_args)) {
		fprintf(stderr, "%s", help);
		return CLI_USAGE;
	}
	return verbs[i].run(&f);
}

int
put_change_flags(const struct flags *f, json_t *body)
{
	long long n;

	if (flag(f, "dry-run") != NULL)
		json_object_set_new(body, "dry_run", json_true());
	if (flag(f, "message") != NULL)
		json_object_set_new(body, "message",
		    json_string(flag(f, "message")));
	if (flag_number(f, "if-revision", 0, &n) != 0)
		return CLI_USAGE;
	if (flag(f, "if-revision") != NULL)
		json_object_set_new(body, "if_revision", json_integer(n));
	return 0;
}

static bool
enforces(const json_t *node, uint64_t version)
{
	return (uint64_t)json_integer_value(json_object_get(node,
	    "version")) >= version;
}

/* How many nodes do not enforce version; with say they are named. */
static size_t
lagging(const json_t *answer, uint64_t version, bool say)
{
	const json_t *node;
	size_t i, n = 0;

	json_array_foreach(json_object_get(answer, "nodes"), i, node) {
		const char *detail = text_of(node, "detail");

		if (enforces(node, version))
			continue;
		n++;
		if (say)
			fail(0, "%s does not enforce version %llu: it is %s%s"
			    "%s; \"postern node show\" says more",
			    text_of(node, "id"), (unsigned long long)version,
			    text_of(node, "state"), *detail == '\0' ? "" :
			    ", ", detail);
	}
	return n;
}

static void
show_wait(struct progress *p, const json_t *answer, size_t lag,
    uint64_t version)
{
	size_t total = json_array_size(json_object_get(answer, "nodes"));
	char text[80];

	snprintf(text, sizeof(text), "%zu of %zu nodes enforce version %llu",
	    total - lag, total, (unsigned long long)version);
	progress_show(p, total - lag, total, text);
}

int
wait_nodes(const struct flags *f, uint64_t version)
{
	const struct timespec pause = { 0, 50 * 1000 * 1000 };
	const char *text = flag(f, "wait");
	uint64_t ms = WAIT_DEFAULT_MS, end;
	struct progress progress;
	int rc;

	if (text == NULL || flag(f, "dry-run") != NULL)
		return CLI_OK;
	if (*text != '\0' && clock_parse_duration(text, &ms) < 0)
		return usage_error("--wait takes a time such as 30s");
	end = clock_mono_ms() + ms;
	progress_init(&progress);
	for (;;) {
		json_t *answer;
		size_t n;
		bool late = clock_mono_ms() >= end;

		rc = client_call(f, "GET", "/v1/nodes", NULL, &answer);
		if (rc != CLI_OK)
			break;
		show_wait(&progress, answer, lagging(answer, version, false),
		    version);
		if (late)
			progress_end(&progress);
		n = lagging(answer, version, late);
		json_decref(answer);
		rc = n == 0 ? CLI_OK : CLI_PARTIAL;
		if (n == 0 || late)
			break;
		nanosleep(&pause, NULL);
	}
	progress_end(&progress);
	return rc;
}

int
finish_change(const struct flags *f, int rc, json_t *answer)
{
	uint64_t version = (uint64_t)json_integer_value(json_object_get(
	    answer, "version"));
	bool dry = flag(f, "dry-run") != NULL;
	bool changed = json_is_true(json_object_get(answer, "changed"));

	if (rc == CLI_OK && !output_whole(f, answer) && dry)
		fputs(text_of(answer, "summary"), stdout);
	json_decref(answer);
	if (rc != CLI_OK)
		return rc;
	return dry ? (changed ? CLI_DIFFERS : CLI_OK) : wait_nodes(f,
	    version);
}

int
get_pages(const struct flags *f, const char *path, const char *key,
    json_t **out)
{
	json_t *whole = NULL, *page;
	struct buf at;
	int rc;

	buf_init(&at, 65536);
	buf_puts(&at, path);
	while ((rc = client_call(f, "GET", at.data, NULL, &page)) == CLI_OK) {
		const char *next = text_of(page, "next");

		if (whole == NULL)
			whole = json_incref(page);
		else
			json_array_extend(json_object_get(whole, key),
			    json_object_get(page, key));
		buf_reset(&at);
		buf_printf(&at, "%s%cafter=", path,
		    strchr(path, '?') == NULL ? '?' : '&');
		client_escape(&at, next);
		if (*next == '\0') {
			json_decref(page);
			break;
		}
		json_decref(page);
	}
	buf_fini(&at);
	if (rc == CLI_OK)
		json_object_del(whole, "next");
	else {
		json_decref(whole);
		whole = NULL;
	}
	*out = whole;
	return rc;
}

int
get_list(const struct flags *f, const char *path, const char *key,
    const struct column *columns, size_t n)
{
	json_t *answer;
	int rc = client_call(f, "GET", path, NULL, &answer);

	if (rc == CLI_OK)
		output_list(f, answer, json_object_get(answer, key), columns,
		    n);
	json_decref(answer);
	return rc;
}

int
entries_of(const struct flags *f, int first, json_t *list)
{
	size_t skipped;
	int i, rc = 0;

	for (i = first; i < f->args_n && rc == 0; i++) {
		if (strcmp(f->args[i], "-") == 0)
			rc = import_file("-", IMPORT_TEXT, list, &skipped);
		else if (json_array_append_new(list,
		    json_string(f->args[i])) < 0)
			rc = usage_error("an entry is not UTF-8");
	}
	return rc;
}
