/*
 * history.h - what a run of revisions changed, folded into one change: for
 * going back, for undoing a batch, for a diff between two versions.
 */
#ifndef POLICY_HISTORY_H
#define POLICY_HISTORY_H

#include <jansson.h>

#include "controller/policy/apply.h"

/* Each key changed, as it was before the first and after the last revision;
 * "" as value: it was not there. */
struct history { struct items first, last; };

void history_init(struct history *h);
void history_fini(struct history *h);

/*
 * Take in the next revision, oldest first, as change_json() wrote it under
 * "changes".  0, ERR_CORRUPT.
 */
int history_add(struct history *h, const json_t *revision, struct diag *why);

/* What the run changed as a whole; and the same turned round. */
void history_forward(const struct history *h, struct change *out);
void history_backward(const struct history *h, struct change *out);

/*
 * What brings force back to before the run.  Users' own entries (manager
 * "user") are left as they are unless users says otherwise.
 */
void history_back(const struct history *h, const struct items *force,
    bool users, struct change *out);

/* The first key of the run that force does not have as the run left it: it
 * was changed since.  NULL when there is none. */
const char *history_changed_since(const struct history *h,
    const struct items *force);

#endif
