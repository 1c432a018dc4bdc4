/*
 * sock.c - ZeroMQ sockets with CURVE, credit-friendly limits and one owner.
 *
 * A ROUTER takes a new connection with a known routing id over the old one
 * (HANDOVER), since a client that starts again comes before its old
 * connection is known to be dead.  The id is the hash of the client's key,
 * and the key behind each message is looked at: what comes under a foreign
 * id is dropped and the key logged, so that it can be revoked.  Until the
 * right client connects again, though, such a client (which holds a key of
 * ours) gets what is sent to that id: nothing sent may be a secret from
 * another enrolled client.
 */
#include "proto/base/sock.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/base/sock_zap.h"

/* zmq.h hides it as a draft; the library knows it. */
#define ZAP_ENFORCE_DOMAIN 93

/* libzmq measures what is on the wire: "\x07MESSAGE", nonce, tag, flags. */
#define CURVE_OVERHEAD (8 + 8 + 16 + 1)

#define HANDSHAKE_MS 5000
#define HEARTBEAT_MS 2000
#define HEARTBEAT_TIMEOUT_MS 6000
#define UNSENT_MAX_MS 15000
#define RECONNECT_MS 100		/* to twice that, drawn once a socket */
#define RECONNECT_MAX_MS 4000
#define BACKLOG 4096
#define DROPS_A_CALL 64		/* then the caller gets its turn */
#define ENDPOINT_MAX 256

struct sock_ctx {
	void *zmq;
	struct sock_zap *zap;
	atomic_uint socks;
};

struct sock {
	struct sock_ctx *ctx;
	void *zmq;
	bool server;
	pthread_t owner;
	uint64_t dropped;
	char endpoint[ENDPOINT_MAX];
};

struct sock_ctx *
sock_ctx_new(void)
{
	struct sock_ctx *ctx = xcalloc(1, sizeof(*ctx));

	/* Fails when memory is out; as xmalloc(). */
	if (sodium_init() < 0 || (ctx->zmq = zmq_ctx_new()) == NULL)
		abort();
	return ctx;
}

void
sock_ctx_free(struct sock_ctx **ctx)
{
	if (*ctx == NULL)
		return;
	/* zmq_ctx_term() would wait for it for ever. */
	assert(atomic_load(&(*ctx)->socks) == 0);
	sock_zap_close(&(*ctx)->zap);
	while (zmq_ctx_term((*ctx)->zmq) < 0 && errno == EINTR)
		continue;
	free(*ctx);
	*ctx = NULL;
}

int
sock_zap_start(struct sock_ctx *ctx, sock_zap_fn fn, void *arg,
    struct diag *why)
{
	return sock_zap_open(&ctx->zap, ctx->zmq, fn, arg, why);
}

void
sock_keypair(uint8_t pub[SOCK_KEY_LEN], uint8_t sec[SOCK_KEY_LEN])
{
	_Static_assert(SOCK_KEY_LEN == crypto_box_SECRETKEYBYTES, "key size");
	if (sodium_init() < 0)
		abort();
	crypto_box_keypair(pub, sec);
}

void
sock_public(const uint8_t sec[SOCK_KEY_LEN], uint8_t pub[SOCK_KEY_LEN])
{
	crypto_scalarmult_base(pub, sec);
}

void
sock_client_id(const uint8_t pub[SOCK_KEY_LEN], uint8_t id[SOCK_ID_LEN])
{
	crypto_generichash(id, SOCK_ID_LEN, pub, SOCK_KEY_LEN, NULL, 0);
	/* Ids that begin with 0 are those libzmq gives out itself. */
	id[0] |= 1;
}

/* 4.3.4 is the first without the faults we know of before a handshake. */
static int
check_library(struct diag *why)
{
	int major, minor, patch;

	zmq_version(&major, &minor, &patch);
	if (major * 10000 + minor * 100 + patch < 40304)
		return diag_set(why, ERR_VERSION,
		    "libzmq %d.%d.%d is too old: 4.3.4 or newer is needed",
		    major, minor, patch);
	if (!zmq_has("curve"))
		return diag_set(why, ERR_VERSION,
		    "this libzmq was built without CURVE");
	return 0;
}

