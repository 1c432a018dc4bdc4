/*
 * snapshot_pool.c - a ring of jobs; each thread takes the next that nobody
 * has, and keeps sums of its own.
 */
#include "proto/wire/snapshot_pool.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/thread.h"

#define JOBS (2 * SNAPSHOT_THREADS_MAX)

enum state { JOB_WAITS, JOB_RUNS, JOB_DONE };

struct job {
	enum state state;
	struct buf data;
	struct manifest_chunk chunk;
};

struct worker {
	struct snapshot_pool *pool;
	pthread_t thread;
	struct digest digest;
};

struct snapshot_pool {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct job job[JOBS];
	uint64_t in, out, next;		/* all ever put, taken, begun */
	bool stop;
	struct worker worker[SNAPSHOT_THREADS_MAX];
	unsigned n;			/* threads */
	bool tried;			/* to start them */
	struct digest digest;		/* of what was done without */
};

static void
run_job(struct job *j, struct digest *d)
{
	struct bytes in = bytes_of(j->data.data, j->data.len), key, val;

	crypto_generichash(j->chunk.hash, sizeof(j->chunk.hash),
	    (const uint8_t *)j->data.data, j->data.len, NULL, 0);
	while (chunk_next(&in, &key, &val))
		digest_add(d, key.p, key.n, val.p, val.n);
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct snapshot_pool *p = w->pool;
	struct job *j;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->next == p->in && !p->stop)
			pthread_cond_wait(&p->work, &p->lock);
		if (p->stop)
			break;
		j = &p->job[p->next++ % JOBS];
		j->state = JOB_RUNS;
		pthread_mutex_unlock(&p->lock);
		run_job(j, &w->digest);
		pthread_mutex_lock(&p->lock);
		j->state = JOB_DONE;
		pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct snapshot_pool *
snapshot_pool_new(void)
{
	struct snapshot_pool *p = xcalloc(1, sizeof(*p));
	size_t i;

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->done, NULL);
	digest_init(&p->digest);
	for (i = 0; i < JOBS; i++)
		buf_init(&p->job[i].data, CHUNK_MAX);
	return p;
}

static void
start(struct snapshot_pool *p)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	p->tried = true;
	while (cores > 1 && p->n < SNAPSHOT_THREADS_MAX &&
	    p->n < (unsigned long)cores) {
		struct worker *w = &p->worker[p->n];

		w->pool = p;
		digest_init(&w->digest);
		if (thread_start(&w->thread, "digest", 0, work, w) < 0)
			break;
		p->n++;
	}
}

void
snapshot_pool_free(struct snapshot_pool **pp)
{
	struct snapshot_pool *p = *pp;
	size_t i;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->n; i++)
		pthread_join(p->worker[i].thread, NULL);
	for (i = 0; i < JOBS; i++)
		buf_fini(&p->job[i].data);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->done);
	pthread_mutex_destroy(&p->lock);
	free(p);
	*pp = NULL;
}

bool
snapshot_pool_has_room(const struct snapshot_pool *p)
{
	return p->in - p->out < JOBS;
}

/* in and out are the caller's alone to change; the lock is for the threads. */
void
snapshot_pool_put(struct snapshot_pool *p, struct buf *data, uint32_t count)
{
	struct job *j = &p->job[p->in % JOBS];
	struct buf swap = j->data;

	if (!p->tried && p->in > 0)
		start(p);
	j->data = *data;
	*data = swap;
	buf_reset(data);
	j->chunk.len = (uint32_t)j->data.len;
	j->chunk.count = count;
	if (p->n == 0) {
		run_job(j, &p->digest);
		j->state = JOB_DONE;
		p->in++;
		p->next++;
		return;
	}
	pthread_mutex_lock(&p->lock);
	j->state = JOB_WAITS;
	p->in++;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

bool
snapshot_pool_take(struct snapshot_pool *p, struct manifest_chunk *c,
    struct buf *data)
{
	struct job *j = &p->job[p->out % JOBS];
	struct buf swap = *data;

	if (p->in == p->out)
		return false;
	pthread_mutex_lock(&p->lock);
	while (j->state != JOB_DONE)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
	*c = j->chunk;
	*data = j->data;
	j->data = swap;
	buf_reset(&j->data);
	p->out++;
	return true;
}

void
snapshot_pool_digest(struct snapshot_pool *p, struct digest *out)
{
	unsigned i;

	*out = p->digest;
	pthread_mutex_lock(&p->lock);
	for (i = 0; i < p->n; i++)
		digest_merge(out, &p->worker[i].digest);
	pthread_mutex_unlock(&p->lock);
}
