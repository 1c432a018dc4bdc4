/*
 * sock_zap.c - who may connect: the ZAP handler (ZeroMQ RFC 27).
 *
 * libzmq asks one REP socket at inproc://zeromq.zap.01 about each handshake,
 * one after the other.  A request is the frames version, request id, domain,
 * address, identity, mechanism, and for CURVE the client's key; the reply is
 * version, request id, status, text, user id, metadata.
 *
 * Once the handler is gone libzmq 4.3.4 lets everybody in, so when its
 * thread ends for any reason but sock_zap_close() the process ends too.
 * This is the one place that ends it on purpose: an open door is worse than
 * a restart.
 */
#include "proto/base/sock_zap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "proto/base/err.h"
#include "proto/base/log.h"

#define ENDPOINT "inproc://zeromq.zap.01"
#define FRAMES 7		/* of a CURVE request */
#define FRAME_MAX 255		/* no field of ours is longer */

struct sock_zap {
	void *zmq;
	void *rep;		/* the thread's, once it runs */
	sock_zap_fn fn;
	void *arg;
	pthread_t thread;
	atomic_bool closing;
};

struct request {
	struct frame { uint8_t data[FRAME_MAX + 1]; size_t len; }
	    frame[FRAMES];
	bool whole;		/* the frames it should have, none cut */
};

enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, IDENTITY, MECHANISM, KEY };

static bool
is_text(const struct frame *f, const char *text)
{
	return f->len == strlen(text) && memcmp(f->data, text, f->len) == 0;
}

/* False when the socket is done for. */
static bool
take(struct sock_zap *z, struct request *r)
{
	int more = 1, n, rc;
	size_t len = sizeof(more);

	memset(r, 0, sizeof(*r));
	r->whole = true;
	for (n = 0; more; n++) {
		struct frame spare = { .len = 0 };
		struct frame *f = n < FRAMES ? &r->frame[n] : &spare;

		do
			rc = zmq_recv(z->rep, f->data, FRAME_MAX, 0);
		while (rc < 0 && errno == EINTR);
		if (rc < 0 || zmq_getsockopt(z->rep, ZMQ_RCVMORE, &more,
		    &len) < 0)
			return false;
		if (rc > FRAME_MAX)
			r->whole = false;
		f->len = rc > FRAME_MAX ? FRAME_MAX : (size_t)rc;
	}
	if (n != FRAMES)
		r->whole = false;
	return true;
}

static bool
is_allowed(struct sock_zap *z, const struct request *r)
{
	const struct frame *f = r->frame;

	return r->whole && is_text(&f[VERSION], "1.0") &&
	    is_text(&f[MECHANISM], "CURVE") && f[KEY].len == SOCK_KEY_LEN &&
	    strlen((const char *)f[DOMAIN].data) == f[DOMAIN].len &&
	    z->fn(z->arg, (const char *)f[DOMAIN].data, f[KEY].data);
}

static bool
put(struct sock_zap *z, const void *data, size_t len, int flags)
{
	int rc;

	do
		rc = zmq_send(z->rep, data, len, flags);
	while (rc < 0 && errno == EINTR);
	return rc >= 0;
}

static bool
answer(struct sock_zap *z, const struct request *r, bool allowed)
{
	char user[2 * SOCK_KEY_LEN + 1] = "";

	if (allowed)
		sodium_bin2hex(user, sizeof(user), r->frame[KEY].data,
		    SOCK_KEY_LEN);
	return put(z, "1.0", 3, ZMQ_SNDMORE) &&
	    put(z, r->frame[REQUEST_ID].data, r->frame[REQUEST_ID].len,
	    ZMQ_SNDMORE) &&
	    put(z, allowed ? "200" : "400", 3, ZMQ_SNDMORE) &&
	    put(z, allowed ? "ok" : "no", 2, ZMQ_SNDMORE) &&
	    put(z, user, strlen(user), ZMQ_SNDMORE) &&
	    put(z, "", 0, 0);
}

/* Runs however the thread ends, pthread_exit() in fn included. */
static void
on_end(void *arg)
{
	struct sock_zap *z = arg;

	if (!atomic_load(&z->closing)) {
		log_error("sock.zap_ended", F_S("reason", zmq_strerror(errno)),
		    F_S("action", "ending, or every key would be let in"));
		abort();
	}
	zmq_close(z->rep);
}

static void *
serve(void *arg)
{
	struct sock_zap *z = arg;
	struct request r;

	pthread_cleanup_push(on_end, z);
	while (take(z, &r) && answer(z, &r, is_allowed(z, &r)))
		continue;
	pthread_cleanup_pop(1);
	return NULL;
}

/* Signals are for the threads of the program, not for this one. */
static int
start_thread(struct sock_zap *z)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&z->thread, NULL, serve, z);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int
sock_zap_open(struct sock_zap **out, void *zmq, sock_zap_fn fn, void *arg,
    struct diag *why)
{
	struct sock_zap *z = xcalloc(1, sizeof(*z));
	int linger = 0, rc = ERR_IO;

	z->zmq = zmq;
	z->fn = fn;
	z->arg = arg;
	/* Bound before the thread runs, so that no handshake can be earlier;
	 * pthread_create() is the fence that makes handing it over right. */
	if ((z->rep = zmq_socket(zmq, ZMQ_REP)) == NULL ||
	    zmq_setsockopt(z->rep, ZMQ_LINGER, &linger, sizeof(linger)) < 0 ||
	    zmq_bind(z->rep, ENDPOINT) < 0) {
		rc = errno == EADDRINUSE ? ERR_EXISTS : ERR_IO;
		diag_set(why, rc, "cannot start the ZAP handler: %s",
		    zmq_strerror(errno));
		goto out;
	}
	if (start_thread(z) != 0) {
		diag_set(why, rc, "cannot start the ZAP handler's thread");
		goto out;
	}
	*out = z;
	return 0;
out:
	if (z->rep != NULL)
		zmq_close(z->rep);
	free(z);
	return rc;
}

void
sock_zap_close(struct sock_zap **z)
{
	if (*z == NULL)
		return;
	atomic_store(&(*z)->closing, true);
	zmq_ctx_shutdown((*z)->zmq);
	pthread_join((*z)->thread, NULL);
	free(*z);
	*z = NULL;
}
