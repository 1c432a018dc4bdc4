/*
 * records_impl.h - the small records of a set, and what compile*.c share.
 *
 * A set of small records never changes once its tables are loaded, so that a
 * trial and what it lies over hold one; a changed set is a new one that
 * shares the records that did not change.
 */
#ifndef POLICY_RECORDS_IMPL_H
#define POLICY_RECORDS_IMPL_H

#include "controller/policy/compile.h"

struct small_record {
	unsigned refs;
	uint32_t key_len, val_len;
	uint8_t data[];			/* key, value */
};

struct small_records {
	unsigned refs;
	struct small_record **r;	/* sorted by key, once loaded */
	size_t n, cap;
	struct tables *tables;
};

struct small_records *small_new(void);
/* One more holder; and one fewer, *s may be NULL. */
struct small_records *small_ref(struct small_records *s);
void small_unref(struct small_records **s);
/* Append in any order, before small_load(). */
void small_add(struct small_records *s, const struct buf *key,
    const struct buf *val);
/* A new set: s with the small records among diffs changed. */
struct small_records *small_change(const struct small_records *s,
    const struct records_diff *diff);
/* Sort, drop what stands twice, load the tables with the node's loader. */
int small_load(struct small_records *s, struct diag *why);
/* By key, or NULL. */
const struct small_record *small_find(const struct small_records *s,
    const void *key, size_t len);

/* memcmp, the shorter first. */
int record_compare(const void *a, size_t a_len, const void *b, size_t b_len);

/* A policy item's JSON as a struct; zone is the organisation's. */
struct policy;
int policy_from_json(const char *id, const char *json, const char *zone,
    struct policy *out, struct diag *why);

/* Take aliases of a directory item's value into r or out of it.  ERR_INVAL:
 * an alias of another address. */
int compile_aliases(struct records *r, const char *address,
    const char *value, bool add, struct diag *why);

/* Is the item sound by itself and among r's items? */
int check_item(const struct records *r, const struct item *it,
    struct diag *why);
/* Does what c takes away or adds break items that it leaves alone? */
int check_others(const struct records *r, const struct change *c,
    struct diag *why);

#endif
