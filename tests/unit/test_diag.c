/*
 * test_diag.c - reasons, error codes and near names.
 */
#include "proto/base/diag.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/err.h"
#include "proto/base/near.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void
set_writes_the_reason_and_gives_the_code(void **state)
{
	struct diag why;

	(void)state;
	assert_int_equal(diag_set(&why, ERR_INVAL, "line %d", 7), ERR_INVAL);
	assert_string_equal(why.text, "line 7");
	assert_int_equal(diag_set(NULL, ERR_IO, "line %d", 7), ERR_IO);
	assert_int_equal(diag_prefix(NULL, ERR_IO, "x"), ERR_IO);
}

static void
prefix_goes_before_what_stood_there(void **state)
{
	struct diag why;

	(void)state;
	diag_set(&why, ERR_INVAL, "no digit");
	assert_int_equal(diag_prefix(&why, ERR_IO, "%s:%d", "f", 3), ERR_IO);
	assert_string_equal(why.text, "f:3: no digit");
}

static void
too_long_a_reason_is_cut(void **state)
{
	char text[sizeof(((struct diag *)0)->text) * 2];
	struct diag why;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	diag_set(&why, ERR_INVAL, "%s", text);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	diag_prefix(&why, ERR_INVAL, "here");
	assert_memory_equal(why.text, "here: xxx", 9);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	diag_prefix(&why, ERR_INVAL, "%s", text);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

static void
each_code_has_a_text_of_its_own(void **state)
{
	int i, j;

	(void)state;
	for (i = 0; i >= ERR_VERSION; i--) {
		assert_string_not_equal(err_text(i), "unknown error");
		for (j = 0; j > i; j--)
			assert_string_not_equal(err_text(i), err_text(j));
	}
	assert_string_equal(err_text(-1000), "unknown error");
	assert_string_equal(err_text(5), "unknown error");
}

static void
errno_maps_to_the_nearest_code(void **state)
{
	static const struct { int in, want; } cases[] = {
		{ 0, 0 }, { ENOENT, ERR_NOENT }, { EEXIST, ERR_EXISTS },
		{ ENOSPC, ERR_FULL }, { EDQUOT, ERR_FULL },
		{ EAGAIN, ERR_AGAIN }, { EACCES, ERR_AUTH },
		{ EADDRINUSE, ERR_BUSY }, { ECONNREFUSED, ERR_UNREACH },
		{ ETIMEDOUT, ERR_TIMEOUT }, { ENOMEM, ERR_NOMEM },
		{ EIO, ERR_IO }, { 12345, ERR_IO },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++)
		assert_int_equal(err_from_errno(cases[i].in), cases[i].want);
}

static void
near_name_is_the_closest_within_two(void **state)
{
	static const char *const known[] = { "sender", "senders", "recipient",
	    "to", "policy.tcp", NULL };
	static const struct { const char *in, *want; } cases[] = {
		{ "sender", "sender" }, { "sendrs", "senders" },
		{ "snder", "sender" }, { "recipeint", "recipient" },
		{ "policy_tcp", "policy.tcp" }, { "recipi", NULL },
		{ "too", "to" }, { "x", NULL }, { "", NULL },
		{ "xy", NULL },	/* as far as it is long: no likeness at all */
	};
	char longest[300];
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		const char *got = near_name(cases[i].in, known);

		if (cases[i].want == NULL)
			assert_null(got);
		else
			assert_string_equal(got, cases[i].want);
	}
	memset(longest, 's', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(near_name(longest, known));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_writes_the_reason_and_gives_the_code),
		cmocka_unit_test(prefix_goes_before_what_stood_there),
		cmocka_unit_test(too_long_a_reason_is_cut),
		cmocka_unit_test(each_code_has_a_text_of_its_own),
		cmocka_unit_test(errno_maps_to_the_nearest_code),
		cmocka_unit_test(near_name_is_the_closest_within_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
