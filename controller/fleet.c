/*
 * fleet.c - the thread of the fleet: three ROUTERs and the beat.
 */
#include "controller/fleet_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"

#define BURST 256		/* messages of one socket before the next */
#define DENIED_MAX 20		/* refusals a second that get an answer */

void
fleet_advertised(const struct fleet *f, enum fleet_socket which, char *out,
    size_t size)
{
	const char *bound = f->endpoint[which], *host = f->conf.advertise;
	const char *port = strrchr(bound, ':');

	if (host == NULL || port == NULL)
		snprintf(out, size, "%s", bound);
	else if (strchr(host, ':') != NULL && host[0] != '[')
		snprintf(out, size, "tcp://[%s]%s", host, port);
	else
		snprintf(out, size, "tcp://%s%s", host, port);
}

/* On the ZAP thread. */
static bool
admit(void *arg, const char *domain, const uint8_t key[SOCK_KEY_LEN])
{
	struct fleet *f = arg;
	bool known;

	if (strcmp(domain, "enroll") == 0)
		return true;
	pthread_mutex_lock(&f->mu);
	known = strcmp(domain, "fleet") == 0 && fleet_by_key(f, key) != NULL;
	pthread_mutex_unlock(&f->mu);
	if (strcmp(domain, "fleet") == 0)
		atomic_fetch_add(&f->handshakes, 1);
	return known;
}

static void
on_events(struct fleet *f, const struct sock_msg *m, const char *id)
{
	struct bytes in;
	struct events e;
	struct eack a;

	if (frame_payload(m->data.data, m->data.len, FRAME_EVENTS, &in) < 0 ||
	    events_decode(&e, in, NULL) < 0)
		return;
	memcpy(a.spool_id, e.spool_id, sizeof(a.spool_id));
	if (f->conf.on_events != NULL &&
	    f->conf.on_events(f->conf.arg, id, &e, &a.upto_seq) == 0) {
		buf_reset(&f->out);
		frame_begin(&f->out, FRAME_EACK);
		eack_encode(&a, &f->out);
		fleet_send(f, FLEET_EVENTS, m->peer);
	}
	events_fini(&e);
}

/* So many answers and log lines a second: who guesses gets silence. */
static void
deny(struct fleet *f, const struct sock_msg *m, const char *text)
{
	uint64_t now = clock_mono_ms();

	if (now - f->denied_ms >= 1000) {
		f->denied_ms = now;
		f->denied_n = 0;
	}
	if (f->denied_n++ >= DENIED_MAX)
		return;
	log_warning("enroll.refused", F_S("reason", text));
	fleet_refuse(f, FLEET_ENROLL, m->peer, text);
}

static void
send_enrolled(struct fleet *f, const uint8_t *peer, const char *id)
{
	struct enrolled e = { .node_id = "" };

	snprintf(e.node_id, sizeof(e.node_id), "%s", id);
	fleet_advertised(f, FLEET_CONTROL, e.control, sizeof(e.control));
	fleet_advertised(f, FLEET_EVENTS, e.events, sizeof(e.events));
	sock_public(f->conf.secret, e.server_key);
	memcpy(e.root_key, f->conf.root, sizeof(e.root_key));
	memcpy(e.cert, signer_cert(f->signer).p, signer_cert(f->signer).n);
	e.cert_len = signer_cert(f->signer).n;
	buf_reset(&f->out);
	frame_begin(&f->out, FRAME_ENROLLED);
	enrolled_encode(&e, &f->out);
	fleet_send(f, FLEET_ENROLL, peer);
}

static void
on_enroll(struct fleet *f, const struct sock_msg *m)
{
	struct diag why = { "" };
	struct enroll e;
	struct node *n;
	struct bytes in;
	char id[64] = "";

	if (frame_payload(m->data.data, m->data.len, FRAME_ENROLL, &in) < 0 ||
	    enroll_decode(&e, in, NULL) < 0)
		return;
	/* asked twice: the key is proved, so the answer is the same */
	pthread_mutex_lock(&f->mu);
	if ((n = fleet_by_key(f, m->key)) != NULL)
		memcpy(id, n->info.id, sizeof(id));
	pthread_mutex_unlock(&f->mu);
	if (n == NULL) {
		if (fleet_enroll(f, &e, m, id, &why) < 0) {
			deny(f, m, why.text);
			return;
		}
		log_info("node.enrolled", F_S("node", id));
	}
	send_enrolled(f, m->peer, id);
}

