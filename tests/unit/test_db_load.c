/*
 * test_db_load.c - LevelDB reads what was written without it, and goes on
 * with it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/crc32c.h"
#include "proto/base/db.h"
#include "proto/base/db_load.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "tests/lib/flip.h"

#define MANY 60000		/* two tables: one of 32 MiB, and more */
#define LONG 20000		/* bytes of every 40th value */

struct fixture { char dir[64], path[80]; struct db_load *load; };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-load-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/db", f->dir);
	*state = f;
	return db_load_begin(&f->load, f->path, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	db_load_free(&f->load);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

static struct bytes
text(const char *s)
{
	return bytes_of(s, strlen(s));
}

static int
put(struct fixture *f, const char *key, const char *val)
{
	return db_load_put(f->load, text(key), text(val), NULL);
}

static struct db *
finish(struct fixture *f)
{
	struct db *db;

	assert_int_equal(db_load_finish(f->load, NULL), 0);
	assert_int_equal(db_open(&db, f->path, DB_PARANOID | DB_LARGE, NULL),
	    0);
	return db;
}

/* Record i: keys of many lengths that share much, values of any length. */
static void
record(size_t i, struct buf *key, struct buf *val)
{
	static uint8_t bytes[256 + LONG];
	size_t k, n = i % 40 == 7 ? LONG : i * 7919 % 250;

	for (k = 0; bytes[1] == 0 && k < sizeof(bytes); k++)
		bytes[k] = (uint8_t)k;
	buf_reset(key);
	buf_reset(val);
	buf_printf(key, "u%06zu", i / 10);
	for (k = 0; k < i % 10; k++)
		buf_put_u8(key, (uint8_t)(k == 5 ? 0xff : i % 10));
	buf_put_u8(key, (uint8_t)(i % 10));
	buf_put(val, bytes + i * 31 % 256, n);
}

static void
put_many(struct fixture *f)
{
	struct buf key, val;
	size_t i;

	buf_init(&key, 0);
	buf_init(&val, 0);
	for (i = 0; i < MANY; i++) {
		record(i, &key, &val);
		assert_int_equal(db_load_put(f->load, bytes_of(key.data,
		    key.len), bytes_of(val.data, val.len), NULL), 0);
	}
	buf_fini(&key);
	buf_fini(&val);
}

static void
sums_are_castagnolis(void **state)
{
	uint8_t zeros[32] = { 0 }, odd[1003];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(odd); i++)
		odd[i] = (uint8_t)(i * 7);
	/* RFC 3720, B.4 */
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5),
	    0xe3069283);
	assert_int_equal(crc32c_slow(0, odd, sizeof(odd)), crc32c(0, odd,
	    sizeof(odd)));
}

static void
many_records_are_read_in_order_with_checksums(void **state)
{
	struct fixture *f = *state;
	struct buf key, val;
	struct db_iter *it;
	struct db *db;
	size_t i = 0;

	buf_init(&key, 0);
	buf_init(&val, 0);
	put_many(f);
	db = finish(f);
	it = db_iter_new(db, NULL);
	for (db_iter_first(it); db_iter_valid(it); db_iter_next(it), i++) {
		struct bytes k = db_iter_key(it), v = db_iter_value(it);

		record(i, &key, &val);
		assert_int_equal(k.n, key.len);
		assert_memory_equal(k.p, key.data, k.n);
		assert_int_equal(v.n, val.len);
		if (v.n > 0)
			assert_memory_equal(v.p, val.data, v.n);
	}
	assert_int_equal(db_iter_error(it, NULL), 0);
	assert_int_equal(i, MANY);
	db_iter_free(&it);
	db_close(&db);
	buf_fini(&key);
	buf_fini(&val);
}

static void
each_record_is_found_and_others_are_not(void **state)
{
	struct fixture *f = *state;
	struct buf key, val, got;
	struct db *db;
	size_t i;

	buf_init(&key, 0);
	buf_init(&val, 0);
	buf_init(&got, 0);
	put_many(f);
	db = finish(f);
	for (i = 0; i < MANY; i += 3) {
		record(i, &key, &val);
		buf_reset(&got);
		assert_int_equal(db_get(db, NULL, key.data, key.len, true,
		    &got, NULL), 0);
		assert_int_equal(got.len, val.len);
		buf_puts(&key, "?");
		assert_int_equal(db_get(db, NULL, key.data, key.len, true,
		    &got, NULL), ERR_NOENT);
	}
	db_close(&db);
	buf_fini(&key);
	buf_fini(&val);
	buf_fini(&got);
}

