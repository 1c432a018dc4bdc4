/*
 * sets.h - the folders of policy sets a node keeps: DIR/sets/<version>/,
 * DIR/sets/new while one is made.
 *
 * The version is that of base/; live/ in it has gone on from there by deltas.
 * A set fetched again goes beside the damaged one, as <version>.1 and so on.
 */
#ifndef NODE_SETS_H
#define NODE_SETS_H

#include <stdint.h>

#include "node/ruleset_delta.h"

/* The newest are kept, and what was replaced within a day, within limits. */
#define SETS_KEPT 3
#define SETS_KEPT_MAX 16
#define SETS_KEPT_US ((int64_t)24 * 3600 * 1000000)
#define SETS_MORE_BYTES ((uint64_t)1 << 30)	/* of those beyond SETS_KEPT */

/*
 * Open the newest set that verifies: it was in force, whoever is revoked since.
 * Of a damaged one first live/ is made anew from base/ and the deltas that it
 * kept; when that does not help, it is passed over with a log line.  A set that
 * is not the newest as it stood must be trusted.  0; ERR_NOENT: none.
 */
int sets_open_newest(const char *dir, const struct ruleset_trust *trust,
    struct ruleset **out, struct diag *why);

/*
 * Go back to version upto, or the newest below it that a kept set can give and
 * that is trusted: base/ linked again, kept deltas replayed.  Nothing may be
 * open.  0; ERR_NOENT: none that old.
 */
int sets_open_upto(const char *dir, const struct ruleset_trust *trust,
    uint64_t upto, struct ruleset **out, struct diag *why);

/* DIR/sets/new, emptied and its parents made; path needs SETS_PATH_LEN. */
#define SETS_PATH_LEN 1100
int sets_prepare(const char *dir, char path[SETS_PATH_LEN],
    struct diag *why);

/* Rename DIR/sets/new to its version, durably, beside any folder of that
 * name; path gets the new one. */
int sets_install(const char *dir, uint64_t version, char path[SETS_PATH_LEN],
    struct diag *why);

/* Make live/ of the set in path: tables of base/ hard-linked, small files
 * copied, all synced, then renamed into place. */
int sets_link_live(const char *path, struct diag *why);

/*
 * Remove sets, but for: the newest SETS_KEPT; the one in use; the one that the
 * version `good` is in, to go back to after crashes; and those that another
 * replaced less than SETS_KEPT_US before now_us, while there are at most
 * SETS_KEPT_MAX and they take at most SETS_MORE_BYTES of disk together.
 */
void sets_prune(const char *dir, const char *in_use, uint64_t good,
    int64_t now_us);

#endif
