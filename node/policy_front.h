/*
 * policy_front.h - the Postfix policy protocol as a front speaks it.
 */
#ifndef NODE_POLICY_FRONT_H
#define NODE_POLICY_FRONT_H

#include "node/front.h"
#include "node/host.h"
#include "node/policy_request.h"

/* For front_open(); arg is a struct host. */
extern const struct front_protocol policy_protocol;

struct policy_answered {
	char action[POLICY_REPLY_MAX];	/* "DUNNO", "550 5.7.1 text [id]" */
	const struct event *event;	/* to spool, or NULL; until the next
					 * question */
};

/* Answer q of this mail server under r; states other than RCPT go on. */
void policy_answer(struct decider *d, struct ruleset *r,
    const struct policy_request *q, const char *peer,
    struct policy_answered *out);

#endif