static void
writes_deletes_and_compaction_go_on_from_it(void **state)
{
	struct fixture *f = *state;
	struct db_batch *b = db_batch_new();
	struct buf key, val, got;
	struct db *db;

	buf_init(&key, 0);
	buf_init(&val, 0);
	buf_init(&got, 0);
	put_many(f);
	db = finish(f);
	record(42, &key, &val);
	db_batch_del(b, key.data, key.len);
	record(43, &key, &val);
	db_batch_put(b, key.data, key.len, "new", 3);
	assert_int_equal(db_write(db, b, true, NULL), 0);
	db_compact(db);
	db_close(&db);
	assert_int_equal(db_open(&db, f->path, DB_PARANOID | DB_LARGE, NULL),
	    0);
	assert_int_equal(db_get(db, NULL, key.data, key.len, true, &got,
	    NULL), 0);
	assert_string_equal(got.data, "new");
	record(42, &key, &val);
	assert_int_equal(db_get(db, NULL, key.data, key.len, true, &got,
	    NULL), ERR_NOENT);
	record(44, &key, &val);
	assert_int_equal(db_get(db, NULL, key.data, key.len, true, &got,
	    NULL), 0);
	db_close(&db);
	db_batch_free(&b);
	buf_fini(&key);
	buf_fini(&val);
	buf_fini(&got);
}

/* The only table file in a folder. */
static void
read_table(const char *dir, struct buf *out)
{
	char path[400];
	struct dirent *e;
	DIR *d = opendir(dir);

	assert_non_null(d);
	while ((e = readdir(d)) != NULL && strstr(e->d_name, ".ldb") == NULL)
		continue;
	assert_non_null(e);
	snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
	assert_int_equal(file_read(path, 1 << 20, out, NULL), 0);
	closedir(d);
}

/* Filter and all: of one record, whose sequence is the same. */
static void
table_is_what_leveldb_writes(void **state)
{
	struct fixture *f = *state;
	struct db_batch *b = db_batch_new();
	struct buf ours, theirs;
	char path[96];
	struct db *db;

	buf_init(&ours, 0);
	buf_init(&theirs, 0);
	assert_int_equal(put(f, "a key of some length", "a value"), 0);
	assert_int_equal(db_load_finish(f->load, NULL), 0);
	read_table(f->path, &ours);
	snprintf(path, sizeof(path), "%s/theirs", f->dir);
	assert_int_equal(db_open(&db, path, DB_NEW | DB_LARGE, NULL), 0);
	db_batch_put(b, "a key of some length", 20, "a value", 7);
	assert_int_equal(db_write(db, b, true, NULL), 0);
	db_compact(db);
	db_close(&db);
	read_table(path, &theirs);
	assert_int_equal(ours.len, theirs.len);
	assert_memory_equal(ours.data, theirs.data, ours.len);
	db_batch_free(&b);
	buf_fini(&ours);
	buf_fini(&theirs);
}

static void
empty_one_opens_and_is_empty(void **state)
{
	struct fixture *f = *state;
	struct db *db = finish(f);
	struct db_iter *it = db_iter_new(db, NULL);

	db_iter_first(it);
	assert_false(db_iter_valid(it));
	db_iter_free(&it);
	db_close(&db);
}

static void
keys_that_do_not_rise_are_refused(void **state)
{
	struct fixture *f = *state;
	struct db *db;

	assert_int_equal(put(f, "b", "1"), 0);
	assert_int_equal(put(f, "b", "2"), ERR_INVAL);
	assert_int_equal(put(f, "a", "2"), ERR_INVAL);
	assert_int_equal(put(f, "bb", "2"), 0);
	db = finish(f);
	db_close(&db);
}

static void
another_range_may_lie_before_and_not_within(void **state)
{
	struct fixture *f = *state;
	struct buf got;
	struct db *db;

	buf_init(&got, 0);
	assert_int_equal(put(f, "m", "1"), 0);
	assert_int_equal(put(f, "p", "1"), 0);
	assert_int_equal(db_load_range(f->load, NULL), 0);
	assert_int_equal(put(f, "a", "first"), 0);
	db = finish(f);
	assert_int_equal(db_get(db, NULL, "a", 1, true, &got, NULL), 0);
	assert_string_equal(got.data, "first");
	assert_int_equal(db_get(db, NULL, "p", 1, true, &got, NULL), 0);
	db_close(&db);
	db_load_free(&f->load);
	file_remove_tree(f->path, NULL);

	assert_int_equal(db_load_begin(&f->load, f->path, NULL), 0);
	assert_int_equal(put(f, "m", "1"), 0);
	assert_int_equal(put(f, "p", "1"), 0);
	assert_int_equal(db_load_range(f->load, NULL), 0);
	assert_int_equal(put(f, "n", "1"), 0);
	assert_int_equal(db_load_finish(f->load, NULL), ERR_INVAL);
	buf_fini(&got);
}

