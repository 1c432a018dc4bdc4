/*
 * test_lint.c - which document gives which findings, each with its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/document.h"
#include "controller/policy/lint.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"

#define HEAD "organization:\n  internal_domains: [acme.example]\n"
#define SPOOF "  - {id: spoof, type: anti_spoofing, narrative: n, " \
	"action: apply, from: internal, to: internal}\n"
#define BLOCK(id, rest) "  - {id: " id ", type: blocked_senders, " \
	"narrative: n, action: block_sender, " rest "}\n"
#define TNA(id, rest) "  - {id: " id ", type: blocked_senders, " \
	"narrative: n, action: take_no_action, " rest "}\n"
#define PERMIT(id, rest) "  - {id: " id ", type: permitted_senders, " \
	"narrative: n, action: permit_sender, " rest "}\n"

static void
read_items(const char *text, struct items *out)
{
	struct document d = { "doc.yaml", text, strlen(text) };
	struct diag why = { "" };

	if (document_read(&d, 1, NULL, NULL, out, &why) < 0)
		fail_msg("%s in:\n%s", why.text, text);
}

/* "code subject" of each finding, parted by "; ". */
static void
summary(const json_t *findings, struct buf *out)
{
	const json_t *f;
	size_t i;

	buf_reset(out);
	buf_puts(out, "");
	json_array_foreach(findings, i, f)
		buf_printf(out, "%s%s %s", i == 0 ? "" : "; ",
		    json_string_value(json_object_get(f, "code")),
		    json_string_value(json_object_get(f, "subject")));
}

static json_t *
lint_text(const char *text, struct lint_options *o)
{
	struct items items;
	json_t *found;

	o->now_us = 1782000000000000;	/* in June 2026 */
	read_items(text, &items);
	found = lint(&items, o);
	items_fini(&items);
	return found;
}

static void
assert_finds(const char *text, const char *want)
{
	struct lint_options o = { .accept_directory_loss = -1 };
	json_t *found = lint_text(text, &o);
	struct buf got;

	buf_init(&got, 0);
	summary(found, &got);
	if (strcmp(got.data, want) != 0)
		fail_msg("found \"%s\", expected \"%s\" in:\n%s", got.data,
		    want, text);
	buf_fini(&got);
	json_decref(found);
}

static void
lint_each_flaw_is_found_alone(void **state)
{
	static const struct { const char *doc, *want; } rows[] = {
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: bad.example}, to: internal"), "" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: x.example}, to: internal")
		TNA("b", "from: {domain: x.example}, to: internal"),
		"tie policy b" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: x.example}, to: internal")
		BLOCK("b", "from: {domain: x.example}, to: internal"),
		"shadowed policy b" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: x.example}, to: internal, "
		    "override: true")
		BLOCK("b", "from: {address: al@x.example}, to: internal"),
		"shadowed policy b" },
	    /* narrower is no shadow */
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: x.example}, to: internal")
		TNA("b", "from: {address: al@x.example}, to: internal"),
		"" },
	    /* nor is it where the wider one has conditions */
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: x.example}, to: internal, "
		    "override: true, source_ips: [192.0.2.0/24]")
		BLOCK("b", "from: {address: al@x.example}, to: internal"),
		"" },
	    { HEAD "groups:\n  B: [x.example, {group: C}]\n"
		"  C: [\"*.z.example\"]\npolicies:\n" SPOOF
		BLOCK("a", "from: {group: B}, to: internal")
		TNA("b", "from: {domain: x.example}, to: internal")
		TNA("c", "from: {domain: m.z.example}, to: internal")
		TNA("d", "from: {domain: y.example}, to: internal"),
		"exception_loses policy c; exception_loses policy b" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: x.example}, to: internal, "
		    "override: true")
		TNA("b", "from: {address: al@x.example}, to: internal"),
		"exception_loses policy b" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: everyone, to: internal, override: true, "
		    "source_ips: [192.0.2.0/24]"),
		"override_everyone policy a" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: external, to: internal"),
		"blocks_bounces policy a" },
	    { HEAD "policies:\n" SPOOF
		PERMIT("a", "from: {domain: acme.example}, to: internal"),
		"permits_internal policy a" },
	    { HEAD "policies:\n" SPOOF
		PERMIT("a", "from: {domain: p.example}, to: internal, "
		    "addresses_based_on: both"), "forgeable policy a" },
	    { HEAD "policies:\n" SPOOF
		PERMIT("a", "from: {domain: p.example}, to: internal, "
		    "addresses_based_on: both, source_ips: [192.0.2.1]"),
		"" },
	    { HEAD "policies:\n"
		BLOCK("a", "from: external, to: internal, "
		    "source_ips: [192.0.2.0/24]"), "spoofable policy a" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: x.example}, to: internal, "
		    "valid: {until: 2026-01-31}"), "expired policy a" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: gmail.com}, to: internal"),
		"blocks_free_mail policy a" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: \"*.co.uk\"}, to: internal"),
		"blocks_suffix policy a" },
	    { HEAD "policies:\n" SPOOF
		BLOCK("a", "from: {domain: x.example}, "
		    "to: {address: postmaster@acme.example}"),
		"protected policy a" },
	    { HEAD "  header_stage: no\npolicies:\n" SPOOF
		BLOCK("a", "from: {domain: x.example}, to: internal, "
		    "addresses_based_on: header"),
		"no_header_stage policy a" },
	    { HEAD "groups: {G: [x.example]}\n",
		"unreferenced group \"G\"" },
	    { HEAD "groups: {G: [], H: [{group: G}]}\n",
		"unreferenced group \"H\"" },
	    { HEAD "groups: {Relay: [x@y.example]}\n", "" },
	    { HEAD "groups: {G: [gmail.com, acme.example, co.uk, "
		"\"prvs=123=al@x.example\"]}\npolicies:\n" SPOOF
		BLOCK("a", "from: {group: G}, to: internal"),
		"blocks_internal group \"G\"; blocks_suffix group \"G\"; "
		"blocks_free_mail group \"G\"; one_time group \"G\"" },
	    { HEAD "  authorized_outbound: [10.0.0.0/8]\n",
		"wide_range authorized_outbound" },
	    { HEAD "  authorized_outbound: [10.0.0.0/24, "
		"\"2001:db8::/48\"]\n", "" },
	    { HEAD "  recipient_validation: known\n",
		"directory_empty directory of acme.example" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_finds(rows[i].doc, rows[i].want);
}

