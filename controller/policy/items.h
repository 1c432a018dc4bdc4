/*
 * items.h - the policy as items: one per thing that a person can change, each
 * with its value and the managers that hold it.
 *
 * A key is a kind and names, parted by ITEM_SEP (0x1f):
 *
 *	setting NAME			"text"
 *	domain DOMAIN			{"recipient_validation": "known"} or {}
 *	range PREFIX, trusted PREFIX	{}
 *	freemail DOMAIN, protected LOCAL, return_path PREFIX	{}
 *	directory ADDRESS		{"enabled": true, "aliases": [..],
 *					 "attributes": {..}}
 *	group NAME			{}
 *	entry ENTRY GROUP		{} or {"comment": .., "until": ..}
 *	nest CHILD PARENT		{}	group in group
 *	policy ID			the policy as in a document, in JSON,
 *					addresses and domains canonical
 *	sender USER ENTRY		{"manual": "block"|"permit",
 *					 "auto": true, "last_used": ..}
 *
 * Values are JSON with sorted keys and no spaces, so equal means equal bytes.
 * Managers are "file:<set>", "cli", "console", "allow", "user",
 * "feed:<name>"; kinds entry, nest and group may have several (the union is
 * in force), all others one.
 */
#ifndef POLICY_ITEMS_H
#define POLICY_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/diag.h"

#define ITEM_SEP '\x1f'
#define ITEM_SEP_S "\x1f"

struct item {
	char *key, *value;
	char *managers;		/* sorted, parted by "," */
	const char *file;	/* borrowed: where it was read, or NULL */
	int line, column;
};

/* A set sorted by key; keys occur once. */
struct items {
	struct item *item;
	size_t n, cap;
};

void items_init(struct items *s);
void items_fini(struct items *s);
/* Sorted insert or replace; takes copies.  Returns the item. */
struct item *items_put(struct items *s, const char *key, const char *value,
    const char *managers);
void items_del(struct items *s, const char *key);
const struct item *items_get(const struct items *s, const char *key);
/* First index whose key is not below prefix: for scans. */
size_t items_seek(const struct items *s, const char *prefix);
bool items_has_prefix(const struct items *s, size_t i, const char *prefix);
void items_copy(struct items *to, const struct items *from);

/* Build a key of up to three parts (NULL ends); caller frees. */
char *item_key(const char *kind, const char *a, const char *b);
/* Split a copy of key into kind, a, b (missing ones NULL). *mem is freed by
 * the caller. */
void item_split(const char *key, char **mem, const char **kind,
    const char **a, const char **b);

#endif
