/*
 * sync.c - the sync thread: its sockets, its clock, its start and end; what
 * it does with each frame is in sync_steps.c, sync_delta.c, sync_fetch.c.
 */
#include "node/sync.h"

#include <pthread.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "node/fetch.h"
#include "node/sync_impl.h"
#include "node/sets.h"
#include "node/uplink.h"
#include "proto/base/clock.h"
#include "proto/base/conf.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/base/thread.h"
#include "proto/wire/frame.h"

static void
receive(struct sync *s, struct sock_msg *m)
{
	int i;

	/* Bounded, so that a flood does not keep acknowledgements back. */
	for (i = 0; i < 64 && sock_recv(s->control, m) == 0; i++)
		sync_on_control(s, &m->data);
	for (i = 0; i < 64 && sock_recv(s->events, m) == 0; i++)
		uplink_on_frame(s->uplink, m->data.data, m->data.len);
}

static void
watch_staleness(struct sync *s, uint64_t now)
{
	bool stale = now - s->head_ms > s->conf.stale_ms;

	if (stale && s->conf.metrics->stale == 0)
		log_warning("sync.stale",
		    F_U("version", sync_head_enforced(s).version),
		    F_S("reason", "the controller is not heard; the last "
		    "policy stays in force"));
	if (!stale && s->conf.metrics->stale != 0)
		log_info("sync.heard",
		    F_U("head", s->conf.metrics->head_version));
	s->conf.metrics->stale = stale;
}

/* What is due by the clock. */
static void
tick(struct sync *s, uint64_t now)
{
	bool ack_now;

	if (now - s->head_ms > SYNC_HELLO_MS &&
	    now - s->hello_ms > SYNC_HELLO_MS) {
		s->hello_ms = now;
		sync_send_hello(s);
	}
	pthread_mutex_lock(&s->lock);
	ack_now = s->ack_now;
	s->ack_now = false;
	pthread_mutex_unlock(&s->lock);
	if (ack_now || now - s->ack_ms >= SYNC_ACK_MS) {
		s->ack_ms = now;
		sync_send_ack(s);
	}
	sync_fetch_tick(s, now);
	s->conf.metrics->held = sentry_is_held(s->conf.sentry, NULL, NULL);
	s->conf.metrics->proved = s->newest != NULL &&
	    ruleset_is_proved(s->newest);
	sentry_runs(s->conf.sentry, sync_head_enforced(s).version, now);
	sync_delta_tick(s, now);
	audit_watch_tick(&s->audit, now);
	watch_staleness(s, now);
}

static int
connect_to(struct sync *s, struct sock **out, struct diag *why)
{
	const struct node_identity *id = s->conf.id;
	bool control = out == &s->control;
	struct sock_conf c = { .secret = id->secret,
	    .server = id->server_key, .hwm = HWM,
	    .endpoint = control ? id->control : id->events,
	    .max_msg = control ? FRAME_MAX : FRAME_EVENTS_MAX };

	return sock_connect(out, s->ctx, &c, why);
}

static int
connect_both(struct sync *s, struct diag *why)
{
	int rc;

	s->ctx = sock_ctx_new();
	if ((rc = connect_to(s, &s->control, why)) < 0)
		return rc;
	return connect_to(s, &s->events, why);
}

/*
 * libzmq gives a connection up for good after an error of the protocol on it
 * (a frame over the limit, something else listening there for a moment), and
 * says nothing.
 */
static void
connect_again(struct sync *s, struct sock **sock)
{
	struct sock_poll wake = { .fd = s->wake_fd };
	struct diag why;

	log_debug("sync.again", F_S("socket", sock == &s->control ? "control" :
	    "events"), F_S("reason", "nothing is heard"));
	sock_close(sock);
	while (!s->stop && connect_to(s, sock, &why) < 0) {
		log_error("sync.unconnected", F_S("reason", why.text));
		sock_poll(&wake, 1, SYNC_HELLO_MS);
	}
}

/* Which silence lasts too long, counted from the last try? */
static void
watch_silence(struct sync *s, uint64_t now)
{
	uint64_t events = uplink_waits_since(s->uplink);

	if (now - s->head_ms > s->conf.silence_ms &&
	    now - s->control_ms > s->conf.silence_ms) {
		s->control_ms = now;
		connect_again(s, &s->control);
		s->hello_ms = 0;
	}
	if (events != 0 && now - events > s->conf.silence_ms &&
	    now - s->events_ms > s->conf.silence_ms) {
		s->events_ms = now;
		connect_again(s, &s->events);
	}
}

