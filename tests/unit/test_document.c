/*
 * test_document.c - bad policy documents: the exact place and word of each
 * message, and that nothing is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/compile.h"
#include "controller/policy/document.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

#define NAMED(name) "policies:\n  - {id: p, type: blocked_senders, " \
	"narrative: n, action: block_sender, from: {display_name: " name \
	"}, to: internal}\n"
#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X128 X32 X32 X32 X32
#define POLICY(extra) "policies:\n  - {id: p, type: blocked_senders, " \
	"narrative: n, action: block_sender, from: external, to: internal" \
	extra "}\n"

static int
read_text(const char *text, struct items *out, struct diag *why)
{
	struct document d = { "doc.yaml", text, strlen(text) };

	why->text[0] = '\0';
	return document_read(&d, 1, NULL, NULL, out, why);
}

/* What reading and then compiling say. */
static int
read_and_compile(const char *text, struct diag *why)
{
	struct records records;
	struct items items;
	int rc = read_text(text, &items, why);

	if (rc < 0) {
		assert_int_equal(items.n, 0);
		return rc;
	}
	rc = compile(&items, &records, why);
	if (rc == 0)
		records_fini(&records);
	else
		assert_int_equal(records.n, 0);
	items_fini(&items);
	return rc;
}

static void
document_bad_input_names_its_place(void **state)
{
	static const struct { const char *in, *want; } rows[] = {
	    { "polices: []\n", "doc.yaml:1:1: unknown key \"polices\" in the "
		"document; did you mean \"policies\"?" },
	    { "groups:\n  a: []\n  a: []\n", "doc.yaml:3:3: key \"a\" stands "
		"twice, first in line 2" },
	    { "organization:\n  internal_domains: acme.example\n",
		"doc.yaml:2:21: internal_domains must be a list" },
	    { "groups: []\n", "doc.yaml:1:9: groups must be a mapping" },
	    { "groups:\n  g: [*.x]\n", "doc.yaml:2:" },
	    { "groups:\n  g:\n    - *.x\n", "put it in quotes" },
	    { "groups:\n  g:\n    - @x.example\n",
		"write the domain without @" },
	    { "groups:\n  g:\n    - \"@x.example\"\n",
		"doc.yaml:3:7: \"@x.example\": write the domain without @" },
	    { "groups: &a {g: []}\n", "doc.yaml:1:9: anchors are not" },
	    { "groups: !!map {g: []}\n", "doc.yaml:1:9: tags are not" },
	    { "groups:\n  g: [a..b]\n", "doc.yaml:2:7: \"a..b\": the domain "
		"has an empty label" },
	    { "groups:\n  g: [{group: h}]\n", "doc.yaml:2:15: group \"h\" is "
		"not there" },
	    { "groups:\n  a: [{group: b}]\n  b: [{group: a}]\n",
		"holds itself" },
	    { "groups:\n  g: [{file: x.txt}]\n",
		"doc.yaml:2:14: files cannot be named here" },
	    { POLICY(", color: red"), "unknown key \"color\" in a policy" },
	    { POLICY(", overide: true"), "did you mean \"override\"?" },
	    { POLICY(", override: maybe"), "override is true or false" },
	    { POLICY(", valid: {until: tomorrow}"), "is no date" },
	    { POLICY(", valid: {from: 2026-02-02, until: 2026-02-01}"),
		"doc.yaml:2:5: valid: \"from\" is after \"until\"" },
	    { POLICY(", source_ips: [192.0.2.1/24]"), "no bits behind" },
	    { "policies:\n  - {id: p q}\n", "letters, digits" },
	    { "policies:\n  - {type: blocked_senders}\n", "\"id\" is missing" },
	    { "organization: {authorized_outbound: [0.0.0.0/0]}\n",
		"whole Internet" },
	    { "organization: {time_zone: Mars/Base}\n" POLICY(
		", valid: {from: 2026-01-01}"), "time zone \"Mars/Base\"" },
	    { "managed_senders: {al@a.example: [{block: \"*.x\"}]}\n",
		"no wildcards" },
	    { "managed_senders: {al@a.example: [{block: x@m.a.example}]}\n"
		"organization: {internal_domains: [\"*.a.example\"]}\n",
		"external senders only" },
	    { "managed_senders: {al@a.example: [{block: gmail.com}]}\n"
		"organization: {free_mail_domains: [gmail.com]}\n",
		"free-mail domain" },
	};
	struct diag why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (read_and_compile(rows[i].in, &why) == 0)
			fail_msg("accepted: %s", rows[i].in);
		if (strstr(why.text, rows[i].want) == NULL)
			fail_msg("%s\n  gave \"%s\"\n  not  \"%s\"",
			    rows[i].in, why.text, rows[i].want);
	}
}

