/*
 * ruleset_build.h - makes the set of one version in a folder of its own, from
 * records in key order.  Nothing reads it before it is complete.
 */
#ifndef NODE_RULESET_BUILD_H
#define NODE_RULESET_BUILD_H

#include "node/ruleset.h"

struct ruleset_build;

/* The frames that prove a set, exactly as they came; borrowed. */
struct ruleset_frames { struct bytes head, manifest, cert; };

/* Begin a set of about `count` records in dir, whose base/ must not exist.
 * 0, ERR_EXISTS, ERR_IO. */
int ruleset_build_begin(struct ruleset_build **out, const char *dir,
    uint64_t count, struct diag *why);

/* Add a record; keys must rise.  0; ERR_VERSION: unknown class; ERR_CORRUPT:
 * order; ERR_TOOBIG; ERR_FULL, ERR_IO. */
int ruleset_build_put(struct ruleset_build *b, struct bytes key,
    struct bytes val, struct diag *why);

/*
 * Check the count of all that was put, write the frames and the row that says
 * what is there, sync, make it a database, and save the filter.  The digest is
 * not computed here: the chunks' hashes proved each record, and the manifest
 * holds the sums.  0; ERR_CONFLICT: the count; ERR_FULL, ERR_IO.
 */
int ruleset_build_finish(struct ruleset_build *b, uint64_t count,
    const struct ruleset_frames *frames, struct diag *why);

/* Closes the database too; an unfinished folder stays for the caller. */
void ruleset_build_free(struct ruleset_build **b);

#endif
