/*
 * publisher.c - the thread that makes deltas and heads of versions, and the
 * one that cuts a version into chunks.
 */
#include "controller/publisher.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/base/thread.h"

/* A new whole version when the deltas since the last one have so many bytes,
 * or a quarter of it if that is more: what a node that joins catches up by. */
#define SINCE_MAX ((uint64_t)4 << 20)
#define CUT_NICE 10	/* who asks, on this machine, is answered first */
#define RETRY_MS 5000			/* after a cut that failed */
#define PROVE_LATER 100000		/* records: fewer are proved when the
					 * store is opened */

struct publisher {
	struct publisher_conf conf;
	char dir[4200];
	pthread_t thread, cutter;
	pthread_mutex_t mu;		/* after conf.lock, never before */
	pthread_cond_t cond;
	bool stop, dirty, whole, held, cut_done;
	struct signer *next_signer;	/* to take over, or NULL */
	struct publisher_counts counts;
	atomic_bool stop_cut;

	/* the thread's own */
	struct signer *signer;
	bool cutting, proving, need;	/* need: a whole version */
	struct head told;		/* version 0: none yet */
	uint64_t since;			/* bytes of deltas since .. */
	uint64_t base, base_bytes;	/* .. the whole version; 0: none */
	uint64_t retry_ms;

	/* the cutter's, until cut_done */
	struct signer *cut_signer;
	struct store_view *view;
	struct publication *cut;
	int cut_rc;
	struct diag cut_why;
};

/* --- whole versions --- */

static void *
cut(void *arg)
{
	struct publisher *p = arg;

	if (p->proving)
		p->cut_rc = store_view_prove(p->view, &p->stop_cut,
		    &p->cut_why);
	else
		p->cut_rc = publish(&p->cut, p->view,
		    signer_key(p->cut_signer), p->dir, &p->stop_cut,
		    &p->cut_why);
	store_view_free(&p->view);
	pthread_mutex_lock(&p->mu);
	p->cut_done = true;
	pthread_cond_signal(&p->cond);
	pthread_mutex_unlock(&p->mu);
	return NULL;
}

static void
start_cut(struct publisher *p, bool prove)
{
	p->proving = prove;
	pthread_mutex_lock(p->conf.lock);
	p->view = store_view_new(p->conf.store);
	/* what comes after this version must lead on from it */
	store_log_keep(p->conf.store, p->base != 0 ? p->base :
	    store_version(p->conf.store));
	pthread_mutex_unlock(p->conf.lock);
	p->cut_signer = signer_ref(p->signer);
	if (thread_start(&p->cutter, "cut", CUT_NICE, cut, p) < 0) {
		signer_unref(&p->cut_signer);
		store_view_free(&p->view);
		p->retry_ms = clock_mono_ms() + RETRY_MS;
		log_error("publish.failed", F_S("reason", "no thread left"));
		return;
	}
	p->cutting = true;
}

static void
head_of(const struct manifest *m, struct head *out)
{
	memset(out, 0, sizeof(*out));
	out->version = m->version;
	out->count = m->count;
	out->record_format = m->record_format;
	out->engine = DECIDE_ENGINE;
	memcpy(out->digest, m->digest, DIGEST_LEN);
}

/* The head goes to h, without a delta. */
static void
jump(struct publisher *p, const struct head *h)
{
	struct head next = *h;

	next.prev_version = p->told.version;
	memcpy(next.prev_digest, p->told.digest, DIGEST_LEN);
	p->told = next;
	fleet_advance(p->conf.fleet, &next, bytes_of(NULL, 0));
}

/* Serve it; the head goes there unless it is beyond already. */
static void
serve(struct publisher *p, struct publication *whole)
{
	const struct publication *now, *before;
	const struct manifest *m = publication_about(whole);
	struct head h;

	head_of(m, &h);
	p->base = m->version;
	p->base_bytes = m->bytes;
	pthread_mutex_lock(p->conf.lock);
	store_log_keep(p->conf.store, p->base);
	p->since = store_log_bytes(p->conf.store, p->base);
	pthread_mutex_unlock(p->conf.lock);
	fleet_publish(p->conf.fleet, whole);
	now = fleet_publication(p->conf.fleet, &before);
	publication_sweep(now, before);
	if (h.version > p->told.version)
		jump(p, &h);
}

/* One cut under a key that was replaced meanwhile is signed anew. */
static int
sign_cut(struct publisher *p)
{
	struct publication *again;
	int rc;

	if (p->cut_signer == p->signer)
		return 0;
	rc = publication_resign(&again, p->cut, signer_key(p->signer),
	    &p->cut_why);
	publication_free(&p->cut);
	p->cut = again;
	return rc;
}

