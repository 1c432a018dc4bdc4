/*
 * test_names.c - names come in any order and stand sorted, once each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/names.h"

static void
names_in_any_order_stand_sorted_once(void **state)
{
	static const char *const in[] = { "m", "a", "z", "a", "b", "m", "" };
	static const char *const want[] = { "", "a", "b", "m", "z" };
	struct names s = { NULL, 0, 0 };
	size_t i, added_n = 0;
	bool added;

	(void)state;
	for (i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		names_add(&s, in[i], &added)->n[0]++;
		added_n += added;
	}
	assert_int_equal(s.n, 5);
	assert_int_equal(added_n, 5);
	for (i = 0; i < 5; i++)
		assert_string_equal(s.name[i].text, want[i]);
	assert_int_equal(names_get(&s, "m")->n[0], 2);
	assert_int_equal(names_get(&s, "b")->n[0], 1);
	assert_null(names_get(&s, "c"));
	names_fini(&s);
	assert_null(names_get(&s, "m"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_in_any_order_stand_sorted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
