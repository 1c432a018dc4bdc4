/*
 * test_addr.c - canonical addresses, domains and entries, from every form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/err.h"
#include "proto/mail/addr.h"

struct row {
	enum addr_form form;
	const char *in, *want;	/* want NULL: refused */
	bool ambiguous;
};

static void
addr_parse_gives_the_canonical_text(void **state)
{
	static const struct row rows[] = {
	    { ADDR_SMTP, "<Al@Acme.Example>", "al@acme.example", false },
	    { ADDR_SMTP, "<>", "", false },
	    { ADDR_SMTP, "", "", false },
	    { ADDR_SMTP, "<@a,@b:al@x.example>", "al@x.example", false },
	    { ADDR_SMTP, "\"al\"@x.example", "al@x.example", false },
	    { ADDR_SMTP, "\"a\\l\"@x.example", "al@x.example", false },
	    { ADDR_SMTP, "\"a b\\\"c\"@x.example",
		"\"a b\\\"c\"@x.example", false },
	    { ADDR_UNQUOTED, "a b\"c@x.example", "\"a b\\\"c\"@x.example",
		true },
	    { ADDR_UNQUOTED, "a b@x.example", "\"a b\"@x.example", false },
	    { ADDR_UNQUOTED, "a@b@x.example", "\"a@b\"@x.example", true },
	    { ADDR_UNQUOTED, "U@X.EXAMPLE.", "u@x.example", false },
	    { ADDR_UNQUOTED, "bare", "bare", false },
	    { ADDR_UNQUOTED, "u@[192.0.2.1]", "u@[192.0.2.1]", false },
	    { ADDR_SMTP, "u@[IPv6:2001:DB8:0::1]", "u@[ipv6:2001:db8::1]",
		false },
	    { ADDR_UNQUOTED, "b\xc3\xbc" "cher@b\xc3\xbc" "cher.example",
		"b\xc3\xbc" "cher@xn--bcher-kva.example", false },
	    /* NFD and NFC, capital and small, are one */
	    { ADDR_TEXT, "BU\xcc\x88@x.example", "b\xc3\xbc@x.example",
		false },
	    { ADDR_TEXT, "al@x..example", NULL, false },
	    { ADDR_TEXT, "al@-x.example", NULL, false },
	    { ADDR_TEXT, ".al@x.example", NULL, false },
	    { ADDR_TEXT, "a b@x.example", NULL, false },
	    { ADDR_TEXT, "@x.example", NULL, false },
	    { ADDR_TEXT, "al@", NULL, false },
	    { ADDR_SMTP, "<al@x.example", NULL, false },
	    { ADDR_SMTP, "\"al@x.example", NULL, false },
	    { ADDR_TEXT, "u@[300.0.0.1]", NULL, false },
	    { ADDR_TEXT, "\xff@x.example", NULL, false },
	    { ADDR_UNQUOTED, "\xed\xa0\x80@x.example", NULL, false },
	    { ADDR_SMTP, "\"\xff\"@x.example", NULL, false },
	    { ADDR_UNQUOTED, "al@\xff.example", NULL, false },
	    /* a source route's shape, unquoted, has two readings */
	    { ADDR_UNQUOTED, "@a:al@x.example", "\"@a:al\"@x.example",
		true },
	    { ADDR_UNQUOTED, "\"al\"@x.example",
		"\"\\\"al\\\"\"@x.example", true },
	    { ADDR_UNQUOTED, "a\\b@x.example", "\"a\\\\b\"@x.example",
		true },
	    { ADDR_UNQUOTED, "@x.example", NULL, false },
	    /* a route to nothing is not the null sender */
	    { ADDR_SMTP, "<@a:>", NULL, false },
	    { ADDR_SMTP, "@a:", NULL, false },
	    /* RFC 6531: no UTF-8 behind a backslash */
	    { ADDR_SMTP, "\"a\xc3\xbc\"@x.example", "a\xc3\xbc@x.example",
		false },
	    { ADDR_SMTP, "\"a\\\xc3\xbc\"@x.example", NULL, false },
	    /* A-labels: two spellings meet, none is looked into */
	    { ADDR_TEXT, "al@XN--BCHER-KVA.example",
		"al@xn--bcher-kva.example", false },
	    { ADDR_TEXT, "al@XN--0.example", "al@xn--0.example", false },
	    { ADDR_TEXT, "al@localhost", "al@localhost", false },
	    { ADDR_TEXT, "al\n@x.example", NULL, false },
	};
	struct diag why;
	struct addr a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = addr_parse(&a, rows[i].in, strlen(rows[i].in),
		    rows[i].form, &why);

		if (rows[i].want == NULL) {
			assert_true(rc < 0);
			assert_int_equal(a.len, 0);
			continue;
		}
		if (rc != 0)
			fail_msg("%s: %s", rows[i].in, why.text);
		assert_string_equal(a.text, rows[i].want);
		assert_int_equal(a.len, strlen(a.text));
		assert_int_equal(a.ambiguous, rows[i].ambiguous);
	}
}

