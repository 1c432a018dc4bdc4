/*
 * yaml.h - a strict YAML subset as a tree with line and column, over libyaml.
 *
 * Refused, with "name:line:column: reason": anchors, aliases, tags, merge
 * keys, duplicate keys, several documents, a depth over 32, more than
 * 2,000,000 nodes, or a text over the given limit.  Keys are plain or quoted
 * scalars.  (libyaml exports yaml_free() and the like: ours are yaml_tree_*.)
 * Memory is bounded by the text, since aliases cannot multiply it.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/diag.h"

enum yaml_type { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
	enum yaml_type type;
	int line, column;	/* from 1, where the node begins */
	bool quoted;		/* the scalar stood in quotes */
	char *text;		/* scalar: UTF-8, no NUL inside */
	size_t n;		/* list: items; map: pairs */
	struct yaml **items;	/* list: n items; map: n values */
	struct yaml **keys;	/* map: n scalar keys, as written */
};

/*
 * Parse text (len bytes) into *out; name stands in messages.  An empty
 * document gives a YAML_NULL node.  0; ERR_TOOBIG above max bytes; ERR_INVAL.
 * An unquoted "*.x" or "@x" is answered with "put it in quotes" or "write the
 * domain without @".
 */
int yaml_tree_parse(struct yaml **out, const char *name, const char *text,
    size_t len, size_t max, struct diag *why);
void yaml_tree_free(struct yaml **y);

/* The value of key in a map, or NULL. */
const struct yaml *yaml_get(const struct yaml *map, const char *key);

/* Read an unquoted true/false (yes/no/on/off are read as text by us and
 * refused here).  0 or ERR_INVAL. */
int yaml_bool(const struct yaml *y, bool *out);

#endif
