/*
 * stages.h - what the policy front and the milter front know of each other:
 * which mail servers have a stage after the headers, and which recipients
 * were let through at RCPT in the trust that it follows.
 *
 * A recipient left open is settled when the milter front sees it at RCPT:
 * from there on it hears of the headers or of the end.  One that the milter
 * front never sees has escaped the rules about headers, and is counted.
 */
#ifndef NODE_STAGES_H
#define NODE_STAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/policy/decide.h"

#define STAGES_SEEN_MS 60000	/* a mail server is remembered so long */
#define STAGES_OPEN_MS 30000	/* a recipient may stay open so long */
#define STAGES_OPEN_MAX 4096	/* beyond: the oldest counts as unresolved */

struct stages;

struct stages *stages_new(void);
void stages_free(struct stages **s);

/* The milter front talks with this mail server, headers included. */
void stages_saw(struct stages *s, const char *peer, uint64_t now_ms);
/* Has none ever talked? */
bool stages_is_empty(const struct stages *s);
/* Did it within the last minute? */
bool stages_has(const struct stages *s, const char *peer, uint64_t now_ms);

/*
 * The policy front let this recipient pass: open, the headers may still
 * change it; noted, for this reason an event was made all the same
 * (REASON_ACCEPTED: none).
 */
void stages_passed(struct stages *s, const struct envelope *e, bool open,
    enum reason noted, uint64_t now_ms);
/* The milter front has this recipient; what was noted of it. */
enum reason stages_settle(struct stages *s, const struct envelope *e);

/*
 * May this recipient be sent to a message of its own once more?  It may three
 * times within twelve hours, counted by sender and recipient.
 */
bool stages_may_split(struct stages *s, const struct envelope *e,
    uint64_t now_ms);
/* It came in a message that suits it. */
void stages_split_done(struct stages *s, const struct envelope *e);

/* Drop what stayed open too long; how many since the last call. */
uint64_t stages_unresolved(struct stages *s, uint64_t now_ms);

#endif
