/*
 * test_from.c - header From fields: which addresses and which name each
 * gives, in the form of from_text.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/mail/from.h"
#include "tests/unit/from_text.h"

struct row { const char *in, *want; };

static void
check(const struct row *rows, size_t n)
{
	static struct from f;
	char got[FROM_TEXT_MAX];
	size_t i;

	for (i = 0; i < n; i++) {
		from_init(&f);
		from_add(&f, rows[i].in, strlen(rows[i].in));
		from_finish(&f);
		from_text(&f, got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("\"%s\" gives \"%s\", not \"%s\"",
			    rows[i].in, got, rows[i].want);
	}
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void
from_one_mailbox_gives_address_and_name(void **state)
{
	static const struct row rows[] = {
		{ "a@x.example", "a@x.example" },
		{ " Al <a@X.example>\r\n", "a@x.example [al]" },
		{ "\"Al, B\" <a@x.example> (c)", "a@x.example [al, b]" },
		{ "Al\r\n Doe\r\n\t<a@x.example>", "a@x.example [al doe]" },
		{ "J. Doe <a@x.example>", "a@x.example [j. doe]" },
		{ "a@x.example (Al (x) \\) B)",
		    "a@x.example [al (x) ) b]" },
		{ "(b@y.example) a@x.example",
		    "a@x.example [b@y.example]" },
		{ "\"b@y.example\" <a@x.example>",
		    "a@x.example [b@y.example]" },
		{ "\"a\".\"b\"@x.example", "a.b@x.example" },
		{ "\"a \\\" b\"@x.example", "\"a \\\" b\"@x.example" },
		{ "a@[192.0.2.1]", "a@[192.0.2.1]" },
		{ "a@[IPv6:2001:db8:0::1]", "a@[ipv6:2001:db8::1]" },
		{ "a@\xc3\xa9.example", "a@xn--9ca.example" },
		{ ",, a@x.example ,,", "a@x.example" },
	};

	(void)state;
	CHECK(rows);
}

static void
from_several_mailboxes_gives_all_and_the_first_name(void **state)
{
	static const struct row rows[] = {
		{ "Al <a@x.example>, B <b@y.example>",
		    "a@x.example b@y.example [al]" },
		{ "<a@x.example>, B <b@y.example>",
		    "a@x.example b@y.example" },
		{ "Team: Al <a@x.example>, b@y.example;",
		    "a@x.example b@y.example [al]" },
		{ "Team: a@x.example;, Q <c@z.example>",
		    "a@x.example c@z.example [team]" },
		{ "None:;, Q <c@z.example>", "c@z.example [q]" },
	};

	(void)state;
	CHECK(rows);
}

static void
from_encoded_word_makes_and_hides_no_address(void **state)
{
	static const struct row rows[] = {
		{ "=?utf-8?q?a=40x.example?= <b@y.example>",
		    "b@y.example [a@x.example]" },
		{ "=?utf-8?q?a@x.example?= <b@y.example>",
		    "b@y.example [a@x.example]" },
		{ "=?utf-8?Q?Doe,_Al?= <b@y.example>",
		    "b@y.example [doe, al]" },
		{ "=?utf-8?q?a=40x.example=2C?= <b@y.example>",
		    "b@y.example [a@x.example,]" },
		/* without RFC 2047 there is an address in it */
		{ "=?utf-8?q?<a@x.example>?= <b@y.example>",
		    "*b@y.example a@x.example [<a@x.example>]" },
		{ "=?utf-8?q?a=40x.example?=", "*" },
		{ "=?utf-8?q?=3Ca=40x.example=3E?=", "*" },
		{ "=?utf-8?q?a?=@y.example", "*=?utf-8?q?a?=@y.example" },
		{ "a@=?utf-8?q?y.example?=", "*" },
	};

	(void)state;
	CHECK(rows);
}

static void
from_more_than_one_reading_gives_all_ambiguous(void **state)
{
	static const struct row rows[] = {
		{ "a@x.example b@y.example", "*a@x.example b@y.example" },
		{ "a@x.example <b@y.example>",
		    "*a@x.example b@y.example [a@x.example]" },
		{ "<a@x.example> <b@y.example>",
		    "*a@x.example b@y.example" },
		{ "a@x.example; b@y.example", "*a@x.example b@y.example" },
		{ "a@x@y.example", "*a@x ?@y.example" },
		{ "a @ x.example", "*a@x.example" },
		{ "a@x.example (c) .y", "*a@x.example a@x.example.y [c]" },
		{ "<@r.example,@s.example:a@x.example>", "*a@x.example" },
		{ "<a@x.example", "*a@x.example" },
		{ "<<a@x.example>>", "*a@x.example" },
		{ "\"Al <a@x.example>", "*a@x.example [al]" },
		{ "(Al <a@x.example>", "*a@x.example [al]" },
		{ "[Al <a@x.example>", "*a@x.example [al]" },
		{ "a..b@x.example", "*\"a..b\"@x.example" },
		{ "@x.example", "*?@x.example" },
		{ "<@x.example>", "*?@x.example" },
		{ "a\xe9@x.example", "*?@x.example" },
	};

	(void)state;
	CHECK(rows);
}

