/*
 * spool_read.c - reads the spool for the uplink and drops what was
 * acknowledged.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "node/spool_impl.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

/* Delete the first segment, all of which is acknowledged; locked. */
static void
drop_first(struct spool *s)
{
	char path[PATH_LEN];

	spool_segment_path(s, s->seg[0].first, path);
	unlink(path);
	s->bytes -= s->seg[0].size;
	memmove(s->seg, s->seg + 1, --s->seg_n * sizeof(*s->seg));
	s->read_off = 0;
}

/* The descriptor of the first segment that holds unread records, or -1;
 * *limit is where its durable part ends.  Locked. */
static int
open_first(struct spool *s, uint64_t *limit)
{
	char path[PATH_LEN];
	int fd;

	while (s->seg_n > 1 && s->read_off >= s->seg[0].size)
		drop_first(s);
	if (s->read_off >= s->seg[0].size)
		return -1;
	*limit = s->seg[0].size;
	spool_segment_path(s, s->seg[0].first, path);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		log_error("spool.unreadable", F_S("segment", path),
		    F_S("reason", strerror(errno)));
	return fd;
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

int
spool_peek(struct spool *s, size_t max_n, size_t max_bytes,
    struct spool_batch *out)
{
	uint64_t off, limit = 0, seq, next;
	int fd, rc = 0;

	out->n = 0;
	buf_reset(&out->data);
	if (max_n > sizeof(out->end) / sizeof(out->end[0]))
		max_n = sizeof(out->end) / sizeof(out->end[0]);
	pthread_mutex_lock(&s->lock);
	fd = open_first(s, &limit);
	off = s->read_off;
	pthread_mutex_unlock(&s->lock);
	if (fd < 0)
		return ERR_NOENT;
	while (out->n < max_n && out->data.len < max_bytes && (rc =
	    spool_file_get(fd, s->key, off, limit, &seq, &next,
	    &out->data)) == 0) {
		if (out->n == 0)
			out->first_seq = seq;
		else if (seq != out->first_seq + out->n)
			break;
		out->end[out->n++] = out->data.len;
		off = next;
	}
	close(fd);
	if (out->n > 0)
		return 0;
	pthread_mutex_lock(&s->lock);
	if (rc == ERR_CORRUPT)
		skip_rest(s);
	pthread_mutex_unlock(&s->lock);
	return ERR_NOENT;
}

/* Advance over acknowledged records of the first segment; locked.  True when
 * the segment is read to its end and there may be more behind it. */
static bool
advance(struct spool *s, uint64_t upto)
{
	uint64_t limit, seq, next;
	int fd = open_first(s, &limit), rc = 0;

	if (fd < 0)
		return false;
	while ((rc = spool_file_get(fd, s->key, s->read_off, limit, &seq,
	    &next, NULL)) == 0 && seq <= upto) {
		s->read_off = next;
		s->seg[0].n--;
		s->events--;
	}
	close(fd);
	if (rc == ERR_CORRUPT)
		skip_rest(s);
	return rc == ERR_NOENT && s->seg_n > 1;
}

void
spool_ack(struct spool *s, uint64_t seq)
{
	pthread_mutex_lock(&s->lock);
	if (seq > s->acked)
		s->acked = seq;
	while (advance(s, s->acked))
		;
	while (s->seg_n > 1 && s->read_off >= s->seg[0].size)
		drop_first(s);
	pthread_mutex_unlock(&s->lock);
}
