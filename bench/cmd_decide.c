/*
 * cmd_decide.c - "decide": what a decision costs in process, way by way, on
 * one thread or several.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/stat.h"
#include "bench/ways.h"
#include "proto/base/err.h"

#define THREADS_MAX 16

struct decide_bench {
	struct cmd_common common;
	int mix, only;
	int64_t threads, rounds, decisions;
};

static const char *const mixes[] = { "all", "miss", "known", "hit", "mixed",
    "hot", NULL };

static const char *const only_names[] = { "all", "node", "naive", "exact",
    "whole", "probes", "get", NULL };

#define AT(m) offsetof(struct decide_bench, m)
static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "mix", .type = CONF_ENUM, .offset = AT(mix), .def = "all",
	    .choices = mixes, .help = "miss: no record; known: the recipient "
	    "alone; hit: a blocked sender's domain; mixed: 10 % hits; hot: "
	    "hits of the same 512 pairs again and again" },
	{ .name = "only", .type = CONF_ENUM, .offset = AT(only),
	    .def = "all", .choices = only_names,
	    .help = "one way alone, as for a profile" },
	{ .name = "threads", .type = CONF_INT, .min = 1, .max = THREADS_MAX,
	    .offset = AT(threads), .def = "1", .help = "at once" },
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = AT(rounds), .def = "5", .help = "of all ways" },
	{ .name = "decisions", .type = CONF_INT, .min = 64, .max = 1000000,
	    .offset = AT(decisions), .def = "20000",
	    .help = "of one run, at most" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench decide", .options = options,
	.summary = "Measures a decision in process beside naive LevelDB, an "
	    "exact hash and bare filter probes.",
};

struct job {
	pthread_t thread;
	struct worker *worker;
	enum way way;
	enum mix mix;
	size_t n;
	double ns;
};

static void *
run_job(void *arg)
{
	struct job *j = arg;

	j->ns = worker_run(j->worker, j->way, j->mix, j->n);
	return NULL;
}

/* All threads at once; the mean of what each found. */
static double
run_threads(struct job *job, size_t threads, enum way way, enum mix mix,
    size_t n)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < threads; i++) {
		job[i].way = way;
		job[i].mix = mix;
		job[i].n = n;
		pthread_create(&job[i].thread, NULL, run_job, &job[i]);
	}
	for (i = 0; i < threads; i++) {
		pthread_join(job[i].thread, NULL);
		sum += job[i].ns;
	}
	return sum / (double)threads;
}

static void
report_mix(struct report *r, enum mix mix, size_t threads,
    const struct samples *ns, const struct samples *ratio)
{
	int w;

	for (w = 0; w < WAYS; w++) {
		json_t *row;

		if (ns[w].n == 0)
			continue;
		row = json_pack("{s:s, s:I, s:s}", "mix",
		    mix_names[mix], "threads", (json_int_t)threads, "way",
		    way_name((enum way)w));
		json_object_set_new(row, "ns", report_spread(&ns[w]));
		if (ratio[w].n > 0)
			json_object_set_new(row, "x node",
			    report_spread(&ratio[w]));
		report_row(r, "decision", row);
	}
}

static bool
is_asked(const struct decide_bench *c, int way)
{
	return c->only == 0 || c->only == way + 1;
}

static void
run_mix(const struct decide_bench *c, struct job *job, size_t threads,
    enum mix mix, struct report *r)
{
	struct samples ns[WAYS], ratio[WAYS];
	double v[WAYS];
	int64_t round;
	int w;

	memset(ns, 0, sizeof(ns));
	memset(ratio, 0, sizeof(ratio));
	for (round = 0; round <= c->rounds; round++) {
		for (w = 0; w < WAYS; w++) {
			v[w] = 0;
			if (is_asked(c, w))
				v[w] = run_threads(job, threads, (enum way)w,
				    mix, (size_t)c->decisions);
		}
		/* the first round warms up */
		for (w = 0; w < WAYS && round > 0; w++) {
			if (!is_asked(c, w))
				continue;
			samples_add(&ns[w], v[w]);
			if (v[WAY_NODE] > 0)
				samples_add(&ratio[w], v[w] / v[WAY_NODE]);
		}
	}
	report_mix(r, mix, threads, ns, ratio);
}

static void
report_sizes(struct report *r, const struct places *p)
{
	double n = (double)set_count(&p->set);

	report_row(r, "sizes", json_pack("{s:I, s:I, s:o, s:o}", "records",
	    (json_int_t)set_count(&p->set), "policies",
	    (json_int_t)tables_policies_n(ruleset_tables(p->ruleset)),
	    "filter bytes a record", report_number((double)
	    ruleset_filter_bytes(p->ruleset) / n), "exact hash bytes a "
	    "record", report_number((double)exact_bytes(p->exact) / n)));
}

static int
run_all(const struct decide_bench *c, struct places *p, struct cmd_work *w)
{
	struct report *r = w->report;
	struct diag *why = &w->why;
	struct job job[THREADS_MAX];
	struct set set;
	int64_t i;
	int rc, mix;

	if ((rc = cmd_set(&c->common, &set)) < 0 ||
	    (rc = cmd_folder(&c->common, &set, w->dir, why)) < 0 ||
	    (rc = places_open(p, &set, w->dir, why)) < 0)
		return rc;
	for (i = 0; i < c->threads; i++)
		job[i].worker = worker_new(p, (uint64_t)(i + 1) << 34);
	report_sizes(r, p);
	for (mix = 0; mix < MIXES; mix++) {
		if (c->mix == 0 || c->mix == mix + 1)
			run_mix(c, job, (size_t)c->threads, (enum mix)mix, r);
	}
	for (i = 0; i < c->threads; i++)
		worker_free(&job[i].worker);
	return 0;
}

static int
run(void *arg, struct cmd_work *w)
{
	struct places p = { .db = NULL };
	int rc = run_all(arg, &p, w);

	places_close(&p);
	return rc;
}

int
cmd_decide(int argc, char **argv)
{
	struct decide_bench c = { .mix = 0 };

	return cmd_run(&program, &c, argc, argv, run);
}
