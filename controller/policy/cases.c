/*
 * cases.c - runs a file of cases: policy and envelope in, verdict expected.
 */
#include "controller/policy/explain.h"

#include <string.h>

#include "controller/policy/document.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/yaml.h"

#define CASES_MAX (64 * 1024 * 1024)

static const char *
field(const struct yaml *map, const char *key)
{
	const struct yaml *y = yaml_get(map, key);

	if (y == NULL)
		return NULL;
	return y->type == YAML_SCALAR ? y->text : "";
}

/* Is `want` the winner of some stage? */
static bool
some_winner(const json_t *answer, const char *want)
{
	const json_t *stages = json_object_get(answer, "stages");
	size_t i;

	for (i = 0; i < json_array_size(stages); i++) {
		const char *w = json_string_value(json_object_get(
		    json_array_get(stages, i), "winner"));

		if (w != NULL && strcmp(w, want) == 0)
			return true;
	}
	return false;
}

static bool
differs(const json_t *answer, const char *key, const char *want,
    struct buf *out)
{
	const char *got = strcmp(key, "bypass") == 0 ?
	    json_string_value(json_object_get(json_object_get(answer,
	    "bypass"), "granted_by")) :
	    json_string_value(json_object_get(answer, key));

	if (strcmp(key, "winner") == 0) {
		if (some_winner(answer, want))
			return false;
		buf_printf(out, " no stage was won by %s;", want);
		return true;
	}
	if (got == NULL)
		got = "";
	if (strcmp(got, want) == 0)
		return false;
	buf_printf(out, " %s is \"%s\", expected \"%s\";", key, got, want);
	return true;
}

static int
ask(const struct yaml *c, json_t **answer, struct diag *why)
{
	const struct yaml *env = yaml_get(c, "envelope");
	const struct yaml *policy = yaml_get(c, "policy");
	struct question q = {
		.from = field(env, "from"), .to = field(env, "to"),
		.header_from = field(env, "header_from"),
		.header_name = field(env, "header_name"),
		.ip = field(env, "ip"), .host = field(env, "host"),
		.auth_user = field(env, "auth_user"),
		.at = field(env, "at"), .greylist = field(env, "greylist"),
		.stage = field(env, "stage"),
	};
	struct items items;
	struct records records;
	int rc;

	if (q.from == NULL || q.to == NULL || policy == NULL)
		return diag_set(why, ERR_INVAL,
		    "policy, envelope.from or envelope.to is missing");
	items_init(&items);
	rc = document_read_tree("policy", policy, &items, why);
	if (rc == 0)
		rc = compile(&items, &records, why);
	if (rc == 0) {
		rc = explain(&records, &q, answer, why);
		records_fini(&records);
	}
	items_fini(&items);
	return rc;
}

/* One case; true when it is as expected. */
static bool
run_case(const struct yaml *c, FILE *out)
{
	const struct yaml *expect = yaml_get(c, "expect");
	const char *id = field(c, "id");
	json_t *answer = NULL;
	struct diag why;
	struct buf text;
	bool same = true;
	size_t i;

	buf_init(&text, 0);
	if (expect == NULL || expect->type != YAML_MAP) {
		buf_puts(&text, " expect is missing;");
		same = false;
	} else if (ask(c, &answer, &why) < 0) {
		buf_printf(&text, " %s;", why.text);
		same = false;
	}
	for (i = 0; answer != NULL && i < expect->n; i++) {
		const char *want = expect->items[i]->type == YAML_SCALAR ?
		    expect->items[i]->text : "";

		if (differs(answer, expect->keys[i]->text, want, &text))
			same = false;
	}
	if (!same)
		fprintf(out, "%s: line %d:%s\n", id == NULL ? "?" : id,
		    c->line, text.data);
	json_decref(answer);
	buf_fini(&text);
	return same;
}

int
explain_cases(const char *path, FILE *out, bool *differ, struct diag *why)
{
	struct yaml *root = NULL;
	struct buf text;
	size_t i, passed = 0;
	int rc;

	buf_init(&text, CASES_MAX);
	if ((rc = file_read(path, CASES_MAX, &text, why)) < 0 ||
	    (rc = yaml_tree_parse(&root, path,
	    text.data == NULL ? "" : text.data, text.len, CASES_MAX,
	    why)) < 0)
		goto out;
	if (root->type != YAML_LIST) {
		rc = diag_set(why, ERR_INVAL, "%s:1:1: a list of cases is "
		    "expected", path);
		goto out;
	}
	for (i = 0; i < root->n; i++)
		passed += run_case(root->items[i], out);
	fprintf(out, "%zu cases, %zu passed, %zu failed\n", root->n, passed,
	    root->n - passed);
	*differ = passed != root->n;
out:
	yaml_tree_free(&root);
	buf_fini(&text);
	return rc;
}
