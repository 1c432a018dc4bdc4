/*
 * manifest.c - the payload of a manifest: what chunks make up a version.
 *
 * The chunk table is one bytes field of rows, so that a full manifest fits a
 * frame and costs one allocation:
 *
 *	32 BLAKE2b-256 of the chunk, u32 length, u32 records	(big-endian)
 */
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"
#include "proto/wire/pb.h"
#include "proto/wire/postern.pb-c.h"
#include "proto/wire/snapshot.h"

#define ROW_LEN (HASH_LEN + 4 + 4)
#define RECORD_LEN_MIN 7	/* two lengths and a key of one byte */

/* Signed head, digest and state, tags and numbers: below 4 KiB. */
_Static_assert(MANIFEST_CHUNKS_MAX * ROW_LEN + 4096 <= FRAME_MAX,
    "the longest manifest fits a frame");

void
manifest_encode(const struct manifest *m, struct buf *out)
{
	Postern__Manifest p = POSTERN__MANIFEST__INIT;
	struct buf rows;
	size_t i;

	buf_init(&rows, 0);
	for (i = 0; i < m->chunks_n; i++) {
		buf_put(&rows, m->chunks[i].hash, HASH_LEN);
		buf_put_u32(&rows, m->chunks[i].len);
		buf_put_u32(&rows, m->chunks[i].count);
	}
	p.version = m->version;
	p.count = m->count;
	p.bytes = m->bytes;
	p.digest = pb_field(m->digest, sizeof(m->digest));
	p.state = pb_field(m->state, sizeof(m->state));
	p.record_format = m->record_format;
	p.chunks = pb_field(rows.data, rows.len);
	if (rows.err == 0)
		pb_pack(&p, out);
	else if (out->err == 0)
		out->err = rows.err;
	buf_fini(&rows);
}

/* Read the rows and hold them against the sums; the reason or NULL. */
static const char *
read_rows(const Postern__Manifest *p, struct manifest *out)
{
	struct bytes in = bytes_of(p->chunks.data, p->chunks.len);
	uint64_t bytes = 0, count = 0;
	size_t i, n = p->chunks.len / ROW_LEN;

	if (p->chunks.len % ROW_LEN != 0)
		return "the table of chunks is cut off";
	if (n > MANIFEST_CHUNKS_MAX)
		return "too many chunks";
	out->chunks = calloc(n == 0 ? 1 : n, sizeof(*out->chunks));
	if (out->chunks == NULL)
		return "no memory for its chunks";
	for (i = 0; i < n; i++) {
		struct manifest_chunk *c = &out->chunks[i];

		memcpy(c->hash, bytes_take(&in, HASH_LEN), HASH_LEN);
		c->len = bytes_u32(&in);
		c->count = bytes_u32(&in);
		if (c->len > CHUNK_MAX || c->count == 0 ||
		    c->count > c->len / RECORD_LEN_MIN)
			return "a chunk's length or count is out of range";
		bytes += c->len;
		count += c->count;
	}
	out->chunks_n = n;
	if (bytes != p->bytes || count != p->count)
		return "chunks do not add up to the whole";
	return NULL;
}

int
manifest_decode(struct manifest *out, struct bytes in, struct diag *why)
{
	Postern__Manifest *p;
	const char *bad = "a field is missing or out of range";

	memset(out, 0, sizeof(*out));
	p = pb_unpack(&postern__manifest__descriptor, in, FRAME_MAX, why);
	if (p == NULL)
		return ERR_CORRUPT;
	if (p->version > 0 && p->record_format > 0 &&
	    pb_take(&p->digest, out->digest, sizeof(out->digest)) &&
	    pb_take(&p->state, out->state, sizeof(out->state)))
		bad = read_rows(p, out);
	out->version = p->version;
	out->count = p->count;
	out->bytes = p->bytes;
	out->record_format = p->record_format;
	pb_free(p);
	if (bad == NULL)
		return 0;
	manifest_fini(out);
	return diag_set(why, ERR_CORRUPT, "manifest: %s", bad);
}

void
manifest_fini(struct manifest *m)
{
	free(m->chunks);
	memset(m, 0, sizeof(*m));
}
