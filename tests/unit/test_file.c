/*
 * test_file.c - files and folders that survive, locks, secrets.
 */
#include "proto/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/err.h"

/* The test's own folder and a path within it. */
struct place {
	char dir[256], path[300];
};

static int
setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "%s/test_file.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(p->dir) == NULL)
		return -1;
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	int rc = file_remove_tree(p->dir, NULL);

	free(p);
	return rc;
}

static const char *
in(struct place *p, const char *name)
{
	snprintf(p->path, sizeof(p->path), "%s/%s", p->dir, name);
	return p->path;
}

static void
assert_content(const char *path, const char *want)
{
	struct buf b;

	buf_init(&b, 0);
	assert_int_equal(file_read(path, 1 << 20, &b, NULL), 0);
	assert_string_equal(b.data, want);
	buf_fini(&b);
}

static size_t
names_in(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
write_replaces_the_whole_with_the_mode(void **state)
{
	struct place *p = *state;
	struct diag why;
	struct stat st;
	mode_t mask = umask(077);	/* must not take bits from the mode */

	in(p, "f");
	assert_int_equal(file_write(p->path, "long content", 12, 0644, &why),
	    0);
	assert_int_equal(file_write(p->path, "new", 3, 0640, &why), 0);
	umask(mask);
	assert_content(p->path, "new");
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(names_in(p->dir), 1);	/* nothing left aside */
}

static void
write_that_fails_leaves_the_old_file(void **state)
{
	struct place *p = *state;
	struct diag why;
	char aside[310];

	in(p, "f");
	assert_int_equal(file_write(p->path, "old", 3, 0600, &why), 0);
	snprintf(aside, sizeof(aside), "%s.new", p->path);
	assert_int_equal(mkdir(aside, 0700), 0);
	assert_int_equal(file_write(p->path, "new", 3, 0600, &why), ERR_IO);
	assert_non_null(strstr(why.text, aside));
	assert_content(p->path, "old");
}

static void
write_on_a_full_device_says_so(void **state)
{
	struct diag why;
	char big[8192] = { 0 };

	(void)state;
	/* the file aside is a link to the device that is always full */
	in(*state, "f.new");
	assert_int_equal(symlink("/dev/full", ((struct place *)*state)->path),
	    0);
	in(*state, "f");
	assert_int_equal(file_write(((struct place *)*state)->path, big,
	    sizeof(big), 0666, &why), ERR_FULL);
	assert_int_equal(access(((struct place *)*state)->path, F_OK), -1);
}

static void
read_holds_to_its_limit(void **state)
{
	struct place *p = *state;
	struct diag why;
	struct buf b;

	in(p, "f");
	assert_int_equal(file_write(p->path, "12345", 5, 0600, &why), 0);
	buf_init(&b, 0);
	assert_int_equal(file_read(p->path, 5, &b, &why), 0);
	assert_int_equal(file_read(p->path, 5, &b, &why), 0);
	assert_string_equal(b.data, "1234512345");	/* appends */
	buf_reset(&b);
	assert_int_equal(file_read(p->path, 4, &b, &why), ERR_TOOBIG);
	assert_non_null(strstr(why.text, p->path));
	assert_int_equal(file_read(in(p, "none"), 4, &b, &why), ERR_NOENT);
	assert_int_equal(file_read(p->dir, 4, &b, &why), ERR_IO);
	buf_fini(&b);
	buf_init(&b, 3);
	assert_int_equal(file_read(in(p, "f"), 9, &b, &why), ERR_TOOBIG);
	buf_fini(&b);
}

static void
secret_readable_by_others_is_refused(void **state)
{
	static const struct { mode_t mode; int want; } cases[] = {
		{ 0600, 0 }, { 0400, 0 }, { 0640, ERR_AUTH },
		{ 0604, ERR_AUTH }, { 0620, ERR_AUTH }, { 0601, ERR_AUTH },
	};
	struct place *p = *state;
	struct diag why;
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	in(p, "key");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&b);
		assert_int_equal(file_write(p->path, "k", 1, cases[i].mode,
		    &why), 0);
		assert_int_equal(file_read_secret(p->path, 9, &b, &why),
		    cases[i].want);
		assert_int_equal(b.len, cases[i].want == 0);
	}
	assert_non_null(strstr(why.text, "chmod 600"));
	/* a pipe nobody writes to must not hold us */
	assert_int_equal(mkfifo(in(p, "pipe"), 0600), 0);
	assert_int_equal(file_read_secret(p->path, 9, &b, &why), ERR_IO);
	buf_fini(&b);
}

