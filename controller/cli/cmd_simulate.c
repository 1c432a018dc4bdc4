/*
 * cmd_simulate.c - postern simulate: what a draft would change, over a file
 * of envelopes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/cli/cli.h"
#include "controller/cli/load.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "controller/cli/progress.h"
#include "controller/policy/compile.h"
#include "controller/policy/simulate.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

static const char help[] =
"usage: postern simulate -f DRAFT --envelopes FILE.ndjson [FLAGS]\n\n"
"Judges every envelope under the policy in force and under the draft, and\n"
"says which verdicts change and which policy changes them.  A line of FILE is\n"
"a JSON object with the flags of explain as keys:\n\n"
"  {\"from\": \"a@x.example\", \"to\": [\"b@y.example\"], "
"\"ip\": \"192.0.2.1\"}\n\n"
"  -f DRAFT           a document or a folder of them\n"
"  --envelopes FILE   or - for standard input\n"
"  --base DOC         compare with this instead of the policy in force\n"
"  --list N           show up to N of the changed envelopes (20)\n\n"
"Exit status 1 if any verdict changes.\n";

/* One policy to judge under. */
struct side {
	struct items items;
	struct files names;
	struct records records;
	bool compiled;
};

static void
side_fini(struct side *s)
{
	if (s->compiled)
		records_fini(&s->records);
	items_fini(&s->items);
	files_fini(&s->names);
}

/* The policy in force, item by item. */
static int
load_in_force(const struct flags *f, struct items *out)
{
	const json_t *list, *row;
	json_t *answer = NULL;
	size_t i;
	int rc = client_call(f, "GET", "/v1/export?form=items", NULL,
	    &answer);

	if (rc != CLI_OK)
		return rc;
	list = json_object_get(answer, "items");
	json_array_foreach(list, i, row) {
		const char *key = json_string_value(json_array_get(row, 0));
		const char *value = json_string_value(json_array_get(row, 1));

		if (key == NULL || value == NULL) {
			rc = fail(CLI_INVALID, "the controller's answer is "
			    "malformed: is it of this version?");
			break;
		}
		items_put(out, key, value, "");
	}
	json_decref(answer);
	return rc;
}

static int
side_load(struct side *s, const struct flags *f, const char *path)
{
	struct diag why;
	int rc;

	if (path == NULL) {
		if ((rc = load_in_force(f, &s->items)) != CLI_OK)
			return rc;
	} else if ((rc = load_items(path, &s->items, &s->names, &why)) < 0)
		return fail(cli_exit_of(rc), "%s", why.text);
	if ((rc = compile(&s->items, &s->records, &why)) < 0)
		return fail(cli_exit_of(rc), "%s", why.text);
	s->compiled = true;
	return CLI_OK;
}

static int
run(struct simulation *s, FILE *in, const char *name)
{
	struct progress progress;
	struct diag why;
	struct stat st;
	uint64_t number = 0, done = 0;
	char *line = NULL, text[64];
	size_t cap = 0;
	ssize_t len;
	int rc = 0;

	if (fstat(fileno(in), &st) != 0 || !S_ISREG(st.st_mode))
		st.st_size = 0;
	progress_init(&progress);
	while (rc == 0 && (len = getline(&line, &cap, in)) != -1) {
		number++;
		done += (uint64_t)len;
		rc = simulation_line(s, number, line, (size_t)len, &why);
		if ((number & 0xff) != 0)
			continue;
		snprintf(text, sizeof(text), "%llu envelopes",
		    (unsigned long long)number);
		progress_show(&progress, done, (uint64_t)st.st_size, text);
	}
	progress_end(&progress);
	free(line);
	if (rc < 0)
		return fail(CLI_USAGE, "%s:%llu: %s", name,
		    (unsigned long long)number, why.text);
	return ferror(in) ? fail(CLI_NOT_FOUND, "%s: %s", name,
	    strerror(errno)) : CLI_OK;
}

static const char *
named(const json_t *o)
{
	return text_of(o, "policy")[0] == '\0' ? "(no policy)" :
	    text_of(o, "policy");
}

static long long
count(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static void
print_report(const json_t *r)
{
	const json_t *row;
	size_t i;

	printf("%lld of %lld verdicts change\n", count(r, "changed"),
	    count(r, "envelopes"));
	json_array_foreach(json_object_get(r, "transitions"), i, row)
		printf("%10lld  %s -> %s\n", count(row, "count"),
		    text_of(row, "before"), text_of(row, "after"));
	if (json_array_size(json_object_get(r, "policies")) > 0)
		puts("because");
	json_array_foreach(json_object_get(r, "policies"), i, row)
		printf("%10lld  %s %s\n", count(row, "count"), named(row),
		    text_of(row, "cause"));
	if (json_array_size(json_object_get(r, "list")) > 0)
		puts("for example");
	json_array_foreach(json_object_get(r, "list"), i, row)
		printf("  line %lld: <%s> to <%s>: %s -> %s (%s %s)\n",
		    count(row, "line"), text_of(row, "from"),
		    text_of(row, "to"), text_of(json_object_get(row,
		    "before"), "reason"), text_of(json_object_get(row,
		    "after"), "reason"), named(row), text_of(row, "cause"));
}

static int
simulate(const struct flags *f, const struct side *before,
    const struct side *after, size_t list)
{
	const char *name = flag(f, "envelopes");
	FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	struct simulation *s;
	json_t *report;
	int rc;

	if (in == NULL)
		return fail(CLI_NOT_FOUND, "cannot open %s: %s", name,
		    strerror(errno));
	s = simulation_new(&before->records, &after->records,
	    clock_wall_us(), list);
	rc = run(s, in, name);
	if (rc == CLI_OK) {
		report = simulation_report(s);
		if (!output_whole(f, report))
			print_report(report);
		rc = count(report, "changed") > 0 ? CLI_DIFFERS : CLI_OK;
		json_decref(report);
	}
	simulation_free(&s);
	if (in != stdin)
		fclose(in);
	return rc;
}

int
cmd_simulate(int argc, char **argv)
{
	struct side before = { .compiled = false };
	struct side after = { .compiled = false };
	struct flags f;
	long long list;
	int rc = flags_parse(&f, argc, argv, "file= envelopes= base= list=",
	    help);

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (flag(&f, "file") == NULL || flag(&f, "envelopes") == NULL ||
	    f.args_n > 0)
		return usage_error("simulate needs -f DRAFT and "
		    "--envelopes FILE");
	if (flag_number(&f, "list", 20, &list) != 0)
		return CLI_USAGE;
	items_init(&before.items);
	items_init(&after.items);
	if ((rc = side_load(&before, &f, flag(&f, "base"))) == CLI_OK &&
	    (rc = side_load(&after, &f, flag(&f, "file"))) == CLI_OK)
		rc = simulate(&f, &before, &after, (size_t)list);
	side_fini(&before);
	side_fini(&after);
	return rc;
}
