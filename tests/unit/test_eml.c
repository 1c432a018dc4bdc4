/*
 * test_eml.c - the header From of message files; and what each of a published
 * corpus gives (tests/fixtures/from).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/eml.h"
#include "proto/base/file.h"
#include "tests/unit/from_text.h"

#define FOLDER "tests/fixtures/from/"

static void
eml_fields_are_found_in_the_header_alone(void **state)
{
	static const struct {
		const char *in;
		size_t fields;
		const char *want;
	} rows[] = {
		{ "From: a@x\nTo: b@y\n\nFrom: c@z\n", 1, " a@x" },
		{ "From: a@x\r\nSubject: s\r\n\r\nFrom: c@z\r\n", 1, " a@x" },
		{ "From x Mon Jan 1\nFROM : a@x\n", 1, " a@x" },
		{ "from:a@x\nFrom:\nFrom: c@z\n\tq\n", 3,
		    "a@x\n\n c@z\n\tq" },
		{ "From: a@x\n b\nTo: y\n z\n", 1, " a@x\n b" },
		{ "Reply-From: a@x\nFromm: b\nFrom", 0, "" },
		{ "From \t", 0, "" }, { "From\t : a@x", 1, " a@x" },
		{ "From: a@x", 1, " a@x" }, { "From:", 1, "" },
		{ "", 0, "" }, { "\nFrom: a@x\n", 0, "" },
		{ "From: J\xf6rg\xc3\xb6\n", 1,
		    " J\xef\xbf\xbdrg\xc3\xb6" },
	};
	struct buf out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&out, 0);
		assert_int_equal(eml_from(rows[i].in, strlen(rows[i].in),
		    &out), rows[i].fields);
		buf_putc(&out, '\0');
		assert_string_equal(out.data, rows[i].want);
		buf_fini(&out);
	}
	buf_init(&out, 0);
	assert_int_equal(eml_from("From: a\0b\n", 10, &out), 1);
	buf_putc(&out, '\0');
	assert_string_equal(out.data, " a\x01" "b");
	buf_fini(&out);
}

/* The text of a block "# name", its fields, an empty line. */
static char *
describe(char *block, char got[FROM_TEXT_MAX])
{
	static struct from f;
	char *fields = strchr(block, '\n') + 1;
	struct buf out;

	buf_init(&out, 0);
	eml_from(fields, strlen(fields), &out);
	from_init(&f);
	/* no block of this corpus has a folded or a second From */
	if (out.len > 0)
		from_add(&f, out.data, out.len);
	from_finish(&f);
	from_text(&f, got);
	buf_fini(&out);
	fields[-1] = '\0';
	return block + 2;
}

static void
eml_corpus_gives_what_is_written_down(void **state)
{
	char got[FROM_TEXT_MAX], *block, *next, *name, *want, *eol;
	struct buf corpus, golden;
	struct diag why;
	size_t n = 0;

	(void)state;
	buf_init(&corpus, 0);
	buf_init(&golden, 0);
	assert_int_equal(file_read(FOLDER "rspamd.txt", 1 << 20, &corpus,
	    &why), 0);
	assert_int_equal(file_read(FOLDER "rspamd.want", 1 << 20, &golden,
	    &why), 0);
	buf_putc(&corpus, '\0');
	buf_putc(&golden, '\0');
	want = golden.data;
	for (block = corpus.data; block != NULL; block = next, n++) {
		next = strstr(block, "\n\n");
		if (next != NULL) {
			next[1] = '\0';
			next += 2;
		}
		name = describe(block, got);
		eol = strchr(want, '\n');
		assert_non_null(eol);
		*eol = '\0';
		assert_int_equal(strncmp(want, name, strlen(name)), 0);
		if (strcmp(want + strlen(name) + 1, got) != 0)
			fail_msg("%s gives \"%s\", not \"%s\"", name, got,
			    want + strlen(name) + 1);
		want = eol + 1;
	}
	assert_string_equal(want, "");
	assert_int_equal(n, 51);
	buf_fini(&corpus);
	buf_fini(&golden);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eml_fields_are_found_in_the_header_alone),
		cmocka_unit_test(eml_corpus_gives_what_is_written_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
