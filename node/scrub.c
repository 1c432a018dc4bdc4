/*
 * scrub.c - the thread that reads the set again and again.
 *
 * It works in slices of about half a millisecond, at the lowest priority, and
 * rests after each as long as its duty asks for: the less, the more the rest
 * of the process has to do.
 */
#include "node/scrub.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node/ruleset_scrub.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/base/thread.h"

#define SCRUB_NICE 15
#define SLICE_RECORDS 250

struct scrub {
	pthread_t thread;
	pthread_mutex_t lock;		/* guards all below */
	pthread_cond_t changed;
	bool stop;
	unsigned duty_pct;
	uint64_t interval_ms, next_ms, rounds;
	struct ruleset *newest;		/* or NULL */
	/* Its thread's own: when this slice began; when the one before it
	 * ended, and the CPU time that all others had used by then. */
	uint64_t slice_us, rested_us, others_us;
};

static uint64_t
clock_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t
now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static uint64_t
cpu_of_others_us(void)
{
	uint64_t mine = clock_us(CLOCK_THREAD_CPUTIME_ID);

	return clock_us(CLOCK_PROCESS_CPUTIME_ID) - mine;
}

unsigned
scrub_duty(unsigned most_pct, unsigned load_pct)
{
	unsigned most = most_pct * 10, least = most / SCRUB_DUTY_SPAN;

	if (load_pct >= 100)
		return least;
	return most - (most - least) * load_pct / 100;
}

/* Wait for a change, at most us; with the lock held. */
static void
wait_us(struct scrub *s, uint64_t us)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(us / 1000000);
	until.tv_nsec += (long)(us % 1000000) * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* Rest as long as the duty asks for; true when it is to stop. */
static bool
rest(void *arg, uint64_t records)
{
	struct scrub *s = arg;
	uint64_t now, worked, others, end;
	unsigned duty;
	bool stop;

	if (records % SLICE_RECORDS != 0)
		return false;
	/* of all the time since the slice before this one rested */
	now = now_us();
	others = cpu_of_others_us();
	worked = now - s->slice_us;
	duty = scrub_duty(s->duty_pct, (unsigned)((others - s->others_us) *
	    100 / (now - s->rested_us + 1)));
	s->rested_us = now;
	s->others_us = others;
	pthread_mutex_lock(&s->lock);
	end = now + worked * (1000 - duty) / duty;
	while (!s->stop && now_us() < end)
		wait_us(s, end - now_us());
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	s->slice_us = now_us();
	return stop;
}

static void
scrub_once(struct scrub *s, struct ruleset *r)
{
	uint64_t begin = clock_mono_ms();
	struct diag why;
	int rc;

	s->slice_us = s->rested_us = now_us();
	s->others_us = cpu_of_others_us();
	rc = ruleset_scrub(r, rest, s, &why);
	if (rc == 0)
		log_info("scrub.proved",
		    F_U("version", ruleset_head(r)->version),
		    F_U("records", ruleset_head(r)->count),
		    F_U("ms", clock_mono_ms() - begin));
	else if (rc != ERR_AGAIN)
		log_error("scrub.damaged", F_S("set", ruleset_dir(r)),
		    F_U("version", ruleset_head(r)->version),
		    F_S("reason", why.text));
}

static void *
run(void *arg)
{
	struct scrub *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		uint64_t now = clock_mono_ms();
		struct ruleset *r;

		if (s->newest == NULL || now < s->next_ms) {
			wait_us(s, s->newest == NULL ? 3600000000u :
			    (s->next_ms - now) * 1000);
			continue;
		}
		r = ruleset_ref(s->newest);
		s->next_ms = UINT64_MAX;
		pthread_mutex_unlock(&s->lock);
		scrub_once(s, r);
		pthread_mutex_lock(&s->lock);
		ruleset_unref(&r);
		s->rounds++;
		/* unless another set came meanwhile, which is due now */
		if (s->next_ms == UINT64_MAX)
			s->next_ms = clock_mono_ms() + s->interval_ms;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct scrub *
scrub_start(unsigned duty_pct, uint64_t interval_ms)
{
	struct scrub *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (s == NULL)
		return NULL;
	s->duty_pct = duty_pct < 1 ? 1 : duty_pct > 100 ? 100 : duty_pct;
	s->interval_ms = interval_ms;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (thread_start(&s->thread, "scrub", SCRUB_NICE, run, s) < 0) {
		pthread_cond_destroy(&s->changed);
		pthread_mutex_destroy(&s->lock);
		free(s);
		return NULL;
	}
	return s;
}

void
scrub_stop(struct scrub **sp)
{
	struct scrub *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	ruleset_unref(&s->newest);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void
scrub_on_view(struct scrub *s, struct ruleset *r)
{
	struct ruleset *old;

	pthread_mutex_lock(&s->lock);
	old = s->newest;
	s->newest = ruleset_ref(r);
	if (old == NULL || strcmp(ruleset_dir(old), ruleset_dir(r)) != 0) {
		s->next_ms = 0;
		pthread_cond_signal(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	ruleset_unref(&old);
}

uint64_t
scrub_rounds(struct scrub *s)
{
	uint64_t n;

	pthread_mutex_lock(&s->lock);
	n = s->rounds;
	pthread_mutex_unlock(&s->lock);
	return n;
}
