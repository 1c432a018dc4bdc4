/*
 * test_sets.c - which sets a node keeps, how far it can go back, and that it
 * does not go back to what a revoked publisher signed.
 */
#include "tests/unit/delta_fixture.h"

#include "node/sets.h"

#define LONG_AFTER (2 * SETS_KEPT_US)

/* Sign as another publisher from now on, certificate `serial`. */
static void
change_publisher(struct fixture *x, uint64_t serial)
{
	struct publisher_cert c = { .serial = serial,
	    .not_after_us = clock_wall_us() + 3600000000 };

	sign_key_free(&x->publisher);
	assert_int_equal(sign_key_new(&x->publisher), 0);
	memcpy(c.key, sign_key_public(x->publisher), SIGN_PUBLIC_LEN);
	buf_reset(&x->cert);
	assert_int_equal(cert_make(x->root, &c, &x->cert), 0);
}

/* Take the records as a base of this version, and deltas of one record from
 * there to `to`; heads of all of them into head. */
static void
take(struct fixture *x, uint64_t base, uint64_t to, struct head *head)
{
	struct ruleset_refusal refusal;
	struct ruleset *r = NULL;
	char path[SETS_PATH_LEN], key[40];
	struct diag why = { "" };
	struct buf frame;
	uint64_t v;

	fixture_publish(x, base);
	head[base] = x->head;
	if (sets_prepare(x->dir, path, &why) < 0 ||
	    fixture_build(x, path, &why) < 0 ||
	    sets_install(x->dir, base, path, &why) < 0 ||
	    ruleset_open(&r, path, x->id->root, &why) < 0)
		fail_msg("%s", why.text);
	buf_init(&frame, 0);
	for (v = base + 1; v <= to; v++) {
		struct change c = { key, "\1" };

		snprintf(key, sizeof(key), "Dn%03u@acme.example", (unsigned)v);
		fixture_change(x, v, &c, 1, &frame);
		head[v] = x->head;
		if (fixture_apply(x, &r, &frame, &refusal, &why) < 0)
			fail_msg("%s", why.text);
	}
	buf_fini(&frame);
	ruleset_unref(&r);
}

static bool
is_kept(const struct fixture *x, unsigned version)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/sets/%u", x->dir, version);
	return access(path, F_OK) == 0;
}

/* Go back as after crashes; version 0: there must be none. */
static void
goes_back(struct fixture *x, const struct ruleset_trust *trust, uint64_t upto,
    uint64_t version, const struct head *head)
{
	struct ruleset *r = NULL;
	struct diag why = { "" };
	int rc = sets_open_upto(x->dir, trust, upto, &r, &why);

	if (version == 0) {
		assert_int_equal(rc, ERR_NOENT);
		return;
	}
	if (rc < 0)
		fail_msg("%s", why.text);
	assert_int_equal(ruleset_head(r)->version, version);
	assert_memory_equal(ruleset_head(r)->digest, head[version].digest,
	    DIGEST_LEN);
	assert_int_equal(ruleset_head(r)->count, head[version].count);
	ruleset_unref(&r);
}

/* Bases 10, 20, 30, each with three deltas on it. */
static void
node_goes_back_past_its_bases(void **state)
{
	struct fixture *x = *state;
	struct head head[64];

	take(x, 10, 13, head);
	take(x, 20, 23, head);
	take(x, 30, 33, head);
	sets_prune(x->dir, "", 0, clock_wall_us() + LONG_AFTER);
	goes_back(x, fixture_trust(x), 32, 32, head);
	goes_back(x, fixture_trust(x), 29, 23, head);
	goes_back(x, fixture_trust(x), 22, 22, head);
	goes_back(x, fixture_trust(x), 19, 13, head);
	goes_back(x, fixture_trust(x), 12, 12, head);
	goes_back(x, fixture_trust(x), 9, 0, head);
}

/* Five bases within a day, as bulk changes make them. */
static void
bases_of_a_day_are_kept(void **state)
{
	struct fixture *x = *state;
	struct head head[64];
	unsigned v;

	for (v = 10; v <= 50; v += 10)
		take(x, v, v + 2, head);
	sets_prune(x->dir, "", 0, clock_wall_us());
	goes_back(x, fixture_trust(x), 11, 11, head);
	for (v = 10; v <= 50; v += 10)
		assert_true(is_kept(x, v));
	sets_prune(x->dir, "", 0, clock_wall_us() + LONG_AFTER);
	assert_false(is_kept(x, 10));
	assert_false(is_kept(x, 20));
	for (v = 30; v <= 50; v += 10)
		assert_true(is_kept(x, v));
}

static void
base_to_go_back_to_is_kept_however_old(void **state)
{
	struct fixture *x = *state;
	struct head head[64];
	char in_use[600];
	unsigned v;

	for (v = 10; v <= 60; v += 10)
		take(x, v, v + 2, head);
	snprintf(in_use, sizeof(in_use), "%s/sets/10", x->dir);
	sets_prune(x->dir, in_use, 29, clock_wall_us() + LONG_AFTER);
	assert_true(is_kept(x, 10));		/* decided by */
	assert_true(is_kept(x, 20));		/* 22 ran well */
	assert_false(is_kept(x, 30));
	goes_back(x, fixture_trust(x), 29, 22, head);
}

