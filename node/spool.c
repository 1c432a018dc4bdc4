/*
 * spool.c - the segment log's group commit.
 *
 * spool_recover.c finds what stands at the start, spool_read.c reads, and
 * spool_lost.c keeps the count of what was lost.
 *
 * The mutex guards everything in struct spool but `active`, which is the
 * writer's.  A write that fails is undone by cutting the segment back; after
 * a failed fdatasync the segment is left alone for ever (the kernel may have
 * dropped the pages and would call a second try a success) and the same
 * records go to a new one.  What the dead segment then still holds after a
 * restart is sent twice, and its receiver stores each sequence once.
 */
#include "node/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/spool_file.h"
#include "node/spool_impl.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

#define SEGMENT_BYTES (16 * 1024 * 1024)

void
spool_segment_path(const struct spool *s, uint64_t first, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/%016llx.seg", s->dir,
	    (unsigned long long)first);
}

static int
load_id(struct spool *s, struct diag *why)
{
	char path[PATH_LEN];
	struct buf b;
	int rc;

	snprintf(path, sizeof(path), "%s/id", s->dir);
	buf_init(&b, 64);
	rc = file_read(path, 64, &b, why);
	if (rc == 0 && b.len == SPOOL_ID_LEN)
		memcpy(s->id, b.data, SPOOL_ID_LEN);
	else if (rc == 0 || rc == ERR_NOENT) {
		randombytes_buf(s->id, sizeof(s->id));
		rc = file_write(path, s->id, sizeof(s->id), 0600, why);
	}
	buf_fini(&b);
	spool_file_key(s->id, s->key);
	return rc;
}

