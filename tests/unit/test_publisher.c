/*
 * test_publisher.c - commits become deltas and heads, and whole versions when
 * they must.
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

#include "controller/publisher.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/frame.h"
#include "tests/lib/wait.h"

#define S ITEM_SEP_S
#define LOOPBACK "tcp://127.0.0.1:*"

struct fixture {
	char dir[64], published[80];
	struct store *s;
	struct fleet *f;
	struct publisher *p;
	struct sign_key *root;
	struct signer *signer;
	pthread_mutex_t lock;
	uint8_t secret[SOCK_KEY_LEN];
};

static void
start(struct fixture *f, bool hold)
{
	struct fleet_conf c = { .store = f->s, .lock = &f->lock,
	    .signer = f->signer, .root = sign_key_public(f->root),
	    .secret = f->secret, .control = LOOPBACK, .events = LOOPBACK,
	    .enroll = LOOPBACK, .arg = f };
	struct publisher_conf p = { .store = f->s, .lock = &f->lock,
	    .signer = f->signer, .dir = f->published, .hold = hold };

	assert_int_equal(fleet_start(&f->f, &c, NULL), 0);
	p.fleet = f->f;
	assert_int_equal(publisher_start(&f->p, &p, NULL), 0);
}

static void
stop(struct fixture *f)
{
	publisher_stop(&f->p);
	fleet_stop(&f->f);
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
	strcpy(f->dir, "/tmp/postern-publisher-XXXXXX");
	pthread_mutex_init(&f->lock, NULL);
	sock_keypair(pub, f->secret);
	if (mkdtemp(f->dir) == NULL || store_open(&f->s, f->dir, NULL) < 0 ||
	    sign_key_new(&f->root) < 0 || sign_key_new(&key) < 0)
		return -1;
	snprintf(f->published, sizeof(f->published), "%s/published", f->dir);
	return signer_make(&f->signer, f->root, &key, &c);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	stop(f);
	store_close(&f->s);
	sign_key_free(&f->root);
	signer_unref(&f->signer);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

/* Commit entries from..to of a group; the lock is held. */
static void
put(struct fixture *f, int from, int to)
{
	struct commit info = { .actor = "test", .action = "test" };
	struct change c = { 0 };
	uint64_t v;
	char key[64];
	int i;

	for (i = from; i < to; i++) {
		snprintf(key, sizeof(key), "entry" S "s%06d.example" S "g", i);
		change_add(&c, key, NULL, "{}", "cli");
	}
	if (from == 0)
		change_add(&c, "group" S "g", NULL, "{}", "cli");
	assert_int_equal(store_commit(f->s, &c, &info, &v, NULL), 0);
	change_fini(&c);
	publisher_wake(f->p);
}

static void
commit(struct fixture *f, int from, int to)
{
	pthread_mutex_lock(&f->lock);
	put(f, from, to);
	pthread_mutex_unlock(&f->lock);
}

/* Wait until the head is there; false after wait_ms. */
static bool
wait_head(struct fixture *f, uint64_t version, int wait_ms)
{
	uint64_t end = clock_mono_ms() + (uint64_t)wait_ms;
	struct head h;

	while (!fleet_head(f->f, &h) || h.version != version) {
		if (clock_mono_ms() > end)
			return false;
		sock_poll(NULL, 0, 2);
	}
	return true;
}

static uint64_t
whole(struct fixture *f)
{
	const struct publication *before, *now = fleet_publication(f->f,
	    &before);

	return now == NULL ? 0 : publication_about(now)->version;
}

static void
commits_right_behind_each_other_share_a_delta(void **state)
{
	struct fixture *f = *state;
	struct publisher_counts n;
	int i;

	start(f, false);
	commit(f, 0, 3);
	assert_true(wait_head(f, 1, WAIT_MS));
	pthread_mutex_lock(&f->lock);
	for (i = 0; i < 5; i++)
		put(f, 10 + i, 11 + i);
	pthread_mutex_unlock(&f->lock);
	assert_true(wait_head(f, 6, WAIT_MS));
	publisher_counts(f->p, &n);
	assert_int_equal(n.deltas, 1);
	assert_int_equal(n.cuts, 1);
	assert_int_equal(whole(f), 1);
}

