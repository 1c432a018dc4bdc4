/*
 * cmd_set.c - "set": makes the standard set, and says what making, opening
 * and keeping it costs, beside the plain file operations it cannot be below.
 */
#include <ftw.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/cmd.h"
#include "bench/load.h"
#include "bench/set_make.h"
#include "bench/stat.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

struct set_bench { struct cmd_common common; int64_t rounds; };

static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = offsetof(struct set_bench, rounds), .def = "5",
	    .help = "of each start" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench set", .options = options,
	.summary = "Makes the standard set as a node's folder, and measures "
	    "its size and a node's start on it.",
};

/* nftw() hands nothing on. */
static _Thread_local uint64_t tree_sum;

static int
add_size(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)path;
	(void)at;
	if (type == FTW_F)
		tree_sum += (uint64_t)st->st_blocks * 512;
	return 0;
}

static uint64_t
tree_bytes(const char *dir)
{
	tree_sum = 0;
	nftw(dir, add_size, 32, FTW_PHYS);
	return tree_sum;
}

/* From the start of the process to the first right answer. */
static int
start_once(const struct set *s, const char *dir, double *seconds, long *anon,
    struct diag *why)
{
	struct load_conf load = { .connections = 1, .seconds = 0,
	    .hit_pct = 0, .set = s, .first = 7 };
	struct load_result res;
	struct child node;
	char log[1100];
	double begin = stat_now();
	int rc;

	snprintf(log, sizeof(log), "%s/node.log", dir);
	rc = child_node(&node, dir, log, NULL, why);
	load.target = node.unix_address;
	if (rc == 0)
		rc = load_run(&load, &res, NULL, 0, why);
	*seconds = stat_now() - begin;
	*anon = stat_rss_anon_kb(node.pid);
	child_stop(&node);
	return rc < 0 ? rc : res.unlike > 0 ? diag_set(why, ERR_INTERNAL,
	    "the first answer was wrong") : 0;
}

static int
measure_start(const struct set_bench *c, const struct set *s,
    const char *dir, bool without_filter, struct report *r, struct diag *why)
{
	struct samples ms = { .n = 0 }, anon = { .n = 0 };
	char filter[1100];
	double seconds;
	int64_t i;
	long kb;
	int rc = 0;

	snprintf(filter, sizeof(filter), "%s/sets/1/filter", dir);
	for (i = 0; i < c->rounds && rc == 0; i++) {
		if (without_filter)
			unlink(filter);
		rc = start_once(s, dir, &seconds, &kb, why);
		samples_add(&ms, seconds * 1000);
		samples_add(&anon, (double)kb / 1024);
	}
	if (rc < 0)
		return rc;
	report_row(r, "start to first right answer", json_pack(
	    "{s:s, s:o, s:o}", "filter", without_filter ? "made anew" :
	    "kept", "ms", report_spread(&ms), "private memory MB",
	    report_spread(&anon)));
	return 0;
}

static int
run(void *arg, struct cmd_work *w)
{
	const struct set_bench *c = arg;
	struct report *r = w->report;
	struct diag *why = &w->why;
	char *dir = w->dir;
	struct set_times t;
	struct set set;
	char path[1100];
	double n;
	int rc;

	if ((rc = cmd_set(&c->common, &set)) < 0 ||
	    (rc = cmd_folder(&c->common, &set, dir, why)) < 0)
		return rc;
	n = (double)set_count(&set);
	/* once more beside it, with the file system warm */
	snprintf(path, sizeof(path), "%s/again", dir);
	rc = set_make(&set, path, &t, why);
	file_remove_tree(path, NULL);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/sets/1/base", dir);
	report_row(r, "set", json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}",
	    "records", (json_int_t)set_count(&set), "generate s",
	    report_number(t.generate), "publish s", report_number(t.publish),
	    "build s", report_number(t.build), "publish and build s",
	    report_number(t.publish + t.build), "disk bytes a record",
	    report_number((double)tree_bytes(path) / n)));
	if ((rc = measure_start(c, &set, dir, false, r, why)) < 0)
		return rc;
	return measure_start(c, &set, dir, true, r, why);
}

int
cmd_set_main(int argc, char **argv)
{
	struct set_bench c = { .rounds = 0 };

	return cmd_run(&program, &c, argc, argv, run);
}
