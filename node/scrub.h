/*
 * scrub.h - reads the set in force again, all of it, at a bounded duty:
 * every record with LevelDB's checksums and its own hash, the filter's word
 * on its key, and at the end count and digest.
 *
 * A set that comes out as its head says is proved; one that does not is
 * damaged.  Either is entered in the set, and found by ruleset_is_proved()
 * and ruleset_is_damaged().
 */
#ifndef NODE_SCRUB_H
#define NODE_SCRUB_H

#include "node/ruleset.h"

struct scrub;

#define SCRUB_DUTY_SPAN 5	/* the least duty is a fifth of the most */

/* The duty in tenths of a percent, while the rest of the process uses load_pct
 * of one core (100 and above: at least a core). */
unsigned scrub_duty(unsigned most_pct, unsigned load_pct);

/*
 * Starts its thread, which works at most duty_pct of the time (1 to 100), less
 * while the node is busy, and begins anew interval_ms after it ended.  NULL
 * when there is no thread to be had.
 */
struct scrub *scrub_start(unsigned duty_pct, uint64_t interval_ms);
/* Waits for the thread, which gives up what it is doing; NULL is allowed. */
void scrub_stop(struct scrub **s);

/* This view is the newest; it takes a reference.  A set it has not seen is
 * scrubbed at once. */
void scrub_on_view(struct scrub *s, struct ruleset *r);

/* How often it came to the end of a set.  From any thread. */
uint64_t scrub_rounds(struct scrub *s);

#endif
