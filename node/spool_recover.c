/*
 * spool_recover.c - what of the spool stands on the disk at the start.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/spool_impl.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#define LEAP (1u << 20)		/* of the sequence after a damaged record */

/*
 * Events that the damage at off takes with it, where the sequence should be
 * next: all up to the last whole one behind it.  When there is none, it may
 * be the torn tail of a write whose verdicts were never sent.
 */
static uint64_t
count_behind(struct spool *s, const uint8_t *p, uint64_t off, uint64_t limit,
    uint64_t next)
{
	uint64_t seq, last = next;

	while (off < limit) {
		uint64_t len = spool_file_check(p + off, limit - off, s->key,
		    &seq);

		if (len > 0 && seq >= last)
			last = seq + 1;
		off += len > 0 ? len : 1;
	}
	return last - next;
}

static bool
is_zero(const uint8_t *p, uint64_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* All of the file, or as much as the disk gives; *data is the caller's. */
static uint64_t
read_all(int fd, uint64_t len, uint8_t **data)
{
	uint64_t at = 0;
	ssize_t n;

	*data = xmalloc(len);
	while (at < len) {
		n = pread(fd, *data + at, len - at, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (uint64_t)n;
	}
	return at;
}

/* The count goes to its page before what it counts goes: a process that dies
 * between counts the same once more, and never not at all.  What the page does
 * not take the writer tries again. */
static void
count_lost(struct spool *s, uint64_t n)
{
	int rc;

	s->lost += n;
	if (n == 0)
		return;
	if ((rc = spool_lost_put(&s->page, s->key, s->lost)) < 0)
		log_error("spool.failed", F_S("doing", "count of lost events"),
		    F_S("reason", err_text(rc)), F_S("dir", s->dir));
	else
		s->lost_saved = s->lost;
}

/* Cut the segment where it stops making sense, and count. */
static int
cut(struct spool *s, struct segment *g, const uint8_t *p, uint64_t n,
    int fd, const char *path, struct diag *why)
{
	uint64_t lost = count_behind(s, p, g->size, n, g->first + g->n);

	log_warning("spool.cut", F_S("segment", path), F_U("kept", g->size),
	    F_U("dropped_bytes", n - g->size), F_U("events_lost", lost));
	count_lost(s, lost);
	s->next_seq += LEAP;
	return ftruncate(fd, (off_t)g->size) < 0 || fsync(fd) < 0 ?
	    diag_set(why, ERR_IO, "%s: cannot cut: %s", path,
	    strerror(errno)) : 0;
}

/* Read through one segment.  Zeros to its end are what the next records would
 * have replaced. */
static int
segment_recover(struct spool *s, struct segment *g, struct diag *why)
{
	char path[PATH_LEN];
	uint64_t n, len, seq;
	uint8_t *p = NULL;
	off_t end;
	int fd, rc = 0;

	spool_segment_path(s, g->first, path);
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0 ||
	    (end = lseek(fd, 0, SEEK_END)) < 0) {
		if (fd >= 0)
			close(fd);
		return diag_set(why, ERR_IO, "%s: %s", path,
		    strerror(errno));
	}
	if (s->next_seq < g->first)
		s->next_seq = g->first;
	n = read_all(fd, (uint64_t)end, &p);
	while ((len = spool_file_check(p + g->size, n - g->size, s->key,
	    &seq)) > 0) {
		if (seq >= s->next_seq)
			s->next_seq = seq + 1;
		g->size += len;
		g->n++;
	}
	if (n < (uint64_t)end || !is_zero(p + g->size, n - g->size))
		rc = cut(s, g, p, n, fd, path, why);
	s->bytes += g->size;
	s->events += g->n;
	free(p);
	close(fd);
	return rc;
}

static int
by_first(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

int
spool_recover(struct spool *s, struct diag *why)
{
	DIR *d = opendir(s->dir);
	struct dirent *e;
	size_t i;
	int rc = 0;

	if (d == NULL)
		return diag_set(why, err_from_errno(errno), "%s: %s", s->dir,
		    strerror(errno));
	while ((e = readdir(d)) != NULL) {
		unsigned long long first;
		int used = 0;

		if (sscanf(e->d_name, "%16llx.seg%n", &first, &used) != 1 ||
		    used != 20 || e->d_name[used] != '\0')
			continue;
		s->seg = xgrow(s->seg, &s->seg_cap, s->seg_n + 1,
		    sizeof(*s->seg));
		s->seg[s->seg_n++] = (struct segment){ .first = first };
	}
	closedir(d);
	if (s->seg_n > 0)
		qsort(s->seg, s->seg_n, sizeof(*s->seg), by_first);
	for (i = 0; i < s->seg_n && rc == 0; i++)
		rc = segment_recover(s, &s->seg[i], why);
	return rc;
}
