/*
 * db_load.h - a new database from keys that rise, for db_open() to open.
 *
 * Tables are written one after the other as they stay: no log, no table in
 * memory, no merging, about a third of what db_write() costs.  Nothing is
 * there for db_open() before db_load_finish() has written it all to the disk:
 * CURRENT comes last.  For one thread.
 */
#ifndef BASE_DB_LOAD_H
#define BASE_DB_LOAD_H

#include <stddef.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

struct db_load;

/* Begin in dir, which must not exist; its parent must.  0, ERR_EXISTS,
 * ERR_FULL, ERR_IO. */
int db_load_begin(struct db_load **out, const char *dir, struct diag *why);

/* Put a record behind those before.  0; ERR_INVAL: its key does not rise;
 * ERR_FULL, ERR_IO. */
int db_load_put(struct db_load *l, struct bytes key, struct bytes val,
    struct diag *why);

/* Begin another range of keys, anywhere; that none lies in another is checked
 * by db_load_finish().  0, ERR_FULL, ERR_IO. */
int db_load_range(struct db_load *l, struct diag *why);

/* Wait for the disk and make it a database.  0; ERR_INVAL: ranges overlap;
 * ERR_FULL, ERR_IO. */
int db_load_finish(struct db_load *l, struct diag *why);

/* What is not finished stays on the disk for the caller to remove. */
void db_load_free(struct db_load **l);

#endif
