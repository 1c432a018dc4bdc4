/*
 * spool.h - events made durable before their verdict is sent.
 *
 * A folder of segments, each named by the sequence of its first record in 16
 * hex digits, and the files "id" and "lost".  One thread writes: everything
 * that waits goes out in one write and one fdatasync, over zeros that were
 * written before and end a segment until it is closed.  Sequences only rise; a
 * reader sends from the oldest not acknowledged record on, and a segment of
 * acknowledged records is deleted.  The last segment stays, since its name
 * keeps the sequence.  What cannot be stored is counted as lost, on the disk
 * before its ticket is done; a verdict never changes for it.
 *
 * Who puts is the loop's thread, who peeks and acknowledges the uplink's.
 */
#ifndef NODE_SPOOL_H
#define NODE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

#define SPOOL_ID_LEN 8
#define SPOOL_WAITING_MAX (32 * 1024 * 1024)	/* bytes not yet written;
						 * beyond: lost */

struct spool;

struct spool_conf {
	const char *dir;		/* made when missing */
	uint64_t max_bytes;		/* of all segments; beyond: lost */
	uint64_t segment_bytes;		/* 0: 16 MiB */
	void (*on_commit)(void *arg);	/* on the writer's thread, after each
					 * commit; or NULL */
	void *arg;
};

/*
 * Recover what stands in the folder and start the writer.  A torn tail is cut
 * off; a damaged record ends its segment, it and what follows in it are
 * counted as lost, and the sequence leaps so that none is used twice.  0,
 * ERR_IO, ERR_FULL.
 */
int spool_open(struct spool **out, const struct spool_conf *conf,
    struct diag *why);

/* Writes what waits, stops the thread, frees. */
void spool_close(struct spool **s);

/*
 * Hand over one event (copied).  Returns its ticket, from 1 and rising; 0
 * when there was no room and it is lost.  Does not block on the disk.
 * spool_add() leaves it to wait for others until spool_write(), which gives
 * them to the writer in one group, or is false when it could not without
 * waiting: call it again soon.
 */
uint64_t spool_put(struct spool *s, const void *data, size_t len);
uint64_t spool_add(struct spool *s, const void *data, size_t len);
bool spool_write(struct spool *s);

/* The highest ticket whose fate is decided: durable, or lost. */
uint64_t spool_done(struct spool *s);

/* SPOOL_ID_LEN random bytes made with the folder, borrowed. */
const uint8_t *spool_id(const struct spool *s);

/* Durable events not yet acknowledged; events lost since the folder was made;
 * bytes of all segments. */
uint64_t spool_events(struct spool *s);
uint64_t spool_lost(struct spool *s);
uint64_t spool_bytes(struct spool *s);

/* Thousandths in use of max_bytes, or of what the disk has room for when that
 * is less.  Logged when it passes 700, 850 and 950. */
unsigned spool_fill(struct spool *s);

struct spool_batch {
	uint64_t first_seq;
	size_t n;
	struct buf data;		/* payloads, one behind the other */
	size_t end[1000];		/* where each ends in data */
};

/*
 * The oldest not acknowledged events with consecutive sequences, at most
 * max_n (and 1,000) and about max_bytes.  data must be initialised.  0, or
 * ERR_NOENT when there is none.
 */
int spool_peek(struct spool *s, size_t max_n, size_t max_bytes,
    struct spool_batch *out);

/* All up to and including seq are stored elsewhere. */
void spool_ack(struct spool *s, uint64_t seq);

#endif
