/*
 * exact.h - an exact hash table of records in memory: what lookups would
 * cost if all keys and values stood in RAM.
 */
#ifndef BENCH_EXACT_H
#define BENCH_EXACT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"

struct exact;

/* For at most count records of bytes in all (keys, values, 4 a record). */
struct exact *exact_new(uint64_t count, uint64_t bytes);
void exact_free(struct exact **e);
/* Keys are put once each. */
void exact_put(struct exact *e, struct bytes key, struct bytes val);
/* 0 and the value, borrowed; or ERR_NOENT.  Any thread, once all is put. */
int exact_get(const struct exact *e, const void *key, size_t len,
    struct bytes *val);
/* Memory of table and records. */
uint64_t exact_bytes(const struct exact *e);

#endif
