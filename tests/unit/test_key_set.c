/*
 * test_key_set.c - the keys of one batch, each once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controller/messages/key_set.h"

static void
key_put_again_keeps_its_place(void **state)
{
	struct key_set *s = key_set_new();
	char text[32];
	bool is_new;
	size_t i, round;
	int len;

	(void)state;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < KEY_SET_MAX; i++) {
			len = snprintf(text, sizeof(text), "key-%zu", i);
			assert_int_equal(key_set_has(s, text, (size_t)len),
			    round > 0);
			assert_int_equal(key_set_put(s, text, (size_t)len,
			    &is_new), i);
			assert_int_equal(is_new, round == 0);
		}
		assert_int_equal(key_set_n(s), KEY_SET_MAX);
	}
	assert_int_equal(key_set_key(s, 10).n, 6);
	assert_memory_equal(key_set_key(s, 10).p, "key-10", 6);
	key_set_free(&s);
}

static void
key_that_is_anothers_prefix_is_another(void **state)
{
	static const char text[] = "a\0b\0\0";
	struct key_set *s = key_set_new();
	bool is_new;
	size_t n;

	(void)state;
	for (n = 0; n <= 5; n++) {
		assert_int_equal(key_set_put(s, text, n, &is_new), n);
		assert_true(is_new);
	}
	for (n = 0; n <= 5; n++)
		assert_true(key_set_has(s, text, n));
	key_set_clear(s);
	assert_int_equal(key_set_n(s), 0);
	for (n = 0; n <= 5; n++)
		assert_false(key_set_has(s, text, n));
	assert_int_equal(key_set_put(s, "b", 1, &is_new), 0);
	key_set_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_put_again_keeps_its_place),
		cmocka_unit_test(key_that_is_anothers_prefix_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
