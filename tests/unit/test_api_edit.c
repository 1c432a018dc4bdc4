/*
 * test_api_edit.c - groups and users' lists edited over the API: who holds
 * what, what an import refuses, going back.
 */
#include "controller/keeper.h"
#include "proto/base/clock.h"
#include "tests/unit/api_fixture.h"

#define S ITEM_SEP_S
#define EDIT "/v1/groups/g/entries"

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
entry_held_by_a_file_is_not_removed_unasked(void **state)
{
	struct fixture *f = *state;

	put_item(f, "group" S "g", "{}", "file:default");
	put_item(f, "entry" S "x.example" S "g", "{}", "file:default");
	post(f, 409, "held by file:default", EDIT,
	    "{\"remove\":[\"x.example\"]}");
	/* held by both, the file's hold still stands in the way */
	post(f, 200, NULL, EDIT, "{\"add\":[\"x.example\"]}");
	assert_string_equal(get_item(f, "entry" S "x.example" S "g")->managers,
	    "cli,file:default");
	post(f, 409, "held by cli,file:default", EDIT,
	    "{\"remove\":[\"x.example\"]}");
	post(f, 200, NULL, EDIT,
	    "{\"remove\":[\"x.example\"],\"take_over\":true}");
	assert_null(get_item(f, "entry" S "x.example" S "g"));
	asked(f, 409, "held by file:default", "DELETE", "/v1/groups/g", NULL);
}

static void
entry_of_ones_own_comes_and_goes(void **state)
{
	struct fixture *f = *state;
	json_t *o;

	post(f, 404, "--create", EDIT, "{\"add\":[\"x.example\"]}");
	o = ask(f, "POST", EDIT, "{\"add\":[\"X.example\",\"x.example\"],"
	    "\"create\":true,\"comment\":\"why\"}");
	assert_int_equal(number(o, "added"), 1);
	json_decref(o);
	assert_string_equal(get_item(f, "entry" S "x.example" S "g")->value,
	    "{\"comment\":\"why\"}");
	o = ask(f, "POST", EDIT, "{\"add\":[\"x.example\"]}");
	assert_int_equal(number(o, "unchanged"), 1);
	json_decref(o);
	post(f, 422, "nothing was changed", EDIT,
	    "{\"add\":[\"y.example\",\"@z.example\"]}");
	assert_null(get_item(f, "entry" S "y.example" S "g"));
	post(f, 200, NULL, EDIT,
	    "{\"remove\":[\"x.example\"],\"dry_run\":true}");
	assert_non_null(get_item(f, "entry" S "x.example" S "g"));
	post(f, 409, "revision 1", EDIT,
	    "{\"remove\":[\"x.example\"],\"if_revision\":7}");
	post(f, 200, NULL, EDIT, "{\"remove\":[\"x.example\"]}");
	assert_null(get_item(f, "entry" S "x.example" S "g"));
	asked(f, 200, NULL, "DELETE", "/v1/groups/g", NULL);
	assert_null(get_item(f, "group" S "g"));
}

static void
entry_whose_time_is_over_is_taken_out(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_wall_us(), hour = (int64_t)3600 * 1000000;
	char *from = NULL;
	struct diag why;
	size_t ended;
	json_t *o;

	post(f, 400, "30d", EDIT,
	    "{\"add\":[\"x.example\"],\"create\":true,\"for\":\"soon\"}");
	post(f, 400, "to come", EDIT, "{\"add\":[\"x.example\"],"
	    "\"create\":true,\"until\":\"2020-01-01\"}");
	post(f, 200, NULL, EDIT,
	    "{\"add\":[\"x.example\"],\"create\":true,\"for\":\"1h\"}");
	post(f, 200, NULL, EDIT, "{\"add\":[\"y.example\"]}");
	assert_int_equal(keeper_expire_entries(f->store, now, &from, &ended,
	    &why), 0);
	assert_int_equal(ended, 0);
	assert_null(from);
	assert_int_equal(keeper_expire_entries(f->store, now + 2 * hour,
	    &from, &ended, &why), 0);
	assert_int_equal(ended, 1);
	assert_null(get_item(f, "entry" S "x.example" S "g"));
	assert_non_null(get_item(f, "entry" S "y.example" S "g"));
	assert_false(records_has(store_records(f->store), "Ex.example", 10));
	o = ask(f, "GET", "/v1/revisions/3", NULL);
	assert_string_equal(json_string_value(json_object_get(o, "actor")),
	    "expiry");
	json_decref(o);
}

