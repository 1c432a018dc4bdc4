/*
 * compare.c - rotation, ratios within a round, rows.
 */
#include "bench/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plot.h"
#include "proto/base/buf.h"

/* The load generator's number of senders in one run is far below this. */
#define SENDERS_A_RUN ((uint64_t)1 << 24)

static void
add(struct compare_result *o, const struct load_result *l,
    const struct load_result *first)
{
	samples_add(&o->per_second, l->per_second);
	samples_add(&o->p50_us, l->p50_us);
	samples_add(&o->p99_us, l->p99_us);
	samples_add(&o->max_us, l->max_us);
	samples_add(&o->cpu_us, l->cpu_us);
	samples_add(&o->throughput, l->per_second / first->per_second);
	samples_add(&o->p99, l->p99_us / first->p99_us);
	samples_add(&o->cpu, first->cpu_us > 0 ? l->cpu_us / first->cpu_us :
	    0);
	o->requests += l->requests;
	o->refused += l->refused;
	o->unlike += l->unlike;
}

int
compare_run(const struct load_conf *base, const struct compare_target *target,
    size_t n, unsigned rounds, struct compare_result *out, struct diag *why)
{
	struct load_conf conf = *base;
	struct load_result l[COMPARE_MAX];
	unsigned round;
	size_t i, k;
	int rc;

	memset(out, 0, n * sizeof(*out));
	for (round = 0; round < rounds; round++) {
		for (k = 0; k < n; k++) {
			i = (round + k) % n;
			conf.target = target[i].address;
			conf.pid = target[i].pid;
			conf.hist = &out[i].hist;
			if ((rc = load_run(&conf, &l[i], NULL, 0, why)) < 0)
				return rc;
			conf.first += SENDERS_A_RUN;
		}
		for (i = 0; i < n; i++)
			add(&out[i], &l[i], &l[0]);
	}
	return 0;
}

void
compare_report(struct report *r, const char *section, const char *what,
    const struct compare_target *target, const struct compare_result *res,
    size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct compare_result *o = &res[i];
		json_t *row = json_pack("{s:s, s:s}", "load", what, "target",
		    target[i].name);

		json_object_set_new(row, "req/s", report_number(
		    samples_median(&o->per_second)));
		json_object_set_new(row, "p50 us", report_number(
		    samples_median(&o->p50_us)));
		json_object_set_new(row, "p99 us", report_number(
		    samples_median(&o->p99_us)));
		json_object_set_new(row, "max us", report_number(
		    samples_max(&o->max_us)));
		json_object_set_new(row, "cpu us", report_spread(
		    &o->cpu_us));
		json_object_set_new(row, "x req/s", report_spread(
		    &o->throughput));
		json_object_set_new(row, "x p99", report_spread(&o->p99));
		json_object_set_new(row, "x cpu", report_spread(&o->cpu));
		json_object_set_new(row, "refused", json_integer(
		    (json_int_t)o->refused));
		json_object_set_new(row, "unlike", json_integer(
		    (json_int_t)o->unlike));
		report_row(r, section, row);
	}
}

#define POINTS 100		/* of a line: to 0.99999 */

int
compare_plot(const char *path, const char *what,
    const struct compare_target *target, const struct compare_result *res,
    size_t n, struct diag *why)
{
	double *v = xcalloc((n + 1) * POINTS, sizeof(*v));
	struct plot p = { .title = "Time to an answer", .note = what,
	    .x_label = "part of the answers", .y_label = "microseconds",
	    .x_axis = PLOT_NINES, .y_axis = PLOT_LOG, .lines_n = n };
	size_t i, k, points;
	int rc;

	for (k = 0; k < POINTS; k++)
		v[k] = 1 - pow(10, -(double)k / (POINTS / 5));
	for (i = 0; i < n; i++) {
		double *y = v + (i + 1) * POINTS;

		/* no further than its number of answers tells */
		for (points = 0; points < POINTS && (1 - v[points]) *
		    (double)res[i].hist.n >= 1; points++)
			y[points] = hist_us(&res[i].hist, v[points]);
		p.line[i] = (struct plot_line){ target[i].name, v, y,
		    points };
	}
	rc = plot_svg(&p, path, why);
	free(v);
	return rc;
}
