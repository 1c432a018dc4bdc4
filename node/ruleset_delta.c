/*
 * ruleset_delta.c - one delta: verified, computed, written, seen.
 *
 * Order is what makes it safe.  Nothing is written before the digest is where
 * the delta must arrive and the tables are whole.  Keys go into the filter
 * before the records are written; a key too many costs a read, one too few
 * would be a wrong answer.  Records, state and the signed delta are one
 * synced write.  Then a new view is made.
 */
#include "node/ruleset_delta.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "node/ruleset_impl.h"
#include "node/sets.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/wire/frame.h"

#define ROW_MAX (FRAME_MAX + 4096)	/* a delta, a certificate, a hash */

struct applying {
	struct ruleset *r;
	struct delta d;
	struct digest digest;		/* running */
	uint64_t small;
	bool small_touched;
	struct db_batch *batch;
	struct buf b;			/* the row at hand */
	struct shared_tables *tables;	/* of the new view */
	enum nack nack;
};

void
ruleset_delta_head(const struct delta *d, struct head *out)
{
	memset(out, 0, sizeof(*out));
	out->version = d->to_version;
	memcpy(out->digest, d->to_digest, DIGEST_LEN);
	out->count = d->to_count;
	out->prev_version = d->from_version;
	memcpy(out->prev_digest, d->from_digest, DIGEST_LEN);
	out->record_format = d->record_format;
	out->engine = d->engine;
	out->issued_us = d->issued_us;
}

static int
refuse(struct applying *a, enum nack nack, int rc)
{
	a->nack = nack;
	return rc;
}

/* Signature, then ranges, then whether it may be taken by us now. */
static int
open_delta(struct applying *a, const struct ruleset_signed *in,
    struct diag *why)
{
	struct bytes payload;
	int rc;

	rc = frame_open(in->frame.p, in->frame.n, FRAME_DELTA,
	    in->publisher->key, &payload, why);
	if (rc < 0)
		return refuse(a, NACK_SIGNATURE, ERR_AUTH);
	if ((rc = delta_decode(&a->d, payload, why)) < 0)
		return refuse(a, rc == ERR_TOOBIG ? NACK_LIMIT :
		    NACK_CORRUPT, rc);
	if (a->d.issued_us > in->publisher->not_after_us ||
	    in->now_us > in->publisher->not_after_us)
		return refuse(a, NACK_EXPIRED, diag_set(why, ERR_TIMEOUT,
		    "the publisher's certificate has ended"));
	if (a->d.record_format != RECORD_FORMAT)
		return refuse(a, NACK_FORMAT, diag_set(why, ERR_VERSION,
		    "another record format"));
	if (a->d.engine != DECIDE_ENGINE)
		return refuse(a, NACK_ENGINE, diag_set(why, ERR_VERSION,
		    "another engine"));
	return 0;
}

static int
check_chain(struct applying *a, struct diag *why)
{
	const struct head *h = &a->r->head;
	const struct delta *d = &a->d;

	if (d->to_version <= h->version)
		return refuse(a, NACK_ROLLBACK, diag_set(why, ERR_EXISTS,
		    "a delta to version %llu where %llu is",
		    (unsigned long long)d->to_version,
		    (unsigned long long)h->version));
	if (d->from_version != h->version)
		return refuse(a, NACK_CHAIN, diag_set(why, ERR_AGAIN,
		    "a delta from version %llu where %llu is",
		    (unsigned long long)d->from_version,
		    (unsigned long long)h->version));
	if (memcmp(d->from_digest, h->digest, DIGEST_LEN) != 0)
		return refuse(a, NACK_CHAIN, diag_set(why, ERR_CONFLICT,
		    "a delta from another content of version %llu",
		    (unsigned long long)h->version));
	return 0;
}

