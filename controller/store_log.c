/*
 * store_log.c - the changes of records that lead from version to version, and
 * deltas made of them.
 *
 * A version's entry, written with the version itself:
 *
 *	i64 time (us), u64 version before, 32 its digest, u64 records
 *	afterwards, 32 digest afterwards, u8 1: rows follow, 0: too many, then
 *	rows u8 op, u16 key length, u32 value length, key, value
 *
 * op 1 puts, 2 deletes, both with 4 added when the record was there before.
 * Several entries make one delta: the last row of a key counts, and whether
 * it was there before the first.  Entries are kept for a day, within LOG_MAX
 * bytes, and always from the version on that nodes may be given as a whole.
 */
#include "controller/store_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"

#define LOG_MAX ((uint64_t)128 << 20)
#define LOG_AGE_US ((int64_t)86400 * 1000000)
#define DROP_MAX 64			/* entries dropped with one write */

enum { ROW_PUT = 1, ROW_DEL = 2, ROW_HAD = 4 };

struct log_entry {
	int64_t time_us;
	uint64_t from, count;
	const uint8_t *from_digest, *digest;
	bool has_rows;
	struct bytes rows;
};

static int
entry_read(struct bytes in, struct log_entry *e)
{
	e->time_us = (int64_t)bytes_u64(&in);
	e->from = bytes_u64(&in);
	e->from_digest = bytes_take(&in, DIGEST_LEN);
	e->count = bytes_u64(&in);
	e->digest = bytes_take(&in, DIGEST_LEN);
	e->has_rows = bytes_u8(&in) == 1;
	e->rows = in;
	return in.err;
}

/* Is this row of the database an entry?  *to is the version it leads to. */
static bool
is_entry(const struct db_iter *it, uint64_t *to)
{
	struct bytes k = db_iter_key(it);

	if (k.n != 9 || bytes_u8(&k) != 'l')
		return false;
	*to = bytes_u64(&k);
	return true;
}

int
store_log_load(struct store *s, struct diag *why)
{
	struct db_iter *it = db_iter_new(s->db, NULL);
	uint64_t to, n = 0;
	struct log_entry e;
	int rc;

	s->log.oldest = s->version;
	for (db_iter_seek(it, "l", 1); db_iter_valid(it) &&
	    is_entry(it, &to); db_iter_next(it)) {
		if (n++ == 0 && entry_read(db_iter_value(it), &e) == 0)
			s->log.oldest = e.from;
		s->log.bytes += db_iter_value(it).n;
	}
	rc = db_iter_error(it, why);
	db_iter_free(&it);
	return rc;
}

static size_t
rows_bytes(const struct records_diff *diff)
{
	size_t i, n = 0;

	for (i = 0; i < diff->n; i++)
		n += 7 + diff->d[i].key_len + diff->d[i].after_len;
	return n;
}

static void
entry_write(const struct store *s, const struct digest *after,
    const struct records_diff *diff, struct buf *out)
{
	uint8_t digest[DIGEST_LEN];
	size_t i;

	buf_put_u64(out, (uint64_t)clock_wall_us());
	buf_put_u64(out, s->version);
	digest_final(&s->digest, digest);
	buf_put(out, digest, DIGEST_LEN);
	buf_put_u64(out, after->count);
	digest_final(after, digest);
	buf_put(out, digest, DIGEST_LEN);
	if (diff->n > DELTA_OPS_MAX ||
	    rows_bytes(diff) > DELTA_OPS_BYTES_MAX) {
		buf_put_u8(out, 0);
		return;
	}
	buf_put_u8(out, 1);
	for (i = 0; i < diff->n; i++) {
		const struct record_diff *d = &diff->d[i];

		buf_put_u8(out, (uint8_t)((d->has_after ? ROW_PUT : ROW_DEL) |
		    (d->has_before ? ROW_HAD : 0)));
		buf_put_u16(out, (uint16_t)d->key_len);
		buf_put_u32(out, d->after_len);
		buf_put(out, d->key, d->key_len);
		buf_put(out, d->after, d->after_len);
	}
}

