/*
 * store_impl.h - what store*.c share.
 *
 * Keys of the database: "i" item key -> managers NUL value; "r" record key ->
 * value; "v" u64 version -> revision JSON; "d" u64 version -> the document as
 * given; "l" u64 version -> see store_log.c; "h" -> u64 version, 32 digest,
 * u64 records, 2,048 sums; "f" -> u32 STORE_FORMAT; "t" table NUL key -> row
 * JSON; "m": see store_txn.c.  A store without "f" has no "r" and no "l", and
 * "h" ends behind the digest: it is completed when it is opened.
 */
#ifndef CONTROLLER_STORE_IMPL_H
#define CONTROLLER_STORE_IMPL_H

#include <stdatomic.h>

#include "controller/store.h"
#include "controller/store_txn.h"

#define STORE_FORMAT 2

/* What is kept of changes of records: see store_log.c. */
struct store_log {
	_Atomic uint64_t oldest;	/* version that the first leads from */
	uint64_t bytes, keep;
};

struct store {
	struct db *db;
	char *dir;
	int lock;
	struct chain chain;
	uint64_t version;
	uint64_t prev_version;
	uint8_t prev_digest[DIGEST_LEN];
	struct items items;
	struct records records;
	struct digest digest;
	struct store_log log;
};

/* Append class and version. */
void store_version_key(struct buf *key, char cls, uint64_t version);

/* Read items and head, compile; complete an older store.  As store_open(). */
int store_load(struct store *s, struct diag *why);
/* Put a record, or the head, into a batch. */
void store_put_record(struct txn *t, const void *key, size_t key_len,
    const void *val, size_t val_len);
void store_put_head(struct txn *t, uint64_t version, const struct digest *d);

/* Find which changes there are. */
int store_log_load(struct store *s, struct diag *why);
/* Put the change that leads from the version in force to `to` into a batch,
 * and drop what is beyond the horizon; then, when the batch was written,
 * note it. */
struct log_step { uint64_t bytes, dropped, oldest; };
void store_log_put(struct store *s, struct txn *t, uint64_t to,
    const struct digest *after, const struct records_diff *diff,
    struct log_step *step);
void store_log_done(struct store *s, const struct log_step *step);

#endif