/* Take the old record out of the sums; ERR_NOENT when there is none. */
static int
take_out(struct applying *a, const struct delta_op *op, struct diag *why)
{
	struct store *s = a->r->store;
	struct bytes old;
	int rc;

	buf_reset(&a->b);
	rc = db_get(s->db, a->r->view, op->key.p, op->key.n, true, &a->b,
	    why);
	if (rc == ERR_NOENT)
		return rc;
	if (rc == 0 && ruleset_check(s, op->key.p, op->key.n,
	    bytes_of(a->b.data, a->b.len), &old) < 0)
		rc = diag_set(why, ERR_CORRUPT, "the record that the delta "
		    "replaces is damaged");
	if (rc < 0) {
		atomic_store(&s->damaged, true);
		return refuse(a, rc == ERR_CORRUPT ? NACK_CORRUPT :
		    NACK_DISK, rc);
	}
	digest_sub(&a->digest, op->key.p, op->key.n, old.p, old.n);
	a->small -= record_is_small(op->key.p[0]);
	return 0;
}

static int
compute_op(struct applying *a, const struct delta_op *op, struct diag *why)
{
	struct store *s = a->r->store;
	int rc;

	if (!record_is_known(op->key.p[0]))
		return refuse(a, NACK_FORMAT, diag_set(why, ERR_VERSION,
		    "a record of unknown class"));
	a->small_touched |= record_is_small(op->key.p[0]);
	rc = take_out(a, op, why);
	if (rc < 0 && rc != ERR_NOENT)
		return rc;
	if (op->kind == DELTA_DEL) {
		if (rc == ERR_NOENT)
			return refuse(a, NACK_DIGEST, diag_set(why,
			    ERR_CONFLICT, "a record to take away is not "
			    "there"));
		db_batch_del(a->batch, op->key.p, op->key.n);
		return 0;
	}
	digest_add(&a->digest, op->key.p, op->key.n, op->val.p, op->val.n);
	a->small += record_is_small(op->key.p[0]);
	buf_reset(&a->b);
	ruleset_stamp(s, op->key.p, op->key.n, op->val.p, op->val.n, &a->b);
	db_batch_put(a->batch, op->key.p, op->key.n, a->b.data, a->b.len);
	return 0;
}

static int
compute(struct applying *a, struct diag *why)
{
	struct bytes rows = delta_rows(&a->d);
	uint8_t digest[DIGEST_LEN];
	struct delta_op op;
	int rc;

	while (delta_next(&rows, &op)) {
		if ((rc = compute_op(a, &op, why)) < 0)
			return rc;
	}
	digest_final(&a->digest, digest);
	if (a->digest.count != a->d.to_count)
		return refuse(a, NACK_DIGEST, diag_set(why, ERR_CONFLICT,
		    "the delta leads to %llu records and says %llu",
		    (unsigned long long)a->digest.count,
		    (unsigned long long)a->d.to_count));
	if (memcmp(digest, a->d.to_digest, DIGEST_LEN) != 0)
		return refuse(a, NACK_DIGEST, diag_set(why, ERR_CONFLICT,
		    "the delta does not lead to the digest it names"));
	return 0;
}

/* Whole tables before anything is written: a policy may name a group that is
 * not there. */
static int
make_tables(struct applying *a, struct diag *why)
{
	struct ruleset *r = a->r;
	uint64_t n;
	int rc;

	if (!a->small_touched) {
		a->tables = ruleset_tables_ref(r->tables);
		return 0;
	}
	rc = ruleset_change_tables(r, &a->d, &a->tables, why);
	if (rc == 0 && (n = tables_records_n(a->tables->t)) != a->small)
		rc = diag_set(why, ERR_CORRUPT, "%llu small records where "
		    "%llu should be", (unsigned long long)n,
		    (unsigned long long)a->small);
	return rc == 0 ? 0 : refuse(a, rc == ERR_TOOBIG ? NACK_LIMIT :
	    rc == ERR_VERSION ? NACK_FORMAT : rc == ERR_IO ? NACK_DISK :
	    NACK_CORRUPT, rc);
}

