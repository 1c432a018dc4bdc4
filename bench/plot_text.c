/*
 * plot_text.c - a plot as characters: one a line, a letter below for a phase.
 */
#include <stdio.h>
#include <string.h>

#include "bench/plot_impl.h"

enum { WIDTH = 80, COLUMNS = 68, ROWS = 14, MARGIN = 9 };

static const char marks[PLOT_LINES_MAX + 1] = "#.o+x*%@";

static int
column_of(const struct plot_range *r, double v)
{
	return (int)(plot_at(r, v) * (COLUMNS - 1) + 0.5);
}

static int
row_of(const struct plot_range *r, double v)
{
	return (int)((1 - plot_at(r, v)) * (ROWS - 1) + 0.5);
}

/* The first line last, so that it is over the others. */
static void
draw(const struct plot *p, const struct plot_range *rx,
    const struct plot_range *ry, char grid[ROWS][COLUMNS + 1])
{
	double most[COLUMNS];
	size_t i, k;
	int c;

	for (i = 0; i < p->rules_n; i++)
		memset(grid[row_of(ry, p->rule[i].y)], '-', COLUMNS);
	for (i = p->lines_n; i-- > 0; ) {
		for (c = 0; c < COLUMNS; c++)
			most[c] = -1;
		for (k = 0; k < p->line[i].n; k++) {
			c = column_of(rx, p->line[i].x[k]);
			if (p->line[i].y[k] > most[c])
				most[c] = p->line[i].y[k];
		}
		for (c = 0; c < COLUMNS; c++) {
			if (most[c] > 0)
				grid[row_of(ry, most[c])][c] = marks[i];
		}
	}
}

static void
put_phases(const struct plot *p, const struct plot_range *rx,
    const char *const *names, size_t names_n, FILE *out)
{
	char row[COLUMNS + 1];
	size_t i;
	int c, to;

	memset(row, ' ', COLUMNS);
	row[COLUMNS] = '\0';
	for (i = 0; i < p->bands_n; i++) {
		to = column_of(rx, p->band[i].to);
		for (c = column_of(rx, p->band[i].from); c <= to; c++)
			row[c] = (char)('A' + plot_name_of(names, names_n,
			    p->band[i].name));
	}
	fprintf(out, "%*s  %s\n", MARGIN, "", row);
}

static void
put_ticks(const struct plot_range *rx, FILE *out)
{
	struct plot_tick tick[PLOT_TICKS_MAX];
	char row[COLUMNS + 24];
	size_t n = plot_ticks(rx, tick), i;

	memset(row, ' ', sizeof(row));
	for (i = 0; i < n; i++)
		memcpy(row + column_of(rx, tick[i].v), tick[i].text,
		    strlen(tick[i].text));
	row[COLUMNS + 6] = '\0';
	fprintf(out, "%*s  %s\n", MARGIN, "", row);
}

/* One entry of the legend, on the line where it fits. */
static void
put_entry(char mark, const char *name, size_t *used, FILE *out)
{
	size_t len = strlen(name) + 4;

	if (*used == 0 || *used + len > WIDTH) {
		fprintf(out, "\n%*s", MARGIN, "");
		*used = MARGIN;
	}
	fprintf(out, "  %c %s", mark, name);
	*used += len;
}

static void
put_legend(const struct plot *p, const char *const *names, size_t names_n,
    FILE *out)
{
	size_t used = 0, i;

	for (i = 0; i < p->lines_n; i++)
		put_entry(marks[i], p->line[i].name, &used, out);
	for (i = 0; i < p->rules_n; i++)
		put_entry('-', p->rule[i].name, &used, out);
	for (i = 0; i < names_n; i++)
		put_entry((char)('A' + i), names[i], &used, out);
	fputc('\n', out);
}

void
plot_text(const struct plot *p, FILE *out)
{
	struct plot_range rx = plot_range_x(p), ry = plot_range_y(p);
	struct plot_tick tick[PLOT_TICKS_MAX];
	const char *names[PLOT_NAMES_MAX];
	size_t names_n = plot_names(p, names), n = plot_ticks(&ry, tick), i;
	char grid[ROWS][COLUMNS + 1];
	int row;

	memset(grid, ' ', sizeof(grid));
	draw(p, &rx, &ry, grid);
	fprintf(out, "\n%s\n%s\n", p->title, p->y_label);
	for (row = 0; row < ROWS; row++) {
		const char *text = "";

		for (i = 0; i < n; i++) {
			if (row_of(&ry, tick[i].v) == row)
				text = tick[i].text;
		}
		grid[row][COLUMNS] = '\0';
		fprintf(out, "%*s |%s\n", MARGIN, text, grid[row]);
	}
	if (names_n > 0)
		put_phases(p, &rx, names, names_n, out);
	put_ticks(&rx, out);
	fprintf(out, "%*s  %s", MARGIN, "", p->x_label);
	put_legend(p, names, names_n, out);
	fflush(out);
}
