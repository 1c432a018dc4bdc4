/*
 * test_fleet.c - a client with a DEALER joins, fetches, acknowledges, sends
 * events and is revoked.
 */
#include "tests/unit/fleet_fixture.h"

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
	assert_true(hear(f, s, FRAME_MANIFEST, WAIT_MS));
	assert_int_equal(frame_open(f->m.data.data, f->m.data.len,
	    FRAME_MANIFEST, signer_about(f->signer)->key, &in, NULL), 0);
	assert_int_equal(manifest_decode(&m, in, NULL), 0);
	assert_int_equal(m.chunks_n, 1);
	memcpy(r.manifest_id, h->manifest_id, HASH_LEN);
	buf_reset(&b);
	frame_begin(&b, FRAME_CHUNK_REQ);
	chunk_req_encode(&r, &b);
	tell(s, &b);
	assert_true(hear(f, s, FRAME_CHUNK, WAIT_MS));
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

	enter(f, &e);
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
	assert_true(hear(f, s, FRAME_ENROLLED, WAIT_MS));
	sock_close(&s);
	make_token(f, 0, &t[1]);
	t[2] = t[0];
	t[2].secret[0] ^= 1;
	for (i = 0; i < 3; i++) {
		sock_keypair(f->mine_pub, f->mine);
		s = dial(f, FLEET_ENROLL);
		enroll(&t[i], s);
		assert_true(hear(f, s, FRAME_REFUSED, WAIT_MS));
		sock_close(&s);
	}
	enter(f, &e);
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

	enter(f, &e);
	s = dial(f, FLEET_EVENTS);
	buf_init(&b, 0);
	frame_begin(&b, FRAME_EVENTS);
	events_encode(&ev, &b);
	tell(s, &b);
	assert_true(hear(f, s, FRAME_EACK, WAIT_MS));
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
	int beats;

	enter(f, &e);
	publish_one(f);
	s = dial(f, FLEET_CONTROL);
	hear_head(f, s, &h);
	assert_int_equal(fleet_revoke(f->f, "nobody", NULL, NULL), ERR_NOENT);
	assert_int_equal(fleet_revoke(f->f, "mx1", NULL, NULL), 0);
	send_ack(s, &h, NACK_NONE);
	/* some were on their way; to a node there is one each second */
	for (beats = 0; beats < 20 && hear(f, s, FRAME_HEAD, 1300); beats++)
		continue;
	assert_true(beats < 20);
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

	assert_true(hear(f, s, FRAME_DELTA, WAIT_MS));
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

	enter(f, &e);
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

	enter(f, &e);
	s = dial(f, FLEET_CONTROL);
	publish_one(f);
	hear_head(f, s, &h);
	advance_one(f);
	do
		hear_head(f, s, &now);
	while (now.version < 2);
	h.digest[0] ^= 1;
	ask_delta(s, &h);
	assert_true(hear(f, s, FRAME_DELTA_GONE, WAIT_MS));
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

	enter(f, &e);
	s = dial(f, FLEET_CONTROL);
	publish_one(f);
	hear_head(f, s, &h);
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(signer_make(&f->signer, f->root, &key, &c), 0);
	fleet_rekey(f->f, f->signer, NULL);
	assert_true(hear(f, s, FRAME_CERT, WAIT_MS));
	assert_memory_equal(f->m.data.data, signer_cert(f->signer).p,
	    signer_cert(f->signer).n);
	hear_head(f, s, &h);		/* under the new key */
	buf_init(&b, 0);
	frame_begin(&b, FRAME_ACK);
	ack_encode(&a, &b);
	tell(s, &b);
	assert_true(hear(f, s, FRAME_CERT, WAIT_MS));
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
