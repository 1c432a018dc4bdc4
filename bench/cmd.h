/*
 * cmd.h - the harness's commands, one a noun, and what their settings share.
 */
#ifndef BENCH_CMD_H
#define BENCH_CMD_H

#include "bench/report.h"
#include "bench/set.h"
#include "proto/base/conf.h"

/* What every command takes; first in its own struct of settings. */
struct cmd_common {
	int output;			/* enum report_form */
	char *dir;			/* of the set; NULL: one of its own,
					 * removed at the end */
	int64_t seed, policies;
	char *scale;			/* a number; see set.h */
};

/* Begin of a table of settings. */
#define CMD_COMMON \
	{ .name = "output", .type = CONF_ENUM, .def = "table", \
	    .offset = offsetof(struct cmd_common, output), \
	    .choices = cmd_forms, .help = "table or json; -o too" }, \
	{ .name = "dir", .type = CONF_TEXT, \
	    .offset = offsetof(struct cmd_common, dir), \
	    .help = "folder of the set, made if missing and kept" }, \
	{ .name = "seed", .type = CONF_INT, .min = 0, .max = INT64_MAX, \
	    .offset = offsetof(struct cmd_common, seed), .def = "1", \
	    .help = "of all that is random" }, \
	{ .name = "scale", .type = CONF_TEXT, .def = "0.01", \
	    .offset = offsetof(struct cmd_common, scale), \
	    .help = "of the set; 1: ten million records" }, \
	{ .name = "policies", .type = CONF_INT, .min = 0, .max = 100000, \
	    .offset = offsetof(struct cmd_common, policies), .def = "0", \
	    .help = "as many, instead of what the scale gives" }
extern const char *const cmd_forms[];

/* The set that the settings name; its folder, made if it has to be and said
 * on stderr.  0, or an error with why. */
int cmd_set(const struct cmd_common *c, struct set *out);
int cmd_folder(const struct cmd_common *c, const struct set *s,
    char dir[1024], struct diag *why);
/* Remove the folder when it was one of our own; "" is none. */
void cmd_folder_end(const struct cmd_common *c, const char *dir);

/* Each runs one command: argv[0] is its name.  The exit status. */
int cmd_set_main(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_null(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_fronts(int argc, char **argv);
int cmd_delta(int argc, char **argv);
int cmd_decide(int argc, char **argv);
int cmd_document(int argc, char **argv);
int cmd_fleet(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_marks(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_milter(int argc, char **argv);
int cmd_smtp(int argc, char **argv);
int cmd_stall(int argc, char **argv);

/*
 * Read the settings of a command; *status is its exit status when it has
 * nothing left to do.  False then.
 */
bool cmd_load(const struct conf_program *p, void *target, int argc,
    char **argv, int *status);
/* Say why on stderr; the exit status for it. */
int cmd_failed(const struct conf_program *p, int rc, const struct diag *why);

/* What a command has while it runs. */
struct cmd_work {
	struct report *report;
	struct diag why;
	char dir[1024];		/* for cmd_folder(); ended behind the command */
};

/*
 * A whole command that measures and reports: reads the settings into conf
 * (cleared; struct cmd_common is first in it), lets run do the work, prints the
 * report, or why run returned an error.  The exit status.
 */
int cmd_run(const struct conf_program *p, void *conf, int argc, char **argv,
    int (*run)(void *conf, struct cmd_work *w));

#endif
