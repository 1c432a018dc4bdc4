/*
 * test_sync_cert.c - the sync thread and certificates: which it takes, and
 * whom it believes afterwards.
 */
#include "tests/unit/sync_fixture.h"

/* Another publisher's key and its certificate; the old key is the caller's. */
static struct sign_key *
rekey(struct fixture *x, uint64_t serial, uint64_t min_serial)
{
	struct publisher_cert c = { .serial = serial,
	    .min_serial = min_serial,
	    .not_after_us = clock_wall_us() + 3600000000 };
	struct sign_key *old = x->publisher;

	assert_int_equal(sign_key_new(&x->publisher), 0);
	memcpy(c.key, sign_key_public(x->publisher), SIGN_PUBLIC_LEN);
	buf_reset(&x->cert);
	assert_int_equal(cert_make(x->root, &c, &x->cert), 0);
	return old;
}

static uint64_t
serial_on_disk(struct fixture *x)
{
	struct node_identity *id = identity_new();
	struct publisher_cert c = { .serial = 0 };

	if (identity_load(id, x->dir, NULL) == 0)
		assert_int_equal(cert_open(id->root, id->cert, id->cert_len,
		    INT64_MIN, &c, NULL), 0);
	identity_free(&id);
	return c.serial;
}

static bool
holds_5(struct fleet *f)
{
	return f->ack.serial == 5;
}

static bool
is_denied(struct fleet *f)
{
	return f->ack.nack == NACK_SIGNATURE;
}

static bool
is_good_at_8(struct fleet *f)
{
	return f->ack.enforced == 8 && f->ack.nack == NACK_NONE;
}

static void
new_key_is_taken_and_the_old_one_refused(void **state)
{
	struct sign_key *old, *new;

	(void)state;
	play(&fleet, enforces_7);
	assert_int_equal(fleet.ack.serial, 1);
	old = rekey(fleet.x, 5, 0);
	send_buf(&fleet, fleet.control, &fleet.x->cert);
	fixture_publish(fleet.x, 7);		/* the same, signed anew */
	play(&fleet, holds_5);
	assert_int_equal(serial_on_disk(fleet.x), 5);
	change(&fleet, 8, "Dnew@acme.example", "\1");
	play(&fleet, is_good_at_8);
	assert_int_equal(fleet.ack.repairs, 0);
	/* a head of the old key, for a version that would be taken */
	new = fleet.x->publisher;
	fleet.x->publisher = old;
	fixture_publish(fleet.x, 9);
	play(&fleet, is_denied);
	assert_int_equal(fleet.ack.enforced, 8);
	fleet.x->publisher = new;
	fixture_publish(fleet.x, 9);
	play(&fleet, is_at_head);
	sign_key_free(&old);
}

static void
certificate_that_is_lower_equal_or_a_strangers_is_refused(void **state)
{
	static const struct { uint64_t serial, min; bool stranger; } bad[] = {
		{ 4, 0, false }, { 5, 0, false }, { 6, 1, false },
		{ 6, 2, true },
	};
	struct sign_key *keys[5], *root, *mine;
	size_t i;

	(void)state;
	keys[4] = rekey(fleet.x, 5, 2);
	fixture_publish(fleet.x, 7);
	play(&fleet, enforces_7);
	assert_int_equal(fleet.ack.serial, 5);
	mine = fleet.x->publisher;
	assert_int_equal(sign_key_new(&root), 0);
	for (i = 0; i < 4; i++) {
		struct sign_key *ours = fleet.x->root;

		fleet.x->root = bad[i].stranger ? root : ours;
		keys[i] = rekey(fleet.x, bad[i].serial, bad[i].min);
		fleet.x->root = ours;
		keys[i] = fleet.x->publisher;
		fleet.x->publisher = mine;
		send_buf(&fleet, fleet.control, &fleet.x->cert);
		play(&fleet, is_denied);
		assert_int_equal(fleet.ack.serial, 5);
		assert_int_equal(serial_on_disk(fleet.x), 5);
		change(&fleet, 8 + i, "Dnew@acme.example", i % 2 == 0 ?
		    "\1" : "\2");
		play(&fleet, is_at_head);	/* ours is believed still */
	}
	for (i = 0; i < 5; i++)
		sign_key_free(&keys[i]);
	sign_key_free(&root);
}

static void
certificate_that_has_ended_is_refused_as_expired(void **state)
{
	struct publisher_cert c = { .serial = 9, .not_after_us = 1 };
	struct buf b;

	(void)state;
	play(&fleet, enforces_7);
	memcpy(c.key, sign_key_public(fleet.x->publisher), SIGN_PUBLIC_LEN);
	buf_init(&b, 0);
	assert_int_equal(cert_make(fleet.x->root, &c, &b), 0);
	send_buf(&fleet, fleet.control, &b);
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_EXPIRED);
	assert_int_equal(fleet.ack.serial, 1);
	buf_fini(&b);
}

/* A set on its way under a key that is revoked is not gone on with. */
static void
revocation_drops_what_was_on_its_way(void **state)
{
	struct sign_key *old;
	struct buf manifest;

	(void)state;
	play(&fleet, enforces_7);
	fleet.no_deltas = true;
	fixture_publish(fleet.x, 8);
	manifest = fleet.x->manifest_frame;
	buf_init(&fleet.x->manifest_frame, 0);	/* it waits for this */
	send_buf(&fleet, fleet.control, &fleet.x->head_frame);
	while (fleet.manifest_reqs < 2)
		play_once(&fleet);
	old = rekey(fleet.x, 5, 5);
	send_buf(&fleet, fleet.control, &fleet.x->cert);
	send_buf(&fleet, fleet.control, &manifest);
	fixture_publish(fleet.x, 8);
	play(&fleet, is_at_head);
	assert_int_equal(fleet.ack.serial, 5);
	sign_key_free(&old);
	buf_fini(&manifest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(new_key_is_taken_and_the_old_one_refused),
		T(certificate_that_is_lower_equal_or_a_strangers_is_refused),
		T(certificate_that_has_ended_is_refused_as_expired),
		T(revocation_drops_what_was_on_its_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
