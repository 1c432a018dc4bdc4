/*
 * test_from.c - header From fields: which addresses and which name each
 * gives, as text: "*" malformed, "+" more, then the addresses, then the name
 * in brackets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/mail/from.h"

struct row { const char *in, *want; };

static void
describe(const struct from *f, char *out, size_t cap)
{
	size_t i, n = 0;

	n += (size_t)snprintf(out, cap, "%s%s", f->malformed ? "*" : "",
	    f->more ? "+" : "");
	for (i = 0; i < f->n; i++) {
		assert_int_equal(f->addr[i].ambiguous, f->malformed);
		n += (size_t)snprintf(out + n, cap - n, "%s%s",
		    i > 0 ? " " : "", f->addr[i].text);
	}
	if (f->name[0] != '\0')
		snprintf(out + n, cap - n, "%s[%s]", n > 0 ? " " : "",
		    f->name);
}

static void
check(const struct row *rows, size_t n)
{
	static struct from f;
	char got[4096];
	size_t i;

	for (i = 0; i < n; i++) {
		from_init(&f);
		from_add(&f, rows[i].in, strlen(rows[i].in));
		from_finish(&f);
		describe(&f, got, sizeof(got));
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
