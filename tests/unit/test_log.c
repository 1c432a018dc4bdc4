/*
 * test_log.c - one event, one line, whatever the values hold.
 */
#include "proto/base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "proto/base/err.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Standard error goes into a pipe between the two; the pipe holds 64 KiB. */
static int saved, ends[2];

static void
capture_begin(void)
{
	fflush(stderr);
	assert_int_equal(pipe(ends), 0);
	saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
}

static void
capture_end(char *out, size_t cap)
{
	size_t len = 0;
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	close(saved);
	while ((n = read(ends[0], out + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(ends[0]);
}

static void
text_line_has_time_level_program_event_fields(void **state)
{
	char got[1024];

	(void)state;
	log_setup("postern-node", LOG_TEXT, LOG_INFO);
	capture_begin();
	log_info("ruleset.swapped", F_U("version", 41), F_I("delta", -3),
	    F_S("dir", "/var/lib"));
	log_error("bare");
	capture_end(got, sizeof(got));
	assert_int_equal(got[10], 'T');
	assert_int_equal(got[23], 'Z');
	assert_non_null(strstr(got, "Z info  postern-node ruleset.swapped "
	    "version=41 delta=-3 dir=/var/lib\n"));
	assert_non_null(strstr(got, "Z error postern-node bare\n"));
}

static void
value_that_could_mislead_is_quoted(void **state)
{
	static const struct { const char *in, *want; } cases[] = {
		{ "plain-1.x@y/z", "k=plain-1.x@y/z\n" },
		{ "", "k=\"\"\n" }, { NULL, "k=\"\"\n" },
		{ "a b", "k=\"a b\"\n" }, { "a=b", "k=\"a=b\"\n" },
		{ "say \"x\\y\"", "k=\"say \\\"x\\\\y\\\"\"\n" },
		{ "x\n2026 error forged", "k=\"x\\u000a2026 error forged\"\n" },
		{ "\033[2J\x7f", "k=\"\\u001b[2J\\u007f\"\n" },
		{ "b\xc3\xbc" "cher", "k=b\xc3\xbc" "cher\n" },
		{ "\xe2\x82\xac \xf0\x9f\x98\x80",
		    "k=\"\xe2\x82\xac \xf0\x9f\x98\x80\"\n" },
		/* no UTF-8: a stray byte, a short one, overlong, surrogate */
		{ "\xfc", "k=\"\\u00fc\"\n" },
		{ "x\xe2\x82", "k=\"x\\u00e2\\u0082\"\n" },
		{ "\xc0\xaf", "k=\"\\u00c0\\u00af\"\n" },
		{ "\xe0\x80\xaf", "k=\"\\u00e0\\u0080\\u00af\"\n" },
		{ "\xed\xa0\x80", "k=\"\\u00ed\\u00a0\\u0080\"\n" },
		{ "\xf4\x90\x80\x80", "k=\"\\u00f4\\u0090\\u0080\\u0080\"\n" },
		/* NEL, a C1 control that breaks a line on some terminals */
		{ "a\xc2\x85" "b", "k=\"a\\u00c2\\u0085b\"\n" },
	};
	char got[1024];
	size_t i;

	(void)state;
	log_setup("t", LOG_TEXT, LOG_INFO);
	for (i = 0; i < N(cases); i++) {
		capture_begin();
		log_info("e", F_S("k", cases[i].in));
		capture_end(got, sizeof(got));
		assert_string_equal(strstr(got, " e ") + 3, cases[i].want);
	}
}

static void
json_line_is_read_back_by_a_parser(void **state)
{
	static const char hard[] = "q\" b\\ n\n e\x1b \xc3\xbc";
	char got[1024];
	json_t *j;

	(void)state;
	log_setup("postern-node", LOG_JSON, LOG_INFO);
	capture_begin();
	log_warning("spool.filling", F_S("path", hard), F_U("n", 7),
	    F_S("bad", "\xff"));
	capture_end(got, sizeof(got));
	j = json_loads(got, 0, NULL);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "event")),
	    "spool.filling");
	assert_string_equal(json_string_value(json_object_get(j, "level")),
	    "warning");
	assert_string_equal(json_string_value(json_object_get(j, "path")),
	    hard);
	assert_int_equal(json_integer_value(json_object_get(j, "n")), 7);
	json_decref(j);
}

static void
line_over_the_limit_loses_fields_not_its_form(void **state)
{
	static const enum log_format formats[] = { LOG_TEXT, LOG_LOGFMT,
	    LOG_JSON };
	char *big = malloc(9001), *got = malloc(20000);
	size_t i;

	(void)state;
	memset(big, 'x', 9000);
	big[9000] = '\0';
	for (i = 0; i < N(formats); i++) {
		json_t *j;

		log_setup("t", formats[i], LOG_INFO);
		capture_begin();
		log_info("e", F_U("a", 1), F_S("big", big), F_U("z", 2));
		capture_end(got, 20000);
		assert_true(strlen(got) < 200);
		assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
		assert_non_null(strstr(got, "cut"));
		if (formats[i] != LOG_JSON)
			continue;
		j = json_loads(got, 0, NULL);
		assert_non_null(j);
		assert_int_equal(json_integer_value(json_object_get(j, "z")),
		    2);
		json_decref(j);
	}
	free(big);
	free(got);
}

static void
level_below_the_chosen_is_silent(void **state)
{
	char got[4096];

	(void)state;
	log_setup("t", LOG_LOGFMT, LOG_WARNING);
	capture_begin();
	log_debug("d");
	log_info("i");
	log_warning("w");
	log_error("e");
	capture_end(got, sizeof(got));
	assert_null(strstr(got, "event=d"));
	assert_null(strstr(got, "event=i"));
	assert_non_null(strstr(got, "level=warning program=t event=w\n"));
	assert_non_null(strstr(got, "level=error program=t event=e\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_line_has_time_level_program_event_fields),
		cmocka_unit_test(value_that_could_mislead_is_quoted),
		cmocka_unit_test(json_line_is_read_back_by_a_parser),
		cmocka_unit_test(line_over_the_limit_loses_fields_not_its_form),
		cmocka_unit_test(level_below_the_chosen_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
