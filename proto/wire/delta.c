/*
 * delta.c - deltas to bytes and back; every row is checked before the first
 * is used.
 */
#include "proto/wire/delta.h"

#include <string.h>

#include "proto/base/err.h"
#include "proto/policy/record.h"
#include "proto/wire/frame.h"
#include "proto/wire/pb.h"
#include "proto/wire/postern.pb-c.h"

/* Numbers, digests, tags and the signature: below 1 KiB. */
_Static_assert(DELTA_OPS_BYTES_MAX + 1024 <= FRAME_MAX,
    "the longest delta fits a frame");

void
delta_init(struct delta *d)
{
	memset(d, 0, sizeof(*d));
	buf_init(&d->ops, DELTA_OPS_BYTES_MAX);
}

void
delta_fini(struct delta *d)
{
	buf_fini(&d->ops);
	memset(d, 0, sizeof(*d));
}

struct bytes
delta_rows(const struct delta *d)
{
	return bytes_of(d->ops.data, d->ops.len);
}

/* The next row, unchecked but for its length; false at the end or (err). */
static bool
take_row(struct bytes *rows, struct delta_op *op)
{
	uint16_t key_len;
	uint32_t val_len;

	if (rows->n == 0 || rows->err != 0)
		return false;
	op->kind = (enum delta_kind)bytes_u8(rows);
	key_len = bytes_u16(rows);
	val_len = bytes_u32(rows);
	op->key = bytes_of(bytes_take(rows, key_len), key_len);
	op->val = bytes_of(bytes_take(rows, val_len), val_len);
	return rows->err == 0;
}

bool
delta_next(struct bytes *rows, struct delta_op *op)
{
	return take_row(rows, op);
}

/* Does b sort behind a? */
static bool
rises(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return c < 0 || (c == 0 && a.n < b.n);
}

static bool
is_legal(const struct delta_op *op)
{
	return (op->kind == DELTA_PUT ||
	    (op->kind == DELTA_DEL && op->val.n == 0)) &&
	    op->key.n > 0 && op->key.n <= RECORD_KEY_MAX &&
	    op->val.n <= RECORD_VALUE_MAX;
}

/* How many rows; ERR_CORRUPT, ERR_TOOBIG. */
static int
count_rows(struct bytes rows, size_t *n)
{
	struct bytes last = bytes_of(NULL, 0);
	struct delta_op op;

	for (*n = 0; take_row(&rows, &op); (*n)++) {
		if (!is_legal(&op) || !rises(last, op.key))
			return ERR_CORRUPT;
		if (*n == DELTA_OPS_MAX)
			return ERR_TOOBIG;
		last = op.key;
	}
	return rows.err;
}

static struct bytes
last_key(const struct delta *d)
{
	struct bytes row = bytes_of(d->ops.data, d->ops.len);
	struct delta_op op;

	bytes_take(&row, d->last_at);
	take_row(&row, &op);
	return op.key;
}

static int
add(struct delta *d, const struct delta_op *op)
{
	size_t was = d->ops.len;

	if (!is_legal(op) || (d->ops_n > 0 && !rises(last_key(d), op->key)))
		return ERR_INVAL;
	if (d->ops_n == DELTA_OPS_MAX)
		return ERR_TOOBIG;
	buf_put_u8(&d->ops, (uint8_t)op->kind);
	buf_put_u16(&d->ops, (uint16_t)op->key.n);
	buf_put_u32(&d->ops, (uint32_t)op->val.n);
	buf_put(&d->ops, op->key.p, op->key.n);
	buf_put(&d->ops, op->val.p, op->val.n);
	if (d->ops.err != 0) {
		d->ops.len = was;
		d->ops.err = 0;
		return ERR_TOOBIG;
	}
	d->last_at = was;
	d->ops_n++;
	return 0;
}

int
delta_put(struct delta *d, const void *key, size_t key_len, const void *val,
    size_t val_len)
{
	struct delta_op op = { DELTA_PUT, bytes_of(key, key_len),
	    bytes_of(val, val_len) };

	return add(d, &op);
}

