/*
 * compile.h - items to records: the only way a policy gets to nodes.
 *
 * A pure function of the items.  Checks every limit, dangling and cyclic
 * groups, and what the node's loader would refuse, by loading the small
 * records into tables with the loader's own code.
 *
 * Small records (record_is_small) are held; a large one is made from its
 * items whenever it is asked for, so that ten million of them cost no memory
 * a second time.  A change costs what it changes, and the tables once more
 * when a small record is among it.
 */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "controller/policy/apply.h"
#include "controller/policy/items.h"
#include "proto/base/buf.h"
#include "proto/policy/decide.h"
#include "proto/policy/tables.h"

struct small_records;

#define COMPILE_DEPTHS 128	/* labels of a domain, and one */

/* Its fields are for compile*.c and records.c. */
struct records {
	const struct items *items;	/* borrowed: what they come from */
	struct small_records *small;	/* shared with trials */
	struct items alias;		/* alias -> address */
	uint32_t depths[COMPILE_DEPTHS];	/* wildcard entries by the
						 * labels of their suffix */
	uint64_t n;			/* all of them */
};

/* One record that a change puts, replaces or takes out. */
struct record_diff {
	uint8_t *key;
	uint32_t key_len, before_len, after_len;
	bool has_before, has_after;
	uint8_t *before, *after;	/* behind the key */
};
struct records_diff {
	struct record_diff *d;		/* sorted by key */
	size_t n, cap;
};
void records_diff_fini(struct records_diff *d);

/* All records of in, which must outlive *out.  0; ERR_INVAL, ERR_TOOBIG with
 * "file:line:column: reason" where the item has a place.  A cycle of groups
 * is named group by group.  On failure *out is empty. */
int compile(const struct items *in, struct records *out, struct diag *why);
/* The same for items that compiled before: large ones are not checked. */
int compile_again(const struct items *in, struct records *out,
    struct diag *why);
/*
 * The records of changed, which lies over the items of base (or is a set of
 * the same but for c), c being what was changed: errors as above.  *out lies
 * over base, which must not change while it lives.  With diff, it gets what
 * differs; the caller ends it with records_diff_fini().
 */
int compile_change(const struct records *base, const struct items *changed,
    const struct change *c, struct records *out, struct records_diff *diff,
    struct diag *why);
/* Make base what *over is, and end that; the items are the caller's. */
void records_merge(struct records *base, struct records *over);
void records_fini(struct records *r);

/* The tables of the small ones; borrowed. */
const struct tables *records_tables(const struct records *r);
uint64_t records_n(const struct records *r);
/* Append the value of a record.  0 or ERR_NOENT. */
int records_get(const struct records *r, const void *key, size_t len,
    struct buf *val);
bool records_has(const struct records *r, const void *key, size_t len);

/* A walk over all records in the order of their keys; they must not change
 * meanwhile. */
struct records_cursor {
	const struct records *r;
	struct items_cursor items;
	const struct item *item;
	size_t cls, small;
	struct buf key, val;		/* the record it stands at */
};
void records_begin(struct records_cursor *c, const struct records *r);
/* Go on to the next (or first) one; false behind the last. */
bool records_next(struct records_cursor *c);
void records_end(struct records_cursor *c);

/* want, fetch from records, judge: the decision in memory. */
void records_decide(const struct records *r, struct envelope *env,
    int64_t now_us, enum stage stage, struct verdict *v, struct trace *t);

#endif
