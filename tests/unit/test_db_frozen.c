/*
 * test_db_frozen.c - a look finds what LevelDB finds; bytes that flip make it
 * miss or show others, never read past a file; other forms are refused.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/db.h"
#include "proto/base/db_frozen.h"
#include "proto/base/db_load.h"
#include "proto/base/db_table.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "tests/lib/flip.h"

#define MANY 20000		/* some hundred blocks */

struct fixture {
	char dir[64], path[80];
	struct db_load *load;
	struct db_frozen *f;
};

static int
setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	strcpy(x->dir, "/tmp/postern-frozen-XXXXXX");
	if (mkdtemp(x->dir) == NULL)
		return -1;
	snprintf(x->path, sizeof(x->path), "%s/db", x->dir);
	*state = x;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *x = *state;

	db_frozen_close(&x->f);
	db_load_free(&x->load);
	file_remove_tree(x->dir, NULL);
	free(x);
	return 0;
}

static struct bytes
text(const char *s)
{
	return bytes_of(s, strlen(s));
}

static const char *const ranges[] = { "Uuser-of-many@one.domain.example",
    "D" };

/* Key i of a range: many lengths, some are parts of the next, and those of
 * one range are equal for more than the 16 bytes that are held in memory. */
static struct bytes
make_key(int range, size_t i, struct buf *out)
{
	size_t k;

	buf_reset(out);
	buf_printf(out, "%s%06zu", ranges[range], i / 10);
	for (k = 0; k < i % 10; k++)
		buf_put_u8(out, (uint8_t)(k == 5 ? 0xff : i % 10));
	buf_put_u8(out, (uint8_t)(i % 10));
	return bytes_of(out->data, out->len);
}

static struct bytes
make_value(int range, size_t i, struct buf *out)
{
	buf_reset(out);
	while (out->len < i * 7919 % 150 || (i == 777 && out->len < 20000))
		buf_printf(out, "%d.%zu ", range, i);
	return bytes_of(out->data, out->len);
}

/* Every other key of both ranges. */
static void
make(struct fixture *x)
{
	struct buf k, v;
	size_t i;
	int range;

	buf_init(&k, 0);
	buf_init(&v, 0);
	assert_int_equal(db_load_begin(&x->load, x->path, NULL), 0);
	for (range = 0; range < 2; range++) {
		assert_int_equal(db_load_range(x->load, NULL), 0);
		for (i = 1; i < MANY; i += 2)
			assert_int_equal(db_load_put(x->load, make_key(range,
			    i, &k), make_value(range, i, &v), NULL), 0);
	}
	assert_int_equal(db_load_finish(x->load, NULL), 0);
	buf_fini(&k);
	buf_fini(&v);
}

static bool
has(const struct db_frozen *f, const char *key)
{
	struct bytes v;

	return db_frozen_get(f, text(key), &v);
}

static void
look_finds_what_was_put_and_nothing_else(void **state)
{
	struct fixture *x = *state;
	struct diag why = { "" };
	struct bytes v, want;
	struct buf k, val;
	size_t i;
	int range;

	buf_init(&k, 0);
	buf_init(&val, 0);
	make(x);
	if (db_frozen_open(&x->f, x->path, &why) < 0)
		fail_msg("%s", why.text);
	for (range = 0; range < 2; range++) {
		for (i = 0; i < MANY; i++) {
			bool found = db_frozen_get(x->f, make_key(range, i,
			    &k), &v);

			assert_int_equal(found, i % 2);
			if (!found)
				continue;
			want = make_value(range, i, &val);
			assert_int_equal(v.n, want.n);
			if (v.n > 0)
				assert_memory_equal(v.p, want.p, v.n);
			/* neither more nor less of the key */
			k.data[k.len - 1]++;
			assert_false(db_frozen_get(x->f, bytes_of(k.data,
			    k.len), &v));
		}
	}
	assert_false(has(x->f, ""));
	assert_false(has(x->f, "A"));
	assert_false(has(x->f, "D"));
	assert_false(has(x->f, "Dz"));
	assert_false(has(x->f, "V"));
	assert_false(db_frozen_get(x->f, bytes_of("\0\0\0", 3), &v));
	assert_false(db_frozen_get(x->f, bytes_of("\xff\xff", 2), &v));
	buf_fini(&k);
	buf_fini(&val);
}

/* --- damage --------------------------------------------------------------- */

/* All keys, and all bytes that are shown for them. */
static unsigned
read_all(const struct db_frozen *f)
{
	unsigned sum = 0;
	struct bytes v;
	struct buf k;
	size_t i, n;
	int range;

	buf_init(&k, 0);
	for (range = 0; range < 2; range++) {
		for (i = 1; i < MANY; i += 97) {
			if (!db_frozen_get(f, make_key(range, i, &k), &v))
				continue;
			for (n = 0; n < v.n; n++)
				sum += v.p[n];
		}
	}
	buf_fini(&k);
	return sum;
}

static int
table_of(const struct fixture *x, off_t *size)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/000003.ldb", x->path);
	assert_true((fd = open(path, O_RDWR)) >= 0);
	*size = lseek(fd, 0, SEEK_END);
	return fd;
}

