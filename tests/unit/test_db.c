/*
 * test_db.c - the database: batches, views, locks, damage.
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/db.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

struct fixture { char dir[64], path[80]; struct db *db; };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-db-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/db", f->dir);
	*state = f;
	return db_open(&f->db, f->path, DB_NEW | DB_PARANOID, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	db_close(&f->db);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

static void
put(struct db *db, const char *key, const char *val)
{
	struct db_batch *b = db_batch_new();

	db_batch_put(b, key, strlen(key), val, strlen(val));
	assert_int_equal(db_write(db, b, true, NULL), 0);
	db_batch_free(&b);
}

static int
get(struct db *db, const struct db_view *view, const char *key, char *out)
{
	struct buf b;
	int rc;

	buf_init(&b, 0);
	rc = db_get(db, view, key, strlen(key), true, &b, NULL);
	if (rc == 0)
		strcpy(out, b.data);
	buf_fini(&b);
	return rc;
}

static void
db_write_then_get_after_reopen(void **state)
{
	struct fixture *f = *state;
	char val[64];

	put(f->db, "k", "v");
	db_close(&f->db);
	assert_int_equal(db_open(&f->db, f->path, 0, NULL), 0);
	assert_int_equal(get(f->db, NULL, "k", val), 0);
	assert_string_equal(val, "v");
	assert_int_equal(get(f->db, NULL, "none", val), ERR_NOENT);
}

static void
db_view_does_not_see_later_writes(void **state)
{
	struct fixture *f = *state;
	struct db_view *view;
	char val[64];

	put(f->db, "k", "old");
	view = db_view_new(f->db);
	put(f->db, "k", "new");
	assert_int_equal(get(f->db, view, "k", val), 0);
	assert_string_equal(val, "old");
	assert_int_equal(get(f->db, NULL, "k", val), 0);
	assert_string_equal(val, "new");
	db_view_free(f->db, &view);
}

static void
db_iter_walks_both_ways_in_order(void **state)
{
	struct fixture *f = *state;
	struct db_iter *it;

	put(f->db, "b", "2");
	put(f->db, "a", "1");
	put(f->db, "c", "3");
	it = db_iter_new(f->db, NULL);
	db_iter_seek(it, "aa", 2);
	assert_true(db_iter_valid(it));
	assert_memory_equal(db_iter_key(it).p, "b", 1);
	db_iter_next(it);
	assert_memory_equal(db_iter_value(it).p, "3", 1);
	db_iter_next(it);
	assert_false(db_iter_valid(it));
	db_iter_last(it);
	db_iter_prev(it);
	db_iter_prev(it);
	assert_memory_equal(db_iter_key(it).p, "a", 1);
	assert_int_equal(db_iter_error(it, NULL), 0);
	db_iter_free(&it);
}

static void
db_open_by_a_second_process_is_busy(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct db *other;

		/* Our own lock table came along with the fork: a program
		 * started anew has none, so LevelDB asks the file. */
		_exit(db_open(&other, f->path, 0, NULL) == ERR_BUSY ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
db_open_of_what_is_not_there_or_is_already_says_so(void **state)
{
	struct fixture *f = *state;
	struct db *other;
	char path[96];

	snprintf(path, sizeof(path), "%s/none", f->dir);
	assert_int_equal(db_open(&other, path, 0, NULL), ERR_NOENT);
	assert_null(other);
	db_close(&f->db);
	assert_int_equal(db_open(&other, f->path, DB_NEW, NULL), ERR_EXISTS);
}

/* Flip one bit in the middle of the largest table file. */
static void
damage(const char *path)
{
	char name[400], best[400] = "";
	struct dirent *e;
	struct stat st;
	off_t most = 0;
	char c;
	DIR *d = opendir(path);
	int fd;

	while ((e = readdir(d)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (strstr(name, ".ldb") != NULL && stat(name, &st) == 0 &&
		    st.st_size > most) {
			most = st.st_size;
			strcpy(best, name);
		}
	}
	closedir(d);
	assert_true(most > 0);
	fd = open(best, O_RDWR);
	assert_int_equal(pread(fd, &c, 1, most / 2), 1);
	c ^= 4;
	assert_int_equal(pwrite(fd, &c, 1, most / 2), 1);
	close(fd);
}

static void
db_with_a_flipped_bit_gives_no_wrong_value(void **state)
{
	struct fixture *f = *state;
	struct db_batch *b = db_batch_new();
	char key[16], val[64];
	int i, corrupt = 0;

	for (i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "key%06d", i);
		db_batch_put(b, key, strlen(key), key, strlen(key));
	}
	assert_int_equal(db_write(f->db, b, true, NULL), 0);
	db_batch_free(&b);
	db_compact(f->db);
	db_close(&f->db);
	damage(f->path);
	assert_int_equal(db_open(&f->db, f->path, DB_PARANOID, NULL), 0);
	for (i = 0; i < 5000; i++) {
		int rc;

		snprintf(key, sizeof(key), "key%06d", i);
		rc = get(f->db, NULL, key, val);
		if (rc == 0)
			assert_string_equal(val, key);
		else
			corrupt += rc == ERR_CORRUPT;
	}
	assert_true(corrupt > 0);
}

/* A write that the file system cuts amid a record: files may not grow. */
static int
write_cut(struct db *db)
{
	struct rlimit was, small;
	struct db_batch *b = db_batch_new();
	char *val = calloc(1, 200000);
	int rc;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	small = was;
	small.rlim_cur = 100000;
	db_batch_put(b, "cut", 3, val, 200000);
	setrlimit(RLIMIT_FSIZE, &small);
	rc = db_write(db, b, true, NULL);
	setrlimit(RLIMIT_FSIZE, &was);
	db_batch_free(&b);
	free(val);
	return rc;
}

static void
db_after_a_failed_write_takes_none_until_it_is_opened_again(void **state)
{
	struct fixture *f = *state;
	struct db_batch *b = db_batch_new();
	char key[16], val[64];
	int i;

	put(f->db, "a", "1");
	assert_false(db_has_failed(f->db));
	assert_true(write_cut(f->db) < 0);
	assert_true(db_has_failed(f->db));
	db_batch_put(b, "b", 1, "2", 1);
	assert_int_equal(db_write(f->db, b, true, NULL), ERR_IO);
	assert_int_equal(get(f->db, NULL, "a", val), 0);
	assert_int_equal(db_reopen(f->db, NULL), 0);
	assert_false(db_has_failed(f->db));
	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		put(f->db, key, "after");
	}
	db_close(&f->db);
	/* behind half a record they could not all be read */
	assert_int_equal(db_open(&f->db, f->path, 0, NULL), 0);
	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(get(f->db, NULL, key, val), 0);
	}
	assert_int_equal(get(f->db, NULL, "a", val), 0);
	assert_int_equal(get(f->db, NULL, "cut", val), ERR_NOENT);
	db_batch_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    db_write_then_get_after_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    db_view_does_not_see_later_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    db_iter_walks_both_ways_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    db_open_by_a_second_process_is_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    db_after_a_failed_write_takes_none_until_it_is_opened_again,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    db_open_of_what_is_not_there_or_is_already_says_so,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    db_with_a_flipped_bit_gives_no_wrong_value, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
