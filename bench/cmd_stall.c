/*
 * cmd_stall.c - "document", which writes the standard set for a controller,
 * and "stall": latency over time while somebody else changes the policy.
 *
 * The changes come as a file of lines "BEGIN END NAME", times in milliseconds
 * of the wall clock, written by whoever made them; it is read at the end.  With
 * --beside another server gets the same load at the same time: what it shows
 * is the machine's doing.  So each phase has both servers' p99 to their own
 * when quiet, and the other's longest answer while the node's longest was due.
 */
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/document.h"
#include "bench/load.h"
#include "bench/plot.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#define WINDOWS_MAX 64
#define SLICES_MAX 6000
#define QUARTERS 4
#define MARK_US 5000.0		/* no answer over it */

struct stall_conf {
	struct cmd_common common;
	char *target, *beside, *changes, *out, *plot;
	int64_t pid, connections, hit, rate;
	uint64_t ms, slice_ms;
};

struct window { double begin_ms, end_ms; char name[48]; };

struct stall {
	const struct stall_conf *conf;
	struct set set;
	double begin_ms;		/* wall clock */
	struct load_slice *slice, *beside;	/* slices_n of each */
	size_t slices_n;
	struct window window[WINDOWS_MAX];
	size_t windows_n;
	double quiet_us, beside_us;	/* p99 of a quiet slice of each */
};

#define AT(m) offsetof(struct stall_conf, m)
static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "target", .type = CONF_TEXT, .offset = AT(target),
	    .help = "the server: unix:PATH or HOST:PORT" },
	{ .name = "beside", .type = CONF_TEXT, .offset = AT(beside),
	    .help = "one that does nothing, for the same load at once" },
	{ .name = "rate", .type = CONF_INT, .min = 0, .max = 10000000,
	    .offset = AT(rate), .def = "0",
	    .help = "requests a second; 0: as many as go" },
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
	{ .name = "plot", .type = CONF_TEXT, .offset = AT(plot),
	    .help = "write latency over time there, as SVG" },
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

/* What one server did in the slices of one name. */
struct phase {
	size_t n;		/* slices */
	uint64_t requests;
	struct samples p99;	/* of a slice */
	double p99_us;		/* the median of them */
	double max_us;
	size_t max_at;		/* the slice that has it */
};

/* Slices from .. to - 1 of one name (NULL: the quiet ones). */
static void
collect(const struct stall *s, const struct load_slice *slice,
    const char *name, size_t from, size_t to, struct phase *ph)
{
	double *all = xcalloc(s->slices_n + 1, sizeof(*all));
	size_t i;

	memset(ph, 0, sizeof(*ph));
	for (i = from; i < to; i++) {
		const struct window *w = window_of(s, i);

		if ((w == NULL) != (name == NULL) ||
		    (w != NULL && strcmp(w->name, name) != 0))
			continue;
		all[ph->n++] = slice[i].p99_us;
		ph->requests += slice[i].n;
		if (slice[i].max_us > ph->max_us) {
			ph->max_us = slice[i].max_us;
			ph->max_at = i;
		}
	}
	/* evenly picked, when there are more than samples can hold */
	for (i = 0; i < ph->n; i += ph->n / SAMPLES_MAX + 1)
		samples_add(&ph->p99, all[i]);
	ph->p99_us = samples_median(&ph->p99);
	free(all);
}

static json_t *
ratio(double a, double b)
{
	return report_number(b > 0 ? a / b : 0);
}

/* The longest answer of the server beside in slice i and the two next to it:
 * an answer counts where it ended. */
static double
beside_then(const struct stall *s, size_t i)
{
	size_t k = i > 0 ? i - 1 : 0;
	double max = 0;

	for (; k <= i + 1 && k < s->slices_n; k++) {
		if (s->beside[k].max_us > max)
			max = s->beside[k].max_us;
	}
	return max;
}

