/*
 * yaml.c - builds the strict tree from libyaml's events.
 *
 * The builder keeps its own stack of open lists and maps, so depth is a
 * counter and not the C stack.
 */
#include "proto/base/yaml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"

#define DEPTH_MAX 32
#define NODES_MAX 2000000

/* An open list or map. */
struct frame {
	struct yaml *node;
	struct yaml *key;	/* map: a key that waits for its value */
	size_t items_cap, keys_cap;
	size_t slots_n;		/* map: size of the table below */
	uint32_t *slots;	/* map: key numbers + 1, by hash of the key */
};

struct builder {
	const char *name;
	struct diag *why;
	struct yaml *root;
	struct frame stack[DEPTH_MAX];
	size_t depth, nodes;
};

static int
at(const struct builder *b, yaml_mark_t m, int err, const char *text)
{
	return diag_set(b->why, err, "%s:%zu:%zu: %s", b->name, m.line + 1,
	    m.column + 1, text);
}

void
yaml_tree_free(struct yaml **yp)
{
	struct yaml *y = *yp;
	size_t i;

	if (y == NULL)
		return;
	for (i = 0; i < y->n; i++) {
		if (y->type == YAML_MAP)
			yaml_tree_free(&y->keys[i]);
		yaml_tree_free(&y->items[i]);
	}
	free(y->items);
	free(y->keys);
	free(y->text);
	free(y);
	*yp = NULL;
}

static struct yaml *
node_new(enum yaml_type type, yaml_mark_t m)
{
	struct yaml *y = xcalloc(1, sizeof(*y));

	y->type = type;
	y->line = (int)m.line + 1;
	y->column = (int)m.column + 1;
	return y;
}

static uint32_t
hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

/* The slot of key in the open-addressed table: its own or a free one. */
static uint32_t *
slot_of(struct frame *f, const char *key)
{
	size_t i = hash(key) & (f->slots_n - 1);

	while (f->slots[i] != 0 &&
	    strcmp(f->node->keys[f->slots[i] - 1]->text, key) != 0)
		i = (i + 1) & (f->slots_n - 1);
	return &f->slots[i];
}

static void
slots_grow(struct frame *f)
{
	size_t i;

	if (f->slots != NULL && f->node->n * 2 < f->slots_n)
		return;
	f->slots_n = f->slots_n == 0 ? 16 : f->slots_n * 2;
	free(f->slots);
	f->slots = xcalloc(f->slots_n, sizeof(*f->slots));
	for (i = 0; i < f->node->n; i++)
		*slot_of(f, f->node->keys[i]->text) = (uint32_t)i + 1;
}

static int
add_key(struct builder *b, struct frame *f, struct yaml *y, yaml_mark_t m)
{
	uint32_t *slot;

	if (y->type != YAML_SCALAR && y->type != YAML_NULL)
		return at(b, m, ERR_INVAL, "a key must be a plain text");
	if (y->text == NULL || strcmp(y->text, "<<") == 0)
		return at(b, m, ERR_INVAL, "empty and merge keys are not "
		    "allowed");
	slots_grow(f);
	slot = slot_of(f, y->text);
	if (*slot != 0)
		return diag_set(b->why, ERR_INVAL,
		    "%s:%d:%d: key \"%s\" stands twice, first in line %d",
		    b->name, y->line, y->column, y->text,
		    f->node->keys[*slot - 1]->line);
	f->key = y;
	return 0;
}

/* Put a finished or opened node where it belongs.  Takes y, also on error. */
static int
place(struct builder *b, struct yaml *y, yaml_mark_t m)
{
	struct frame *f;
	int rc;

	if (++b->nodes > NODES_MAX) {
		yaml_tree_free(&y);
		return at(b, m, ERR_TOOBIG, "too many values in one document");
	}
	if (b->depth == 0) {
		b->root = y;
		return 0;
	}
	f = &b->stack[b->depth - 1];
	if (f->node->type == YAML_MAP && f->key == NULL) {
		if ((rc = add_key(b, f, y, m)) < 0)
			yaml_tree_free(&y);
		return rc;
	}
	f->node->items = xgrow(f->node->items, &f->items_cap, f->node->n + 1,
	    sizeof(*f->node->items));
	f->node->items[f->node->n] = y;
	if (f->node->type == YAML_MAP) {
		f->node->keys = xgrow(f->node->keys, &f->keys_cap,
		    f->node->n + 1, sizeof(*f->node->keys));
		f->node->keys[f->node->n] = f->key;
		f->node->n++;
		*slot_of(f, f->key->text) = (uint32_t)f->node->n;
		f->key = NULL;
	} else
		f->node->n++;
	return 0;
}

static bool
is_null(const char *s)
{
	return s[0] == '\0' || strcmp(s, "~") == 0 ||
	    strcmp(s, "null") == 0 || strcmp(s, "Null") == 0 ||
	    strcmp(s, "NULL") == 0;
}

static int
on_scalar(struct builder *b, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct yaml *y;

	if (e->data.scalar.anchor != NULL)
		return at(b, e->start_mark, ERR_INVAL,
		    "anchors are not allowed");
	if (e->data.scalar.tag != NULL)
		return at(b, e->start_mark, ERR_INVAL,
		    "tags are not allowed; if the text begins with \"!\", put "
		    "it in quotes");
	if (memchr(text, 0, e->data.scalar.length) != NULL)
		return at(b, e->start_mark, ERR_INVAL,
		    "a NUL byte is not allowed");
	y = node_new(plain && is_null(text) ? YAML_NULL : YAML_SCALAR,
	    e->start_mark);
	y->quoted = !plain;
	if (y->type == YAML_SCALAR)
		y->text = xstrdup(text);
	return place(b, y, e->start_mark);
}

