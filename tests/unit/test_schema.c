/*
 * test_schema.c - the JSON Schema of documents against the reader of
 * documents: the same keys, and every document of the tests fits.
 *
 * The validator here knows what the schema uses, and fails on a word of JSON
 * Schema that it does not know.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "controller/policy/texts.h"
#include "proto/base/buf.h"
#include "proto/base/file.h"
#include "proto/base/yaml.h"

static json_t *schema;

static bool fits(const json_t *s, const struct yaml *y);

static bool
is_type(const char *type, const struct yaml *y)
{
	bool flag;

	if (strcmp(type, "object") == 0)
		return y->type == YAML_MAP;
	if (strcmp(type, "array") == 0)
		return y->type == YAML_LIST;
	if (strcmp(type, "null") == 0)
		return y->type == YAML_NULL;
	if (strcmp(type, "boolean") == 0)
		return y->type == YAML_SCALAR && yaml_bool(y, &flag) == 0;
	assert_string_equal(type, "string");
	return y->type == YAML_SCALAR;
}

static bool
is_one_of(const json_t *list, const struct yaml *y)
{
	const json_t *v;
	bool flag;
	size_t i;

	json_array_foreach(list, i, v) {
		if (json_is_string(v) ? y->type == YAML_SCALAR &&
		    strcmp(y->text, json_string_value(v)) == 0 :
		    y->type == YAML_SCALAR && yaml_bool(y, &flag) == 0 &&
		    flag == json_is_true(v))
			return true;
	}
	return false;
}

/* All keys of a mapping: known, or of what all others must be. */
static bool
keys_fit(const json_t *s, const struct yaml *y)
{
	const json_t *others = json_object_get(s, "additionalProperties");
	size_t i;

	for (i = 0; i < y->n; i++) {
		const json_t *p = json_object_get(json_object_get(s,
		    "properties"), y->keys[i]->text);

		if (p == NULL && json_is_false(others))
			return false;
		if (!fits(p == NULL ? others : p, y->items[i]))
			return false;
	}
	return true;
}

static bool
map_fits(const json_t *s, const struct yaml *y)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(s, "required"), i, v) {
		if (yaml_get(y, json_string_value(v)) == NULL)
			return false;
	}
	if ((v = json_object_get(s, "maxProperties")) != NULL &&
	    (json_int_t)y->n > json_integer_value(v))
		return false;
	if ((v = json_object_get(s, "minProperties")) != NULL &&
	    (json_int_t)y->n < json_integer_value(v))
		return false;
	return keys_fit(s, y);
}

static bool
word_fits(const json_t *s, const char *word, const json_t *v,
    const struct yaml *y)
{
	static const char *const elsewhere[] = { "$schema", "$defs", "title",
	    "description", "default", "pattern", "maxLength", "properties",
	    "additionalProperties", "required", "minProperties",
	    "maxProperties" };
	size_t i, n = 0;

	if (strcmp(word, "$ref") == 0)
		return fits(json_object_get(json_object_get(schema, "$defs"),
		    json_string_value(v) + strlen("#/$defs/")), y);
	if (strcmp(word, "enum") == 0)
		return is_one_of(v, y);
	if (strcmp(word, "items") == 0) {
		for (i = 0; y->type == YAML_LIST && i < y->n; i++)
			if (!fits(v, y->items[i]))
				return false;
		return true;
	}
	if (strcmp(word, "oneOf") == 0) {
		for (i = 0; i < json_array_size(v); i++)
			n += fits(json_array_get(v, i), y);
		return n == 1;
	}
	if (strcmp(word, "type") == 0) {
		if (json_is_string(v))
			return is_type(json_string_value(v), y);
		for (i = 0; i < json_array_size(v); i++)
			n += is_type(json_string_value(json_array_get(v, i)),
			    y);
		return n > 0;
	}
	for (i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (strcmp(word, elsewhere[i]) == 0)
			return (void)s, true;
	fail_msg("the validator does not know \"%s\"", word);
	return false;
}

static bool
fits(const json_t *s, const struct yaml *y)
{
	const char *word;
	json_t *v;

	assert_non_null(s);
	json_object_foreach((json_t *)(uintptr_t)s, word, v) {
		if (!word_fits(s, word, v, y))
			return false;
	}
	return y->type != YAML_MAP || json_object_get(s, "type") == NULL ||
	    map_fits(s, y);
}

static struct yaml *
read_yaml(const char *path)
{
	struct yaml *y = NULL;
	struct diag why = { "" };
	struct buf text;

	buf_init(&text, 0);
	if (file_read(path, 1 << 24, &text, &why) < 0 || yaml_tree_parse(&y,
	    path, text.data, text.len, 1 << 24, &why) < 0)
		fail_msg("%s", why.text);
	buf_fini(&text);
	return y;
}

static void
schema_fits_every_document_of_the_tests(void **state)
{
	static const char *const files[] = { "cases", "envelope", "header",
	    "identities", "recipient", "stages", "winner" };
	struct yaml *y = read_yaml("deploy/examples/acme.yaml");
	char path[64];
	size_t i, k;

	(void)state;
	assert_true(fits(schema, y));
	yaml_tree_free(&y);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "tests/decide/%s.yaml",
		    files[i]);
		y = read_yaml(path);
		assert_int_equal(y->type, YAML_LIST);
		for (k = 0; k < y->n; k++) {
			if (!fits(schema, yaml_get(y->items[k], "policy")))
				fail_msg("%s:%d does not fit", path,
				    y->items[k]->line);
		}
		yaml_tree_free(&y);
	}
}