static void
flipped_bits_never_read_past_a_file(void **state)
{
	struct fixture *x = *state;
	struct db_frozen *whole;
	unsigned sum, other = 0, refused = 0;
	off_t size, at, step;
	int fd;

	make(x);
	assert_int_equal(db_frozen_open(&whole, x->path, NULL), 0);
	sum = read_all(whole);
	fd = table_of(x, &size);
	/* blocks here and there, then all of the tail: index and footer */
	for (at = 0; at < size; at += step) {
		flip_bit(fd, at, (int)(at % 8));
		other += read_all(whole) != sum;
		if (db_frozen_open(&x->f, x->path, NULL) < 0)
			refused++;
		else
			read_all(x->f);
		db_frozen_close(&x->f);
		flip_bit(fd, at, (int)(at % 8));
		step = at < size - 4000 ? size / 250 + 1 : 37;
	}
	close(fd);
	assert_true(other > 0);
	assert_true(refused > 10);
	assert_int_equal(read_all(whole), sum);
	db_frozen_close(&whole);
}

static void
cut_table_is_refused(void **state)
{
	struct fixture *x = *state;
	struct diag why = { "" };
	off_t size, len;
	int fd;

	make(x);
	fd = table_of(x, &size);
	for (len = size - 1; len > 0; len /= 3) {
		assert_int_equal(ftruncate(fd, len), 0);
		assert_int_equal(db_frozen_open(&x->f, x->path, &why),
		    ERR_CORRUPT);
		assert_non_null(strstr(why.text, "damaged"));
		assert_null(x->f);
	}
	close(fd);
}

/* --- other forms ---------------------------------------------------------- */

static void
write_table(const struct fixture *x, const char *name, const char *first,
    const char *last)
{
	struct db_table *t;
	char path[160];

	file_mkdirs(x->path, 0700, NULL);
	snprintf(path, sizeof(path), "%s/%s", x->path, name);
	assert_int_equal(db_table_begin(&t, path, NULL), 0);
	assert_int_equal(db_table_put(t, text(first), text("1"), NULL), 0);
	assert_int_equal(db_table_put(t, text(last), text("2"), NULL), 0);
	assert_int_equal(db_table_finish(t, false, NULL), 0);
	db_table_free(&t);
}

static void
tables_that_overlap_are_refused(void **state)
{
	struct fixture *x = *state;

	write_table(x, "000007.ldb", "Da", "Df");
	write_table(x, "000005.ldb", "Dfa", "Dk");
	assert_int_equal(db_frozen_open(&x->f, x->path, NULL), 0);
	assert_true(has(x->f, "Da") && has(x->f, "Df") &&
	    has(x->f, "Dfa") && has(x->f, "Dk"));
	assert_false(has(x->f, "De") || has(x->f, "Dg"));
	db_frozen_close(&x->f);
	write_table(x, "000006.ldb", "Df", "Df1");
	assert_int_equal(db_frozen_open(&x->f, x->path, NULL), ERR_VERSION);
}

static void
keys_of_ones_alone_are_found(void **state)
{
	struct fixture *x = *state;
	uint8_t key[20];
	struct bytes v;
	size_t i;

	memset(key, 0xff, sizeof(key));
	assert_int_equal(db_load_begin(&x->load, x->path, NULL), 0);
	for (i = 0; i < 256 * 256; i += 2) {
		key[18] = (uint8_t)(i >> 8);
		key[19] = (uint8_t)i;
		assert_int_equal(db_load_put(x->load, bytes_of(key, 20),
		    bytes_of(&key[18], 2), NULL), 0);
	}
	assert_int_equal(db_load_finish(x->load, NULL), 0);
	assert_int_equal(db_frozen_open(&x->f, x->path, NULL), 0);
	for (i = 0; i < 256 * 256; i++) {
		key[18] = (uint8_t)(i >> 8);
		key[19] = (uint8_t)i;
		assert_int_equal(db_frozen_get(x->f, bytes_of(key, 20), &v),
		    i % 2 == 0);
		if (i % 2 == 0)
			assert_memory_equal(v.p, &key[18], 2);
	}
}

static void
database_that_was_written_to_is_refused(void **state)
{
	struct fixture *x = *state;
	struct db *db;

	assert_int_equal(db_frozen_open(&x->f, x->path, NULL), ERR_NOENT);
	make(x);
	assert_int_equal(db_open(&db, x->path, DB_LARGE, NULL), 0);
	db_close(&db);
	assert_int_equal(db_frozen_open(&x->f, x->path, NULL), ERR_VERSION);
	file_remove_tree(x->path, NULL);
	file_mkdirs(x->path, 0700, NULL);
	assert_int_equal(db_frozen_open(&x->f, x->path, NULL), ERR_NOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    look_finds_what_was_put_and_nothing_else, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    flipped_bits_never_read_past_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_table_is_refused, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    tables_that_overlap_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    keys_of_ones_alone_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    database_that_was_written_to_is_refused, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
