/*
 * publish.h - a version of the policy as a node gets it whole: a signed
 * manifest, and chunks in files under the names of their hashes.
 *
 * DIR/<hash> are chunks, DIR/MANIFEST the frame of the newest manifest, so
 * that a controller started again serves what nodes were in the middle of
 * fetching.  Chunks that two versions have in common are one file; memory is
 * that of the manifest.  A publication never changes once made, so any thread
 * may read it.  The head goes its own way: it may be of a later version, to
 * which deltas lead from here.
 */
#ifndef CONTROLLER_PUBLISH_H
#define CONTROLLER_PUBLISH_H

#include <stdatomic.h>

#include "controller/store.h"
#include "proto/wire/keys.h"
#include "proto/wire/message.h"

struct publication;

/*
 * Cut the records of v into chunks and sign their manifest; takes as long as
 * reading all of them, and ends early with ERR_TIMEOUT once *stop is set.
 * Any thread.  0; ERR_TOOBIG: more chunks than a manifest takes;
 * ERR_CORRUPT: the records do not have the head's digest; ERR_FULL, ERR_IO,
 * ERR_INTERNAL.  *out is NULL on failure.
 */
int publish(struct publication **out, struct store_view *v,
    const struct sign_key *publisher, const char *dir,
    const atomic_bool *stop, struct diag *why);
/* The one that was cut last, if it is whole and signed by pub.  0, ERR_NOENT,
 * ERR_AUTH, ERR_CORRUPT, ERR_IO. */
int publication_load(struct publication **out, const char *dir,
    const uint8_t pub[SIGN_PUBLIC_LEN], struct diag *why);
/* The same under another key; the chunks are p's.  0, ERR_INTERNAL. */
int publication_resign(struct publication **out, const struct publication *p,
    const struct sign_key *publisher, struct diag *why);
/* *p may be NULL. */
void publication_free(struct publication **p);
/* Remove the chunks that neither has; before may be NULL. */
void publication_sweep(const struct publication *p,
    const struct publication *before);

/* The hash of its manifest's frame, HASH_LEN bytes; borrowed. */
const uint8_t *publication_id(const struct publication *p);
/* The FRAME_MANIFEST; borrowed. */
struct bytes publication_manifest(const struct publication *p);
/* What the manifest says of the version; borrowed. */
const struct manifest *publication_about(const struct publication *p);
/* Append FRAME_CHUNK number i.  0; ERR_NOENT: there is no such chunk;
 * ERR_CORRUPT, ERR_IO: its file is damaged, and was removed. */
int publication_chunk(const struct publication *p, uint32_t i,
    struct buf *out);

/* Append the FRAME_HEAD of h issued at now_us.  0 or ERR_INTERNAL. */
int publish_beat(const struct head *h, const struct sign_key *publisher,
    int64_t now_us, struct buf *out);

#endif
