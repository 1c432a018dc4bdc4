/*
 * test_api_policies.c - single policies over the API: added, changed key by
 * key, held by one manager, removed, counted.
 */
#include "proto/base/clock.h"
#include "proto/wire/message.h"
#include "tests/unit/api_fixture.h"

#define S ITEM_SEP_S
#define BULK "/v1/policies/bulk"
#define WHOLE "{\"create\":true,\"policy\":{\"type\":\"blocked_senders\"," \
    "\"action\":\"block_sender\",\"narrative\":\"n\"," \
    "\"from\":{\"domain\":\"Bad.example\"},\"to\":\"internal\"}}"

static void
value_is(struct fixture *f, const char *key, const char *want)
{
	json_t *o = ask(f, "GET", BULK, NULL);
	char *text = json_dumps(json_object_get(o, key), JSON_ENCODE_ANY |
	    JSON_COMPACT);

	assert_int_equal(f->status, 200);
	assert_string_equal(text == NULL ? "absent" : text, want);
	free(text);
	json_decref(o);
}

static void
policy_added_is_what_a_document_makes_it(void **state)
{
	struct fixture *f = *state;

	asked(f, 404, "no policy \"bulk\"", "GET", BULK, NULL);
	post(f, 200, NULL, BULK, WHOLE);
	value_is(f, "from", "{\"domain\":\"bad.example\"}");
	value_is(f, "addresses_based_on", "\"envelope\"");
	value_is(f, "managers", "[\"cli\"]");
	post(f, 409, "already", BULK, WHOLE);
	asked(f, 200, NULL, "DELETE", BULK, NULL);
	assert_null(get_item(f, "policy" S "bulk"));
	asked(f, 404, "no policy", "DELETE", BULK, NULL);
}

static void
policy_changed_keeps_what_was_not_said(void **state)
{
	struct fixture *f = *state;

	post(f, 404, "policy ls", BULK, "{\"policy\":{\"enabled\":false}}");
	post(f, 200, NULL, BULK, WHOLE);
	post(f, 200, NULL, BULK, "{\"policy\":{\"enabled\":false,"
	    "\"comment\":\"c\",\"valid\":{\"from\":\"2026-01-01\","
	    "\"until\":\"2026-02-01\"}}}");
	value_is(f, "enabled", "false");
	value_is(f, "narrative", "\"n\"");
	post(f, 200, NULL, BULK, "{\"policy\":{\"comment\":null,"
	    "\"from\":{\"address\":\"x@bad.example\"},"
	    "\"valid\":{\"until\":\"2026-03-01\"}}}");
	value_is(f, "comment", "absent");
	value_is(f, "from", "{\"address\":\"x@bad.example\"}");
	value_is(f, "valid",
	    "{\"from\":\"2026-01-01\",\"until\":\"2026-03-01\"}");
	post(f, 200, NULL, BULK, "{\"policy\":{\"valid\":null}}");
	value_is(f, "valid", "absent");
}

static void
policy_with_a_mistake_changes_nothing(void **state)
{
	struct fixture *f = *state;

	post(f, 422, "policy bulk: \"type\" is missing", BULK,
	    "{\"create\":true,\"policy\":{\"to\":\"internal\"}}");
	post(f, 422, "letters", "/v1/policies/a%20b", WHOLE);
	post(f, 400, "\"policy\" is missing", BULK, "{\"create\":true}");
	post(f, 200, NULL, BULK, WHOLE);
	post(f, 422, "did you mean \"enabled\"", BULK,
	    "{\"policy\":{\"enable\":false}}");
	post(f, 422, "\"narrative\" is missing", BULK,
	    "{\"policy\":{\"narrative\":null}}");
	post(f, 422, "nowhere", BULK,
	    "{\"policy\":{\"from\":{\"group\":\"nowhere\"}}}");
	post(f, 422, "locked", BULK, "{\"policy\":{\"from\":\"external\","
	    "\"to\":\"external\"}}");
	value_is(f, "to", "\"internal\"");
	post(f, 200, NULL, BULK,
	    "{\"dry_run\":true,\"policy\":{\"to\":\"everyone\"}}");
	value_is(f, "to", "\"internal\"");
	post(f, 409, "revision", BULK,
	    "{\"if_revision\":99,\"policy\":{\"to\":\"everyone\"}}");
	value_is(f, "to", "\"internal\"");
}

