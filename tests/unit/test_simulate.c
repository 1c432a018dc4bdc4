/*
 * test_simulate.c - which verdicts a draft changes, and which policy is named
 * for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/document.h"
#include "controller/policy/simulate.h"
#include "proto/base/err.h"

#define HEAD "organization: {internal_domains: [acme.example]}\n"
#define POLICY(id, type, action, from) "  - {id: " id ", type: " type \
	", narrative: n, action: " action ", from: " from ", to: internal}\n"
#define BLOCK(id, from) POLICY(id, "blocked_senders", "block_sender", from)

struct side { struct items items; struct records records; };

static void
side_init(struct side *s, const char *doc)
{
	struct document d = { "doc.yaml", doc, strlen(doc) };
	struct diag why = { "" };

	if (document_read(&d, 1, NULL, NULL, &s->items, &why) < 0 ||
	    compile(&s->items, &s->records, &why) < 0)
		fail_msg("%s", why.text);
}

static void
side_fini(struct side *s)
{
	records_fini(&s->records);
	items_fini(&s->items);
}

/* The report on lines, parted by newlines, as compact JSON. */
static char *
report(const char *before, const char *after, const char *lines)
{
	struct side a, b;
	struct simulation *s;
	struct diag why = { "" };
	uint64_t n = 0;
	json_t *o;
	char *text;

	side_init(&a, before);
	side_init(&b, after);
	s = simulation_new(&a.records, &b.records, 0, 1);
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");

		if (simulation_line(s, ++n, lines, len, &why) < 0)
			fail_msg("%s", why.text);
		lines += len + (lines[len] == '\n');
	}
	o = simulation_report(s);
	json_object_del(o, "list");
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
	simulation_free(&s);
	side_fini(&a);
	side_fini(&b);
	return text;
}

#define LINES "{\"from\":\"x@bad.example\",\"to\":\"al@acme.example\"}\n" \
	"{\"from\":\"y@bad.example\",\"to\":[\"al@acme.example\"," \
	"\"bo@acme.example\"]}\n\n" \
	"{\"from\":\"z@ok.example\",\"to\":\"al@acme.example\"}\n"

static void
simulate_names_the_policy_that_changes_a_verdict(void **state)
{
	static const struct { const char *before, *after, *want; } rows[] = {
	    { HEAD, HEAD, "{\"changed\":0,\"envelopes\":4,\"policies\":[],"
		"\"transitions\":[]}" },
	    { HEAD, HEAD "policies:\n" BLOCK("b", "{domain: bad.example}"),
		"{\"changed\":3,\"envelopes\":4,\"policies\":[{\"cause\":"
		"\"refuses\",\"count\":3,\"policy\":\"b\"}],\"transitions\":"
		"[{\"after\":\"blocked_envelope\",\"before\":\"accepted\","
		"\"count\":3}]}" },
	    { HEAD "policies:\n" BLOCK("b", "{domain: bad.example}"), HEAD,
		"{\"changed\":3,\"envelopes\":4,\"policies\":[{\"cause\":"
		"\"gone\",\"count\":3,\"policy\":\"b\"}],\"transitions\":"
		"[{\"after\":\"accepted\",\"before\":\"blocked_envelope\","
		"\"count\":3}]}" },
	    { HEAD "policies:\n" BLOCK("b", "{domain: bad.example}"),
		HEAD "policies:\n" BLOCK("b", "{domain: bad.example}")
		POLICY("e", "blocked_senders", "take_no_action",
		"{address: y@bad.example}"),
		"{\"changed\":2,\"envelopes\":4,\"policies\":[{\"cause\":"
		"\"lifts\",\"count\":2,\"policy\":\"e\"}],\"transitions\":"
		"[{\"after\":\"accepted\",\"before\":\"blocked_envelope\","
		"\"count\":2}]}" },
	    { HEAD, HEAD "policies:\n" POLICY("p", "permitted_senders",
		"permit_sender", "{domain: ok.example}"),
		"{\"changed\":1,\"envelopes\":4,\"policies\":[{\"cause\":"
		"\"lifts\",\"count\":1,\"policy\":\"p\"}],\"transitions\":"
		"[{\"after\":\"accepted, spam checks bypassed\",\"before\":"
		"\"accepted\",\"count\":1}]}" },
	    /* another policy for the same verdict is no change */
	    { HEAD "policies:\n" BLOCK("b", "{domain: bad.example}"),
		HEAD "policies:\n" BLOCK("c", "{domain: bad.example}"),
		"{\"changed\":0,\"envelopes\":4,\"policies\":[],"
		"\"transitions\":[]}" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = report(rows[i].before, rows[i].after, LINES);

		assert_string_equal(got, rows[i].want);
		free(got);
	}
}

static void
simulate_bad_lines_say_what_is_wrong(void **state)
{
	static const struct { const char *line, *want; } rows[] = {
	    { "{", "no JSON object" },
	    { "[]", "no JSON object: it is something else" },
	    { "{\"from\":\"a@x\",\"from\":\"b@x\",\"to\":\"c@x\"}",
		"duplicate" },
	    { "{\"to\":\"al@acme.example\"}", "\"from\" is missing" },
	    { "{\"from\":\"a@x.example\"}", "\"to\" must be a text" },
	    { "{\"from\":\"a@x.example\",\"to\":[1]}", "no text" },
	    { "{\"from\":1,\"to\":\"a@x.example\"}", "\"from\" must be" },
	    { "{\"frm\":\"a@x.example\"}", "unknown key \"frm\"" },
	    { "{\"from\":\"a@x.example\",\"to\":\"b@acme.example\","
		"\"ip\":\"1.2.3\"}", "ip \"1.2.3\" is no address" },
	};
	struct simulation *s;
	struct side a;
	size_t i;

	(void)state;
	side_init(&a, HEAD);
	s = simulation_new(&a.records, &a.records, 0, 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct diag why = { "" };

		assert_int_equal(simulation_line(s, 1, rows[i].line,
		    strlen(rows[i].line), &why), ERR_INVAL);
		if (strstr(why.text, rows[i].want) == NULL)
			fail_msg("\"%s\" says \"%s\"", rows[i].line,
			    why.text);
	}
	simulation_free(&s);
	side_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    simulate_names_the_policy_that_changes_a_verdict),
		cmocka_unit_test(simulate_bad_lines_say_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
