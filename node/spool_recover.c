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
 * Events that the damage at off takes with it.  One that whole events stand
 * behind counts itself; at the end it may be the torn tail of a write whose
 * verdict was never sent.
 */
static uint64_t
count_behind(struct spool *s, int fd, uint64_t off, uint64_t limit)
{
	uint64_t seq, next, n = 0, damaged = 0;
	uint8_t len[4];

	while (off < limit && pread(fd, len, sizeof(len), (off_t)off) ==
	    (ssize_t)sizeof(len)) {
		struct bytes b = bytes_of(len, sizeof(len));

		damaged++;
		off += SPOOL_HEAD_LEN + bytes_u32(&b);
		while (spool_file_get(fd, s->key, off, limit, &seq, &next,
		    NULL) == 0) {
			n += damaged + 1;
			damaged = 0;
			off = next;
		}
	}
	return n;
}

/* Read through one segment; cut it where it stops making sense. */
static int
segment_recover(struct spool *s, struct segment *g, struct diag *why)
{
	char path[PATH_LEN];
	uint64_t off = 0, next, seq, limit;
	off_t end;
	int fd, rc;

	spool_segment_path(s, g->first, path);
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0 ||
	    (end = lseek(fd, 0, SEEK_END)) < 0) {
		if (fd >= 0)
			close(fd);
		return diag_set(why, ERR_IO, "%s: %s", path,
		    strerror(errno));
	}
	limit = (uint64_t)end;
	if (s->next_seq < g->first)
		s->next_seq = g->first;
	while ((rc = spool_file_get(fd, s->key, off, limit, &seq, &next,
	    NULL)) == 0) {
		if (seq >= s->next_seq)
			s->next_seq = seq + 1;
		off = next;
		g->n++;
	}
	if (rc != ERR_NOENT) {
		uint64_t lost = count_behind(s, fd, off, limit);

		log_warning("spool.cut", F_S("segment", path),
		    F_U("kept", off), F_U("dropped_bytes", limit - off),
		    F_U("events_lost", lost));
		s->lost += lost;
		s->next_seq += LEAP;
		rc = ftruncate(fd, (off_t)off) < 0 || fsync(fd) < 0 ?
		    diag_set(why, ERR_IO, "%s: cannot cut: %s", path,
		    strerror(errno)) : 0;
	} else
		rc = 0;
	g->size = off;
	s->bytes += off;
	s->events += g->n;
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
