/*
 * cli.h - what the commands share: exit statuses and the table of nouns.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum cli_exit {
	CLI_OK = 0, CLI_DIFFERS = 1, CLI_USAGE = 2, CLI_NOT_FOUND = 3,
	CLI_CONFLICT = 4, CLI_UNREACHABLE = 5, CLI_DENIED = 6,
	CLI_INVALID = 7, CLI_PARTIAL = 8
};

struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv);	/* argv[0] is the name */
	const char *summary;
};

/* The exit status for an error code. */
int cli_exit_of(int err);

/* The commands that need no controller, or need none for some of their work:
 * one function a command. */
int cmd_explain(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_snippet(int argc, char **argv);
int cmd_completion(int argc, char **argv);

#endif