/* One row; NULL is quiet, the first one, which the others are held against. */
static void
report_window(struct stall *s, const char *name, struct report *r)
{
	struct phase node, beside;
	json_t *row;

	collect(s, s->slice, name, 0, s->slices_n, &node);
	if (name == NULL)
		s->quiet_us = node.p99_us;
	row = json_pack("{s:s, s:I, s:o, s:o, s:o}", "while", name == NULL ?
	    "quiet" : name, "slices", (json_int_t)node.n, "req/s", ratio(
	    (double)node.requests * 1000, (double)(node.n *
	    s->conf->slice_ms)), "p99 us", report_spread(&node.p99),
	    "x quiet", ratio(node.p99_us, s->quiet_us));
	if (s->beside != NULL) {
		collect(s, s->beside, name, 0, s->slices_n, &beside);
		if (name == NULL)
			s->beside_us = beside.p99_us;
		json_object_set_new(row, "beside: p99 us",
		    report_spread(&beside.p99));
		json_object_set_new(row, "beside: x quiet",
		    ratio(beside.p99_us, s->beside_us));
		json_object_set_new(row, "x beside", ratio(node.p99_us,
		    beside.p99_us));
	}
	json_object_set_new(row, "max us", report_number(node.max_us));
	json_object_set_new(row, "at s", report_number((double)(node.max_at *
	    s->conf->slice_ms) / 1000));
	if (s->beside != NULL) {
		json_object_set_new(row, "beside then: max us",
		    report_number(beside_then(s, node.max_at)));
		json_object_set_new(row, "beside: max us",
		    report_number(beside.max_us));
	}
	report_row(r, "stall", row);
}

/* The quiet slices of each quarter of the run: as much as these differ, the
 * machine changed, and ratios to quiet hold that. */
static void
report_quiet(const struct stall *s, struct report *r)
{
	struct phase node, beside;
	size_t i;

	for (i = 0; i < QUARTERS; i++) {
		size_t from = i * s->slices_n / QUARTERS;
		size_t to = (i + 1) * s->slices_n / QUARTERS;
		json_t *row;

		collect(s, s->slice, NULL, from, to, &node);
		row = json_pack("{s:I, s:I, s:o}", "quarter",
		    (json_int_t)i + 1, "slices", (json_int_t)node.n,
		    "p99 us", report_number(node.p99_us));
		if (s->beside != NULL) {
			collect(s, s->beside, NULL, from, to, &beside);
			json_object_set_new(row, "beside: p99 us",
			    report_number(beside.p99_us));
		}
		report_row(r, "quiet over the run", row);
	}
}

static void
report_all(struct stall *s, struct report *r)
{
	size_t i, k;

	report_window(s, NULL, r);

	for (i = 0; i < s->windows_n; i++) {
		for (k = 0; k < i; k++) {
			if (strcmp(s->window[k].name, s->window[i].name) == 0)
				break;
		}
		if (k == i)
			report_window(s, s->window[i].name, r);
	}
	report_quiet(s, r);
}

static void
report_slices(const struct stall *s, struct report *r)
{
	size_t i;

	for (i = 0; i < s->slices_n; i++) {
		const struct load_slice *slice = &s->slice[i];
		const struct window *w = window_of(s, i);

		report_detail(r, "over time", json_pack("{s:I, s:I, s:o, "
		    "s:o, s:o, s:o, s:o, s:s}", "ms", (json_int_t)(i *
		    s->conf->slice_ms), "requests", (json_int_t)slice->n,
		    "p50 us", report_number(slice->p50_us), "p99 us",
		    report_number(slice->p99_us), "max us", report_number(
		    slice->max_us), "beside: p99 us", report_number(s->beside
		    == NULL ? 0 : s->beside[i].p99_us), "beside: max us",
		    report_number(s->beside == NULL ? 0 :
		    s->beside[i].max_us), "while", w == NULL ?
		    "" : w->name));
	}
}

/* x, p50, p99 and max of each slice, max of the server beside, one array
 * behind the other. */
static double *
columns(const struct stall *s)
{
	double *v = xcalloc(5 * s->slices_n, sizeof(*v));
	size_t n = s->slices_n, i;

	for (i = 0; i < n; i++) {
		v[i] = ((double)i + 0.5) * (double)s->conf->slice_ms / 1000;
		v[n + i] = s->slice[i].p50_us;
		v[2 * n + i] = s->slice[i].p99_us;
		v[3 * n + i] = s->slice[i].max_us;
		v[4 * n + i] = s->beside == NULL ? 0 : s->beside[i].max_us;
	}
	return v;
}

