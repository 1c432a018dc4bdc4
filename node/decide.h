/*
 * decide.h - one request of a mail server in, one action and perhaps one
 * event out.
 *
 * Belongs to the loop's thread.  An inside fault never becomes a 5xx: it is
 * answered as on_error says, and a node without any policy as bootstrap says.
 */
#ifndef NODE_DECIDE_H
#define NODE_DECIDE_H

#include <stdbool.h>

#include "node/metrics.h"
#include "node/policy_request.h"
#include "node/ruleset.h"
#include "proto/wire/event.h"

/* In the order of the settings' choices. */
enum fallback { FALLBACK_DEFER, FALLBACK_DUNNO };
enum node_enforcement { NODE_AS_POLICY, NODE_ENFORCE, NODE_SOFT,
    NODE_OBSERVE };
enum node_header { NODE_HEADER_AUTO, NODE_HEADER_YES, NODE_HEADER_NO };

struct decide_conf {
	enum fallback on_error, bootstrap;
	enum node_enforcement enforcement;
	enum node_header header_stage;
};

struct decider;

/* m is borrowed and must outlive it. */
struct decider *decide_new(const struct decide_conf *conf,
    struct metrics *m);
void decide_free(struct decider **d);

struct answer {
	char action[POLICY_REPLY_MAX];	/* "DUNNO", "550 5.7.1 text [id]" */
	const struct event *event;	/* to spool, or NULL; until the next
					 * question */
};

/*
 * Decide q under r (NULL: no policy yet) and fill *out.  A question asked
 * again within its transaction (same instance, sender, recipient, reason)
 * gets the id it got before and no second event.
 */
void decide_answer(struct decider *d, struct ruleset *r,
    const struct policy_request *q, struct answer *out);

/* The answer of an overloaded node: as on_error says, without a decision. */
void decide_shed(struct decider *d, struct answer *out);

#endif
