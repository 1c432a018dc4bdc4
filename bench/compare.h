/*
 * compare.h - several policy servers under the same load in rotation, and
 * how they stand to the first of them.
 */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include "bench/load.h"
#include "bench/report.h"

#define COMPARE_MAX 8

struct compare_target {
	char name[32];
	const char *address;
	pid_t pid;		/* whose CPU to count; 0: nobody's */
};

/* What was measured of one, over the rounds. */
struct compare_result {
	struct samples per_second, p50_us, p99_us, max_us, cpu_us;
	/* to the first target, in the same round */
	struct samples throughput, p99, cpu;
	uint64_t requests, refused, unlike;
	struct hist hist;	/* latencies of all rounds */
};

/*
 * Run each target (COMPARE_MAX) once a round, A B C B C A C A B: each begins
 * as often as the others.  conf's target, pid and hist are ignored, its
 * senders go on from one run to the next.  out has n rows.  0, or what
 * load_run() says.
 */
int compare_run(const struct load_conf *conf,
    const struct compare_target *target, size_t n, unsigned rounds,
    struct compare_result *out, struct diag *why);

/* A row for each target in the section; what says which load it was. */
void compare_report(struct report *r, const char *section, const char *what,
    const struct compare_target *target, const struct compare_result *res,
    size_t n);

/* Write which part of the answers of each took at most how long, as SVG.  0 or
 * ERR_IO. */
int compare_plot(const char *path, const char *what,
    const struct compare_target *target, const struct compare_result *res,
    size_t n, struct diag *why);

#endif
