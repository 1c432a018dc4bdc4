/*
 * cmd_init.c - postern init: the three groups and policies to begin with.
 */
#include <stdio.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"

int
cmd_init(int argc, char **argv)
{
	struct flags f;
	json_t *body, *answer, *name;
	uint64_t version;
	bool dry;
	size_t i;
	int rc = flags_parse(&f, argc, argv, CHANGE_FLAGS,
	    "usage: postern init [--dry-run] [--if-revision N] [--message "
	    "TEXT] [--wait[=30s]]\n\nMakes the groups Blocked Senders, its "
	    "exceptions and Permitted Senders, with\ntheir policies; what "
	    "is there already is left.\n");

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n > 0)
		return usage_error("init takes no arguments");
	body = json_object();
	rc = put_change_flags(&f, body);
	answer = NULL;
	if (rc == CLI_OK)
		rc = client_call(&f, "POST", "/v1/init", body, &answer);
	json_decref(body);
	if (rc != CLI_OK)
		return rc;
	dry = flag(&f, "dry-run") != NULL;
	if (dry && json_array_size(json_object_get(answer, "created")) > 0)
		rc = CLI_DIFFERS;
	if (!output_whole(&f, answer)) {
		json_array_foreach(json_object_get(answer, "created"), i, name)
			printf("%s %s\n", dry ? "would make" : "made",
			    json_string_value(name));
	}
	version = (uint64_t)json_integer_value(json_object_get(answer,
	    "version"));
	json_decref(answer);
	return rc != CLI_OK ? rc : wait_nodes(&f, version);
}
