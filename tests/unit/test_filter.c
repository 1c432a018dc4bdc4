/*
 * test_filter.c - the filter never denies a key it was given, seldom takes
 * another, and is read back only as that of its own set.
 */
#include "tests/unit/node_fixture.h"

#include <fcntl.h>

#include "node/filter.h"

#define KEYS 100000

static const uint8_t secret[FILTER_SECRET_LEN] = { 7 };
static const uint8_t name[FILTER_NAME_LEN] = { 9 };

static struct record_hash
hash_of(const struct filter *f, unsigned i)
{
	char key[64];
	int len = snprintf(key, sizeof(key), "Uuser%u@x.example%c%u@y.example",
	    i, '\0', i * 7);

	return filter_hash(f, key, (size_t)len);
}

static struct filter *
filled(void)
{
	struct filter *f = filter_new(KEYS, secret);
	unsigned i;

	for (i = 0; i < KEYS; i++)
		filter_add(f, hash_of(f, i));
	return f;
}

static void
filter_has_all_it_was_given_and_few_others(void **state)
{
	struct filter *f = filled();
	unsigned i, wrong = 0;

	(void)state;
	for (i = 0; i < KEYS; i++)
		assert_true(filter_has(f, hash_of(f, i)));
	for (i = KEYS; i < 2 * KEYS; i++)
		wrong += filter_has(f, hash_of(f, i));
	assert_true(wrong < KEYS / 100);	/* about 0.5 % is expected */
	assert_true(filter_bytes(f) <= KEYS * 2);
	filter_free(&f);
}

static void
hash_depends_on_the_secret(void **state)
{
	static const uint8_t other[FILTER_SECRET_LEN] = { 8 };
	struct filter *a = filter_new(1, secret), *b = filter_new(1, other);

	(void)state;
	assert_true(hash_of(a, 1).near != hash_of(b, 1).near);
	assert_true(hash_of(a, 1).own != hash_of(b, 1).own);
	filter_free(&a);
	filter_free(&b);
}

static void
filter_comes_back_only_whole_and_as_its_own(void **state)
{
	static const uint8_t other[FILTER_NAME_LEN] = { 1 };
	struct fixture *x = *state;
	struct filter *f = filled(), *got = NULL;
	char path[300];
	unsigned i;
	uint8_t b;
	int fd;

	snprintf(path, sizeof(path), "%s/filter", x->dir);
	assert_int_equal(filter_load(&got, path, name, secret, NULL),
	    ERR_NOENT);
	assert_int_equal(filter_save(f, path, name, NULL), 0);
	assert_int_equal(filter_load(&got, path, name, secret, NULL), 0);
	for (i = 0; i < KEYS; i++)
		assert_true(filter_has(got, hash_of(got, i)));
	filter_free(&got);
	assert_int_equal(filter_load(&got, path, other, secret, NULL),
	    ERR_CORRUPT);
	assert_int_equal(filter_load(&got, path, name, other, NULL),
	    ERR_CORRUPT);
	fd = open(path, O_RDWR);
	for (i = 0; i < 150; i++) {
		off_t at = i < 75 ? (off_t)i : (off_t)i * 900;

		assert_int_equal(pread(fd, &b, 1, at), 1);
		b ^= 0x10;
		assert_int_equal(pwrite(fd, &b, 1, at), 1);
		assert_int_equal(filter_load(&got, path, name, secret, NULL),
		    ERR_CORRUPT);
		b ^= 0x10;
		assert_int_equal(pwrite(fd, &b, 1, at), 1);
	}
	assert_int_equal(ftruncate(fd, 4000), 0);
	close(fd);
	assert_int_equal(filter_load(&got, path, name, secret, NULL),
	    ERR_CORRUPT);
	filter_free(&f);
}

static void
filter_over_its_number_says_so_and_denies_nothing(void **state)
{
	struct filter *f = filter_new(1000, secret);
	unsigned i;

	(void)state;
	assert_false(filter_is_full(f));
	for (i = 0; i < 3000; i++)
		filter_add(f, hash_of(f, i));
	assert_true(filter_is_full(f));
	for (i = 0; i < 3000; i++)
		assert_true(filter_has(f, hash_of(f, i)));
	filter_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_has_all_it_was_given_and_few_others),
		cmocka_unit_test(hash_depends_on_the_secret),
		cmocka_unit_test_setup_teardown(
		    filter_comes_back_only_whole_and_as_its_own,
		    fixture_setup, fixture_teardown),
		cmocka_unit_test(
		    filter_over_its_number_says_so_and_denies_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