/* Drop the oldest entries that are too many or too old, a few at a time. */
static void
drop_old(struct store *s, struct txn *t, struct log_step *step)
{
	struct db_iter *it = db_iter_new(s->db, NULL);
	int64_t oldest = clock_wall_us() - LOG_AGE_US;
	struct log_entry e;
	uint64_t to;
	int i = 0;

	step->oldest = s->log.oldest;
	for (db_iter_seek(it, "l", 1); i < DROP_MAX && db_iter_valid(it) &&
	    is_entry(it, &to); db_iter_next(it), i++) {
		struct bytes k = db_iter_key(it), v = db_iter_value(it);

		if (to > s->log.keep || entry_read(v, &e) < 0 ||
		    (e.time_us >= oldest && s->log.bytes + step->bytes -
		    step->dropped <= LOG_MAX))
			break;
		txn_del(t, k.p, k.n);
		step->dropped += v.n;
		step->oldest = to;
	}
	db_iter_free(&it);
}

void
store_log_put(struct store *s, struct txn *t, uint64_t to,
    const struct digest *after, const struct records_diff *diff,
    struct log_step *step)
{
	struct buf key, val;

	memset(step, 0, sizeof(*step));
	buf_init(&key, 0);
	buf_init(&val, 0);
	store_version_key(&key, 'l', to);
	entry_write(s, after, diff, &val);
	txn_put(t, key.data, key.len, val.data, val.len);
	step->bytes = val.len;
	drop_old(s, t, step);
	buf_fini(&key);
	buf_fini(&val);
}

void
store_log_done(struct store *s, const struct log_step *step)
{
	s->log.bytes += step->bytes - step->dropped;
	s->log.oldest = step->oldest;
}

void
store_log_keep(struct store *s, uint64_t version)
{
	s->log.keep = version;
}

uint64_t
store_log_bytes(struct store *s, uint64_t version)
{
	struct db_iter *it = db_iter_new(s->db, NULL);
	uint64_t n = 0, to;
	struct buf key;

	buf_init(&key, 0);
	store_version_key(&key, 'l', version + 1);
	for (db_iter_seek(it, key.data, key.len); db_iter_valid(it) &&
	    is_entry(it, &to); db_iter_next(it))
		n += db_iter_value(it).n;
	buf_fini(&key);
	db_iter_free(&it);
	return n;
}

uint64_t
store_delta_oldest(const struct store *s)
{
	return s->log.oldest;
}

/* --- deltas --- */

/* A row on its way into a delta; places in the buffer of all entries. */
struct row { size_t key, val; uint32_t key_len, val_len, seq; uint8_t op; };

struct composing {
	struct buf data;
	struct row *row;
	size_t n, cap;
	uint64_t count;
	uint8_t digest[DIGEST_LEN];
};

/* Take an entry's rows in; false when it does not fit any more. */
static bool
take_entry(struct composing *g, const struct log_entry *e)
{
	struct bytes in = e->rows;
	uint32_t seq = (uint32_t)g->n;

	if (g->data.len + in.n > DELTA_OPS_BYTES_MAX)
		return false;
	while (in.n > 0 && in.err == 0) {
		struct row r = { .seq = seq };
		const uint8_t *key, *val;

		r.op = bytes_u8(&in);
		r.key_len = bytes_u16(&in);
		r.val_len = bytes_u32(&in);
		key = bytes_take(&in, r.key_len);
		val = bytes_take(&in, r.val_len);
		if (in.err != 0 || g->n - seq >= DELTA_OPS_MAX)
			break;
		r.key = g->data.len;
		buf_put(&g->data, key, r.key_len);
		r.val = g->data.len;
		buf_put(&g->data, val, r.val_len);
		g->row = xgrow(g->row, &g->cap, g->n + 1, sizeof(*g->row));
		g->row[g->n++] = r;
	}
	if (in.err != 0 || in.n != 0 || (seq > 0 && g->n > DELTA_OPS_MAX)) {
		g->n = seq;		/* as it was */
		return false;
	}
	g->count = e->count;
	memcpy(g->digest, e->digest, DIGEST_LEN);
	return true;
}

