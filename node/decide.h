/*
 * decide.h - one question of a mail server in, one answer and perhaps one
 * event out; the same for every front.
 *
 * Belongs to the loop's thread.  An inside fault never becomes a 5xx: it is
 * answered as on_error says, and a node without any policy as bootstrap says.
 */
#ifndef NODE_DECIDE_H
#define NODE_DECIDE_H

#include <stdbool.h>

#include "node/metrics.h"
#include "node/question.h"
#include "node/ruleset.h"
#include "node/sentry.h"
#include "node/stages.h"
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
	struct sentry *sentry;		/* told of each decision; or NULL */
};

struct decider;

/* m is borrowed and must outlive it. */
struct decider *decide_new(const struct decide_conf *conf,
    struct metrics *m);
void decide_free(struct decider **d);

struct answer {
	enum verdict_kind kind;
	enum reason reason;
	enum granted granted;
	bool open;			/* the headers may change it */
	enum reason told;		/* what the event tells: of a monitored
					 * policy, what it would have been */
	struct reply reply;		/* reply.continues: let it pass */
	const struct event *event;	/* to spool, or NULL; until the next
					 * question */
};

/*
 * Decide q under r (NULL: no policy yet) and fill *out.  A question asked
 * again within its transaction (same instance, sender, recipient, reason)
 * gets the id it got before and no second event.
 */
void decide(struct decider *d, struct ruleset *r, const struct question *q,
    enum stage stage, struct answer *out);

/* The answer of an overloaded node: as on_error says, without a decision. */
void decide_shed(struct decider *d, struct answer *out);

/*
 * The mail server itself refused this recipient, with this reply: the event
 * of it, until the next question.  code 0: it did not say which.
 */
const struct event *decide_refused_by_mta(struct decider *d,
    struct ruleset *r, const struct question *q, int code,
    const char *enhanced, const char *text);

/* Make e the event of the recipient of the last question. */
void decide_recipient(struct decider *d, struct event *e);

/* Which stage RCPT is for this mail server: STAGE_RCPT when one after the
 * headers follows, else STAGE_ONLY. */
enum stage decide_stage(const struct decider *d, const struct ruleset *r,
    const char *peer);
/* Does the milter front have to look at the headers? */
bool decide_wants_headers(const struct decider *d, const struct ruleset *r);
/* What to do with mixed recipients, and how refusals are enforced. */
enum mixed decide_mixed(const struct ruleset *r);
enum enforcement decide_enforcement(const struct decider *d,
    const struct ruleset *r);

/*
 * The set of policies about headers that q's recipient is under, as a number;
 * 0 without one, and for the recipient of a fault inside.
 */
uint64_t decide_header_set(struct decider *d, struct ruleset *r,
    const struct question *q);

/* The recipient of the last question passed on the policy front with this
 * answer; or the milter front has it now.  See stages.h. */
void decide_passed(struct decider *d, const struct answer *a);
enum reason decide_settle(struct decider *d);
/* May the recipient of the last question be sent to a message of its own, or
 * did it come in one that suits it?  See stages.h. */
bool decide_may_split(struct decider *d);
void decide_split_done(struct decider *d);

/* What the fronts know of each other; the decider's own. */
struct stages *decide_stages(struct decider *d);

#endif
