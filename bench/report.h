/*
 * report.h - what was measured: rows in sections, as a table for people or as
 * JSON with the machine, the versions, the time and the command.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <jansson.h>

enum report_form { REPORT_TABLE, REPORT_JSON };

struct report;

/* command: as it was called, for the JSON. */
struct report *report_new(enum report_form form, const char *command);
void report_free(struct report **r);

/*
 * Append a row (an object of numbers and texts; taken over) to a section.  A
 * table's columns are the members of the section's first row, which is held
 * back until the section ends, so that columns fit.
 */
void report_row(struct report *r, const char *section, json_t *row);

/* Print what is left: the last section, or the whole JSON. */
void report_end(struct report *r);

/* A number as people read it: three digits that count. */
json_t *report_number(double v);
/* "1.23 (1.10-1.41)": the middle and its spread. */
struct samples;
json_t *report_spread(const struct samples *s);

#endif
