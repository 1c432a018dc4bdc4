/*
 * chunk_reader.h - reads chunks from their files, ahead of who builds from
 * them, and holds each against its hash: on a thread of its own, as that takes
 * a third as long as building does.
 *
 * A chunk is the file DIR/<hash in hex>.  For one thread.
 */
#ifndef NODE_CHUNK_READER_H
#define NODE_CHUNK_READER_H

#include "proto/base/diag.h"
#include "proto/wire/message.h"

#define CHUNK_READER_AHEAD 4	/* chunks in memory */

struct chunk_reader;

/* All chunks of m from the first on; both are borrowed.  Never fails: without
 * a thread they are read one by one. */
struct chunk_reader *chunk_reader_new(const char *dir,
    const struct manifest *m);
void chunk_reader_free(struct chunk_reader **r);

/*
 * The next chunk, borrowed until the next call; not behind the last.  0;
 * ERR_CORRUPT: not what m says; ERR_NOENT, ERR_IO.  The file of one that is
 * not good is removed, so that it is fetched again.
 */
int chunk_reader_next(struct chunk_reader *r, struct bytes *chunk,
    struct diag *why);

#endif
