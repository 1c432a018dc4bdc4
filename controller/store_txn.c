/*
 * store_txn.c - chained batches and the file that names the last one.
 *
 * Key "m" holds u64 sequence and 32 bytes BLAKE2b-256 of the chain before and
 * the batch's operations.  ACKED holds the same in hex.
 */
#include "controller/store_txn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/wire/keys.h"

void
txn_begin(struct txn *t, const struct chain *before)
{
	t->batch = db_batch_new();
	crypto_generichash_init(&t->hash, NULL, 0, CHAIN_LEN);
	crypto_generichash_update(&t->hash, before->hash, CHAIN_LEN);
}

/* 'p' or 'd', both lengths, both texts: no two lists of operations look the
 * same. */
static void
chain_op(struct txn *t, char op, const void *key, size_t key_len,
    const void *val, size_t val_len)
{
	struct buf head;

	buf_init(&head, 0);
	buf_putc(&head, op);
	buf_put_u64(&head, key_len);
	buf_put_u64(&head, val_len);
	crypto_generichash_update(&t->hash, (const uint8_t *)head.data,
	    head.len);
	crypto_generichash_update(&t->hash, key, key_len);
	if (val_len > 0)
		crypto_generichash_update(&t->hash, val, val_len);
	buf_fini(&head);
}

void
txn_put(struct txn *t, const void *key, size_t key_len, const void *val,
    size_t val_len)
{
	db_batch_put(t->batch, key, key_len, val, val_len);
	chain_op(t, 'p', key, key_len, val, val_len);
}

void
txn_del(struct txn *t, const void *key, size_t key_len)
{
	db_batch_del(t->batch, key, key_len);
	chain_op(t, 'd', key, key_len, NULL, 0);
}

void
txn_abort(struct txn *t)
{
	db_batch_free(&t->batch);
}

int
chain_name(const char *dir, const struct chain *c, struct diag *why)
{
	char path[4096], hex[CHAIN_LEN * 2 + 1], text[128];

	hex_format(c->hash, CHAIN_LEN, hex);
	snprintf(path, sizeof(path), "%s/ACKED", dir);
	snprintf(text, sizeof(text), "%" PRIu64 " %s\n", c->seq, hex);
	return file_write(path, text, strlen(text), 0600, why);
}

/* What the database says of its last batch. */
static int
read_chain(struct db *db, struct chain *out, struct diag *why)
{
	struct bytes in;
	struct buf meta;
	int rc;

	memset(out, 0, sizeof(*out));
	buf_init(&meta, 0);
	rc = db_get(db, NULL, "m", 1, true, &meta, why);
	if (rc == 0) {
		in = bytes_of(meta.data, meta.len);
		out->seq = bytes_u64(&in);
		if (in.n == CHAIN_LEN)
			memcpy(out->hash, in.p, CHAIN_LEN);
		else
			rc = diag_set(why, ERR_CORRUPT,
			    "the store's chain is malformed");
	} else if (rc == ERR_NOENT)
		rc = 0;
	buf_fini(&meta);
	return rc;
}

/*
 * After a failed write: open the database again.  When the batch of that
 * write is there after all, memory is behind the disk, and only a start
 * mends that.
 */
static int
recover(struct db *db, const struct chain *chain, struct diag *why)
{
	struct chain found;
	int rc;

	if (!db_has_failed(db))
		return 0;
	if ((rc = db_reopen(db, why)) < 0 ||
	    (rc = read_chain(db, &found, why)) < 0)
		return rc;
	if (found.seq == chain->seq)
		return 0;
	db_fail(db);
	return diag_set(why, ERR_IO, "a change that was refused when the disk "
	    "failed is on it after all: start the controller again");
}

int
txn_commit(struct txn *t, struct db *db, const char *dir,
    struct chain *chain, struct diag *why)
{
	struct chain next = { .seq = chain->seq + 1 };
	struct diag late;
	struct buf meta;
	int rc;

	crypto_generichash_final(&t->hash, next.hash, CHAIN_LEN);
	if ((rc = recover(db, chain, why)) < 0) {
		txn_abort(t);
		return rc;
	}
	buf_init(&meta, 0);
	buf_put_u64(&meta, next.seq);
	buf_put(&meta, next.hash, CHAIN_LEN);
	db_batch_put(t->batch, "m", 1, meta.data, meta.len);
	rc = db_write(db, t->batch, true, why);
	if (rc == 0) {
		*chain = next;
		/* the batch stands; that it does is named again with the
		 * next one */
		if (chain_name(dir, chain, &late) < 0)
			log_error("store.acked", F_S("reason", late.text));
	}
	buf_fini(&meta);
	txn_abort(t);
	return rc;
}

static int
read_acked(const char *dir, struct chain *out, struct diag *why)
{
	char path[4096], hex[CHAIN_LEN * 2 + 2] = "";
	struct buf text;
	int rc;

	memset(out, 0, sizeof(*out));
	snprintf(path, sizeof(path), "%s/ACKED", dir);
	buf_init(&text, 4096);
	rc = file_read(path, 4096, &text, why);
	if (rc == ERR_NOENT)
		rc = 0;		/* nothing was acknowledged yet */
	else if (rc == 0 && (text.data == NULL || sscanf(text.data,
	    "%" SCNu64 " %65s", &out->seq, hex) != 2 ||
	    hex_parse(hex, out->hash, CHAIN_LEN) < 0))
		rc = diag_set(why, ERR_CORRUPT, "%s is damaged: restore the "
		    "folder from its backup", path);
	buf_fini(&text);
	return rc;
}

int
chain_load(struct db *db, const char *dir, struct chain *out,
    struct diag *why)
{
	struct chain acked;
	int rc = read_chain(db, out, why);

	if (rc < 0 || (rc = read_acked(dir, &acked, why)) < 0)
		return rc;
	if (acked.seq > out->seq || (acked.seq == out->seq &&
	    memcmp(acked.hash, out->hash, CHAIN_LEN) != 0))
		return diag_set(why, ERR_CORRUPT, "the store ends at batch "
		    "%" PRIu64 " but batch %" PRIu64 " was acknowledged: the "
		    "disk lost it; restore the folder from its backup",
		    out->seq, acked.seq);
	return 0;
}
