/*
 * cmd_stall.c - "document", which writes the standard set for a controller,
 * and "stall": latency over time while somebody else changes the policy.
 *
 * The changes come as a file of lines "BEGIN END NAME", times in milliseconds
 * of the wall clock, written by whoever made them; it is read at the end.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/document.h"
#include "bench/load.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#define WINDOWS_MAX 64
#define SLICES_MAX 6000
#define BAR 60			/* columns of the plot */

struct stall_conf {
	struct cmd_common common;
	char *target, *changes, *out;
	int64_t pid, connections, hit;
	uint64_t ms, slice_ms;
};

struct window { double begin_ms, end_ms; char name[48]; };

struct stall {
	const struct stall_conf *conf;
	struct set set;
	double begin_ms;		/* wall clock */
	struct load_slice *slice;
	size_t slices_n;
	struct window window[WINDOWS_MAX];
	size_t windows_n;
};

#define AT(m) offsetof(struct stall_conf, m)
static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "target", .type = CONF_TEXT, .offset = AT(target),
	    .help = "the server: unix:PATH or HOST:PORT" },
	{ .name = "pid", .type = CONF_INT, .min = 0, .max = INT32_MAX,
	    .offset = AT(pid), .def = "0", .help = "whose CPU to count" },
	{ .name = "connections", .type = CONF_INT, .min = 1, .max = 10000,
	    .offset = AT(connections), .def = "16", .help = "at once" },
	{ .name = "hit", .type = CONF_INT, .min = 0, .max = 100,
	    .offset = AT(hit), .def = "0", .help = "percent of senders" },
	{ .name = "time", .type = CONF_MS, .min = 100, .max = 3600000,
	    .offset = AT(ms), .def = "20s", .help = "of the run" },
	{ .name = "slice", .type = CONF_MS, .min = 10, .max = 10000,
	    .offset = AT(slice_ms), .def = "100ms", .help = "of the plot" },
	{ .name = "changes", .type = CONF_TEXT, .offset = AT(changes),
	    .help = "file of lines BEGIN END NAME, wall clock ms" },
	{ .name = NULL }
};
static const struct conf_option document_options[] = {
	CMD_COMMON,
	{ .name = "out", .type = CONF_TEXT, .offset = AT(out),
	    .help = "folder to write to" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench stall", .options = options,
	.summary = "Latency over time under a load while the policy changes.",
};
static const struct conf_program document_program = {
	.name = "postern-bench document", .options = document_options,
	.summary = "Writes the standard set as a document and CSV files.",
};

int
cmd_document(int argc, char **argv)
{
	struct stall_conf c = { .out = NULL };
	struct diag why = { "" };
	struct set set;
	int status, rc;

	if (!cmd_load(&document_program, &c, argc, argv, &status))
		return status;
	if (c.out == NULL)
		rc = diag_set(&why, ERR_INVAL, "--out is needed");
	else if ((rc = cmd_set(&c.common, &set)) == 0)
		rc = document_write(&set, c.out, &why);
	conf_fini(&document_program, &c);
	return rc < 0 ? cmd_failed(&document_program, rc, &why) : 0;
}

static int
read_windows(struct stall *s, struct diag *why)
{
	FILE *f;

	if (s->conf->changes == NULL)
		return 0;
	if ((f = fopen(s->conf->changes, "r")) == NULL)
		return diag_set(why, ERR_NOENT, "no file %s",
		    s->conf->changes);
	while (s->windows_n < WINDOWS_MAX) {
		struct window *w = &s->window[s->windows_n];

		if (fscanf(f, "%lf %lf %47[^\n]", &w->begin_ms, &w->end_ms,
		    w->name) != 3)
			break;
		s->windows_n++;
	}
	fclose(f);
	return 0;
}

/* The change during which slice i was, or NULL: it was quiet. */
static const struct window *
window_of(const struct stall *s, size_t i)
{
	double at = s->begin_ms + (double)(i * s->conf->slice_ms);
	size_t k;

	for (k = 0; k < s->windows_n; k++) {
		if (at + (double)s->conf->slice_ms > s->window[k].begin_ms &&
		    at < s->window[k].end_ms)
			return &s->window[k];
	}
	return NULL;
}

/* The slices of one name (NULL: the quiet ones) as a row. */
static double
report_window(const struct stall *s, const char *name, double quiet,
    struct report *r)
{
	double *p99 = xcalloc(s->slices_n + 1, sizeof(*p99)), max = 0, p;
	struct samples sample = { .n = 0 };
	uint64_t requests = 0;
	size_t n = 0, i;

	for (i = 0; i < s->slices_n; i++) {
		const struct window *w = window_of(s, i);

		if ((w == NULL) != (name == NULL) ||
		    (w != NULL && strcmp(w->name, name) != 0))
			continue;
		p99[n++] = s->slice[i].p99_us;
		requests += s->slice[i].n;
		if (s->slice[i].max_us > max)
			max = s->slice[i].max_us;
	}
	/* evenly picked, when there are more than samples can hold */
	for (i = 0; i < n; i += n / SAMPLES_MAX + 1)
		samples_add(&sample, p99[i]);
	p = samples_median(&sample);
	free(p99);
	report_row(r, "stall", json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}",
	    "while", name == NULL ? "quiet" : name, "slices", (json_int_t)n,
	    "req/s", report_number(n == 0 ? 0 : (double)requests * 1000 /
	    (double)(n * s->conf->slice_ms)), "p99 us", report_spread(
	    &sample), "x quiet", report_number(quiet > 0 ? p / quiet : 1),
	    "max us", report_number(max)));
	return p;
}

