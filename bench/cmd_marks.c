/*
 * cmd_marks.c - "marks": the reports of a run, kept by BENCH_SAVE, held
 * against what is wanted: ours, limits and peers with ratios.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/marks.h"
#include "proto/base/err.h"

struct marks_conf {
	struct cmd_common common;
	char *results;
};

#define AT(m) offsetof(struct marks_conf, m)
static const struct conf_option options[] = {
	{ .name = "output", .type = CONF_ENUM, .def = "table",
	    .offset = offsetof(struct cmd_common, output),
	    .choices = cmd_forms, .help = "table or json; -o too" },
	{ .name = "results", .type = CONF_TEXT, .offset = AT(results),
	    .help = "the file that BENCH_SAVE named in the run" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench marks", .options = options,
	.summary = "Holds the results of a run against the marks.",
};

/* Every line of the file as one array. */
static json_t *
read_runs(const char *path, struct diag *why)
{
	FILE *f = fopen(path, "r");
	json_t *all, *one;
	char *line = NULL;
	size_t cap = 0;
	json_error_t e;

	if (f == NULL) {
		diag_set(why, ERR_NOENT, "no file %s", path);
		return NULL;
	}
	all = json_array();
	while (all != NULL && getline(&line, &cap, f) > 0) {
		if ((one = json_loads(line, 0, &e)) != NULL) {
			json_array_append_new(all, one);
			continue;
		}
		diag_set(why, ERR_CORRUPT, "%s, line %zu: %s", path,
		    json_array_size(all) + 1, e.text);
		json_decref(all);
		all = NULL;
	}
	free(line);
	fclose(f);
	return all;
}

/* Does the row have these members?  See struct mark_cell. */
static bool
row_fits(const json_t *row, const char *wanted)
{
	while (*wanted != '\0') {
		size_t len = strcspn(wanted, "|"), name = strcspn(wanted,
		    "=");
		char member[64], cell[REPORT_CELL_LEN];
		const char *text = wanted + name + 1;
		size_t text_len = len - name - 1;
		bool begins = text_len > 0 && text[text_len - 1] == '*';

		snprintf(member, sizeof(member), "%.*s", (int)name, wanted);
		report_cell(json_object_get(row, member), cell);
		if (begins)
			text_len--;
		if (strncmp(cell, text, text_len) != 0 ||
		    (!begins && cell[text_len] != '\0'))
			return false;
		wanted += len + (wanted[len] == '|');
	}
	return true;
}

/* The newest row that a cell means, borrowed; NULL: it was not measured. */
static const json_t *
find_row(const json_t *runs, const struct mark_cell *c)
{
	size_t i, k;

	for (i = json_array_size(runs); i-- > 0; ) {
		const json_t *run = json_array_get(runs, i), *rows, *row;
		const char *step = json_string_value(json_object_get(run,
		    "step"));

		if (c->step != NULL && (step == NULL || strcmp(step,
		    c->step) != 0))
			continue;
		rows = json_object_get(json_object_get(run, "results"),
		    c->section);
		json_array_foreach(rows, k, row) {
			if (row_fits(row, c->row) && json_object_get(row,
			    c->cell) != NULL)
				return row;
		}
	}
	return NULL;
}

static const char *
result_of(const struct mark *m, double got)
{
	if (isnan(got))
		return "not measured";
	return (m->sense == MARK_AT_MOST ? got <= m->wanted :
	    got >= m->wanted) ? "met" : "missed";
}

static json_t *
cell_of(const json_t *row, const char *member)
{
	return row == NULL ? json_null() : json_incref(json_object_get(row,
	    member));
}

/* Ours to theirs, or ours where it counts alone; NULL: not measured. */
static json_t *
measure(const struct mark *m, const json_t *ours, const json_t *theirs)
{
	bool alone = m->alone || m->theirs.section == NULL;
	const json_t *ratio;
	double a, b;

	if (ours == NULL || (!alone && theirs == NULL))
		return NULL;
	if (alone)
		return json_incref(json_object_get(ours, m->ours.cell));
	ratio = m->ratio == NULL ? NULL : json_object_get(ours, m->ratio);
	if (ratio != NULL)
		return json_incref((json_t *)ratio);
	a = report_value(json_object_get(ours, m->ours.cell));
	b = report_value(json_object_get(theirs, m->theirs.cell));
	return report_number(m->sense == MARK_TIMES_LESS ? b / a : a / b);
}

/* One mark as a row; its result. */
static const char *
report_mark(const json_t *runs, const struct mark *m, struct report *r)
{
	const json_t *ours = find_row(runs, &m->ours);
	const json_t *theirs = m->theirs.section == NULL ? NULL :
	    find_row(runs, &m->theirs);
	json_t *got = measure(m, ours, theirs);
	const char *result = result_of(m, report_value(got));
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "%s %g", m->sense == MARK_AT_MOST ?
	    "<=" : ">=", m->wanted);
	report_row(r, "marks", json_pack("{s:s, s:o, s:o, s:o, s:s, s:s}",
	    "mark", m->text, "ours", cell_of(ours, m->ours.cell),
	    "limit or peer", cell_of(theirs, m->theirs.section == NULL ? "" :
	    m->theirs.cell), "measured", got == NULL ? json_null() : got,
	    "wanted", wanted, "result", result));
	return result;
}

static void
report_left_out(const json_t *runs, struct report *r)
{
	const json_t *run;
	size_t i;

	json_array_foreach(runs, i, run) {
		const char *what = json_string_value(json_object_get(run,
		    "left_out"));

		if (what != NULL)
			report_row(r, "left out", json_pack("{s:s, s:O}",
			    "what", what, "why", json_object_get(run,
			    "why")));
	}
}

static int
run(void *arg, struct cmd_work *w)
{
	const struct marks_conf *c = arg;
	struct report *r = w->report;
	struct diag *why = &w->why;
	static const char *const results[] = { "met", "missed",
	    "not measured" };
	size_t n[3] = { 0, 0, 0 }, i, k;
	json_t *runs;

	if (c->results == NULL)
		return diag_set(why, ERR_INVAL, "--results is needed");
	if ((runs = read_runs(c->results, why)) == NULL)
		return ERR_CORRUPT;
	for (i = 0; i < marks_n; i++) {
		const char *result = report_mark(runs, &marks[i], r);

		for (k = 0; k < 3; k++)
			n[k] += strcmp(result, results[k]) == 0;
	}
	report_left_out(runs, r);
	report_row(r, "marks in all", json_pack("{s:I, s:I, s:I}", "met",
	    (json_int_t)n[0], "missed", (json_int_t)n[1], "not measured",
	    (json_int_t)n[2]));
	report_attach(r, "runs", runs);
	return 0;
}

int
cmd_marks(int argc, char **argv)
{
	struct marks_conf c = { .results = NULL };

	return cmd_run(&program, &c, argc, argv, run);
}
