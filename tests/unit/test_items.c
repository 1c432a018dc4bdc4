/*
 * test_items.c - the set of items against a plain sorted list, alone and over
 * another set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/items.h"

#define KEYS 3000

/* What must be there: a value by key number, 0 for none. */
struct model { int value[KEYS]; };

static void
key_of(int i, char key[32])
{
	snprintf(key, 32, "%s" ITEM_SEP_S "k%05d", i % 2 ? "entry" : "sender",
	    i);
}

static void
put(struct items *s, struct model *m, int i, int value)
{
	char key[32], text[32];

	key_of(i, key);
	snprintf(text, sizeof(text), "%d", value);
	m->value[i] = value;
	if (value == 0)
		items_del(s, key);
	else
		items_put(s, key, text, "cli");
}

/* Every key by get, and all in order by each of the walks. */
static void
check(const struct items *s, const struct model *m)
{
	struct items_cursor c;
	const struct item *it;
	char last[32] = "", key[32], text[32];
	size_t n = 0, seen = 0;
	int i;

	for (i = 0; i < KEYS; i++) {
		key_of(i, key);
		it = items_get(s, key);
		snprintf(text, sizeof(text), "%d", m->value[i]);
		n += m->value[i] != 0;
		assert_true((it != NULL) == (m->value[i] != 0));
		if (it != NULL)
			assert_string_equal(it->value, text);
	}
	assert_int_equal(items_n(s), n);
	for (it = items_first(&c, s, ""); it != NULL; it = items_next(&c)) {
		assert_true(strcmp(last, it->key) < 0);
		strcpy(last, it->key);
		assert_int_equal(m->value[atoi(strchr(it->key, 'k') + 1)],
		    atoi(it->value));
		seen++;
	}
	assert_int_equal(seen, n);
	for (it = items_first(&c, s, "sender"); it != NULL;
	    it = items_next(&c)) {
		assert_memory_equal(it->key, "sender", 6);
		seen--;
	}
	for (it = items_first(&c, s, "entry"); it != NULL;
	    it = items_next(&c))
		seen--;
	assert_int_equal(seen, 0);
}

static void
shuffle(struct items *s, struct model *m, unsigned seed, int steps)
{
	srand(seed);
	while (steps-- > 0)
		put(s, m, rand() % KEYS, rand() % 3 == 0 ? 0 :
		    rand() % 100000 + 1);
}

static void
items_put_and_deleted_in_any_order_are_found_in_order(void **state)
{
	struct model m = { { 0 } };
	struct items s;
	int i;

	(void)state;
	items_init(&s);
	check(&s, &m);
	for (i = 0; i < KEYS; i++)
		put(&s, &m, i, i + 1);
	check(&s, &m);
	shuffle(&s, &m, 1, 20000);
	check(&s, &m);
	for (i = KEYS - 1; i >= 0; i--)
		put(&s, &m, i, 0);
	check(&s, &m);
	for (i = KEYS - 1; i >= 0; i--)
		put(&s, &m, i, i + 7);
	check(&s, &m);
	items_fini(&s);
}

static void
items_over_another_set_show_both_and_leave_it_alone(void **state)
{
	struct model below = { { 0 } }, above;
	struct items base, s;
	unsigned round;

	(void)state;
	items_init(&base);
	for (round = 0; round < 4; round++) {
		shuffle(&base, &below, round + 10, 4000);
		items_over(&s, &base);
		above = below;
		check(&s, &above);
		shuffle(&s, &above, round + 20, (int)round * 3000);
		check(&s, &above);
		check(&base, &below);
		items_fini(&s);
	}
	items_fini(&base);
}

static void
items_over_an_empty_set_or_with_all_deleted(void **state)
{
	struct model m = { { 0 } }, none = { { 0 } };
	struct items base, s;
	int i;

	(void)state;
	items_init(&base);
	items_over(&s, &base);
	shuffle(&s, &m, 5, 2000);
	check(&s, &m);
	items_fini(&s);
	for (i = 0; i < KEYS; i++)
		put(&base, &m, i, 1);
	items_over(&s, &base);
	for (i = 0; i < KEYS; i++)
		put(&s, &none, i, 0);
	check(&s, &none);
	check(&base, &m);
	items_fini(&s);
	items_fini(&base);
}

static void
walk_from_a_key_begins_there_and_ends_with_the_prefix(void **state)
{
	struct items_cursor c;
	const struct item *it;
	struct items s;

	(void)state;
	items_init(&s);
	items_put(&s, "a" ITEM_SEP_S "1", "{}", "cli");
	items_put(&s, "a" ITEM_SEP_S "3", "{}", "cli");
	items_put(&s, "b" ITEM_SEP_S "1", "{}", "cli");
	it = items_from(&c, &s, "a" ITEM_SEP_S, "a" ITEM_SEP_S "2");
	assert_string_equal(it->key, "a" ITEM_SEP_S "3");
	assert_null(items_next(&c));
	assert_null(items_from(&c, &s, "a" ITEM_SEP_S, "a" ITEM_SEP_S "4"));
	assert_null(items_first(&c, &s, "c"));
	items_fini(&s);
}

static void
items_hold_equal_managers_and_common_values_once(void **state)
{
	const struct item *a, *b;
	struct items s;

	(void)state;
	items_init(&s);
	items_put(&s, "x", "{}", "cli,file:default");
	items_put(&s, "y", "{}", "cli,file:default");
	item_set_place(items_put(&s, "z", "{}", "cli"), "f", 3, 4);
	a = items_get(&s, "x");
	b = items_get(&s, "y");
	assert_ptr_equal(a->managers, b->managers);
	assert_ptr_equal(a->value, b->value);
	assert_null(a->place);
	assert_int_equal(items_get(&s, "z")->place->line, 3);
	items_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    items_put_and_deleted_in_any_order_are_found_in_order),
		cmocka_unit_test(
		    items_over_another_set_show_both_and_leave_it_alone),
		cmocka_unit_test(items_over_an_empty_set_or_with_all_deleted),
		cmocka_unit_test(
		    walk_from_a_key_begins_there_and_ends_with_the_prefix),
		cmocka_unit_test(
		    items_hold_equal_managers_and_common_values_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