static int
by_key(const void *a, const void *b, void *arg)
{
	const struct row *x = a, *y = b;
	const char *data = ((const struct composing *)arg)->data.data;
	uint32_t least = x->key_len < y->key_len ? x->key_len : y->key_len;
	int c = memcmp(data + x->key, data + y->key, least);

	if (c == 0)
		c = x->key_len < y->key_len ? -1 : x->key_len > y->key_len;
	return c != 0 ? c : x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int
write_rows(struct composing *g, struct delta *out)
{
	size_t i, k;
	int rc = 0;

	if (g->n > 1)
		qsort_r(g->row, g->n, sizeof(*g->row), by_key, g);
	for (i = 0; i < g->n && rc == 0; i = k) {
		const struct row *first = &g->row[i], *last;

		for (k = i + 1; k < g->n && g->row[k].key_len ==
		    first->key_len && memcmp(g->data.data + g->row[k].key,
		    g->data.data + first->key, first->key_len) == 0; k++)
			;
		last = &g->row[k - 1];
		if ((last->op & ROW_PUT) != 0)
			rc = delta_put(out, g->data.data + last->key,
			    last->key_len, g->data.data + last->val,
			    last->val_len);
		else if ((first->op & ROW_HAD) != 0)
			rc = delta_del(out, g->data.data + last->key,
			    last->key_len);
	}
	return rc;
}

/* Read entries from the one behind `from` on; how far in out->to_version. */
static int
gather(struct store *s, struct composing *g, const uint8_t *digest,
    uint64_t to, struct delta *out, struct diag *why)
{
	struct db_iter *it = db_iter_new(s->db, NULL);
	struct buf key;
	uint64_t next;
	int rc;

	buf_init(&key, 0);
	store_version_key(&key, 'l', out->from_version + 1);
	for (db_iter_seek(it, key.data, key.len); db_iter_valid(it) &&
	    out->to_version < to && is_entry(it, &next);
	    db_iter_next(it)) {
		struct log_entry e;

		if (next > to || entry_read(db_iter_value(it), &e) < 0 ||
		    e.from != out->to_version || !e.has_rows)
			break;
		if (out->to_version == out->from_version) {
			if (digest != NULL && memcmp(digest, e.from_digest,
			    DIGEST_LEN) != 0)
				break;
			memcpy(out->from_digest, e.from_digest, DIGEST_LEN);
		}
		if (!take_entry(g, &e))
			break;
		out->to_version = next;
	}
	rc = db_iter_error(it, why);
	db_iter_free(&it);
	buf_fini(&key);
	if (rc == 0 && out->to_version == out->from_version)
		rc = diag_set(why, ERR_NOENT, "no delta leads on from "
		    "version %" PRIu64, out->from_version);
	return rc;
}

int
store_delta(struct store *s, uint64_t from, const uint8_t *digest,
    uint64_t to, struct delta *out, struct diag *why)
{
	struct composing g = { .n = 0 };
	int rc;

	delta_init(out);
	buf_init(&g.data, 0);
	out->from_version = out->to_version = from;
	out->record_format = RECORD_FORMAT;
	rc = gather(s, &g, digest, to, out, why);
	if (rc == 0) {
		out->to_count = g.count;
		memcpy(out->to_digest, g.digest, DIGEST_LEN);
		rc = write_rows(&g, out);
	}
	buf_fini(&g.data);
	free(g.row);
	if (rc < 0)
		delta_fini(out);
	return rc;
}
