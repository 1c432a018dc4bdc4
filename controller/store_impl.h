/*
 * store_impl.h - what store*.c share.
 *
 * Keys of the database: "i" item key -> managers NUL value; "r" record key ->
 * value; "v" u64 version -> revision JSON; "d" u64 version -> the document as
 * given; "l" u64 version -> see store_log.c; "h" -> u64 version, 32 digest,
 * u64 records, 2,048 sums; "f" -> u32 STORE_FORMAT; "t" table NUL key -> row
 * JSON; "m": see store_txn.c; "a" and "A": see store_audit.c.  A store without
 * "f" has no "r" and no "l", and "h" ends behind the digest: it is completed
 * when it is opened.
 */
#ifndef CONTROLLER_STORE_IMPL_H
#define CONTROLLER_STORE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "controller/audit.h"
#include "controller/store.h"
#include "controller/store_txn.h"

#define STORE_FORMAT 2

/* What is kept of changes of records: see store_log.c. */
struct store_log {
	_Atomic uint64_t oldest;	/* version that the first leads from */
	uint64_t bytes, keep;
};

/* The audit log: the mark before its first entry, and that of its last. */
struct store_audit {
	pthread_mutex_t mu;
	struct audit_mark base, end;
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
	struct store_audit audit;
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

/* Find where the audit log ends. */
int store_audit_load(struct store *s, struct diag *why);
/* Put an entry into a batch, one at most; then, when it was written, note
 * it. */
struct audit_step { struct audit_mark base, end; };
void store_audit_put(struct store *s, struct txn *t,
    const struct audit_entry *e, struct audit_step *step);
void store_audit_done(struct store *s, const struct audit_step *step);

#endif
