/*
 * test_addr_vectors.c - addresses that others collected: isemail's, and those
 * of python-email-validator (tests/fixtures/addresses).
 *
 * Where we differ on purpose, the row stands in a table with the reason; a
 * row there that no longer differs fails too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/mail/addr.h"

#define FOLDER "tests/fixtures/addresses/"
#define ISEMAIL FOLDER "isemail.tsv"
#define VALIDATOR FOLDER "python-email-validator-vectors.json"

/* An address that others refuse and we take, and why. */
struct taken { const char *key, *reason; };

static const struct taken isemail_taken[] = {
	{ "1", "empty: the null sender" },
	{ "2", "bare: the decision refuses it, but for postmaster" },
	{ "18", "bare" },
	{ "35", "one dot behind the domain is dropped" },
	{ "39", "the path's limit of 256 bytes is the MTA's to keep" },
	{ "59", "64 bytes are counted without quotes" },
	{ "60", "64 bytes are counted without quotes and escapes" },
	{ "71", "\"::\" for one group: RFC 5952 advises, inet_pton reads" },
};

static const struct taken validator_taken[] = {
	{ "must have an @-sign", "bare" },
	{ "instead of a regular at-sign", "bare: NFC keeps other signs" },
	{ "should have a period", "one label is enough: localhost" },
	{ "cannot end with a period", "one dot is dropped" },
	{ "not within a valid top-level domain", "no list of those here" },
	{ "Invalid A-label", "compared as it is written, not looked into" },
	{ "two letters followed by two dashes", "as above" },
	{ "A bracketed IP address", "a literal is an address in SMTP" },
	{ "email address is too long (", "the path's limit is the MTA's" },
	{ "email address is too long after norm", "as above" },
	{ "too long when the part after", "as above" },
	{ "After Unicode normalization: The email", "it is then quoted" },
	{ "angle brackets around the email address are not permitted here",
	    "SMTP's own form: <...>" },
};

static int
parse(struct addr *a, const char *text, size_t len)
{
	return addr_parse(a, text, len, ADDR_SMTP, NULL);
}

/* What was taken is canonical: read again, it is itself. */
static void
assert_canonical(const struct addr *a)
{
	struct addr again;

	if (addr_parse(&again, a->text, a->len, ADDR_TEXT, NULL) != 0)
		fail_msg("%s cannot be read again", a->text);
	assert_string_equal(again.text, a->text);
}

/* Undo the fixture's \xHH and double backslash in place; the length. */
static size_t
unescape(char *s)
{
	char hex[3] = "", *in = s, *out = s;

	while (*in != '\0') {
		if (strncmp(in, "\\x", 2) != 0) {
			in += strncmp(in, "\\\\", 2) == 0;
			*out++ = *in++;
			continue;
		}
		memcpy(hex, in + 2, 2);
		*out++ = (char)strtol(hex, NULL, 16);
		in += 4;
	}
	return (size_t)(out - s);
}

static bool
is_smtp(const char *category)
{
	return strcmp(category, "ISEMAIL_VALID_CATEGORY") == 0 ||
	    strcmp(category, "ISEMAIL_DNSWARN") == 0 ||
	    strcmp(category, "ISEMAIL_RFC5321") == 0;
}

static bool
is_taken(const char *id)
{
	size_t i;

	for (i = 0; i < sizeof(isemail_taken) / sizeof(isemail_taken[0]);
	    i++) {
		if (strcmp(isemail_taken[i].key, id) == 0)
			return true;
	}
	return false;
}

/* Deprecated and comment-bearing forms belong to headers, not to SMTP. */
static void
isemail_vectors_of_smtp_and_no_others_are_taken(void **state)
{
	char *line, *id, *text, *category, *next;
	struct diag why;
	struct buf file;
	struct addr a;
	size_t n = 0;

	(void)state;
	buf_init(&file, 1 << 20);
	assert_int_equal(file_read(ISEMAIL, 1 << 20, &file, &why), 0);
	for (line = file.data; *line != '\0'; line = next) {
		next = strchr(line, '\n');
		assert_non_null(next);
		*next++ = '\0';
		if (line[0] == '#')
			continue;
		id = strsep(&line, "\t");
		text = strsep(&line, "\t");
		category = line;
		assert_non_null(category);
		if ((parse(&a, text, unescape(text)) == 0) !=
		    (is_smtp(category) || is_taken(id)))
			fail_msg("isemail %s (%s) is read as \"%s\"", id,
			    category, a.text);
		assert_true(!is_smtp(category) || a.kind == ADDR_MAILBOX ||
		    a.kind == ADDR_LITERAL);
		if (a.len > 0)
			assert_canonical(&a);
		n++;
	}
	assert_int_equal(n, 164);
	buf_fini(&file);
}

static json_t *
load(void)
{
	json_error_t err;
	json_t *root = json_load_file(VALIDATOR, 0, &err);

	if (root == NULL)
		fail_msg("%s:%d: %s", VALIDATOR, err.line, err.text);
	return root;
}

static json_t *
table(json_t *root, const char *name)
{
	json_t *rows = json_object_get(json_object_get(json_object_get(root,
	    "tables"), name), "rows");

	assert_true(json_array_size(rows) > 0);
	return rows;
}