static void
end_cut(struct publisher *p)
{
	pthread_join(p->cutter, NULL);
	p->cutting = false;
	if (p->cut_rc == 0 && !p->proving)
		p->cut_rc = sign_cut(p);
	signer_unref(&p->cut_signer);
	pthread_mutex_lock(&p->mu);
	p->cut_done = false;
	p->counts.cuts += p->cut_rc == 0 && !p->proving;
	pthread_mutex_unlock(&p->mu);
	if (p->proving) {
		if (p->cut_rc < 0)
			log_error("store.damaged",
			    F_S("reason", p->cut_why.text));
		return;
	}
	if (p->cut_rc < 0) {
		p->need = true;
		p->retry_ms = clock_mono_ms() + RETRY_MS;
		log_error("publish.failed", F_S("reason", p->cut_why.text));
		return;
	}
	log_debug("publish.whole", F_U("version",
	    publication_about(p->cut)->version));
	serve(p, p->cut);
	p->cut = NULL;
}

/* Do deltas lead all the way from m to h? */
static bool
leads(struct publisher *p, const struct manifest *m, const struct head *h)
{
	uint64_t at = m->version;
	uint8_t digest[DIGEST_LEN];

	memcpy(digest, m->digest, DIGEST_LEN);
	while (at < h->version) {
		struct delta d;

		if (store_delta(p->conf.store, at, digest, h->version, &d,
		    NULL) < 0)
			return false;
		at = d.to_version;
		memcpy(digest, d.to_digest, DIGEST_LEN);
		delta_fini(&d);
	}
	return at == h->version && memcmp(digest, h->digest, DIGEST_LEN) == 0;
}

/*
 * What an earlier run cut is served again, if deltas lead on from it.  The
 * head begins at the version in force: nodes may be there already, and a
 * lower one would look like a step back.
 */
static void
load_cut(struct publisher *p)
{
	struct publication *old;
	struct head h;
	struct diag why;

	pthread_mutex_lock(p->conf.lock);
	store_head(p->conf.store, &h, NULL);
	pthread_mutex_unlock(p->conf.lock);
	h.engine = DECIDE_ENGINE;
	if (h.version == 0 || publication_load(&old, p->dir,
	    signer_about(p->signer)->key, &why) < 0)
		return;
	if (!leads(p, publication_about(old), &h)) {
		publication_free(&old);
		return;
	}
	p->told = h;		/* so that serve() does not go back */
	serve(p, old);
	fleet_advance(p->conf.fleet, &h, bytes_of(NULL, 0));
	if (h.count > PROVE_LATER)
		start_cut(p, true);
}

/* --- deltas --- */

static void
tell(struct publisher *p, struct delta *d)
{
	struct head h = { .version = d->to_version, .count = d->to_count,
	    .prev_version = d->from_version,
	    .record_format = d->record_format, .engine = DECIDE_ENGINE };
	struct buf frame;

	memcpy(h.digest, d->to_digest, DIGEST_LEN);
	memcpy(h.prev_digest, d->from_digest, DIGEST_LEN);
	d->engine = DECIDE_ENGINE;
	d->issued_us = clock_wall_us();
	buf_init(&frame, 0);
	if (delta_sign(d, signer_key(p->signer), &frame) < 0)
		buf_reset(&frame);	/* nodes ask for it */
	p->told = h;
	p->since += frame.len;
	pthread_mutex_lock(&p->mu);
	p->counts.deltas++;
	p->counts.delta_bytes += frame.len;
	pthread_mutex_unlock(&p->mu);
	fleet_advance(p->conf.fleet, &h, bytes_of(frame.data, frame.len));
	buf_fini(&frame);
}

/* Tell all that leads on from what was told; false when a step is too large
 * for a delta. */
static bool
tell_all(struct publisher *p, uint64_t version)
{
	while (p->told.version < version) {
		struct delta d;

		if (store_delta(p->conf.store, p->told.version,
		    p->told.digest, version, &d, NULL) < 0)
			return false;
		tell(p, &d);
		delta_fini(&d);
	}
	return true;
}

static void
advance(struct publisher *p)
{
	bool reached = false, far;
	uint64_t version;

	pthread_mutex_lock(p->conf.lock);
	version = store_version(p->conf.store);
	pthread_mutex_unlock(p->conf.lock);
	if (version == 0)
		return;
	if (p->told.version != 0)
		reached = tell_all(p, version);
	far = p->since > SINCE_MAX && p->since > p->base_bytes / 4;
	p->need = p->base == 0 || !reached || far;
}

/* --- the thread --- */

static void
rekey(struct publisher *p, struct signer *next)
{
	const struct publication *now, *before;
	struct publication *again = NULL;
	struct diag why;

	signer_unref(&p->signer);
	p->signer = next;
	now = fleet_publication(p->conf.fleet, &before);
	if (now != NULL && publication_resign(&again, now, signer_key(next),
	    &why) < 0)
		log_error("publish.failed", F_S("reason", why.text));
	p->need = p->need || (now != NULL && again == NULL);
	fleet_rekey(p->conf.fleet, next, again);
}

/* Is a whole version to be cut, and may it be? */
static bool
may_cut(const struct publisher *p)
{
	return !p->held && !p->cutting && (p->need || p->whole) &&
	    clock_mono_ms() >= p->retry_ms;
}

