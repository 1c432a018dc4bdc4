/*
 * test_mta_forms.c - the form in which each adapter gets an address: the same
 * address comes to the same canonical text by every way (tests/fixtures/mta
 * has what real servers sent).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"
#include "proto/base/file.h"
#include "tests/unit/from_text.h"

#define FOLDER "tests/fixtures/mta/"

static void
form_of_each_adapter_gives_one_text(void **state)
{
	static const struct {
		const char *policy;	/* Postfix, and Exim by $sender_address
					 * without its quotes */
		const char *milter;
		const char *want;
		bool ambiguous;		/* as the policy protocol has it */
	} rows[] = {
		{ "al@x.example", "<al@x.example>", "al@x.example", false },
		{ "AL@X.Example.", "<AL@X.Example.>", "al@x.example", false },
		{ "", "<>", "", false },
		{ "al doe@x.example", "<\"al doe\"@x.example>",
		    "\"al doe\"@x.example", false },
		{ "al..doe@x.example", "<\"al..doe\"@x.example>",
		    "\"al..doe\"@x.example", false },
		{ "al.@x.example", "<\"al.\"@x.example>",
		    "\"al.\"@x.example", false },
		{ "al@x.example", "<@r.example:al@x.example>",
		    "al@x.example", false },
		{ "al@x.example", "<\"al\"@x.example>", "al@x.example",
		    false },
		{ "al@[192.0.2.1]", "<al@[192.0.2.1]>", "al@[192.0.2.1]",
		    false },
		{ "j\xc3\xb6rg@b\xc3\xbc" "cher.example",
		    "<J\xc3\x96RG@xn--bcher-kva.example>",
		    "j\xc3\xb6rg@xn--bcher-kva.example", false },
		{ "postmaster", "<postmaster>", "postmaster", false },
		/* without quotes these have a second reading */
		{ "a@y.example@x.example", "<\"a@y.example\"@x.example>",
		    "\"a@y.example\"@x.example", true },
		{ "a\"b@x.example", "<\"a\\\"b\"@x.example>",
		    "\"a\\\"b\"@x.example", true },
		{ "a\\b@x.example", "<\"a\\\\b\"@x.example>",
		    "\"a\\\\b\"@x.example", true },
		{ "<a@x.example", "<\"<a\"@x.example>", "\"<a\"@x.example",
		    true },
		{ "a>@x.example", "<\"a>\"@x.example>", "\"a>\"@x.example",
		    true },
	};
	struct addr p, m, t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(addr_parse(&p, rows[i].policy,
		    strlen(rows[i].policy), ADDR_UNQUOTED, NULL), 0);
		assert_int_equal(addr_parse(&m, rows[i].milter,
		    strlen(rows[i].milter), ADDR_SMTP, NULL), 0);
		assert_int_equal(addr_parse(&t, rows[i].want,
		    strlen(rows[i].want), ADDR_TEXT, NULL), 0);
		assert_string_equal(p.text, rows[i].want);
		assert_string_equal(m.text, rows[i].want);
		assert_string_equal(t.text, rows[i].want);
		assert_int_equal(p.ambiguous, rows[i].ambiguous);
		assert_false(m.ambiguous || t.ambiguous);
	}
}

/* The argument of the next "CMD b'letter' b'...\x00" line from *p on. */
static bool
next_command(char **p, char letter, char out[256])
{
	char head[] = "CMD b'_' b'", *end;

	head[6] = letter;
	if ((*p = strstr(*p, head)) == NULL)
		return false;
	*p += strlen(head);
	end = strstr(*p, "\\x00'");
	assert_non_null(end);
	assert_true(end - *p < 256);
	memcpy(out, *p, (size_t)(end - *p));
	out[end - *p] = '\0';
	*p = end;
	return true;
}

static void
check_recording(const char *path, const char *from)
{
	static const char *const want[] = { "ok@inbox.test",
	    "blocked@inbox.test", "multi@inbox.test", "defer@inbox.test",
	    "relay@elsewhere.test" };
	char text[256], got[FROM_TEXT_MAX], *p;
	static struct from f;
	struct buf file;
	struct diag why;
	struct addr a;
	size_t n = 0;

	buf_init(&file, 1 << 20);
	assert_int_equal(file_read(path, 1 << 20, &file, &why), 0);
	buf_putc(&file, '\0');
	p = file.data;
	assert_true(next_command(&p, 'M', text));
	assert_int_equal(addr_parse(&a, text, strlen(text), ADDR_SMTP, NULL),
	    0);
	assert_string_equal(a.text, "alice@bad.example");
	for (; next_command(&p, 'R', text); n++) {
		assert_true(n < 5);
		assert_int_equal(addr_parse(&a, text, strlen(text),
		    ADDR_SMTP, NULL), 0);
		assert_string_equal(a.text, want[n]);
	}
	assert_int_equal(n, 5);
	from_init(&f);
	p = strstr(file.data, "CMD b'L' b'From\\x00");
	assert_non_null(p);
	p += strlen("CMD b'L' b'From\\x00");
	from_add(&f, p, (size_t)(strstr(p, "\\x00") - p));
	from_finish(&f);
	from_text(&f, got);
	assert_string_equal(got, from);
	buf_fini(&file);
}

static void
form_recorded_from_milters_is_read(void **state)
{
	(void)state;
	check_recording(FOLDER "milter-events-postfix-3.7.11.txt",
	    "other@header.example [j\xc3\xb6rg]");
	check_recording(FOLDER "milter-events-sendmail-8.17.1.9.txt",
	    "alice@bad.example");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(form_of_each_adapter_gives_one_text),
		cmocka_unit_test(form_recorded_from_milters_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
