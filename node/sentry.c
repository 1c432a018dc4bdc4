/*
 * sentry.c - the page of crashes.
 *
 * The kernel writes the page to its file when it likes: it outlives the
 * process, and is as good as lost after a power cut, which is no crash of
 * ours.
 */
#include "node/sentry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"

#define PAGE_LEN 4096
#define MAGIC 0x0100592d54524e53u	/* rises with the form of the page */
#define SAMPLE_MS (60 * 1000)
#define SAMPLES (SENTRY_RAN_MS / SAMPLE_MS + 1)

struct page {
	uint64_t magic;
	_Atomic uint64_t inside[SENTRY_ROOMS];	/* 1 + version; 0: outside */
	int64_t crashed_us[SENTRY_CRASHES];	/* newest first */
	uint64_t good, heard;
	uint64_t held;				/* 0 or 1 */
	uint64_t held_bad, held_heard;
};

struct sentry {
	struct page *page;
	/* versions in force, one a minute, newest first */
	uint64_t sample[SAMPLES];
	size_t samples_n;
	uint64_t sampled_ms;
};

static void
enter_crash(struct page *p, uint64_t version, int64_t now_us)
{
	int64_t *t = p->crashed_us;

	memmove(t + 1, t, (SENTRY_CRASHES - 1) * sizeof(*t));
	t[0] = now_us;
	if (p->held != 0 || p->good == 0 || t[SENTRY_CRASHES - 1] == 0 ||
	    t[0] - t[SENTRY_CRASHES - 1] > SENTRY_WITHIN_US ||
	    t[0] < t[SENTRY_CRASHES - 1])
		return;
	p->held = 1;
	p->held_bad = version;
	p->held_heard = p->heard > version ? p->heard : version;
}

int
sentry_open(struct sentry **out, const char *dir, int64_t now_us,
    struct diag *why)
{
	struct sentry *s = xcalloc(1, sizeof(*s));
	char path[1100];
	int fd, i;

	snprintf(path, sizeof(path), "%s/sentry", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, PAGE_LEN) < 0 ||
	    (errno = posix_fallocate(fd, 0, PAGE_LEN)) != 0 ||
	    (s->page = mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0)) == MAP_FAILED) {
		int rc = diag_set(why, err_from_errno(errno), "%s: %s", path,
		    strerror(errno));

		if (fd >= 0)
			close(fd);
		free(s);
		return rc;
	}
	close(fd);
	if (s->page->magic != MAGIC) {
		memset(s->page, 0, PAGE_LEN);
		s->page->magic = MAGIC;
	}
	for (i = 0; i < SENTRY_ROOMS; i++) {
		uint64_t v = atomic_load(&s->page->inside[i]);

		if (v != 0)
			enter_crash(s->page, v - 1, now_us);
		atomic_store(&s->page->inside[i], 0);
	}
	*out = s;
	return 0;
}

void
sentry_close(struct sentry **s)
{
	if (*s == NULL)
		return;
	munmap((*s)->page, PAGE_LEN);
	free(*s);
	*s = NULL;
}

void
sentry_enter(struct sentry *s, enum sentry_room room, uint64_t version)
{
	if (s != NULL)
		atomic_store_explicit(&s->page->inside[room], version + 1,
		    memory_order_release);
}

void
sentry_leave(struct sentry *s, enum sentry_room room)
{
	if (s != NULL)
		atomic_store_explicit(&s->page->inside[room], 0,
		    memory_order_release);
}

void
sentry_runs(struct sentry *s, uint64_t version, uint64_t now_ms)
{
	if (version == 0 || (s->samples_n > 0 &&
	    now_ms - s->sampled_ms < SAMPLE_MS))
		return;
	memmove(s->sample + 1, s->sample,
	    (SAMPLES - 1) * sizeof(s->sample[0]));
	s->sample[0] = version;
	s->sampled_ms = now_ms;
	if (s->samples_n < SAMPLES)
		s->samples_n++;
	/* What was in force ten minutes ago, and all since, did not crash. */
	if (s->samples_n == SAMPLES)
		s->page->good = s->sample[SAMPLES - 1];
}

bool
sentry_heard(struct sentry *s, uint64_t version)
{
	struct page *p = s->page;

	if (version > p->heard)
		p->heard = version;
	if (p->held == 0 || version <= p->held_heard)
		return false;
	p->held = 0;
	memset(p->crashed_us, 0, sizeof(p->crashed_us));
	return true;
}

bool
sentry_is_held(const struct sentry *s, uint64_t *upto, uint64_t *bad)
{
	if (upto != NULL)
		*upto = s->page->good;
	if (bad != NULL)
		*bad = s->page->held_bad;
	return s->page->held != 0;
}

uint64_t
sentry_good(const struct sentry *s)
{
	return s->page->good;
}
