/*
 * store_txn.h - one synced batch of the policy store, chained to the one
 * before.  For store*.c alone.
 */
#ifndef CONTROLLER_STORE_TXN_H
#define CONTROLLER_STORE_TXN_H

#include <sodium.h>

#include "proto/base/db.h"

#define CHAIN_LEN 32

/* What a database and the file beside it agree on. */
struct chain { uint64_t seq; uint8_t hash[CHAIN_LEN]; };

struct txn {
	struct db_batch *batch;
	crypto_generichash_state hash;
};

/* Begin; puts and deletes go into the batch and into the chain. */
void txn_begin(struct txn *t, const struct chain *before);
void txn_put(struct txn *t, const void *key, size_t key_len,
    const void *val, size_t val_len);
void txn_del(struct txn *t, const void *key, size_t key_len);

/*
 * Write the batch synced, then name it in dir/ACKED, also synced.  On success
 * *chain is the new one; on failure nothing of the batch is acknowledged.
 * Ends the txn either way.
 */
int txn_commit(struct txn *t, struct db *db, const char *dir,
    struct chain *chain, struct diag *why);
void txn_abort(struct txn *t);

/* Name a chain in dir/ACKED, synced: for a copy.  0, ERR_FULL, ERR_IO. */
int chain_name(const char *dir, const struct chain *c, struct diag *why);

/*
 * Read the chain of a database and hold it against dir/ACKED.  0;
 * ERR_CORRUPT when what was acknowledged is missing from the database.
 */
int chain_load(struct db *db, const char *dir, struct chain *out,
    struct diag *why);

#endif
