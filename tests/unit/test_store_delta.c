/*
 * test_store_delta.c - changes of records: deltas from any version to any
 * other, their horizon, an older store completed, a damaged one found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/store.h"
#include "proto/base/db.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define S ITEM_SEP_S
#define VERSIONS 60
#define NAMES 25

struct fixture {
	char dir[64];
	struct store *s;
	struct head head[VERSIONS + 1];
	struct items set[VERSIONS + 1];	/* records by key, as text */
};

static const struct commit info = { .actor = "test", .action = "test" };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-delta-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) == NULL ? -1 :
	    store_open(&f->s, f->dir, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	size_t i;

	store_close(&f->s);
	for (i = 0; i <= VERSIONS; i++)
		items_fini(&f->set[i]);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

static void
hex(struct bytes in, char *out)
{
	size_t i;

	out[0] = '\0';
	for (i = 0; i < in.n; i++)
		sprintf(out + 2 * i, "%02x", in.p[i]);
}

static int
remember(void *arg, struct bytes key, struct bytes val)
{
	char k[400], v[400];

	hex(key, k);
	hex(val, v);
	items_put(arg, k, v, "");
	return 0;
}

static void
keep_version(struct fixture *f)
{
	uint64_t v = store_version(f->s);
	struct store_view *view = store_view_new(f->s);

	f->head[v] = *store_view_head(view);
	assert_int_equal(store_view_scan(view, remember, &f->set[v], NULL),
	    0);
	assert_int_equal(items_n(&f->set[v]), f->head[v].count);
	assert_int_equal(store_view_prove(view, NULL, NULL), 0);
	store_view_free(&view);
}

static void
toggle(struct change *c, const struct store *s, const char *key)
{
	const struct item *old = items_get(store_items(s), key);

	change_add(c, key, old, old == NULL ? "{}" : NULL,
	    old == NULL ? "cli" : NULL);
}

/* Some entries come, some go. */
static void
commit_some(struct fixture *f)
{
	struct change c = { 0 };
	struct diag why;
	uint64_t v;
	char key[64];
	int i;

	for (i = rand() % 5; i < NAMES; i += 1 + rand() % 9) {
		snprintf(key, sizeof(key), "entry" S "s%02d.example" S "g", i);
		toggle(&c, f->s, key);
	}
	if (store_version(f->s) == 0)
		change_add(&c, "group" S "g", NULL, "{}", "cli");
	if (store_commit(f->s, &c, &info, &v, &why) < 0)
		fail_msg("%s", why.text);
	change_fini(&c);
	keep_version(f);
}

/* The delta makes the one version's records the other's. */
static void
check_delta(struct fixture *f, const struct delta *d)
{
	const struct items *want = &f->set[d->to_version];
	struct bytes rows = delta_rows(d);
	struct items_cursor a, b;
	const struct item *x, *y;
	struct delta_op op;
	struct items got;

	assert_memory_equal(d->from_digest, f->head[d->from_version].digest,
	    DIGEST_LEN);
	assert_memory_equal(d->to_digest, f->head[d->to_version].digest,
	    DIGEST_LEN);
	assert_int_equal(d->to_count, f->head[d->to_version].count);
	items_over(&got, &f->set[d->from_version]);
	while (delta_next(&rows, &op)) {
		char k[400];

		hex(op.key, k);
		if (op.kind == DELTA_PUT)
			remember(&got, op.key, op.val);
		else {
			assert_non_null(items_get(&got, k));
			items_del(&got, k);
		}
	}
	x = items_first(&a, &got, "");
	y = items_first(&b, want, "");
	for (; x != NULL && y != NULL; x = items_next(&a),
	    y = items_next(&b)) {
		assert_string_equal(x->key, y->key);
		assert_string_equal(x->value, y->value);
	}
	assert_true(x == NULL && y == NULL);
	items_fini(&got);
}

static void
delta_between_any_two_versions_makes_one_the_other(void **state)
{
	struct fixture *f = *state;
	struct delta d;
	uint64_t a, b;

	srand(7);
	while (store_version(f->s) < VERSIONS)
		commit_some(f);
	for (a = 0; a < VERSIONS; a += 3)
		for (b = a + 1; b <= VERSIONS; b += 4) {
			if (a == 0)	/* nothing was before */
				continue;
			assert_int_equal(store_delta(f->s, a,
			    f->head[a].digest, b, &d, NULL), 0);
			assert_int_equal(d.from_version, a);
			assert_int_equal(d.to_version, b);
			check_delta(f, &d);
			delta_fini(&d);
		}
	assert_int_equal(store_delta(f->s, 5, f->head[6].digest, 9, &d, NULL),
	    ERR_NOENT);
	assert_int_equal(store_delta(f->s, VERSIONS, NULL, VERSIONS + 1, &d,
	    NULL), ERR_NOENT);
	/* and after a start */
	store_close(&f->s);
	assert_int_equal(store_open(&f->s, f->dir, NULL), 0);
	assert_int_equal(store_delta_oldest(f->s), 0);
	assert_int_equal(store_delta(f->s, 1, NULL, VERSIONS, &d, NULL), 0);
	check_delta(f, &d);
	delta_fini(&d);
}

static void
delta_of_one_entry_is_under_300_bytes_as_a_frame(void **state)
{
	struct fixture *f = *state;
	struct sign_key *key;
	struct change c = { 0 };
	struct delta d;
	struct buf frame;
	uint64_t v;

	commit_some(f);
	toggle(&c, f->s, "entry" S "someone@sender.example" S "g");
	assert_int_equal(store_commit(f->s, &c, &info, &v, NULL), 0);
	change_fini(&c);
	assert_int_equal(store_delta(f->s, v - 1, NULL, v, &d, NULL), 0);
	assert_int_equal(d.ops_n, 1);
	d.issued_us = 1700000000000000;
	d.engine = 1;
	buf_init(&frame, 0);
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(delta_sign(&d, key, &frame), 0);
	assert_true(frame.len <= 300);
	sign_key_free(&key);
	buf_fini(&frame);
	delta_fini(&d);
}

static void
change_over_the_limit_has_no_delta_and_stops_those_before(void **state)
{
	struct fixture *f = *state;
	struct change c = { 0 };
	struct delta d;
	uint64_t v;
	char key[64];
	int i;

	commit_some(f);
	commit_some(f);
	for (i = 0; i <= DELTA_OPS_MAX; i++) {
		snprintf(key, sizeof(key), "entry" S "t%06d.example" S "g", i);
		change_add(&c, key, NULL, "{}", "cli");
	}
	assert_int_equal(store_commit(f->s, &c, &info, &v, NULL), 0);
	change_fini(&c);
	assert_int_equal(store_delta(f->s, v - 1, NULL, v, &d, NULL),
	    ERR_NOENT);
	/* as far as it goes */
	assert_int_equal(store_delta(f->s, v - 2, NULL, v, &d, NULL), 0);
	assert_int_equal(d.to_version, v - 1);
	delta_fini(&d);
}

static void
adopt_goes_on_above_with_the_same_content(void **state)
{
	struct fixture *f = *state;
	struct head a, b;
	struct delta d;
	uint64_t v;

	commit_some(f);
	store_head(f->s, &a, NULL);
	assert_int_equal(store_adopt(f->s, 0, &info, &v, NULL), ERR_CONFLICT);
	assert_int_equal(store_adopt(f->s, 40, &info, &v, NULL), 0);
	assert_int_equal(v, 41);
	store_head(f->s, &b, NULL);
	assert_memory_equal(a.digest, b.digest, DIGEST_LEN);
	assert_int_equal(b.prev_version, 1);
	assert_int_equal(store_delta(f->s, 1, a.digest, 41, &d, NULL), 0);
	assert_int_equal(d.ops_n, 0);
	delta_fini(&d);
}

/* Make the store look as one of an earlier release. */
static void
make_old(struct fixture *f, bool damage)
{
	struct db_batch *b = db_batch_new();
	struct db_iter *it;
	struct buf head;
	struct db *db;
	char path[96];

	store_close(&f->s);
	snprintf(path, sizeof(path), "%s/policy", f->dir);
	assert_int_equal(db_open(&db, path, 0, NULL), 0);
	it = db_iter_new(db, NULL);
	for (db_iter_first(it); db_iter_valid(it); db_iter_next(it)) {
		struct bytes k = db_iter_key(it);

		if (k.p[0] == 'r' || k.p[0] == 'l' || k.p[0] == 'f')
			db_batch_del(b, k.p, k.n);
		if (damage && k.p[0] == 'i' && k.p[1] == 'e') {
			db_batch_del(b, k.p, k.n);
			damage = false;
		}
	}
	db_iter_free(&it);
	buf_init(&head, 0);
	assert_int_equal(db_get(db, NULL, "h", 1, true, &head, NULL), 0);
	db_batch_put(b, "h", 1, head.data, 8 + DIGEST_LEN);
	buf_fini(&head);
	assert_int_equal(db_write(db, b, true, NULL), 0);
	db_batch_free(&b);
	db_close(&db);
}

static void
store_of_an_earlier_release_is_completed(void **state)
{
	struct fixture *f = *state;
	struct store_view *v;
	struct head before, after;
	struct diag why;

	commit_some(f);
	commit_some(f);
	store_head(f->s, &before, NULL);
	make_old(f, false);
	if (store_open(&f->s, f->dir, &why) < 0)
		fail_msg("%s", why.text);
	store_head(f->s, &after, NULL);
	assert_int_equal(after.version, before.version);
	assert_int_equal(after.count, before.count);
	assert_memory_equal(after.digest, before.digest, DIGEST_LEN);
	v = store_view_new(f->s);
	assert_int_equal(store_view_prove(v, NULL, NULL), 0);
	store_view_free(&v);
	make_old(f, true);
	assert_int_equal(store_open(&f->s, f->dir, &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, "backup"));
}

static void
record_that_differs_from_the_digest_is_found(void **state)
{
	struct fixture *f = *state;
	struct db_batch *b = db_batch_new();
	struct diag why;
	struct db *db;
	char path[96];

	commit_some(f);
	store_close(&f->s);
	snprintf(path, sizeof(path), "%s/policy", f->dir);
	assert_int_equal(db_open(&db, path, 0, NULL), 0);
	db_batch_put(b, "rOabuse", 7, "x", 1);
	assert_int_equal(db_write(db, b, true, NULL), 0);
	db_batch_free(&b);
	db_close(&db);
	assert_int_equal(store_open(&f->s, f->dir, &why), ERR_CORRUPT);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(delta_between_any_two_versions_makes_one_the_other),
		TEST(delta_of_one_entry_is_under_300_bytes_as_a_frame),
		TEST(change_over_the_limit_has_no_delta_and_stops_those_before),
		TEST(adopt_goes_on_above_with_the_same_content),
		TEST(store_of_an_earlier_release_is_completed),
		TEST(record_that_differs_from_the_digest_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
