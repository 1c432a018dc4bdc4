/*
 * match.h - does a policy match, with what key, and which one of a type wins.
 * Between judge.c and match.c alone.
 */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "proto/policy/decide.h"
#include "proto/policy/tables_impl.h"

/* Whose keys lie together: one slot for each form of the recipient and the
 * sender, one for each header address and its form without extension. */
#define MATCH_SLOTS (WHO_HEADER + 2 * DECIDE_HEADERS_MAX)

/* Groups reached by the recipient, the envelope sender, the header Froms. */
enum { REACHED_RCPT, REACHED_SENDER, REACHED_HEADER, REACHED_SIDES };

/* What a target is held against. */
struct side {
	const struct addr *form[3];
	size_t form_n;
	size_t slot[3];		/* of the facts that count */
	size_t slots_n;
	bool internal, null;
	const char *display_name;	/* header alone */
};

struct slot {
	uint16_t entry, directory, user;	/* lists of facts */
	/* The last group asked for, its best entry (number + 1, 0: none) and
	 * who holds that: policies on one group lie together. */
	uint16_t best;
	uint64_t gid, direct;
};

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
	/* By match_begin(): the facts found of each slot, as lists of
	 * number + 1 that 0 ends; groups above found entries, a bit each. */
	struct slot slot[MATCH_SLOTS];
	uint16_t next[DECIDE_KEYS_MAX];
	bool any_entry;			/* else nothing is reached */
	bool any_user;			/* the user's list says something */
	unsigned standing;		/* of the sender and the recipient */
	uint64_t ip[2];			/* the client's halves, or 0 */
	uint64_t reached[REACHED_SIDES][MODEL_GROUPS_MAX / 64 + 1];
	bool header_internal[DECIDE_HEADERS_MAX];
	struct side rcpt;		/* in all its forms */
};

/* The slot of a key. */
size_t match_slot(uint8_t who, uint8_t index);

/* Sort the facts by slot and close the groups; before all others here. */
void match_begin(struct judging *j);

/* Could policies of this type name the question on this side? */
static inline bool
match_may_name(const struct judging *j, enum policy_type type,
    enum index_side side)
{
	return (j->t->kinds[type][side] & (side == SIDE_RCPT ?
	    j->keys->rcpt_named : j->keys->sender_named)) != 0;
}

/* Could match_best() find anything?  Most questions end here. */
static inline bool
match_may_find(const struct judging *j, enum policy_type type,
    enum identity based)
{
	return j->t->wide[type].n > 0 || j->any_entry ||
	    match_may_name(j, type, SIDE_SENDER) ||
	    match_may_name(j, type, SIDE_RCPT) ||
	    ((based & BASED_HEADER) != 0 && j->env->headers_n > 0);
}

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

/* Could p, which is based on the header, match this recipient by it, whatever
 * it will say? */
bool match_by_header(struct judging *j, const struct policy *p);

/* Is the recipient in this group (in any of its forms)? */
bool match_rcpt_in_group(struct judging *j, uint64_t gid);

/* The value of fact i as bytes. */
struct bytes match_fact(const struct judging *j, size_t i);

#endif
