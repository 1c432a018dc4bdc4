/*
 * delta.h - a change of a version's records as one signed frame.
 *
 * FRAME_DELTA is signed by the publisher like a head.  It applies only to the
 * version and digest it names, and must arrive at the digest it names.  Its
 * records travel as packed rows, in strictly rising order of keys:
 *
 *	u8 op, u16 key length, u32 value length, key, value
 *	op 1: put, in place of what is there; op 2: del, without a value
 *
 * FRAME_DELTA_REQ (plain) asks for what follows a version; FRAME_DELTA_GONE
 * (plain) says that it cannot be had as deltas: take manifest and chunks.
 * Both are the version (u64) and its digest.
 */
#ifndef WIRE_DELTA_H
#define WIRE_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"
#include "proto/wire/digest.h"
#include "proto/wire/keys.h"

#define DELTA_OPS_MAX 10000
#define DELTA_OPS_BYTES_MAX (1024 * 1024)	/* all rows of one delta */

enum delta_kind { DELTA_PUT = 1, DELTA_DEL = 2 };

struct delta_op {
	enum delta_kind kind;
	struct bytes key, val;		/* val: empty for a del */
};

struct delta {
	uint64_t from_version;		/* from 1 */
	uint8_t from_digest[DIGEST_LEN];
	uint64_t to_version;		/* above from_version */
	uint8_t to_digest[DIGEST_LEN];
	uint64_t to_count;		/* records afterwards */
	int64_t issued_us;
	uint32_t record_format, engine;
	size_t ops_n;			/* rows; 0: the same content */
	size_t last_at;			/* where the last row begins */
	struct buf ops;			/* the rows; owned */
};

/* An empty delta, its rows limited to DELTA_OPS_BYTES_MAX. */
void delta_init(struct delta *d);
void delta_fini(struct delta *d);

/*
 * Add a row; keys must rise.  0; ERR_INVAL: order or the size of a record;
 * ERR_TOOBIG: it does not fit, and the delta stays as it was.
 */
int delta_put(struct delta *d, const void *key, size_t key_len,
    const void *val, size_t val_len);
int delta_del(struct delta *d, const void *key, size_t key_len);

/* Append the payload; what does not fit shows in out->err. */
void delta_encode(const struct delta *d, struct buf *out);
/* Append a whole signed FRAME_DELTA.  0 or ERR_INTERNAL. */
int delta_sign(const struct delta *d, const struct sign_key *key,
    struct buf *out);

/*
 * Read a payload; all rows are checked, so that delta_next() cannot fail.
 * 0; ERR_TOOBIG: more rows than allowed; ERR_CORRUPT; then *out is empty.
 * The caller ends a good one with delta_fini().
 */
int delta_decode(struct delta *out, struct bytes in, struct diag *why);
/* Verify the frame under the publisher's key, then read it.  Also ERR_AUTH. */
int delta_open(struct delta *out, struct bytes frame,
    const uint8_t pub[SIGN_PUBLIC_LEN], struct diag *why);

/* All rows one by one: *rows begins as delta_rows(); false at its end.  What
 * *op borrows lives as long as the delta. */
struct bytes delta_rows(const struct delta *d);
bool delta_next(struct bytes *rows, struct delta_op *op);

/* What a FRAME_DELTA_REQ and a FRAME_DELTA_GONE name. */
struct delta_req { uint64_t version; uint8_t digest[DIGEST_LEN]; };
void delta_req_encode(const struct delta_req *r, struct buf *out);
/* 0, or ERR_CORRUPT (length; version 0), and then *out is zeroed. */
int delta_req_decode(struct delta_req *out, struct bytes in,
    struct diag *why);

#endif
