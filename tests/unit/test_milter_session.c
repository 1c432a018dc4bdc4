/*
 * test_milter_session.c - messages over milter: who is refused, when, with
 * which answer and which event.
 *
 * acme.example knows al and cy.  bad.example is blocked by envelope, but for
 * cy if the header says ok.example; evil.example by header for al, worse
 * .example by header for cy; good.example is permitted.  al has blocked
 * x@y.example.
 */
#include "tests/unit/milter_peer.h"

static struct policy
policy(const char *id, const char *from, const char *to)
{
	return (struct policy){ .id = fixture_str(id),
	    .narrative = fixture_str(id), .type = POLICY_BLOCKED_SENDERS,
	    .action = ACTION_BLOCK, .based_on = BASED_HEADER,
	    .from = { .kind = TARGET_DOMAIN, .text = fixture_str(from) },
	    .to = { .kind = TARGET_ADDRESS, .text = fixture_str(to) },
	    .enabled = true, .valid_from_us = INT64_MIN,
	    .valid_until_us = INT64_MAX };
}

static void
rules(struct peer *p, const char *mixed, const char *enforcement)
{
	static const uint8_t active[3] = { DIRECTORY_ACTIVE, 0, 0 };
	struct policy q;

	fixture_text(p->x, RECORD_DIRECTORY, "cy@acme.example", active, 3);
	q = policy("evil", "evil.example", "al@acme.example");
	fixture_policy(p->x, &q);
	q = policy("worse", "worse.example", "cy@acme.example");
	fixture_policy(p->x, &q);
	q = policy("except", "ok.example", "cy@acme.example");
	q.action = ACTION_TAKE_NO_ACTION;
	q.override = true;
	fixture_policy(p->x, &q);
	q = policy("permit", "good.example", "cy@acme.example");
	q.type = POLICY_PERMITTED_SENDERS;
	q.action = ACTION_PERMIT;
	q.based_on = BASED_ENVELOPE;
	fixture_policy(p->x, &q);
	fixture_text(p->x, RECORD_SETTING, "mixed_recipients", mixed,
	    strlen(mixed));
	fixture_text(p->x, RECORD_SETTING, "enforcement", enforcement,
	    strlen(enforcement));
	peer_enforce(p, 9);
	peer_begin(p);
}

/* Does the last answer begin like this? */
#define answered(p, want) \
	assert_memory_equal((p)->got, want, sizeof(want) - 1)

static void
mail(struct peer *p, const char *from, const char *rcpt1, const char *rcpt2)
{
	peer_say(p, 'M', from);
	answered(p, "c|");
	peer_say(p, 'R', rcpt1);
	if (rcpt2 != NULL)
		peer_say(p, 'R', rcpt2);
}

static void
end_of_headers(struct peer *p, const char *from)
{
	if (from != NULL)
		peer_header(p, "From", from);
	peer_say(p, 'N', "");
}

static void
envelope_block_is_refused_at_rcpt_with_its_event(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "enforce");
	peer_say(p, 'M', "<x@bad.example>");
	peer_say(p, 'R', "<al@acme.example>");
	answered(p, "y550 5.7.1 Administrative prohibition - envelope "
	    "blocked [");
	assert_int_equal(p->events_n, 1);
	assert_int_equal(p->ticket, 1);
	assert_string_equal(p->event[0].policy, "bad");
	assert_string_equal(p->event[0].client_ip, "192.0.2.1");
	assert_string_equal(p->event[0].helo, "client.test");
	assert_non_null(strstr(p->got, p->event[0].id));
	/* another recipient of the same message is his own affair */
	peer_say(p, 'R', "<no@acme.example>");
	answered(p, "y550 5.7.1");
}

static void
refusal_that_a_header_may_lift_waits_for_it(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "enforce");
	mail(p, "<x@bad.example>", "<cy@acme.example>", NULL);
	answered(p, "c|");
	end_of_headers(p, "a@ok.example");
	answered(p, "c|");
	peer_say(p, 'E', "");
	assert_int_equal(p->events_n, 0);
	mail(p, "<x@bad.example>", "<cy@acme.example>", NULL);
	end_of_headers(p, "a@other.example");
	answered(p, "y550 5.7.1 Administrative prohibition - envelope");
	assert_int_equal(p->events_n, 1);
	assert_string_equal(p->event[0].policy, "bad");
	assert_string_equal(p->event[0].header_from, "a@other.example");
	assert_false(p->event[0].after_acceptance);
	/* without a header From nothing lifts it */
	mail(p, "<x@bad.example>", "<cy@acme.example>", NULL);
	end_of_headers(p, NULL);
	answered(p, "y550 5.7.1");
}