static void
from_no_address_is_absent(void **state)
{
	static const struct row rows[] = {
		{ "", "*" }, { "root", "*" }, { "\"Al\" <al>", "*" },
		{ "<>", "*" }, { "None:;", "*" }, { "a@", "*" },
		{ "a@-x.example", "*" },
	};

	(void)state;
	CHECK(rows);
}

/* NUL, other control bytes: a reader may stop there or not see them. */
static void
from_control_byte_gives_both_readings(void **state)
{
#define ROW(in, want) { in, sizeof(in) - 1, want }
	static const struct { const char *in; size_t len; const char *want; }
	    rows[] = {
		ROW("a@x.example\0.y", "*a@x.example a@x.example.y"),
		ROW("a\0b@x.example", "*ab@x.example"),
		ROW("\"a\0b\"@x.example", "*ab@x.example"),
		ROW("\0", "*"),
		ROW("a@\0", "*"),
		ROW("a@\0 b@x.example", "*b@x.example"),
		ROW("a@\0x.example", "*a@x.example"),
		ROW("\"A\0l\" <a@x.example>", "*a@x.example [al]"),
		ROW("A\tl <a@x.example>", "a@x.example [a l]"),
	};
#undef ROW
	static struct from f;
	char got[FROM_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		from_init(&f);
		from_add(&f, rows[i].in, rows[i].len);
		from_finish(&f);
		from_text(&f, got);
		assert_string_equal(got, rows[i].want);
	}
}

static void
from_odd_syntax_is_never_plain(void **state)
{
	static const struct row rows[] = {
		{ "a@x.example>", "*a@x.example" },
		{ "a@x.example)", "*a@x.example" },
		{ "\\a@x.example", "*a@x.example" },
		{ "a@@x.example", "*a@x.example" },
		{ "a@x.example:", "*a@x.example [a@x.example]" },
		{ "G: a@x.example", "*a@x.example [g]" },
		{ "G: H: a@x.example;", "*a@x.example [gh]" },
		{ "<a:b@x.example>", "*b@x.example" },
		{ "<a@x.example;>", "*a@x.example" },
		{ "<a@x.example, b@y.example>", "*a@x.example b@y.example" },
		{ "<@r.example, @s.example:a@x.example>", "*a@x.example" },
		{ "<a b@x.example>", "*b@x.example" },
		{ "a.\"b c\".d@x.example", "\"a.b c.d\"@x.example" },
		{ "a . b@x.example", "*a.b@x.example" },
		{ "a .b@x.example", "*a.b@x.example" },
		{ ".a@x.example", "*\".a\"@x.example" },
		{ "a.@x.example", "*\"a.\"@x.example" },
		{ "a@x.example.", "a@x.example" },
		{ "a@ x.example", "*a@x.example" },
		{ "a@x. example", "*a@x a@x.example" },
		{ "a@.x.example", "*" },
		{ "a@\"x.example\"", "*" },
		{ "a@x.example\"y\"", "*a@x.example" },
		{ "a@x.example Al", "*a@x.example" },
		{ "\"a\\\\b\"@x.example", "\"a\\\\b\"@x.example" },
		{ "a@x.example\x7f", "*a@x.example a@x.example" },
		{ "a@\x01 b@y.example", "*b@y.example" },
		{ "a@ <b@y.example>", "*b@y.example [a@]" },
		{ "a@: b@y.example;", "*b@y.example [a@]" },
		{ "<a@x.example>: b@y.example;",
		    "*a@x.example b@y.example" },
		{ "G:<a@x.example>;", "a@x.example [g]" },
		{ "]a@x.example", "*a@x.example" },
		{ "(c\\)) a@x.example", "a@x.example [c)]" },
		{ "a@[192.0.2.1", "*a@192.0.2.1" },
		{ "a@[192.0.2.1].x", "*" },
		{ "a@ [192.0.2.1]", "*a@[192.0.2.1]" },
		{ "[192.0.2.1]", "*" },
		{ "a@[0123456789012345678901234567890123456789012345678901"
		    "23456789012345]", "*" },
		{ "a\xef\xbf\xbd@x.example",
		    "*a\xef\xbf\xbd@x.example" },
		{ "Al <a@x.example> Doe", "*a@x.example [al doe]" },
	};

	(void)state;
	CHECK(rows);
}

/* A pattern over and over, at most cap bytes. */
static char *
repeat(const char *pattern, size_t times, size_t *len)
{
	size_t n = strlen(pattern), i;
	char *s = malloc(n * times);

	assert_non_null(s);
	for (i = 0; i < times; i++)
		memcpy(s + i * n, pattern, n);
	*len = n * times;
	return s;
}

