/*
 * test_api_audit.c - what the HTTP API leaves in the audit log, and how it is
 * read back.
 */
#include "tests/unit/api_fixture.h"

#include "controller/keeper.h"
#include "proto/base/clock.h"
#include "proto/wire/keys.h"

/* The newest entries, to be decref'd. */
static json_t *
entries(struct fixture *f)
{
	json_t *o = ask(f, "GET", "/v1/audit", NULL);
	json_t *list = json_incref(json_object_get(o, "entries"));

	assert_int_equal(f->status, 200);
	json_decref(o);
	return list;
}

/* How many entries have this text under a key. */
static size_t
count(struct fixture *f, const char *key, const char *want)
{
	json_t *list = entries(f), *o;
	size_t i, n = 0;

	json_array_foreach(list, i, o) {
		const char *s = json_string_value(json_object_get(o, key));

		n += s != NULL && strcmp(s, want) == 0;
	}
	json_decref(list);
	return n;
}

/* The newest entry's text under a key. */
static void
newest(struct fixture *f, const char *key, const char *want)
{
	json_t *list = entries(f), *o = json_array_get(list, 0);

	assert_string_equal(json_string_value(json_object_get(o, key)), want);
	json_decref(list);
}

static uint64_t
end(struct fixture *f)
{
	struct audit_mark m;

	store_audit_mark(f->store, &m);
	return m.seq;
}

static void
route_that_changes_names_its_action(void **state)
{
	static const char *const harmless[] = { "/v1/explain" };
	const struct api_route *r;

	(void)state;
	for (r = api_routes(); r->method != NULL; r++) {
		bool reads = strcmp(r->method, "GET") == 0 ||
		    strcmp(r->path, harmless[0]) == 0;

		if (reads != (r->audit == NULL))
			fail_msg("%s %s", r->method, r->path);
	}
}

static void
change_of_each_kind_names_itself_and_its_object(void **state)
{
	static const struct { const char *method, *path, *body, *action,
	    *object; } rows[] = {
		{ "POST", "/v1/groups/G/entries", "{\"create\":true,"
		    "\"add\":[\"a.example\"]}", "group.add", "G" },
		{ "POST", "/v1/groups/G/entries", "{\"remove\":"
		    "[\"a.example\"]}", "group.rm", "G" },
		{ "POST", "/v1/groups/G/entries", "{\"import\":true,\"add\":"
		    "[\"b.example\"]}", "group.import", "G" },
		{ "DELETE", "/v1/groups/G", NULL, "group.delete", "G" },
		{ "POST", "/v1/senders", "{\"user\":\"al@acme.example\","
		    "\"action\":\"block\",\"entries\":[\"x.example\"]}",
		    "sender.block", "al@acme.example" },
		{ "POST", "/v1/senders", "{\"user\":\"al@acme.example\","
		    "\"action\":\"permit\",\"entries\":[\"y.example\"]}",
		    "sender.permit", "al@acme.example" },
		{ "POST", "/v1/senders", "{\"user\":\"al@acme.example\","
		    "\"action\":\"remove\",\"entries\":[\"y.example\"]}",
		    "sender.rm", "al@acme.example" },
		{ "POST", "/v1/senders/undo", "{\"batch\":7}", "sender.undo",
		    "batch 7" },
		{ "POST", "/v1/revisions/3/rollback", "{}",
		    "revision.rollback", "3" },
		{ "POST", "/v1/directory", "{\"csv\":\"address\\n"
		    "al@acme.example\\n\"}", "directory.import", NULL },
		{ "POST", "/v1/directory", "{\"remove\":"
		    "[\"al@acme.example\"],\"accept_directory_loss\":100}",
		    "directory.rm", NULL },
		{ "POST", "/v1/init", "{\"message\":\"ticket 4711\"}",
		    "policy.init", NULL },
		{ "POST", "/v1/policies/p1", "{\"create\":true,\"policy\":"
		    "{\"type\":\"blocked_senders\",\"narrative\":\"n\","
		    "\"action\":\"block_sender\",\"from\":{\"group\":"
		    "\"Blocked Senders\"},\"to\":\"everyone\"}}",
		    "policy.add", "p1" },
		{ "POST", "/v1/policies/p1", "{\"policy\":{\"comment\":"
		    "\"c\"}}", "policy.set", "p1" },
		{ "DELETE", "/v1/policies/p1", NULL, "policy.rm", "p1" },
	};
	struct fixture *f = *state;
	uint64_t seq = end(f);
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o = ask(f, rows[i].method, rows[i].path,
		    rows[i].body);
		char *text = json_dumps(o, 0);

		if (f->status != 200 || end(f) != ++seq)
			fail_msg("%s: %s", rows[i].action, text);
		free(text);
		json_decref(o);
		newest(f, "action", rows[i].action);
		newest(f, "actor", "admin");
		newest(f, "role", "token");
		newest(f, "peer", "127.0.0.1");
		newest(f, "result", "ok");
		if (rows[i].object != NULL)
			newest(f, "object", rows[i].object);
	}
	assert_int_equal(count(f, "reason", "ticket 4711"), 1);
	assert_int_equal(count(f, "action", "token.create"), 1);
	assert_int_equal(store_audit_prove(f->store, NULL), 0);
}

