/*
 * fetch.h - getting one version: its manifest, the chunks that are not here
 * yet, and the set built from them.
 *
 * Chunks are files DIR/incoming/<hash in hex>, kept until a later version no
 * longer has them: after a small change only the chunk that changed is asked
 * for, and a fetch cut off goes on where it was.  They are not synced, since
 * each is held against its hash again when it is read.
 */
#ifndef NODE_FETCH_H
#define NODE_FETCH_H

#include <stdbool.h>

#include "node/identity.h"
#include "node/ruleset.h"

struct fetch;

/* A head verified under the key of cert; both frames are copied. */
int fetch_new(struct fetch **out, const char *dir,
    const struct node_identity *id, const struct head *head, struct bytes frame,
    struct diag *why);
void fetch_free(struct fetch **f);

/* The head it works for, borrowed; is its manifest here? */
const struct head *fetch_head(const struct fetch *f);
bool fetch_has_manifest(const struct fetch *f);
/* The serial of the certificate it is taken under. */
uint64_t fetch_serial(const struct fetch *f);

/* Take the manifest's frame: verified, and the very one the head names; it may
 * be of an older version, from which deltas lead to the head.  0;
 * ERR_AGAIN: rightly signed, but another, as the answer to an earlier request
 * is; ERR_AUTH, ERR_CORRUPT; ERR_CONFLICT: it disagrees with the head. */
int fetch_manifest(struct fetch *f, struct bytes frame, struct diag *why);

/* The next missing chunks to ask for, at most max; false when all are asked
 * for.  fetch_ask_again() begins anew with what is still missing. */
bool fetch_next(struct fetch *f, uint32_t max, struct chunk_req *out);
void fetch_ask_again(struct fetch *f);

/*
 * Take the payload of a FRAME_CHUNK.  0; ERR_EXISTS: it is here already;
 * ERR_CORRUPT: not what the manifest says, and its row is to be asked for
 * again; ERR_FULL, ERR_IO.
 */
int fetch_chunk(struct fetch *f, struct bytes payload, struct diag *why);
bool fetch_is_complete(const struct fetch *f);

/*
 * Build, install and open the set at the manifest's version, drop the chunks
 * that are not in it.  Blocks for as long as it takes; may run on a thread of
 * its own.  0; ERR_CONFLICT: the count; else as ruleset_open().
 */
int fetch_build(struct fetch *f, struct ruleset **out, struct diag *why);

#endif