static int
on_open(struct builder *b, enum yaml_type type, const void *anchor,
    const void *tag, yaml_mark_t m)
{
	struct yaml *y;
	int rc;

	if (anchor != NULL)
		return at(b, m, ERR_INVAL, "anchors are not allowed");
	if (tag != NULL)
		return at(b, m, ERR_INVAL, "tags are not allowed");
	if (b->depth == DEPTH_MAX)
		return at(b, m, ERR_TOOBIG, "nested too deeply");
	y = node_new(type, m);
	if ((rc = place(b, y, m)) < 0)
		return rc;
	memset(&b->stack[b->depth], 0, sizeof(b->stack[0]));
	b->stack[b->depth++].node = y;
	return 0;
}

static void
on_close(struct builder *b)
{
	struct frame *f = &b->stack[--b->depth];

	yaml_tree_free(&f->key);
	free(f->slots);
}

static int
on_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, YAML_LIST, e->data.sequence_start.anchor,
		    e->data.sequence_start.tag, e->start_mark);
	case YAML_MAPPING_START_EVENT:
		return on_open(b, YAML_MAP, e->data.mapping_start.anchor,
		    e->data.mapping_start.tag, e->start_mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		on_close(b);
		return 0;
	case YAML_ALIAS_EVENT:
		return at(b, e->start_mark, ERR_INVAL, "aliases are not "
		    "allowed; a text that begins with \"*\": put it in quotes");
	case YAML_DOCUMENT_START_EVENT:
		if (b->root != NULL)
			return at(b, e->start_mark, ERR_INVAL,
			    "one document a file");
		return 0;
	default:
		return 0;
	}
}

/*
 * The byte at which character number index stands: libyaml counts characters
 * and leaves a byte order mark out, but what we hold are bytes.  At most len.
 */
static size_t
byte_of(const char *text, size_t len, size_t index)
{
	size_t i = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	for (; index > 0 && i < len; index--) {
		do	/* over what continues the character */
			i++;
		while (i < len && ((unsigned char)text[i] & 0xc0) == 0x80);
	}
	return i;
}

/* A byte that cannot stand in a document.  The parser says its offset; people
 * look for a line, and a column in characters. */
static int
reader_error(const struct builder *b, const yaml_parser_t *p,
    const char *text, size_t len)
{
	size_t line = 1, column = 1, i = byte_of(text, len, 0);

	for (; i < len && i < p->problem_offset; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80)
			column++;
	}
	return diag_set(b->why, ERR_INVAL, "%s:%zu:%zu: %s: the text must be "
	    "UTF-8", b->name, line, column, p->problem);
}

/* A syntax error, with a word for the two that people make most. */
static int
on_error(const struct builder *b, const yaml_parser_t *p, const char *text,
    size_t len)
{
	size_t off = byte_of(text, len, p->problem_mark.index);
	const char *hint = "";

	if (p->error == YAML_READER_ERROR)
		return reader_error(b, p, text, len);
	if (off >= len)
		off = byte_of(text, len, p->context_mark.index);
	while (off < len && off > 0 && text[off] != '*' && text[off] != '@' &&
	    text[off - 1] != '\n' && !isspace((unsigned char)text[off - 1]))
		off--;
	if (off < len && text[off] == '*')
		hint = ": put it in quotes (a text that begins with \"*\")";
	else if (off < len && text[off] == '@')
		hint = ": write the domain without @";
	return diag_set(b->why, ERR_INVAL, "%s:%zu:%zu: %s%s", b->name,
	    p->problem_mark.line + 1, p->problem_mark.column + 1,
	    p->problem == NULL ? "not valid YAML" : p->problem, hint);
}

int
yaml_tree_parse(struct yaml **out, const char *name, const char *text,
    size_t len, size_t max, struct diag *why)
{
	struct builder b = { .name = name, .why = why };
	yaml_parser_t parser;
	bool end = false;
	int rc = 0;

	*out = NULL;
	if (len > max)
		return diag_set(why, ERR_TOOBIG,
		    "%s:1:1: the document has %zu bytes, at most %zu are read;"
		    " large lists go into files of their own", name, len, max);
	/* libyaml would take UTF-16 too, with places that nobody can find */
	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 ||
	    memcmp(text, "\xfe\xff", 2) == 0))
		return diag_set(why, ERR_INVAL,
		    "%s:1:1: the text must be UTF-8", name);
	if (yaml_parser_initialize(&parser) == 0)
		return diag_set(why, ERR_NOMEM, "%s: out of memory", name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text,
	    len);
	while (rc == 0 && !end) {
		yaml_event_t e;

		if (yaml_parser_parse(&parser, &e) == 0) {
			rc = on_error(&b, &parser, text, len);
			break;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		rc = on_event(&b, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
	while (b.depth > 0)
		on_close(&b);
	if (rc < 0) {
		yaml_tree_free(&b.root);
		return rc;
	}
	*out = b.root != NULL ? b.root : node_new(YAML_NULL,
	    (yaml_mark_t){ 0 });
	return 0;
}

const struct yaml *
yaml_get(const struct yaml *map, const char *key)
{
	size_t i;

	if (map == NULL || map->type != YAML_MAP)
		return NULL;
	for (i = 0; i < map->n; i++) {
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->items[i];
	}
	return NULL;
}

int
yaml_bool(const struct yaml *y, bool *out)
{
	if (y->type != YAML_SCALAR || y->quoted)
		return ERR_INVAL;
	*out = strcmp(y->text, "true") == 0;
	return *out || strcmp(y->text, "false") == 0 ? 0 : ERR_INVAL;
}