/* Is the sender in the registry still?  A revoked one may be connected. */
static bool
note_seen(struct fleet *f, const struct sock_msg *m, char id[64])
{
	struct node *n;

	pthread_mutex_lock(&f->mu);
	if ((n = fleet_by_key(f, m->key)) != NULL) {
		n->seen_ms = clock_mono_ms();
		n->info.seen_us = clock_wall_us();
		memcpy(n->info.address, m->address, sizeof(m->address));
		memcpy(id, n->info.id, 64);
	}
	pthread_mutex_unlock(&f->mu);
	return n != NULL;
}

static void
drain(struct fleet *f, enum fleet_socket which, struct sock_msg *m)
{
	char id[64];
	int i;

	for (i = 0; i < BURST && sock_recv(f->sock[which], m) == 0; i++) {
		if (which == FLEET_ENROLL)
			on_enroll(f, m);
		else if (!note_seen(f, m, id))
			continue;
		else if (which == FLEET_EVENTS)
			on_events(f, m, id);
		else
			fleet_on_control(f, m);
		if (clock_mono_ms() >= f->beat_ms)
			fleet_beat(f);
	}
}

static int
open_sockets(struct fleet *f, struct diag *why)
{
	const struct fleet_conf *c = &f->conf;
	const struct sock_conf sc[3] = {
		{ c->control, "fleet", c->secret, NULL, FRAME_MAX, 64 },
		{ c->events, "fleet", c->secret, NULL, FRAME_EVENTS_MAX, 16 },
		{ c->enroll, "enroll", c->secret, NULL, FRAME_ENROLL_MAX, 16 },
	};
	int i, rc;

	f->ctx = sock_ctx_new();
	rc = f->ctx == NULL ? ERR_IO : sock_zap_start(f->ctx, admit, f, why);
	for (i = 0; i < 3 && rc == 0; i++) {
		rc = sock_serve(&f->sock[i], f->ctx, &sc[i], why);
		if (rc == 0)
			snprintf(f->endpoint[i], sizeof(f->endpoint[i]), "%s",
			    sock_endpoint(f->sock[i]));
	}
	return rc;
}

static void
loop(struct fleet *f)
{
	struct sock_poll p[4] = { { .sock = f->sock[0] },
	    { .sock = f->sock[1] }, { .sock = f->sock[2] },
	    { .fd = f->wake } };
	struct sock_msg m;
	bool stop = false;
	eventfd_t n;
	int i;

	buf_init(&m.data, 0);
	while (!stop) {
		uint64_t now = clock_mono_ms();

		sock_poll(p, 4, now >= f->beat_ms ? 0 :
		    (int)(f->beat_ms - now));
		/* not only those that are ready: a drain cut off goes on */
		for (i = 0; i < 3; i++)
			drain(f, (enum fleet_socket)i, &m);
		if (eventfd_read(f->wake, &n) == 0)
			fleet_tell(f);
		if (clock_mono_ms() >= f->beat_ms)
			fleet_beat(f);
		pthread_mutex_lock(&f->mu);
		stop = f->stop;
		pthread_mutex_unlock(&f->mu);
	}
	fleet_save_reads(f);
	buf_fini(&m.data);
}

/* Sockets are made, used and closed here: they belong to one thread. */
static void *
run(void *arg)
{
	struct fleet *f = arg;
	int i;

	f->start_rc = open_sockets(f, &f->start_why);
	eventfd_write(f->started, 1);
	if (f->start_rc == 0)
		loop(f);
	for (i = 0; i < 3; i++)
		sock_close(&f->sock[i]);
	if (f->ctx != NULL)
		sock_ctx_free(&f->ctx);
	return NULL;
}

int
fleet_start(struct fleet **out, const struct fleet_conf *conf,
    struct diag *why)
{
	struct fleet *f;
	eventfd_t n;
	int rc;