static const char *
text_at(json_t *row, size_t i)
{
	const char *text = json_string_value(json_array_get(row, i));

	assert_non_null(text);
	return text;
}

/*
 * The address, its domain in A-labels, and both with the library's own
 * normal form are one; the domain is the one that the library computed.
 */
static void
check_valid(json_t *row)
{
	const char *in = text_at(row, 0), *ascii, *normal, *local;
	json_t *want = json_array_get(row, 1);
	struct addr a, b;
	char text[512];

	normal = json_string_value(json_object_get(want, "normalized"));
	ascii = json_string_value(json_object_get(want, "ascii_domain"));
	local = json_string_value(json_object_get(want, "local_part"));
	/* a header's form, "Name <address>": the address alone is ours */
	if (strstr(in, " <") != NULL)
		in = strstr(in, " <") + 1;
	if (parse(&a, in, strlen(in)) != 0)
		fail_msg("%s is refused", in);
	assert_false(a.ambiguous);
	assert_string_equal(addr_domain(&a), ascii);
	assert_int_equal(parse(&b, normal, strlen(normal)), 0);
	assert_string_equal(b.text, a.text);
	snprintf(text, sizeof(text), "%s@%s", local, ascii);
	assert_int_equal(parse(&b, text, strlen(text)), 0);
	assert_string_equal(b.text, a.text);
	assert_canonical(&a);
}

static void
validator_vectors_that_are_valid_meet_their_normal_form(void **state)
{
	static const char *const tables[] = {
	    "valid", "valid_international_local_part",
	};
	json_t *root = load(), *row;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		json_array_foreach(table(root, tables[i]), k, row)
			check_valid(row);
	}
	json_decref(root);
}

static void
validator_vectors_with_quotes_keep_only_needed_ones(void **state)
{
	json_t *root = load(), *row;
	struct addr a;
	char want[512];
	size_t i;

	(void)state;
	json_array_foreach(table(root, "valid_only_with_quoted_local_part"),
	    i, row) {
		assert_int_equal(parse(&a, text_at(row, 0),
		    strlen(text_at(row, 0))), 0);
		snprintf(want, sizeof(want), "%s@example.com",
		    text_at(row, 1));
		assert_string_equal(a.text, want);
		assert_canonical(&a);
	}
	json_decref(root);
}

/* Counts in seen[] which exceptions are met, so that none is stale. */
static bool
is_excepted(const char *reason, int *seen)
{
	size_t i;

	for (i = 0; i < sizeof(validator_taken) / sizeof(validator_taken[0]);
	    i++) {
		if (strstr(reason, validator_taken[i].key) != NULL) {
			seen[i]++;
			return true;
		}
	}
	return false;
}

static void
validator_vectors_that_are_invalid_are_refused(void **state)
{
	int seen[sizeof(validator_taken) / sizeof(validator_taken[0])] = { 0 };
	json_t *root = load(), *row;
	const char *in, *reason;
	struct addr a;
	size_t i;

	(void)state;
	json_array_foreach(table(root, "invalid"), i, row) {
		in = text_at(row, 0);
		reason = text_at(row, 1);
		if (parse(&a, in, json_string_length(json_array_get(row, 0)))
		    < 0)
			continue;
		if (!is_excepted(reason, seen))
			fail_msg("%s is read as \"%s\" though: %s", in,
			    a.text, reason);
		assert_canonical(&a);
	}
	for (i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		if (seen[i] == 0)
			fail_msg("stale: %s", validator_taken[i].key);
	}
	json_array_foreach(table(root, "invalid_strict"), i, row) {
		in = text_at(row, 0);
		assert_int_equal(parse(&a, in, strlen(in)), ERR_TOOBIG);
	}
	json_decref(root);
}

/* No domain may hold them; in a local part they are another's to judge. */
static void
validator_vectors_that_are_unsafe_make_no_domain(void **state)
{
	json_t *root = load(), *row;
	char text[128];
	struct addr a;
	size_t i;

	(void)state;
	json_array_foreach(table(root, "unsafe_character"), i, row) {
		snprintf(text, sizeof(text), "me@%s.example", text_at(row, 0));
		if (parse(&a, text, strlen(text)) == 0)
			fail_msg("U+%s makes a domain: %s", text_at(row, 1),
			    a.text);
		snprintf(text, sizeof(text), "%s@x.example", text_at(row, 0));
		if (parse(&a, text, strlen(text)) == 0)
			assert_canonical(&a);
	}
	json_array_foreach(table(root, "reserved_domain"), i, row) {
		assert_non_null(json_string_value(row));
		assert_int_equal(parse(&a, json_string_value(row),
		    json_string_length(row)), 0);
		assert_string_equal(a.text, json_string_value(row));
	}
	json_decref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    isemail_vectors_of_smtp_and_no_others_are_taken),
		cmocka_unit_test(
		    validator_vectors_that_are_valid_meet_their_normal_form),
		cmocka_unit_test(
		    validator_vectors_with_quotes_keep_only_needed_ones),
		cmocka_unit_test(
		    validator_vectors_that_are_invalid_are_refused),
		cmocka_unit_test(
		    validator_vectors_that_are_unsafe_make_no_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