static void
report_all(const struct stall *s, struct report *r)
{
	double quiet = report_window(s, NULL, 0, r);
	size_t i, k;

	for (i = 0; i < s->windows_n; i++) {
		for (k = 0; k < i; k++) {
			if (strcmp(s->window[k].name, s->window[i].name) == 0)
				break;
		}
		if (k == i)
			report_window(s, s->window[i].name, quiet, r);
	}
}

static void
plot(const struct stall *s, struct report *r)
{
	double top = 1;
	char bar[BAR + 1];
	size_t i;

	for (i = 0; i < s->slices_n; i++) {
		if (s->slice[i].max_us > top)
			top = s->slice[i].max_us;
	}
	for (i = 0; i < s->slices_n; i++) {
		const struct window *w = window_of(s, i);
		int max = (int)(s->slice[i].max_us / top * BAR);
		int p99 = (int)(s->slice[i].p99_us / top * BAR);

		memset(bar, '.', sizeof(bar));
		memset(bar, '#', (size_t)p99);
		bar[max] = '\0';
		report_row(r, "over time", json_pack("{s:I, s:o, s:o, s:s, "
		    "s:s}", "ms", (json_int_t)(i * s->conf->slice_ms),
		    "p99 us", report_number(s->slice[i].p99_us), "max us",
		    report_number(s->slice[i].max_us), "while", w == NULL ?
		    "" : w->name, "# p99, . max", bar));
	}
}

static int
run(struct stall *s, struct report *r, struct diag *why)
{
	const struct stall_conf *c = s->conf;
	struct load_conf load = { .target = c->target, .pid = (pid_t)c->pid,
	    .connections = (unsigned)c->connections, .seconds =
	    (double)c->ms / 1000, .hit_pct = (unsigned)c->hit,
	    .set = &s->set };
	struct load_result res;
	int rc;

	if (c->target == NULL || c->ms / c->slice_ms > SLICES_MAX)
		return diag_set(why, ERR_INVAL, "--target is needed, and at "
		    "most %d slices", SLICES_MAX);
	if ((rc = cmd_set(&c->common, &s->set)) < 0)
		return rc;
	s->slices_n = c->ms / c->slice_ms;
	s->slice = xcalloc(s->slices_n, sizeof(*s->slice));
	s->begin_ms = (double)clock_wall_us() / 1000;
	if ((rc = load_run(&load, &res, s->slice, s->slices_n, why)) < 0 ||
	    (rc = read_windows(s, why)) < 0)
		return rc;
	report_all(s, r);
	plot(s, r);
	report_row(r, "answers", json_pack("{s:I, s:I, s:I}", "requests",
	    (json_int_t)res.requests, "refused", (json_int_t)res.refused,
	    "unlike", (json_int_t)res.unlike));
	return 0;
}

int
cmd_stall(int argc, char **argv)
{
	struct stall_conf c = { .target = NULL };
	struct stall s = { .conf = &c };
	struct diag why = { "" };
	struct report *r;
	int status, rc;

	if (!cmd_load(&program, &c, argc, argv, &status))
		return status;
	r = report_new((enum report_form)c.common.output, "stall");
	rc = run(&s, r, &why);
	if (rc == 0)
		report_end(r);
	report_free(&r);
	free(s.slice);
	conf_fini(&program, &c);
	return rc < 0 ? cmd_failed(&program, rc, &why) : 0;
}