static void
document_with_combinations_that_mean_nothing_is_refused(void **state)
{
	static const struct { const char *in, *want; } rows[] = {
	    { "policies: [{id: p, type: blocked_senders, narrative: n, "
		"action: permit_sender, from: external, to: internal}]\n",
		"cannot permit_sender" },
	    { "policies: [{id: p, type: blocked_senders, narrative: n, "
		"action: block_sender, from: external, to: external}]\n",
		"External to External is locked" },
	    { "policies: [{id: p, type: blocked_senders, narrative: n, "
		"action: block_sender, from: {display_name: CEO}, "
		"to: internal, bidirectional: true}]\n", "display_name" },
	    { NAMED("\" \""), "doc.yaml:2:93: display_name is empty" },
	    { NAMED("\"=?utf-8?q?_?=\""), "display_name is empty" },
	    { NAMED(X128 X128 X128 X128),
		"display_name: the name is too long" },
	    { "policies: [{id: p, type: blocked_senders, narrative: n, "
		"action: block_sender, from: external, to: free_mail}]\n",
		"no free_mail" },
	    { "policies: [{id: p, type: blocked_senders, narrative: n, "
		"action: block_sender, from: {group: nobody}, "
		"to: internal}]\n", "group \"nobody\" is not there" },
	};
	struct diag why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(read_and_compile(rows[i].in, &why),
		    ERR_INVAL);
		assert_non_null(strstr(why.text, rows[i].want));
	}
}

static void
document_alias_bomb_is_refused_at_its_first_anchor(void **state)
{
	static const char bomb[] = "a: &a [x, x]\nb: &b [*a, *a]\n"
	    "c: &c [*b, *b]\n";
	struct items items;
	struct diag why;

	(void)state;
	assert_int_equal(read_text(bomb, &items, &why), ERR_INVAL);
	assert_string_equal(why.text,
	    "doc.yaml:1:4: anchors are not allowed");
}

static void
document_of_50_megabytes_is_too_big(void **state)
{
	size_t len = 50 * 1024 * 1024;
	char *text = malloc(len + 1);
	struct items items;
	struct diag why;

	(void)state;
	memset(text, 'x', len);
	text[len] = '\0';
	assert_int_equal(read_text(text, &items, &why), ERR_TOOBIG);
	assert_non_null(strstr(why.text, "doc.yaml:1:1:"));
	free(text);
}

static void
document_nested_deeper_than_32_is_refused(void **state)
{
	char text[200];
	struct items items;
	struct diag why;

	(void)state;
	memset(text, '[', 100);
	text[100] = '\0';
	assert_int_equal(read_text(text, &items, &why), ERR_TOOBIG);
}

static int
give_list(void *arg, const char *document, const char *path, struct buf *out,
    struct diag *why)
{
	(void)why;
	assert_string_equal(document, "doc.yaml");
	assert_string_equal(path, "list.txt");
	buf_puts(out, arg);
	return 0;
}

