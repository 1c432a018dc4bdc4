/*
 * test_decide.c - requests of a mail server against a small policy: what is
 * answered, what is reported.
 */
#include "tests/unit/node_fixture.h"

#include "node/policy_front.h"

struct room {
	struct fixture *x;
	struct ruleset *r;
	struct metrics m;
};

static struct room room;

static int
setup(void **state)
{
	char path[512];
	struct diag why = { "" };

	fixture_setup(state);
	memset(&room, 0, sizeof(room));
	room.x = *state;
	snprintf(path, sizeof(path), "%s/set", room.x->dir);
	if (fixture_build(room.x, path, &why) < 0 || ruleset_open(&room.r,
	    path, room.x->id->root, &why) < 0)
		fail_msg("%s", why.text);
	return 0;
}

static int
teardown(void **state)
{
	ruleset_unref(&room.r);
	return fixture_teardown(state);
}

static struct value
value(const char *s)
{
	return (struct value){ s, s == NULL ? 0 : strlen(s) };
}

static struct policy_request
request(const char *from, const char *to)
{
	return (struct policy_request){ .protocol_state = value("RCPT"),
	    .sender = value(from), .recipient = value(to),
	    .client_address = value("192.0.2.1"),
	    .client_name = value("unknown"), .helo_name = value("h\001elo"),
	    .instance = value("1.2.3"), .queue_id = value("") };
}

static void
ask(const struct decide_conf *conf, struct ruleset *r,
    const struct policy_request *q, struct policy_answered *a)
{
	struct decider *d = decide_new(conf, &room.m);

	policy_answer(d, r, q, "local", a);
	if (a->event != NULL) {
		static struct event kept;

		kept = *a->event;
		a->event = &kept;
	}
	decide_free(&d);
}

/* Does action begin with want, and carry the event's id? */
static void
expect(const char *name, const struct policy_answered *a, const char *want)
{
	if (strncmp(a->action, want, strlen(want)) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", name, a->action, want);
	if (strcmp(want, "DUNNO") != 0) {
		assert_non_null(a->event);
		assert_non_null(strstr(a->action, a->event->id));
	}
}

static void
request_gives_the_action_of_its_verdict(void **state)
{
	static const struct {
		const char *from, *to, *want;
		enum reason reason;
	} t[] = {
		{ "a@good.example", "al@acme.example", "DUNNO", 0 },
		{ "", "al@acme.example", "DUNNO", 0 },
		{ "a@bad.example", "al@acme.example", "550 5.7.1 ",
		    REASON_BLOCKED_ENVELOPE },
		{ "A@BAD.example.", "AL@acme.example", "550 5.7.1 ",
		    REASON_BLOCKED_ENVELOPE },
		{ "x@y.example", "al@acme.example", "550 5.7.1 ",
		    REASON_USER_BLOCKED_ENVELOPE },
		{ "x@y.example", "bo@acme.example", "550 5.2.1 ",
		    REASON_RECIPIENT_DISABLED },
		{ "a@good.example", "no@acme.example", "550 5.1.1 ",
		    REASON_RECIPIENT_INVALID },
		{ "a@good.example", "a@other.example", "554 5.7.1 ",
		    REASON_RELAY_UNAUTHORIZED },
		{ "a\001@good.example", "al@acme.example", "501 5.1.7 ",
		    REASON_SENDER_SYNTAX },
		{ "a@bad.example", "postmaster@acme.example", "DUNNO", 0 },
	};
	struct decide_conf conf = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct policy_request q = request(t[i].from, t[i].to);
		struct policy_answered a;

		ask(&conf, room.r, &q, &a);
		expect(t[i].from, &a, t[i].want);
		if (t[i].reason != 0)
			assert_int_equal(a.event->reason, t[i].reason);
	}
	assert_int_equal(room.m.verdicts[VERDICT_ACCEPT], 3);
	assert_int_equal(room.m.reasons[REASON_BLOCKED_ENVELOPE], 2);
	assert_int_equal(metrics_refusals(&room.m), 7);
}

static void
request_of_another_state_goes_on_uncounted(void **state)
{
	static const char *const states[] = { "CONNECT", "HELO", "MAIL",
	    "DATA", "END-OF-MESSAGE", "VRFY", "rcpt", "" };
	struct decide_conf conf = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct policy_request q = request("a@bad.example",
		    "al@acme.example");
		struct policy_answered a;

		q.protocol_state = value(states[i]);
		ask(&conf, room.r, &q, &a);
		assert_string_equal(a.action, "DUNNO");
		assert_null(a.event);
	}
	assert_int_equal(metrics_decisions(&room.m), 0);
}

