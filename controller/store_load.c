/*
 * store_load.c - what an opened store holds: items and head into memory, the
 * records beside them checked, an older store completed.
 */
#include <inttypes.h>
#include <string.h>

#include "controller/store_impl.h"
#include "proto/base/err.h"

#define PROVE_AT_OPEN 100000	/* records: a tenth of a second */
#define FILL_BYTES ((size_t)4 << 20)	/* of one batch */

static int
load_items(struct store *s, struct diag *why)
{
	struct db_iter *it = db_iter_new(s->db, NULL);
	struct buf key, val;
	int rc;

	items_init(&s->items);
	buf_init(&key, 0);
	buf_init(&val, 0);
	for (db_iter_seek(it, "i", 1); db_iter_valid(it); db_iter_next(it)) {
		struct bytes k = db_iter_key(it), v = db_iter_value(it);

		if (k.n < 2 || k.p[0] != 'i' || memchr(v.p, 0, v.n) == NULL)
			break;
		buf_reset(&key);
		buf_reset(&val);
		buf_put(&key, k.p + 1, k.n - 1);
		buf_put(&val, v.p, v.n);
		items_put(&s->items, key.data, val.data + strlen(val.data) +
		    1, val.data);
	}
	buf_fini(&key);
	buf_fini(&val);
	rc = db_iter_error(it, why);
	db_iter_free(&it);
	return rc;
}

void
store_put_head(struct txn *t, uint64_t version, const struct digest *d)
{
	uint8_t digest[DIGEST_LEN], state[DIGEST_STATE_LEN];
	struct buf val;

	digest_final(d, digest);
	digest_save(d, state);
	buf_init(&val, 0);
	buf_put_u64(&val, version);
	buf_put(&val, digest, DIGEST_LEN);
	buf_put_u64(&val, d->count);
	buf_put(&val, state, DIGEST_STATE_LEN);
	txn_put(t, "h", 1, val.data, val.len);
	buf_fini(&val);
}

static int
corrupt(const struct store *s, struct diag *why)
{
	return diag_set(why, ERR_CORRUPT, "the policy of version %" PRIu64
	    " does not have its digest: restore the folder from its backup",
	    s->version);
}

/* The stored digest; *state says whether its sums were with it. */
static int
load_head(struct store *s, uint8_t digest[DIGEST_LEN], bool *state,
    struct diag *why)
{
	const uint8_t *p, *sums;
	struct bytes in;
	uint64_t count;
	struct buf b;
	int rc;

	*state = false;
	digest_init(&s->digest);
	digest_final(&s->digest, digest);
	buf_init(&b, 0);
	rc = db_get(s->db, NULL, "h", 1, true, &b, why);
	if (rc == ERR_NOENT) {
		buf_fini(&b);
		return 0;
	}
	in = bytes_of(b.data, b.len);
	s->version = bytes_u64(&in);
	s->prev_version = s->version == 0 ? 0 : s->version - 1;
	p = bytes_take(&in, DIGEST_LEN);
	if (p != NULL)
		memcpy(digest, p, DIGEST_LEN);
	*state = in.n > 0;
	count = *state ? bytes_u64(&in) : 0;
	sums = *state ? bytes_take(&in, DIGEST_STATE_LEN) : NULL;
	if (sums != NULL)
		digest_load(&s->digest, sums, count);
	if (rc == 0 && (in.err != 0 || in.n != 0))
		rc = corrupt(s, why);
	buf_fini(&b);
	return rc;
}

/* Write all records of an older store, and with the last the mark. */
static int
complete(struct store *s, const uint8_t digest[DIGEST_LEN],
    struct diag *why)
{
	uint8_t now[DIGEST_LEN];
	struct records_cursor c;
	struct txn t;
	struct buf val;
	bool more = true;
	int rc = 0;

	digest_init(&s->digest);
	buf_init(&val, 0);
	records_begin(&c, &s->records);
	while (more && rc == 0) {
		txn_begin(&t, &s->chain);
		while (db_batch_bytes(t.batch) < FILL_BYTES &&
		    (more = records_next(&c))) {
			store_put_record(&t, c.key.data, c.key.len,
			    c.val.data, c.val.len);
			digest_add(&s->digest, c.key.data, c.key.len,
			    c.val.data, c.val.len);
		}
		digest_final(&s->digest, now);
		if (!more && s->version > 0 &&
		    memcmp(now, digest, DIGEST_LEN) != 0) {
			txn_abort(&t);
			rc = corrupt(s, why);
			break;
		}
		if (!more) {
			buf_put_u32(&val, STORE_FORMAT);
			txn_put(&t, "f", 1, val.data, val.len);
			store_put_head(&t, s->version, &s->digest);
		}
		rc = txn_commit(&t, s->db, s->dir, &s->chain, why);
	}
	records_end(&c);
	buf_fini(&val);
	return rc;
}

/* What was stored must be what it says: counts always, sums when that takes
 * no time worth telling. */
static int
check(struct store *s, const uint8_t digest[DIGEST_LEN], struct diag *why)
{
	uint8_t now[DIGEST_LEN];
	struct store_view *v;
	int rc = 0;

	digest_final(&s->digest, now);
	if (memcmp(now, digest, DIGEST_LEN) != 0 ||
	    s->digest.count != records_n(&s->records))
		return corrupt(s, why);
	if (s->digest.count > PROVE_AT_OPEN)
		return 0;
	v = store_view_new(s);
	rc = store_view_prove(v, NULL, why);
	store_view_free(&v);
	return rc;
}

static int
check_format(struct store *s, struct diag *why)
{
	struct bytes in;
	struct buf b;
	uint32_t format;
	int rc;

	buf_init(&b, 0);
	rc = db_get(s->db, NULL, "f", 1, true, &b, why);
	in = bytes_of(b.data, b.len);
	format = bytes_u32(&in);
	if (rc == 0 && format != STORE_FORMAT)
		rc = diag_set(why, ERR_VERSION, "the policy store has format "
		    "%" PRIu32 ", this program reads up to %d: start the "
		    "newer one", format, STORE_FORMAT);
	buf_fini(&b);
	return rc;
}

int
store_load(struct store *s, struct diag *why)
{
	uint8_t digest[DIGEST_LEN];
	bool has_state;
	int rc, format;

	format = check_format(s, why);
	if ((format < 0 && format != ERR_NOENT) ||
	    (rc = load_items(s, why)) < 0 ||
	    (rc = compile_again(&s->items, &s->records, why)) < 0 ||
	    (rc = load_head(s, digest, &has_state, why)) < 0)
		return format < 0 && format != ERR_NOENT ? format : rc;
	rc = format == ERR_NOENT || !has_state ? complete(s, digest, why) :
	    check(s, digest, why);
	if (rc == 0)
		rc = store_log_load(s, why);
	return rc < 0 ? rc : store_audit_load(s, why);
}
