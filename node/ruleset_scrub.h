/*
 * ruleset_scrub.h - reads a whole view and holds it against its head.
 */
#ifndef NODE_RULESET_SCRUB_H
#define NODE_RULESET_SCRUB_H

#include "node/ruleset.h"

/* Called after every record with how many there were; true: give up. */
typedef bool (*ruleset_pause_fn)(void *arg, uint64_t records);

/*
 * Read all of r with checksums, compute its digest, ask the filter for each
 * key.  0: all is as its head says, and the set is proved from now on;
 * ERR_CORRUPT, ERR_IO: it is damaged, and marked so; ERR_AGAIN: given up.
 */
int ruleset_scrub(struct ruleset *r, ruleset_pause_fn pause, void *arg,
    struct diag *why);

#endif
