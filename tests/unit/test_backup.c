/*
 * test_backup.c - a backup while changes go on, put back and marked.
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

#include "controller/backup.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/sock.h"

#define S ITEM_SEP_S

struct fixture {
	char dir[64], to[80], again[80];
	struct store *s;
	struct messages *m;
	struct backup *b;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[80];

	strcpy(f->dir, "/tmp/postern-backup-XXXXXX");
	*state = f;
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->to, sizeof(f->to), "%s/saved", f->dir);
	snprintf(f->again, sizeof(f->again), "%s/again", f->dir);
	snprintf(path, sizeof(path), "%s/messages", f->dir);
	if (store_open(&f->s, f->dir, NULL) < 0 ||
	    messages_open(&f->m, path, NULL) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/keys", f->dir);
	if (file_mkdirs(path, 0700, NULL) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/keys/a.key", f->dir);
	f->b = backup_new(f->s, f->m, f->dir);
	return file_write(path, "secret", 6, 0600, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	backup_free(&f->b);
	messages_close(&f->m);
	store_close(&f->s);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

static void
put(struct fixture *f, const char *key)
{
	struct commit info = { .actor = "test", .action = "test" };
	struct change c = { 0 };
	uint64_t v;

	change_add(&c, key, NULL, "{}", "cli");
	assert_int_equal(store_commit(f->s, &c, &info, &v, NULL), 0);
	change_fini(&c);
}

static void
save(struct fixture *f)
{
	struct backup_status now;
	struct diag why;

	put(f, "group" S "before");
	assert_int_equal(store_row_put(f->s, "token", "aa", "{}", NULL), 0);
	assert_int_equal(store_row_put(f->s, "node", "mx1", "{}", NULL), 0);
	if (backup_begin(f->b, f->to, &why) < 0)
		fail_msg("%s", why.text);
	put(f, "group" S "after");	/* the backup is of before */
	do {
		sock_poll(NULL, 0, 2);
		backup_status(f->b, &now);
	} while (now.running);
	assert_int_equal(now.rc, 0);
	assert_int_equal(now.version, 1);
}

static void
count_row(void *arg, const char *key, const char *json)
{
	(void)key;
	(void)json;
	++*(int *)arg;
}

static int
count_rows(struct store *s, const char *table)
{
	int n = 0;

	assert_int_equal(store_row_scan(s, table, count_row, &n, NULL), 0);
	return n;
}

static void
backup_put_back_is_the_version_it_was_begun_at_and_marked(void **state)
{
	struct fixture *f = *state;
	struct store *s;
	struct diag why;
	struct buf key;
	char path[100];

	save(f);
	if (backup_restore(f->to, f->again, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(store_open(&s, f->again, NULL), 0);
	assert_int_equal(store_version(s), 1);
	assert_non_null(items_get(store_items(s), "group" S "before"));
	assert_null(items_get(store_items(s), "group" S "after"));
	assert_true(backup_is_marked(s));
	assert_int_equal(count_rows(s, "node"), 1);
	assert_int_equal(count_rows(s, "token"), 0);
	assert_int_equal(count_rows(f->s, "token"), 1);
	assert_int_equal(backup_unmark(s, NULL), 0);
	assert_false(backup_is_marked(s));
	store_close(&s);
	assert_false(backup_is_marked(f->s));
	buf_init(&key, 0);
	snprintf(path, sizeof(path), "%s/keys/a.key", f->again);
	assert_int_equal(file_read_secret(path, 100, &key, NULL), 0);
	assert_string_equal(key.data, "secret");
	buf_fini(&key);
	/* not over what is there */
	assert_int_equal(backup_restore(f->to, f->again, NULL), ERR_EXISTS);
}

static void
backup_into_what_is_there_or_beside_another_is_refused(void **state)
{
	struct fixture *f = *state;

	save(f);
	assert_int_equal(backup_begin(f->b, f->to, NULL), ERR_EXISTS);
	assert_int_equal(backup_begin(f->b, "relative", NULL), ERR_INVAL);
	assert_int_equal(backup_begin(f->b, "/none/at/all", NULL), ERR_INVAL);
}

static void
backup_that_is_not_whole_is_not_put_back(void **state)
{
	struct fixture *f = *state;
	char path[120], aside[120];

	save(f);
	snprintf(path, sizeof(path), "%s/BACKUP", f->to);
	snprintf(aside, sizeof(aside), "%s/aside", f->dir);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(backup_restore(f->to, f->again, NULL), ERR_NOENT);
	assert_int_equal(rename(aside, path), 0);
	assert_int_equal(file_write(path, "{\"version\":1,\"digest\":\"00\"}",
	    28, 0600, NULL), 0);
	assert_int_equal(backup_restore(f->to, f->again, NULL), ERR_CORRUPT);
	/* and nothing is left of it */
	snprintf(path, sizeof(path), "%s/policy", f->again);
	assert_int_not_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/keys", f->again);
	assert_int_not_equal(access(path, F_OK), 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(backup_put_back_is_the_version_it_was_begun_at_and_marked),
		T(backup_into_what_is_there_or_beside_another_is_refused),
		T(backup_that_is_not_whole_is_not_put_back),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