/* A field of before, the pattern times over, and after. */
static void
check_repeated(const char *before, const char *pattern, size_t times,
    const char *after, const char *want)
{
	static struct from f;
	char got[FROM_TEXT_MAX], *mid, *s;
	size_t len, n = strlen(before);

	mid = repeat(pattern, times, &len);
	s = malloc(n + len + strlen(after));
	assert_non_null(s);
	memcpy(s, before, n);
	memcpy(s + n, mid, len);
	memcpy(s + n + len, after, strlen(after));
	from_init(&f);
	from_add(&f, s, n + len + strlen(after));
	from_finish(&f);
	from_text(&f, got);
	if (strcmp(got, want) != 0)
		fail_msg("%s%s..%s gives %.300s, not %s", before, pattern,
		    after, got, want);
	free(mid);
	free(s);
}

static void
from_hostile_length_is_read_to_its_limits(void **state)
{
	static const char x64[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

	(void)state;
	/* comments 10,000 deep, closed and not */
	check_repeated("", "(", 10000, "a@x.example", "*a@x.example");
	check_repeated("a@x.example ((((", "()", 10000, "))))",
	    "a@x.example");
	check_repeated("a@x.example ", "\"", 10001, "", "*a@x.example");
	check_repeated("a@x.example ", "[", 10000, "", "*a@x.example");
	check_repeated("a@x.example ", "=?a?q?,=", 10000, "",
	    "*a@x.example");
	/* names too long equal no name */
	check_repeated("", "x", NAME_TEXT_MAX, " <a@x.example>",
	    "a@x.example");
	check_repeated("", "x ", NAME_RAW_MAX, "<a@x.example>",
	    "a@x.example");
	check_repeated("a@x.example (", "x ", NAME_RAW_MAX, ")",
	    "a@x.example");
	/* local parts and domains too long, in each of their parts */
	check_repeated("", "x", 65, "@x.example", "*?@x.example");
	check_repeated(x64, ".", 2, "@x.example", "*?@x.example");
	check_repeated("a@", "x", 1000, "", "*");
	check_repeated("a@", "x.", 1000, "", "*");
	/* pieces like addresses, none of them one */
	check_repeated("", "a@-x,", FROM_TRIES_MAX, "", "*");
	check_repeated("", "a@-x,", FROM_TRIES_MAX, "a@x.example", "*+");
	check_repeated("a@x.example,", " ", FROM_BYTES_MAX, "b@y.example",
	    "+a@x.example");
	check_repeated("a@x.example ", "(c)", (size_t)10 << 20, "",
	    "*+a@x.example [c]");
}

static void
from_more_addresses_than_kept_says_more(void **state)
{
	static struct from f;
	size_t i;

	(void)state;
	from_init(&f);
	for (i = 0; i < 10000; i++) {
		from_add(&f, "A <a@x.example>", 15);
		assert_int_equal(f.more, i >= FROM_MAX);
	}
	from_finish(&f);
	assert_int_equal(f.n, FROM_MAX);
	assert_int_equal(f.fields, 10000);
	assert_false(f.malformed);
	assert_string_equal(f.name, "a");
}

/* Of the reading without encoded words only new addresses count. */
static void
from_second_reading_counts_to_the_limit(void **state)
{
	(void)state;
	check_repeated("=?utf-8?q?<a@x>?= <b@y.example>", ",<c@z.example>",
	    FROM_MAX - 1, "", "*+b@y.example c@z.example c@z.example "
	    "c@z.example c@z.example c@z.example c@z.example c@z.example "
	    "c@z.example c@z.example c@z.example c@z.example c@z.example "
	    "c@z.example c@z.example c@z.example c@z.example c@z.example "
	    "c@z.example c@z.example c@z.example c@z.example c@z.example "
	    "c@z.example c@z.example c@z.example c@z.example c@z.example "
	    "c@z.example c@z.example c@z.example c@z.example "
	    "[<a@x>]");
}

static void
from_several_fields_are_all_read_and_the_first_names(void **state)
{
	static struct from f;
	char got[FROM_TEXT_MAX];

	(void)state;
	from_init(&f);
	from_add(&f, "G: ", 3);
	from_add(&f, "Al <a@x.example>", 16);
	from_add(&f, "Bo <b@y.example>", 16);
	from_finish(&f);
	from_text(&f, got);
	assert_int_equal(f.fields, 3);
	assert_string_equal(got, "*a@x.example b@y.example [al]");
	from_init(&f);
	from_finish(&f);
	from_text(&f, got);
	assert_string_equal(got, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_one_mailbox_gives_address_and_name),
		cmocka_unit_test(
		    from_several_mailboxes_gives_all_and_the_first_name),
		cmocka_unit_test(from_encoded_word_makes_and_hides_no_address),
		cmocka_unit_test(
		    from_more_than_one_reading_gives_all_ambiguous),
		cmocka_unit_test(from_no_address_is_absent),
		cmocka_unit_test(from_control_byte_gives_both_readings),
		cmocka_unit_test(from_odd_syntax_is_never_plain),
		cmocka_unit_test(from_hostile_length_is_read_to_its_limits),
		cmocka_unit_test(from_more_addresses_than_kept_says_more),
		cmocka_unit_test(from_second_reading_counts_to_the_limit),
		cmocka_unit_test(
		    from_several_fields_are_all_read_and_the_first_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
