/*
 * audit.h - how entries of the controller's audit log are chained, and the
 * mark of its end that each head carries.
 *
 * An entry is one line of JSON, as it is kept, shown and hashed:
 *
 *	{"sequence":12,"time_us":..}
 *	{"sequence":140,"above":131,"time_us":..}
 *
 * Sequences begin at 1 and rise by one; an entry with "above" took the log on
 * as it was (a restored controller's, by "postern adopt"): its sequence is one
 * above that number, which is not below the sequence before it.
 *
 *	hash of an entry = BLAKE2b-256("postern.audit" NUL | hash of the entry
 *	before | its line), before the first: 32 zeros
 */
#ifndef WIRE_AUDIT_H
#define WIRE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

#define AUDIT_HASH_LEN 32
#define AUDIT_LINE_MAX 8192	/* bytes of an entry */

/* The end of a log, or a place in it; all zeros: nothing is logged. */
struct audit_mark {
	uint64_t adopted;	/* sequence of the last entry with "above"; 0:
				 * there is none */
	uint64_t seq;		/* of the last entry */
	uint8_t hash[AUDIT_HASH_LEN];
};

/* How a node finds the log that it is told of. */
enum audit_state {
	AUDIT_UNTOLD,		/* it was told of none */
	AUDIT_OK,
	AUDIT_BEHIND,		/* it ends before what was seen of it */
	AUDIT_FORKED,		/* another entry where one was seen */
	AUDIT_STATE_LAST = AUDIT_FORKED
};
/* "unknown", "ok", .. */
const char *audit_state_name(enum audit_state s);

/* Adopted, sequence and hash are equal. */
bool audit_mark_same(const struct audit_mark *a, const struct audit_mark *b);

/* hash: of the entry before; becomes that of the entry with this line. */
void audit_chain(uint8_t hash[AUDIT_HASH_LEN], struct bytes line);

/*
 * The next entry behind *at: its line must begin with its sequence, that must
 * follow on, and hash must be its hash.  *at moves on to it.  0, or
 * ERR_CORRUPT: why names the entry and what is wrong, *at stays.
 */
int audit_follow(struct audit_mark *at, struct bytes line,
    const uint8_t hash[AUDIT_HASH_LEN], struct diag *why);

#endif
