/*
 * load.h - a load on a policy server, as Postfix sends it: requests of about
 * 680 bytes over connections that stay, one outstanding on each.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/set.h"
#include "bench/stat.h"
#include "proto/base/diag.h"

/* What to send. */
struct load_conf {
	const char *target;	/* see net.h; "http:HOST:PORT" asks rspamd,
				 * "each:ADDRESS" on a connection each */
	pid_t pid;		/* whose CPU to count; 0: nobody's */
	unsigned connections;
	double seconds;
	double rate;		/* requests a second, each asked when it is
				 * due and timed from then, even where no
				 * connection was free; 0: as many as go */
	unsigned hit_pct;	/* of the requests, from senders that the set
				 * blocks; no sender comes twice */
	bool directory;		/* recipients of the directory */
	const struct set *set;
	uint64_t first;		/* number of the first sender */
	struct hist *hist;	/* latencies are added to it; or NULL */
};

/* One slice of time, for a line over time. */
struct load_slice {
	uint64_t n;
	double p50_us, p99_us, max_us;	/* 0 where n is */
};

struct load_result {
	uint64_t requests;
	uint64_t refused;	/* answers other than DUNNO */
	uint64_t unlike;	/* refused without a hit, or passed with one */
	double seconds, per_second, p50_us, p99_us, max_us;
	double cpu_us;		/* of pid, a request */
	double client_cpu_us;	/* ours, a request */
};

/*
 * Run it: one thread, blocks for its seconds.  slices (or NULL) gets slices_n
 * of equal length.  0; ERR_UNREACH: nobody there, or it closed; ERR_CORRUPT:
 * an answer that is none; ERR_TIMEOUT: an answer took over 10 s.
 */
int load_run(const struct load_conf *conf, struct load_result *out,
    struct load_slice *slices, size_t slices_n, struct diag *why);

/* Write request number n into out (LOAD_REQUEST_MAX bytes); its length. */
#define LOAD_REQUEST_MAX 1200
size_t load_request(const struct load_conf *conf, uint64_t n, bool hit,
    char *out);
/* Is number n of this load a hit? */
bool load_is_hit(const struct load_conf *conf, uint64_t n);

#endif
