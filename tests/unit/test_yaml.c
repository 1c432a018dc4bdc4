/*
 * test_yaml.c - the strict subset: what is read, what is refused and where.
 */
#include "proto/base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static int
parse(struct yaml **out, const char *text, struct diag *why)
{
	return yaml_tree_parse(out, "f.yaml", text, strlen(text), 1 << 20, why);
}

static struct yaml *
good(const char *text)
{
	struct yaml *y = NULL;
	struct diag why = { "" };

	if (parse(&y, text, &why) < 0)
		fail_msg("%s", why.text);
	return y;
}

static void
document_becomes_a_tree_with_places(void **state)
{
	struct yaml *y = good("name: front\n"
	    "list:\n"
	    "  - a\n"
	    "  - \"b\"\n"
	    "map: { k: [1, 2] }\n");
	const struct yaml *l = yaml_get(y, "list"), *k;

	(void)state;
	assert_int_equal(y->type, YAML_MAP);
	assert_int_equal(y->n, 3);
	assert_string_equal(y->keys[1]->text, "list");
	assert_int_equal(y->keys[1]->line, 2);
	assert_int_equal(y->keys[1]->column, 1);
	assert_string_equal(yaml_get(y, "name")->text, "front");
	assert_int_equal(yaml_get(y, "name")->column, 7);
	assert_int_equal(l->type, YAML_LIST);
	assert_int_equal(l->n, 2);
	assert_false(l->items[0]->quoted);
	assert_true(l->items[1]->quoted);
	assert_string_equal(l->items[1]->text, "b");
	assert_int_equal(l->items[1]->line, 4);
	assert_int_equal(l->items[1]->column, 5);
	k = yaml_get(yaml_get(y, "map"), "k");
	assert_string_equal(k->items[1]->text, "2");
	assert_null(yaml_get(y, "none"));
	assert_null(yaml_get(l, "name"));
	assert_null(yaml_get(NULL, "name"));
	yaml_tree_free(&y);
	assert_null(y);
	yaml_tree_free(&y);
}

static void
nothing_is_a_null_node(void **state)
{
	static const char *const cases[] = { "", "\n", "# only a comment\n",
	    "---\n", "~", "null", "\xef\xbb\xbf" };
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct yaml *y = good(cases[i]);

		assert_int_equal(y->type, YAML_NULL);
		assert_null(y->text);
		yaml_tree_free(&y);
	}
}