static void
put_stamped(struct applying *a, const void *key, size_t key_len,
    const void *val, size_t val_len)
{
	buf_reset(&a->b);
	ruleset_stamp(a->r->store, key, key_len, val, val_len, &a->b);
	db_batch_put(a->batch, key, key_len, a->b.data, a->b.len);
}

static int
write_all(struct applying *a, const struct ruleset_signed *in,
    struct diag *why)
{
	uint8_t key[RULESET_DELTA_KEY_LEN], sums[DIGEST_STATE_LEN];
	struct store *s = a->r->store;
	struct buf state, row;
	int rc;

	digest_save(&a->digest, sums);
	buf_init(&state, 0);
	buf_put_u64(&state, a->d.to_version);
	buf_put_u64(&state, a->digest.count);
	buf_put_u64(&state, a->small);
	buf_put(&state, sums, sizeof(sums));
	put_stamped(a, META(RULESET_META_STATE), state.data, state.len);
	buf_fini(&state);
	ruleset_delta_key(a->d.to_version, key);
	buf_init(&row, 0);
	buf_put_u16(&row, (uint16_t)in->cert.n);
	buf_put(&row, in->cert.p, in->cert.n);
	buf_put(&row, in->frame.p, in->frame.n);
	put_stamped(a, key, sizeof(key), row.data, row.len);
	rc = row.err != 0 ? row.err : a->b.err;
	buf_fini(&row);
	if (rc != 0)
		return refuse(a, NACK_DISK, diag_set(why, ERR_NOMEM,
		    "no memory for the delta"));
	ruleset_filter_delta(s, &a->d);
	rc = db_write(s->db, a->batch, true, why);
	if (rc < 0) {
		s->broken = true;	/* LevelDB takes no write any more */
		atomic_store(&s->damaged, true);
		return refuse(a, NACK_DISK, rc);
	}
	return 0;
}

static int
apply(struct applying *a, const struct ruleset_signed *in, struct diag *why)
{
	struct store *s = a->r->store;
	int rc;

	if ((rc = open_delta(a, in, why)) < 0 ||
	    (rc = check_chain(a, why)) < 0)
		return rc;
	if (s->broken || s->version != a->r->head.version)
		return refuse(a, NACK_DISK, diag_set(why, ERR_IO,
		    "the set takes no more deltas"));
	a->digest = s->digest;
	a->small = s->small;
	if ((rc = compute(a, why)) < 0 || (rc = make_tables(a, why)) < 0)
		return rc;
	return write_all(a, in, why);
}

int
ruleset_apply(struct ruleset *r, const struct ruleset_signed *in,
    struct ruleset **out, struct ruleset_refusal *refusal, struct diag *why)
{
	struct applying a = { .r = r, .nack = NACK_NONE };
	struct store *s = r->store;
	struct head head;
	int rc;

	delta_init(&a.d);
	buf_init(&a.b, ROW_MAX);
	a.batch = db_batch_new();
	rc = apply(&a, in, why);
	if (rc == 0) {
		s->version = a.d.to_version;
		s->digest = a.digest;
		s->small = a.small;
		s->delta_bytes += in->frame.n;
		ruleset_delta_head(&a.d, &head);
		*out = ruleset_view(s, a.tables, &head,
		    in->publisher->serial);
	} else
		ruleset_tables_unref(&a.tables);
	refusal->nack = a.nack;
	refusal->version = a.d.to_version;
	db_batch_free(&a.batch);
	buf_fini(&a.b);
	delta_fini(&a.d);
	return rc;
}

/* --- going back --------------------------------------------------------- */

/* Apply one kept row to *r; false at the first that does not go on. */
static bool
replay_row(struct ruleset **r, const uint8_t *root, struct bytes key,
    struct bytes stored, uint64_t upto, struct diag *why)
{
	struct ruleset_signed d = { .now_us = 0 };
	struct publisher_cert publisher;
	struct ruleset *next;
	struct bytes value;
	struct ruleset_refusal refusal;

