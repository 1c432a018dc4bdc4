/*
 * milter_load.h - a load on a milter, as Postfix sends it: connections of some
 * messages each, with macros, and with what the milter asked to be spared left
 * out.
 */
#ifndef BENCH_MILTER_LOAD_H
#define BENCH_MILTER_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/set.h"
#include "proto/base/diag.h"

struct milter_load {
	const char *target;	/* see net.h */
	pid_t pid;		/* whose CPU to count; 0: nobody's */
	unsigned connections;	/* at once */
	unsigned messages;	/* of one connection, then a new one */
	unsigned recipients;	/* of one message */
	bool whole;		/* headers and end, or ABORT after RCPT */
	unsigned hit_pct;	/* of the messages, from senders that the
				 * set blocks */
	double seconds;
	const struct set *set;
	uint64_t first;		/* number of the first sender */
};

struct milter_result {
	uint64_t messages;	/* to their end, or aborted */
	uint64_t refused;	/* of them, no recipient left, or by the end */
	uint64_t unlike;	/* refused without a hit, or passed with one */
	double per_second, p50_us, p99_us;	/* of a message */
	double cpu_us;		/* of pid, a message */
	uint32_t actions, steps;	/* as the milter negotiated */
};

/* Run it: one thread, blocks for its seconds.  0; ERR_UNREACH: nobody there,
 * or it closed; ERR_CORRUPT: an answer that is none; ERR_TIMEOUT: silent for
 * 10 s. */
int milter_load_run(const struct milter_load *conf, struct milter_result *out,
    struct diag *why);

#endif
