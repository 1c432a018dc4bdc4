/*
 * test_clock.c - times and durations as people write them.
 */
#include "proto/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base/err.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define SEC ((int64_t)1000000)

static void
parse_of_a_time_gives_microseconds(void **state)
{
	static const struct { const char *in; int64_t want; } cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01", 0 },
		{ "1970-01-01T00:00:01.5Z", SEC + 500000 },
		{ "1970-01-01T00:00:00.0000019Z", 1 },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "1969-12-31T23:30:00-00:30", 0 },
		{ "1969-12-31T23:59:59Z", -SEC },
		{ "2026-06-15T12:00:00Z", 1781524800 * SEC },
		{ "2026-06-15t12:00:00z", 1781524800 * SEC },
		{ "2000-02-29T00:00:00Z", 951782400 * SEC },
		{ "2016-12-31T23:59:60Z", 1483228800 * SEC },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		int64_t got = -7;

		assert_int_equal(clock_parse(cases[i].in, &got), 0);
		assert_true(got == cases[i].want);
	}
}

static void
parse_of_what_is_no_time_is_refused(void **state)
{
	static const char *const cases[] = { "", "2026", "2026-06", "2026-6-15",
	    "2026-13-01", "2026-00-01", "2026-02-30", "2023-02-29",
	    "1900-02-29", "2026-06-31", "2026-06-15T", "2026-06-15T12:00Z",
	    "2026-06-15T12:00:00", "2026-06-15T24:00:00Z",
	    "2026-06-15T12:60:00Z", "2026-06-15T12:00:61Z",
	    "2026-06-15T12:00:00.Z", "2026-06-15T12:00:00Zx",
	    "2026-06-15T12:00:00+1:00", "2026-06-15T12:00:00+0100",
	    " 2026-06-15", "2026-06-15 ", "0000-01-01", "-026-06-15" };
	int64_t got;
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++)
		assert_int_equal(clock_parse(cases[i], &got), ERR_INVAL);
}

static void
format_writes_milliseconds_in_utc(void **state)
{
	static const struct { int64_t in; const char *want; } cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1781524800 * SEC + 7999, "2026-06-15T12:00:00.007Z" },
		{ -1000, "1969-12-31T23:59:59.999Z" },
		{ INT64_MAX, "out-of-range" },
		{ INT64_MIN, "out-of-range" },
	};
	char got[CLOCK_TEXT_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		clock_format(cases[i].in, got);
		assert_string_equal(got, cases[i].want);
	}
}

static void
format_then_parse_gives_the_same_time(void **state)
{
	int64_t t, back;
	char text[CLOCK_TEXT_LEN];

	(void)state;
	for (t = -2000000000; t < 6000000000; t += 98765432) {
		clock_format(t * 1000, text);
		assert_int_equal(clock_parse(text, &back), 0);
		assert_true(back == t * 1000);
	}
}

static void
duration_reads_a_number_and_a_unit(void **state)
{
	static const struct { const char *in; int rc; uint64_t want; }
	cases[] = {
		{ "250ms", 0, 250 }, { "90s", 0, 90000 }, { "15m", 0, 900000 },
		{ "36h", 0, 129600000 }, { "30d", 0, 2592000000 },
		{ "0s", 0, 0 }, { "36600d", 0, 3162240000000 },
		{ "36601d", ERR_TOOBIG, 0 },
		{ "99999999999999999999s", ERR_TOOBIG, 0 },
		{ "", ERR_INVAL, 0 }, { "s", ERR_INVAL, 0 },
		{ "5", ERR_INVAL, 0 }, { "5 s", ERR_INVAL, 0 },
		{ "-5s", ERR_INVAL, 0 }, { "+5s", ERR_INVAL, 0 },
		{ "1.5h", ERR_INVAL, 0 }, { "5sec", ERR_INVAL, 0 },
		{ "5w", ERR_INVAL, 0 }, { "1h30m", ERR_INVAL, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		uint64_t got = 0;

		assert_int_equal(clock_parse_duration(cases[i].in, &got),
		    cases[i].rc);
		assert_true(got == cases[i].want);
	}
}

static void
clocks_read_twice_do_not_go_back(void **state)
{
	uint64_t a = clock_mono_ms();

	(void)state;
	assert_true(a > 0);
	assert_true(clock_mono_ms() >= a);
	assert_true(clock_wall_us() > 1700000000 * SEC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_of_a_time_gives_microseconds),
		cmocka_unit_test(parse_of_what_is_no_time_is_refused),
		cmocka_unit_test(format_writes_milliseconds_in_utc),
		cmocka_unit_test(format_then_parse_gives_the_same_time),
		cmocka_unit_test(duration_reads_a_number_and_a_unit),
		cmocka_unit_test(clocks_read_twice_do_not_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
