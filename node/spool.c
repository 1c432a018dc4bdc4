/*
 * spool.c - the segment log's group commit.
 *
 * spool_recover.c finds what stands at the start, spool_read.c reads, and
 * spool_lost.c keeps the count of what was lost.
 *
 * The mutex guards everything in struct spool but what is said to be one
 * thread's.  The loop never waits for it: who holds it may be kept from the
 * processor for milliseconds.
 *
 * A write that fails is undone by cutting the segment back; after a failed
 * fdatasync the segment is left alone for ever (the kernel may have dropped
 * the pages and would call a second try a success) and the same records go to
 * a new one.  What the dead segment then still holds after a restart is sent
 * twice, and its receiver stores each sequence once.
 *
 * A file that grows costs a commit of the file system's journal with each
 * sync, more than all else here.  So a write that does not fit into the file
 * takes AHEAD bytes of zeros with it, as far as the disk has room, and the
 * next ones only replace zeros.  Behind the durable records there are never
 * other bytes than zeros; a segment that is left is cut to its records.
 */
#include "node/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "node/spool_file.h"
#include "node/spool_impl.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/thread.h"

#define SEGMENT_BYTES (16 * 1024 * 1024)
#define AHEAD (256 * 1024)
#define PAGE 4096
#define KEEP_BYTES (1024 * 1024)	/* of buffers, between two groups */
#define SPACE_MS 1000			/* the disk's free space is so old */

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