/* Make the segment that begins with the next sequence, and write to it. */
static int
segment_new(struct spool *s, struct diag *why)
{
	char path[PATH_LEN];
	int fd, rc;

	pthread_mutex_lock(&s->lock);
	if (s->seg_n > 0 && s->seg[s->seg_n - 1].first >= s->next_seq)
		s->next_seq = s->seg[s->seg_n - 1].first + 1;
	pthread_mutex_unlock(&s->lock);
	spool_segment_path(s, s->next_seq, path);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return diag_set(why, err_from_errno(errno), "%s: %s", path,
		    strerror(errno));
	if ((rc = file_sync_dir(s->dir, why)) < 0) {
		close(fd);
		return rc;
	}
	if (s->active >= 0)
		close(s->active);
	s->active = fd;
	pthread_mutex_lock(&s->lock);
	s->seg = xgrow(s->seg, &s->seg_cap, s->seg_n + 1, sizeof(*s->seg));
	s->seg[s->seg_n++] = (struct segment){ .first = s->next_seq };
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int
write_all(int fd, uint64_t off, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_from_errno(errno) : ERR_IO;
		data += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static void
complain(struct spool *s, int err, const char *what)
{
	if (!s->complained)
		log_error("spool.failed", F_S("doing", what),
		    F_S("reason", err_text(err)), F_S("dir", s->dir));
	s->complained = true;
}

/* Write the count of lost events to its page; a failure waits for the next
 * loss. */
static void
save_lost(struct spool *s)
{
	uint64_t n = spool_lost(s);
	int rc = spool_lost_put(&s->page, s->key, n);

	if (rc < 0)
		complain(s, rc, "count of lost events");
	pthread_mutex_lock(&s->lock);
	s->lost_saved = n;
	pthread_mutex_unlock(&s->lock);
}

/* Say once when the spool grows over each threshold; armed again once it has
 * fallen well below. */
static void
warn_of_fill(struct spool *s)
{
	static const unsigned at[] = { 700, 850, 950 };
	const unsigned n = sizeof(at) / sizeof(at[0]);
	unsigned fill = spool_fill(s);

	while (s->warned > 0 && fill + 100 < at[s->warned - 1])
		s->warned--;
	for (; s->warned < n && fill >= at[s->warned]; s->warned++)
		LOG_AT(s->warned + 1 < n ? LOG_WARNING : LOG_ERROR,
		    "spool.filling", F_U("threshold", at[s->warned] / 10),
		    F_U("percent", fill / 10), F_U("bytes", spool_bytes(s)),
		    F_U("events", spool_events(s)), F_S("dir", s->dir));
}

/* Durable bytes of the last segment. */
static uint64_t
last_size(struct spool *s)
{
	uint64_t size;

	pthread_mutex_lock(&s->lock);
	size = s->seg[s->seg_n - 1].size;
	pthread_mutex_unlock(&s->lock);
	return size;
}

/* Make `frames` durable at the end of the last segment, or of a new one. */
static int
store(struct spool *s, const struct buf *frames)
{
	struct diag why;
	uint64_t size;
	int attempt, rc = ERR_IO;

	for (attempt = 0; attempt < 2; attempt++) {
		size = last_size(s);
		if (attempt > 0 ||
		    (size > 0 && size + frames->len > s->segment_bytes)) {
			if ((rc = segment_new(s, &why)) < 0) {
				complain(s, rc, why.text);
				return rc;
			}
			size = 0;
		}
		if ((rc = write_all(s->active, size, frames->data,
		    frames->len)) < 0) {
			complain(s, rc, "write");
			if (ftruncate(s->active, (off_t)size) < 0)
				complain(s, ERR_IO, "truncate");
			return rc;
		}
		if (fdatasync(s->active) == 0) {
			s->complained = false;
			return 0;
		}
		rc = err_from_errno(errno);
		complain(s, rc, "sync");
	}
	return rc;
}

/* Turn what waits into frames with sequences; returns how many. */
static size_t
make_frames(struct spool *s, const struct buf *in, struct buf *frames)
{
	struct bytes b = bytes_of(in->data, in->len);
	uint64_t seq = s->next_seq;
	size_t n = 0;

	while (b.n > 0) {
		uint32_t len = bytes_u32(&b);
		const uint8_t *p = bytes_take(&b, len);

		spool_file_put(frames, s->key, seq++, p, len);
		n++;
	}
	return n;
}

static void
commit(struct spool *s, struct buf *batch, uint64_t ticket)
{
	struct buf frames;
	bool fits;
	size_t n;

	buf_init(&frames, 0);
	n = make_frames(s, batch, &frames);
	pthread_mutex_lock(&s->lock);
	fits = frames.err == 0 && s->bytes + frames.len <= s->max_bytes;
	pthread_mutex_unlock(&s->lock);
	if (!fits)
		complain(s, ERR_FULL, "the spool's own limit");
	else if (store(s, &frames) < 0)
		fits = false;
	pthread_mutex_lock(&s->lock);
	if (!fits) {
		s->lost += n;
		pthread_mutex_unlock(&s->lock);
		save_lost(s);
		pthread_mutex_lock(&s->lock);
	} else {
		struct segment *g = &s->seg[s->seg_n - 1];

		g->size += frames.len;
		g->n += n;
		s->bytes += frames.len;
		s->events += n;
		s->next_seq += n;
	}
	s->done = ticket;
	pthread_mutex_unlock(&s->lock);
	buf_fini(&frames);
	warn_of_fill(s);
	if (s->on_commit != NULL)
		s->on_commit(s->arg);
}

static void *
writer(void *arg)
{
	struct spool *s = arg;
	struct buf batch;

	buf_init(&batch, 0);
	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct buf empty = batch;
		uint64_t ticket;

		while (s->waiting.len == 0 && s->lost == s->lost_saved &&
		    !s->stop)
			pthread_cond_wait(&s->wake, &s->lock);
		if (s->lost != s->lost_saved) {
			pthread_mutex_unlock(&s->lock);
			save_lost(s);
			pthread_mutex_lock(&s->lock);
			continue;
		}
		if (s->waiting.len == 0)
			break;
		batch = s->waiting;
		s->waiting = empty;
		s->waiting.max = SPOOL_WAITING_MAX;
		buf_reset(&s->waiting);
		ticket = s->tickets;
		pthread_mutex_unlock(&s->lock);
		commit(s, &batch, ticket);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	buf_fini(&batch);
	return NULL;
}

/* Go on in the last segment when it has room, else in a new one. */
static int
open_active(struct spool *s, struct diag *why)
{
	struct segment *g = s->seg_n > 0 ? &s->seg[s->seg_n - 1] : NULL;
	char path[PATH_LEN];

	if (g == NULL || g->size >= s->segment_bytes ||
	    s->next_seq != g->first + g->n)
		return segment_new(s, why);
	spool_segment_path(s, g->first, path);
	if ((s->active = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return diag_set(why, ERR_IO, "%s: %s", path,
		    strerror(errno));
	return 0;
}

int
spool_open(struct spool **out, const struct spool_conf *conf,
    struct diag *why)
{
	struct spool *s = xcalloc(1, sizeof(*s));
	int rc;

	snprintf(s->dir, sizeof(s->dir), "%s", conf->dir);
	s->max_bytes = conf->max_bytes;
	s->segment_bytes = conf->segment_bytes == 0 ? SEGMENT_BYTES :
	    conf->segment_bytes;
	s->on_commit = conf->on_commit;
	s->arg = conf->arg;
	s->active = s->page.fd = -1;
	s->next_seq = 1;
	buf_init(&s->waiting, SPOOL_WAITING_MAX);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	if ((rc = file_mkdirs(s->dir, 0700, why)) < 0 ||
	    (rc = load_id(s, why)) < 0 ||
	    (rc = spool_lost_open(&s->page, s->dir, s->key, &s->lost,
	    why)) < 0)
		goto out;
	s->lost_saved = s->lost;
	if ((rc = spool_recover(s, why)) < 0 ||
	    (rc = open_active(s, why)) < 0)
		goto out;
	warn_of_fill(s);
	if (pthread_create(&s->thread, NULL, writer, s) != 0) {
		rc = diag_set(why, ERR_IO, "cannot start the spool's thread");
		goto out;
	}
	s->running = true;
	*out = s;
	return 0;
out:
	spool_close(&s);
	return rc;
}

void
spool_close(struct spool **sp)
{
	struct spool *s = *sp;

	if (s == NULL)
		return;
	if (s->running) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_signal(&s->wake);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	if (s->active >= 0)
		close(s->active);
	spool_lost_close(&s->page);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	buf_fini(&s->waiting);
	free(s->seg);
	free(s);
	*sp = NULL;
}

uint64_t
spool_put(struct spool *s, const void *data, size_t len)
{
	uint64_t ticket = 0;

	pthread_mutex_lock(&s->lock);
	if (len > SPOOL_RECORD_MAX ||
	    s->waiting.len + 4 + len > SPOOL_WAITING_MAX)
		s->lost++;
	else {
		buf_put_u32(&s->waiting, (uint32_t)len);
		buf_put(&s->waiting, data, len);
		ticket = ++s->tickets;
	}
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return ticket;
}

/* A counter of s, read under its lock. */
static uint64_t
counter(struct spool *s, const uint64_t *which)
{
	uint64_t v;

	pthread_mutex_lock(&s->lock);
	v = *which;
	pthread_mutex_unlock(&s->lock);
	return v;
}

uint64_t
spool_done(struct spool *s)
{
	return counter(s, &s->done);
}

uint64_t
spool_events(struct spool *s)
{
	return counter(s, &s->events);
}

uint64_t
spool_lost(struct spool *s)
{
	return counter(s, &s->lost);
}

uint64_t
spool_bytes(struct spool *s)
{
	return counter(s, &s->bytes);
}

unsigned
spool_fill(struct spool *s)
{
	uint64_t bytes = spool_bytes(s), room = s->max_bytes, space;

	if (file_free_space(s->dir, &space, NULL) == 0 &&
	    bytes + space < room)
		room = bytes + space;
	return room == 0 || bytes >= room ? 1000 :
	    (unsigned)(bytes * 1000 / room);
}

const uint8_t *
spool_id(const struct spool *s)
{
	return s->id;
}