	if (ruleset_check((*r)->store, key.p, key.n, stored, &value) < 0 ||
	    ruleset_delta_split(value, &d.cert, &d.frame) < 0) {
		diag_set(why, ERR_CORRUPT, "a kept delta is damaged");
		return false;
	}
	bytes_take(&key, RULESET_DELTA_KEY_LEN - 8);
	if (bytes_u64(&key) > upto ||
	    cert_open(root, d.cert.p, d.cert.n, INT64_MIN, &publisher,
	    why) < 0)
		return false;
	d.publisher = &publisher;
	if (ruleset_apply(*r, &d, &next, &refusal, why) < 0)
		return false;
	ruleset_unref(r);
	*r = next;
	return true;
}

static void
replay(struct ruleset **r, const uint8_t *root, const char *old,
    uint64_t upto)
{
	struct diag why = { "" };
	struct db *db = NULL;
	struct db_iter *it;
	bool goes_on = true;

	if (access(old, F_OK) < 0)
		return;
	if (db_open(&db, old, DB_PARANOID | DB_LARGE, &why) == 0) {
		it = db_iter_new(db, NULL);
		for (db_iter_seek(it, META(RULESET_META_DELTA)); goes_on &&
		    db_iter_valid(it) && ruleset_is_delta_key(
		    db_iter_key(it)); db_iter_next(it))
			goes_on = replay_row(r, root, db_iter_key(it),
			    db_iter_value(it), upto, &why);
		db_iter_error(it, &why);
		db_iter_free(&it);
		db_close(&db);
	}
	log_info("ruleset.rewound", F_S("set", (*r)->store->dir),
	    F_U("version", (*r)->head.version), F_S("stopped", why.text));
}

bool
ruleset_is_trusted(const struct ruleset *r, const struct ruleset_trust *trust)
{
	return r->serial >= trust->min_serial ||
	    r->head.version >= trust->accepted;
}

bool
ruleset_is_half_rewound(const char *dir)
{
	char old[SETS_PATH_LEN];

	snprintf(old, sizeof(old), "%s/live.old", dir);
	return access(old, F_OK) == 0;
}

/* Is it what was asked for? */
static int
check_rewound(const struct ruleset *r, const struct ruleset_trust *trust,
    uint64_t upto, struct diag *why)
{
	if (r->head.version > upto)
		return diag_set(why, ERR_NOENT, "%s begins above version "
		    "%llu", r->store->dir, (unsigned long long)upto);
	/* serials only rise along a set's versions: none before would do */
	if (!ruleset_is_trusted(r, trust))
		return diag_set(why, ERR_AUTH, "%s: version %llu was signed "
		    "under certificate %llu, which is revoked",
		    r->store->dir, (unsigned long long)r->head.version,
		    (unsigned long long)r->serial);
	return 0;
}

int
ruleset_rewind(const char *dir, const struct ruleset_trust *trust,
    uint64_t upto, struct ruleset **out, struct diag *why)
{
	char live[SETS_PATH_LEN], old[SETS_PATH_LEN];
	struct ruleset *r = NULL;
	int rc;

	snprintf(live, sizeof(live), "%s/live", dir);
	snprintf(old, sizeof(old), "%s/live.old", dir);
	/* one that stands there was left by a rewind that was cut off: it
	 * holds all deltas, and live/ but some of them */
	if (access(old, F_OK) < 0)
		rename(live, old);
	if ((rc = file_remove_tree(live, why)) < 0 ||
	    (rc = sets_link_live(dir, why)) < 0 ||
	    (rc = ruleset_open(&r, dir, trust->root, why)) < 0)
		return rc;
	if (r->head.version <= upto)
		replay(&r, trust->root, old, upto);
	if ((rc = check_rewound(r, trust, upto, why)) < 0) {
		ruleset_unref(&r);
		if (access(old, F_OK) == 0 &&
		    file_remove_tree(live, NULL) == 0)
			rename(old, live);
		return rc;
	}
	file_remove_tree(old, NULL);
	*out = r;
	return 0;
}