static int
check_conf(const struct sock_ctx *ctx, const struct sock_conf *conf,
    bool server, struct diag *why)
{
	if (server && ctx->zap == NULL)
		return diag_set(why, ERR_INVAL, "no ZAP handler runs: "
		    "%s would let every key in", conf->endpoint);
	if (conf->secret == NULL ||
	    (server ? conf->zap_domain : (const void *)conf->server) == NULL)
		return diag_set(why, ERR_INVAL, "%s: a key or the domain "
		    "is missing", conf->endpoint);
	/* On inproc libzmq leaves CURVE out without a word. */
	if (strncmp(conf->endpoint, "tcp://", 6) != 0)
		return diag_set(why, ERR_INVAL, "%s: an address begins with "
		    "tcp://", conf->endpoint);
	if (conf->max_msg == 0 || conf->hwm <= 0)
		return diag_set(why, ERR_INVAL, "%s: a socket needs limits",
		    conf->endpoint);
	return check_library(why);
}

static bool
set_int(const struct sock *s, int option, int value)
{
	return zmq_setsockopt(s->zmq, option, &value, sizeof(value)) == 0;
}

static bool
set_limits(const struct sock *s, const struct sock_conf *conf)
{
	int64_t max_msg = (int64_t)conf->max_msg + CURVE_OVERHEAD;
	/* libzmq adds up to the first wait to each: not enough where a
	 * thousand lost the same server, whose waits would all double in
	 * step.  From a first one between one and two times the least, they
	 * cover each stretch of time evenly. */
	int first_ms = RECONNECT_MS + (int)randombytes_uniform(RECONNECT_MS);
	int max_ms = RECONNECT_MAX_MS - (int)randombytes_uniform(
	    RECONNECT_MAX_MS / 2);

	return zmq_setsockopt(s->zmq, ZMQ_MAXMSGSIZE, &max_msg,
	    sizeof(max_msg)) == 0 &&
	    set_int(s, ZMQ_SNDHWM, conf->hwm) &&
	    set_int(s, ZMQ_RCVHWM, conf->hwm) &&
	    set_int(s, ZMQ_LINGER, 0) &&
	    set_int(s, ZMQ_BACKLOG, BACKLOG) &&
	    set_int(s, ZMQ_IPV6, strchr(conf->endpoint, '[') != NULL) &&
	    set_int(s, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
	    set_int(s, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS) &&
	    set_int(s, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS) &&
	    set_int(s, ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS) &&
	    set_int(s, ZMQ_TCP_MAXRT, UNSENT_MAX_MS) &&
	    set_int(s, ZMQ_RECONNECT_IVL, first_ms) &&
	    set_int(s, ZMQ_RECONNECT_IVL_MAX, max_ms);
}

static bool
set_server(const struct sock *s, const struct sock_conf *conf)
{
	return set_int(s, ZMQ_CURVE_SERVER, 1) &&
	    zmq_setsockopt(s->zmq, ZMQ_CURVE_SECRETKEY, conf->secret,
	    SOCK_KEY_LEN) == 0 &&
	    zmq_setsockopt(s->zmq, ZMQ_ZAP_DOMAIN, conf->zap_domain,
	    strlen(conf->zap_domain)) == 0 &&
	    set_int(s, ZAP_ENFORCE_DOMAIN, 1) &&
	    set_int(s, ZMQ_ROUTER_MANDATORY, 1) &&
	    set_int(s, ZMQ_ROUTER_HANDOVER, 1);
}

static bool
set_client(const struct sock *s, const struct sock_conf *conf)
{
	uint8_t pub[SOCK_KEY_LEN], id[SOCK_ID_LEN];

	sock_public(conf->secret, pub);
	sock_client_id(pub, id);
	return zmq_setsockopt(s->zmq, ZMQ_CURVE_SERVERKEY, conf->server,
	    SOCK_KEY_LEN) == 0 &&
	    zmq_setsockopt(s->zmq, ZMQ_CURVE_PUBLICKEY, pub,
	    SOCK_KEY_LEN) == 0 &&
	    zmq_setsockopt(s->zmq, ZMQ_CURVE_SECRETKEY, conf->secret,
	    SOCK_KEY_LEN) == 0 &&
	    zmq_setsockopt(s->zmq, ZMQ_ROUTING_ID, id, sizeof(id)) == 0;
}

static int
map_errno(int errnum)
{
	switch (errnum) {
	case EADDRINUSE:
		return ERR_BUSY;
	case EINVAL:
	case ENODEV:
	case EADDRNOTAVAIL:
	case EPROTONOSUPPORT:
		return ERR_INVAL;
	default:
		return ERR_IO;
	}
}

static int
attach(struct sock *s, const struct sock_conf *conf)
{
	size_t len = sizeof(s->endpoint);

	if (!s->server) {
		snprintf(s->endpoint, len, "%s", conf->endpoint);
		return zmq_connect(s->zmq, conf->endpoint);
	}
	if (zmq_bind(s->zmq, conf->endpoint) < 0)
		return -1;
	return zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, s->endpoint, &len);
}

