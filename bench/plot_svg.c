/*
 * plot_svg.c - a plot as SVG 1.1, text and all, with no style from elsewhere.
 *
 * Left to right: axis, lines over shaded phases, legend.  Colours are those
 * of Okabe and Ito, which people tell apart however they see colours.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench/plot_impl.h"
#include "proto/base/err.h"

enum { WIDTH = 1000, HEIGHT = 480, LEFT = 80, RIGHT = 230, TOP = 60,
    BOTTOM = 60, INNER_W = WIDTH - LEFT - RIGHT,
    INNER_H = HEIGHT - TOP - BOTTOM, LEGEND_X = WIDTH - RIGHT + 20,
    LEGEND_STEP = 20 };

static const char *const line_colours[PLOT_LINES_MAX] = { "#0072b2",
    "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
    "#999999" };
static const char *const band_colours[PLOT_NAMES_MAX] = { "#56b4e9",
    "#e69f00", "#cc79a7", "#009e73", "#f0e442", "#999999", "#d55e00",
    "#0072b2" };

/* Text that is none of ours may hold what XML reserves. */
static void
put_text(FILE *f, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '&')
			fputs("&amp;", f);
		else if (*text == '<')
			fputs("&lt;", f);
		else
			fputc(*text, f);
	}
}

/* more: attributes of the element. */
static void
put_label(FILE *f, double x, double y, const char *more, const char *text)
{
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, more);
	put_text(f, text);
	fputs("</text>\n", f);
}

static double
x_of(const struct plot_range *r, double v)
{
	return LEFT + plot_at(r, v) * INNER_W;
}

static double
y_of(const struct plot_range *r, double v)
{
	return TOP + (1 - plot_at(r, v)) * INNER_H;
}

static void
put_axes(FILE *f, const struct plot *p, const struct plot_range *rx,
    const struct plot_range *ry)
{
	struct plot_tick tick[PLOT_TICKS_MAX];
	char turned[64];
	size_t n, i;

	n = plot_ticks(ry, tick);
	for (i = 0; i < n; i++) {
		double y = y_of(ry, tick[i].v);

		fprintf(f, "<path d=\"M%d %.1fh%d\" stroke=\"#ddd\"/>\n",
		    LEFT, y, INNER_W);
		put_label(f, LEFT - 8, y + 4, "text-anchor=\"end\"",
		    tick[i].text);
	}
	n = plot_ticks(rx, tick);
	for (i = 0; i < n; i++) {
		double x = x_of(rx, tick[i].v);

		fprintf(f, "<path d=\"M%.1f %dv5\" stroke=\"#333\"/>\n", x,
		    TOP + INNER_H);
		put_label(f, x, TOP + INNER_H + 20, "text-anchor=\"middle\"",
		    tick[i].text);
	}
	fprintf(f, "<path d=\"M%d %dv%dh%d\" fill=\"none\" "
	    "stroke=\"#333\"/>\n", LEFT, TOP, INNER_H, INNER_W);
	put_label(f, LEFT + INNER_W / 2, HEIGHT - 16,
	    "text-anchor=\"middle\"", p->x_label);
	snprintf(turned, sizeof(turned), "text-anchor=\"middle\" "
	    "transform=\"rotate(-90 20 %d)\"", TOP + INNER_H / 2);
	put_label(f, 20, TOP + INNER_H / 2, turned, p->y_label);
	put_label(f, LEFT, 26, "font-size=\"17\" font-weight=\"bold\"",
	    p->title);
	if (p->note != NULL)
		put_label(f, LEFT, 46, "fill=\"#555\"", p->note);
}

static void
put_bands(FILE *f, const struct plot *p, const struct plot_range *rx,
    const char *const *names, size_t names_n)
{
	size_t i;

	for (i = 0; i < p->bands_n; i++) {
		size_t k = plot_name_of(names, names_n, p->band[i].name);
		double x = x_of(rx, p->band[i].from);

		fprintf(f, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" "
		    "height=\"%d\" fill=\"%s\" fill-opacity=\"0.35\"/>\n", x,
		    TOP, fmax(1, x_of(rx, p->band[i].to) - x), INNER_H,
		    band_colours[k % PLOT_NAMES_MAX]);
	}
}

