/*
 * spool_impl.h - the spool in memory; for spool*.c alone.
 */
#ifndef NODE_SPOOL_IMPL_H
#define NODE_SPOOL_IMPL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/spool.h"
#include "node/spool_file.h"
#include "node/spool_lost.h"

#define PATH_LEN 1100

struct segment {
	uint64_t first;		/* its name: no sequence below is in it */
	uint64_t size;		/* durable bytes */
	uint64_t n;		/* records in it */
};

/* The uplink's: the first segment, and the last batch that was read. */
struct spool_reader {
	int fd;
	uint64_t first;			/* segment of fd and batch */
	uint8_t *chunk;
	size_t chunk_cap;
	uint64_t off, next_off;		/* where the batch stands */
	uint64_t first_seq;
	size_t n;
};

struct spool {
	char dir[1024];
	uint64_t max_bytes, segment_bytes;
	void (*on_commit)(void *);
	void *arg;
	uint8_t id[SPOOL_ID_LEN], key[SPOOL_KEY_LEN];

	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running, stop;
	struct buf waiting;		/* u32 length, payload; ... */
	_Atomic size_t waiting_len;
	uint64_t waiting_ticket;	/* of the last in it */
	_Atomic uint64_t done;
	uint64_t next_seq, lost, bytes, events;
	struct segment *seg;
	size_t seg_n, seg_cap;
	uint64_t read_off;		/* in seg[0]: first not acknowledged */
	uint64_t acked;			/* highest sequence acknowledged */

	uint64_t lost_saved;		/* what the page was last told */

	/* the loop's: not handed over yet */
	struct buf added;
	uint64_t tickets, not_added;

	/* the writer's */
	int active;			/* descriptor of the last segment */
	uint64_t in_file;		/* bytes of it: records and zeros */
	struct buf frames;
	uint64_t space, space_ms;	/* free on the disk, and when */
	struct spool_reader reader;
	struct spool_lost page;
	unsigned warned;		/* thresholds of filling passed */
	bool complained;
};

/* The file of the segment that begins at this sequence. */
void spool_segment_path(const struct spool *s, uint64_t first,
    char path[PATH_LEN]);

void spool_reader_close(struct spool_reader *r);

/* List the segments, cut off what is torn, find the next sequence, count what
 * damage took.  Before the writer starts.  0, ERR_IO. */
int spool_recover(struct spool *s, struct diag *why);

#endif
