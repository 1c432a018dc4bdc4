/*
 * fleet_fixture.h - a fleet over a store, and a client with a DEALER that
 * joins it and speaks to it.
 */
#ifndef UNIT_FLEET_FIXTURE_H
#define UNIT_FLEET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "controller/fleet.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/frame.h"
#include "proto/wire/snapshot.h"
#include "tests/lib/wait.h"

#define S ITEM_SEP_S
#define LOOPBACK "tcp://127.0.0.1:*"

struct fixture {
	char dir[64];
	struct store *s;
	struct fleet *f;
	struct sign_key *root;
	struct signer *signer;
	pthread_mutex_t lock;
	uint8_t secret[SOCK_KEY_LEN];
	atomic_uint events;		/* counted on the fleet's thread */
	/* the client */
	struct sock_ctx *ctx;
	uint8_t mine[SOCK_KEY_LEN], mine_pub[SOCK_KEY_LEN];
	struct sock_msg m;
};

static inline int
store_events(void *arg, const char *node, const struct events *e,
    uint64_t *upto)
{
	struct fixture *f = arg;

	if (strcmp(node, "mx1") != 0)
		return ERR_AUTH;
	f->events += (unsigned)e->n;
	*upto = e->first_seq + e->n - 1;
	return 0;
}

static inline int
start(struct fixture *f)
{
	struct fleet_conf c = { .store = f->s, .lock = &f->lock,
	    .signer = f->signer, .root = sign_key_public(f->root),
	    .secret = f->secret, .control = LOOPBACK, .events = LOOPBACK,
	    .enroll = LOOPBACK, .on_events = store_events, .arg = f };

	return fleet_start(&f->f, &c, NULL);
}

static inline int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct publisher_cert c = { .serial = 1,
	    .not_after_us = INT64_MAX / 2 };
	uint8_t pub[SOCK_KEY_LEN];
	pthread_mutexattr_t attr;
	struct sign_key *key;

	*state = f;
	strcpy(f->dir, "/tmp/postern-fleet-XXXXXX");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&f->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	buf_init(&f->m.data, 0);
	sock_keypair(pub, f->secret);
	sock_keypair(f->mine_pub, f->mine);
	f->ctx = sock_ctx_new();
	if (mkdtemp(f->dir) == NULL || store_open(&f->s, f->dir, NULL) < 0 ||
	    sign_key_new(&f->root) < 0 || sign_key_new(&key) < 0)
		return -1;
	return signer_make(&f->signer, f->root, &key, &c) < 0 ? -1 :
	    start(f);
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;

	fleet_stop(&f->f);
	sock_ctx_free(&f->ctx);
	store_close(&f->s);
	sign_key_free(&f->root);
	signer_unref(&f->signer);
	buf_fini(&f->m.data);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

static inline struct sock *
dial(struct fixture *f, enum fleet_socket which)
{
	uint8_t server[SOCK_KEY_LEN];
	struct sock *s;

	sock_public(f->secret, server);
	assert_int_equal(sock_connect(&s, f->ctx, &(struct sock_conf){
	    .endpoint = fleet_endpoint(f->f, which), .secret = f->mine,
	    .server = server, .max_msg = FRAME_MAX, .hwm = 64 }, NULL), 0);
	return s;
}

static inline void
tell(struct sock *s, const struct buf *b)
{
	int rc;

	assert_int_equal(b->err, 0);
	while ((rc = sock_send(s, NULL, b->data, b->len)) == ERR_AGAIN)
		sock_poll(&(struct sock_poll){ .sock = s }, 1, 20);
	assert_int_equal(rc, 0);
}

/* Wait for a frame of this type, passing by others; false after wait_ms. */
static inline bool
hear(struct fixture *f, struct sock *s, uint8_t type, int wait_ms)
{
	uint64_t end = clock_mono_ms() + (uint64_t)wait_ms;

	while (clock_mono_ms() < end) {
		sock_poll(&(struct sock_poll){ .sock = s }, 1, 50);
		while (sock_recv(s, &f->m) == 0)
			if (frame_type(f->m.data.data, f->m.data.len) == type)
				return true;
	}
	return false;
}

static inline void
enroll(const struct join_token *t, struct sock *s)
{
	struct enroll e = { .name = "mx1" };
	struct buf b;

	memcpy(e.secret, t->secret, sizeof(e.secret));
	buf_init(&b, 0);
	frame_begin(&b, FRAME_ENROLL);
	enroll_encode(&e, &b);
	tell(s, &b);
	buf_fini(&b);
}

