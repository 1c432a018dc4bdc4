/*
 * test_fleet.c - a client with a DEALER joins, fetches, acknowledges, sends
 * events and is revoked.
 */
#include <setjmp.h>
#include <stdarg.h>
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
	unsigned events;
	/* the client */
	struct sock_ctx *ctx;
	uint8_t mine[SOCK_KEY_LEN], mine_pub[SOCK_KEY_LEN];
	struct sock_msg m;
};

static int
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

static int
start(struct fixture *f)
{
	struct fleet_conf c = { .store = f->s, .lock = &f->lock,
	    .signer = f->signer, .root = sign_key_public(f->root),
	    .secret = f->secret, .control = LOOPBACK, .events = LOOPBACK,
	    .enroll = LOOPBACK, .on_events = store_events, .arg = f };

	return fleet_start(&f->f, &c, NULL);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct publisher_cert c = { .serial = 1,
	    .not_after_us = INT64_MAX / 2 };
	uint8_t pub[SOCK_KEY_LEN];
	struct sign_key *key;

	*state = f;
	strcpy(f->dir, "/tmp/postern-fleet-XXXXXX");
	pthread_mutex_init(&f->lock, NULL);
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

static int
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

static struct sock *
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

static void
tell(struct sock *s, const struct buf *b)
{
	int rc;

	assert_int_equal(b->err, 0);
	while ((rc = sock_send(s, NULL, b->data, b->len)) == ERR_AGAIN)
		sock_poll(&(struct sock_poll){ .sock = s }, 1, 20);
	assert_int_equal(rc, 0);
}

/* Wait for a frame of this type, passing by others; false after wait_ms. */
static bool
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

static void
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

static void
make_token(struct fixture *f, uint64_t ttl_ms, struct join_token *t)
{
	int64_t expires;
	struct buf b;

	buf_init(&b, 0);
	assert_int_equal(fleet_token(f->f, ttl_ms, &b, &expires, NULL), 0);
	assert_int_equal(token_parse(b.data, t, NULL), 0);
	assert_int_equal(t->expires_us, expires);
	assert_string_equal(t->endpoint, fleet_endpoint(f->f, FLEET_ENROLL));
	buf_fini(&b);
}

static void
join(struct fixture *f, struct enrolled *e)
{
	struct sock *s = dial(f, FLEET_ENROLL);
	struct join_token t;
	struct bytes in;

	make_token(f, 60000, &t);
	enroll(&t, s);
	assert_true(hear(f, s, FRAME_ENROLLED, 5000));
	assert_int_equal(frame_payload(f->m.data.data, f->m.data.len,
	    FRAME_ENROLLED, &in), 0);
	assert_int_equal(enrolled_decode(e, in, NULL), 0);
	sock_close(&s);
}

/* Toggle one group; the version is in force. */
static void
commit_one(struct fixture *f)
{
	const struct item *old = items_get(store_items(f->s), "group" S "g");
	struct commit info = { .actor = "test", .action = "apply" };
	struct change c = { 0 };
	uint64_t v;

	change_add(&c, "group" S "g", old, old == NULL ? "{}" : NULL,
	    old == NULL ? "cli" : NULL);
	assert_int_equal(store_commit(f->s, &c, &info, &v, NULL), 0);
	change_fini(&c);
}

static void
publish_one(struct fixture *f)
{
	struct store_view *v;
	struct publication *p;
	atomic_bool stop = false;
	struct head h;
	char dir[96];

	commit_one(f);
	snprintf(dir, sizeof(dir), "%s/published", f->dir);
	v = store_view_new(f->s);
	h = *store_view_head(v);
	h.engine = 1;
	assert_int_equal(publish(&p, v, signer_key(f->signer), dir, &stop,
	    NULL), 0);
	store_view_free(&v);
	fleet_publish(f->f, p);
	fleet_advance(f->f, &h, bytes_of(NULL, 0));
}

/* The next version as a delta. */
static void
advance_one(struct fixture *f)
{
	struct delta d;
	struct head h;
	struct buf frame;

	commit_one(f);
	store_head(f->s, &h, NULL);
	h.engine = 1;
	assert_int_equal(store_delta(f->s, h.version - 1, NULL, h.version, &d,
	    NULL), 0);
	d.engine = 1;
	d.issued_us = clock_wall_us();
	buf_init(&frame, 0);
	assert_int_equal(delta_sign(&d, signer_key(f->signer), &frame), 0);
	fleet_advance(f->f, &h, bytes_of(frame.data, frame.len));
	buf_fini(&frame);
	delta_fini(&d);
}

static void
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

static void
wait_state(struct fixture *f, enum node_state want)
{
	uint64_t end = clock_mono_ms() + 5000;
	struct node_info n;

	do {
		assert_int_equal(fleet_node(f->f, "mx1", &n), 0);
		if (n.state != want)
			sock_poll(NULL, 0, 5);
	} while (n.state != want && clock_mono_ms() < end);
	assert_string_equal(node_state_name(n.state), node_state_name(want));
}

static void
hear_head(struct fixture *f, struct sock *s, struct head *h)
{
	struct bytes in;

	assert_true(hear(f, s, FRAME_HEAD, 5000));
	assert_int_equal(frame_open(f->m.data.data, f->m.data.len, FRAME_HEAD,
	    signer_about(f->signer)->key, &in, NULL), 0);
	assert_int_equal(head_decode(h, in, NULL), 0);
}

static void
fetch_all(struct fixture *f, struct sock *s, const struct head *h)
{
	struct chunk_req r = { .first = 0, .n = 1 };
	struct manifest m;
	struct bytes in;
	struct buf b;

	buf_init(&b, 0);
	frame_begin(&b, FRAME_MANIFEST_REQ);
	buf_put(&b, h->manifest_id, HASH_LEN);
	tell(s, &b);
	assert_true(hear(f, s, FRAME_MANIFEST, 5000));
	assert_int_equal(frame_open(f->m.data.data, f->m.data.len,
	    FRAME_MANIFEST, signer_about(f->signer)->key, &in, NULL), 0);
	assert_int_equal(manifest_decode(&m, in, NULL), 0);
	assert_int_equal(m.chunks_n, 1);
	memcpy(r.manifest_id, h->manifest_id, HASH_LEN);
	buf_reset(&b);
	frame_begin(&b, FRAME_CHUNK_REQ);
	chunk_req_encode(&r, &b);
	tell(s, &b);
	assert_true(hear(f, s, FRAME_CHUNK, 5000));
	assert_int_equal(chunk_check(&m.chunks[0], f->m.data.data + 5,
	    f->m.data.len - 5), 0);
	manifest_fini(&m);
	buf_fini(&b);
}

static void
node_joined_fetches_the_snapshot_and_is_current(void **state)
{
	struct fixture *f = *state;
	struct enrolled e;
	struct head h;
	struct sock *s;

	join(f, &e);
	assert_string_equal(e.node_id, "mx1");
	assert_string_equal(e.control, fleet_endpoint(f->f, FLEET_CONTROL));
	wait_state(f, NODE_AWAY);
	s = dial(f, FLEET_CONTROL);
	publish_one(f);
	hear_head(f, s, &h);
	assert_int_equal(h.version, 1);
	fetch_all(f, s, &h);
	wait_state(f, NODE_JOINING);
	send_ack(s, &h, NACK_DISK);
	wait_state(f, NODE_REFUSING);
	send_ack(s, &h, NACK_NONE);
	wait_state(f, NODE_CURRENT);
	sock_close(&s);
}

static void
token_used_unknown_or_expired_is_refused(void **state)
{
	struct fixture *f = *state;
	struct join_token t[3];
	struct enrolled e;
	struct sock *s;
	size_t i;

	make_token(f, 60000, &t[0]);
	s = dial(f, FLEET_ENROLL);
	enroll(&t[0], s);
	assert_true(hear(f, s, FRAME_ENROLLED, 5000));
	sock_close(&s);
	make_token(f, 0, &t[1]);
	t[2] = t[0];
	t[2].secret[0] ^= 1;
	for (i = 0; i < 3; i++) {
		sock_keypair(f->mine_pub, f->mine);
		s = dial(f, FLEET_ENROLL);
		enroll(&t[i], s);
		assert_true(hear(f, s, FRAME_REFUSED, 5000));
		sock_close(&s);
	}
	join(f, &e);
	assert_string_equal(e.node_id, "mx1-2");	/* never another's */
}

static void
events_are_acknowledged_up_to_what_was_stored(void **state)
{
	struct fixture *f = *state;
	struct bytes one[2] = { bytes_of("a", 1), bytes_of("b", 1) }, in;
	struct events ev = { .first_seq = 7, .n = 2, .event = one };
	struct enrolled e;
	struct eack a;
	struct sock *s;
	struct buf b;

	join(f, &e);
	s = dial(f, FLEET_EVENTS);
	buf_init(&b, 0);
	frame_begin(&b, FRAME_EVENTS);
	events_encode(&ev, &b);
	tell(s, &b);
	assert_true(hear(f, s, FRAME_EACK, 5000));
	assert_int_equal(frame_payload(f->m.data.data, f->m.data.len,
	    FRAME_EACK, &in), 0);
	assert_int_equal(eack_decode(&a, in, NULL), 0);
	assert_int_equal(a.upto_seq, 8);
	assert_int_equal(f->events, 2);
	sock_close(&s);
	buf_fini(&b);
}

static void
node_revoked_is_not_heard_even_when_connected(void **state)
{
	struct fixture *f = *state;
	struct node_info n;
	struct enrolled e;
	struct head h;
	struct sock *s;

	join(f, &e);
	publish_one(f);
	s = dial(f, FLEET_CONTROL);
	hear_head(f, s, &h);
	assert_int_equal(fleet_revoke(f->f, "nobody", NULL), ERR_NOENT);
	assert_int_equal(fleet_revoke(f->f, "mx1", NULL), 0);
	while (hear(f, s, FRAME_HEAD, 1))
		continue;	/* those that were on their way */
	send_ack(s, &h, NACK_NONE);
	assert_false(hear(f, s, FRAME_HEAD, 1300));
	assert_int_equal(fleet_node(f->f, "mx1", &n), ERR_NOENT);
	sock_close(&s);
	/* and after a start */
	fleet_stop(&f->f);
	assert_int_equal(start(f), 0);
	assert_int_equal(fleet_node(f->f, "mx1", &n), ERR_NOENT);
}

static void
ask_delta(struct sock *s, const struct head *h)
{
	struct delta_req r = { .version = h->version };
	struct buf b;

	memcpy(r.digest, h->digest, DIGEST_LEN);
	buf_init(&b, 0);
	frame_begin(&b, FRAME_DELTA_REQ);
	delta_req_encode(&r, &b);
	tell(s, &b);
	buf_fini(&b);
}

static void
hear_delta(struct fixture *f, struct sock *s, uint64_t from, uint64_t to)
{
	struct delta d;

	assert_true(hear(f, s, FRAME_DELTA, 5000));
	assert_int_equal(delta_open(&d, bytes_of(f->m.data.data,
	    f->m.data.len), signer_about(f->signer)->key, NULL), 0);
	assert_int_equal(d.from_version, from);
	assert_int_equal(d.to_version, to);
	delta_fini(&d);
}

static void
node_gets_deltas_unasked_and_what_it_missed_when_it_asks(void **state)
{
	struct fixture *f = *state;
	struct enrolled e;
	struct node_info n;
	struct head h;
	struct sock *s;

	join(f, &e);
	s = dial(f, FLEET_CONTROL);
	publish_one(f);
	hear_head(f, s, &h);
	send_ack(s, &h, NACK_NONE);
	wait_state(f, NODE_CURRENT);
	advance_one(f);
	hear_delta(f, s, 1, 2);
	advance_one(f);			/* not acknowledged yet: sent on */
	hear_delta(f, s, 2, 3);
	ask_delta(s, &h);		/* both at once, as one */
	hear_delta(f, s, 1, 3);
	wait_state(f, NODE_BEHIND);
	assert_int_equal(fleet_node(f->f, "mx1", &n), 0);
	assert_int_equal(n.deltas, 3);
	assert_int_equal(n.chunks, 0);
	assert_true(n.lag_us >= 0);
	sock_close(&s);
}

static void
delta_from_what_is_not_known_here_is_gone(void **state)
{
	struct fixture *f = *state;
	struct delta_req r;
	struct enrolled e;
	struct bytes in;
	struct head h, now;
	struct sock *s;

	join(f, &e);
	s = dial(f, FLEET_CONTROL);
	publish_one(f);
	hear_head(f, s, &h);
	advance_one(f);
	do
		hear_head(f, s, &now);
	while (now.version < 2);
	h.digest[0] ^= 1;
	ask_delta(s, &h);
	assert_true(hear(f, s, FRAME_DELTA_GONE, 5000));
	assert_int_equal(frame_payload(f->m.data.data, f->m.data.len,
	    FRAME_DELTA_GONE, &in), 0);
	assert_int_equal(delta_req_decode(&r, in, NULL), 0);
	assert_int_equal(r.version, 1);
	assert_memory_equal(r.digest, h.digest, DIGEST_LEN);
	ask_delta(s, &now);		/* it is there already */
	assert_false(hear(f, s, FRAME_DELTA_GONE, 200));
	sock_close(&s);
}

/* The certificate comes before what is signed under it, and again to who did
 * not take it. */
static void
rekey_tells_the_certificate_first(void **state)
{
	struct publisher_cert c = { .serial = 2,
	    .not_after_us = INT64_MAX / 2 };
	struct fixture *f = *state;
	struct signer *old = f->signer;
	struct sign_key *key;
	struct enrolled e;
	struct head h;
	struct sock *s;
	struct ack a = { .engine = 1, .serial = 1 };
	struct buf b;

	join(f, &e);
	s = dial(f, FLEET_CONTROL);
	publish_one(f);
	hear_head(f, s, &h);
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(signer_make(&f->signer, f->root, &key, &c), 0);
	fleet_rekey(f->f, f->signer, NULL);
	assert_true(hear(f, s, FRAME_CERT, 5000));
	assert_memory_equal(f->m.data.data, signer_cert(f->signer).p,
	    signer_cert(f->signer).n);
	hear_head(f, s, &h);		/* under the new key */
	buf_init(&b, 0);
	frame_begin(&b, FRAME_ACK);
	ack_encode(&a, &b);
	tell(s, &b);
	assert_true(hear(f, s, FRAME_CERT, 5000));
	buf_reset(&b);
	frame_begin(&b, FRAME_ACK);
	a.serial = 3;
	ack_encode(&a, &b);
	tell(s, &b);
	while (fleet_highest_serial(f->f) != 3)
		sock_poll(NULL, 0, 5);
	assert_false(hear(f, s, FRAME_CERT, 100));
	buf_fini(&b);
	sock_close(&s);
	signer_unref(&old);
}

static void
node_that_never_joined_gets_no_beat(void **state)
{
	struct fixture *f = *state;
	struct sock *s = dial(f, FLEET_CONTROL);

	publish_one(f);
	assert_false(hear(f, s, FRAME_HEAD, 1300));
	sock_close(&s);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(node_joined_fetches_the_snapshot_and_is_current),
		T(token_used_unknown_or_expired_is_refused),
		T(events_are_acknowledged_up_to_what_was_stored),
		T(node_revoked_is_not_heard_even_when_connected),
		T(node_that_never_joined_gets_no_beat),
		T(rekey_tells_the_certificate_first),
		T(node_gets_deltas_unasked_and_what_it_missed_when_it_asks),
		T(delta_from_what_is_not_known_here_is_gone),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