static int
make(struct sock **out, struct sock_ctx *ctx, const struct sock_conf *conf,
    bool server, struct diag *why)
{
	struct sock *s;
	int rc;

	*out = NULL;
	if ((rc = check_conf(ctx, conf, server, why)) < 0)
		return rc;
	s = xcalloc(1, sizeof(*s));
	s->ctx = ctx;
	s->server = server;
	s->owner = pthread_self();
	atomic_fetch_add(&ctx->socks, 1);
	s->zmq = zmq_socket(ctx->zmq, server ? ZMQ_ROUTER : ZMQ_DEALER);
	if (s->zmq == NULL || !set_limits(s, conf) ||
	    !(server ? set_server(s, conf) : set_client(s, conf)) ||
	    attach(s, conf) < 0) {
		rc = diag_set(why, map_errno(errno), "cannot %s %s: %s",
		    server ? "listen on" : "connect to", conf->endpoint,
		    zmq_strerror(errno));
		sock_close(&s);
		return rc;
	}
	*out = s;
	return 0;
}

int
sock_serve(struct sock **out, struct sock_ctx *ctx,
    const struct sock_conf *conf, struct diag *why)
{
	return make(out, ctx, conf, true, why);
}

int
sock_connect(struct sock **out, struct sock_ctx *ctx,
    const struct sock_conf *conf, struct diag *why)
{
	return make(out, ctx, conf, false, why);
}

/* libzmq's own locks do not cover a socket used from two threads. */
static void
check_owner(const struct sock *s)
{
	assert(pthread_equal(s->owner, pthread_self()));
}

void
sock_close(struct sock **s)
{
	if (*s == NULL)
		return;
	check_owner(*s);
	if ((*s)->zmq != NULL)
		zmq_close((*s)->zmq);
	atomic_fetch_sub(&(*s)->ctx->socks, 1);
	free(*s);
	*s = NULL;
}

const char *
sock_endpoint(const struct sock *s)
{
	return s->endpoint;
}

static int
map_send_errno(int errnum)
{
	return errnum == EAGAIN || errnum == EINTR ? ERR_AGAIN :
	    errnum == EHOSTUNREACH ? ERR_UNREACH : ERR_IO;
}

/* All that can fail came before the id: after it the frame must go, or the
 * socket would be left in the middle of a message.  Closes msg. */
