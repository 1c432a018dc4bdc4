/*
 * compile.h - items to records: the only way a policy gets to nodes.
 *
 * A pure function of the items.  Checks every limit, dangling and cyclic
 * groups, and what the node's loader would refuse, by loading the small
 * records into tables with the loader's own code.
 */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "controller/policy/items.h"
#include "proto/base/buf.h"
#include "proto/policy/decide.h"
#include "proto/policy/tables.h"

struct record { uint8_t *key, *val; uint32_t key_len, val_len; };

struct records {
	struct record *r;	/* sorted by key */
	size_t n, cap;
	struct tables *tables;	/* of the small ones */
};

/* 0; ERR_INVAL, ERR_TOOBIG with "file:line:column: reason" where the item
 * has a place.  A cycle of groups is named group by group. */
int compile(const struct items *in, struct records *out, struct diag *why);
void records_fini(struct records *r);
/* By key, or NULL. */
const struct record *records_find(const struct records *r, const void *key,
    size_t len);
/* want, fetch from records, judge: the decision in memory. */
void records_decide(const struct records *r, struct envelope *env,
    int64_t now_us, enum stage stage, struct verdict *v, struct trace *t);

#endif