static void
policy_of_a_file_is_not_changed_unasked(void **state)
{
	struct fixture *f = *state;
	json_t *o;

	post(f, 200, NULL, BULK, WHOLE);
	put_item(f, "policy" S "bulk", get_item(f, "policy" S "bulk")->value,
	    "file:default");
	post(f, 409, "held by file:default", BULK,
	    "{\"policy\":{\"enabled\":false}}");
	asked(f, 409, "held by file:default", "DELETE", BULK, NULL);
	value_is(f, "enabled", "true");
	post(f, 200, NULL, BULK, "{\"policy\":{\"enabled\":false},"
	    "\"take_over\":true}");
	value_is(f, "managers", "[\"cli\"]");
	o = ask(f, "POST", BULK, "{\"policy\":{\"enabled\":false}}");
	assert_true(json_is_false(json_object_get(o, "changed")));
	json_decref(o);
}

static void
hits_name_every_policy_and_what_it_refused(void **state)
{
	static const char *const want[][3] = { { "bulk", "1", "1" },
	    { "quiet", "0", "0" } };
	struct fixture *f = *state;
	struct event e = { .time_us = clock_wall_us(), .id = "58VERM50D4",
	    .verdict = VERDICT_REJECT, .reply_code = 550, .repeats = 1,
	    .policy = "bulk", .reason = REASON_BLOCKED_ENVELOPE };
	struct events batch = { .spool_id = "spoolid", .first_seq = 1 };
	struct bytes one[2];
	struct buf text[2];
	struct diag why;
	const json_t *list;
	uint64_t upto;
	json_t *o;
	size_t i;

	post(f, 200, NULL, BULK, WHOLE);
	post(f, 200, NULL, "/v1/policies/quiet", WHOLE);
	for (i = 0; i < 2; i++) {
		buf_init(&text[i], EVENT_MAX);
		event_encode(&e, &text[i]);
		one[i] = bytes_of(text[i].data, text[i].len);
		e.enforcement = ENFORCE_OBSERVE;
		e.reply_code = 0;
		memcpy(e.id, "M81R0TK3RX", sizeof("M81R0TK3RX"));
	}
	batch.n = 2;
	batch.event = one;
	assert_int_equal(messages_put(f->messages, "node-1", &batch,
	    clock_wall_us(), &upto, NULL, &why), 0);
	o = ask(f, "GET", "/v1/hits", NULL);
	assert_int_equal(f->status, 200);
	assert_true(json_is_true(json_object_get(o, "whole")));
	list = json_object_get(o, "hits");
	assert_int_equal(json_array_size(list), 2);
	for (i = 0; i < 2; i++) {
		const json_t *row = json_array_get(list, i);

		assert_string_equal(json_string_value(json_object_get(row,
		    "policy")), want[i][0]);
		assert_int_equal(json_integer_value(json_object_get(row,
		    "refused")), atoi(want[i][1]));
		assert_int_equal(json_integer_value(json_object_get(row,
		    "observed")), atoi(want[i][2]));
		buf_fini(&text[i]);
	}
	json_decref(o);
}

static void
policies_are_listed_all(void **state)
{
	struct fixture *f = *state;
	char path[64];
	json_t *o;
	int i;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/v1/policies/p%d", i);
		post(f, 200, NULL, path, WHOLE);
	}
	o = ask(f, "GET", "/v1/policies", NULL);
	assert_int_equal(json_array_size(json_object_get(o, "policies")), 3);
	assert_null(json_object_get(o, "next"));
	json_decref(o);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(policy_added_is_what_a_document_makes_it),
		T(policy_changed_keeps_what_was_not_said),
		T(policy_with_a_mistake_changes_nothing),
		T(policy_of_a_file_is_not_changed_unasked),
		T(hits_name_every_policy_and_what_it_refused),
		T(policies_are_listed_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
