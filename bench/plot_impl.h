/*
 * plot_impl.h - what plot_svg.c and plot_text.c share: where things stand on
 * an axis; nobody else.
 */
#ifndef BENCH_PLOT_IMPL_H
#define BENCH_PLOT_IMPL_H

#include "bench/plot.h"

#define PLOT_TICKS_MAX 16
#define PLOT_NAMES_MAX 8	/* of bands; more share the last colour */

/* Ends of an axis as it is drawn: after the logarithm. */
struct plot_range { enum plot_axis axis; double least, most; };

/* Of all that is to be seen in that direction. */
struct plot_range plot_range_x(const struct plot *p);
struct plot_range plot_range_y(const struct plot *p);
/* 0 to 1, cut there. */
double plot_at(const struct plot_range *r, double v);

struct plot_tick { double v; char text[24]; };
/* Values to name on the axis; how many. */
size_t plot_ticks(const struct plot_range *r,
    struct plot_tick out[PLOT_TICKS_MAX]);

/* Names of the bands, each once, in the order they come; how many. */
size_t plot_names(const struct plot *p, const char *out[PLOT_NAMES_MAX]);
/* Which of them this is. */
size_t plot_name_of(const char *const *names, size_t n, const char *name);

#endif