static void
document_list_file_with_bom_crlf_and_comments_is_read(void **state)
{
	static char list[] = "\xef\xbb\xbf# head\r\nBad.Example\r\n\r\n"
	    "*.bulk.example # all of it\r\nx@y.example\nbad.example\n";
	static const char text[] = "groups: {g: [{file: list.txt}]}\n";
	struct document d = { "doc.yaml", text, sizeof(text) - 1 };
	struct items items;
	struct diag why;

	(void)state;
	assert_int_equal(document_read(&d, 1, give_list, list, &items, &why),
	    0);
	assert_int_equal(items.n, 4);	/* the group and three entries */
	assert_non_null(items_get(&items,
	    "entry" ITEM_SEP_S "bad.example" ITEM_SEP_S "g"));
	assert_non_null(items_get(&items,
	    "entry" ITEM_SEP_S "*.bulk.example" ITEM_SEP_S "g"));
	items_fini(&items);
}

static void
document_list_file_with_a_bad_line_names_it(void **state)
{
	static char list[] = "good.example\nnot a domain\n";
	static const char text[] = "groups: {g: [{file: list.txt}]}\n";
	struct document d = { "doc.yaml", text, sizeof(text) - 1 };
	struct items items;
	struct diag why;

	(void)state;
	assert_int_equal(document_read(&d, 1, give_list, list, &items, &why),
	    ERR_INVAL);
	assert_non_null(strstr(why.text, "list.txt:2:1: \"not a domain\""));
	assert_int_equal(items.n, 0);
}

static void
document_key_in_two_files_names_both(void **state)
{
	static const char text[] = "groups: {g: []}\n";
	struct document d[] = { { "a.yaml", text, sizeof(text) - 1 },
	    { "b.yaml", text, sizeof(text) - 1 } };
	struct items items;
	struct diag why;

	(void)state;
	assert_int_equal(document_read(d, 2, NULL, NULL, &items, &why),
	    ERR_INVAL);
	assert_string_equal(why.text,
	    "b.yaml:1:10: group \"g\" stands already in a.yaml:1");
}

static void
compile_twice_gives_the_same_records(void **state)
{
	static const char text[] =
	    "organization: {internal_domains: [acme.example]}\n"
	    "groups: {g: [b.example, a.example], h: [{group: g}, a.example]}\n"
	    POLICY("");
	struct records a, b;
	struct items items;
	struct diag why;
	struct records_cursor x, y;
	struct buf val;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(read_text(text, &items, &why), 0);
	assert_int_equal(compile(&items, &a, &why), 0);
	assert_int_equal(compile_again(&items, &b, &why), 0);
	assert_int_equal(records_n(&a), records_n(&b));
	records_begin(&x, &a);
	records_begin(&y, &b);
	for (; records_next(&x); n++) {
		assert_true(records_next(&y));
		assert_int_equal(x.key.len, y.key.len);
		assert_memory_equal(x.key.data, y.key.data, x.key.len);
		assert_int_equal(x.val.len, y.val.len);
		if (x.val.len > 0)
			assert_memory_equal(x.val.data, y.val.data,
			    x.val.len);
	}
	assert_false(records_next(&y));
	assert_int_equal(n, records_n(&a));
	records_end(&x);
	records_end(&y);
	/* An entry in two groups is one record with both, rising. */
	buf_init(&val, 0);
	assert_int_equal(records_get(&a, "Ea.example", 10, &val), 0);
	assert_int_equal(val.len, 16);
	assert_int_equal(records_get(&a, "Eb.example", 10, &val), 0);
	assert_int_equal(val.len, 16 + 8);
	buf_fini(&val);
	records_fini(&a);
	records_fini(&b);
	items_fini(&items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(document_bad_input_names_its_place),
		cmocka_unit_test(
		    document_with_combinations_that_mean_nothing_is_refused),
		cmocka_unit_test(
		    document_alias_bomb_is_refused_at_its_first_anchor),
		cmocka_unit_test(document_of_50_megabytes_is_too_big),
		cmocka_unit_test(document_nested_deeper_than_32_is_refused),
		cmocka_unit_test(
		    document_list_file_with_bom_crlf_and_comments_is_read),
		cmocka_unit_test(
		    document_list_file_with_a_bad_line_names_it),
		cmocka_unit_test(document_key_in_two_files_names_both),
		cmocka_unit_test(compile_twice_gives_the_same_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
