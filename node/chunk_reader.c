/*
 * chunk_reader.c - a ring of chunks between two threads.
 */
#include "node/chunk_reader.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/thread.h"
#include "proto/wire/keys.h"
#include "proto/wire/snapshot.h"

#define PATH_LEN 1200

struct slot { struct buf data; int rc; struct diag why; };

struct chunk_reader {
	const char *dir;
	const struct manifest *m;
	pthread_mutex_t lock;
	pthread_cond_t moved;		/* one of the next */
	size_t read, given, taken;	/* chunks so far; given: the caller
					 * has the last one */
	bool stop;
	bool threaded;
	pthread_t thread;
	struct slot slot[CHUNK_READER_AHEAD];
};

static void
read_one(struct chunk_reader *r, size_t i)
{
	const struct manifest_chunk *c = &r->m->chunks[i];
	struct slot *s = &r->slot[i % CHUNK_READER_AHEAD];
	char path[PATH_LEN], hex[HASH_LEN * 2 + 1];

	hex_format(c->hash, HASH_LEN, hex);
	snprintf(path, sizeof(path), "%s/%s", r->dir, hex);
	buf_reset(&s->data);
	s->rc = file_read(path, CHUNK_MAX, &s->data, &s->why);
	if (s->rc == 0 && chunk_check(c, s->data.data, s->data.len) < 0)
		s->rc = diag_set(&s->why, ERR_CORRUPT, "%s is damaged", path);
	if (s->rc < 0)
		unlink(path);
}

static void *
run(void *arg)
{
	struct chunk_reader *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->stop && r->read < r->m->chunks_n) {
		if (r->read - r->taken == CHUNK_READER_AHEAD) {
			pthread_cond_wait(&r->moved, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		read_one(r, r->read);
		pthread_mutex_lock(&r->lock);
		r->read++;
		pthread_cond_broadcast(&r->moved);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

struct chunk_reader *
chunk_reader_new(const char *dir, const struct manifest *m)
{
	struct chunk_reader *r = xcalloc(1, sizeof(*r));
	size_t i;

	r->dir = dir;
	r->m = m;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->moved, NULL);
	for (i = 0; i < CHUNK_READER_AHEAD; i++)
		buf_init(&r->slot[i].data, CHUNK_MAX + 1);
	r->threaded = m->chunks_n > 1 &&
	    thread_start(&r->thread, "chunks", 0, run, r) == 0;
	return r;
}

void
chunk_reader_free(struct chunk_reader **rp)
{
	struct chunk_reader *r = *rp;
	size_t i;

	if (r == NULL)
		return;
	if (r->threaded) {
		pthread_mutex_lock(&r->lock);
		r->stop = true;
		pthread_cond_broadcast(&r->moved);
		pthread_mutex_unlock(&r->lock);
		pthread_join(r->thread, NULL);
	}
	for (i = 0; i < CHUNK_READER_AHEAD; i++)
		buf_fini(&r->slot[i].data);
	pthread_cond_destroy(&r->moved);
	pthread_mutex_destroy(&r->lock);
	free(r);
	*rp = NULL;
}

/* What was given before is taken now: its slot is free. */
int
chunk_reader_next(struct chunk_reader *r, struct bytes *chunk,
    struct diag *why)
{
	struct slot *s;

	if (!r->threaded) {
		read_one(r, r->read++);
		s = &r->slot[(r->read - 1) % CHUNK_READER_AHEAD];
	} else {
		pthread_mutex_lock(&r->lock);
		r->taken = r->given;
		pthread_cond_broadcast(&r->moved);
		while (r->read <= r->given)
			pthread_cond_wait(&r->moved, &r->lock);
		s = &r->slot[r->given++ % CHUNK_READER_AHEAD];
		pthread_mutex_unlock(&r->lock);
	}
	if (s->rc < 0) {
		if (why != NULL)
			*why = s->why;
		return s->rc;
	}
	*chunk = bytes_of(s->data.data, s->data.len);
	return 0;
}
