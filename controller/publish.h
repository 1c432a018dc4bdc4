/*
 * publish.h - a version of the policy as nodes get it: a signed manifest, the
 * chunks it names, and the head, signed again for each beat.
 *
 * A publication never changes once made, so any thread may read it; chunks
 * that two versions have in common are held once.  The same records under
 * the same key give the same manifest, byte by byte: a controller started
 * again serves what nodes were in the middle of fetching.
 */
#ifndef CONTROLLER_PUBLISH_H
#define CONTROLLER_PUBLISH_H

#include "controller/store.h"
#include "proto/wire/keys.h"
#include "proto/wire/message.h"

struct publication;

/*
 * Cut the records in force into chunks and sign their manifest.  prev, the
 * publication before or NULL, lends the chunks that did not change.  The
 * caller holds the controller's lock and frees *out.  0; ERR_NOENT: the store
 * has no version yet; ERR_TOOBIG: more chunks than a manifest takes;
 * ERR_INTERNAL.  *out is NULL on failure.
 */
int publish(struct publication **out, struct store *s,
    const struct sign_key *publisher, const struct publication *prev,
    struct diag *why);
/* *p may be NULL. */
void publication_free(struct publication **p);

/* The head with all but issued_us; borrowed. */
const struct head *publication_head(const struct publication *p);
/* The FRAME_MANIFEST; borrowed. */
struct bytes publication_manifest(const struct publication *p);
size_t publication_chunks(const struct publication *p);

/* Append the FRAME_HEAD issued at now_us.  0 or ERR_INTERNAL. */
int publication_beat(const struct publication *p,
    const struct sign_key *publisher, int64_t now_us, struct buf *out);
/* Append FRAME_CHUNK number i.  0, ERR_NOENT: there is no such chunk. */
int publication_chunk(const struct publication *p, uint32_t i,
    struct buf *out);

#endif
