/*
 * match.h - does a policy match, with what key, and which one of a type wins.
 * Between judge.c and match.c alone.
 */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "proto/policy/decide.h"
#include "proto/policy/tables_impl.h"

/* One question under evaluation. */
struct judging {
	const struct tables *t;
	const struct envelope *env;
	const struct want *keys;
	const struct facts *f;
	int64_t now_us;
	bool with_monitored;
	bool authorized, trusted;	/* the client */
	bool sender_internal, rcpt_internal;
	uint32_t steps;			/* over DECIDE_STEPS_MAX: give up */
};

/*
 * The winner among policies of type under the identities in `based`
 * (BASED_ENVELOPE, or BASED_BOTH in pass 2).  True and *out filled when
 * there is one.  st, if not NULL, gets the candidates.
 */
bool match_best(struct judging *j, enum policy_type type,
    enum identity based, struct match *out, struct stage_trace *st);

/*
 * Could an exception of type that matches by header have a greater key than
 * w, whatever the header will say?
 */
bool match_is_open(struct judging *j, enum policy_type type,
    const struct match *w);

/* Is the recipient in this group (in any of its forms)? */
bool match_rcpt_in_group(struct judging *j, uint64_t gid);

/* The value of fact i as bytes. */
struct bytes match_fact(const struct judging *j, size_t i);

#endif