static void
header_block_of_all_refuses_the_message(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "enforce");
	mail(p, "<x@far.example>", "<al@acme.example>", NULL);
	answered(p, "c|");
	end_of_headers(p, "\"a\" <a@evil.example>");
	answered(p, "y550 5.7.1 Rejected by header based Blocked Senders");
	assert_int_equal(p->events_n, 1);
	assert_int_equal(p->event[0].reply_code, 550);
	assert_non_null(strstr(p->got, p->event[0].id));
	/* the message is over, the connection is not */
	mail(p, "<x@far.example>", "<al@acme.example>", NULL);
	answered(p, "c|");
}

static void
remove_takes_out_who_is_refused(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "enforce");
	mail(p, "<x@far.example>", "<al@acme.example>", "<cy@acme.example>");
	end_of_headers(p, "a@evil.example");
	answered(p, "c|");
	assert_int_equal(p->events_n, 0);
	peer_say(p, 'E', "");
	assert_string_equal(p->got, "-<al@acme.example>|"
	    "hX-Postern-Decision=accepted; policy-version=9|c|");
	assert_int_equal(p->events_n, 1);
	assert_int_equal(p->ticket, 1);
	assert_true(p->event[0].after_acceptance);
	assert_string_equal(p->event[0].recipient, "al@acme.example");
	assert_int_equal(p->m.after_acceptance, 1);
}

static void
reject_all_refuses_for_everybody_and_tells_each(void **state)
{
	struct peer *p = *state;

	rules(p, "reject_all", "enforce");
	mail(p, "<x@far.example>", "<cy@acme.example>", "<al@acme.example>");
	end_of_headers(p, "a@evil.example");
	answered(p, "y550 5.7.1 Rejected by header based");
	assert_int_equal(p->events_n, 2);
	assert_string_equal(p->event[0].recipient, "al@acme.example");
	assert_string_equal(p->event[1].recipient, "cy@acme.example");
	assert_string_not_equal(p->event[0].id, p->event[1].id);
	assert_string_equal(p->event[0].reply_text, p->event[1].reply_text);
	assert_string_equal(p->event[1].policy, "evil");
}

static void
split_sends_others_away_three_times(void **state)
{
	struct peer *p = *state;
	int i;

	rules(p, "split", "enforce");
	for (i = 0; i < 3; i++) {
		peer_begin(p);
		mail(p, "<x@far.example>", "<al@acme.example>",
		    "<cy@acme.example>");
		answered(p, "y452 4.5.3 Too many recipients [");
		assert_int_equal(p->events_n, 0);
		/* the same policies: no reason to split */
		peer_say(p, 'R', "<al@acme.example>");
		answered(p, "c|");
		peer_say(p, 'A', "");
	}
	assert_int_equal(p->m.split, 3);
	mail(p, "<x@far.example>", "<al@acme.example>", "<cy@acme.example>");
	answered(p, "c|");
	end_of_headers(p, "a@evil.example");
	peer_say(p, 'E', "");
	answered(p, "-<al@acme.example>|");
	/* alone in its message it may be split anew later */
	mail(p, "<x@far.example>", "<cy@acme.example>", NULL);
	answered(p, "c|");
	peer_say(p, 'A', "");
	mail(p, "<x@far.example>", "<al@acme.example>", "<cy@acme.example>");
	answered(p, "y452 4.5.3");
}

static void
users_entries_never_split(void **state)
{
	struct peer *p = *state;
	/* al alone has blocked x@y.example; the policies are equal */
	static const uint8_t active[3] = { DIRECTORY_ACTIVE, 0, 0 };

	fixture_text(p->x, RECORD_DIRECTORY, "ed@acme.example", active, 3);
	fixture_text(p->x, RECORD_SETTING, "mixed_recipients", "split", 5);
	peer_enforce(p, 9);
	peer_begin(p);
	mail(p, "<x@far.example>", "<al@acme.example>", "<ed@acme.example>");
	answered(p, "c|");
	end_of_headers(p, "x@y.example");
	peer_say(p, 'E', "");
	answered(p, "-<al@acme.example>|");
	assert_string_equal(reply_info(p->event[0].reason)->reason,
	    "user_blocked_header");
}

