/*
 * cmd_policy.c - "policy", "null" and "compare": a load on servers that
 * somebody else started, and a server to start.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/compare.h"
#include "bench/null.h"
#include "bench/targets.h"
#include "proto/base/err.h"

struct policy_conf {
	struct cmd_common common;
	char *target, *targets, *listen, *durable, *plot;
	int64_t pid, connections, hit, rounds;
	uint64_t ms;
	bool directory;
};

#define AT(m) offsetof(struct policy_conf, m)
#define LOAD_OPTIONS \
	{ .name = "connections", .type = CONF_INT, .min = 1, .max = 10000, \
	    .offset = AT(connections), .def = "16", .help = "at once" }, \
	{ .name = "hit", .type = CONF_INT, .min = 0, .max = 100, \
	    .offset = AT(hit), .def = "0", \
	    .help = "percent of senders that the set blocks" }, \
	{ .name = "directory", .type = CONF_BOOL, .offset = AT(directory), \
	    .help = "recipients of the set's directory" }, \
	{ .name = "time", .type = CONF_MS, .min = 100, .max = 3600000, \
	    .offset = AT(ms), .def = "2s", .help = "of one run" }

static const struct conf_option policy_options[] = {
	CMD_COMMON, LOAD_OPTIONS,
	{ .name = "target", .type = CONF_TEXT, .offset = AT(target),
	    .help = "the server: unix:PATH or HOST:PORT" },
	{ .name = "pid", .type = CONF_INT, .min = 0, .max = INT32_MAX,
	    .offset = AT(pid), .def = "0", .help = "whose CPU to count" },
	{ .name = NULL }
};

static const struct conf_option compare_options[] = {
	CMD_COMMON, LOAD_OPTIONS,
	{ .name = "targets", .type = CONF_TEXT, .offset = AT(targets),
	    .help = "NAME=ADDRESS[#PID], several with commas; ratios are to "
	    "the first" },
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = AT(rounds), .def = "5", .help = "of all of them" },
	{ .name = "plot", .type = CONF_TEXT, .offset = AT(plot),
	    .help = "write which part of the answers took how long to "
	    "PLOT-HIT.svg" },
	{ .name = NULL }
};

static const struct conf_option null_options[] = {
	{ .name = "listen", .type = CONF_TEXT, .offset = AT(listen),
	    .help = "unix:PATH or HOST:PORT" },
	{ .name = "durable", .type = CONF_TEXT, .offset = AT(durable),
	    .help = "a file: refuse senders that begin with \"hit.\", each "
	    "once 300 bytes are synced in it" },
	{ .name = NULL }
};

static const struct conf_program policy_program = {
	.name = "postern-bench policy", .options = policy_options,
	.summary = "Puts a load on a policy server, as Postfix sends it.",
};
static const struct conf_program compare_program = {
	.name = "postern-bench compare", .options = compare_options,
	.summary = "Puts the same load on several policy servers in "
	    "rotation.",
};
static const struct conf_program null_program = {
	.name = "postern-bench null", .options = null_options,
	.summary = "A policy server that decides nothing, until it is "
	    "stopped.",
};

int
cmd_null(int argc, char **argv)
{
	struct policy_conf c = { .target = NULL };
	struct diag why = { "" };
	int status, rc = ERR_INVAL;

	if (!cmd_load(&null_program, &c, argc, argv, &status))
		return status;
	if (c.listen == NULL)
		diag_set(&why, rc, "--listen is needed");
	else
		rc = null_serve(c.listen, c.durable, &why);
	conf_fini(&null_program, &c);
	return rc < 0 ? cmd_failed(&null_program, rc, &why) : 0;
}

static void
fill(const struct policy_conf *c, const struct set *s, struct load_conf *out)
{
	*out = (struct load_conf){ .connections = (unsigned)c->connections,
	    .seconds = (double)c->ms / 1000, .hit_pct = (unsigned)c->hit,
	    .directory = c->directory, .set = s };
}

static int
run(const struct conf_program *p, struct policy_conf *c, int rounds,
    const char *command)
{
	struct compare_target target[COMPARE_MAX] = { { .pid = 0 } };
	struct compare_result res[COMPARE_MAX];
	struct diag why = { "" };
	struct load_conf load;
	struct report *r;
	struct set set;
	char what[64], path[1024];
	int n, rc;

	if ((rc = cmd_set(&c->common, &set)) < 0)
		return cmd_failed(p, rc, &why);
	fill(c, &set, &load);
	n = targets_parse(c->targets == NULL ? c->target : c->targets, target,
	    &why);
	rc = n < 0 ? n : compare_run(&load, target, (size_t)n,
	    (unsigned)rounds, res, &why);
	if (rc < 0)
		return cmd_failed(p, rc, &why);
	r = report_new((enum report_form)c->common.output, command);
	snprintf(what, sizeof(what), "%u connections, %u %% hits",
	    load.connections, load.hit_pct);
	compare_report(r, "policy servers", what, target, res, (size_t)n);
	report_end(r);
	report_free(&r);
	if (c->plot != NULL) {
		snprintf(path, sizeof(path), "%s-%d.svg", c->plot,
		    (int)c->hit);
		rc = compare_plot(path, what, target, res, (size_t)n, &why);
	}
	return rc < 0 ? cmd_failed(p, rc, &why) : 0;
}

int
cmd_policy(int argc, char **argv)
{
	struct policy_conf c = { .target = NULL };
	char one[512];
	int status;

	if (!cmd_load(&policy_program, &c, argc, argv, &status))
		return status;
	if (c.target == NULL) {
		fputs("postern-bench policy: --target is needed\n", stderr);
		return 2;
	}
	snprintf(one, sizeof(one), "server=%s#%d", c.target, (int)c.pid);
	c.targets = one;
	status = run(&policy_program, &c, 1, "policy");
	c.targets = NULL;
	conf_fini(&policy_program, &c);
	return status;
}

int
cmd_compare(int argc, char **argv)
{
	struct policy_conf c = { .target = NULL };
	int status;

	if (!cmd_load(&compare_program, &c, argc, argv, &status))
		return status;
	if (c.targets == NULL) {
		fputs("postern-bench compare: --targets is needed\n", stderr);
		return 2;
	}
	status = run(&compare_program, &c, (int)c.rounds, "compare");
	conf_fini(&compare_program, &c);
	return status;
}
