/*
 * cmd_status.c - postern status: what is in force, and where.
 */
#include <stdio.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"

static const struct column columns[] = {
	{ "version", "version" }, { "digest", "digest" },
	{ "records", "records" }, { "since", "since" },
	{ "controller", "controller" }, { "nodes", "nodes.total" },
	{ "converged", "nodes.converged" }, { "away", "nodes.away" },
	{ "not converged", "stale" },
	{ "audit log ends", "audit.sequence" },
	{ "audit log behind", "audit.behind" },
	{ "audit log forked", "audit.forked" },
	{ "messages", "messages" }, { "key ends", "key.until" },
	{ "held until adopted", "held" }, { "highest on a node", "highest" },
};

int
cmd_status(int argc, char **argv)
{
	struct flags f;
	json_t *answer, *nodes;
	int rc = flags_parse(&f, argc, argv, "", "usage: postern status\n\n"
	    "What version is in force and on how many nodes; exit status 8 "
	    "if some\nnodes do not enforce it.\n");

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n > 0)
		return usage_error("status takes no arguments");
	rc = client_call(&f, "GET", "/v1/status", NULL, &answer);
	if (rc != CLI_OK)
		return rc;
	output_object(&f, answer, columns,
	    sizeof(columns) / sizeof(columns[0]));
	nodes = json_object_get(answer, "nodes");
	if (json_integer_value(json_object_get(nodes, "converged")) <
	    json_integer_value(json_object_get(nodes, "total")))
		rc = CLI_PARTIAL;
	json_decref(answer);
	return rc;
}
