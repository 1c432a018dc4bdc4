/*
 * message.c - payloads of frames to bytes and back, with protobuf-c.
 *
 * Unpacking takes from a capped allocator, since protobuf-c gives 41 bytes of
 * heap for a byte of unknown fields: what wants more is refused.
 */
#include "proto/wire/message.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/policy/record.h"
#include "proto/wire/frame.h"
#include "proto/wire/postern.pb-c.h"

#define HEAP_MAX (8u * 1024 * 1024)	/* over the largest frame we take */
#define CHUNK_ROW 40
#define EVENTS_MAX 1000

/* --- the allocator and what all decoders share ------------------------- */

struct heap { ProtobufCAllocator a; size_t used; };

static void *
heap_alloc(void *data, size_t len)
{
	struct heap *h = data;

	if (len > HEAP_MAX || h->used > HEAP_MAX - len)
		return NULL;
	h->used += len;
	return malloc(len == 0 ? 1 : len);
}

static void
heap_free(void *data, void *p)
{
	(void)data;
	free(p);
}

static void
heap_init(struct heap *h)
{
	h->a = (ProtobufCAllocator){ heap_alloc, heap_free, h };
	h->used = 0;
}

static void *
unpack(struct heap *h, const ProtobufCMessageDescriptor *d, struct bytes in,
    const char *name, struct diag *why)
{
	void *m = NULL;

	heap_init(h);
	if (in.err == 0 && in.n <= FRAME_MAX)
		m = protobuf_c_message_unpack(d, &h->a, in.n, in.p);
	if (m == NULL)
		diag_set(why, ERR_CORRUPT, "malformed %s", name);
	return m;
}

static void
pack(const void *m, struct buf *out)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *data = xmalloc(len);

	protobuf_c_message_pack(m, data);
	buf_put(out, data, len);
	free(data);
}

/* Exactly len bytes, or bad. */
static bool
take(const ProtobufCBinaryData *in, void *out, size_t len)
{
	if (in->len != len)
		return false;
	memcpy(out, in->data, len);
	return true;
}

/* Text without control bytes that fits with its NUL. */
static bool
take_text(const ProtobufCBinaryData *in, char *out, size_t cap)
{
	size_t i;

	if (in->len >= cap)
		return false;
	for (i = 0; i < in->len; i++) {
		if (in->data[i] < 0x20 || in->data[i] == 0x7f)
			return false;
		out[i] = (char)in->data[i];
	}
	out[i] = '\0';
	return true;
}

/* Borrows; protobuf-c only reads while packing. */
static ProtobufCBinaryData
give(const void *p, size_t len)
{
	return (ProtobufCBinaryData){ len, (uint8_t *)(uintptr_t)p };
}

static ProtobufCBinaryData
give_text(const char *s)
{
	return give(s, strlen(s));
}

/* The end of a decoder: free the message; a bad one leaves *out zeroed. */
static int
finish(void *m, struct heap *h, bool good, void *out, size_t len,
    const char *name, struct diag *why)
{
	protobuf_c_message_free_unpacked(m, &h->a);
	if (good)
		return 0;
	memset(out, 0, len);
	return diag_set(why, ERR_CORRUPT, "%s: a field is out of range",
	    name);
}

/* --- head and manifest -------------------------------------------------- */

void
head_encode(const struct head *h, struct buf *out)
{
	Pw__Head m = PW__HEAD__INIT;

	m.version = h->version;
	m.digest = give(h->digest, DIGEST_LEN);
	m.count = h->count;
	m.manifest_id = give(h->manifest_id, HASH_LEN);
	m.prev_version = h->prev_version;
	m.prev_digest = give(h->prev_digest, DIGEST_LEN);
	m.record_format = h->record_format;
	m.engine = h->engine;
	m.issued_us = h->issued_us;
	pack(&m, out);
}