static void
what_changes_nothing_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t seq;

	post(f, 200, NULL, "/v1/init", "{}");
	seq = end(f);
	post(f, 200, NULL, "/v1/groups/Other/entries",
	    "{\"dry_run\":true,\"create\":true,\"add\":[\"a.example\"]}");
	post(f, 200, NULL, "/v1/senders", "{\"user\":\"al@acme.example\","
	    "\"action\":\"remove\",\"entries\":[\"z.example\"]}");
	asked(f, 200, NULL, "GET", "/v1/groups", NULL);
	post(f, 400, NULL, "/v1/apply", "{}");
	post(f, 404, NULL, "/v1/senders/undo", "{\"batch\":99}");
	post(f, 409, NULL, "/v1/senders", "{\"user\":\"al@acme.example\","
	    "\"action\":\"block\",\"entries\":[\"z.example\"],"
	    "\"if_revision\":99,\"dry_run\":false}");
	assert_int_equal(end(f), seq + 1);	/* the conflict */
}

static void
change_that_is_refused_says_why_and_is_bounded(void **state)
{
	static const char body[] = "{\"user\":\"al@acme.example\",\"action\":"
	    "\"block\",\"entries\":[\"z.example\"],\"if_revision\":99}";
	struct fixture *f = *state;
	int i;

	post(f, 409, NULL, "/v1/senders", body);
	newest(f, "action", "sender.block");
	newest(f, "object", "al@acme.example");
	newest(f, "result", "conflict");
	for (i = 0; i < 100; i++)
		post(f, 409, NULL, "/v1/senders", body);
	assert_in_range(count(f, "result", "conflict"), AUDIT_BURST,
	    AUDIT_BURST + 2);
	/* what succeeds has its entry whatever was refused */
	post(f, 200, NULL, "/v1/init", "{}");
	newest(f, "action", "policy.init");
}

static void
wrong_tokens_are_noted_and_cannot_fill_the_log(void **state)
{
	struct fixture *f = *state;
	char right[128];
	int i;

	strcpy(right, f->authorization);
	strcpy(f->authorization, "Bearer postern-guess");
	post(f, 401, NULL, "/v1/apply", "{}");
	for (i = 0; i < 1000; i++)
		json_decref(ask(f, "GET", "/v1/status", NULL));
	assert_int_equal(f->status, 429);
	strcpy(f->authorization, right);
	assert_int_equal(count(f, "result", "denied"), 2);
	newest(f, "action", "auth");
	newest(f, "role", "unknown");
	newest(f, "peer", "127.0.0.1");
	newest(f, "object", "/v1/status");
}

static void
log_has_no_token_in_it(void **state)
{
	struct fixture *f = *state;
	json_t *o = ask(f, "GET", "/v1/audit/chain", NULL);
	char *text = json_dumps(o, 0);

	assert_non_null(strstr(text, "token.create"));
	assert_null(strstr(text, "postern-"));
	free(text);
	json_decref(o);
}

static void
chain_can_be_followed_from_what_is_answered(void **state)
{
	struct fixture *f = *state;
	struct audit_mark at = { .seq = 0 };
	json_t *o, *e, *last;
	size_t i;

	post(f, 200, NULL, "/v1/init", "{}");
	o = ask(f, "GET", "/v1/audit/chain", NULL);
	json_array_foreach(json_object_get(o, "entries"), i, e) {
		const char *line = json_string_value(json_object_get(e,
		    "line"));
		uint8_t hash[AUDIT_HASH_LEN];
		struct diag why;

		assert_int_equal(hex_parse(json_string_value(json_object_get(
		    e, "hash")), hash, sizeof(hash)), 0);
		assert_int_equal(audit_follow(&at, bytes_of(line,
		    strlen(line)), hash, &why), 0);
	}
	last = api_audit_mark(&at);
	assert_true(json_equal(last, json_object_get(o, "end")));
	assert_int_equal(at.seq, end(f));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(o,
	    "base"), "sequence")), 0);
	json_decref(last);
	json_decref(o);
}

static void
old_entries_are_cut_by_age(void **state)
{
	const int64_t day_us = (int64_t)86400 * 1000000;
	struct fixture *f = *state;
	int64_t now = clock_wall_us();

	post(f, 200, NULL, "/v1/init", "{}");
	assert_false(keeper_cut_audit(f->store, 30, now + 29 * day_us));
	assert_int_equal(count(f, "action", "policy.init"), 1);
	assert_false(keeper_cut_audit(f->store, 30, now + 31 * day_us));
	assert_int_equal(count(f, "action", "policy.init"), 0);
	newest(f, "action", "audit.cut");
	newest(f, "object", "up to entry 2");
	assert_int_equal(store_audit_prove(f->store, NULL), 0);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(route_that_changes_names_its_action),
		TEST(change_of_each_kind_names_itself_and_its_object),
		TEST(what_changes_nothing_leaves_nothing),
		TEST(change_that_is_refused_says_why_and_is_bounded),
		TEST(wrong_tokens_are_noted_and_cannot_fill_the_log),
		TEST(log_has_no_token_in_it),
		TEST(chain_can_be_followed_from_what_is_answered),
		TEST(old_entries_are_cut_by_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
