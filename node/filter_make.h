/*
 * filter_make.h - the filter of a set whose own was lost, from its records.
 */
#ifndef NODE_FILTER_MAKE_H
#define NODE_FILTER_MAKE_H

#include "node/filter.h"
#include "proto/base/db.h"

/*
 * Add the keys of db that a filter knows (records of large classes) to f, with
 * up to four threads where there are processors for them and many records;
 * `records` says about how many.  Nobody may write to db meanwhile.
 * Blocks.  0; ERR_CORRUPT, ERR_IO: the database cannot be read.
 */
int filter_make(struct filter *f, struct db *db, uint64_t records,
    struct diag *why);

#endif
