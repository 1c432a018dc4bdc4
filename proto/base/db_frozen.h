/*
 * db_frozen.h - a quick look into the tables of a database that nobody writes
 * any more, past LevelDB: its files mapped, where their blocks begin held in
 * memory, 40 bytes for each 4 KiB of them.
 *
 * Only a look: nothing is verified, and a damaged file may hide a key or show
 * other bytes.  Who asks holds what he gets against a hash of his own, and
 * asks LevelDB for what is not found here.  Any thread may ask.
 */
#ifndef BASE_DB_FROZEN_H
#define BASE_DB_FROZEN_H

#include <stdbool.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

struct db_frozen;

/*
 * Map the tables (*.ldb) in dir.  0; ERR_VERSION: they are not of the simple
 * form that db_load.h writes: compressed, or the keys of one lie within those
 * of another; ERR_NOENT, ERR_CORRUPT, ERR_IO.
 */
int db_frozen_open(struct db_frozen **out, const char *dir,
    struct diag *why);
void db_frozen_close(struct db_frozen **f);

/* Does key stand there?  Then *value borrows from f. */
bool db_frozen_get(const struct db_frozen *f, struct bytes key,
    struct bytes *value);

#endif