static void
soft_and_observe_lose_no_mail(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "soft");
	mail(p, "<x@far.example>", "<al@acme.example>", NULL);
	end_of_headers(p, "a@evil.example");
	answered(p, "y450 4.7.1");
	mail(p, "<x@far.example>", "<al@acme.example>", "<cy@acme.example>");
	end_of_headers(p, "a@evil.example");
	answered(p, "c|");
	peer_say(p, 'E', "");
	answered(p, "hX-Postern-Decision");
	assert_int_equal(p->events_n, 2);
	assert_int_equal(p->event[1].reply_code, 0);
	assert_false(p->event[1].after_acceptance);
}

static void
observe_reports_once_and_lets_pass(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "observe");
	mail(p, "<x@bad.example>", "<al@acme.example>", NULL);
	answered(p, "c|");
	assert_int_equal(p->events_n, 1);
	end_of_headers(p, "a@far.example");
	answered(p, "c|");
	peer_say(p, 'E', "");
	assert_string_equal(p->got, "c|");
	assert_int_equal(p->events_n, 1);
	mail(p, "<x@far.example>", "<al@acme.example>", NULL);
	end_of_headers(p, "a@evil.example");
	peer_say(p, 'E', "");
	assert_string_equal(p->got, "c|");
	assert_int_equal(p->events_n, 2);
	assert_int_equal(p->event[1].reply_code, 0);
}

static void
monitored_policy_is_reported_once(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "enforce");
	mail(p, "<x@odd.example>", "<al@acme.example>", NULL);
	answered(p, "c|");
	end_of_headers(p, "a@far.example");
	peer_say(p, 'E', "");
	assert_int_equal(p->events_n, 1);
	assert_string_equal(p->event[0].would_policy, "odd");
}

static void
permitted_sender_is_signalled_and_forged_headers_go(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "enforce");
	mail(p, "<x@good.example>", "<cy@acme.example>", NULL);
	peer_header(p, "X-Postern-Bypass", "forged");
	peer_header(p, "x-postern-BYPASS ", "forged");
	peer_header(p, "X-Postern-Decision", "forged");
	end_of_headers(p, "x@good.example");
	peer_say(p, 'E', "");
	/* indexes hold NULs, which stand here as "=" */
	assert_string_equal(p->got, "m===\001X-Postern-Decision=|"
	    "m===\002X-Postern-Bypass=|m===\001X-Postern-Bypass=|"
	    "hX-Postern-Decision=accepted; policy-version=9|"
	    "hX-Postern-Bypass=spam, greylist, reputation; "
	    "granted-by=admin|c|");
	/* al is not under that policy: nothing holds for the whole message */
	mail(p, "<x@good.example>", "<cy@acme.example>",
	    "<al@acme.example>");
	end_of_headers(p, "x@good.example");
	peer_say(p, 'E', "");
	assert_null(strstr(p->got, "Bypass"));
	p->host.decision_headers = false;
	peer_begin(p);
	mail(p, "<x@good.example>", "<cy@acme.example>", NULL);
	end_of_headers(p, "x@good.example");
	peer_say(p, 'E', "");
	assert_string_equal(p->got, "c|");
}

static void
refusal_of_the_mail_server_is_recorded(void **state)
{
	struct peer *p = *state;
	static const char relay[] = "R{rcpt_mailer}\0error\0{rcpt_host}\0"
	    "5.7.1\0{rcpt_addr}\0Relay access denied\0";
	static const char ours[] = "R{rcpt_mailer}\0error\0{rcpt_host}\0"
	    "5.7.1\0{rcpt_addr}\0<x>: Recipient rejected: no [";
	char text[256];

	rules(p, "remove", "enforce");
	peer_say(p, 'M', "<x@far.example>");
	assert_int_equal(peer_bytes(p, 'D', relay, sizeof(relay) - 1), 0);
	peer_say(p, 'R', "<y@else.example>");
	answered(p, "c|");
	assert_int_equal(p->events_n, 1);
	assert_string_equal(p->event[0].origin, "mta");
	assert_string_equal(p->event[0].reply_text, "Relay access denied");
	assert_string_equal(p->event[0].reply_enhanced, "5.7.1");
	assert_int_equal(p->event[0].verdict, VERDICT_REJECT);
	assert_string_equal(p->event[0].recipient, "y@else.example");
	/* the macros do not stick to the next recipient */
	peer_say(p, 'R', "<al@acme.example>");
	answered(p, "c|");
	assert_int_equal(p->events_n, 1);
	/* our own, from the policy front, stands in the spool already */
	memcpy(text, ours, sizeof(ours) - 1);
	reply_id_new(text + sizeof(ours) - 1);
	memcpy(text + sizeof(ours) - 1 + REPLY_ID_LEN, "]\0", 2);
	assert_int_equal(peer_bytes(p, 'D', text, sizeof(ours) - 1 +
	    REPLY_ID_LEN + 2), 0);
	peer_say(p, 'R', "<y@else.example>");
	assert_int_equal(p->events_n, 1);
}

