/*
 * test_remedy.c - which remedies a refusal is answered with; each is made
 * here again, on a policy of its own, and must let the message in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/document.h"
#include "controller/policy/explain.h"
#include "proto/base/buf.h"

#define HEAD "organization:\n  internal_domains: [acme.example]\n" \
	"  authorized_outbound: [192.0.2.1]\n"
#define INIT "groups: {Blocked Senders: [bad.example], " \
	"Blocked Senders Exceptions: [], Permitted Senders: []}\n" \
	"policies:\n" \
	"  - {id: exceptions, type: blocked_senders, narrative: n, " \
	"action: take_no_action, " \
	"from: {group: Blocked Senders Exceptions}, to: internal}\n" \
	"  - {id: permitted, type: permitted_senders, narrative: n, " \
	"action: permit_sender, from: {group: Permitted Senders}, " \
	"to: internal}\n"
#define BLOCK(rest) "  - {id: block, type: blocked_senders, narrative: n, " \
	"action: block_sender, to: internal, " rest "}\n"

static int
ask(const char *doc, const struct question *q, json_t **answer,
    struct items *items, struct records *r)
{
	struct document d = { "doc.yaml", doc, strlen(doc) };
	struct diag why = { "" };

	if (document_read(&d, 1, NULL, NULL, items, &why) < 0 ||
	    compile(items, r, &why) < 0 ||
	    explain(r, q, answer, &why) < 0)
		fail_msg("%s in:\n%s", why.text, doc);
	return 0;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

/* "kind" or "kind:entry" of each remedy, parted by blanks. */
static void
summary(const json_t *answer, struct buf *out)
{
	const json_t *m;
	size_t i;

	buf_puts(out, "");
	json_array_foreach(json_object_get(answer, "remedies"), i, m) {
		assert_true(json_is_true(json_object_get(m, "flips")));
		assert_string_not_equal(text_of(m, "text"), "");
		buf_printf(out, "%s%s", i == 0 ? "" : " ",
		    text_of(m, "kind"));
		if (text_of(m, "entry")[0] != '\0')
			buf_printf(out, ":%s", text_of(m, "entry"));
	}
}

static void
assert_remedies(const char *doc, struct question q, const char *reason,
    const char *want)
{
	struct records r;
	struct items items;
	json_t *answer = NULL;
	struct buf got;

	if (q.to == NULL)
		q.to = "al@acme.example";
	ask(doc, &q, &answer, &items, &r);
	assert_string_equal(text_of(answer, "reason"), reason);
	buf_init(&got, 0);
	summary(answer, &got);
	if (strcmp(got.data, want) != 0)
		fail_msg("\"%s\", expected \"%s\" for %s to %s in:\n%s",
		    got.data, want, q.from, q.to, doc);
	buf_fini(&got);
	json_decref(answer);
	records_fini(&r);
	items_fini(&items);
}

