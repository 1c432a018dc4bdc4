/*
 * test_filter_make.c - a filter made by several threads is the one that one
 * key after another makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/filter_make.h"
#include "proto/base/buf.h"
#include "proto/base/db_load.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/policy/record.h"

#define RECORDS 200000
#define FILTER_FILE_MAX (4 << 20)

static const uint8_t secret[FILTER_SECRET_LEN] = { 1, 2 };
static const uint8_t name[FILTER_NAME_LEN] = { 3 };

struct fixture { char dir[64]; struct db *db; };

/* Key i of a set in which most sort closely together, as users' do, and some
 * classes are in no filter. */
static size_t
make_key(unsigned i, char out[64])
{
	static const char classes[] = { RECORD_ENTRY, RECORD_POLICY,
	    RECORD_USER };
	char class = i < 1000 ? classes[0] : i < 3000 ? classes[1] :
	    classes[2];

	return (size_t)snprintf(out, 64, "%c%05u.mail.example %u", class, i /
	    40, i + 1000000);
}

static int
setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	struct db_load *load = NULL;
	char path[80], key[64];
	unsigned i;
	int rc;

	strcpy(x->dir, "/tmp/postern-filter-XXXXXX");
	if (mkdtemp(x->dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/db", x->dir);
	rc = db_load_begin(&load, path, NULL);
	for (i = 0; i < RECORDS && rc == 0; i++) {
		size_t n = make_key(i, key);

		rc = db_load_put(load, bytes_of(key, n), bytes_of("v", 1),
		    NULL);
	}
	if (rc == 0)
		rc = db_load_finish(load, NULL);
	db_load_free(&load);
	if (rc == 0)
		rc = db_open(&x->db, path, DB_PARANOID | DB_LARGE, NULL);
	*state = x;
	return rc;
}

static int
teardown(void **state)
{
	struct fixture *x = *state;

	db_close(&x->db);
	file_remove_tree(x->dir, NULL);
	free(x);
	return 0;
}

static void
save(const struct fixture *x, struct filter *f, struct buf *out)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/filter", x->dir);
	buf_init(out, FILTER_FILE_MAX);
	assert_int_equal(filter_save(f, path, name, NULL), 0);
	assert_int_equal(file_read(path, FILTER_FILE_MAX, out, NULL), 0);
}

/* Number of keys too: it is in the file. */
static void
filter_by_threads_is_the_one_of_each_key_alone(void **state)
{
	static const uint64_t about[] = { RECORDS, 10, 0 };
	struct fixture *x = *state;
	struct filter *want = filter_new(RECORDS, secret), *got;
	struct buf a, b;
	char key[64];
	unsigned i;

	for (i = 0; i < RECORDS; i++) {
		size_t n = make_key(i, key);

		if (!record_is_small((uint8_t)key[0]))
			filter_add(want, filter_hash(want, key, n));
	}
	save(x, want, &a);
	for (i = 0; i < sizeof(about) / sizeof(about[0]); i++) {
		got = filter_new(RECORDS, secret);
		assert_int_equal(filter_make(got, x->db, about[i], NULL), 0);
		save(x, got, &b);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.data, b.data, a.len);
		buf_fini(&b);
		filter_free(&got);
	}
	buf_fini(&a);
	filter_free(&want);
}

static void
parts_are_about_the_same(void **state)
{
	struct fixture *x = *state;
	uint8_t cut[3][DB_SPLIT_LEN];
	unsigned count[4] = { 0 }, i, part;
	char key[64];

	db_split(x->db, 4, cut);
	for (i = 0; i < RECORDS; i++) {
		make_key(i, key);
		for (part = 0; part < 3 && memcmp(key, cut[part],
		    DB_SPLIT_LEN) >= 0; part++)
			continue;
		count[part]++;
	}
	for (part = 0; part < 4; part++)
		assert_in_range(count[part], RECORDS / 8, RECORDS * 3 / 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    filter_by_threads_is_the_one_of_each_key_alone, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(parts_are_about_the_same,
		    setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
