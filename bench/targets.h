/*
 * targets.h - several servers on a command line.
 */
#ifndef BENCH_TARGETS_H
#define BENCH_TARGETS_H

#include "bench/compare.h"

/*
 * "a=unix:/x#12,b=127.0.0.1:25" into out (COMPARE_MAX), which borrows from
 * text; text is cut up.  How many, or ERR_INVAL.
 */
int targets_parse(char *text, struct compare_target *out, struct diag *why);

#endif
