/*
 * test_store.c - the policy store: versions, conflicts, what a lost batch
 * looks like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/store.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define S ITEM_SEP_S

struct fixture { char dir[64]; struct store *s; };

static const struct commit info = { .actor = "test", .action = "apply",
    .message = "why", .document = "groups: {g: []}\n" };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-store-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) == NULL ? -1 :
	    store_open(&f->s, f->dir, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_close(&f->s);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

/* Commit one item; what store_commit() gave. */
static int
put(struct store *s, const char *key, const char *value, uint64_t *version)
{
	struct change c = { 0 };
	struct diag why;
	int rc;

	change_add(&c, key, items_get(store_items(s), key), value, "cli");
	rc = store_commit(s, &c, &info, version, &why);
	change_fini(&c);
	return rc;
}

static void
store_reopened_has_the_version_the_items_and_the_digest(void **state)
{
	struct fixture *f = *state;
	struct head before, after;
	struct buf rev;
	uint64_t v;

	assert_int_equal(store_version(f->s), 0);
	assert_int_equal(put(f->s, "group" S "g", "{}", &v), 0);
	assert_int_equal(put(f->s, "entry" S "bad.example" S "g", "{}", &v),
	    0);
	assert_int_equal(v, 2);
	store_head(f->s, &before, NULL);
	store_close(&f->s);
	assert_int_equal(store_open(&f->s, f->dir, NULL), 0);
	store_head(f->s, &after, NULL);
	assert_int_equal(after.version, 2);
	assert_int_equal(after.count, before.count);
	assert_memory_equal(after.digest, before.digest, DIGEST_LEN);
	assert_true(records_has(store_records(f->s), "Ebad.example", 12));
	buf_init(&rev, 0);
	assert_int_equal(store_revision(f->s, 1, true, &rev, NULL), 0);
	assert_non_null(strstr(rev.data, "\"version\":1"));
	assert_non_null(strstr(rev.data, "\"message\":\"why\""));
	assert_non_null(strstr(rev.data, "\"document\":\"groups: {g: []}"));
	assert_int_equal(store_revision(f->s, 3, false, &rev, NULL),
	    ERR_NOENT);
	buf_fini(&rev);
}

static void
commit_on_another_revision_is_a_conflict(void **state)
{
	struct fixture *f = *state;
	struct commit other = info;
	struct change c = { 0 };
	struct diag why;
	uint64_t v;

	assert_int_equal(put(f->s, "group" S "g", "{}", &v), 0);
	change_add(&c, "group" S "h", NULL, "{}", "cli");
	other.if_revision = 7;
	assert_int_equal(store_commit(f->s, &c, &other, &v, &why),
	    ERR_CONFLICT);
	assert_int_equal(store_version(f->s), 1);
	other.if_revision = 1;
	assert_int_equal(store_commit(f->s, &c, &other, &v, &why), 0);
	assert_int_equal(v, 2);
	change_fini(&c);
}

static void
commit_that_does_not_compile_writes_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t v;

	assert_int_equal(put(f->s, "entry" S "bad.example" S "none", "{}",
	    &v), ERR_INVAL);
	assert_int_equal(store_version(f->s), 0);
	assert_int_equal(items_n(store_items(f->s)), 0);
	store_close(&f->s);
	assert_int_equal(store_open(&f->s, f->dir, NULL), 0);
	assert_int_equal(items_n(store_items(f->s)), 0);
}

static void
copy_tree(const char *from, const char *to)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "cp -a %s %s", from, to);
	assert_int_equal(system(cmd), 0);
}

static void
store_that_lost_an_acknowledged_batch_does_not_open(void **state)
{
	struct fixture *f = *state;
	char db[96], old[96];
	struct diag why;
	uint64_t v;

	snprintf(db, sizeof(db), "%s/policy", f->dir);
	snprintf(old, sizeof(old), "%s/old", f->dir);
	assert_int_equal(put(f->s, "group" S "g", "{}", &v), 0);
	store_close(&f->s);
	copy_tree(db, old);
	assert_int_equal(store_open(&f->s, f->dir, NULL), 0);
	assert_int_equal(put(f->s, "group" S "h", "{}", &v), 0);
	store_close(&f->s);
	assert_int_equal(file_remove_tree(db, NULL), 0);
	assert_int_equal(rename(old, db), 0);
	assert_int_equal(store_open(&f->s, f->dir, &why), ERR_CORRUPT);
	assert_null(f->s);
	assert_non_null(strstr(why.text, "was acknowledged"));
}

static void
store_of_another_process_is_busy(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct store *other;

		_exit(store_open(&other, f->dir, NULL) == ERR_BUSY ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
collect(void *arg, const char *key, const char *json)
{
	strcat(strcat(strcat(arg, key), json), " ");
}

static void
rows_of_a_table_are_kept_apart_from_other_tables(void **state)
{
	struct fixture *f = *state;
	char got[100] = "";

	assert_int_equal(store_row_put(f->s, "node", "n2", "{2}", NULL), 0);
	assert_int_equal(store_row_put(f->s, "node", "n1", "{1}", NULL), 0);
	assert_int_equal(store_row_put(f->s, "nodes", "x", "{}", NULL), 0);
	assert_int_equal(store_row_put(f->s, "node", "n3", "{3}", NULL), 0);
	assert_int_equal(store_row_del(f->s, "node", "n3", NULL), 0);
	assert_int_equal(store_row_scan(f->s, "node", collect, got, NULL), 0);
	assert_string_equal(got, "n1{1} n2{2} ");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(store_reopened_has_the_version_the_items_and_the_digest),
		TEST(commit_on_another_revision_is_a_conflict),
		TEST(commit_that_does_not_compile_writes_nothing),
		TEST(store_that_lost_an_acknowledged_batch_does_not_open),
		TEST(store_of_another_process_is_busy),
		TEST(rows_of_a_table_are_kept_apart_from_other_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