	*out = NULL;
	if (signer_cert(conf->signer).n > sizeof(((struct enrolled *)0)->cert))
		return diag_set(why, ERR_INVAL, "the publisher's certificate "
		    "is too long");
	f = xcalloc(1, sizeof(*f));
	f->conf = *conf;
	f->signer = signer_ref(conf->signer);
	pthread_mutex_init(&f->mu, NULL);
	buf_init(&f->beat, FRAME_MAX);
	buf_init(&f->out, FRAME_MAX);
	f->chunks = chunk_cache_new();
	buf_init(&f->delta, FRAME_MAX);
	f->last = &f->first;
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->started = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_lock(conf->lock);
	rc = fleet_load(f, why);
	pthread_mutex_unlock(conf->lock);
	if (rc == 0 && (f->wake < 0 || f->started < 0 ||
	    pthread_create(&f->thread, NULL, run, f) != 0))
		rc = diag_set(why, ERR_IO, "no descriptor or thread left");
	if (rc == 0) {
		while (eventfd_read(f->started, &n) < 0 && errno == EINTR)
			continue;
		if ((rc = f->start_rc) < 0)
			diag_set(why, rc, "%s", f->start_why.text);
	} else
		f->stop = true;		/* no thread to wait for */
	if (rc < 0)
		fleet_stop(&f);
	*out = f;
	return rc;
}

void
fleet_stop(struct fleet **fp)
{
	struct fleet *f = *fp;
	struct advance *a;
	bool running;

	if (f == NULL)
		return;
	pthread_mutex_lock(&f->mu);
	running = !f->stop;
	f->stop = true;
	pthread_mutex_unlock(&f->mu);
	if (running) {
		eventfd_write(f->wake, 1);
		pthread_join(f->thread, NULL);
	}
	if (f->wake >= 0)
		close(f->wake);
	if (f->started >= 0)
		close(f->started);
	publication_free(&f->now);
	publication_free(&f->before);
	publication_free(&f->retired);
	publication_free(&f->next_now);
	signer_unref(&f->next_signer);
	signer_unref(&f->signer);
	buf_fini(&f->beat);
	buf_fini(&f->out);
	chunk_cache_free(&f->chunks);
	buf_fini(&f->delta);
	while ((a = f->first) != NULL) {
		f->first = a->next;
		buf_fini(&a->delta);
		free(a);
	}
	free(f->node);
	free(f->index);
	free(f->token);
	pthread_mutex_destroy(&f->mu);
	free(f);
	*fp = NULL;
}

const char *
fleet_endpoint(const struct fleet *f, enum fleet_socket which)
{
	return f->endpoint[which];
}

void
fleet_publish(struct fleet *f, struct publication *p)
{
	struct publication *old;

	pthread_mutex_lock(&f->mu);
	old = f->before;
	f->before = f->now;
	f->now = p;
	publication_free(&f->next_now);	/* p is newer */
	publication_free(&f->retired);
	pthread_mutex_unlock(&f->mu);
	publication_free(&old);
	eventfd_write(f->wake, 1);
}

const struct publication *
fleet_publication(struct fleet *f, const struct publication **before)
{
	const struct publication *p;

	pthread_mutex_lock(&f->mu);
	p = f->now;
	*before = f->before;
	pthread_mutex_unlock(&f->mu);
	return p;
}

void
fleet_advance(struct fleet *f, const struct head *h, struct bytes delta)
{
	struct advance *a = xcalloc(1, sizeof(*a));

	a->head = *h;
	buf_init(&a->delta, FRAME_MAX);
	if (delta.n > 0)
		buf_put(&a->delta, delta.p, delta.n);
	pthread_mutex_lock(&f->mu);
	*f->last = a;
	f->last = &a->next;
	pthread_mutex_unlock(&f->mu);
	eventfd_write(f->wake, 1);
}

bool
fleet_head(struct fleet *f, struct head *out)
{
	pthread_mutex_lock(&f->mu);
	*out = f->head;
	pthread_mutex_unlock(&f->mu);
	return out->version != 0;
}

void
fleet_rekey(struct fleet *f, struct signer *s, struct publication *p)
{
	pthread_mutex_lock(&f->mu);
	signer_unref(&f->next_signer);
	publication_free(&f->next_now);
	f->next_signer = signer_ref(s);
	f->next_now = p;
	pthread_mutex_unlock(&f->mu);
	eventfd_write(f->wake, 1);
}

uint64_t
fleet_highest_serial(struct fleet *f)
{
	uint64_t v;

	pthread_mutex_lock(&f->mu);
	v = f->highest_serial;
	pthread_mutex_unlock(&f->mu);
	return v;
}

uint64_t
fleet_handshakes(const struct fleet *f)
{
	return atomic_load(&f->handshakes);
}

uint64_t
fleet_highest(struct fleet *f)
{
	uint64_t v;

	pthread_mutex_lock(&f->mu);
	v = f->highest;
	pthread_mutex_unlock(&f->mu);
	return v;
}