int
delta_del(struct delta *d, const void *key, size_t key_len)
{
	struct delta_op op = { DELTA_DEL, bytes_of(key, key_len),
	    bytes_of(NULL, 0) };

	return add(d, &op);
}

void
delta_encode(const struct delta *d, struct buf *out)
{
	Postern__Delta m = POSTERN__DELTA__INIT;

	m.from_version = d->from_version;
	m.from_digest = pb_field(d->from_digest, DIGEST_LEN);
	m.to_version = d->to_version;
	m.to_digest = pb_field(d->to_digest, DIGEST_LEN);
	m.to_count = d->to_count;
	m.issued_us = d->issued_us;
	m.record_format = d->record_format;
	m.engine = d->engine;
	m.ops = pb_field(d->ops.data, d->ops.len);
	pb_pack(&m, out);
}

int
delta_sign(const struct delta *d, const struct sign_key *key, struct buf *out)
{
	struct buf payload;
	int rc;

	buf_init(&payload, FRAME_MAX);
	delta_encode(d, &payload);
	rc = payload.err != 0 ? ERR_INTERNAL : frame_sign(out, FRAME_DELTA,
	    key, payload.data, payload.len);
	buf_fini(&payload);
	return rc;
}

/* What is wrong with m, as text, or NULL and then *out holds it. */
static const char *
take(const Postern__Delta *m, struct delta *out, int *rc)
{
	*rc = ERR_CORRUPT;
	if (m->from_version == 0 || m->to_version <= m->from_version ||
	    m->record_format == 0 || m->engine == 0 || m->issued_us < 0 ||
	    !pb_take(&m->from_digest, out->from_digest, DIGEST_LEN) ||
	    !pb_take(&m->to_digest, out->to_digest, DIGEST_LEN))
		return "a field is missing or out of range";
	if (m->ops.len > DELTA_OPS_BYTES_MAX) {
		*rc = ERR_TOOBIG;
		return "too many bytes of records";
	}
	buf_put(&out->ops, m->ops.data, m->ops.len);
	*rc = out->ops.err != 0 ? out->ops.err :
	    count_rows(delta_rows(out), &out->ops_n);
	if (*rc == ERR_TOOBIG)
		return "too many records";
	return *rc < 0 ? "a record is malformed or out of order" : NULL;
}

int
delta_decode(struct delta *out, struct bytes in, struct diag *why)
{
	Postern__Delta *m = pb_unpack(&postern__delta__descriptor, in,
	    FRAME_MAX, why);
	const char *bad;
	int rc;

	delta_init(out);
	if (m == NULL)
		return ERR_CORRUPT;
	bad = take(m, out, &rc);
	out->from_version = m->from_version;
	out->to_version = m->to_version;
	out->to_count = m->to_count;
	out->issued_us = m->issued_us;
	out->record_format = m->record_format;
	out->engine = m->engine;
	pb_free(m);
	if (bad == NULL)
		return 0;
	delta_fini(out);
	return diag_set(why, rc, "delta: %s", bad);
}

int
delta_open(struct delta *out, struct bytes frame,
    const uint8_t pub[SIGN_PUBLIC_LEN], struct diag *why)
{
	struct bytes payload;
	int rc;

	delta_init(out);
	rc = frame_open(frame.p, frame.n, FRAME_DELTA, pub, &payload, why);
	return rc < 0 ? rc : delta_decode(out, payload, why);
}

void
delta_req_encode(const struct delta_req *r, struct buf *out)
{
	buf_put_u64(out, r->version);
	buf_put(out, r->digest, DIGEST_LEN);
}

int
delta_req_decode(struct delta_req *out, struct bytes in, struct diag *why)
{
	memset(out, 0, sizeof(*out));
	if (in.n != sizeof(uint64_t) + DIGEST_LEN)
		return diag_set(why, ERR_CORRUPT, "a request for deltas of %zu "
		    "bytes", in.n);
	out->version = bytes_u64(&in);
	memcpy(out->digest, bytes_take(&in, DIGEST_LEN), DIGEST_LEN);
	if (out->version != 0)
		return 0;
	memset(out, 0, sizeof(*out));
	return diag_set(why, ERR_CORRUPT, "a request for deltas of no "
	    "version");
}