static void
change_too_large_for_a_delta_is_told_once_it_is_cut(void **state)
{
	struct fixture *f = *state;
	struct publisher_counts n;

	start(f, false);
	commit(f, 0, 3);
	assert_true(wait_head(f, 1, WAIT_MS));
	commit(f, 1000, 1000 + DELTA_OPS_MAX + 1);
	assert_true(wait_head(f, 2, WAIT_MS));
	assert_int_equal(whole(f), 2);
	publisher_counts(f->p, &n);
	assert_int_equal(n.deltas, 0);
	commit(f, 3, 4);
	assert_true(wait_head(f, 3, WAIT_MS));
	assert_int_equal(whole(f), 2);
}

static void
publisher_started_again_serves_what_was_cut(void **state)
{
	struct fixture *f = *state;
	struct publisher_counts n;
	struct head h;

	start(f, false);
	commit(f, 0, 3);
	assert_true(wait_head(f, 1, WAIT_MS));
	commit(f, 3, 5);
	assert_true(wait_head(f, 2, WAIT_MS));
	stop(f);
	start(f, false);
	assert_true(wait_head(f, 2, WAIT_MS));
	assert_true(fleet_head(f->f, &h));
	assert_int_equal(h.prev_version, 1);	/* below it, as nodes ask */
	assert_int_equal(whole(f), 1);
	publisher_counts(f->p, &n);
	assert_int_equal(n.cuts, 0);
	publisher_whole(f->p, false);
	while (whole(f) != 2)
		sock_poll(NULL, 0, 5);
}

static void
publisher_that_is_held_says_nothing_until_released(void **state)
{
	struct fixture *f = *state;

	start(f, true);
	commit(f, 0, 3);
	assert_true(publisher_is_held(f->p));
	assert_false(wait_head(f, 1, 300));
	publisher_release(f->p);
	assert_true(wait_head(f, 1, WAIT_MS));
	assert_false(publisher_is_held(f->p));
}

static void
chunks_lost_from_the_folder_are_cut_anew_at_start(void **state)
{
	struct fixture *f = *state;
	struct publisher_counts n;
	char hex[HASH_LEN * 2 + 1], path[200];
	const struct publication *now, *before;

	start(f, false);
	commit(f, 0, 3);
	assert_true(wait_head(f, 1, WAIT_MS));
	now = fleet_publication(f->f, &before);
	hex_format(publication_about(now)->chunks[0].hash, HASH_LEN, hex);
	snprintf(path, sizeof(path), "%s/%s", f->published, hex);
	stop(f);
	assert_int_equal(unlink(path), 0);
	start(f, false);
	assert_true(wait_head(f, 1, WAIT_MS));
	publisher_counts(f->p, &n);
	assert_int_equal(n.cuts, 1);
	assert_int_equal(access(path, R_OK), 0);
}

/* Is what is served signed by that key? */
static bool
is_signed_by(struct fixture *f, const uint8_t pub[SIGN_PUBLIC_LEN])
{
	const struct publication *before, *now = fleet_publication(f->f,
	    &before);
	struct bytes frame = publication_manifest(now), in;

	return frame_open(frame.p, frame.n, FRAME_MANIFEST, pub, &in,
	    NULL) == 0;
}

static void
rekey_signs_what_is_served_anew_and_cuts_nothing(void **state)
{
	struct publisher_cert c = { .serial = 2,
	    .not_after_us = INT64_MAX / 2 };
	struct fixture *f = *state;
	struct publisher_counts n;
	struct sign_key *key;
	struct signer *old;

	start(f, false);
	commit(f, 0, 3);
	assert_true(wait_head(f, 1, WAIT_MS));
	old = f->signer;
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(signer_make(&f->signer, f->root, &key, &c), 0);
	assert_true(is_signed_by(f, signer_about(old)->key));
	publisher_rekey(f->p, f->signer);
	while (!is_signed_by(f, signer_about(f->signer)->key))
		sock_poll(NULL, 0, 5);
	commit(f, 3, 4);
	assert_true(wait_head(f, 2, WAIT_MS));
	publisher_counts(f->p, &n);
	assert_int_equal(n.cuts, 1);
	assert_int_equal(n.deltas, 1);
	/* and the next start finds it */
	stop(f);
	start(f, false);
	assert_true(wait_head(f, 2, WAIT_MS));
	publisher_counts(f->p, &n);
	assert_int_equal(n.cuts, 0);
	signer_unref(&old);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(commits_right_behind_each_other_share_a_delta),
		T(change_too_large_for_a_delta_is_told_once_it_is_cut),
		T(publisher_started_again_serves_what_was_cut),
		T(publisher_that_is_held_says_nothing_until_released),
		T(chunks_lost_from_the_folder_are_cut_anew_at_start),
		T(rekey_signs_what_is_served_anew_and_cuts_nothing),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