static void
wait_ms(struct publisher *p, unsigned ms)
{
	uint64_t us = (uint64_t)clock_wall_us() + ms * 1000;
	struct timespec t = { (time_t)(us / 1000000),
	    (long)(us % 1000000) * 1000 };

	pthread_cond_timedwait(&p->cond, &p->mu, &t);
}

/* Wait for something to do, then for what comes right behind it. */
static void
wait_for_work(struct publisher *p)
{
	uint64_t end;

	while (!p->stop && !p->cut_done && !may_cut(p) &&
	    p->next_signer == NULL &&
	    (p->held || !p->dirty)) {
		if (p->retry_ms > clock_mono_ms())
			wait_ms(p, RETRY_MS / 5);
		else
			pthread_cond_wait(&p->cond, &p->mu);
	}
	end = clock_mono_ms() + PUBLISHER_WAIT_MS;
	while (!p->stop && p->dirty && !p->held && clock_mono_ms() < end)
		wait_ms(p, 1);
}

static void *
run(void *arg)
{
	struct publisher *p = arg;
	bool stop = false, dirty, done, whole;
	struct signer *next;

	while (!stop) {
		pthread_mutex_lock(&p->mu);
		wait_for_work(p);
		stop = p->stop;
		done = p->cut_done;
		next = p->next_signer;
		p->next_signer = NULL;
		if ((dirty = p->dirty && !p->held))
			p->dirty = false;
		pthread_mutex_unlock(&p->mu);
		if (next != NULL)
			rekey(p, next);
		if (stop)
			break;
		if (dirty && p->base == 0 && !p->cutting)
			load_cut(p);
		if (done)
			end_cut(p);
		if (dirty || done)
			advance(p);
		pthread_mutex_lock(&p->mu);
		if ((whole = may_cut(p)))
			p->whole = false;
		pthread_mutex_unlock(&p->mu);
		if (whole)
			start_cut(p, false);
	}
	if (p->cutting) {
		atomic_store(&p->stop_cut, true);
		pthread_join(p->cutter, NULL);
		publication_free(&p->cut);
		signer_unref(&p->cut_signer);
	}
	return NULL;
}

int
publisher_start(struct publisher **out, const struct publisher_conf *conf,
    struct diag *why)
{
	struct publisher *p = xcalloc(1, sizeof(*p));

	p->conf = *conf;
	snprintf(p->dir, sizeof(p->dir), "%s", conf->dir);
	p->held = conf->hold;
	p->signer = signer_ref(conf->signer);
	p->dirty = true;
	pthread_mutex_init(&p->mu, NULL);
	pthread_cond_init(&p->cond, NULL);
	*out = p;	/* before anything that calls back */
	if (pthread_create(&p->thread, NULL, run, p) != 0) {
		pthread_mutex_destroy(&p->mu);
		pthread_cond_destroy(&p->cond);
		signer_unref(&p->signer);
		free(p);
		*out = NULL;
		return diag_set(why, ERR_IO, "no thread left");
	}
	return 0;
}

static void
signal_with(struct publisher *p, bool *flag, bool value)
{
	pthread_mutex_lock(&p->mu);
	*flag = value;
	pthread_cond_signal(&p->cond);
	pthread_mutex_unlock(&p->mu);
}

void
publisher_stop(struct publisher **pp)
{
	struct publisher *p = *pp;

	if (p == NULL)
		return;
	signal_with(p, &p->stop, true);
	pthread_join(p->thread, NULL);
	pthread_mutex_destroy(&p->mu);
	pthread_cond_destroy(&p->cond);
	signer_unref(&p->signer);
	signer_unref(&p->next_signer);
	free(p);
	*pp = NULL;
}

void
publisher_wake(struct publisher *p)
{
	signal_with(p, &p->dirty, true);
}

void
publisher_whole(struct publisher *p, bool damaged)
{
	if (damaged)
		log_error("publish.damaged", F_S("reason", "a chunk cannot be "
		    "read; the version is cut anew"));
	signal_with(p, &p->whole, true);
}

void
publisher_rekey(struct publisher *p, struct signer *s)
{
	pthread_mutex_lock(&p->mu);
	signer_unref(&p->next_signer);
	p->next_signer = signer_ref(s);
	pthread_cond_signal(&p->cond);
	pthread_mutex_unlock(&p->mu);
}

void
publisher_release(struct publisher *p)
{
	pthread_mutex_lock(&p->mu);
	p->held = false;
	p->dirty = true;
	pthread_cond_signal(&p->cond);
	pthread_mutex_unlock(&p->mu);
}

bool
publisher_is_held(struct publisher *p)
{
	bool held;

	pthread_mutex_lock(&p->mu);
	held = p->held;
	pthread_mutex_unlock(&p->mu);
	return held;
}

void
publisher_counts(struct publisher *p, struct publisher_counts *out)
{
	pthread_mutex_lock(&p->mu);
	*out = p->counts;
	pthread_mutex_unlock(&p->mu);
}
