/*
 * test_plain.c - the short way through an address and a domain says what the
 * general way and the rules say, or leaves it to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/mail/plain.h"

#define TRIES 300000

/* Mostly what addresses are made of, with what spoils them mixed in. */
static size_t
make(unsigned *seed, const char *alphabet, size_t most, char *out)
{
	size_t len = (size_t)rand_r(seed) % (most + 1), i;

	for (i = 0; i < len; i++)
		out[i] = rand_r(seed) % 8 == 0 ?
		    alphabet[(size_t)rand_r(seed) % strlen(alphabet)] :
		    (char)('a' + rand_r(seed) % 3);
	out[len] = '\0';
	return len;
}

/* RFC 5321 4.1.2 with RFC 5321 4.5.3.1.2, label by label; "_" as well. */
static bool
is_domain(const char *text)
{
	static const char label[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t len = strlen(text), n;

	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len == 0 || len > 253)
		return false;
	for (;; text += n + 1, len -= n + 1) {
		n = strspn(text, label);
		if (n == 0 || n > 63 || text[0] == '-' || text[n - 1] == '-')
			return false;
		if (n == len)
			return true;
		if (text[n] != '.')
			return false;
	}
}

static void
domain_is_plain_exactly_when_the_rules_say_so(void **state)
{
	char in[400], out[ADDR_DOMAIN_MAX + 1];
	size_t len, out_len, i;
	unsigned seed = 1;
	int n, plain = 0;

	(void)state;
	for (n = 0; n < TRIES; n++) {
		len = make(&seed, ".........-_AZ9@ \xc3", n % 16 == 0 ? 300 :
		    20, in);
		assert_int_equal(plain_domain(in, len, out, &out_len),
		    is_domain(in));
		if (!is_domain(in))
			continue;
		plain++;
		assert_int_equal(out_len, strlen(out));
		assert_int_equal(out_len, len - (in[len - 1] == '.'));
		for (i = 0; i < out_len; i++)
			assert_int_equal(out[i], in[i] >= 'A' &&
			    in[i] <= 'Z' ? in[i] - 'A' + 'a' : in[i]);
	}
	assert_in_range(plain, TRIES / 10, TRIES * 9 / 10);
}

/* A quoted local part takes the general way, and names the same mailbox. */
static void
mailbox_plain_is_what_the_general_way_makes_of_it(void **state)
{
	char in[400], quoted[410];
	struct addr a, b;
	unsigned seed = 1;
	int n, plain = 0;
	size_t len;

	(void)state;
	for (n = 0; n < TRIES; n++) {
		char *at;

		len = make(&seed, "@@@@@@..-_A+!\"\\<> \t\xc3", n % 16 == 0 ?
		    200 : 20, in);
		memset(&a, 'x', sizeof(a));
		if (!plain_mailbox(in, len, &a))
			continue;
		plain++;
		at = strchr(in, '@');
		sprintf(quoted, "\"%.*s\"%s", (int)(at - in), in, at);
		assert_int_equal(addr_parse(&b, quoted, strlen(quoted),
		    ADDR_TEXT, NULL), 0);
		assert_string_equal(a.text, b.text);
		assert_int_equal(a.kind, b.kind);
		assert_int_equal(a.ambiguous, b.ambiguous);
		assert_int_equal(a.len, b.len);
		assert_int_equal(a.domain_at, b.domain_at);
		assert_int_equal(a.local_len, b.local_len);
	}
	assert_in_range(plain, TRIES / 20, TRIES * 9 / 10);
}

/* What it leaves to the general way. */
static void
mailbox_that_is_not_plain_is_left_alone(void **state)
{
	static const char *const rows[] = { "", "@", "a@", "@b", "a", ".a@b",
	    "a.@b", "a..b@c", "a b@c", "a@b@c", "\"a\"@b", "<a@b>", "a@[::1]",
	    "a@-b", "a@b-", "a@b..", "a@.b", "a@b_\xc3\xbc", "\xc3\xbc@b",
	    "a\"@b", "a\\b@c", "a@b\n", "a\r@b" };
	struct addr a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_false(plain_mailbox(rows[i], strlen(rows[i]), &a));
	assert_false(plain_mailbox("a\0b@c", 5, &a));
	assert_false(plain_mailbox("a@b\0c", 5, &a));
}

/* 64 bytes before the "@", 253 behind it, 63 a label; not one more. */
static void
mailbox_as_long_as_may_be_is_plain(void **state)
{
	char text[400];
	struct addr a;
	size_t i;

	(void)state;
	memset(text, 'l', sizeof(text));
	text[64] = '@';
	for (i = 64 + 64; i < 64 + 1 + 253; i += 64)
		text[i] = '.';
	assert_true(plain_mailbox(text, 64 + 1 + 253, &a));
	assert_int_equal(a.len, 64 + 1 + 253);
	assert_false(plain_mailbox(text, 64 + 1 + 254, &a));
	text[64 + 64] = 'l';
	assert_false(plain_mailbox(text, 64 + 1 + 64, &a));
	text[64] = 'l';
	text[65] = '@';
	assert_false(plain_mailbox(text, 80, &a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    domain_is_plain_exactly_when_the_rules_say_so),
		cmocka_unit_test(
		    mailbox_plain_is_what_the_general_way_makes_of_it),
		cmocka_unit_test(mailbox_that_is_not_plain_is_left_alone),
		cmocka_unit_test(mailbox_as_long_as_may_be_is_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
