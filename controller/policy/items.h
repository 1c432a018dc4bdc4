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
 *					 "attributes": {..},
 *					 "state": "unlicensed"}
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
 *
 * Tens of millions of items fit: an item is one allocation with its key,
 * equal managers and common values are held once, and put, get and delete
 * take O(log n).  A set may lie over another one (items_over) and then shows
 * that one with its own changes: a trial costs what it changes.
 */
#ifndef POLICY_ITEMS_H
#define POLICY_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/diag.h"

#define ITEM_SEP '\x1f'
#define ITEM_SEP_S "\x1f"

/* Where an item was read. */
struct item_place { const char *file; int line, column; };

struct item {
	const char *value;
	const char *managers;		/* sorted, parted by "," */
	const struct item_place *place;	/* NULL: from no document */
	char key[];
};

struct item_block;
struct text_pool;

/* A set sorted by key; keys occur once.  Its fields are items*.c's own. */
struct items {
	struct item_block **block;	/* none is empty */
	size_t blocks_n, blocks_cap;
	size_t own_n;			/* items in the blocks */
	size_t n;			/* what items_n() gives */
	struct text_pool *pool;
	const struct items *base;	/* what it lies over, or NULL */
};

void items_init(struct items *s);
void items_fini(struct items *s);
/* Show base, which must outlive s and not change meanwhile, with what is put
 * into s and deleted from it; base stays as it is. */
void items_over(struct items *s, const struct items *base);
/* Make to what over shows; over lies over it, or over a set equal to it. */
void items_merge(struct items *to, const struct items *over);
/* How many. */
size_t items_n(const struct items *s);

/* Insert or replace; takes copies.  The item is valid until its key is put
 * or deleted again. */
struct item *items_put(struct items *s, const char *key, const char *value,
    const char *managers);
/* Say where an item was read; file is borrowed. */
void item_set_place(struct item *it, const char *file, int line, int column);
void items_del(struct items *s, const char *key);
/* By key, or NULL. */
const struct item *items_get(const struct items *s, const char *key);

/* A walk over the items whose key begins with a prefix, in order; the set
 * must not change meanwhile. */
struct items_at { const struct items *s; size_t block, i; };
struct items_cursor {
	struct items_at own, base;
	const char *prefix;		/* borrowed */
	size_t prefix_len;
};
/* The first item with this prefix ("": of all), and the next; NULL behind
 * the last. */
const struct item *items_first(struct items_cursor *c, const struct items *s,
    const char *prefix);
const struct item *items_next(struct items_cursor *c);
/* As items_first, but begin at the first key that is not below from. */
const struct item *items_from(struct items_cursor *c, const struct items *s,
    const char *prefix, const char *from);

/* Build a key of up to three parts (NULL ends); caller frees. */
char *item_key(const char *kind, const char *a, const char *b);
/* Split a copy of key into kind, a, b (missing ones NULL). *mem is freed by
 * the caller. */
void item_split(const char *key, char **mem, const char **kind,
    const char **a, const char **b);

#endif