static void
node_without_policy_answers_as_bootstrap_says(void **state)
{
	struct peer *p = *state;

	peer_begin(p);
	peer_say(p, 'M', "<x@far.example>");
	peer_say(p, 'R', "<al@acme.example>");
	answered(p, "y451 4.3.0");
	peer_decider(p, &(struct decide_conf){
	    .bootstrap = FALLBACK_DUNNO });
	peer_begin(p);
	mail(p, "<x@far.example>", "<al@acme.example>", NULL);
	answered(p, "c|");
	end_of_headers(p, "a@b.example");
	peer_say(p, 'E', "");
	assert_string_equal(p->got, "c|");
}

static void
late_command_is_answered_as_on_error_says(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "enforce");
	p->late = true;
	peer_say(p, 'M', "<x@bad.example>");
	peer_say(p, 'R', "<al@acme.example>");
	answered(p, "y451 4.3.0");
	p->late = false;
	peer_say(p, 'R', "<cy@acme.example>");
	answered(p, "c|");
	p->late = true;
	end_of_headers(p, "a@worse.example");
	answered(p, "y451 4.3.0");
	assert_int_equal(p->events_n, 0);
}

static void
message_keeps_the_view_it_began_with(void **state)
{
	struct peer *p = *state;

	peer_enforce(p, 8);
	peer_begin(p);
	peer_say(p, 'M', "<x@far.example>");
	peer_say(p, 'R', "<al@acme.example>");
	answered(p, "c|");
	peer_say(p, 'A', "");
	peer_say(p, 'M', "<x@bad.example>");
	{
		struct policy q = policy("new", "far.example",
		    "al@acme.example");

		fixture_policy(p->x, &q);
		peer_enforce(p, 9);
	}
	peer_say(p, 'R', "<al@acme.example>");
	answered(p, "y550");
	assert_int_equal(p->event[0].version, 8);
	peer_say(p, 'M', "<x@bad.example>");
	peer_say(p, 'R', "<al@acme.example>");
	assert_int_equal(p->event[1].version, 9);
}

static void
without_header_stage_rcpt_decides(void **state)
{
	struct peer *p = *state;

	rules(p, "remove", "enforce");
	peer_decider(p, &(struct decide_conf){
	    .header_stage = NODE_HEADER_NO });
	peer_begin(p);
	peer_say(p, 'M', "<x@bad.example>");
	peer_say(p, 'R', "<cy@acme.example>");
	answered(p, "y550 5.7.1");
	peer_say(p, 'R', "<al@acme.example>");
	answered(p, "y550");
	mail(p, "<x@far.example>", "<al@acme.example>", NULL);
	end_of_headers(p, "a@evil.example");
	answered(p, "c|");
	peer_say(p, 'E', "");
	answered(p, "hX-Postern");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, peer_setup, peer_teardown)
		T(envelope_block_is_refused_at_rcpt_with_its_event),
		T(refusal_that_a_header_may_lift_waits_for_it),
		T(header_block_of_all_refuses_the_message),
		T(remove_takes_out_who_is_refused),
		T(reject_all_refuses_for_everybody_and_tells_each),
		T(split_sends_others_away_three_times),
		T(users_entries_never_split),
		T(soft_and_observe_lose_no_mail),
		T(observe_reports_once_and_lets_pass),
		T(monitored_policy_is_reported_once),
		T(permitted_sender_is_signalled_and_forged_headers_go),
		T(refusal_of_the_mail_server_is_recorded),
		T(node_without_policy_answers_as_bootstrap_says),
		T(late_command_is_answered_as_on_error_says),
		T(message_keeps_the_view_it_began_with),
		T(without_header_stage_rcpt_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