static void
sets_of_a_day_are_kept_up_to_a_number(void **state)
{
	struct fixture *x = *state;
	struct head head[64];
	unsigned v, kept = 0;

	for (v = 10; v < 10 + SETS_KEPT_MAX + 4; v++)
		take(x, v, v, head);
	sets_prune(x->dir, "", 0, clock_wall_us());
	for (v = 10; v < 10 + SETS_KEPT_MAX + 4; v++)
		kept += is_kept(x, v);
	assert_int_equal(kept, SETS_KEPT_MAX);
	assert_false(is_kept(x, 13));
}

/* Certificate 1 signed bases 10 and 20, and 2 what follows; 1 is revoked. */
static void
revoked_publishers_sets_are_no_fallback(void **state)
{
	struct fixture *x = *state;
	struct ruleset_trust trust = { .root = x->id->root, .min_serial = 2,
	    .accepted = 31 };
	struct head head[64];

	take(x, 10, 12, head);
	take(x, 20, 22, head);
	change_publisher(x, 2);
	take(x, 30, 32, head);
	goes_back(x, &trust, 31, 31, head);
	goes_back(x, &trust, 30, 30, head);
	goes_back(x, &trust, 29, 0, head);
	/* it was left as it stood */
	trust.min_serial = 0;
	goes_back(x, &trust, 29, 22, head);
}

/* What was in force when the revocation came stays so over a restart, until
 * another replaces it; going back from there does not. */
static void
revoked_publishers_set_in_force_stays_in_force(void **state)
{
	struct fixture *x = *state;
	struct ruleset_trust trust = { .root = x->id->root, .min_serial = 2,
	    .accepted = 22 };
	struct ruleset *r = NULL;
	struct head head[64];
	char path[600];

	take(x, 10, 12, head);
	take(x, 20, 22, head);
	assert_int_equal(sets_open_newest(x->dir, &trust, &r, NULL), 0);
	assert_int_equal(ruleset_head(r)->version, 22);
	assert_int_equal(ruleset_serial(r), 1);
	ruleset_unref(&r);
	goes_back(x, &trust, 21, 0, head);
	/* damaged, it could only go back */
	snprintf(path, sizeof(path), "%s/sets/20/live/CURRENT", x->dir);
	assert_int_equal(file_write(path, "none\n", 5, 0600, NULL), 0);
	assert_int_equal(sets_open_newest(x->dir, &trust, &r, NULL),
	    ERR_NOENT);
	trust.min_serial = 0;
	assert_int_equal(sets_open_newest(x->dir, &trust, &r, NULL), 0);
	assert_int_equal(ruleset_head(r)->version, 20);
	ruleset_unref(&r);
}

/* A damaged newest set does not give way to one of a revoked publisher. */
static void
damage_does_not_lead_back_to_a_revoked_publisher(void **state)
{
	struct fixture *x = *state;
	struct ruleset_trust trust = { .root = x->id->root, .min_serial = 2,
	    .accepted = 30 };
	struct ruleset *r = NULL;
	struct head head[64];
	char path[600];

	take(x, 20, 22, head);
	change_publisher(x, 2);
	take(x, 30, 30, head);
	snprintf(path, sizeof(path), "%s/sets/30/base", x->dir);
	assert_int_equal(file_remove_tree(path, NULL), 0);
	snprintf(path, sizeof(path), "%s/sets/30/live", x->dir);
	assert_int_equal(file_remove_tree(path, NULL), 0);
	assert_int_equal(sets_open_newest(x->dir, &trust, &r, NULL),
	    ERR_NOENT);
	trust.min_serial = 1;
	assert_int_equal(sets_open_newest(x->dir, &trust, &r, NULL), 0);
	assert_int_equal(ruleset_head(r)->version, 22);
	ruleset_unref(&r);
}

/* A delta of the new publisher vouches for the content below it. */
static void
delta_under_the_new_certificate_is_trusted(void **state)
{
	struct fixture *x = *state;
	struct ruleset_trust trust = { .root = x->id->root, .min_serial = 2,
	    .accepted = 40 };
	struct change c = { "Dnew@acme.example", "\1" };
	struct ruleset_refusal refusal;
	struct ruleset *r = NULL;
	struct head head[64];
	struct diag why = { "" };
	struct buf frame;
	char path[600];

	take(x, 20, 22, head);
	snprintf(path, sizeof(path), "%s/sets/20", x->dir);
	assert_int_equal(ruleset_open(&r, path, x->id->root, NULL), 0);
	change_publisher(x, 2);
	buf_init(&frame, 0);
	fixture_change(x, 23, &c, 1, &frame);
	head[23] = x->head;
	if (fixture_apply(x, &r, &frame, &refusal, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(ruleset_serial(r), 2);
	ruleset_unref(&r);
	buf_fini(&frame);
	goes_back(x, &trust, 30, 23, head);
	goes_back(x, &trust, 22, 0, head);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
		T(node_goes_back_past_its_bases),
		T(bases_of_a_day_are_kept),
		T(base_to_go_back_to_is_kept_however_old),
		T(sets_of_a_day_are_kept_up_to_a_number),
		T(revoked_publishers_sets_are_no_fallback),
		T(revoked_publishers_set_in_force_stays_in_force),
		T(damage_does_not_lead_back_to_a_revoked_publisher),
		T(delta_under_the_new_certificate_is_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
