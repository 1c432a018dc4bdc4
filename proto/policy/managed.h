/*
 * managed.h - the recipient's own list of senders (E8).  For judge.c alone.
 */
#ifndef POLICY_MANAGED_H
#define POLICY_MANAGED_H

#include "proto/policy/match.h"

/* One entry of a user's list under its order: manual before automatic,
 * address before domain, block before permit, envelope before header. */
struct managed_match {
	bool found;
	int rank;
	uint8_t flag;		/* the one that counts */
	bool header;
	const struct want_key *key;
};

/* Put the best entry that names the envelope sender, or the header Froms,
 * into best unless what stands there is better. */
void managed_best(struct judging *j, bool header, struct managed_match *best);

#endif
