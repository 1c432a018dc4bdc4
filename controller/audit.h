/*
 * audit.h - the audit log: who did what, when, from where, to what, with what
 * result.  It is kept in the store; its entry of a change is in the batch of
 * that change, so that neither exists without the other.
 *
 * Lines and chain are as in proto/wire/audit.h.  Members of a line, in this
 * order, those that are empty left out:
 *
 *	sequence, above, time_us, actor, role, peer, action, object, before,
 *	after, changes, more, reason, result
 *
 * before and after are versions of the policy, whose revision says what
 * changed.  Texts are UTF-8, cut at the sizes below.  No entry holds a
 * secret.
 */
#ifndef CONTROLLER_AUDIT_H
#define CONTROLLER_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/wire/audit.h"

#define AUDIT_NAME_MAX 64	/* bytes of actor, role, peer, action, result */
#define AUDIT_OBJECT_MAX 256
#define AUDIT_REASON_MAX 512

/* All texts are borrowed; NULL is none. */
struct audit_entry {
	const char *actor;	/* a token's name, a node's id, "expiry", .. */
	const char *role;	/* "token", "node", "local" (who may write the
				 * folder), "controller" or "unknown" */
	const char *peer;	/* address of the client */
	const char *action;	/* "group.add" */
	const char *object;	/* what it was done to */
	const char *reason;	/* as the actor gave it */
	const char *result;	/* "ok", "begun", or an error's name */
	uint64_t more;		/* like this one, without an entry */
	bool adopts;		/* the log is taken on as it is .. */
	uint64_t above;		/* .. above this sequence */

	/* the store's to fill in */
	uint64_t seq, before, after, changes;
	int64_t time_us;
};

/* Append the line of e. */
void audit_line(const struct audit_entry *e, struct buf *out);

/*
 * How many entries a stranger may cause: AUDIT_BURST at once, then one each
 * AUDIT_EACH_MS.  What goes without one is counted for the next.
 */
#define AUDIT_BURST 20
#define AUDIT_EACH_MS 30000
struct audit_limit {
	uint64_t full_ms;	/* when all of the burst is there again */
	uint64_t more;		/* refused one since the last entry */
};
/* May there be one more at now_ms (monotonic)?  *more is then what e->more
 * says; else it is counted. */
bool audit_allows(struct audit_limit *l, uint64_t now_ms, uint64_t *more);

/* --- the log in the store --- */

struct store;

/* Append one entry, alone.  0, ERR_FULL, ERR_IO. */
int store_audit(struct store *s, const struct audit_entry *e,
    struct diag *why);

/* The end of the log; where the kept entries begin: the mark before the
 * first.  Any thread. */
void store_audit_mark(struct store *s, struct audit_mark *out);
void store_audit_base(struct store *s, struct audit_mark *out);

/* The hash of the entry with this sequence, or of the base.  Any thread.  0;
 * ERR_NOENT; ERR_CORRUPT, ERR_IO. */
int store_audit_at(struct store *s, uint64_t seq,
    uint8_t hash[AUDIT_HASH_LEN], struct diag *why);

/* Each entry with a sequence up to `from`, the newest first, or (up) above
 * it, the oldest first, until fn says false. */
typedef bool (*store_audit_fn)(void *arg, uint64_t seq,
    const uint8_t hash[AUDIT_HASH_LEN], struct bytes line);
int store_audit_scan(struct store *s, uint64_t from, bool up,
    store_audit_fn fn, void *arg, struct diag *why);

/* Follow the whole chain: 0; ERR_CORRUPT: why names the first entry that does
 * not fit; ERR_IO. */
int store_audit_prove(struct store *s, struct diag *why);

/* Drop at most max of the oldest entries, those before before_us, with an
 * entry that says so.  *n is how many. */
int store_audit_cut(struct store *s, int64_t before_us, uint64_t max,
    uint64_t *n, struct diag *why);

#endif
