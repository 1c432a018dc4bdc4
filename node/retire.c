/*
 * retire.c - a queue of views and the thread that drops them.
 *
 * Views come one a version, far slower than they are freed; the queue grows
 * while one of them takes long, as the last of a set does.
 */
#include "node/retire.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"
#include "proto/base/thread.h"

#define RETIRE_NICE 10

struct retire {
	pthread_t thread;
	pthread_mutex_t lock;		/* guards all below */
	pthread_cond_t wake;
	bool stop;
	struct ruleset **waiting;
	size_t n, cap;
	uint64_t done;
};

static void *
run(void *arg)
{
	struct retire *t = arg;

	pthread_mutex_lock(&t->lock);
	while (t->n > 0 || !t->stop) {
		struct ruleset *r;

		if (t->n == 0) {
			pthread_cond_wait(&t->wake, &t->lock);
			continue;
		}
		r = t->waiting[--t->n];
		pthread_mutex_unlock(&t->lock);
		ruleset_unref(&r);
		pthread_mutex_lock(&t->lock);
		t->done++;
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static void
free_all(struct retire *t)
{
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	free(t->waiting);
	free(t);
}

struct retire *
retire_start(void)
{
	struct retire *t = xcalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	if (thread_start(&t->thread, "retire", RETIRE_NICE, run, t) == 0)
		return t;
	free_all(t);
	return NULL;
}

void
retire_stop(struct retire **tp)
{
	struct retire *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	free_all(t);
}

void
retire_put(struct retire *t, struct ruleset **r)
{
	if (*r == NULL)
		return;
	if (t == NULL) {
		ruleset_unref(r);
		return;
	}
	pthread_mutex_lock(&t->lock);
	t->waiting = xgrow(t->waiting, &t->cap, t->n + 1,
	    sizeof(struct ruleset *));
	t->waiting[t->n++] = *r;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	*r = NULL;
}

uint64_t
retire_done(struct retire *t)
{
	uint64_t n;

	pthread_mutex_lock(&t->lock);
	n = t->done;
	pthread_mutex_unlock(&t->lock);
	return n;
}