/* A gap where nothing was measured. */
static void
put_line(FILE *f, const struct plot *p, size_t which,
    const struct plot_range *rx, const struct plot_range *ry)
{
	const struct plot_line *l = &p->line[which];
	bool pen = false;
	size_t i;

	fprintf(f, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" "
	    "stroke-linejoin=\"round\" d=\"", line_colours[which]);
	for (i = 0; i < l->n; i++) {
		if (p->y_axis == PLOT_LOG && l->y[i] <= 0) {
			pen = false;
			continue;
		}
		fprintf(f, "%c%.1f %.1f", pen ? 'L' : 'M', x_of(rx, l->x[i]),
		    y_of(ry, l->y[i]));
		pen = true;
	}
	fputs("\"/>\n", f);
}

static void
put_rules(FILE *f, const struct plot *p, const struct plot_range *ry)
{
	size_t i;

	for (i = 0; i < p->rules_n; i++) {
		double y = y_of(ry, p->rule[i].y);

		fprintf(f, "<path d=\"M%d %.1fh%d\" stroke=\"#333\" "
		    "stroke-dasharray=\"%d 4\"/>\n", LEFT, y, INNER_W,
		    i == 0 ? 6 : 2);
		put_label(f, LEFT + INNER_W + 4, y + 4, "fill=\"#333\"",
		    p->rule[i].name);
	}
}

static void
put_legend(FILE *f, const struct plot *p, const struct plot_range *ry,
    const char *const *names, size_t names_n)
{
	size_t rows = p->lines_n + names_n, i;
	int y = TOP + 10;

	/* out of the way of what the rules are called */
	for (i = 0; i < p->rules_n; i++) {
		double at = y_of(ry, p->rule[i].y);

		if (at > TOP - 20 && at < TOP + 10 + (double)rows *
		    LEGEND_STEP)
			y = (int)at + 24;
	}
	for (i = 0; i < p->lines_n; i++, y += LEGEND_STEP) {
		fprintf(f, "<path d=\"M%d %dh24\" stroke=\"%s\" "
		    "stroke-width=\"2\"/>\n", LEGEND_X, y, line_colours[i]);
		put_label(f, LEGEND_X + 32, y + 4, "", p->line[i].name);
	}
	for (i = 0; i < names_n; i++, y += LEGEND_STEP) {
		fprintf(f, "<rect x=\"%d\" y=\"%d\" width=\"24\" "
		    "height=\"12\" fill=\"%s\" fill-opacity=\"0.35\"/>\n",
		    LEGEND_X, y - 6, band_colours[i]);
		put_label(f, LEGEND_X + 32, y + 4, "", names[i]);
	}
}

int
plot_svg(const struct plot *p, const char *path, struct diag *why)
{
	struct plot_range rx = plot_range_x(p), ry = plot_range_y(p);
	const char *names[PLOT_NAMES_MAX];
	size_t names_n = plot_names(p, names), i;
	FILE *f = fopen(path, "w");

	if (f == NULL)
		return diag_set(why, err_from_errno(errno), "%s: %s", path,
		    strerror(errno));
	fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
	    "height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
	    "font-size=\"13\">\n<rect width=\"%d\" height=\"%d\" "
	    "fill=\"#fff\"/>\n", WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
	put_bands(f, p, &rx, names, names_n);
	put_axes(f, p, &rx, &ry);
	put_rules(f, p, &ry);
	for (i = p->lines_n; i-- > 0; )
		put_line(f, p, i, &rx, &ry);
	put_legend(f, p, &ry, names, names_n);
	fputs("</svg>\n", f);
	return fclose(f) == 0 ? 0 : diag_set(why, ERR_IO, "%s: %s", path,
	    strerror(errno));
}
