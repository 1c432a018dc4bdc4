/*
 * test_scrub.c - the scrub proves a whole set, finds one flipped bit, and a
 * filter that would deny a record.
 */
#include "tests/unit/delta_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>

#include "node/filter.h"
#include "node/ruleset_scrub.h"
#include "node/scrub.h"
#include "proto/base/db.h"
#include "tests/lib/wait.h"

static struct ruleset *
open_set(struct fixture *x, char path[512], bool build)
{
	struct ruleset *r = NULL;
	struct diag why = { "" };

	snprintf(path, 512, "%s/set", x->dir);
	if ((build && fixture_build(x, path, &why) < 0) ||
	    ruleset_open(&r, path, x->id->root, &why) < 0)
		fail_msg("%s", why.text);
	return r;
}

static bool
go_on(void *arg, uint64_t records)
{
	(void)arg;
	(void)records;
	return false;
}

static bool
stop_at_2(void *arg, uint64_t records)
{
	(void)arg;
	return records == 2;
}

static void
whole_set_is_proved_and_deltas_keep_it_so(void **state)
{
	struct fixture *x = *state;
	struct change c = { "Dnew@acme.example", "\1" };
	struct ruleset_refusal refusal;
	struct diag why = { "" };
	struct ruleset *r;
	struct buf frame;
	char path[512];

	r = open_set(x, path, true);
	assert_false(ruleset_is_proved(r));
	assert_int_equal(ruleset_scrub(r, stop_at_2, NULL, &why), ERR_AGAIN);
	assert_false(ruleset_is_proved(r));
	if (ruleset_scrub(r, go_on, NULL, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(ruleset_is_proved(r));
	buf_init(&frame, 0);
	fixture_change(x, 8, &c, 1, &frame);
	assert_int_equal(fixture_apply(x, &r, &frame, &refusal, &why), 0);
	assert_true(ruleset_is_proved(r));
	assert_int_equal(ruleset_scrub(r, go_on, NULL, &why), 0);
	buf_fini(&frame);
	ruleset_unref(&r);
}

static void
flipped_bit_is_found(void **state)
{
	struct fixture *x = *state;
	struct ruleset *r;
	struct dirent *e;
	char path[512], live[600];
	struct diag why;
	uint8_t b;
	int fd = -1;
	DIR *d;

	r = open_set(x, path, true);
	snprintf(live, sizeof(live), "%s/live", path);
	d = opendir(live);
	while (fd < 0 && (e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".ldb") != NULL)
			fd = openat(dirfd(d), e->d_name, O_RDWR);
	}
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &b, 1, 40), 1);
	b ^= 0x20;
	assert_int_equal(pwrite(fd, &b, 1, 40), 1);
	assert_int_equal(ruleset_scrub(r, go_on, NULL, &why), ERR_CORRUPT);
	assert_true(ruleset_is_damaged(r));
	assert_false(ruleset_is_proved(r));
	close(fd);
	closedir(d);
	ruleset_unref(&r);
}

static void
filter_that_denies_a_record_is_found(void **state)
{
	struct fixture *x = *state;
	uint8_t name[FILTER_NAME_LEN];
	char path[512], file[600];
	struct ruleset *r;
	struct filter *f;
	struct diag why;
	struct db *db;
	struct buf b;

	r = open_set(x, path, true);
	ruleset_unref(&r);
	snprintf(file, sizeof(file), "%s/live", path);
	buf_init(&b, 0);
	assert_int_equal(db_open(&db, file, 0, NULL), 0);
	assert_int_equal(db_get(db, NULL, RULESET_META_COMPLETE,
	    sizeof(RULESET_META_COMPLETE) - 1, true, &b, NULL), 0);
	db_close(&db);
	crypto_generichash(name, sizeof(name), (uint8_t *)b.data, b.len,
	    NULL, 0);
	f = filter_new(100, (uint8_t *)b.data);
	snprintf(file, sizeof(file), "%s/filter", path);
	assert_int_equal(filter_save(f, file, name, NULL), 0);
	filter_free(&f);
	r = open_set(x, path, false);
	assert_int_equal(ruleset_scrub(r, go_on, NULL, &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, "filter"));
	ruleset_unref(&r);
	buf_fini(&b);
}

static void
thread_scrubs_each_new_set_at_once(void **state)
{
	struct fixture *x = *state;
	uint64_t end = clock_mono_ms() + WAIT_MS;
	struct ruleset *r;
	struct scrub *s;
	char path[512];

	r = open_set(x, path, true);
	s = scrub_start(50, 3600000);
	assert_non_null(s);
	scrub_on_view(s, r);
	while (!ruleset_is_proved(r) && clock_mono_ms() < end)
		sched_yield();
	assert_true(ruleset_is_proved(r));
	scrub_on_view(s, r);	/* nothing new about it */
	while (scrub_rounds(s) == 0 && clock_mono_ms() < end)
		sched_yield();
	assert_int_equal(scrub_rounds(s), 1);
	scrub_stop(&s);
	ruleset_unref(&r);
}

static void
duty_falls_to_a_fifth_under_load_and_no_further(void **state)
{
	(void)state;
	assert_int_equal(scrub_duty(10, 0), 100);
	assert_int_equal(scrub_duty(10, 50), 60);
	assert_int_equal(scrub_duty(10, 100), 20);
	assert_int_equal(scrub_duty(10, 400), 20);
	assert_int_equal(scrub_duty(1, 0), 10);
	assert_int_equal(scrub_duty(1, 100), 2);
	assert_int_equal(scrub_duty(100, 0), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, \
	fixture_teardown)
		T(whole_set_is_proved_and_deltas_keep_it_so),
		T(flipped_bit_is_found),
		T(filter_that_denies_a_record_is_found),
		T(thread_scrubs_each_new_set_at_once),
		cmocka_unit_test(
		    duty_falls_to_a_fifth_under_load_and_no_further),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
