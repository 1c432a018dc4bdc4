/*
 * fleet_audit.c - what nodes have seen of the audit log, held against it.
 *
 * A node remembers the highest end that a head told, and notices when a later
 * one goes back or shows another hash.  A log that went back and grew past that
 * end while the node was away it cannot tell from one that just grew: so it
 * says with each HELLO and ACK what it remembers, and the entry there is looked
 * up here.  What either finds stays until the log is adopted (or, what was
 * found here, until this program ends).
 */
#include <string.h>

#include "controller/fleet_impl.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

/* No node has seen so many more entries: it is broken, or lies. */
#define AHEAD_MAX ((uint64_t)1 << 32)

static enum audit_state
look_up(const struct fleet *f, const struct audit_mark *seen,
    const struct audit_mark *ours)
{
	uint8_t hash[AUDIT_HASH_LEN];
	struct audit_mark base;
	int rc;

	if (seen->seq == 0)
		return AUDIT_UNTOLD;
	if (seen->adopted < ours->adopted)
		return AUDIT_OK;	/* of the log before it was adopted */
	if (seen->adopted > ours->adopted || seen->seq > ours->seq)
		return AUDIT_BEHIND;
	rc = store_audit_at(f->conf.store, seen->seq, hash, NULL);
	if (rc == 0)
		return memcmp(hash, seen->hash, AUDIT_HASH_LEN) == 0 ?
		    AUDIT_OK : AUDIT_FORKED;
	store_audit_base(f->conf.store, &base);
	if (rc != ERR_NOENT)
		return AUDIT_UNTOLD;
	return seen->seq < base.seq ? AUDIT_OK : AUDIT_FORKED;
}

/* Once: after the first one most others will say the same. */
static void
report(struct fleet *f, const struct node *n, const struct audit_mark *seen,
    const struct audit_mark *ours)
{
	if (f->head.version == 0 || f->audit_said)
		return;		/* held: nobody expects anything else */
	f->audit_said = true;
	log_error("audit.rolled_back", F_S("node", n->info.id),
	    F_S("audit", audit_state_name(n->info.audit)),
	    F_U("seen", seen->seq), F_U("ends", ours->seq),
	    F_S("reason", "the node has seen entries that this audit log does "
	    "not have: if the folder was put back by hand, \"postern adopt\" "
	    "goes on with it"));
}

void
fleet_note_audit(struct fleet *f, struct node *n,
    const struct audit_mark *seen, enum audit_state told, bool is_hello)
{
	enum audit_state before = n->info.audit, found;
	struct audit_mark ours;

	store_audit_mark(f->conf.store, &ours);
	if (seen->seq > f->highest_audit && seen->seq < ours.seq + AHEAD_MAX)
		f->highest_audit = seen->seq;
	if (n->audit_adopted != ours.adopted) {
		f->audit_said = false;
		n->audit_adopted = ours.adopted;
		n->audit_found = AUDIT_UNTOLD;
	}
	/* once is enough: from then on it hears it from us */
	if (is_hello || n->audit_found == AUDIT_UNTOLD) {
		found = look_up(f, seen, &ours);
		if (found > n->audit_found)
			n->audit_found = found;
	}
	/* what was said of the log before it was adopted is over */
	n->audit_told = seen->adopted < ours.adopted && told > AUDIT_OK ?
	    AUDIT_UNTOLD : told;
	n->info.audit = n->audit_told > n->audit_found ? n->audit_told :
	    n->audit_found;
	if (n->info.audit > AUDIT_OK && n->info.audit != before)
		report(f, n, seen, &ours);
}

uint64_t
fleet_highest_audit(struct fleet *f)
{
	uint64_t v;

	pthread_mutex_lock(&f->mu);
	v = f->highest_audit;
	pthread_mutex_unlock(&f->mu);
	return v;
}
