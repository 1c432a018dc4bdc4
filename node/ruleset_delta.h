/*
 * ruleset_delta.h - takes a set from one version to the next.
 */
#ifndef NODE_RULESET_DELTA_H
#define NODE_RULESET_DELTA_H

#include "node/ruleset.h"

/* A delta as it came, and the certificate of who signs by now. */
struct ruleset_signed {
	struct bytes frame;		/* FRAME_DELTA */
	struct bytes cert;		/* FRAME_CERT */
	const struct publisher_cert *publisher;	/* in it, verified */
	int64_t now_us;			/* wall clock; 0: kept here, and its
				 * certificate may have ended since */
};

/* Why it was not taken, in the controller's terms. */
struct ruleset_refusal {
	enum nack nack;
	uint64_t version;		/* it leads to; 0: not known */
};

/*
 * Apply it to r, the newest view of its set, and make the view of what it
 * leads to; r stays as it is.  On success all of it is on the disk.  On any
 * failure nothing is changed, *refusal says why, and the answer is
 *	ERR_EXISTS	it leads to no newer version than r's
 *	ERR_AGAIN	it follows a version that is not r's
 *	ERR_CONFLICT	another content than r's; wrong digest or count
 *	ERR_AUTH, ERR_TIMEOUT (certificate ended), ERR_VERSION, ERR_TOOBIG,
 *	ERR_CORRUPT, ERR_FULL, ERR_IO
 * Verified before it is read.  One thread at a time; blocks on the disk.
 */
int ruleset_apply(struct ruleset *r, const struct ruleset_signed *d,
    struct ruleset **out, struct ruleset_refusal *refusal, struct diag *why);

/*
 * Whom a node trusts that goes back to what is on its disk.  A certificate
 * below min_serial is revoked: who signed under it may have been a thief, and
 * what he signed is no fallback.  The version accepted last is one all the
 * same: it is in force until another replaces it.
 */
struct ruleset_trust {
	const uint8_t *root;		/* SIGN_PUBLIC_LEN bytes */
	uint64_t min_serial;		/* 0: none was revoked */
	uint64_t accepted;		/* the ratchet */
};

/* May r be gone back to? */
bool ruleset_is_trusted(const struct ruleset *r,
    const struct ruleset_trust *trust);

/*
 * Make live/ of the set in dir anew from base/ and apply the deltas that the
 * old live/ kept, as far as they can be read and verified, up to version
 * `upto` at most.  The set must not be open.  0 and *out as ruleset_open();
 * ERR_NOENT: its base is above upto; ERR_AUTH: what it would go back to was
 * signed by who is revoked, and the set is as it was; else as
 * ruleset_open().
 */
int ruleset_rewind(const char *dir, const struct ruleset_trust *trust,
    uint64_t upto, struct ruleset **out, struct diag *why);
/* Was such a rewind cut off, so that live/ may hold less than it did? */
bool ruleset_is_half_rewound(const char *dir);

#endif
