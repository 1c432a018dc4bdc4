/*
 * main.c - postern, the command line: finds the command and runs it.
 */
#include <stdio.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "proto/base/conf.h"
#include "proto/base/err.h"
#include "proto/base/near.h"

static int
cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("postern %s\n", conf_version());
	return CLI_OK;
}

static const struct cli_command commands[] = {
	{ "explain", cmd_explain, "say what a message's verdict is, and why" },
	{ "check", cmd_check, "read and compile a policy document" },
	{ "init", cmd_init, "make the groups and policies to begin with" },
	{ "apply", cmd_apply, "bring the policy to what documents say" },
	{ "diff", cmd_diff, "say what apply would change" },
	{ "lint", cmd_lint, "say what is dangerous or useless in a policy" },
	{ "simulate", cmd_simulate, "say which verdicts a draft changes" },
	{ "export", cmd_export, "print the policy in force as a document" },
	{ "policy", cmd_policy, "single policies, and what each refused" },
	{ "group", cmd_group, "profile groups and their entries" },
	{ "directory", cmd_directory, "recipients: import, look up, remove" },
	{ "sender", cmd_sender, "users' own lists of senders" },
	{ "message", cmd_message, "search what was refused, and why" },
	{ "revision", cmd_revision, "who changed what, when and why" },
	{ "audit", cmd_audit, "who did what to the controller, provably" },
	{ "status", cmd_status, "say what is in force, and where" },
	{ "node", cmd_node, "the nodes: list, join, revoke" },
	{ "backup", cmd_backup, "all that the controller holds, in a folder" },
	{ "restore", cmd_restore, "put a backup into a new data folder" },
	{ "adopt", cmd_adopt, "go on with a restored controller" },
	{ "key", cmd_key, "root and publisher keys: make, rotate, revoke" },
	{ "doctor", cmd_doctor, "look for what is wrong, and say the remedy" },
	{ "schema", cmd_schema, "the JSON Schema of policy documents" },
	{ "snippet", cmd_snippet, "settings for Postfix, a milter, Exim" },
	{ "completion", cmd_completion, "completion for bash or zsh" },
	{ "dev", cmd_dev, "a controller and nodes on this machine, to try" },
	{ "version", cmd_version, "print the version" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
usage(FILE *out)
{
	size_t i;

	fputs("usage: postern COMMAND [FLAGS]\n\n", out);
	for (i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name,
		    commands[i].summary);
	fputs("\n\"postern COMMAND --help\" says more of one.\n", out);
}

int
cli_exit_of(int err)
{
	switch (err) {
	case ERR_NOENT: return CLI_NOT_FOUND;
	case ERR_CONFLICT: return CLI_CONFLICT;
	case ERR_UNREACH: case ERR_TIMEOUT: return CLI_UNREACHABLE;
	case ERR_AUTH: return CLI_DENIED;
	default: return CLI_INVALID;
	}
}

int
main(int argc, char **argv)
{
	const char *names[COMMANDS + 1] = { 0 }, *near;
	size_t i;

	if (argc < 2) {
		usage(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return CLI_OK;
	}
	if (strcmp(argv[1], "--version") == 0)
		return cmd_version(argc, argv);
	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
		names[i] = commands[i].name;
	}
	near = near_name(argv[1], names);
	fprintf(stderr, "postern: unknown command \"%s\"%s%s%s; "
	    "\"postern --help\" lists them\n", argv[1],
	    near == NULL ? "" : "; did you mean \"",
	    near == NULL ? "" : near, near == NULL ? "" : "\"?");
	return CLI_USAGE;
}
