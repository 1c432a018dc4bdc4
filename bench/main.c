/*
 * main.c - postern-bench: finds the command and runs it.
 */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/cmd.h"
#include "proto/base/log.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "set", cmd_set_main, "make the standard set; time, memory, disk, "
	    "start" },
	{ "decide", cmd_decide, "cost of a decision in process" },
	{ "delta", cmd_delta, "cost of a delta of each class of records" },
	{ "policy", cmd_policy, "load on one policy server" },
	{ "null", cmd_null, "be a policy server that decides nothing" },
	{ "compare", cmd_compare, "load on several servers in rotation" },
	{ "fronts", cmd_fronts, "a node against null servers, all of it" },
	{ "document", cmd_document, "write the standard set for a "
	    "controller" },
	{ "fleet", cmd_fleet, "changes and snapshots to many nodes" },
	{ "milter", cmd_milter, "load on several milters in rotation" },
	{ "events", cmd_events, "events of nodes into the message center" },
	{ "join", cmd_join, "a node that takes the whole set" },
	{ "smtp", cmd_smtp, "recipients a second through mail servers" },
	{ "marks", cmd_marks, "what a run gave, against what is wanted" },
	{ "stall", cmd_stall, "latency over time while the policy changes" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
usage(FILE *f)
{
	size_t i;

	fputs("usage: postern-bench COMMAND [--help] [ARGUMENT...]\n\n"
	    "Measures Postern beside its limits and its peers.\n\n", f);
	for (i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-8s %s\n", commands[i].name,
		    commands[i].help);
}

/* As many descriptors as there may be. */
static void
raise_limits(void)
{
	struct rlimit r;

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int
main(int argc, char **argv)
{
	static char output[] = "--output";
	size_t i;
	int k;

	raise_limits();
	log_setup("postern-bench", LOG_TEXT, LOG_WARNING);
	if (sodium_init() < 0)
		return 1;
	if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		printf("postern-bench %s\n", conf_version());
		return 0;
	}
	for (k = 2; k < argc; k++) {
		if (strcmp(argv[k], "-o") == 0)
			argv[k] = output;
	}
	for (i = 0; argc >= 2 && i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	usage(stderr);
	return 2;
}
