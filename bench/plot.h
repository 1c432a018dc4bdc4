/*
 * plot.h - lines over an axis, with phases marked: as an SVG file that any
 * browser shows, or as characters for a terminal.
 */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include <stddef.h>
#include <stdio.h>

#include "proto/base/diag.h"

#define PLOT_LINES_MAX 8
#define PLOT_RULES_MAX 4

/* NINES: a part below 1, drawn so that 0.9, 0.99, 0.999 are equally far from
 * each other. */
enum plot_axis { PLOT_LINEAR, PLOT_LOG, PLOT_NINES };

struct plot_line { const char *name; const double *x, *y; size_t n; };
/* What lasted from here to there; the same name has the same colour. */
struct plot_band { const char *name; double from, to; };
/* A level worth to see: a limit, a median. */
struct plot_rule { const char *name; double y; };

/* All is borrowed.  Labels say their units. */
struct plot {
	const char *title, *note, *x_label, *y_label;
	enum plot_axis x_axis, y_axis;
	struct plot_line line[PLOT_LINES_MAX];
	size_t lines_n;
	const struct plot_band *band;
	size_t bands_n;
	struct plot_rule rule[PLOT_RULES_MAX];
	size_t rules_n;
};

/* Write it to path as SVG.  0 or ERR_IO. */
int plot_svg(const struct plot *p, const char *path, struct diag *why);
/* Print it in 80 columns: of the points that share a column the greatest
 * counts, a later line stands over an earlier one. */
void plot_text(const struct plot *p, FILE *out);

#endif