static void
entry_that_a_file_holds_gets_no_end(void **state)
{
	struct fixture *f = *state;

	put_item(f, "group" S "g", "{}", "file:default");
	put_item(f, "entry" S "x.example" S "g", "{}", "file:default");
	post(f, 200, NULL, EDIT, "{\"add\":[\"x.example\"],\"for\":\"1h\"}");
	assert_string_equal(get_item(f, "entry" S "x.example" S "g")->value,
	    "{}");
}

static void
import_refuses_what_nobody_means(void **state)
{
	struct fixture *f = *state;

	put_item(f, "domain" S "acme.example", "{}", "file:default");
	put_item(f, "domain" S "*.acme.example", "{}", "file:default");
	post(f, 409, "empty", EDIT,
	    "{\"add\":[],\"import\":true,\"create\":true}");
	post(f, 409, "acme.example, which is internal", EDIT,
	    "{\"add\":[\"a@acme.example\"],\"import\":true,"
	    "\"create\":true}");
	post(f, 409, "sub.acme.example, which is internal", EDIT,
	    "{\"add\":[\"sub.acme.example\"],\"import\":true,"
	    "\"create\":true}");
	post(f, 409, "free-mail domain gmail.com", EDIT,
	    "{\"add\":[\"gmail.com\"],\"import\":true,\"create\":true}");
	post(f, 200, NULL, EDIT, "{\"add\":[\"a.example\",\"b.example\","
	    "\"c.example\",\"d.example\",\"gmail.com\",\"x@gmail.com\"],"
	    "\"accept\":[\"free-mail\"],\"import\":true,\"create\":true}");
	post(f, 409, "lacks 2 of the 6", EDIT, "{\"add\":[\"a.example\","
	    "\"b.example\",\"c.example\",\"d.example\"],\"import\":true,"
	    "\"replace\":true}");
	post(f, 200, NULL, EDIT, "{\"add\":[\"a.example\",\"b.example\","
	    "\"c.example\",\"d.example\",\"e.example\",\"x@gmail.com\"],"
	    "\"import\":true,\"replace\":true}");
	assert_null(get_item(f, "entry" S "gmail.com" S "g"));
	assert_non_null(get_item(f, "entry" S "e.example" S "g"));
	post(f, 200, NULL, EDIT, "{\"add\":[],\"accept\":[\"shrink\","
	    "\"empty\"],\"import\":true,\"replace\":true}");
	assert_null(get_item(f, "entry" S "a.example" S "g"));
}

static void
rollback_is_a_new_version_with_the_old_content(void **state)
{
	struct fixture *f = *state;
	struct head before, after;
	json_t *o;

	post(f, 200, NULL, EDIT, "{\"add\":[\"a.example\"],\"create\":true}");
	store_head(f->store, &before, NULL);
	post(f, 200, NULL, EDIT, "{\"add\":[\"b.example\"]}");
	post(f, 200, NULL, EDIT,
	    "{\"remove\":[\"a.example\"],\"add\":[\"c.example\"]}");
	put_item(f, "sender" S "al@acme.example" S "x.example",
	    "{\"manual\":\"block\"}", "user");
	post(f, 404, "no revision", "/v1/revisions/9/rollback", "{}");
	o = ask(f, "POST", "/v1/revisions/1/rollback", "{\"dry_run\":true}");
	assert_int_equal(json_array_size(json_object_get(o, "changes")), 3);
	json_decref(o);
	assert_int_equal(store_version(f->store), 4);
	post(f, 200, NULL, "/v1/revisions/1/rollback", "{}");
	assert_int_equal(store_version(f->store), 5);
	assert_non_null(get_item(f, "entry" S "a.example" S "g"));
	assert_null(get_item(f, "entry" S "b.example" S "g"));
	assert_null(get_item(f, "entry" S "c.example" S "g"));
	/* a user's own entry stays; without it the content is the same */
	put_item(f, "sender" S "al@acme.example" S "x.example", NULL, NULL);
	store_head(f->store, &after, NULL);
	assert_memory_equal(before.digest, after.digest, DIGEST_LEN);
}

