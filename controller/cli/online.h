/*
 * online.h - the commands that talk to a controller, and what they share.
 */
#ifndef CLI_ONLINE_H
#define CLI_ONLINE_H

#include <stdint.h>

#include "controller/cli/client.h"

/* Flags of every command that changes the policy. */
#define CHANGE_FLAGS " dry-run if-revision= message= wait? "

/* Each runs one noun: argv[0] is its name; returns the exit status. */
int cmd_init(int argc, char **argv);
int cmd_lint(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_simulate(int argc, char **argv);
int cmd_apply(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_directory(int argc, char **argv);
int cmd_group(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_sender(int argc, char **argv);
int cmd_message(int argc, char **argv);
int cmd_revision(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_node(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_dev(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_adopt(int argc, char **argv);

/* A verb of a noun. */
struct verb {
	const char *name;
	const char *accepts;	/* flags, as flags_parse() takes them */
	int min_args, max_args;	/* -1: any number */
	int (*run)(struct flags *f);
	const char *usage;
};

/* Find argv[1] among n verbs, read its flags and run it. */
int run_verb(const struct verb *verbs, size_t n, int argc, char **argv);

/* Put dry_run, if_revision and message of the flags into a body.
 * 0 or CLI_USAGE. */
int put_change_flags(const struct flags *f, json_t *body);

/*
 * After a change: with --wait, wait until every node enforces version or the
 * time is over.  CLI_OK, CLI_PARTIAL with the nodes named, or an error's
 * status.
 */
int wait_nodes(const struct flags *f, uint64_t version);

/*
 * The end of a change whose answer is {changed, version, summary, ..}: prints
 * it when asked for as a whole, or what a --dry-run would change (then
 * CLI_DIFFERS if anything), and waits.  rc and answer are client_call()'s;
 * answer is consumed.
 */
int finish_change(const struct flags *f, int rc, json_t *answer);

/* GET path page by page ("next" is asked for as "after") into one answer
 * with the whole list under key, to be decref'd.  CLI_OK or the status. */
int get_pages(const struct flags *f, const char *path, const char *key,
    json_t **out);

/* Ask GET path and print its list under key; CLI_OK or the status. */
struct column;
int get_list(const struct flags *f, const char *path, const char *key,
    const struct column *columns, size_t n);

/* Entries from the arguments from first on; "-" reads standard input. */
int entries_of(const struct flags *f, int first, json_t *list);

#endif
