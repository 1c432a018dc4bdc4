/*
 * test_keyring.c - the controller's keys: made, kept, replaced, with the root
 * key here and elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "controller/keeper.h"
#include "controller/keyring.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define DAY_US ((int64_t)86400 * 1000000)

struct fixture { char dir[64]; struct keyring *k; struct diag why; };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-keyring-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) == NULL ? -1 : keyring_open(&f->k, f->dir,
	    &f->why);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	keyring_close(&f->k);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

static void
path_of(const struct fixture *f, const char *name, char path[128])
{
	snprintf(path, 128, "%s/keys/%s", f->dir, name);
}

static int
open_again(struct fixture *f)
{
	keyring_close(&f->k);
	return keyring_open(&f->k, f->dir, &f->why);
}

static const struct publisher_cert *
now_held(const struct fixture *f)
{
	return signer_about(keyring_signer(f->k));
}

/* The root key goes out of the folder; what is left works on. */
static struct sign_key *
take_root_away(struct fixture *f)
{
	struct sign_key *root;
	char path[128];

	path_of(f, "root.key", path);
	assert_int_equal(sign_key_load(&root, path, &f->why), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(open_again(f), 0);
	assert_false(keyring_has_root_key(f->k));
	return root;
}

static void
keys_are_made_once_private_and_kept(void **state)
{
	static const char *const secret[] = { "root.key", "publisher.key",
	    "curve.key" };
	struct fixture *f = *state;
	uint8_t root[SIGN_PUBLIC_LEN], curve[SOCK_KEY_LEN];
	uint64_t serial = now_held(f)->serial;
	struct stat st;
	char path[128];
	size_t i;

	for (i = 0; i < 3; i++) {
		path_of(f, secret[i], path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	memcpy(root, keyring_root(f->k), sizeof(root));
	memcpy(curve, keyring_curve(f->k), sizeof(curve));
	assert_int_equal(open_again(f), 0);
	assert_memory_equal(keyring_root(f->k), root, sizeof(root));
	assert_memory_equal(keyring_curve(f->k), curve, sizeof(curve));
	assert_int_equal(now_held(f)->serial, serial);
	assert_int_equal(keyring_days(f->k, clock_wall_us()),
	    SIGNER_DAYS - 1);
}

static void
rotation_raises_the_serial_and_is_kept(void **state)
{
	struct fixture *f = *state;
	struct publisher_cert old = *now_held(f), now;

	assert_int_equal(keyring_rotate(f->k, clock_wall_us(), 90, false,
	    &f->why), 0);
	now = *now_held(f);
	assert_true(now.serial > old.serial);
	assert_int_equal(now.min_serial, 0);
	assert_memory_not_equal(now.key, old.key, SIGN_PUBLIC_LEN);
	assert_int_equal(keyring_rotate(f->k, clock_wall_us(), 90, true,
	    &f->why), 0);
	assert_true(now_held(f)->serial > now.serial);
	assert_int_equal(now_held(f)->min_serial, now_held(f)->serial);
	now = *now_held(f);
	/* a rotation behind it does not forget whom it revoked; nor does
	 * the disk */
	assert_int_equal(keyring_rotate(f->k, clock_wall_us(), 90, false,
	    &f->why), 0);
	assert_int_equal(now_held(f)->min_serial, now.min_serial);
	now = *now_held(f);
	assert_int_equal(open_again(f), 0);
	assert_memory_equal(now_held(f), &now, sizeof(now));
}

static int
sign_and_install(struct fixture *f, const struct sign_key *root,
    const struct publisher_cert *about)
{
	struct buf cert;
	int rc;

	buf_init(&cert, 0);
	assert_int_equal(cert_make(root, about, &cert), 0);
	rc = keyring_install(f->k, bytes_of(cert.data, cert.len),
	    clock_wall_us(), &f->why);
	buf_fini(&cert);
	return rc;
}

static void
rotation_goes_above_what_nodes_hold(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_wall_us();
	uint64_t held = (uint64_t)now / 1000000 + 60;

	keyring_heard(f->k, held, now);
	keyring_heard(f->k, held - 1, now);
	assert_int_equal(keyring_rotate(f->k, now, 90, false, &f->why), 0);
	assert_int_equal(now_held(f)->serial, held + 1);
	/* a node that lies does not use up all numbers */
	keyring_heard(f->k, UINT64_MAX, now);
	assert_int_equal(keyring_rotate(f->k, now, 90, false, &f->why), 0);
	assert_int_equal(now_held(f)->serial, held + 2);
}

static void
root_elsewhere_signs_a_request_even_after_a_start(void **state)
{
	struct fixture *f = *state;
	struct publisher_cert about, old = *now_held(f);
	struct sign_key *root = take_root_away(f);
	char path[128];

	assert_int_equal(now_held(f)->serial, old.serial);
	assert_int_equal(keyring_rotate(f->k, clock_wall_us(), 90, false,
	    &f->why), ERR_NOENT);
	assert_non_null(strstr(f->why.text, "--root"));
	assert_int_equal(keyring_request(f->k, clock_wall_us(), 90, false,
	    &about, &f->why), 0);
	assert_int_equal(now_held(f)->serial, old.serial);
	assert_int_equal(open_again(f), 0);
	assert_int_equal(sign_and_install(f, root, &about), 0);
	assert_int_equal(now_held(f)->serial, about.serial);
	path_of(f, "next.key", path);
	assert_int_not_equal(access(path, F_OK), 0);
	/* it is taken once */
	assert_int_equal(sign_and_install(f, root, &about), ERR_NOENT);
	sign_key_free(&root);
}

static void
certificate_that_does_not_fit_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct publisher_cert about, bad, old;
	struct sign_key *root = take_root_away(f), *other;

	assert_int_equal(sign_key_new(&other), 0);
	assert_int_equal(keyring_request(f->k, clock_wall_us(), 90, false,
	    &about, &f->why), 0);
	old = *now_held(f);
	assert_int_equal(sign_and_install(f, other, &about), ERR_AUTH);
	bad = about;
	memcpy(bad.key, sign_key_public(other), sizeof(bad.key));
	assert_int_equal(sign_and_install(f, root, &bad), ERR_AUTH);
	bad = about;
	bad.serial = old.serial;
	assert_int_equal(sign_and_install(f, root, &bad), ERR_CONFLICT);
	bad = about;
	bad.not_after_us = 1;
	assert_int_equal(sign_and_install(f, root, &bad), ERR_TIMEOUT);
	assert_memory_equal(now_held(f), &old, sizeof(old));
	assert_int_equal(sign_and_install(f, root, &about), 0);
	sign_key_free(&root);
	sign_key_free(&other);
}

static void
keys_that_do_not_belong_together_are_refused(void **state)
{
	struct fixture *f = *state;
	char path[128], aside[128];
	uint8_t stranger[SIGN_PUBLIC_LEN] = { 1 };

	path_of(f, "root.pub", path);
	assert_int_equal(sign_public_save(stranger, path, &f->why), 0);
	assert_int_equal(open_again(f), ERR_CORRUPT);
	path_of(f, "root.key", aside);
	assert_int_equal(unlink(aside), 0);
	assert_int_equal(open_again(f), ERR_AUTH);
	path_of(f, "publisher.key", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(open_again(f), ERR_NOENT);
	assert_non_null(strstr(f->why.text, "postern key make"));
	assert_int_equal(file_write(path, "00\n00\n", 6, 0600, &f->why), 0);
	assert_int_equal(open_again(f), ERR_CORRUPT);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(open_again(f), ERR_AUTH);
}

static void
key_is_renewed_in_time_where_the_root_is(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_wall_us();
	uint64_t serial = now_held(f)->serial;
	struct sign_key *root;

	assert_false(keeper_renew_key(f->k, now));
	now += (SIGNER_DAYS - KEYRING_WARN_DAYS) * DAY_US;
	assert_true(keeper_renew_key(f->k, now));
	assert_true(now_held(f)->serial > serial);
	assert_false(keyring_is_due(f->k, now));
	assert_false(keeper_renew_key(f->k, now));
	now += SIGNER_DAYS * DAY_US + 1;	/* long away, it has ended */
	assert_int_equal(keyring_days(f->k, now), -1);
	assert_true(keeper_renew_key(f->k, now));
	serial = now_held(f)->serial;
	root = take_root_away(f);
	now += (SIGNER_DAYS - 1) * DAY_US;
	assert_true(keyring_is_due(f->k, now));
	assert_false(keeper_renew_key(f->k, now));	/* it can but warn */
	assert_int_equal(now_held(f)->serial, serial);
	sign_key_free(&root);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(keys_are_made_once_private_and_kept),
		T(rotation_raises_the_serial_and_is_kept),
		T(rotation_goes_above_what_nodes_hold),
		T(root_elsewhere_signs_a_request_even_after_a_start),
		T(certificate_that_does_not_fit_changes_nothing),
		T(keys_that_do_not_belong_together_are_refused),
		T(key_is_renewed_in_time_where_the_root_is),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