static void
schema_refuses_what_the_reader_refuses(void **state)
{
	static const char *const bad[] = {
		"polices: []", "groups: {g: {a: b}}", "groups: {g: [{x: y}]}",
		"policies: [{id: a}]", "policies: {}",
		"organization: {enforcement: hard}",
		"organization: {header_stage: maybe}",
		"policies: [{id: a, type: greylisting, narrative: n, "
		"action: apply, from: nobody, to: internal}]",
		"policies: [{id: a, type: greylisting, narrative: n, "
		"action: apply, from: {domain: a.example, group: g}, "
		"to: internal}]",
		"policies: [{id: a, type: greylisting, narrative: n, "
		"action: apply, from: everyone, to: free_mail}]",
		"managed_senders: {a@x.example: [{block: b.example, "
		"permit: c.example}]}",
		"directory: [{aliases: []}]",
	};
	struct diag why;
	struct yaml *y;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		y = NULL;
		assert_int_equal(yaml_tree_parse(&y, "bad", bad[i],
		    strlen(bad[i]), 4096, &why), 0);
		if (fits(schema, y))
			fail_msg("fits: %s", bad[i]);
		yaml_tree_free(&y);
	}
}

/* All names of properties and words of enums into names. */
static void
gather(const json_t *s, json_t *names)
{
	const char *key, *name;
	json_t *v, *p;
	size_t i;

	json_array_foreach(s, i, v)
		gather(v, names);
	json_object_foreach((json_t *)(uintptr_t)s, key, v) {
		if (strcmp(key, "properties") == 0)
			json_object_foreach(v, name, p)
				json_object_set_new(names, name, json_true());
		if (strcmp(key, "enum") == 0)
			json_array_foreach(v, i, p)
				if (json_is_string(p))
					json_object_set_new(names,
					    json_string_value(p),
					    json_false());
		gather(v, names);
	}
}

/* The words of every "known[] = { .. }" of a source file: all must be names
 * of the schema, and are put into seen. */
static void
known_words(const char *path, const json_t *names, json_t *seen)
{
	struct buf text;
	struct diag why;
	char *at, *end, *word;

	buf_init(&text, 0);
	assert_int_equal(file_read(path, 1 << 20, &text, &why), 0);
	for (at = text.data; (at = strstr(at, "known[] = {")) != NULL;
	    at = end) {
		end = strstr(at, "};");
		assert_non_null(end);
		*end++ = '\0';
		for (word = strtok(at, "\""); (word = strtok(NULL, "\"")) !=
		    NULL; strtok(NULL, "\"")) {
			if (json_object_get(names, word) == NULL)
				fail_msg("%s knows \"%s\", the schema does "
				    "not", path, word);
			json_object_set_new(seen, word, json_true());
		}
	}
	buf_fini(&text);
}

static void
schema_names_the_keys_that_the_reader_knows(void **state)
{
	static const char *const sources[] = { "document.c",
	    "document_directory.c", "document_group.c", "document_org.c",
	    "document_policy.c" };
	json_t *names = json_object(), *seen = json_object(), *property;
	char path[64];
	const char *name;
	size_t i;

	(void)state;
	gather(schema, names);
	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		snprintf(path, sizeof(path), "controller/policy/%s",
		    sources[i]);
		known_words(path, names, seen);
	}
	json_object_foreach(names, name, property) {
		if (json_is_true(property) &&
		    json_object_get(seen, name) == NULL)
			fail_msg("the schema has \"%s\", the reader does not",
			    name);
	}
	json_decref(names);
	json_decref(seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_fits_every_document_of_the_tests),
		cmocka_unit_test(schema_refuses_what_the_reader_refuses),
		cmocka_unit_test(schema_names_the_keys_that_the_reader_knows),
	};
	int rc;

	schema = json_loads(texts_schema, JSON_REJECT_DUPLICATES, NULL);
	if (schema == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(schema);
	return rc;
}