static void
sender_that_may_not_be_listed_is_skipped_and_named(void **state)
{
	struct fixture *f = *state;
	json_t *o, *v;
	size_t i;

	put_item(f, "domain" S "acme.example", "{}", "file:default");
	put_item(f, "group" S "unblockable", "{}", "cli");
	put_item(f, "entry" S "boss@bank.example" S "unblockable", "{}",
	    "cli");
	o = ask(f, "POST", "/v1/senders", "{\"user\":\"al@acme.example\","
	    "\"action\":\"block\",\"entries\":[\"ok@x.example\","
	    "\"x@acme.example\",\"gmail.com\",\"co.uk\",\"*.x.example\","
	    "\"bank.example\",\"boss@bank.example\",\"\",\"<>\","
	    "\"b-al=acme.example@list.example\",\"SRS0=a=b@c.example\","
	    "\"someone@gmail.com\"]}");
	assert_int_equal(number(o, "changed"), 2);
	assert_int_equal(json_array_size(json_object_get(o, "skipped")), 10);
	json_array_foreach(json_object_get(o, "skipped"), i, v)
		assert_true(json_is_string(json_object_get(v, "reason")));
	json_decref(o);
	assert_non_null(get_item(f,
	    "sender" S "al@acme.example" S "ok@x.example"));
	assert_non_null(get_item(f,
	    "sender" S "al@acme.example" S "someone@gmail.com"));
}

static void
batch_is_undone_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	json_t *o;

	put_item(f, "sender" S "al@a.example" S "x.example",
	    "{\"manual\":\"permit\"}", "user");
	o = ask(f, "POST", "/v1/senders", "{\"rows\":[{\"user\":"
	    "\"al@a.example\",\"action\":\"block\",\"entry\":\"x.example\"},"
	    "{\"user\":\"bo@a.example\",\"action\":\"block\",\"entry\":"
	    "\"y.example\"}]}");
	assert_int_equal(number(o, "batch"), 2);
	json_decref(o);
	post(f, 409, "is no batch", "/v1/senders/undo", "{\"batch\":1}");
	post(f, 200, NULL, "/v1/senders/undo", "{\"batch\":2}");
	assert_string_equal(get_item(f, "sender" S "al@a.example" S
	    "x.example")->value, "{\"manual\":\"permit\"}");
	assert_string_equal(get_item(f, "sender" S "al@a.example" S
	    "x.example")->managers, "user");
	assert_null(get_item(f, "sender" S "bo@a.example" S "y.example"));
	post(f, 409, "changed after batch", "/v1/senders/undo",
	    "{\"batch\":2}");
}

static void
where_names_what_covers_an_entry(void **state)
{
	struct fixture *f = *state;
	json_t *o, *where;

	put_item(f, "group" S "g", "{}", "cli");
	put_item(f, "group" S "all", "{}", "cli");
	put_item(f, "nest" S "g" S "all", "{}", "cli");
	put_item(f, "entry" S "*.bulk.example" S "g", "{}", "cli");
	o = ask(f, "GET", "/v1/entries/a@mx.bulk.example", NULL);
	where = json_object_get(o, "where");
	assert_int_equal(json_array_size(where), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(
	    where, 0), "entry")), "*.bulk.example");
	assert_int_equal(json_array_size(json_object_get(json_array_get(where,
	    0), "in")), 1);
	json_decref(o);
	o = ask(f, "GET", "/v1/entries/bulk.example", NULL);
	assert_int_equal(json_array_size(json_object_get(o, "where")), 0);
	json_decref(o);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(entry_held_by_a_file_is_not_removed_unasked),
		T(entry_of_ones_own_comes_and_goes),
		T(entry_whose_time_is_over_is_taken_out),
		T(entry_that_a_file_holds_gets_no_end),
		T(import_refuses_what_nobody_means),
		T(rollback_is_a_new_version_with_the_old_content),
		T(sender_that_may_not_be_listed_is_skipped_and_named),
		T(batch_is_undone_whole_or_not_at_all),
		T(where_names_what_covers_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