/* Close the file that is written to, without the zeros behind its records. */
static void
leave_active(struct spool *s)
{
	if (s->active < 0)
		return;
	/* what fails here stays zeros, which the next start knows */
	if (s->in_file > last_size(s) &&
	    ftruncate(s->active, (off_t)last_size(s)) < 0)
		log_debug("spool.zeros", F_S("dir", s->dir));
	close(s->active);
	s->active = -1;
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
	leave_active(s);
	s->active = fd;
	s->in_file = 0;
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

/* The file grew to end: let it grow by zeros, too, as far as there is room. */
static void
grow_ahead(struct spool *s, uint64_t end)
{
	static const char zeros[PAGE];
	struct iovec v[AHEAD / PAGE];
	size_t i;
	ssize_t n;

	for (i = 0; i < AHEAD / PAGE; i++)
		v[i] = (struct iovec){ (void *)(uintptr_t)zeros, PAGE };
	n = pwritev(s->active, v, AHEAD / PAGE, (off_t)end);
	s->in_file = end + (n < 0 ? 0 : (uint64_t)n);
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

/* Thousandths in use of max_bytes, or of what a disk with that much free
 * space has room for. */
static unsigned
fill_of(struct spool *s, uint64_t space)
{
	uint64_t bytes = spool_bytes(s), room = s->max_bytes;

	if (bytes + space < room)
		room = bytes + space;
	return room == 0 || bytes >= room ? 1000 :
	    (unsigned)(bytes * 1000 / room);
}

/* Say once when the spool grows over each threshold; armed again once it has
 * fallen well below. */
static void
warn_of_fill(struct spool *s)
{
	static const unsigned at[] = { 700, 850, 950 };
	const unsigned n = sizeof(at) / sizeof(at[0]);
	uint64_t now = clock_mono_ms();
	unsigned fill;

	if (s->space_ms == 0 || now - s->space_ms >= SPACE_MS) {
		s->space_ms = now;
		if (file_free_space(s->dir, &s->space, NULL) < 0)
			s->space = UINT64_MAX / 2;
	}
	fill = fill_of(s, s->space);
	while (s->warned > 0 && fill + 100 < at[s->warned - 1])
		s->warned--;
	for (; s->warned < n && fill >= at[s->warned]; s->warned++)
		LOG_AT(s->warned + 1 < n ? LOG_WARNING : LOG_ERROR,
		    "spool.filling", F_U("threshold", at[s->warned] / 10),
		    F_U("percent", fill / 10), F_U("bytes", spool_bytes(s)),
		    F_U("events", spool_events(s)), F_S("dir", s->dir));
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
			s->in_file = size;
			return rc;
		}
		if (size + frames->len > s->in_file)
			grow_ahead(s, size + frames->len);
		if (fdatasync(s->active) == 0) {
			s->complained = false;
			return 0;
		}
		rc = err_from_errno(errno);
		complain(s, rc, "sync");
		s->in_file = 0;		/* left as it is */
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

/* A buffer for the next group, unless this one was far above the others. */
static void
reuse(struct buf *b)
{
	if (b->cap > KEEP_BYTES)
		buf_fini(b);
	else
		buf_reset(b);
}

static void
commit(struct spool *s, struct buf *batch, uint64_t ticket)
{
	struct buf *frames = &s->frames;
	bool fits;
	size_t n;

	n = make_frames(s, batch, frames);
	pthread_mutex_lock(&s->lock);
	fits = frames->err == 0 && s->bytes + frames->len <= s->max_bytes;
	pthread_mutex_unlock(&s->lock);
	if (!fits)
		complain(s, ERR_FULL, "the spool's own limit");
	else if (store(s, frames) < 0)
		fits = false;
	pthread_mutex_lock(&s->lock);
	if (!fits) {
		s->lost += n;
		pthread_mutex_unlock(&s->lock);
		save_lost(s);
		pthread_mutex_lock(&s->lock);
	} else {
		struct segment *g = &s->seg[s->seg_n - 1];

		g->size += frames->len;
		g->n += n;
		s->bytes += frames->len;
		s->events += n;
		s->next_seq += n;
	}
	pthread_mutex_unlock(&s->lock);
	warn_of_fill(s);
	s->done = ticket;
	if (s->on_commit != NULL)
		s->on_commit(s->arg);
	reuse(frames);
}

static void
swap(struct buf *a, struct buf *b)
{
	struct buf other = *a;

	*a = *b;
	*b = other;
}

static void *
writer(void *arg)
{
	struct spool *s = arg;
	struct buf batch;

	buf_init(&batch, SPOOL_WAITING_MAX);
	pthread_mutex_lock(&s->lock);
	for (;;) {
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
		swap(&batch, &s->waiting);
		s->waiting_len = 0;
		ticket = s->waiting_ticket;
		pthread_mutex_unlock(&s->lock);
		commit(s, &batch, ticket);
		reuse(&batch);
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
	struct stat st;

	if (g == NULL || g->size >= s->segment_bytes ||
	    s->next_seq != g->first + g->n)
		return segment_new(s, why);
	spool_segment_path(s, g->first, path);
	if ((s->active = open(path, O_RDWR | O_CLOEXEC)) < 0 ||
	    fstat(s->active, &st) < 0)
		return diag_set(why, ERR_IO, "%s: %s", path,
		    strerror(errno));
	s->in_file = (uint64_t)st.st_size;
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
	s->active = s->page.fd = s->reader.fd = -1;
	s->next_seq = 1;
	buf_init(&s->waiting, SPOOL_WAITING_MAX);
	buf_init(&s->added, SPOOL_WAITING_MAX);
	buf_init(&s->frames, 0);
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
	if (thread_start(&s->thread, "spool", 0, writer, s) < 0) {
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

/* Hand over what was added; locked. */
static void
hand_over(struct spool *s)
{
	if (s->waiting.len == 0)
		swap(&s->waiting, &s->added);
	else
		buf_put(&s->waiting, s->added.data, s->added.len);
	buf_reset(&s->added);
	s->waiting_len = s->waiting.len;
	s->waiting_ticket = s->tickets;
	s->lost += s->not_added;
	s->not_added = 0;
}

void
spool_close(struct spool **sp)
{
	struct spool *s = *sp;

	if (s == NULL)
		return;
	if (s->running) {
		pthread_mutex_lock(&s->lock);
		hand_over(s);
		s->stop = true;
		pthread_cond_signal(&s->wake);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	leave_active(s);
	spool_reader_close(&s->reader);
	spool_lost_close(&s->page);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	buf_fini(&s->waiting);
	buf_fini(&s->added);
	buf_fini(&s->frames);
	free(s->seg);
	free(s);
	*sp = NULL;
}

uint64_t
spool_add(struct spool *s, const void *data, size_t len)
{
	if (len > SPOOL_RECORD_MAX ||
	    s->added.len + s->waiting_len + 4 + len > SPOOL_WAITING_MAX) {
		s->not_added++;
		return 0;
	}
	buf_put_u32(&s->added, (uint32_t)len);
	buf_put(&s->added, data, len);
	return ++s->tickets;
}

bool
spool_write(struct spool *s)
{
	if (pthread_mutex_trylock(&s->lock) != 0)
		return false;
	hand_over(s);
	pthread_mutex_unlock(&s->lock);
	/* without the lock, which the writer wakes to take */
	pthread_cond_signal(&s->wake);
	return true;
}

uint64_t
spool_put(struct spool *s, const void *data, size_t len)
{
	uint64_t ticket = spool_add(s, data, len);

	while (!spool_write(s))
		sched_yield();
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
	return s->done;
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
	uint64_t space;

	if (file_free_space(s->dir, &space, NULL) < 0)
		space = UINT64_MAX / 2;
	return fill_of(s, space);
}

const uint8_t *
spool_id(const struct spool *s)
{
	return s->id;
}
