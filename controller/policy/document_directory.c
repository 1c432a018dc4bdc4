/*
 * document_directory.c - the section directory: rows in the document, and CSV
 * files that it names.
 *
 * A CSV file has a head: address,aliases,state,attr:NAME..; aliases are parted
 * by blanks or ";", state is active, disabled or unlicensed.  An unlicensed
 * recipient is a recipient: mail to it is delivered.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/policy/csv.h"
#include "controller/policy/reader.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"

#define COLUMNS_MAX 64

int
reader_address(struct reader *r, const struct yaml *y,
    char out[ADDR_TEXT_MAX])
{
	const char *text = reader_text(r, y, "an address", 1000);
	struct diag why;
	struct entry e;

	if (text == NULL)
		return ERR_INVAL;
	if (entry_parse(&e, text, strlen(text), &why) < 0)
		return reader_fail(r, y, "\"%s\": %s", text, why.text);
	if (e.kind != ENTRY_ADDRESS)
		return reader_fail(r, y, "\"%s\" must be an address", text);
	memcpy(out, e.text, e.len + 1);
	return 0;
}

static int
aliases(struct reader *r, const struct yaml *y, json_t *value)
{
	json_t *list = json_array();
	char alias[ADDR_TEXT_MAX];
	size_t i;
	int rc = 0;

	json_object_set_new(value, "aliases", list);
	if (y->type != YAML_LIST)
		return reader_fail(r, y, "aliases must be a list");
	for (i = 0; i < y->n && rc == 0; i++) {
		if ((rc = reader_address(r, y->items[i], alias)) == 0)
			json_array_append_new(list, json_string(alias));
	}
	return rc;
}

static int
attributes(struct reader *r, const struct yaml *y, json_t *value)
{
	json_t *map = json_object();
	size_t i;

	json_object_set_new(value, "attributes", map);
	if (y->type != YAML_MAP)
		return reader_fail(r, y, "attributes must be a mapping");
	for (i = 0; i < y->n; i++) {
		const char *text = reader_text(r, y->items[i],
		    "an attribute's value", 255);

		if (text == NULL || strlen(y->keys[i]->text) > 100)
			return text == NULL ? ERR_INVAL : reader_fail(r,
			    y->keys[i], "the name is over 100 bytes");
		json_object_set_new(map, y->keys[i]->text,
		    json_string(text));
	}
	return 0;
}

/* active, disabled or unlicensed into the value; ERR_INVAL for others. */
static int
set_state(json_t *value, const char *state)
{
	if (strcmp(state, "unlicensed") == 0)
		json_object_set_new(value, "state", json_string(state));
	else if (strcmp(state, "disabled") == 0)
		json_object_set_new(value, "enabled", json_false());
	else if (strcmp(state, "active") != 0)
		return ERR_INVAL;
	return 0;
}

static int
directory_row(struct reader *r, const struct yaml *y)
{
	static const char *const known[] = { "address", "aliases",
	    "attributes", "enabled", "state", NULL };
	const struct yaml *a, *v;
	char address[ADDR_TEXT_MAX];
	json_t *value = json_object();
	bool enabled = true;
	int rc = reader_keys(r, y, "a directory entry", known);

	a = yaml_get(y, "address");
	if (rc == 0)
		rc = a == NULL ? reader_fail(r, y, "\"address\" is missing") :
		    reader_address(r, a, address);
	if (rc == 0 && (v = yaml_get(y, "enabled")) != NULL &&
	    yaml_bool(v, &enabled) < 0)
		rc = reader_fail(r, v, "enabled is true or false");
	if (rc == 0 && (v = yaml_get(y, "aliases")) != NULL)
		rc = aliases(r, v, value);
	if (rc == 0 && (v = yaml_get(y, "attributes")) != NULL)
		rc = attributes(r, v, value);
	json_object_set_new(value, "enabled", json_boolean(enabled));
	if (rc == 0 && (v = yaml_get(y, "state")) != NULL &&
	    (v->type != YAML_SCALAR || set_state(value, v->text) < 0))
		rc = reader_fail(r, v, "state is active, disabled or "
		    "unlicensed");
	if (rc < 0) {
		json_decref(value);
		return rc;
	}
	return reader_add(r, y, "directory", address, NULL, value);
}

/* A file under way: where we are, and what each column is. */
struct csv {
	struct reader *r;
	const struct yaml *at;	/* that names it */
	const char *path;
	size_t line, columns_n;
	char *column[COLUMNS_MAX];
};

static int
csv_fail(struct csv *c, const char *what, const char *why)
{
	return diag_set(c->r->why, ERR_INVAL, "%s:%zu:1: \"%.100s\": %s",
	    c->path, c->line, what, why);
}

/* The head: every column must be known, one of them the address. */
static int
csv_head(struct csv *c, char *line)
{
	bool address = false;
	size_t i;

	c->columns_n = csv_split(line, c->column, COLUMNS_MAX);
	for (i = 0; i < c->columns_n; i++) {
		const char *name = c->column[i];

		address = address || strcmp(name, "address") == 0;
		if (strcmp(name, "address") != 0 &&
		    strcmp(name, "aliases") != 0 &&
		    strcmp(name, "state") != 0 &&
		    (strncmp(name, "attr:", 5) != 0 || strlen(name) > 105))
			return csv_fail(c, name, "the columns are address, "
			    "aliases, state and attr:NAME");
	}
	return address ? 0 : csv_fail(c, c->columns_n == 0 ? "" :
	    c->column[0], "the first line must name the columns, and address "
	    "among them");
}

