/*
 * db_table.h - writes one LevelDB table: a sorted file that LevelDB 1.x reads.
 *
 * As LevelDB writes it itself (its doc/table_format.md): blocks of 4 KiB
 * without compression, a Bloom filter of 10 bits a key for each 2 KiB of
 * file ("leveldb.BuiltinBloomFilter2"), an index, a footer.  Every entry is a
 * put of sequence DB_TABLE_SEQUENCE.
 */
#ifndef BASE_DB_TABLE_H
#define BASE_DB_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

#define DB_TABLE_SEQUENCE 1
#define DB_TABLE_TRAILER_LEN 8	/* behind a key: sequence and kind */

struct db_table;

/* Begin the file path, which must not exist.  0, ERR_EXISTS, ERR_FULL,
 * ERR_IO. */
int db_table_begin(struct db_table **out, const char *path,
    struct diag *why);

/* Add an entry; keys must rise, which the caller sees to.  0, ERR_FULL,
 * ERR_IO. */
int db_table_put(struct db_table *t, struct bytes key, struct bytes val,
    struct diag *why);

/* Bytes so far, and the greatest key: borrowed, until the next put. */
uint64_t db_table_size(const struct db_table *t);
struct bytes db_table_last(const struct db_table *t);

/* Write filter, index and footer, and close it; sync: wait for the disk, else
 * the disk only begins.  0, ERR_FULL, ERR_IO. */
int db_table_finish(struct db_table *t, bool sync, struct diag *why);

/* Closes the file; an unfinished one stays for the caller. */
void db_table_free(struct db_table **t);

/* Append the trailer of an entry, and a number as LevelDB's varint. */
void db_table_put_trailer(struct buf *out);
void db_table_put_varint(struct buf *out, uint64_t v);

#endif
