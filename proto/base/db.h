/*
 * db.h - an ordered key-value database: LevelDB behind a few verbs.
 *
 * The one place that includes leveldb/c.h.  A database belongs to one
 * process; gets and writes may come from any thread, a batch or an iterator
 * belongs to one.  After a write that failed LevelDB must not be written to:
 * some errors stay, and behind half a record in its log it would put others
 * that it cannot read again.  db_write() refuses from then on; db_reopen()
 * ends that.
 */
#ifndef BASE_DB_H
#define BASE_DB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

struct db;
struct db_batch;
struct db_iter;
struct db_view;

enum db_flags {
	DB_CREATE = 1,		/* make it when missing */
	DB_NEW = 2,		/* fail with ERR_EXISTS when it is there */
	DB_PARANOID = 4,	/* LevelDB's paranoid_checks: for sets that can
				 * be fetched again */
	DB_BULK = 8,		/* large write buffer for a sorted load */
	DB_LARGE = 16,		/* few large tables with filters: for millions
				 * of records that rarely change */
	DB_STREAM = 32,		/* the same with compression and a write
				 * buffer between the two: for millions that
				 * come one by one and are seldom read */
};

/* 0, ERR_NOENT, ERR_EXISTS, ERR_BUSY (another process), ERR_CORRUPT, ERR_IO. */
int db_open(struct db **out, const char *dir, int flags, struct diag *why);
void db_close(struct db **db);

/*
 * Append the value of key to out, as of view (NULL: now).  verify reads with
 * checksums.  0, ERR_NOENT, ERR_CORRUPT, ERR_IO.
 */
int db_get(struct db *db, const struct db_view *view, const void *key,
    size_t key_len, bool verify, struct buf *out, struct diag *why);

/*
 * The same for a key that db_get() does not find and that should be there:
 * blocks are read with checksums, but a table's filter and index only when it
 * is opened, and a bit that flips in them later denies a key.  Here filters
 * are not asked, and the key must lie between its neighbours.  Slow.  0,
 * ERR_NOENT, ERR_CORRUPT, ERR_IO.
 */
int db_get_surely(struct db *db, const struct db_view *view, const void *key,
    size_t key_len, struct buf *out, struct diag *why);

struct db_batch *db_batch_new(void);
void db_batch_free(struct db_batch **b);
void db_batch_clear(struct db_batch *b);
/* Add to the batch; the bytes are copied. */
void db_batch_put(struct db_batch *b, const void *key, size_t key_len,
    const void *val, size_t val_len);
void db_batch_del(struct db_batch *b, const void *key, size_t key_len);
size_t db_batch_bytes(const struct db_batch *b);	/* keys and values */

/*
 * Write all of b or nothing; sync waits for the disk.  0, ERR_FULL, ERR_IO.
 * What an error was said of may still be there after db_reopen(), whole.
 */
int db_write(struct db *db, const struct db_batch *b, bool sync,
    struct diag *why);

/* Has a write failed since it was opened?  db_fail() says that one has. */
bool db_has_failed(const struct db *db);
void db_fail(struct db *db);

/*
 * Close and open again after a failed write.  No get or write may run
 * meanwhile.  0; ERR_BUSY while a view or an iterator is left, ERR_FULL while
 * less than DB_ROOM is free on the disk, as LevelDB writes when it opens: all
 * stays as it was; else what db_open() says, and all but this fails until it
 * succeeds.
 */
#define DB_ROOM ((uint64_t)20 << 20)
int db_reopen(struct db *db, struct diag *why);

/* What the database holds now, unchanged by later writes.  It keeps files
 * alive that a later compaction would remove. */
struct db_view *db_view_new(struct db *db);
void db_view_free(struct db *db, struct db_view **view);

/* An iterator always verifies checksums and does not fill the cache. */
struct db_iter *db_iter_new(struct db *db, const struct db_view *view);
void db_iter_free(struct db_iter **it);
void db_iter_first(struct db_iter *it);
void db_iter_last(struct db_iter *it);
void db_iter_seek(struct db_iter *it, const void *key, size_t key_len);
bool db_iter_valid(const struct db_iter *it);
void db_iter_next(struct db_iter *it);
void db_iter_prev(struct db_iter *it);
struct bytes db_iter_key(const struct db_iter *it);	/* until it moves */
struct bytes db_iter_value(const struct db_iter *it);
int db_iter_error(const struct db_iter *it, struct diag *why);

/*
 * n - 1 keys that cut what db holds into n parts of about the same size, for n
 * iterators at a time: they do not fall, and need not stand in it.  By 8 bytes
 * only; parts may be empty.  What was just written may not count.
 */
#define DB_SPLIT_LEN 8
void db_split(struct db *db, size_t n, uint8_t (*keys)[DB_SPLIT_LEN]);

/*
 * Copy all that view (NULL: now) shows into a new database at dir, synced.
 * Ends early with ERR_TIMEOUT once *stop is set (NULL: never).  0, ERR_EXISTS,
 * ERR_FULL, ERR_CORRUPT, ERR_IO.
 */
int db_copy(struct db *db, const struct db_view *view, const char *dir,
    const atomic_bool *stop, struct diag *why);

/* Merge all tables; blocks for as long as it takes. */
void db_compact(struct db *db);

#endif
