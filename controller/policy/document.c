/*
 * document.c - reads policy documents, section by section, into items.
 */
#include "controller/policy/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/reader.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/near.h"

int
reader_fail(struct reader *r, const struct yaml *at, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return diag_set(r->why, ERR_INVAL, "%s:%d:%d: %s", r->name, at->line,
	    at->column, text);
}

int
reader_keys(struct reader *r, const struct yaml *map, const char *what,
    const char *const *known)
{
	size_t i, k;

	if (map->type != YAML_MAP)
		return reader_fail(r, map, "%s must be a mapping of names to "
		    "values", what);
	for (i = 0; i < map->n; i++) {
		const char *key = map->keys[i]->text, *near;

		for (k = 0; known[k] != NULL; k++) {
			if (strcmp(known[k], key) == 0)
				break;
		}
		if (known[k] != NULL)
			continue;
		near = near_name(key, known);
		return reader_fail(r, map->keys[i],
		    "unknown key \"%s\" in %s%s%s%s", key, what,
		    near == NULL ? "" : "; did you mean \"",
		    near == NULL ? "" : near, near == NULL ? "" : "\"?");
	}
	return 0;
}

const char *
reader_text(struct reader *r, const struct yaml *y, const char *what,
    size_t max)
{
	const char *p;

	if (y->type != YAML_SCALAR || y->text[0] == '\0') {
		reader_fail(r, y, "%s must be a text", what);
		return NULL;
	}
	if (strlen(y->text) > max) {
		reader_fail(r, y, "%s is over %zu bytes", what, max);
		return NULL;
	}
	for (p = y->text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			reader_fail(r, y, "%s holds a control byte", what);
			return NULL;
		}
	}
	return y->text;
}

int
reader_add(struct reader *r, const struct yaml *at, const char *kind,
    const char *a, const char *b, json_t *value)
{
	char *key = item_key(kind, a, b), *text = NULL;
	const struct item *old = items_get(r->out, key);
	int rc = 0;

	if (old != NULL) {
		rc = reader_fail(r, at, "%s \"%s\"%s%s stands already in "
		    "%s:%d", kind, a, b == NULL ? "" : " of ",
		    b == NULL ? "" : b, old->place->file, old->place->line);
		goto out;
	}
	text = value == NULL ? xstrdup("{}") : json_dumps(value,
	    JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	if (text == NULL) {
		rc = reader_fail(r, at, "the text is not valid UTF-8");
		goto out;
	}
	item_set_place(items_put(r->out, key, text, ""), r->name, at->line,
	    at->column);
out:
	json_decref(value);
	free(key);
	free(text);
	return rc;
}

/* One tree, section by section. */
static int
read_tree(struct reader *r, const struct yaml *root)
{
	static const char *const known[] = { "organization", "directory",
	    "groups", "policies", "managed_senders", NULL };
	int (*const read[])(struct reader *, const struct yaml *) = {
	    read_organization, read_directory, read_groups, read_policies,
	    read_senders };
	size_t i;
	int rc;

	if (root->type == YAML_NULL)
		return 0;
	rc = reader_keys(r, root, "the document", known);
	for (i = 0; rc == 0 && known[i] != NULL; i++) {
		const struct yaml *y = yaml_get(root, known[i]);

		if (y != NULL && y->type != YAML_NULL)
			rc = read[i](r, y);
	}
	return rc;
}

int
document_read_tree(const char *name, const struct yaml *root,
    struct items *out, struct diag *why)
{
	struct reader r = { .name = name, .out = out, .why = why };

	return read_tree(&r, root);
}

static int
read_one(const struct document *d, document_list_fn list, void *arg,
    struct items *out, struct diag *why)
{
	struct reader r = { .name = d->name, .out = out, .why = why,
	    .list = list, .list_arg = arg };
	struct yaml *root = NULL;
	int rc;

	rc = yaml_tree_parse(&root, d->name, d->text, d->len, DOCUMENT_MAX,
	    why);
	if (rc == 0)
		rc = read_tree(&r, root);
	yaml_tree_free(&root);
	return rc;
}

int
document_read(const struct document *docs, size_t n, document_list_fn list,
    void *arg, struct items *out, struct diag *why)
{
	size_t i;
	int rc = 0;

	items_init(out);
	for (i = 0; i < n && rc == 0; i++)
		rc = read_one(&docs[i], list, arg, out, why);
	if (rc < 0)
		items_fini(out);
	return rc;
}