static int
send_msg(struct sock *s, const uint8_t *peer, zmq_msg_t *msg)
{
	int rc = 0;

	if (peer != NULL && zmq_send(s->zmq, peer, SOCK_ID_LEN,
	    ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
		rc = map_send_errno(errno);
	else if (zmq_msg_send(msg, s->zmq, ZMQ_DONTWAIT) < 0)
		rc = map_send_errno(errno);
	if (rc != 0)
		zmq_msg_close(msg);
	return rc;
}

int
sock_send(struct sock *s, const uint8_t *peer, const void *data, size_t len)
{
	zmq_msg_t msg;

	check_owner(s);
	assert(s->server == (peer != NULL));
	if (zmq_msg_init_size(&msg, len) < 0)
		return ERR_IO;
	if (len > 0)
		memcpy(zmq_msg_data(&msg), data, len);
	return send_msg(s, peer, &msg);
}

/* --- shared bytes -------------------------------------------------------- */

struct sock_blob { atomic_int refs; size_t len; uint8_t data[]; };

struct sock_blob *
sock_blob_new(size_t len)
{
	struct sock_blob *b = xmalloc(sizeof(*b) + len);

	atomic_init(&b->refs, 1);
	b->len = len;
	return b;
}

void
sock_blob_unref(struct sock_blob **b)
{
	if (*b != NULL && atomic_fetch_sub(&(*b)->refs, 1) == 1)
		free(*b);
	*b = NULL;
}

void *
sock_blob_data(struct sock_blob *b)
{
	return b->data;
}

size_t
sock_blob_len(const struct sock_blob *b)
{
	return b->len;
}

/* On a thread of libzmq's. */
static void
let_go(void *data, void *blob)
{
	struct sock_blob *b = blob;

	(void)data;
	sock_blob_unref(&b);
}

int
sock_send_blob(struct sock *s, const uint8_t *peer, struct sock_blob *b)
{
	zmq_msg_t msg;

	check_owner(s);
	assert(s->server == (peer != NULL));
	atomic_fetch_add(&b->refs, 1);
	if (zmq_msg_init_data(&msg, b->data, b->len, let_go, b) < 0) {
		sock_blob_unref(&(struct sock_blob *){ b });
		return ERR_IO;
	}
	return send_msg(s, peer, &msg);
}

/* What is left of a message that is not wanted. */
static void
skip_rest(const struct sock *s, zmq_msg_t *msg)
{
	while (zmq_msg_more(msg) &&
	    zmq_msg_recv(msg, s->zmq, ZMQ_DONTWAIT) >= 0)
		continue;
}

/* The key that the ZAP handler let in, as it wrote it. */
static bool
proved_key(zmq_msg_t *msg, uint8_t key[SOCK_KEY_LEN])
{
	const char *user = zmq_msg_gets(msg, "User-Id");
	size_t len;

	return user != NULL && sodium_hex2bin(key, SOCK_KEY_LEN, user,
	    strlen(user), NULL, &len, NULL) == 0 && len == SOCK_KEY_LEN;
}

/* Somebody must look at it, but not once for each message. */
static void
drop(struct sock *s, const struct sock_msg *m, const char *reason)
{
	char from[2 * SOCK_KEY_LEN + 1] = "";

	s->dropped++;
	if ((s->dropped & (s->dropped - 1)) != 0)
		return;
	if (s->server)
		sodium_bin2hex(from, sizeof(from), m->key, SOCK_KEY_LEN);
	log_warning("sock.dropped", F_S("endpoint", s->endpoint),
	    F_S("public_key", from), F_S("reason", reason),
	    F_U("count", s->dropped));
}

/* Take the frame behind a ROUTER's id, which msg holds; is the id right? */
static bool
is_own_id(const struct sock *s, zmq_msg_t *msg, struct sock_msg *m)
{
	uint8_t id[SOCK_ID_LEN], want[SOCK_ID_LEN];
	bool fits = zmq_msg_size(msg) == sizeof(id);
	const char *address;

	if (fits)
		memcpy(id, zmq_msg_data(msg), sizeof(id));
	if (!zmq_msg_more(msg) ||
	    zmq_msg_recv(msg, s->zmq, ZMQ_DONTWAIT) < 0 ||
	    !fits || !proved_key(msg, m->key))
		return false;
	sock_client_id(m->key, want);
	memcpy(m->peer, want, sizeof(want));
	address = zmq_msg_gets(msg, "Peer-Address");
	snprintf(m->address, sizeof(m->address), "%s", address == NULL ? "" :
	    address);
	return memcmp(id, want, sizeof(id)) == 0;
}

static bool
take_data(struct sock *s, zmq_msg_t *msg, struct sock_msg *m)
{
	memset(m->key, 0, sizeof(m->key));
	if (s->server && !is_own_id(s, msg, m)) {
		skip_rest(s, msg);
		drop(s, m, "routing id is not of its key");
		return false;
	}
	if (zmq_msg_more(msg)) {
		skip_rest(s, msg);
		drop(s, m, "more than one frame");
		return false;
	}
	buf_reset(&m->data);
	buf_put(&m->data, zmq_msg_data(msg), zmq_msg_size(msg));
	if (m->data.err == 0)
		return true;
	drop(s, m, err_text(m->data.err));
	return false;
}

int
sock_recv(struct sock *s, struct sock_msg *m)
{
	zmq_msg_t msg;
	int i, rc = ERR_AGAIN;

	check_owner(s);
	zmq_msg_init(&msg);
	for (i = 0; i < DROPS_A_CALL && rc != 0; i++) {
		if (zmq_msg_recv(&msg, s->zmq, ZMQ_DONTWAIT) < 0)
			break;
		if (take_data(s, &msg, m))
			rc = 0;
	}
	zmq_msg_close(&msg);
	return rc;
}

uint64_t
sock_dropped(const struct sock *s)
{
	return s->dropped;
}

int
sock_poll(struct sock_poll *items, size_t n, int timeout_ms)
{
	zmq_pollitem_t poll[SOCK_POLL_MAX];
	size_t i;

	assert(n <= SOCK_POLL_MAX);
	for (i = 0; i < n; i++) {
		if (items[i].sock != NULL)
			check_owner(items[i].sock);
		items[i].ready = false;
		poll[i] = (zmq_pollitem_t){
			.socket = items[i].sock ? items[i].sock->zmq : NULL,
			.fd = items[i].fd, .events = ZMQ_POLLIN };
	}
	if (zmq_poll(poll, (int)n, timeout_ms) < 0)
		return errno == EINTR ? 0 : ERR_IO;
	for (i = 0; i < n; i++)
		items[i].ready = poll[i].revents != 0;
	return 0;
}