int
head_decode(struct head *out, struct bytes in, struct diag *why)
{
	struct heap h;
	Pw__Head *m = unpack(&h, &pw__head__descriptor, in, "head", why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = m->version > 0 && m->prev_version < m->version &&
	    take(&m->digest, out->digest, DIGEST_LEN) &&
	    take(&m->manifest_id, out->manifest_id, HASH_LEN) &&
	    take(&m->prev_digest, out->prev_digest, DIGEST_LEN);
	out->version = m->version;
	out->count = m->count;
	out->prev_version = m->prev_version;
	out->record_format = m->record_format;
	out->engine = m->engine;
	out->issued_us = m->issued_us;
	return finish(m, &h, good, out, sizeof(*out), "head", why);
}

void
manifest_encode(const struct manifest *in, struct buf *out)
{
	Pw__Manifest m = PW__MANIFEST__INIT;
	struct buf rows;
	size_t i;

	buf_init(&rows, 0);
	for (i = 0; i < in->chunks_n; i++) {
		buf_put(&rows, in->chunks[i].hash, HASH_LEN);
		buf_put_u32(&rows, in->chunks[i].len);
		buf_put_u32(&rows, in->chunks[i].count);
	}
	m.version = in->version;
	m.count = in->count;
	m.bytes_n = in->bytes;
	m.digest = give(in->digest, DIGEST_LEN);
	m.state = give(in->state, DIGEST_STATE_LEN);
	m.record_format = in->record_format;
	m.chunks = give(rows.data, rows.len);
	pack(&m, out);
	buf_fini(&rows);
}

/* The table of chunks: each in its limits, all together the totals. */
static bool
take_chunks(const ProtobufCBinaryData *in, struct manifest *out)
{
	struct bytes rows = bytes_of(in->data, in->len);
	uint64_t bytes = 0, count = 0;
	size_t n = in->len / CHUNK_ROW, i;

	if (in->len % CHUNK_ROW != 0 || n > MANIFEST_CHUNKS_MAX)
		return false;
	out->chunks = xcalloc(n, sizeof(*out->chunks));
	out->chunks_n = n;
	for (i = 0; i < n; i++) {
		struct manifest_chunk *c = &out->chunks[i];

		memcpy(c->hash, bytes_take(&rows, HASH_LEN), HASH_LEN);
		c->len = bytes_u32(&rows);
		c->count = bytes_u32(&rows);
		if (c->len == 0 || c->len > FRAME_MAX || c->count == 0)
			return false;
		bytes += c->len;
		count += c->count;
	}
	return bytes == out->bytes && count == out->count;
}

int
manifest_decode(struct manifest *out, struct bytes in, struct diag *why)
{
	struct heap h;
	Pw__Manifest *m = unpack(&h, &pw__manifest__descriptor, in,
	    "manifest", why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	out->version = m->version;
	out->count = m->count;
	out->bytes = m->bytes_n;
	out->record_format = m->record_format;
	good = m->version > 0 && take(&m->digest, out->digest, DIGEST_LEN) &&
	    take(&m->state, out->state, DIGEST_STATE_LEN) &&
	    take_chunks(&m->chunks, out);
	if (!good) {
		free(out->chunks);
		out->chunks = NULL;
	}
	return finish(m, &h, good, out, sizeof(*out), "manifest", why);
}

/* --- hello, ack, requests ----------------------------------------------- */

void
hello_encode(const struct hello *in, struct buf *out)
{
	Pw__Hello m = PW__HELLO__INIT;

	m.proto_min = in->proto_min;
	m.proto_max = in->proto_max;
	m.record_format = in->record_format;
	m.engine = in->engine;
	m.boot_id = give(in->boot_id, sizeof(in->boot_id));
	m.version = in->version;
	m.digest = give(in->digest, DIGEST_LEN);
	m.build = give_text(in->build);
	pack(&m, out);
}

int
hello_decode(struct hello *out, struct bytes in, struct diag *why)
{
	struct heap h;
	Pw__Hello *m = unpack(&h, &pw__hello__descriptor, in, "hello", why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = m->proto_min <= m->proto_max &&
	    take(&m->boot_id, out->boot_id, sizeof(out->boot_id)) &&
	    take(&m->digest, out->digest, DIGEST_LEN) &&
	    take_text(&m->build, out->build, sizeof(out->build));
	out->proto_min = m->proto_min;
	out->proto_max = m->proto_max;
	out->record_format = m->record_format;
	out->engine = m->engine;
	out->version = m->version;
	return finish(m, &h, good, out, sizeof(*out), "hello", why);
}

void
ack_encode(const struct ack *in, struct buf *out)
{
	Pw__Ack m = PW__ACK__INIT;

	m.accepted = in->accepted;
	m.enforced = in->enforced;
	m.digest = give(in->digest, DIGEST_LEN);
	m.proved = in->proved;
	m.engine = in->engine;
	m.nack = in->nack;
	m.nack_version = in->nack_version;
	m.detail = give_text(in->detail);
	m.decisions = in->decisions;
	m.refusals = in->refusals;
	m.spool_n = in->spool_n;
	m.events_lost = in->events_lost;
	pack(&m, out);
}

int
ack_decode(struct ack *out, struct bytes in, struct diag *why)
{
	struct heap h;
	Pw__Ack *m = unpack(&h, &pw__ack__descriptor, in, "ack", why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = m->nack <= NACK_ENGINE && m->enforced <= m->accepted &&
	    take(&m->digest, out->digest, DIGEST_LEN) &&
	    take_text(&m->detail, out->detail, sizeof(out->detail));
	out->accepted = m->accepted;
	out->enforced = m->enforced;
	out->proved = m->proved;
	out->engine = m->engine;
	out->nack = good ? (enum nack)m->nack : NACK_NONE;
	out->nack_version = m->nack_version;
	out->decisions = m->decisions;
	out->refusals = m->refusals;
	out->spool_n = m->spool_n;
	out->events_lost = m->events_lost;
	return finish(m, &h, good, out, sizeof(*out), "ack", why);
}

const char *
nack_name(enum nack n)
{
	static const char *const names[] = { "none", "signature", "rollback",
	    "digest", "format", "limit", "corrupt", "disk", "engine" };

	return n <= NACK_ENGINE ? names[n] : "unknown";
}

void
chunk_req_encode(const struct chunk_req *in, struct buf *out)
{
	Pw__ChunkReq m = PW__CHUNK_REQ__INIT;

	m.manifest_id = give(in->manifest_id, HASH_LEN);
	m.first = in->first;
	m.n = in->n;
	pack(&m, out);
}

int
chunk_req_decode(struct chunk_req *out, struct bytes in, struct diag *why)
{
	struct heap h;
	Pw__ChunkReq *m = unpack(&h, &pw__chunk_req__descriptor, in,
	    "chunk request", why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = m->n > 0 && m->n <= FRAME_CREDIT &&
	    m->first < MANIFEST_CHUNKS_MAX &&
	    take(&m->manifest_id, out->manifest_id, HASH_LEN);
	out->first = m->first;
	out->n = m->n;
	return finish(m, &h, good, out, sizeof(*out), "chunk request", why);
}