static void
addr_parse_over_the_lengths_of_smtp_is_refused(void **state)
{
	char text[600];
	struct addr a;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + 64, "@x.example", 11);
	assert_int_equal(addr_parse(&a, text, strlen(text), ADDR_TEXT, NULL),
	    0);
	memset(text, 'a', sizeof(text));
	memcpy(text + 65, "@x.example", 11);
	assert_int_equal(addr_parse(&a, text, strlen(text), ADDR_TEXT, NULL),
	    ERR_TOOBIG);
	memset(text, 'a', sizeof(text));
	text[1] = '@';
	text[2 + 64] = '\0';
	assert_true(addr_parse(&a, text, strlen(text), ADDR_TEXT, NULL) < 0);
}

/* U+0149 folds to U+02BC and "n": 2 bytes become 3. */
static void
addr_that_folding_makes_too_long_is_refused(void **state)
{
	static const struct { size_t n; int want; } rows[] = {
	    { 21, 0 }, { 22, ERR_TOOBIG }, { 32, ERR_TOOBIG },
	};
	char text[128];
	struct addr a, again;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (k = 0; k < rows[i].n; k++)
			memcpy(text + 2 * k, "\xc5\x89", 2);
		memcpy(text + 2 * k, "@x.example", 11);
		assert_int_equal(addr_parse(&a, text, strlen(text),
		    ADDR_UNQUOTED, NULL), rows[i].want);
		if (rows[i].want < 0)
			continue;
		assert_int_equal(addr_parse(&again, a.text, a.len, ADDR_TEXT,
		    NULL), 0);
		assert_string_equal(again.text, a.text);
	}
}

static void
addr_with_nul_inside_is_refused(void **state)
{
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse(&a, "a\0b@x.example", 13, ADDR_UNQUOTED,
	    NULL), ERR_INVAL);
}

static void
addr_strip_extension_cuts_at_the_first_delimiter(void **state)
{
	static const struct { const char *in, *delimiters, *want; } rows[] = {
	    { "al+x@a.example", "+", "al@a.example" },
	    { "al+x+y@a.example", "+", "al@a.example" },
	    { "al-x@a.example", "+-", "al@a.example" },
	    { "+al@a.example", "+", NULL },
	    { "al@a.example", "+", NULL },
	    { "al+x@a.example", "", NULL },
	    { "\"a +x\"@a.example", "+", NULL },
	    { "al@a-b.example", "-", NULL },
	    { "a.+x@a.example", "+", "\"a.\"@a.example" },
	};
	struct addr a, base;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool got;

		assert_int_equal(addr_parse(&a, rows[i].in,
		    strlen(rows[i].in), ADDR_TEXT, NULL), 0);
		got = addr_strip_extension(&a, rows[i].delimiters, &base);
		assert_int_equal(got, rows[i].want != NULL);
		if (!got)
			continue;
		assert_string_equal(base.text, rows[i].want);
		assert_string_equal(addr_domain(&base), "a.example");
		assert_int_equal(base.len, strlen(base.text));
	}
}

static void
entry_parse_tells_address_domain_and_wildcard(void **state)
{
	static const struct {
		const char *in, *want;
		enum entry_kind kind;
	} rows[] = {
	    { "Al@X.Example", "al@x.example", ENTRY_ADDRESS },
	    { "X.Example.", "x.example", ENTRY_DOMAIN },
	    { "*.X.Example", "*.x.example", ENTRY_WILDCARD },
	    { "*.top", "*.top", ENTRY_WILDCARD },
	    { "@x.example", NULL, 0 }, { "*x.example", NULL, 0 },
	    { "a.*.example", NULL, 0 }, { "*", NULL, 0 }, { "", NULL, 0 },
	    { "*.", NULL, 0 }, { "x example", NULL, 0 },
	};
	struct entry e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = entry_parse(&e, rows[i].in, strlen(rows[i].in),
		    NULL);

		assert_int_equal(rc == 0, rows[i].want != NULL);
		if (rc < 0)
			continue;
		assert_int_equal(e.kind, rows[i].kind);
		assert_string_equal(e.text, rows[i].want);
	}
}

static void
addr_suffix_counts_labels_from_the_right(void **state)
{
	(void)state;
	assert_int_equal(addr_labels("a.b.c"), 3);
	assert_int_equal(addr_labels(""), 0);
	assert_string_equal(addr_suffix("a.b.c", 2), "b.c");
	assert_string_equal(addr_suffix("a.b.c", 3), "a.b.c");
	assert_null(addr_suffix("a.b.c", 4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr_parse_gives_the_canonical_text),
		cmocka_unit_test(
		    addr_parse_over_the_lengths_of_smtp_is_refused),
		cmocka_unit_test(addr_that_folding_makes_too_long_is_refused),
		cmocka_unit_test(addr_with_nul_inside_is_refused),
		cmocka_unit_test(
		    addr_strip_extension_cuts_at_the_first_delimiter),
		cmocka_unit_test(
		    entry_parse_tells_address_domain_and_wildcard),
		cmocka_unit_test(addr_suffix_counts_labels_from_the_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