/* On the terminal, and as a file where one is wanted. */
static int
plot(const struct stall *s, struct diag *why)
{
	struct plot_band band[WINDOWS_MAX];
	double *v = columns(s);
	size_t n = s->slices_n, i;
	char note[128];
	struct plot p = { .title = "Latency while the policy changes",
	    .note = note, .x_label = "seconds", .y_label = "microseconds",
	    .y_axis = PLOT_LOG, .lines_n = s->beside == NULL ? 3 : 4,
	    .line = { { "p99", v, v + 2 * n, n },
	    { "longest", v, v + 3 * n, n }, { "median", v, v + n, n },
	    { "longest of null beside", v, v + 4 * n, n } },
	    .band = band, .bands_n = s->windows_n, .rules_n = 2, .rule = {
	    { "p99 when quiet", s->quiet_us }, { "mark: 5 ms", MARK_US } } };
	int rc = 0;

	for (i = 0; i < s->windows_n; i++)
		band[i] = (struct plot_band){ s->window[i].name,
		    (s->window[i].begin_ms - s->begin_ms) / 1000,
		    (s->window[i].end_ms - s->begin_ms) / 1000 };
	snprintf(note, sizeof(note), "slices of %d ms, %d connections, %llu "
	    "records, %d %% hits", (int)s->conf->slice_ms,
	    (int)s->conf->connections, (unsigned long long)set_count(&s->set),
	    (int)s->conf->hit);
	if (s->conf->common.output == REPORT_TABLE)
		plot_text(&p, stdout);
	if (s->conf->plot != NULL)
		rc = plot_svg(&p, s->conf->plot, why);
	free(v);
	return rc;
}

struct side {
	pthread_t thread;
	struct load_conf load;
	struct load_result res;
	struct load_slice *slice;
	size_t slices_n;
	struct diag why;
	int rc;
};

/*
 * A client asks when it is due and sees an answer when it comes, whatever else
 * wants the processors: else its own waits would count as the server's.  Only
 * where it asks at a rate, since it would leave the servers nothing; it takes a
 * few percent of a core then.
 */
static void
hurry(const struct load_conf *load)
{
	const struct sched_param one = { .sched_priority = 1 };

	if (load->rate > 0 && pthread_setschedparam(pthread_self(), SCHED_RR,
	    &one) != 0)
		fputs("the clients have no priority (CAP_SYS_NICE): what they "
		    "wait for a processor is in the latencies\n", stderr);
}

static void *
run_side(void *arg)
{
	struct side *a = arg;

	hurry(&a->load);
	a->rc = load_run(&a->load, &a->res, a->slice, a->slices_n, &a->why);
	return NULL;
}

/* Both loads at once, when there are two. */
static int
run_sides(struct side *node, struct side *beside, struct diag *why)
{
	if (beside->load.target != NULL)
		pthread_create(&beside->thread, NULL, run_side, beside);
	run_side(node);
	if (beside->load.target != NULL)
		pthread_join(beside->thread, NULL);
	if (node->rc == 0 && beside->rc < 0)
		*node = *beside;
	*why = node->why;
	return node->rc;
}

static int
run(struct stall *s, struct report *r, struct diag *why)
{
	const struct stall_conf *c = s->conf;
	struct side side = { .load = { .target = c->target,
	    .pid = (pid_t)c->pid, .connections = (unsigned)c->connections,
	    .seconds = (double)c->ms / 1000, .hit_pct = (unsigned)c->hit,
	    .rate = (double)c->rate, .set = &s->set } }, beside;
	int rc;

	if (c->target == NULL || c->ms / c->slice_ms > SLICES_MAX)
		return diag_set(why, ERR_INVAL, "--target is needed, and at "
		    "most %d slices", SLICES_MAX);
	if ((rc = cmd_set(&c->common, &s->set)) < 0)
		return rc;
	side.slices_n = s->slices_n = c->ms / c->slice_ms;
	side.slice = s->slice = xcalloc(s->slices_n, sizeof(*s->slice));
	beside = side;
	beside.load.target = c->beside;
	beside.load.pid = 0;
	if (c->beside != NULL)
		beside.slice = s->beside = xcalloc(s->slices_n,
		    sizeof(*s->slice));
	s->begin_ms = (double)clock_wall_us() / 1000;
	if ((rc = run_sides(&side, &beside, why)) < 0 ||
	    (rc = read_windows(s, why)) < 0)
		return rc;
	report_slices(s, r);
	report_all(s, r);
	report_row(r, "answers", json_pack("{s:I, s:I, s:I, s:o}", "requests",
	    (json_int_t)side.res.requests, "refused",
	    (json_int_t)side.res.refused, "unlike",
	    (json_int_t)side.res.unlike, "cpu us",
	    report_number(side.res.cpu_us)));
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
	if (rc == 0) {
		report_end(r);
		rc = plot(&s, &why);
	}
	report_free(&r);
	free(s.slice);
	free(s.beside);
	conf_fini(&program, &c);
	return rc < 0 ? cmd_failed(&program, rc, &why) : 0;
}
