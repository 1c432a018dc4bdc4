/*
 * test_export.c - a document exported and read again gives the same items.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/document.h"
#include "controller/policy/export.h"
#include "proto/base/buf.h"
#include "proto/base/file.h"
#include "proto/base/yaml.h"

#define CASES "tests/decide/cases.yaml"

static void
read_items(const char *text, struct items *out)
{
	struct document d = { "doc.yaml", text, strlen(text) };
	struct diag why = { "" };

	if (document_read(&d, 1, NULL, NULL, out, &why) < 0)
		fail_msg("%s in:\n%s", why.text, text);
}

static void
assert_same(const struct items *a, const struct items *b, const char *text)
{
	struct items_cursor ca, cb;
	const struct item *x = items_first(&ca, a, "");
	const struct item *y = items_first(&cb, b, "");

	for (; x != NULL && y != NULL; x = items_next(&ca),
	    y = items_next(&cb)) {
		if (strcmp(x->key, y->key) != 0 ||
		    strcmp(x->value, y->value) != 0)
			fail_msg("%s %s became %s %s by:\n%s", x->key,
			    x->value, y->key, y->value, text);
	}
	assert_int_equal(items_n(a), items_n(b));
}

static void
assert_round_trip(const struct items *items)
{
	struct items again;
	struct buf text;

	buf_init(&text, 0);
	buf_puts(&text, "");
	export_document(items, NULL, &text);
	read_items(text.data, &again);
	assert_same(items, &again, text.data);
	items_fini(&again);
	buf_fini(&text);
}

static void
export_all_kinds_round_trips(void **state)
{
	struct items items;

	(void)state;
	read_items(
	    "organization:\n"
	    "  internal_domains: [acme.example, \"*.acme.example\",\n"
	    "    {domain: l.example, recipient_validation: known}]\n"
	    "  time_zone: Europe/Berlin\n"
	    "  authorized_outbound: [192.0.2.10, \"2001:db8::/64\"]\n"
	    "  trusted_relays: [\"::1\"]\n"
	    "  recipient_delimiter: \"+\"\n"
	    "  header_stage: yes\n"
	    "  reply_help: https://help.example/x?id=\n"
	    "  free_mail_domains: []\n"
	    "  protected_recipients: [noc]\n"
	    "  return_paths: [SRS9=]\n"
	    "directory:\n"
	    "  - {address: al@acme.example, aliases: [a@acme.example],\n"
	    "     attributes: {dept: \"le: gal #1\", \"yes\": \"no\"},\n"
	    "     enabled: false}\n"
	    "groups:\n"
	    "  \"A: b #c\": [x.example, {group: Empty}]\n"
	    "  Empty: []\n"
	    "  \"null\": [{entry: y@x.example, comment: \"why: \\\"q\\\"\",\n"
	    "    until: 2026-06-15T12:00:00Z}, \"\\\"a b\\\"@x.example\"]\n"
	    "policies:\n"
	    "  - {id: \"1e5\", type: blocked_senders, narrative: \"- x: y\",\n"
	    "     action: block_sender, addresses_based_on: both,\n"
	    "     from: {display_name: \"Boss \\u00e4\"}, to: internal,\n"
	    "     valid: {from: 2026-01-01, until: \"2026-01-31T10:00:00\"},\n"
	    "     source_ips: [203.0.113.0/24], hostnames: [\"*.h.example\"],\n"
	    "     monitor: true, override: true, comment: \"true\"}\n"
	    "  - {id: b, type: greylisting, narrative: n, action: apply,\n"
	    "     from: {attribute: {dept: legal}}, to: everyone,\n"
	    "     enabled: false}\n"
	    "managed_senders:\n"
	    "  al@acme.example: [{block: x@y.example}, {permit: z.example},\n"
	    "    {auto: x@y.example, last_used: 2026-05-01}]\n", &items);
	assert_round_trip(&items);
	items_fini(&items);
}

static void
export_of_the_cases_round_trips(void **state)
{
	struct diag why = { "" };
	struct yaml *root = NULL;
	struct buf text;
	size_t i;

	(void)state;
	buf_init(&text, 0);
	if (file_read(CASES, 1 << 24, &text, &why) < 0 ||
	    yaml_tree_parse(&root, CASES, text.data, text.len, 1 << 24,
	    &why) < 0)
		fail_msg("%s", why.text);
	assert_true(root->n >= 50);
	for (i = 0; i < root->n; i++) {
		struct items items;

		items_init(&items);
		assert_int_equal(document_read_tree("case",
		    yaml_get(root->items[i], "policy"), &items, &why), 0);
		assert_round_trip(&items);
		items_fini(&items);
	}
	yaml_tree_free(&root);
	buf_fini(&text);
}

static void
export_by_manager_leaves_the_rest_out(void **state)
{
	struct items items;
	struct buf text;

	(void)state;
	items_init(&items);
	items_put(&items, "group" ITEM_SEP_S "G", "{}", "file:default");
	items_put(&items, "entry" ITEM_SEP_S "a.example" ITEM_SEP_S "G", "{}",
	    "file:default");
	items_put(&items, "entry" ITEM_SEP_S "b.example" ITEM_SEP_S "G", "{}",
	    "allow");
	items_put(&items, "entry" ITEM_SEP_S "c.example" ITEM_SEP_S "G", "{}",
	    "cli,file:default");
	buf_init(&text, 0);
	export_document(&items, "allow,cli", &text);
	assert_string_equal(text.data, "groups:\n  G:\n    - b.example\n"
	    "    - c.example\n");
	buf_fini(&text);
	items_fini(&items);
}

static void
senders_of_one_list_are_united(void **state)
{
	struct items items;
	const struct item *it;

	(void)state;
	read_items("managed_senders:\n  al@acme.example:\n"
	    "    - {block: x@y.example}\n    - {permit: x@y.example}\n"
	    "    - {auto: x@y.example}\n", &items);
	assert_int_equal(items_n(&items), 1);
	it = items_get(&items, "sender" ITEM_SEP_S "al@acme.example"
	    ITEM_SEP_S "x@y.example");
	assert_non_null(it);
	assert_string_equal(it->value, "{\"auto\":true,\"manual\":\"block\"}");
	items_fini(&items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(export_all_kinds_round_trips),
		cmocka_unit_test(export_of_the_cases_round_trips),
		cmocka_unit_test(export_by_manager_leaves_the_rest_out),
		cmocka_unit_test(senders_of_one_list_are_united),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
