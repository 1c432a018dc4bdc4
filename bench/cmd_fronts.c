/*
 * cmd_fronts.c - "fronts": a node with the standard set against the null
 * servers, all started here, over transports, connections and hits.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/child.h"
#include "bench/cmd.h"
#include "bench/compare.h"
#include "proto/base/err.h"

struct fronts_conf {
	struct cmd_common common;
	int64_t rounds;
	uint64_t ms, settle_ms;
	int cases;
	char *max_cpu;
};

enum { CASES_ALL, CASES_SHORT, CASES_SMOKE };
static const char *const cases_names[] = { "all", "short", "smoke", NULL };

static const struct front_case {
	const char *what;
	unsigned connections, hit_pct;
	bool tcp, directory;
	int until;		/* last of enum cases that has it */
} cases[] = {
	{ "unix 16, no hit", 16, 0, false, false, CASES_SMOKE },
	{ "unix 16, no hit, directory", 16, 0, false, true, CASES_SHORT },
	{ "unix 128, no hit", 128, 0, false, false, CASES_ALL },
	{ "tcp 16, no hit", 16, 0, true, false, CASES_SHORT },
	{ "tcp 128, no hit", 128, 0, true, false, CASES_ALL },
	{ "unix 16, 10 % hits", 16, 10, false, false, CASES_SHORT },
	{ "unix 128, 10 % hits", 128, 10, false, false, CASES_ALL },
	{ "unix 16, all hits", 16, 100, false, false, CASES_SHORT },
	{ "unix 128, all hits", 128, 100, false, false, CASES_ALL },
	{ "tcp 16, 10 % hits", 16, 10, true, false, CASES_ALL },
};

#define AT(m) offsetof(struct fronts_conf, m)

static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = AT(rounds), .def = "5", .help = "of each load" },
	{ .name = "time", .type = CONF_MS, .min = 100, .max = 60000,
	    .offset = AT(ms), .def = "1s", .help = "of one run" },
	{ .name = "settle", .type = CONF_MS, .min = 1, .max = 3600000,
	    .offset = AT(settle_ms), .def = "20s",
	    .help = "wait for the node to have read its set through" },
	{ .name = "cases", .type = CONF_ENUM, .offset = AT(cases),
	    .def = "all", .choices = cases_names, .help = "all, short or "
	    "smoke: the first alone" },
	{ .name = "max_cpu", .type = CONF_TEXT, .offset = AT(max_cpu),
	    .help = "fail (exit 1) when the node's CPU a request exceeds so "
	    "many times the null server's without a hit" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench fronts", .options = options,
	.summary = "Measures a node's policy front against servers that do "
	    "nothing.",
};

struct fronts {
	const struct fronts_conf *conf;
	struct set set;
	char dir[1024];
	struct child node, null[2], durable[2];	/* Unix, TCP */
	struct report *report;
	double worst_cpu;		/* ratio, without a hit */
	uint64_t unlike;
};

static void
settle(const struct fronts *f, const char *log)
{
	double begin = stat_now(), most = (double)f->conf->settle_ms / 1000;

	if (child_settle(log, most) == 0)
		fprintf(stderr, "the node has read its set through, %.0f s "
		    "waited\n", stat_now() - begin);
	else
		fprintf(stderr, "the node still reads its set through after "
		    "%.0f s: its CPU a request holds that, too\n", most);
}

static int
start(struct fronts *f, struct diag *why)
{
	char file[1100];
	int rc, tcp;

	snprintf(file, sizeof(file), "%s/node.log", f->dir);
	rc = child_node(&f->node, f->dir, file, NULL, why);
	if (rc == 0)
		settle(f, file);
	for (tcp = 0; tcp < 2 && rc == 0; tcp++) {
		rc = child_null(&f->null[tcp], f->dir, tcp, NULL, why);
		snprintf(file, sizeof(file), "%s/durable-%d", f->dir, tcp);
		if (rc == 0)
			rc = child_null(&f->durable[tcp], f->dir, tcp, file,
			    why);
	}
	return rc;
}

static void
stop(struct fronts *f)
{
	int tcp;

	for (tcp = 0; tcp < 2; tcp++) {
		child_stop(&f->null[tcp]);
		child_stop(&f->durable[tcp]);
	}
	child_stop(&f->node);
}

static void
take(struct compare_target *t, const struct child *c, bool tcp)
{
	snprintf(t->name, sizeof(t->name), "%s", c->name);
	t->address = tcp ? c->tcp_address : c->unix_address;
	t->pid = c->pid;
}

static int
run_case(struct fronts *f, const struct front_case *c, uint64_t first,
    struct diag *why)
{
	struct compare_target target[2];
	struct compare_result res[2];
	struct load_conf load = { .connections = c->connections,
	    .seconds = (double)f->conf->ms / 1000, .hit_pct = c->hit_pct,
	    .directory = c->directory, .set = &f->set, .first = first };
	double cpu;
	int rc;

	take(&target[0], c->hit_pct > 0 ? &f->durable[c->tcp] :
	    &f->null[c->tcp], c->tcp);
	take(&target[1], &f->node, c->tcp);
	rc = compare_run(&load, target, 2, (unsigned)f->conf->rounds, res,
	    why);
	if (rc < 0)
		return rc;
	compare_report(f->report, "fronts", c->what, target, res, 2);
	cpu = samples_median(&res[1].cpu);
	if (c->hit_pct == 0 && cpu > f->worst_cpu)
		f->worst_cpu = cpu;
	f->unlike += res[1].unlike;
	return 0;
}

static int
run(struct fronts *f, struct diag *why)
{
	size_t i;
	int rc;

	if ((rc = cmd_set(&f->conf->common, &f->set)) < 0 ||
	    (rc = cmd_folder(&f->conf->common, &f->set, f->dir, why)) < 0 ||
	    (rc = start(f, why)) < 0)
		return rc;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]) && rc == 0; i++) {
		if (cases[i].until >= f->conf->cases)
			rc = run_case(f, &cases[i], (uint64_t)(i + 1) << 36,
			    why);
	}
	return rc;
}

/* What is wrong beyond slow: an answer that does not fit. */
static int
judge(const struct fronts *f)
{
	double max = f->conf->max_cpu == NULL ? 0 :
	    strtod(f->conf->max_cpu, NULL);

	if (f->unlike > 0) {
		fprintf(stderr, "%s: the node answered %llu requests with "
		    "another verdict than the set says\n", program.name,
		    (unsigned long long)f->unlike);
		return 1;
	}
	if (max > 0 && f->worst_cpu > max) {
		fprintf(stderr, "%s: %.2f times the null server's CPU a "
		    "request, at most %.2f wanted\n", program.name,
		    f->worst_cpu, max);
		return 1;
	}
	return 0;
}

int
cmd_fronts(int argc, char **argv)
{
	struct fronts_conf c = { .rounds = 0 };
	struct fronts f = { .conf = &c };
	struct diag why = { "" };
	int status, rc;

	if (!cmd_load(&program, &c, argc, argv, &status))
		return status;
	f.report = report_new((enum report_form)c.common.output, "fronts");
	rc = run(&f, &why);
	stop(&f);
	if (f.dir[0] != '\0')
		cmd_folder_end(&c.common, f.dir);
	if (rc == 0)
		report_end(f.report);
	report_free(&f.report);
	status = rc < 0 ? cmd_failed(&program, rc, &why) : judge(&f);
	conf_fini(&program, &c);
	return status;
}
