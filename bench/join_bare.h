/*
 * join_bare.h - what a join cannot be below: a DEALER with CURVE that takes
 * every chunk, holds it against its hash, and puts the records into LevelDB
 * as they come, sorted, in batches.
 */
#ifndef BENCH_JOIN_BARE_H
#define BENCH_JOIN_BARE_H

#include "bench/fleet.h"

struct join_bare_times {
	double s;			/* until all is on the disk */
	uint64_t records;
};

/*
 * Join as the first client of s, into a database at dir/bare, which must not
 * be there.  With the options of a node's set and a large write buffer; no
 * second table, no filter, no hash of ours.  On this thread.  0; ERR_AUTH,
 * ERR_CORRUPT: what came is wrong; ERR_TIMEOUT; or of the database.
 */
int join_bare(const struct fleet_shared *s, const char *dir,
    struct join_bare_times *out, struct diag *why);

#endif
