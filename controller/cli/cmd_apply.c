/*
 * cmd_apply.c - postern apply and postern diff: documents to the controller.
 */
#include <stdio.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/findings.h"
#include "controller/cli/load.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "proto/base/err.h"

#define PATHS_MAX FLAGS_MAX

static const char apply_help[] =
"usage: postern apply -f FILE|DIR|- [-f ...] [FLAGS]\n\n"
"Brings the policy to what the documents say.  Only what an earlier apply of\n"
"the same set made is deleted.\n\n"
"  --set NAME         the set that these documents are; \"default\"\n"
"  --dry-run          print what would change, and on which nodes; 1 if\n"
"                     anything would\n"
"  --take-over        adopt what another manager holds\n"
"  --prune-limit N    allow up to N deletions\n"
"  --accept-directory-loss N  addresses of a directory that validates\n"
"                     recipients which may go; 2 % and at most 20\n"
"  --accept-list-loss groups may lose more than a fifth of their entries\n"
"  --leave-behind     although nodes are too old to take it\n"
"  --if-revision N    only if version N is in force\n"
"  --message TEXT     why, for the revision\n"
"  --wait[=30s]       until every node enforces it; 8 if some do not\n";

static const char diff_help[] =
"usage: postern diff -f FILE|DIR|- [-f ...] [--set NAME]\n\n"
"Prints what apply would change; exit status 1 if anything would.\n";

#define NODES_SHOWN 20	/* by name; all are counted */
#define DIFF_FLAGS " file= set= take-over prune-limit= " \
	"accept-directory-loss= accept-list-loss leave-behind "

static int
make_body(const struct flags *f, json_t **out)
{
	const char *paths[PATHS_MAX];
	json_t *body, *documents, *lists;
	struct diag why = { "" };
	long long limit, loss;
	size_t n = 0;
	int rc;

	while (n < PATHS_MAX && (paths[n] = flag_nth(f, "file", n)) != NULL)
		n++;
	if (n == 0 || f->args_n > 0)
		return usage_error("which documents? say -f FILE");
	if (flag_number(f, "prune-limit", -1, &limit) != 0 ||
	    flag_number(f, "accept-directory-loss", -1, &loss) != 0)
		return CLI_USAGE;
	if ((rc = load_texts(paths, n, &documents, &lists, &why)) < 0)
		return fail(cli_exit_of(rc), "%s", why.text);
	body = json_pack("{s:s, s:o, s:o, s:b}", "set",
	    flag(f, "set") == NULL ? "default" : flag(f, "set"),
	    "documents", documents, "lists", lists, "take_over",
	    flag(f, "take-over") != NULL);
	if (limit >= 0)
		json_object_set_new(body, "prune_limit", json_integer(limit));
	if (loss >= 0)
		json_object_set_new(body, "accept_directory_loss",
		    json_integer(loss));
	if (flag(f, "leave-behind") != NULL)
		json_object_set_new(body, "leave_behind", json_true());
	if (flag(f, "accept-list-loss") != NULL)
		json_object_set_new(body, "accept_list_loss", json_true());
	if ((rc = put_change_flags(f, body)) != 0) {
		json_decref(body);
		return rc;
	}
	*out = body;
	return CLI_OK;
}

static void
print_unable(const json_t *list)
{
	const json_t *node;
	size_t i;

	json_array_foreach(list, i, node)
		fprintf(stderr, "warning: node %s cannot take this: it reads "
		    "%s; upgrade it\n", text_of(node, "id"),
		    text_of(node, "reads"));
}

/* The ids of the nodes that a change would go to, into the answer. */
static int
put_nodes(const struct flags *f, json_t *answer)
{
	json_t *nodes = NULL, *ids = json_array(), *n;
	size_t i;
	int rc = client_call(f, "GET", "/v1/nodes", NULL, &nodes);

	json_array_foreach(json_object_get(nodes, "nodes"), i, n)
		json_array_append(ids, json_object_get(n, "id"));
	json_object_set_new(answer, "nodes", ids);
	json_decref(nodes);
	return rc;
}

static void
print_nodes(const json_t *answer)
{
	const json_t *ids = json_object_get(answer, "nodes"), *id;
	size_t n = json_array_size(ids), i;

	if (ids == NULL || !json_is_true(json_object_get(answer, "changed")))
		return;
	printf("%zu node%s would take it", n, n == 1 ? "" : "s");
	json_array_foreach(ids, i, id) {
		if (i == NODES_SHOWN)
			break;
		printf("%s %s", i == 0 ? ":" : ",", json_string_value(id));
	}
	puts(n > NODES_SHOWN ? ", .." : "");
}

static int
apply_documents(const struct flags *f, bool dry)
{
	json_t *body = NULL, *answer = NULL;
	uint64_t version;
	bool changed;
	int rc;

	if ((rc = make_body(f, &body)) != CLI_OK)
		return rc;
	if (dry)
		json_object_set_new(body, "dry_run", json_true());
	rc = client_call(f, "POST", "/v1/apply", body, &answer);
	json_decref(body);
	if (rc != CLI_OK)
		return rc;
	if (flag(f, "dry-run") != NULL)
		rc = put_nodes(f, answer);
	changed = json_is_true(json_object_get(answer, "changed"));
	version = (uint64_t)json_integer_value(json_object_get(answer,
	    "version"));
	if (!output_whole(f, answer)) {
		if (dry)
			fputs(text_of(answer, "summary"), stdout);
		print_nodes(answer);
		print_findings(json_object_get(answer, "findings"), stderr);
		print_unable(json_object_get(answer, "unable"));
	}
	json_decref(answer);
	if (rc != CLI_OK)
		return rc;
	if (dry)
		return changed ? CLI_DIFFERS : CLI_OK;
	return wait_nodes(f, version);
}

int
cmd_apply(int argc, char **argv)
{
	struct flags f;
	int rc = flags_parse(&f, argc, argv, DIFF_FLAGS CHANGE_FLAGS,
	    apply_help);

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	return apply_documents(&f, flag(&f, "dry-run") != NULL);
}

int
cmd_diff(int argc, char **argv)
{
	struct flags f;
	int rc = flags_parse(&f, argc, argv, DIFF_FLAGS, diff_help);

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	return apply_documents(&f, true);
}
