/*
 * apply.h - what a set of documents changes in the policy in force: who owns
 * what, pruning, conflicts.
 */
#ifndef POLICY_APPLY_H
#define POLICY_APPLY_H

#include "controller/policy/items.h"

/* One changed item: before or after may be NULL (created, deleted). */
struct change_item {
	char *key;
	char *before, *after;			/* values */
	char *managers_before, *managers_after;
};
struct change {
	struct change_item *c;	/* sorted by key */
	size_t n, cap;
	size_t deletes;		/* items that go away */
};
void change_fini(struct change *c);
void change_add(struct change *c, const char *key, const struct item *before,
    const char *after, const char *managers_after);

/* Is name one of the comma-parted managers? */
bool managers_hold(const char *managers, const char *name);
/* managers with add put in or drop taken out (NULL: none), sorted; the caller
 * frees it. */
char *managers_edit(const char *managers, const char *add, const char *drop);
/* A key for people: its parts with blanks between. */
void item_key_show(const char *key, char *out, size_t cap);

struct apply_options {
	const char *manager;	/* "file:default" */
	bool take_over;
	long prune_limit;	/* deletes allowed; -1: 10 or 5 % of the set,
				 * whichever is more */
};

/*
 * Compare wanted (all items of this manager's documents) with what is in
 * force.  An item that another manager holds and that would change: with
 * take_over it is adopted, else ERR_CONFLICT naming item, holder and place.
 * Items only this manager held and wanted lacks are deleted; users' own
 * entries (manager "user") never.  ERR_TOOBIG: more deletes than the limit,
 * with the number to give.
 */
int apply_plan(const struct items *force, const struct items *wanted,
    const struct apply_options *o, struct change *out, struct diag *why);

/* Make the change on a set. */
void apply_change(struct items *s, const struct change *c);

/* Append the change for people, "+ entry Blocked Senders: bad.example" a
 * line; and as a JSON array of {op, kind, name.., before, after}. */
struct buf;
void change_print(const struct change *c, struct buf *out);
void change_json(const struct change *c, struct buf *out);

#endif
