/*
 * document_group.c - the section groups, and the list files it names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/reader.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"
#include "proto/policy/model.h"

/* An entry that stands twice in one group is no error: lists overlap.  value
 * is consumed. */
static int
add_entry(struct reader *r, const struct yaml *at, const char *group,
    const struct entry *e, json_t *value)
{
	char *key = item_key("entry", e->text, group);
	int rc = 0;

	if (items_get(r->out, key) == NULL)
		rc = reader_add(r, at, "entry", e->text, group, value);
	else
		json_decref(value);
	free(key);
	return rc;
}

/* One line of a list file: comment and blanks off, then an entry. */
static int
list_line(struct reader *r, const struct yaml *at, const char *group,
    const char *path, size_t line, const char *p, size_t len)
{
	const char *hash = memchr(p, '#', len);
	struct diag why;
	struct entry e;

	if (hash != NULL)
		len = (size_t)(hash - p);
	while (len > 0 && strchr(" \t\r", p[len - 1]) != NULL)
		len--;
	while (len > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		len--;
	}
	if (len == 0)
		return 0;
	if (entry_parse(&e, p, len, &why) < 0)
		return diag_set(r->why, ERR_INVAL, "%s:%zu:1: \"%.*s\": %s",
		    path, line, len > 100 ? 100 : (int)len, p, why.text);
	return add_entry(r, at, group, &e, NULL);
}

static int
list_text(struct reader *r, const struct yaml *at, const char *group,
    const char *path, const struct buf *text)
{
	const char *p = text->data, *end;
	size_t line = 1;
	int rc = 0;

	if (text->len == 0)
		return 0;
	end = p + text->len;
	if (text->len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	for (; p < end && rc == 0; line++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl == NULL ? end : nl) - p);

		rc = list_line(r, at, group, path, line, p, len);
		p += len + 1;
	}
	return rc;
}

static int
list_file(struct reader *r, const struct yaml *y, const char *group)
{
	const char *path = reader_text(r, y, "a file name", 1000);
	struct buf text;
	struct diag why;
	int rc;

	if (path == NULL)
		return ERR_INVAL;
	if (r->list == NULL)
		return reader_fail(r, y, "files cannot be named here");
	buf_init(&text, DOCUMENT_LIST_MAX);
	rc = r->list(r->list_arg, r->name, path, &text, &why);
	if (rc < 0)
		reader_fail(r, y, "%s", why.text);
	else
		rc = list_text(r, y, group, path, &text);
	buf_fini(&text);
	return rc;
}

/* The entry y of a group, with what is said about it. */
static int
entry_row(struct reader *r, const struct yaml *y, const char *group,
    json_t *value)
{
	struct diag why;
	struct entry e;

	if (reader_text(r, y, "an entry of a group", 1000) == NULL) {
		json_decref(value);
		return ERR_INVAL;
	}
	if (entry_parse(&e, y->text, strlen(y->text), &why) < 0) {
		json_decref(value);
		return reader_fail(r, y, "\"%s\": %s", y->text, why.text);
	}
	return add_entry(r, y, group, &e, value);
}

/* {entry: x, comment: .., until: ..} */
static int
entry_map(struct reader *r, const struct yaml *y, const char *group)
{
	static const char *const notes[] = { "comment", "until" };
	json_t *value = json_object();
	int64_t at;
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct yaml *v = yaml_get(y, notes[i]);

		if (v == NULL)
			continue;
		if (reader_text(r, v, notes[i], MODEL_TEXT_MAX) == NULL) {
			json_decref(value);
			return ERR_INVAL;
		}
		if (i == 1 && clock_parse(v->text, &at) < 0) {
			json_decref(value);
			return reader_fail(r, v, "until \"%s\" is no time "
			    "such as 2026-06-15T12:00:00Z", v->text);
		}
		json_object_set_new(value, notes[i], json_string(v->text));
	}
	return entry_row(r, yaml_get(y, "entry"), group, value);
}

static int
group_row(struct reader *r, const struct yaml *y, const char *group)
{
	static const char *const known[] = { "group", "file", "entry",
	    "comment", "until", NULL };
	const struct yaml *other, *file;
	int rc;

	if (y->type != YAML_MAP)
		return entry_row(r, y, group, NULL);
	if ((rc = reader_keys(r, y, "an entry of a group", known)) < 0)
		return rc;
	other = yaml_get(y, "group");
	file = yaml_get(y, "file");
	if ((other != NULL) + (file != NULL) +
	    (yaml_get(y, "entry") != NULL) != 1)
		return reader_fail(r, y, "one of \"group\", \"file\" and "
		    "\"entry\" is needed");
	if (yaml_get(y, "entry") != NULL)
		return entry_map(r, y, group);
	if (y->n > 1)
		return reader_fail(r, y, "\"comment\" and \"until\" go "
		    "with \"entry\" alone");
	if (file != NULL)
		return list_file(r, file, group);
	if (reader_text(r, other, "a group", MODEL_TEXT_MAX) == NULL)
		return ERR_INVAL;
	return reader_add(r, other, "nest", other->text, group, NULL);
}

int
read_groups(struct reader *r, const struct yaml *y)
{
	size_t i, k;
	int rc = 0;

	if (y->type != YAML_MAP)
		return reader_fail(r, y, "groups must be a mapping of names "
		    "to lists");
	for (i = 0; i < y->n && rc == 0; i++) {
		const char *name = reader_text(r, y->keys[i],
		    "a group's name", 255);
		const struct yaml *list = y->items[i];

		if (name == NULL)
			return ERR_INVAL;
		if ((rc = reader_add(r, y->keys[i], "group", name, NULL,
		    NULL)) < 0 || list->type == YAML_NULL)
			continue;
		if (list->type != YAML_LIST)
			return reader_fail(r, list, "group \"%s\" must be a "
			    "list", name);
		for (k = 0; k < list->n && rc == 0; k++)
			rc = group_row(r, list->items[k], name);
	}
	return rc;
}