static inline void
make_token(struct fixture *f, uint64_t ttl_ms, struct join_token *t)
{
	int64_t expires;
	struct buf b;

	buf_init(&b, 0);
	assert_int_equal(fleet_token(f->f, ttl_ms, NULL, &b, &expires, NULL),
	    0);
	assert_int_equal(token_parse(b.data, t, NULL), 0);
	assert_int_equal(t->expires_us, expires);
	assert_string_equal(t->endpoint, fleet_endpoint(f->f, FLEET_ENROLL));
	buf_fini(&b);
}

static inline void
enter(struct fixture *f, struct enrolled *e)
{
	struct sock *s = dial(f, FLEET_ENROLL);
	struct join_token t;
	struct bytes in;

	make_token(f, 60000, &t);
	enroll(&t, s);
	assert_true(hear(f, s, FRAME_ENROLLED, WAIT_MS));
	assert_int_equal(frame_payload(f->m.data.data, f->m.data.len,
	    FRAME_ENROLLED, &in), 0);
	assert_int_equal(enrolled_decode(e, in, NULL), 0);
	sock_close(&s);
}

/* Toggle one group; the version is in force. */
static inline void
commit_one(struct fixture *f)
{
	struct commit info = { .actor = "test", .action = "apply" };
	const struct item *old;
	struct change c = { 0 };
	uint64_t v;

	pthread_mutex_lock(&f->lock);
	old = items_get(store_items(f->s), "group" S "g");
	change_add(&c, "group" S "g", old, old == NULL ? "{}" : NULL,
	    old == NULL ? "cli" : NULL);
	assert_int_equal(store_commit(f->s, &c, &info, &v, NULL), 0);
	pthread_mutex_unlock(&f->lock);
	change_fini(&c);
}

static inline void
publish_one(struct fixture *f)
{
	struct store_view *v;
	struct publication *p;
	atomic_bool stop = false;
	struct head h;
	char dir[96];

	commit_one(f);
	snprintf(dir, sizeof(dir), "%s/published", f->dir);
	pthread_mutex_lock(&f->lock);
	v = store_view_new(f->s);
	pthread_mutex_unlock(&f->lock);
	h = *store_view_head(v);
	h.engine = 1;
	assert_int_equal(publish(&p, v, signer_key(f->signer), dir, &stop,
	    NULL), 0);
	store_view_free(&v);
	fleet_publish(f->f, p);
	fleet_advance(f->f, &h, bytes_of(NULL, 0));
}

/* The next version as a delta. */
static inline void
advance_one(struct fixture *f)
{
	struct delta d;
	struct head h;
	struct buf frame;

	commit_one(f);
	pthread_mutex_lock(&f->lock);
	store_head(f->s, &h, NULL);
	h.engine = 1;
	assert_int_equal(store_delta(f->s, h.version - 1, NULL, h.version, &d,
	    NULL), 0);
	pthread_mutex_unlock(&f->lock);
	d.engine = 1;
	d.issued_us = clock_wall_us();
	buf_init(&frame, 0);
	assert_int_equal(delta_sign(&d, signer_key(f->signer), &frame), 0);
	fleet_advance(f->f, &h, bytes_of(frame.data, frame.len));
	buf_fini(&frame);
	delta_fini(&d);
}

static inline void
send_ack(struct sock *s, const struct head *h, enum nack nack)
{
	struct ack a = { .accepted = h->version, .engine = h->engine,
	    .nack = nack };
	struct buf b;

	if (nack == NACK_NONE) {
		a.enforced = h->version;
		memcpy(a.digest, h->digest, DIGEST_LEN);
	} else
		a.nack_version = h->version;
	buf_init(&b, 0);
	frame_begin(&b, FRAME_ACK);
	ack_encode(&a, &b);
	tell(s, &b);
	buf_fini(&b);
}

static inline void
wait_state(struct fixture *f, enum node_state want)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	struct node_info n;

	do {
		assert_int_equal(fleet_node(f->f, "mx1", &n), 0);
		if (n.state != want)
			sock_poll(NULL, 0, 5);
	} while (n.state != want && clock_mono_ms() < end);
	assert_string_equal(node_state_name(n.state), node_state_name(want));
}

static inline void
hear_head(struct fixture *f, struct sock *s, struct head *h)
{
	struct bytes in;

	assert_true(hear(f, s, FRAME_HEAD, WAIT_MS));
	assert_int_equal(frame_open(f->m.data.data, f->m.data.len, FRAME_HEAD,
	    signer_about(f->signer)->key, &in, NULL), 0);
	assert_int_equal(head_decode(h, in, NULL), 0);
}

#endif
