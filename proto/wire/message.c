/*
 * message.c - payloads of frames to bytes and back, with protobuf-c behind
 * pb.h's limits.  Manifests and events have files of their own.
 */
#include "proto/wire/message.h"

#include <string.h>

#include "proto/base/err.h"
#include "proto/wire/frame.h"
#include "proto/wire/pb.h"
#include "proto/wire/postern.pb-c.h"

#define SMALL_MAX 4096		/* bytes of any of these payloads */

/* The end of a decoder: free the message; a bad one leaves *out zeroed. */
static int
finish(void *m, bool good, void *out, size_t len, const char *name,
    struct diag *why)
{
	pb_free(m);
	if (good)
		return 0;
	memset(out, 0, len);
	return diag_set(why, ERR_CORRUPT, "%s: a field is out of range",
	    name);
}

/* The three fields of a mark, of any message m. */
#define PUT_MARK(m, mark) do { \
	if ((mark)->seq == 0) \
		break; \
	(m)->audit_seq = (mark)->seq; \
	(m)->audit_adopted = (mark)->adopted; \
	(m)->audit_hash = pb_field((mark)->hash, AUDIT_HASH_LEN); \
} while (0)
#define TAKE_MARK(m, mark) take_mark((m)->audit_seq, (m)->audit_adopted, \
	&(m)->audit_hash, mark)

/* It decides nothing: one that is malformed counts as none. */
static void
take_mark(uint64_t seq, uint64_t adopted, const ProtobufCBinaryData *hash,
    struct audit_mark *out)
{
	memset(out, 0, sizeof(*out));
	if (seq == 0 || seq > INT64_MAX || adopted > seq ||
	    !pb_take(hash, out->hash, AUDIT_HASH_LEN))
		return;
	out->seq = seq;
	out->adopted = adopted;
}

void
head_encode(const struct head *h, struct buf *out)
{
	Postern__Head m = POSTERN__HEAD__INIT;

	m.version = h->version;
	m.digest = pb_field(h->digest, DIGEST_LEN);
	m.count = h->count;
	m.manifest_id = pb_field(h->manifest_id, HASH_LEN);
	m.prev_version = h->prev_version;
	m.prev_digest = pb_field(h->prev_digest, DIGEST_LEN);
	m.record_format = h->record_format;
	m.engine = h->engine;
	m.issued_us = h->issued_us;
	PUT_MARK(&m, &h->audit);
	pb_pack(&m, out);
}

