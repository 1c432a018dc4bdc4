/*
 * test_stages.c - what the two fronts know of each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "node/stages.h"

static struct envelope
envelope(const char *sender, const char *rcpt)
{
	struct envelope e;

	memset(&e, 0, sizeof(e));
	e.has_ip = ip_parse("192.0.2.1", &e.ip) == 0;
	addr_parse(&e.sender, sender, strlen(sender), ADDR_TEXT, NULL);
	addr_parse(&e.rcpt, rcpt, strlen(rcpt), ADDR_TEXT, NULL);
	return e;
}

static int
setup(void **state)
{
	*state = stages_new();
	return sodium_init() < 0;
}

static int
teardown(void **state)
{
	struct stages *s = *state;

	stages_free(&s);
	return 0;
}

static void
mail_server_is_known_for_a_minute(void **state)
{
	struct stages *s = *state;
	char name[32];
	int i;

	assert_false(stages_has(s, "local", 1000));
	stages_saw(s, "local", 1000);
	assert_true(stages_has(s, "local", 1000 + STAGES_SEEN_MS));
	assert_false(stages_has(s, "local", 1001 + STAGES_SEEN_MS));
	assert_false(stages_has(s, "192.0.2.1", 1000));
	stages_saw(s, "local", 70000);
	assert_true(stages_has(s, "local", 120000));
	/* many others push the oldest out, not the newest */
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "192.0.2.%d", i);
		stages_saw(s, name, 80000 + (uint64_t)i);
	}
	assert_true(stages_has(s, name, 81000));
	assert_false(stages_has(s, "local", 81000));
}

static void
open_recipient_that_nobody_settles_is_counted(void **state)
{
	struct envelope a = envelope("x@a.example", "al@acme.example"),
	    b = envelope("x@a.example", "bo@acme.example");
	struct stages *s = *state;

	stages_passed(s, &a, true, REASON_ACCEPTED, 1000);
	stages_passed(s, &b, true, REASON_ACCEPTED, 1000);
	stages_passed(s, &b, true, REASON_ACCEPTED, 2000);
	assert_int_equal(stages_unresolved(s, 1000 + STAGES_OPEN_MS), 0);
	assert_int_equal(stages_settle(s, &a), REASON_ACCEPTED);
	stages_settle(s, &b);		/* the newer one of the two */
	assert_int_equal(stages_unresolved(s, 1001 + STAGES_OPEN_MS), 1);
	assert_int_equal(stages_unresolved(s, 99999 + STAGES_OPEN_MS), 0);
}

static void
noted_recipient_is_told_once_and_never_counted(void **state)
{
	struct envelope a = envelope("x@a.example", "al@acme.example");
	struct stages *s = *state;

	stages_passed(s, &a, false, REASON_BLOCKED_ENVELOPE, 1000);
	assert_int_equal(stages_settle(s, &a), REASON_BLOCKED_ENVELOPE);
	assert_int_equal(stages_settle(s, &a), REASON_ACCEPTED);
	stages_passed(s, &a, false, REASON_BLOCKED_ENVELOPE, 1000);
	assert_int_equal(stages_unresolved(s, 5000 + STAGES_OPEN_MS), 0);
	a.ip.b[0] ^= 1;		/* another client */
	stages_passed(s, &a, false, REASON_BLOCKED_ENVELOPE, 1000);
	a.ip.b[0] ^= 1;
	assert_int_equal(stages_settle(s, &a), REASON_ACCEPTED);
}

static void
more_open_than_the_table_holds_are_counted_at_once(void **state)
{
	struct stages *s = *state;
	char rcpt[64];
	int i;

	for (i = 0; i < STAGES_OPEN_MAX + 10; i++) {
		struct envelope e;

		snprintf(rcpt, sizeof(rcpt), "r%d@acme.example", i);
		e = envelope("x@a.example", rcpt);
		stages_passed(s, &e, true, REASON_ACCEPTED, 1000);
	}
	assert_int_equal(stages_unresolved(s, 1000), 10);
	assert_int_equal(stages_unresolved(s, 1001 + STAGES_OPEN_MS),
	    STAGES_OPEN_MAX);
}

static void
recipient_is_split_three_times_in_twelve_hours(void **state)
{
	struct envelope a = envelope("x@a.example", "al@acme.example");
	const uint64_t hours = 12 * 3600 * 1000;
	struct stages *s = *state;
	int i;

	for (i = 0; i < 3; i++)
		assert_true(stages_may_split(s, &a, 1000));
	assert_false(stages_may_split(s, &a, 1000 + hours));
	assert_true(stages_may_split(s, &a, 1001 + hours));
	for (i = 0; i < 2; i++)
		assert_true(stages_may_split(s, &a, 2000 + hours));
	assert_false(stages_may_split(s, &a, 2000 + hours));
	stages_split_done(s, &a);
	assert_true(stages_may_split(s, &a, 2000 + hours));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(mail_server_is_known_for_a_minute),
		T(open_recipient_that_nobody_settles_is_counted),
		T(noted_recipient_is_told_once_and_never_counted),
		T(more_open_than_the_table_holds_are_counted_at_once),
		T(recipient_is_split_three_times_in_twelve_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
