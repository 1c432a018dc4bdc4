/*
 * ways.h - one decision, its records found in several ways: as a node does,
 * and as it could be done.
 */
#ifndef BENCH_WAYS_H
#define BENCH_WAYS_H

#include "bench/exact.h"
#include "bench/set.h"
#include "node/decide.h"
#include "node/filter.h"
#include "node/ruleset.h"
#include "proto/base/db.h"

enum way {
	WAY_NODE,	/* ruleset_fetch(): filter, then the set, checked */
	WAY_NAIVE,	/* each key asked of LevelDB */
	WAY_EXACT,	/* each key asked of a hash table in memory */
	WAY_WHOLE,	/* decide(): addresses parsed, event made */
	WAY_PROBES,	/* no decision: hash and filter probe of its keys */
	WAY_GET,	/* no decision: one LevelDB Get, of the blocked domain
			 * on a hit, else of a domain in no record */
	WAYS
};
/* As reports call it. */
const char *way_name(enum way w);

/* What the ways look into, shared by threads. */
struct places {
	struct set set;
	struct ruleset *ruleset;
	struct db *db;			/* the same records without filter */
	struct filter *filter;
	struct exact *exact;
};

/* Open what lies in a folder of set_make(), and load the rest.  0, or an
 * error with why. */
int places_open(struct places *p, const struct set *s, const char *dir,
    struct diag *why);
/* Removes the copy it made, too. */
void places_close(struct places *p);

/* Which envelopes.  HOT: hits, but always the same HOT_PAIRS pairs of sender
 * and recipient, in turn, so that all they need is in caches. */
enum mix { MIX_MISS, MIX_KNOWN, MIX_HIT, MIX_MIXED, MIX_HOT, MIXES };
#define HOT_PAIRS 512
extern const char *const mix_names[];

struct worker;
struct worker *worker_new(struct places *p, uint64_t first);
void worker_free(struct worker **w);
/*
 * Make `n` decisions in this way over fresh envelopes of this mix, in batches
 * whose envelopes are made aside; nanoseconds of one decision in the middle
 * batch.  Ends the process when a verdict is not what the mix says.
 */
double worker_run(struct worker *w, enum way way, enum mix mix, size_t n);

#endif