/* A canonical address of text into out. */
static int
csv_address(struct csv *c, const char *text, char out[ADDR_TEXT_MAX])
{
	struct diag why;
	struct entry e;

	if (entry_parse(&e, text, strlen(text), &why) < 0)
		return csv_fail(c, text, why.text);
	if (e.kind != ENTRY_ADDRESS)
		return csv_fail(c, text, "this must be an address");
	memcpy(out, e.text, e.len + 1);
	return 0;
}

static int
csv_aliases(struct csv *c, char *text, json_t *value)
{
	json_t *list = json_array();
	char alias[ADDR_TEXT_MAX], *save = NULL, *one;
	int rc = 0;

	for (one = strtok_r(text, " ;", &save); one != NULL && rc == 0;
	    one = strtok_r(NULL, " ;", &save)) {
		if ((rc = csv_address(c, one, alias)) == 0)
			json_array_append_new(list, json_string(alias));
	}
	if (json_array_size(list) > 0)
		json_object_set(value, "aliases", list);
	json_decref(list);
	return rc;
}

static int
csv_field(struct csv *c, const char *column, char *text, json_t *value,
    char address[ADDR_TEXT_MAX])
{
	json_t *attributes;

	if (strcmp(column, "address") == 0)
		return csv_address(c, text, address);
	if (text[0] == '\0')
		return 0;
	if (strcmp(column, "aliases") == 0)
		return csv_aliases(c, text, value);
	if (strcmp(column, "state") == 0)
		return set_state(value, text) < 0 ? csv_fail(c, text,
		    "state is active, disabled or unlicensed") : 0;
	attributes = json_object_get(value, "attributes");
	if (attributes == NULL) {
		attributes = json_object();
		json_object_set_new(value, "attributes", attributes);
	}
	if (strlen(text) > 255 || json_object_set_new(attributes,
	    column + 5, json_string(text)) < 0)
		return csv_fail(c, text, "an attribute is UTF-8 of at most "
		    "255 bytes");
	return 0;
}

static int
csv_row(struct csv *c, char *line)
{
	char *field[COLUMNS_MAX], address[ADDR_TEXT_MAX] = "";
	json_t *value = json_pack("{s:b}", "enabled", 1);
	size_t n = csv_split(line, field, COLUMNS_MAX), i;
	int rc = 0;

	if (n != c->columns_n)
		rc = csv_fail(c, line, n == 0 ? "a quote does not end" :
		    "the row has not as many fields as the head");
	for (i = 0; i < n && rc == 0; i++)
		rc = csv_field(c, c->column[i], field[i], value, address);
	if (rc == 0) {
		char *key = item_key("directory", address, NULL);

		if (items_get(c->r->out, key) != NULL)
			rc = csv_fail(c, address, "it stands in the directory "
			    "already");
		free(key);
	}
	if (rc < 0) {
		json_decref(value);
		return rc;
	}
	return reader_add(c->r, c->at, "directory", address, NULL, value);
}

/* All rows of text, which is changed; NULL is an empty file. */
static int
csv_text(struct csv *c, char *text)
{
	char *line;
	int rc = 0;

	if (text != NULL && strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (rc == 0 && (line = csv_line(&text)) != NULL) {
		c->line++;
		if (*line == '\0' || *line == '#')
			continue;
		rc = c->columns_n == 0 ? csv_head(c, line) :
		    csv_row(c, line);
	}
	return rc;
}

int
document_read_directory(const char *name, const char *text, size_t line,
    struct items *out, struct diag *why)
{
	static const struct yaml nowhere = { .type = YAML_NULL };
	struct reader r = { .name = name, .out = out, .why = why };
	struct csv c = { .r = &r, .at = &nowhere, .path = name,
	    .line = line };
	char *copy = xstrdup(text);
	int rc;

	items_init(out);
	rc = csv_text(&c, copy);
	free(copy);
	if (rc < 0)
		items_fini(out);
	return rc;
}

static int
csv_file(struct reader *r, const struct yaml *y)
{
	struct csv c = { .r = r, .at = y };
	struct buf text;
	struct diag why;
	int rc;

	if ((c.path = reader_text(r, y, "a file name", 1000)) == NULL)
		return ERR_INVAL;
	if (r->list == NULL)
		return reader_fail(r, y, "files cannot be named here");
	buf_init(&text, DOCUMENT_LIST_MAX);
	rc = r->list(r->list_arg, r->name, c.path, &text, &why);
	if (rc < 0)
		reader_fail(r, y, "%s", why.text);
	else
		rc = csv_text(&c, text.data);
	buf_fini(&text);
	return rc;
}

int
read_directory(struct reader *r, const struct yaml *y)
{
	size_t i;
	int rc = 0;

	if (y->type != YAML_LIST)
		return reader_fail(r, y, "directory must be a list");
	for (i = 0; i < y->n && rc == 0; i++) {
		const struct yaml *row = y->items[i];
		const struct yaml *file = row->type == YAML_MAP ?
		    yaml_get(row, "file") : NULL;

		if (file != NULL && row->n > 1)
			rc = reader_fail(r, row, "\"file\" stands alone");
		else
			rc = file != NULL ? csv_file(r, file) :
			    directory_row(r, row);
	}
	return rc;
}
