/*
 * report.h - what was measured: rows in sections, as a table for people or as
 * JSON with the machine, the versions, the time and the command.
 *
 * Where the environment names a file BENCH_SAVE, each report is appended to
 * it as one line of JSON too, and BENCH_STEP becomes its member "step": so a
 * run of many programs is kept whole, for "marks" to read.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <jansson.h>

enum report_form { REPORT_TABLE, REPORT_JSON };

struct report;

/* name: of the command.  How it was called is in the JSON, too. */
struct report *report_new(enum report_form form, const char *name);
void report_free(struct report **r);

/*
 * Append a row (an object of numbers and texts; taken over) to a section.  A
 * table's columns are the members of the section's first row, which is held
 * back until the section ends, so that columns fit.
 */
void report_row(struct report *r, const char *section, json_t *row);

/* The same for rows that are in the JSON alone: too many for a table. */
void report_detail(struct report *r, const char *section, json_t *row);

/* Put this (taken over) beside the results, in the JSON alone. */
void report_attach(struct report *r, const char *name, json_t *value);

/* Print what is left: the last section, or the whole JSON; save it. */
void report_end(struct report *r);

/* A number as people read it: three digits that count. */
json_t *report_number(double v);
/* The middle and its spread: {"median", "least", "greatest"}; in a table
 * "1.23 (1.10-1.41)". */
struct samples;
json_t *report_spread(const struct samples *s);
/* The number in a cell: of a spread its middle; NAN when it holds none. */
double report_value(const json_t *cell);
/* A cell as a table shows it. */
#define REPORT_CELL_LEN 96
void report_cell(const json_t *cell, char out[REPORT_CELL_LEN]);

#endif