int
head_decode(struct head *out, struct bytes in, struct diag *why)
{
	Postern__Head *m = pb_unpack(&postern__head__descriptor, in,
	    SMALL_MAX, why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = m->version > 0 && m->prev_version < m->version &&
	    m->record_format > 0 && m->engine > 0 && m->issued_us >= 0 &&
	    pb_take(&m->digest, out->digest, DIGEST_LEN) &&
	    pb_take(&m->manifest_id, out->manifest_id, HASH_LEN) &&
	    pb_take(&m->prev_digest, out->prev_digest, DIGEST_LEN);
	out->version = m->version;
	out->count = m->count;
	out->prev_version = m->prev_version;
	out->record_format = m->record_format;
	out->engine = m->engine;
	out->issued_us = m->issued_us;
	TAKE_MARK(m, &out->audit);
	return finish(m, good, out, sizeof(*out), "head", why);
}

/* --- hello, ack, requests ----------------------------------------------- */

void
hello_encode(const struct hello *in, struct buf *out)
{
	Postern__Hello m = POSTERN__HELLO__INIT;
	char build[sizeof(in->build)];

	m.proto_min = in->proto_min;
	m.proto_max = in->proto_max;
	m.record_format = in->record_format;
	m.record_format_min = in->record_format_min;
	m.engine = in->engine;
	m.engine_min = in->engine_min;
	m.boot_id = pb_field(in->boot_id, sizeof(in->boot_id));
	m.version = in->version;
	m.digest = pb_field(in->digest, DIGEST_LEN);
	memcpy(build, in->build, sizeof(build));
	pb_scrub(build);
	m.build = pb_text(build);
	PUT_MARK(&m, &in->audit);
	pb_pack(&m, out);
}

int
hello_decode(struct hello *out, struct bytes in, struct diag *why)
{
	Postern__Hello *m = pb_unpack(&postern__hello__descriptor, in,
	    SMALL_MAX, why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = m->proto_min > 0 && m->proto_min <= m->proto_max &&
	    m->record_format > 0 && m->engine > 0 &&
	    m->record_format_min <= m->record_format &&
	    m->engine_min <= m->engine &&
	    pb_take(&m->boot_id, out->boot_id, sizeof(out->boot_id)) &&
	    pb_take(&m->digest, out->digest, DIGEST_LEN) &&
	    pb_take_text(&m->build, out->build, sizeof(out->build),
	    PB_CUT);
	out->proto_min = m->proto_min;
	out->proto_max = m->proto_max;
	out->record_format = m->record_format;
	out->record_format_min = m->record_format_min > 0 ?
	    m->record_format_min : m->record_format;
	out->engine = m->engine;
	out->engine_min = m->engine_min > 0 ? m->engine_min : m->engine;
	out->version = m->version;
	TAKE_MARK(m, &out->audit);
	return finish(m, good, out, sizeof(*out), "hello", why);
}

void
ack_encode(const struct ack *in, struct buf *out)
{
	Postern__Ack m = POSTERN__ACK__INIT;
	char detail[sizeof(in->detail)];

	m.accepted = in->accepted;
	m.enforced = in->enforced;
	m.digest = pb_field(in->digest, DIGEST_LEN);
	m.proved = in->proved;
	m.engine = in->engine;
	m.nack = in->nack;
	m.nack_version = in->nack_version;
	memcpy(detail, in->detail, sizeof(detail));
	pb_scrub(detail);
	m.detail = pb_text(detail);
	m.decisions = in->decisions;
	m.refusals = in->refusals;
	m.spool_n = in->spool_n;
	m.events_lost = in->events_lost;
	m.state = in->state;
	m.enforced_us = in->enforced_us;
	m.repairs = in->repairs;
	m.serial = in->serial;
	PUT_MARK(&m, &in->audit);
	m.audit_state = in->audit_state;
	pb_pack(&m, out);
}

int
ack_decode(struct ack *out, struct bytes in, struct diag *why)
{
	Postern__Ack *m = pb_unpack(&postern__ack__descriptor, in,
	    SMALL_MAX, why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = m->nack <= NACK_LAST && m->state <= ACK_STATE_LAST &&
	    m->enforced <= m->accepted && m->engine > 0 &&
	    m->enforced_us >= 0 &&
	    pb_take(&m->digest, out->digest, DIGEST_LEN) &&
	    pb_take_text(&m->detail, out->detail, sizeof(out->detail),
	    PB_CUT);
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
	out->state = good ? (enum ack_state)m->state : ACK_CURRENT;
	out->enforced_us = m->enforced_us;
	out->repairs = m->repairs;
	out->serial = m->serial;
	TAKE_MARK(m, &out->audit);
	out->audit_state = m->audit_state <= AUDIT_STATE_LAST ?
	    (enum audit_state)m->audit_state : AUDIT_UNTOLD;
	return finish(m, good, out, sizeof(*out), "ack", why);
}

const char *
nack_name(enum nack n)
{
	static const char *const names[] = { "none", "signature", "rollback",
	    "digest", "format", "limit", "corrupt", "disk", "engine",
	    "chain", "expired", "crash" };

	return (unsigned)n <= NACK_LAST ? names[n] : "unknown";
}

void
chunk_req_encode(const struct chunk_req *in, struct buf *out)
{
	Postern__ChunkReq m = POSTERN__CHUNK_REQ__INIT;

	m.manifest_id = pb_field(in->manifest_id, HASH_LEN);
	m.first = in->first;
	m.n = in->n;
	pb_pack(&m, out);
}

int
chunk_req_decode(struct chunk_req *out, struct bytes in, struct diag *why)
{
	Postern__ChunkReq *m = pb_unpack(&postern__chunk_req__descriptor, in,
	    SMALL_MAX, why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = m->n > 0 && m->n <= FRAME_CREDIT &&
	    m->first < MANIFEST_CHUNKS_MAX &&
	    m->n <= MANIFEST_CHUNKS_MAX - m->first &&
	    pb_take(&m->manifest_id, out->manifest_id, HASH_LEN);
	out->first = m->first;
	out->n = m->n;
	return finish(m, good, out, sizeof(*out), "chunk request", why);
}

/* --- enrolment ------------------------------------------------------------ */

void
enroll_encode(const struct enroll *in, struct buf *out)
{
	Postern__Enroll m = POSTERN__ENROLL__INIT;

	m.secret = pb_field(in->secret, sizeof(in->secret));
	m.name = pb_text(in->name);
	pb_pack(&m, out);
}

int
enroll_decode(struct enroll *out, struct bytes in, struct diag *why)
{
	Postern__Enroll *m = pb_unpack(&postern__enroll__descriptor, in,
	    FRAME_ENROLL_MAX, why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = pb_take(&m->secret, out->secret, sizeof(out->secret)) &&
	    pb_take_text(&m->name, out->name, sizeof(out->name),
	    PB_REFUSE) && out->name[0] != '\0';
	return finish(m, good, out, sizeof(*out), "enrolment", why);
}

void
enrolled_encode(const struct enrolled *in, struct buf *out)
{
	Postern__Enrolled m = POSTERN__ENROLLED__INIT;

	m.node_id = pb_text(in->node_id);
	m.control = pb_text(in->control);
	m.events = pb_text(in->events);
	m.server_key = pb_field(in->server_key, sizeof(in->server_key));
	m.root_key = pb_field(in->root_key, sizeof(in->root_key));
	m.cert = pb_field(in->cert, in->cert_len);
	pb_pack(&m, out);
}

int
enrolled_decode(struct enrolled *out, struct bytes in, struct diag *why)
{
	Postern__Enrolled *m = pb_unpack(&postern__enrolled__descriptor, in,
	    FRAME_ENROLL_MAX, why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = pb_take_text(&m->node_id, out->node_id, sizeof(out->node_id),
	    PB_REFUSE) &&
	    pb_take_text(&m->control, out->control, sizeof(out->control),
	    PB_REFUSE) &&
	    pb_take_text(&m->events, out->events, sizeof(out->events),
	    PB_REFUSE) &&
	    pb_take(&m->server_key, out->server_key,
	    sizeof(out->server_key)) &&
	    pb_take(&m->root_key, out->root_key, sizeof(out->root_key)) &&
	    out->node_id[0] != '\0' && out->control[0] != '\0' &&
	    out->events[0] != '\0' && m->cert.len > 0 &&
	    m->cert.len <= sizeof(out->cert);
	if (good) {
		memcpy(out->cert, m->cert.data, m->cert.len);
		out->cert_len = m->cert.len;
	}
	return finish(m, good, out, sizeof(*out), "enrolment's answer", why);
}

void
eack_encode(const struct eack *in, struct buf *out)
{
	Postern__Eack m = POSTERN__EACK__INIT;

	m.spool_id = pb_field(in->spool_id, sizeof(in->spool_id));
	m.upto_seq = in->upto_seq;
	pb_pack(&m, out);
}

int
eack_decode(struct eack *out, struct bytes in, struct diag *why)
{
	Postern__Eack *m = pb_unpack(&postern__eack__descriptor, in,
	    SMALL_MAX, why);
	bool good;

	memset(out, 0, sizeof(*out));
	if (m == NULL)
		return ERR_CORRUPT;
	good = pb_take(&m->spool_id, out->spool_id, sizeof(out->spool_id));
	out->upto_seq = m->upto_seq;
	return finish(m, good, out, sizeof(*out), "event ack", why);
}