static void
mkdirs_makes_parents_and_takes_existing(void **state)
{
	struct place *p = *state;
	struct diag why;
	struct stat st;
	char path[320];

	in(p, "a/b//c/");
	assert_int_equal(file_mkdirs(p->path, 0750, &why), 0);
	assert_int_equal(file_mkdirs(p->path, 0750, &why), 0);
	assert_int_equal(stat(p->path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	in(p, "f");
	assert_int_equal(file_write(p->path, "", 0, 0600, &why), 0);
	assert_int_equal(file_mkdirs(p->path, 0750, &why), ERR_IO);
	snprintf(path, sizeof(path), "%s/below", p->path);
	assert_true(file_mkdirs(path, 0750, &why) < 0);
	assert_true(file_mkdirs("", 0750, &why) < 0);
	assert_int_equal(file_mkdirs("/", 0750, &why), 0);
}

static void
lock_of_a_folder_in_use_names_the_process(void **state)
{
	struct place *p = *state;
	struct diag why;
	char pid[32];
	int fd, again, status;
	pid_t child;

	assert_int_equal(file_lock_dir(p->dir, &fd, &why), 0);
	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	assert_content(in(p, "LOCK.pid"), pid);
	if ((child = fork()) == 0)	/* exit code tells: no assert here */
		_exit(file_lock_dir(p->dir, &again, &why) == ERR_BUSY &&
		    again == -1 && strstr(why.text, "in use") != NULL ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(file_lock_dir(p->dir, &again, &why), ERR_BUSY);
	pid[strlen(pid) - 1] = '\0';
	assert_non_null(strstr(why.text, pid));
	close(fd);
	assert_int_equal(file_lock_dir(p->dir, &fd, &why), 0);
	close(fd);
	assert_int_equal(file_lock_dir(in(p, "none"), &fd, &why), ERR_IO);
}

static void
remove_tree_stays_within_and_follows_no_link(void **state)
{
	struct place *p = *state;
	struct diag why;
	char keep[300], link[400];

	snprintf(keep, sizeof(keep), "%s", in(p, "keep"));
	assert_int_equal(file_mkdirs(keep, 0700, &why), 0);
	assert_int_equal(file_mkdirs(in(p, "gone/deep/er"), 0700, &why), 0);
	snprintf(link, sizeof(link), "%s/gone/link", p->dir);
	assert_int_equal(symlink(keep, link), 0);
	assert_int_equal(file_remove_tree(in(p, "gone"), &why), 0);
	assert_int_equal(access(p->path, F_OK), -1);
	assert_int_equal(access(keep, F_OK), 0);
	assert_int_equal(file_remove_tree(p->path, &why), 0);
}

static void
ballast_stands_on_real_blocks(void **state)
{
	struct place *p = *state;
	struct diag why;
	struct stat st;
	uint64_t space = 0;

	in(p, "ballast");
	/* a hole of the right size is no ballast */
	assert_int_equal(file_write(p->path, "", 0, 0600, &why), 0);
	assert_int_equal(truncate(p->path, 1 << 20), 0);
	assert_int_equal(file_ballast(p->path, 1 << 20, &why), 0);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_size, 1 << 20);
	assert_true(st.st_blocks * 512 >= 1 << 20);
	assert_int_equal(file_ballast(p->path, 1 << 20, &why), 0);
	assert_int_equal(file_free_space(p->dir, &space, &why), 0);
	assert_true(space > 0);
	assert_true(file_free_space(in(p, "none"), &space, &why) < 0);
	assert_int_equal(file_sync_dir(p->dir, &why), 0);
	assert_int_equal(file_sync_dir(p->path, &why), ERR_IO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(write_replaces_the_whole_with_the_mode),
		TEST(write_that_fails_leaves_the_old_file),
		TEST(write_on_a_full_device_says_so),
		TEST(read_holds_to_its_limit),
		TEST(secret_readable_by_others_is_refused),
		TEST(mkdirs_makes_parents_and_takes_existing),
		TEST(lock_of_a_folder_in_use_names_the_process),
		TEST(remove_tree_stays_within_and_follows_no_link),
		TEST(ballast_stands_on_real_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