static void
scalar_keeps_its_text(void **state)
{
	static const struct { const char *in, *want; } cases[] = {
		{ "v: NO", "NO" }, { "v: 010", "010" }, { "v: 1e3", "1e3" },
		{ "v: 'it''s'", "it's" }, { "v: \"\\u00fc\"", "\xc3\xbc" },
		{ "v: 'null'", "null" }, { "v: ''", "" },
		{ "v: |\n  a\n  b\n", "a\nb\n" },
		{ "v: >\n  a\n  b\n", "a b\n" },
		{ "v: a b # c", "a b" }, { "v: a#b", "a#b" },
		{ "v: 2001:db8::/32", "2001:db8::/32" },
		{ "v: u@x.example", "u@x.example" },
		{ "v: '*.x.example'", "*.x.example" },
		{ "\xef\xbb\xbfv: bom", "bom" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct yaml *y = good(cases[i].in);

		assert_int_equal(yaml_get(y, "v")->type, YAML_SCALAR);
		assert_string_equal(yaml_get(y, "v")->text, cases[i].want);
		yaml_tree_free(&y);
	}
}

static void
what_is_not_in_the_subset_is_refused_with_its_place(void **state)
{
	static const struct { const char *in, *place, *says; } cases[] = {
		{ "a: &x 1\n", "f.yaml:1:4: ", "anchors" },
		{ "a: &x [1]\n", "f.yaml:1:4: ", "anchors" },
		{ "a: &x {b: 1}\n", "f.yaml:1:4: ", "anchors" },
		{ "a: 1\nb: *a\n", "f.yaml:2:4: ", "aliases" },
		{ "a: !!str 1\n", "f.yaml:1:4: ", "tags" },
		{ "a: !x [1]\n", "f.yaml:1:4: ", "tags" },
		{ "<<: {a: 1}\n", "f.yaml:1:1: ", "merge" },
		{ "a: 1\nb: 2\na: 3\n", "f.yaml:3:1: ", "\"a\" stands twice" },
		{ "m:\n  k: 1\n  'k': 2\n", "f.yaml:3:3: ", "line 2" },
		{ "---\na: 1\n---\nb: 1\n", "f.yaml:3:1: ", "one document" },
		{ "? [a]\n: 1\n", "f.yaml:1:3: ", "a key must be" },
		{ "{a: 1}: 1\n", "f.yaml:1:1: ", "a key must be" },
		{ "~: 1\n", "f.yaml:1:1: ", "empty" },
		{ "a: \"x\\0y\"\n", "f.yaml:1:4: ", "NUL" },
		{ "a: [1, 2\n", "f.yaml:", "" },
		{ "a: 1\n b: 2\n", "f.yaml:2:", "" },
		{ "a:\n\t- 1\n", "f.yaml:2:", "" },
		{ "a: \xff\n", "f.yaml:1:4: ", "UTF-8" },
		{ "\xef\xbb\xbf" "a: 1\n\xc3\xa4: \xff\n", "f.yaml:2:4: ",
		    "UTF-8" },
		{ "\xff\xfe" "a", "f.yaml:1:1: ", "UTF-8" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct yaml *y = NULL;
		struct diag why = { "" };

		assert_int_equal(parse(&y, cases[i].in, &why), ERR_INVAL);
		assert_null(y);
		if (strncmp(why.text, cases[i].place,
		    strlen(cases[i].place)) != 0 ||
		    strstr(why.text, cases[i].says) == NULL)
			fail_msg("%s\n gave: %s", cases[i].in, why.text);
		assert_int_equal(parse(&y, cases[i].in, NULL), ERR_INVAL);
	}
}

static void
star_or_at_without_quotes_is_answered_with_what_to_write(void **state)
{
	static const struct { const char *in, *says; } cases[] = {
		{ "a: *.x.example\n", "put it in quotes" },
		{ "a:\n  - ok\n  - *.x.example\n", "put it in quotes" },
		{ "a: [ok, *.x]\n", "put it in quotes" },
		{ "*.x: 1\n", "put it in quotes" },
		{ "a: *x\n", "put it in quotes" },
		{ "a: *\n", "put it in quotes" },
		{ "a: @x.example\n", "write the domain without @" },
		{ "a:\n  - @x.example\n", "write the domain without @" },
		{ "a: [ok, @x.example]\n", "write the domain without @" },
		{ "@x.example: 1\n", "write the domain without @" },
		/* libyaml counts characters, not bytes, and no mark */
		{ "# \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\na: *.x\n",
		    "put it in quotes" },
		{ "n: \xe2\x82\xac\xe2\x82\xac\na: @x\n",
		    "write the domain without @" },
		{ "\xef\xbb\xbf" "a: @x\n", "write the domain without @" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct yaml *y = NULL;
		struct diag why = { "" };

		assert_int_equal(parse(&y, cases[i].in, &why), ERR_INVAL);
		if (strstr(why.text, cases[i].says) == NULL)
			fail_msg("%s\n gave: %s", cases[i].in, why.text);
	}
}

static void
limits_hold(void **state)
{
	struct yaml *y = NULL;
	struct diag why;
	struct buf b;
	int i;

	(void)state;
	assert_int_equal(yaml_tree_parse(&y, "f", "a: 1", 4, 3, &why),
	    ERR_TOOBIG);
	buf_init(&b, 0);
	for (i = 0; i < 32; i++)
		buf_putc(&b, '[');
	for (i = 0; i < 32; i++)
		buf_putc(&b, ']');
	assert_int_equal(yaml_tree_parse(&y, "f", b.data, b.len, 100, &why), 0);
	yaml_tree_free(&y);
	buf_reset(&b);
	for (i = 0; i < 33; i++)
		buf_putc(&b, '[');
	for (i = 0; i < 33; i++)
		buf_putc(&b, ']');
	assert_int_equal(yaml_tree_parse(&y, "f", b.data, b.len, 100, &why),
	    ERR_TOOBIG);
	assert_non_null(strstr(why.text, "f:1:33: nested too deeply"));
	assert_null(y);
	buf_fini(&b);
}

static void
many_nodes_are_refused_before_memory_is(void **state)
{
	const size_t n = 2100000;
	struct yaml *y = NULL;
	struct diag why;
	char *text = malloc(n * 2 + 2);
	size_t i;

	(void)state;
	text[0] = '[';
	for (i = 0; i < n; i++)
		memcpy(text + 1 + i * 2, "1,", 2);
	text[n * 2] = ']';
	assert_int_equal(yaml_tree_parse(&y, "f", text, n * 2 + 1, n * 4, &why),
	    ERR_TOOBIG);
	assert_non_null(strstr(why.text, "too many values"));
	free(text);
}

static void
map_of_many_keys_keeps_each_and_finds_the_twin(void **state)
{
	struct yaml *y = NULL;
	struct diag why = { "" };
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < 5000; i++)
		buf_printf(&b, "k%d: %d\n", i, i);
	assert_int_equal(parse(&y, b.data, &why), 0);
	assert_int_equal(y->n, 5000);
	assert_string_equal(yaml_get(y, "k4711")->text, "4711");
	yaml_tree_free(&y);
	buf_puts(&b, "k17: again\n");
	assert_int_equal(parse(&y, b.data, &why), ERR_INVAL);
	assert_string_equal(why.text,
	    "f.yaml:5001:1: key \"k17\" stands twice, first in line 18");
	buf_fini(&b);
}

static void
bool_is_only_true_and_false(void **state)
{
	static const struct { const char *in; int rc; bool want; } cases[] = {
		{ "true", 0, true }, { "false", 0, false },
		{ "yes", ERR_INVAL, false }, { "no", ERR_INVAL, false },
		{ "on", ERR_INVAL, false }, { "True", ERR_INVAL, false },
		{ "1", ERR_INVAL, false }, { "'true'", ERR_INVAL, false },
		{ "[true]", ERR_INVAL, false }, { "~", ERR_INVAL, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct yaml *y = good(cases[i].in);
		bool got = false;

		assert_int_equal(yaml_bool(y, &got), cases[i].rc);
		assert_int_equal(got, cases[i].want);
		yaml_tree_free(&y);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(document_becomes_a_tree_with_places),
		cmocka_unit_test(nothing_is_a_null_node),
		cmocka_unit_test(scalar_keeps_its_text),
		cmocka_unit_test(
		    what_is_not_in_the_subset_is_refused_with_its_place),
		cmocka_unit_test(
		    star_or_at_without_quotes_is_answered_with_what_to_write),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(many_nodes_are_refused_before_memory_is),
		cmocka_unit_test(
		    map_of_many_keys_keeps_each_and_finds_the_twin),
		cmocka_unit_test(bool_is_only_true_and_false),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
