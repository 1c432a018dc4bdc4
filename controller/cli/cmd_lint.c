/*
 * cmd_lint.c - postern lint and postern export: the policy in force, or with
 * -f documents without a controller, looked through and written out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "controller/cli/cli.h"
#include "controller/cli/findings.h"
#include "controller/cli/load.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "controller/policy/compile.h"
#include "controller/policy/export.h"
#include "controller/policy/lint.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

static const char lint_help[] =
"usage: postern lint [-f FILE|DIR|-]\n\n"
"Says what is dangerous, useless or contradictory in the policy in force, or\n"
"in documents (then no controller is asked), and what would mend it.  Exit\n"
"status 1 if anything was found.\n";

static const char export_help[] =
"usage: postern export [-f FILE|DIR|-] [--manager NAME[,NAME...]]\n\n"
"Prints the policy in force as one document that reads back as the same\n"
"policy.  --manager allow,cli prints only what these hold: the drift against\n"
"your files, ready to commit.\n";

void
print_findings(const json_t *findings, FILE *out)
{
	struct buf text;

	buf_init(&text, 0);
	lint_print(findings, &text);
	if (text.len > 0)
		fwrite(text.data, 1, text.len, out);
	buf_fini(&text);
}

/* Read and compile what -f names; the error was printed. */
static int
load(const struct flags *f, struct items *items, struct files *names)
{
	struct records records;
	struct diag why;
	int rc;

	items_init(items);
	rc = load_items(flag(f, "file"), items, names, &why);
	if (rc == 0)
		rc = compile(items, &records, &why);
	if (rc < 0)
		return fail(cli_exit_of(rc), "%s", why.text);
	records_fini(&records);
	return CLI_OK;
}

static int
lint_file(const struct flags *f, json_t **answer)
{
	struct lint_options o = { .now_us = clock_wall_us(),
	    .accept_directory_loss = -1 };
	struct files names = { 0 };
	struct items items;
	int rc = load(f, &items, &names);

	if (rc == CLI_OK)
		*answer = json_pack("{s:o}", "findings", lint(&items, &o));
	items_fini(&items);
	files_fini(&names);
	return rc;
}

int
cmd_lint(int argc, char **argv)
{
	const json_t *findings;
	json_t *answer = NULL;
	struct flags f;
	int rc = flags_parse(&f, argc, argv, "file=", lint_help);

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n > 0)
		return usage_error("lint takes flags alone");
	if (flag(&f, "file") != NULL)
		rc = lint_file(&f, &answer);
	else
		rc = client_call(&f, "GET", "/v1/lint", NULL, &answer);
	if (rc != CLI_OK)
		return rc;
	findings = json_object_get(answer, "findings");
	if (!output_whole(&f, answer))
		print_findings(findings, stdout);
	rc = json_array_size(findings) > 0 ? CLI_DIFFERS : CLI_OK;
	json_decref(answer);
	return rc;
}

static int
export_file(const struct flags *f, json_t **answer)
{
	struct files names = { 0 };
	struct items items;
	struct buf text;
	int rc = load(f, &items, &names);

	buf_init(&text, 0);
	buf_puts(&text, "");
	if (rc == CLI_OK) {
		export_document(&items, flag(f, "manager"), &text);
		*answer = json_pack("{s:s}", "document", text.data);
	}
	buf_fini(&text);
	items_fini(&items);
	files_fini(&names);
	return rc;
}

int
cmd_export(int argc, char **argv)
{
	json_t *answer = NULL;
	struct buf path;
	struct flags f;
	int rc = flags_parse(&f, argc, argv, "file= manager=", export_help);

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n > 0)
		return usage_error("export takes flags alone");
	buf_init(&path, 4096);
	buf_puts(&path, "/v1/export");
	client_query(&path, &f, "manager");
	if (flag(&f, "file") != NULL)
		rc = export_file(&f, &answer);
	else
		rc = client_call(&f, "GET", path.data, NULL, &answer);
	buf_fini(&path);
	if (rc != CLI_OK)
		return rc;
	if (f.format == FORMAT_JSON)
		output_whole(&f, answer);
	else
		fputs(text_of(answer, "document"), stdout);
	json_decref(answer);
	return CLI_OK;
}
