/*
 * retire.h - the thread that lets go of rule sets which nobody decides by any
 * more, so that the loop need not.
 *
 * The last reference to a view frees its tables and gives back LevelDB's
 * snapshot; the last view of a set closes its database, which waits for a
 * compaction, and unmaps its filter: milliseconds that no question may wait.
 */
#ifndef NODE_RETIRE_H
#define NODE_RETIRE_H

#include "node/ruleset.h"

struct retire;

/* NULL: no thread to be had; retire_put() then does it itself. */
struct retire *retire_start(void);
/* Waits until all that was put is let go of. */
void retire_stop(struct retire **t);

/* Drop one reference, soon; *r becomes NULL (and may be).  From any thread,
 * does not block. */
void retire_put(struct retire *t, struct ruleset **r);
/* How many were let go of; for tests and metrics. */
uint64_t retire_done(struct retire *t);

#endif
