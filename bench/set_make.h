/*
 * set_make.h - the standard set as a node's folder: an identity, whose root
 * key is thrown away, and the set as if a controller had published it.
 */
#ifndef BENCH_SET_MAKE_H
#define BENCH_SET_MAKE_H

#include "bench/set.h"
#include "node/ruleset.h"
#include "proto/base/diag.h"

/* Seconds that the steps took; 0 when the folder was there. */
struct set_times {
	double generate;	/* the records alone, once through */
	double publish;		/* again, and chunks, hashes, digest, files */
	double build;		/* of the files: database and filter, as a node
				 * that has fetched them makes them */
};

/*
 * Make sure that dir is a node's folder with this set as version 1; one that
 * is there already is kept.  The node finds no controller.  0; ERR_EXISTS:
 * another set is there; ERR_FULL, ERR_IO.
 */
int set_make(const struct set *s, const char *dir, struct set_times *times,
    struct diag *why);

/* Who signed it, to sign more: the key, the FRAME_CERT and what is in it. */
int set_publisher(const char *dir, struct sign_key **key, struct buf *frame,
    struct publisher_cert *cert, struct diag *why);

/* What set_make() keeps beside it, so that another may publish: the secret
 * key of who signed (its certificate is the identity's), head and manifest as
 * FRAME_HEAD and FRAME_MANIFEST. */
#define SET_PUBLISHER "publisher.key"
#define SET_HEAD "head.frame"
#define SET_MANIFEST "manifest.frame"

/* Make sure that dir/published holds the chunks and the manifest of the set in
 * dir, as controller/publish.h has them.  0; ERR_NOENT: it was made without
 * its keys; ERR_CORRUPT: it is another set; ERR_FULL, ERR_IO. */
int set_chunks(const struct set *s, const char *dir, struct diag *why);

/* Open the set in such a folder.  0, or what sets_open_newest() says. */
int set_open(const char *dir, struct ruleset **out, struct diag *why);

#endif