static void
remedies_fit_the_reason(void **state)
{
	static const struct {
		const char *doc;
		struct question q;
		const char *reason, *want;
	} rows[] = {
	    { HEAD INIT BLOCK("from: {group: Blocked Senders}"),
		{ .from = "x@bad.example", .ip = "198.51.100.7" },
		"blocked_envelope", "group_entry:x@bad.example" },
	    { HEAD INIT BLOCK("from: {group: Blocked Senders}, "
		"override: true"),
		{ .from = "x@bad.example", .ip = "198.51.100.7" },
		"blocked_envelope", "take_no_action" },
	    { HEAD INIT BLOCK("from: {address: x@bad.example}"),
		{ .from = "x@bad.example", .ip = "198.51.100.7" },
		"blocked_envelope", "take_no_action" },
	    { HEAD INIT BLOCK("from: external"),
		{ .from = "", .ip = "198.51.100.7" },
		"blocked_envelope", "take_no_action" },
	    { HEAD INIT BLOCK("from: external"),
		{ .from = "" }, "blocked_envelope", "" },
	    { HEAD INIT BLOCK("from: {group: Blocked Senders}"),
		{ .from = "prvs=1234abcd=x@bad.example",
		    .ip = "198.51.100.7" },
		"blocked_envelope", "take_no_action" },
	    { HEAD INIT BLOCK("from: {domain: bad.example}"),
		{ .from = "prvs=1234abcd=x@bad.example",
		    .ip = "198.51.100.7" },
		"blocked_envelope", "group_entry:bad.example" },
	    { HEAD INIT BLOCK("from: {group: Blocked Senders}, "
		"addresses_based_on: header"),
		{ .from = "x@ok.example", .header_from = "y@bad.example",
		    .ip = "198.51.100.7" },
		"blocked_header", "group_entry:x@ok.example" },
	    { HEAD INIT BLOCK("from: {group: Blocked Senders}, "
		"addresses_based_on: header, override: true"),
		{ .from = "x@ok.example", .header_from = "y@bad.example",
		    .ip = "198.51.100.7" },
		"blocked_header", "take_no_action" },
	    { HEAD INIT "managed_senders: {al@acme.example: "
		"[{block: shop.example}]}\n",
		{ .from = "x@shop.example", .ip = "198.51.100.7" },
		"user_blocked_envelope", "remove_user_entry:shop.example "
		"permit_user_entry:x@shop.example "
		"group_entry:x@shop.example" },
	    { HEAD INIT, { .from = "x@ok.example", .to = "y@other.example",
		.ip = "192.0.2.1" },
		"relay_external", "group_entry:y@other.example" },
	    { HEAD INIT, { .from = "al@acme.example",
		.to = "y@other.example", .ip = "198.51.100.7" },
		"relay_unauthorized", "authorize_client smtp_auth" },
	    { HEAD INIT "  - {id: s, type: anti_spoofing, narrative: n, "
		"action: apply, from: internal, to: internal}\n",
		{ .from = "bo@acme.example", .ip = "198.51.100.7" },
		"spoof_envelope", "take_no_action" },
	    { HEAD "  recipient_validation: known\n" INIT
		"directory: [{address: bo@acme.example}]\n",
		{ .from = "x@ok.example", .ip = "198.51.100.7" },
		"recipient_invalid", "directory_add" },
	    { HEAD "  recipient_validation: known\n" INIT
		"directory: [{address: al@acme.example, enabled: false}]\n",
		{ .from = "x@ok.example", .ip = "198.51.100.7" },
		"recipient_disabled", "directory_enable" },
	    { HEAD INIT "  - {id: g, type: greylisting, narrative: n, "
		"action: apply, from: external, to: internal}\n",
		{ .from = "x@ok.example", .ip = "198.51.100.7",
		    .greylist = "new" },
		"greylisted", "pass_triplet group_entry:x@ok.example" },
	    { HEAD INIT, { .from = "a b@x y", .ip = "198.51.100.7" },
		"sender_syntax", "" },
	    { HEAD INIT, { .from = "x@ok.example", .ip = "198.51.100.7" },
		"accepted", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_remedies(rows[i].doc, rows[i].q, rows[i].reason,
		    rows[i].want);
}

static void
remedy_policy_reads_as_a_document(void **state)
{
	static const char doc[] = HEAD INIT
	    BLOCK("from: {group: Blocked Senders}, override: true");
	struct question q = { .from = "x@bad.example",
	    .to = "al@acme.example", .ip = "198.51.100.7" };
	json_t *answer = NULL, *policy;
	struct records r;
	struct items items;
	struct buf text;
	char *json;

	(void)state;
	ask(doc, &q, &answer, &items, &r);
	policy = json_object_get(json_array_get(json_object_get(answer,
	    "remedies"), 0), "policy");
	json = json_dumps(policy, JSON_COMPACT);
	buf_init(&text, 0);
	buf_printf(&text, "%s  - %s\n", doc, json);
	free(json);
	json_decref(answer);
	records_fini(&r);
	items_fini(&items);

	ask(text.data, &q, &answer, &items, &r);
	assert_string_equal(text_of(answer, "verdict"), "accept");
	json_decref(answer);
	records_fini(&r);
	items_fini(&items);
	buf_fini(&text);
}

static void
malformed_address_says_why_nothing_helps(void **state)
{
	struct question q = { .from = "a b@x y", .to = "al@acme.example" };
	json_t *answer = NULL;
	struct records r;
	struct items items;
	struct buf table;

	(void)state;
	ask(HEAD INIT, &q, &answer, &items, &r);
	buf_init(&table, 0);
	explain_table(answer, &table);
	assert_non_null(strstr(table.data, "remedy   none: the address is "
	    "malformed"));
	buf_fini(&table);
	json_decref(answer);
	records_fini(&r);
	items_fini(&items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remedies_fit_the_reason),
		cmocka_unit_test(remedy_policy_reads_as_a_document),
		cmocka_unit_test(malformed_address_says_why_nothing_helps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
