/*
 * sentry.h - notices when a policy version makes the node crash, and then
 * holds it at an older one.
 *
 * DIR/sentry is a page in memory shared with the file: it says whether the
 * process is inside a decision or an apply, so that the next process knows
 * that the last one died there.  After three such deaths within a minute the
 * node is held: it goes back to the newest version that had been in force for
 * ten minutes, and takes nothing until the controller's head moves past what
 * it had then heard.  What the page says only chooses among verified sets.
 */
#ifndef NODE_SENTRY_H
#define NODE_SENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/diag.h"

#define SENTRY_CRASHES 3
#define SENTRY_WITHIN_US ((int64_t)60 * 1000000)
#define SENTRY_RAN_MS (10 * 60 * 1000)

struct sentry;
enum sentry_room { SENTRY_DECIDE, SENTRY_APPLY, SENTRY_BUILD,
    SENTRY_ROOMS };

/*
 * Open the page, and enter what it says of the last process, as of the wall
 * clock now_us.  A page that is missing or of another form is begun anew.
 * 0, ERR_FULL, ERR_IO.
 */
int sentry_open(struct sentry **out, const char *dir, int64_t now_us,
    struct diag *why);
void sentry_close(struct sentry **s);

/* Each room belongs to one thread; version is what is decided by.  s may be
 * NULL.  Two stores, no call. */
void sentry_enter(struct sentry *s, enum sentry_room room,
    uint64_t version);
void sentry_leave(struct sentry *s, enum sentry_room room);

/* From one thread: this version is in force, at now_ms of the monotonic
 * clock; to be said at least once a minute. */
void sentry_runs(struct sentry *s, uint64_t version, uint64_t now_ms);
/* A verified head of this version was heard; ends the hold when it is above
 * all heard before, and is then true. */
bool sentry_heard(struct sentry *s, uint64_t version);

/* Held: at most version *upto, since *bad crashed.  Both may be NULL. */
bool sentry_is_held(const struct sentry *s, uint64_t *upto, uint64_t *bad);
/* The newest version that had been in force for ten minutes; 0: none. */
uint64_t sentry_good(const struct sentry *s);

#endif
