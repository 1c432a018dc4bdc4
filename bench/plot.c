/*
 * plot.c - ranges and ticks of the axes, names of the phases.
 */
#include "bench/plot_impl.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define TICKS_WANTED 6
#define NINES_MOST 5.0		/* 0.99999 */

/* Where v stands once the axis has its form. */
static double
shape(enum plot_axis axis, double v)
{
	if (axis == PLOT_LOG)
		return log10(v > 1e-9 ? v : 1e-9);
	if (axis == PLOT_NINES)
		return v >= 1 ? NINES_MOST : fmin(-log10(1 - v), NINES_MOST);
	return v;
}

static void
widen(struct plot_range *r, double v)
{
	v = shape(r->axis, v);
	r->least = fmin(r->least, v);
	r->most = fmax(r->most, v);
}

/* A little room at the ends; never empty. */
static struct plot_range
finish(struct plot_range r)
{
	if (r.least > r.most)
		r.least = r.most = 0;
	if (r.axis == PLOT_LINEAR && r.least > 0 && r.least < r.most / 2)
		r.least = 0;
	if (r.axis == PLOT_LOG) {
		r.least = floor(r.least);
		r.most = ceil(r.most * 2 + 0.01) / 2;
	}
	if (r.most - r.least < 1e-9)
		r.most = r.least + 1;
	return r;
}

struct plot_range
plot_range_x(const struct plot *p)
{
	struct plot_range r = { p->x_axis, DBL_MAX, -DBL_MAX };
	size_t i, k;

	for (i = 0; i < p->lines_n; i++) {
		for (k = 0; k < p->line[i].n; k++)
			widen(&r, p->line[i].x[k]);
	}
	return finish(r);
}

struct plot_range
plot_range_y(const struct plot *p)
{
	struct plot_range r = { p->y_axis, DBL_MAX, -DBL_MAX };
	size_t i, k;

	for (i = 0; i < p->lines_n; i++) {
		for (k = 0; k < p->line[i].n; k++) {
			/* nothing was measured there */
			if (p->y_axis != PLOT_LOG || p->line[i].y[k] > 0)
				widen(&r, p->line[i].y[k]);
		}
	}
	for (i = 0; i < p->rules_n; i++)
		widen(&r, p->rule[i].y);
	return finish(r);
}

double
plot_at(const struct plot_range *r, double v)
{
	double at = (shape(r->axis, v) - r->least) / (r->most - r->least);

	return fmax(0, fmin(1, at));
}

static size_t
add(struct plot_tick *out, size_t n, const struct plot_range *r, double v)
{
	double at = shape(r->axis, v);

	if (n == PLOT_TICKS_MAX || at < r->least - 1e-9 ||
	    at > r->most + 1e-9)
		return n;
	out[n].v = v;
	if (r->axis == PLOT_NINES)
		snprintf(out[n].text, sizeof(out[n].text), "%g %%", v * 100);
	else if (v >= 1e6)
		snprintf(out[n].text, sizeof(out[n].text), "%g M", v / 1e6);
	else
		snprintf(out[n].text, sizeof(out[n].text), "%g", v);
	return n + 1;
}

/* 1, 2 or 5 times a power of ten, so that about TICKS_WANTED fit. */
static double
step_of(double width)
{
	double raw = width / TICKS_WANTED, unit = pow(10, floor(log10(raw)));

	return raw > 5 * unit ? 10 * unit : raw > 2 * unit ? 5 * unit :
	    raw > unit ? 2 * unit : unit;
}

size_t
plot_ticks(const struct plot_range *r, struct plot_tick out[PLOT_TICKS_MAX])
{
	static const double nines[] = { 0, 0.5, 0.9, 0.99, 0.999, 0.9999,
	    0.99999 };
	bool dense = r->most - r->least < 3;
	double v, step;
	size_t n = 0, i;
	int k;

	if (r->axis == PLOT_NINES) {
		for (i = 0; i < sizeof(nines) / sizeof(nines[0]); i++)
			n = add(out, n, r, nines[i]);
	} else if (r->axis == PLOT_LOG) {
		for (k = (int)r->least; k <= (int)ceil(r->most); k++) {
			n = add(out, n, r, pow(10, k));
			if (dense) {
				n = add(out, n, r, 2 * pow(10, k));
				n = add(out, n, r, 5 * pow(10, k));
			}
		}
	} else {
		step = step_of(r->most - r->least);
		for (v = ceil(r->least / step) * step; v <= r->most + step /
		    1000 && n < PLOT_TICKS_MAX; v += step)
			n = add(out, n, r, fabs(v) < step / 1000 ? 0 : v);
	}
	return n;
}

size_t
plot_name_of(const char *const *names, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			break;
	}
	return i;
}

size_t
plot_names(const struct plot *p, const char *out[PLOT_NAMES_MAX])
{
	size_t n = 0, i;

	for (i = 0; i < p->bands_n && n < PLOT_NAMES_MAX; i++) {
		if (plot_name_of(out, n, p->band[i].name) == n)
			out[n++] = p->band[i].name;
	}
	return n;
}
