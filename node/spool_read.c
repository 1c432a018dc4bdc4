/*
 * spool_read.c - reads the spool for the uplink and drops what was
 * acknowledged.
 *
 * The first segment stays open from one batch to the next, and what a batch
 * read is remembered, so that its acknowledgement reads nothing.  The disk is
 * never touched under the lock, but for an acknowledgement of another place.
 * All here is the uplink's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/spool_impl.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#define RECORD_BYTES (SPOOL_HEAD_LEN + SPOOL_RECORD_MAX)

void
spool_reader_close(struct spool_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	free(r->chunk);
	r->chunk = NULL;
}

/* Delete segments all of which is acknowledged; the last one stays. */
static void
drop_read(struct spool *s)
{
	char path[PATH_LEN];

	pthread_mutex_lock(&s->lock);
	while (s->seg_n > 1 && s->read_off >= s->seg[0].size) {
		spool_segment_path(s, s->seg[0].first, path);
		s->bytes -= s->seg[0].size;
		memmove(s->seg, s->seg + 1, --s->seg_n * sizeof(*s->seg));
		s->read_off = 0;
		pthread_mutex_unlock(&s->lock);
		unlink(path);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

/* Let the reader's descriptor be that of the segment. */
static int
open_segment(struct spool *s, uint64_t first)
{
	struct spool_reader *r = &s->reader;
	char path[PATH_LEN];

	if (r->fd >= 0 && r->first == first)
		return 0;
	if (r->fd >= 0)
		close(r->fd);
	spool_segment_path(s, first, path);
	r->first = first;
	if ((r->fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0)
		return 0;
	log_error("spool.unreadable", F_S("segment", path),
	    F_S("reason", strerror(errno)));
	return ERR_IO;
}

/* Read up to len bytes at off; what of them there is in *out.  0, or ERR_IO
 * when the disk fails before the end. */
static int
read_chunk(struct spool_reader *r, uint64_t off, uint64_t len,
    struct bytes *out)
{
	ssize_t n = 1;

	r->chunk = xgrow(r->chunk, &r->chunk_cap, len, 1);
	*out = bytes_of(r->chunk, 0);
	while (out->n < len && n != 0) {
		n = pread(r->fd, r->chunk + out->n, len - out->n,
		    (off_t)(off + out->n));
		if (n < 0 && errno != EINTR)
			return ERR_IO;
		out->n += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

/* The rest of the first segment cannot be read: count it as lost and go on
 * behind it.  Locked. */
static void
skip_rest(struct spool *s)
{
	log_error("spool.damaged", F_S("dir", s->dir),
	    F_U("offset", s->read_off),
	    F_U("bytes", s->seg[0].size - s->read_off));
	s->lost += s->seg[0].n;
	s->events -= s->seg[0].n;
	s->seg[0].n = 0;
	s->read_off = s->seg[0].size;
}

/* Whole records with consecutive sequences out of the chunk; how many of its
 * bytes they take. */
static size_t
take_batch(struct spool *s, struct bytes chunk, size_t max_n,
    size_t max_bytes, struct spool_batch *out)
{
	size_t at = 0, len;
	uint64_t seq;

	while (out->n < max_n && out->data.len < max_bytes && (len =
	    spool_file_check(chunk.p + at, chunk.n - at, s->key, &seq)) > 0) {
		if (out->n == 0)
			out->first_seq = seq;
		else if (seq != out->first_seq + out->n)
			break;
		buf_put(&out->data, chunk.p + at + SPOOL_HEAD_LEN,
		    len - SPOOL_HEAD_LEN);
		if (out->data.err != 0)
			break;
		out->end[out->n++] = out->data.len;
		at += len;
	}
	return at;
}

int
spool_peek(struct spool *s, size_t max_n, size_t max_bytes,
    struct spool_batch *out)
{
	struct spool_reader *r = &s->reader;
	uint64_t first, off, left;
	struct bytes chunk;
	int rc;

	out->n = 0;
	buf_reset(&out->data);
	if (max_n > sizeof(out->end) / sizeof(out->end[0]))
		max_n = sizeof(out->end) / sizeof(out->end[0]);
	drop_read(s);
	pthread_mutex_lock(&s->lock);
	first = s->seg[0].first;
	off = s->read_off;
	left = s->seg[0].size - off;
	pthread_mutex_unlock(&s->lock);
	if (left == 0 || open_segment(s, first) < 0)
		return ERR_NOENT;
	rc = read_chunk(r, off, left < max_bytes + RECORD_BYTES ? left :
	    max_bytes + RECORD_BYTES, &chunk);
	r->off = off;
	r->next_off = off + take_batch(s, chunk, max_n, max_bytes, out);
	r->first_seq = out->first_seq;
	r->n = out->n;
	if (out->n > 0)
		return 0;
	pthread_mutex_lock(&s->lock);
	if (rc == 0)
		skip_rest(s);
	pthread_mutex_unlock(&s->lock);
	return ERR_NOENT;
}

/* Advance over acknowledged records of the first segment; locked.  True when
 * it is read to its end and there may be more behind it. */
static bool
advance(struct spool *s, uint64_t upto)
{
	struct segment *g = &s->seg[0];

	while (s->read_off < g->size) {
		uint64_t left = g->size - s->read_off, seq;
		size_t at, len;
		struct bytes in;
		int rc;

		if (open_segment(s, g->first) < 0)
			return false;
		rc = read_chunk(&s->reader, s->read_off,
		    left < 2 * RECORD_BYTES ? left : 2 * RECORD_BYTES, &in);
		for (at = 0; (len = spool_file_check(in.p + at, in.n - at,
		    s->key, &seq)) > 0 && seq <= upto; at += len) {
			g->n--;
			s->events--;
		}
		s->read_off += at;
		if (len > 0 || (at == 0 && rc < 0))
			return false;
		if (at == 0)
			skip_rest(s);
	}
	return s->seg_n > 1;
}

/* When the last batch is all that seq acknowledges: advance behind it.
 * Locked. */
static bool
advance_batch(struct spool *s, uint64_t seq)
{
	struct spool_reader *r = &s->reader;

	if (r->n == 0 || s->seg[0].first != r->first ||
	    s->read_off != r->off || seq != r->first_seq + r->n - 1)
		return false;
	s->read_off = r->next_off;
	s->seg[0].n -= r->n;
	s->events -= r->n;
	r->n = 0;
	return true;
}

void
spool_ack(struct spool *s, uint64_t seq)
{
	bool more = true;

	while (more) {
		pthread_mutex_lock(&s->lock);
		if (seq > s->acked)
			s->acked = seq;
		more = !advance_batch(s, s->acked) && advance(s, s->acked);
		pthread_mutex_unlock(&s->lock);
		drop_read(s);
	}
}