static void
what_was_not_finished_is_no_database(void **state)
{
	struct fixture *f = *state;
	struct db *db;

	put_many(f);
	assert_true(db_open(&db, f->path, DB_PARANOID, NULL) < 0);
}

static void
folder_that_is_there_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct db_load *l;
	struct diag why;

	assert_int_equal(db_load_begin(&l, f->path, &why), ERR_EXISTS);
	assert_null(l);
}

static void
flipped_bit_in_a_table_is_seen(void **state)
{
	struct fixture *f = *state;
	struct buf key, val, got, file;
	char path[128];
	struct db *db;

	buf_init(&key, 0);
	buf_init(&val, 0);
	buf_init(&got, 0);
	buf_init(&file, 0);
	put_many(f);
	assert_int_equal(db_load_finish(f->load, NULL), 0);
	snprintf(path, sizeof(path), "%s/000003.ldb", f->path);
	assert_int_equal(file_read(path, 64 << 20, &file, NULL), 0);
	file.data[100] ^= 4;
	assert_int_equal(file_write(path, file.data, file.len, 0600, NULL),
	    0);
	assert_int_equal(db_open(&db, f->path, DB_PARANOID | DB_LARGE, NULL),
	    0);
	record(0, &key, &val);
	assert_int_equal(db_get(db, NULL, key.data, key.len, true, &got,
	    NULL), ERR_CORRUPT);
	db_close(&db);
	buf_fini(&key);
	buf_fini(&val);
	buf_fini(&got);
	buf_fini(&file);
}

/* In a process of its own, as LevelDB ends the one that reads some damage:
 * 0 right or refused, 1 denied by db_get() alone, 2 wrong. */
static int
ask(struct db *db, const struct buf *key, const struct buf *val)
{
	struct buf got;
	int status, rc;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	close(2);	/* it says so */
	buf_init(&got, 0);
	rc = db_get_surely(db, NULL, key->data, key->len, &got, NULL);
	if (rc == ERR_NOENT || (rc == 0 && (got.len != val->len ||
	    memcmp(got.data, val->data, got.len) != 0)))
		_exit(2);
	_exit(db_get(db, NULL, key->data, key->len, true, &got, NULL) ==
	    ERR_NOENT);
}

/* LevelDB maps its tables: what flips later in a filter or an index is not
 * seen by its checksum, which is looked at once. */
static void
bit_flipped_in_an_open_table_denies_no_key(void **state)
{
	struct fixture *f = *state;
	long count[3] = { 0 }, at;
	struct buf key, val, got;
	char path[128];
	struct stat st;
	struct db *db;
	size_t i;
	int fd;

	buf_init(&key, 0);
	buf_init(&val, 0);
	buf_init(&got, 0);
	for (i = 0; i < 600; i++) {
		record(i, &key, &val);
		assert_int_equal(db_load_put(f->load, bytes_of(key.data,
		    key.len), bytes_of(val.data, val.len), NULL), 0);
	}
	db = finish(f);
	record(305, &key, &val);
	assert_int_equal(db_get(db, NULL, key.data, key.len, true, &got,
	    NULL), 0);
	snprintf(path, sizeof(path), "%s/000003.ldb", f->path);
	assert_true((fd = open(path, O_RDWR)) >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (at = (long)st.st_size - 2500; at < (long)st.st_size; at += 2) {
		flip_bit(fd, at, (int)(at / 2 % 8));
		count[ask(db, &key, &val)]++;
		flip_bit(fd, at, (int)(at / 2 % 8));
	}
	/* the twin: without it some are denied */
	assert_true(count[1] > 0);
	assert_int_equal(count[2], 0);
	buf_puts(&key, "?");
	assert_int_equal(db_get_surely(db, NULL, key.data, key.len, &got,
	    NULL), ERR_NOENT);
	assert_int_equal(db_get_surely(db, NULL, "a", 1, &got, NULL),
	    ERR_NOENT);
	assert_int_equal(db_get_surely(db, NULL, "z", 1, &got, NULL),
	    ERR_NOENT);
	close(fd);
	db_close(&db);
	buf_fini(&key);
	buf_fini(&val);
	buf_fini(&got);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		/* first: it forks often, and memory only grows */
		T(bit_flipped_in_an_open_table_denies_no_key),
		cmocka_unit_test(sums_are_castagnolis),
		T(many_records_are_read_in_order_with_checksums),
		T(each_record_is_found_and_others_are_not),
		T(writes_deletes_and_compaction_go_on_from_it),
		T(table_is_what_leveldb_writes),
		T(empty_one_opens_and_is_empty),
		T(keys_that_do_not_rise_are_refused),
		T(another_range_may_lie_before_and_not_within),
		T(what_was_not_finished_is_no_database),
		T(folder_that_is_there_is_left_alone),
		T(flipped_bit_in_a_table_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
