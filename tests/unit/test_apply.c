/*
 * test_apply.c - who owns what, adoption, pruning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/apply.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

#define S ITEM_SEP_S
#define ENTRY "entry" S "x.example" S "g"

static const struct apply_options mine = { .manager = "file:default",
    .prune_limit = -1 };

static void
policy_held_by_another_is_a_conflict_until_taken_over(void **state)
{
	struct apply_options take = mine;
	struct items force, want;
	struct change c;
	struct diag why;

	(void)state;
	items_init(&force);
	items_init(&want);
	items_put(&force, "policy" S "p", "1", "console");
	items_put(&want, "policy" S "p", "2", "");
	assert_int_equal(apply_plan(&force, &want, &mine, &c, &why),
	    ERR_CONFLICT);
	assert_non_null(strstr(why.text, "policy p is held by console"));
	take.take_over = true;
	assert_int_equal(apply_plan(&force, &want, &take, &c, &why), 0);
	assert_int_equal(c.n, 1);
	apply_change(&force, &c);
	assert_string_equal(items_get(&force, "policy" S "p")->value, "2");
	assert_string_equal(items_get(&force, "policy" S "p")->managers,
	    "file:default");
	change_fini(&c);
	items_fini(&force);
	items_fini(&want);
}

static void
entry_of_two_managers_stays_until_the_last_lets_go(void **state)
{
	struct items force, want;
	struct change c;
	struct diag why;

	(void)state;
	items_init(&force);
	items_init(&want);
	items_put(&force, ENTRY, "{}", "cli");
	items_put(&want, ENTRY, "{}", "");
	assert_int_equal(apply_plan(&force, &want, &mine, &c, &why), 0);
	apply_change(&force, &c);
	assert_string_equal(items_get(&force, ENTRY)->managers,
	    "cli,file:default");
	change_fini(&c);
	/* applied again: nothing to do */
	assert_int_equal(apply_plan(&force, &want, &mine, &c, &why), 0);
	assert_int_equal(c.n, 0);
	change_fini(&c);
	/* no longer named: our hold goes, the entry stays */
	items_fini(&want);
	items_init(&want);
	assert_int_equal(apply_plan(&force, &want, &mine, &c, &why), 0);
	assert_int_equal(c.deletes, 0);
	apply_change(&force, &c);
	assert_string_equal(items_get(&force, ENTRY)->managers, "cli");
	change_fini(&c);
	items_fini(&force);
}

static void
items_of_others_and_of_users_are_never_deleted(void **state)
{
	struct items force, want;
	struct change c;
	struct diag why;

	(void)state;
	items_init(&force);
	items_init(&want);
	items_put(&force, "sender" S "al@a" S "x@b", "{}", "user");
	items_put(&force, "policy" S "p", "{}", "file:other");
	items_put(&force, "policy" S "q", "{}", "file:default");
	assert_int_equal(apply_plan(&force, &want, &mine, &c, &why), 0);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.c[0].key, "policy" S "q");
	assert_null(c.c[0].after);
	change_fini(&c);
	items_fini(&force);
}

static void
pruning_over_the_limit_asks_for_the_number(void **state)
{
	struct apply_options more = mine;
	struct items force, want;
	struct change c;
	struct diag why;
	int i;

	(void)state;
	items_init(&force);
	items_init(&want);
	for (i = 0; i < 11; i++) {
		char key[64];

		snprintf(key, sizeof(key), "policy" S "p%02d", i);
		items_put(&force, key, "{}", "file:default");
	}
	assert_int_equal(apply_plan(&force, &want, &mine, &c, &why),
	    ERR_TOOBIG);
	assert_non_null(strstr(why.text, "--prune-limit 11"));
	more.prune_limit = 11;
	assert_int_equal(apply_plan(&force, &want, &more, &c, &why), 0);
	assert_int_equal(c.deletes, 11);
	apply_change(&force, &c);
	assert_int_equal(force.n, 0);
	change_fini(&c);
	items_fini(&force);
}

static void
change_is_printed_for_people_and_programs(void **state)
{
	struct items force, want;
	struct change c;
	struct diag why;
	struct buf out;

	(void)state;
	items_init(&force);
	items_init(&want);
	items_put(&force, "policy" S "p", "1", "file:default");
	items_put(&force, "policy" S "q", "1", "file:default");
	items_put(&want, ENTRY, "{}", "");
	items_put(&want, "policy" S "p", "2", "");
	assert_int_equal(apply_plan(&force, &want, &mine, &c, &why), 0);
	buf_init(&out, 0);
	change_print(&c, &out);
	assert_string_equal(out.data, "+ entry x.example g {}\n"
	    "~ policy p 1 -> 2\n- policy q 1\n");
	buf_reset(&out);
	change_json(&c, &out);
	assert_non_null(strstr(out.data, "{\"op\":\"delete\",\"kind\":"
	    "\"policy\",\"name\":\"q\",\"of\":null,\"before\":1,"
	    "\"after\":null"));
	buf_fini(&out);
	change_fini(&c);
	items_fini(&force);
	items_fini(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    policy_held_by_another_is_a_conflict_until_taken_over),
		cmocka_unit_test(
		    entry_of_two_managers_stays_until_the_last_lets_go),
		cmocka_unit_test(
		    items_of_others_and_of_users_are_never_deleted),
		cmocka_unit_test(pruning_over_the_limit_asks_for_the_number),
		cmocka_unit_test(change_is_printed_for_people_and_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
