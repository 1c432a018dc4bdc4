/*
 * marks.h - what is wanted of Postern, as numbers: each mark names the cell of
 * a report that it holds against a limit.
 */
#ifndef BENCH_MARKS_H
#define BENCH_MARKS_H

#include <stdbool.h>
#include <stddef.h>

/* A number in the reports of a run. */
struct mark_cell {
	const char *step;	/* BENCH_STEP of the report; NULL: any */
	const char *section;
	const char *row;	/* "member=text|member=text" of its row; a
				 * text that ends in * is a beginning */
	const char *cell;	/* its member */
};

/* TIMES_LESS: theirs to ours is at least that. */
enum mark_sense { MARK_AT_MOST, MARK_AT_LEAST, MARK_TIMES_LESS };

struct mark {
	const char *text;	/* with the unit of ours and theirs */
	struct mark_cell ours;
	struct mark_cell theirs;	/* the limit or the peer; section
					 * NULL: the mark is absolute */
	const char *ratio;	/* member of our row that has ours to theirs
				 * within rounds; NULL: of the two numbers */
	enum mark_sense sense;
	double wanted;
	bool alone;		/* theirs is shown, ours counts alone */
};

extern const struct mark marks[];
extern const size_t marks_n;

#endif
