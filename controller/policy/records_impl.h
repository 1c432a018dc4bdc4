/*
 * records_impl.h - how compile.c fills a set of records.
 */
#ifndef POLICY_RECORDS_IMPL_H
#define POLICY_RECORDS_IMPL_H

#include "controller/policy/compile.h"

/* Append a record, in any order; records_sort() afterwards. */
void records_add(struct records *r, const struct buf *key,
    const struct buf *val);
/* Sort by key. */
void records_sort(struct records *r);
/* Load the small ones with the node's own loader. */
int records_load_tables(struct records *r, struct diag *why);

/* A policy item's JSON as a struct; zone is the organisation's. */
struct policy;
int policy_from_json(const char *id, const char *json, const char *zone,
    struct policy *out, struct diag *why);

#endif
