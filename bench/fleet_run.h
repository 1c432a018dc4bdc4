/*
 * fleet_run.h - one run of a server and its clients, in a process of its own,
 * so that its memory and its processor time are the server's alone.
 */
#ifndef BENCH_FLEET_RUN_H
#define BENCH_FLEET_RUN_H

#include "bench/fleet.h"
#include "bench/set.h"

struct fleet_plan {
	enum { FLEET_PUSH, FLEET_JOIN, FLEET_RESTART } what;
	bool bare;			/* else the fleet; not for a restart */
	uint32_t nodes;
	unsigned pushes;		/* of a push */
	uint64_t bytes;			/* of a join */
	uint64_t down_ms;		/* of a restart */
	const struct set *set;		/* of a real node too, for a push; */
	const char *real_dir;		/* .. NULL: without */
};

/* Times of clients; what a plan does not measure is 0. */
struct fleet_outcome {
	double p50_ms, p99_ms, max_ms;	/* of a push; of coming back */
	double real_p50_ms, real_p99_ms, real_max_ms;
	double cpu_us;			/* the server's, a node and push */
	double idle_us;			/* .. and second with nothing to do */
	double bytes;			/* of a push, a node */
	double missed;			/* deltas that had to be left out */
	double join_s;			/* until the last one */
	double join_cpu_ms;		/* a node */
	double empty_mb, full_mb;	/* memory without and with them */
	double back_s;			/* after the start, the last one */
	double burst, handshakes;	/* most of them in one second */
	double handshakes_n;		/* in all */
	double back_cpu_ms;		/* a node */
};

/* 0; ERR_TIMEOUT: not all nodes got there; ERR_AUTH: one could not verify
 * what came; ERR_INTERNAL: the real node enforces something else. */
int fleet_run(const struct fleet_plan *plan, struct fleet_outcome *out,
    struct diag *why);

#endif