/* Milliseconds until something is due. */
static int
until_next(const struct sync *s, uint64_t now)
{
	uint64_t next = uplink_next_ms(s->uplink);

	return next > now && next - now < TICK_MS ? (int)(next - now) :
	    TICK_MS;
}

static void
serve(struct sync *s)
{
	struct sock_msg m;
	uint64_t n;

	buf_init(&m.data, 0);
	s->head_ms = clock_mono_ms();
	sync_send_hello(s);
	s->hello_ms = s->head_ms;
	while (!s->stop) {
		struct sock_poll p[3] = { { .sock = s->control },
		    { .sock = s->events }, { .fd = s->wake_fd } };

		sock_poll(p, 3, until_next(s, clock_mono_ms()));
		if (p[2].ready && read(s->wake_fd, &n, sizeof(n)) < 0)
			log_debug("sync.wake", F_S("reason", "no event"));
		receive(s, &m);
		if (s->building && s->built)
			sync_end_build(s);
		uplink_step(s->uplink, s->events, clock_mono_ms());
		tick(s, clock_mono_ms());
		watch_silence(s, clock_mono_ms());
	}
	buf_fini(&m.data);
}

/* A socket belongs to the thread that made it: made and closed here. */
static void *
run(void *arg)
{
	struct sync *s = arg;

	s->start_rc = connect_both(s, &s->start_why);
	sem_post(&s->started);
	if (s->start_rc == 0) {
		serve(s);
		audit_watch_close(&s->audit);
	}
	sock_close(&s->control);
	sock_close(&s->events);
	return NULL;
}

void
sync_wake(struct sync *s)
{
	uint64_t one = 1;

	if (write(s->wake_fd, &one, sizeof(one)) < 0)
		log_debug("sync.wake", F_S("reason", "full"));
}

void
sync_on_events(struct sync *s)
{
	if (uplink_was_idle(s->uplink))
		sync_wake(s);
}

static void
free_all(struct sync *s)
{
	sem_destroy(&s->started);
	if (s->ctx != NULL)
		sock_ctx_free(&s->ctx);
	uplink_free(&s->uplink);
	scrub_stop(&s->scrub);
	fetch_free(&s->fetch);
	ruleset_unref(&s->build_result);
	ruleset_unref(&s->newest);
	buf_fini(&s->target_frame);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int
sync_start(struct sync **out, const struct sync_conf *conf, struct diag *why)
{
	struct sync *s = xcalloc(1, sizeof(*s));
	int rc;

	s->conf = *conf;
	if (s->conf.stale_ms == 0)
		s->conf.stale_ms = SYNC_STALE_MS;
	if (s->conf.silence_ms == 0)
		s->conf.silence_ms = SYNC_SILENCE_MS;
	s->ratchet = conf->ratchet;
	audit_watch_open(&s->audit, conf->dir);
	sync_show_audit(s);
	buf_init(&s->target_frame, FRAME_MAX);
	if (conf->current != NULL) {
		s->enforced = *ruleset_head(conf->current);
		s->published = s->newest = ruleset_ref(conf->current);
	}
	s->scrub = scrub_start(SCRUB_DUTY_PCT, SCRUB_INTERVAL_MS);
	if (s->scrub == NULL)
		log_error("scrub.missing", F_S("reason", "no thread for it"));
	else if (s->newest != NULL)
		scrub_on_view(s->scrub, s->newest);
	pthread_mutex_init(&s->lock, NULL);
	randombytes_buf(s->boot_id, sizeof(s->boot_id));
	s->uplink = uplink_new(conf->spool);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = s->wake_fd < 0 ? diag_set(why, ERR_IO, "no eventfd") :
	    cert_open(conf->id->root, conf->id->cert, conf->id->cert_len,
	    INT64_MIN, &s->cert, why);
	sem_init(&s->started, 0, 0);
	if (rc == 0 && thread_start(&s->thread, "sync", SYNC_NICE,
	    run, s) < 0)
		rc = diag_set(why, ERR_IO, "cannot start the sync thread");
	else if (rc == 0) {
		while (sem_wait(&s->started) < 0)
			;
		if ((rc = s->start_rc) < 0) {
			pthread_join(s->thread, NULL);
			*why = s->start_why;
		}
	}
	if (rc < 0) {
		free_all(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
sync_stop(struct sync **sp)
{
	struct sync *s = *sp;

	if (s == NULL)
		return;
	s->stop = true;
	sync_wake(s);
	pthread_join(s->thread, NULL);
	if (s->building)
		pthread_join(s->builder, NULL);
	free_all(s);
	*sp = NULL;
}