static void
lint_finding_has_its_place(void **state)
{
	struct lint_options o = { .accept_directory_loss = -1 };
	json_t *found = lint_text(HEAD "groups:\n  G: []\n", &o);
	struct buf text;

	(void)state;
	assert_string_equal(json_string_value(json_object_get(
	    json_array_get(found, 0), "at")), "doc.yaml:4:3");
	assert_false(lint_is_refused(found));
	buf_init(&text, 0);
	lint_print(found, &text);
	assert_string_equal(text.data, "doc.yaml:4:3: warning: group \"G\": "
	    "no policy and no group names it [unreferenced]\n    mend: name "
	    "it in a policy or another group, or delete it\n");
	buf_fini(&text);
	json_decref(found);
}

/* A document with n directory addresses and m entries of a group. */
static void
make_set(struct buf *out, int n, int m)
{
	int i;

	buf_reset(out);
	buf_puts(out, HEAD "  recipient_validation: known\ndirectory:\n");
	for (i = 0; i < n; i++)
		buf_printf(out, "  - {address: u%d@acme.example}\n", i);
	buf_puts(out, "groups:\n  Relay:\n");
	for (i = 0; i < m; i++)
		buf_printf(out, "    - d%d.example\n", i);
}

static bool
loses(int n, int m, int n_after, int m_after, long accept, bool lists)
{
	struct lint_options o = { .accept_directory_loss = accept,
	    .accept_list_loss = lists };
	struct items before;
	struct buf text;
	json_t *found;
	bool refused;

	buf_init(&text, 0);
	make_set(&text, n, m);
	read_items(text.data, &before);
	o.before = &before;
	make_set(&text, n_after, m_after);
	found = lint_text(text.data, &o);
	refused = lint_is_refused(found);
	json_decref(found);
	items_fini(&before);
	buf_fini(&text);
	return refused;
}

static void
lint_losses_are_refused_unless_accepted(void **state)
{
	(void)state;
	assert_false(loses(1000, 100, 980, 80, -1, false));
	assert_true(loses(1000, 100, 979, 100, -1, false));
	assert_false(loses(1000, 100, 979, 100, 21, false));
	assert_true(loses(1000, 100, 978, 100, 21, false));
	assert_false(loses(100, 100, 98, 100, -1, false));
	assert_true(loses(100, 100, 97, 100, -1, false));
	assert_true(loses(10, 100, 1, 100, -1, false));
	assert_true(loses(100, 100, 100, 79, -1, false));
	assert_false(loses(100, 100, 100, 79, -1, true));
	assert_false(loses(100, 49, 100, 1, -1, false));
}

static int64_t
never(void *arg, const char *policy)
{
	return strcmp(policy, arg) == 0 ? 0 : -1;
}

static void
lint_unused_policy_is_found_when_uses_are_known(void **state)
{
	char name[] = "a";
	struct lint_options o = { .accept_directory_loss = -1,
	    .last_used_us = never, .arg = name };
	json_t *found = lint_text(HEAD "policies:\n" SPOOF
	    BLOCK("a", "from: {domain: x.example}, to: internal")
	    BLOCK("b", "from: {domain: y.example}, to: internal"), &o);
	struct buf got;

	(void)state;
	buf_init(&got, 0);
	summary(found, &got);
	assert_string_equal(got.data, "unused policy a");
	buf_fini(&got);
	json_decref(found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lint_each_flaw_is_found_alone),
		cmocka_unit_test(lint_finding_has_its_place),
		cmocka_unit_test(lint_losses_are_refused_unless_accepted),
		cmocka_unit_test(
		    lint_unused_policy_is_found_when_uses_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