static void
refusal_is_told_as_enforcement_says(void **state)
{
	static const struct {
		enum node_enforcement e;
		const char *want;
		int code;
	} t[] = {
		{ NODE_AS_POLICY, "550 5.7.1 ", 550 },
		{ NODE_ENFORCE, "550 5.7.1 ", 550 },
		{ NODE_SOFT, "450 4.7.1 ", 450 },
		{ NODE_OBSERVE, "DUNNO", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct decide_conf conf = { .enforcement = t[i].e };
		struct policy_request q = request("a@bad.example",
		    "al@acme.example");
		struct policy_answered a;

		ask(&conf, room.r, &q, &a);
		expect("enforcement", &a, t[i].want);
		assert_non_null(a.event);
		assert_int_equal(a.event->verdict, VERDICT_REJECT);
		assert_int_equal(a.event->reply_code, t[i].code);
	}
}

static void
fault_inside_is_never_a_5xx(void **state)
{
	static const struct {
		bool has_rules;
		enum fallback on_error, bootstrap;
		const char *want;
	} t[] = {
		{ false, FALLBACK_DEFER, FALLBACK_DEFER, "451 4.3.0 " },
		{ false, FALLBACK_DEFER, FALLBACK_DUNNO, "DUNNO" },
		{ true, FALLBACK_DEFER, FALLBACK_DUNNO, "451 4.3.0 " },
		{ true, FALLBACK_DUNNO, FALLBACK_DEFER, "DUNNO" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct decide_conf conf = { .on_error = t[i].on_error,
		    .bootstrap = t[i].bootstrap };
		struct policy_request q = request("a@bad.example",
		    "al@acme.example");
		struct policy_answered a;

		/* a request that cannot be decided: no sender was sent */
		if (t[i].has_rules)
			q.sender = value(NULL);
		ask(&conf, t[i].has_rules ? room.r : NULL, &q, &a);
		expect("fault", &a, t[i].want);
		if (strcmp(t[i].want, "DUNNO") == 0)
			assert_null(a.event);
	}
	assert_int_equal(room.m.internal, 2);
}

static void
monitored_policy_reports_and_lets_pass(void **state)
{
	struct policy_request q = request("a@odd.example", "al@acme.example");
	struct decide_conf conf = { 0 };
	struct policy_answered a;

	(void)state;
	ask(&conf, room.r, &q, &a);
	assert_string_equal(a.action, "DUNNO");
	assert_non_null(a.event);
	assert_int_equal(a.event->verdict, VERDICT_ACCEPT);
	assert_true(a.event->has_would);
	assert_string_equal(a.event->would_policy, "odd");
	assert_int_equal(a.event->reply_code, 0);
}

static void
event_tells_the_whole_refusal(void **state)
{
	struct policy_request q = request("a@bad.example", "AL@acme.example");
	struct decide_conf conf = { 0 };
	struct policy_answered a;

	(void)state;
	ask(&conf, room.r, &q, &a);
	assert_non_null(a.event);
	assert_int_equal(a.event->version, 7);
	assert_string_equal(a.event->policy, "bad");
	assert_string_equal(a.event->sender, "a@bad.example");
	assert_string_equal(a.event->recipient, "al@acme.example");
	assert_string_equal(a.event->client_ip, "192.0.2.1");
	assert_string_equal(a.event->helo, "h?elo");
	assert_string_equal(a.event->origin, "gateway");
	assert_string_equal(a.event->reply_enhanced, "5.7.1");
	assert_true(a.event->time_us > 0);
}

/* The bytes of an event but for its id, which its text ends with, and time. */
static void
encode(const struct event *e, struct buf *out)
{
	struct event same = *e;

	strcpy(same.id, "0000000000");
	assert_non_null(strchr(same.reply_text, '['));
	*strchr(same.reply_text, '[') = '\0';
	same.time_us = 1;
	buf_reset(out);
	event_encode(&same, out);
}

static void
event_tells_nothing_of_the_one_before(void **state)
{
	struct policy_request q = request("a@bad.example", "al@acme.example");
	struct policy_request first = request("not an address",
	    "averylongname@acme.example");
	struct decide_conf conf = { 0 };
	struct decider *d = decide_new(&conf, &room.m);
	struct policy_answered a;
	struct buf alone, after;

	(void)state;
	buf_init(&alone, 0);
	buf_init(&after, 0);
	q.helo_name = q.instance = value("");
	first.client_name = value("a.very.long.name.example");
	first.sasl_username = value("somebody");
	first.queue_id = value("4XyZ1234567");
	ask(&conf, room.r, &q, &a);
	assert_non_null(a.event);
	encode(a.event, &alone);
	policy_answer(d, room.r, &first, "local", &a);
	assert_non_null(a.event);
	assert_string_equal(a.event->sasl_user, "somebody");
	policy_answer(d, room.r, &q, "local", &a);
	assert_non_null(a.event);
	encode(a.event, &after);
	assert_int_equal(after.len, alone.len);
	assert_memory_equal(after.data, alone.data, alone.len);
	buf_fini(&alone);
	buf_fini(&after);
	decide_free(&d);
}

static void
question_asked_again_keeps_its_id_and_makes_no_event(void **state)
{
	struct policy_request q = request("a@bad.example", "al@acme.example");
	struct decide_conf conf = { 0 };
	struct decider *d = decide_new(&conf, &room.m);
	struct policy_answered first, again;

	(void)state;
	policy_answer(d, room.r, &q, "local", &first);
	assert_non_null(first.event);
	policy_answer(d, room.r, &q, "local", &again);
	assert_null(again.event);
	assert_string_equal(first.action, again.action);
	q.instance = value("1.2.4");
	policy_answer(d, room.r, &q, "local", &again);
	assert_non_null(again.event);
	assert_string_not_equal(first.action, again.action);
	q.instance = value("");
	policy_answer(d, room.r, &q, "local", &again);
	assert_non_null(again.event);
	policy_answer(d, room.r, &q, "local", &again);
	assert_non_null(again.event);
	decide_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(request_gives_the_action_of_its_verdict),
		T(request_of_another_state_goes_on_uncounted),
		T(refusal_is_told_as_enforcement_says),
		T(fault_inside_is_never_a_5xx),
		T(monitored_policy_reports_and_lets_pass),
		T(event_tells_the_whole_refusal),
		T(event_tells_nothing_of_the_one_before),
		T(question_asked_again_keeps_its_id_and_makes_no_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
