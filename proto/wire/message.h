/*
 * message.h - the payloads of frames as structs, encoded with protobuf-c.
 *
 * Decoded protobuf never leaves message.c: it is unpacked with a capped
 * allocator after a byte limit, checked against ranges, copied and freed.
 * All decode functions: 0, or ERR_CORRUPT with the reason, and then *out is
 * zeroed.  All encode functions append the payload to out; what does not fit
 * shows in out->err.  Texts are UTF-8 without NUL: what is not becomes "?" in
 * free text when encoded and is refused when decoded; names and endpoints
 * that are too long are refused, free text (build, detail) is cut.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"
#include "proto/wire/audit.h"
#include "proto/wire/digest.h"

/* So many that the longest manifest (40 bytes a chunk) fits FRAME_MAX; chunks
 * of 256 KiB on average make 7.8 GiB of records. */
#define MANIFEST_CHUNKS_MAX 32000
#define EVENTS_MAX 1000		/* in one batch */
#define HASH_LEN 32

struct head {
	uint64_t version;		/* from 1; only rises */
	uint8_t digest[DIGEST_LEN];
	uint64_t count;			/* records */
	/* BLAKE2b-256 of the frame of a manifest of this version or of an
	 * older one, from which deltas lead here */
	uint8_t manifest_id[HASH_LEN];
	uint64_t prev_version;
	uint8_t prev_digest[DIGEST_LEN];
	uint32_t record_format, engine;
	int64_t issued_us;
	struct audit_mark audit;	/* zeros: not told, or malformed */
};
void head_encode(const struct head *h, struct buf *out);
int head_decode(struct head *out, struct bytes in, struct diag *why);

struct manifest_chunk { uint8_t hash[HASH_LEN]; uint32_t len, count; };
struct manifest {
	uint64_t version, count, bytes;
	uint8_t digest[DIGEST_LEN];
	uint8_t state[DIGEST_STATE_LEN];	/* digest_save() */
	uint32_t record_format;
	struct manifest_chunk *chunks;		/* owned */
	size_t chunks_n;
};
void manifest_encode(const struct manifest *m, struct buf *out);
/* Checks that lengths and counts add up and stay in limits. */
int manifest_decode(struct manifest *out, struct bytes in, struct diag *why);
void manifest_fini(struct manifest *m);

enum nack { NACK_NONE, NACK_SIGNATURE, NACK_ROLLBACK, NACK_DIGEST,
    NACK_FORMAT, NACK_LIMIT, NACK_CORRUPT, NACK_DISK, NACK_ENGINE,
    NACK_CHAIN,			/* a delta from what is not enforced here */
    NACK_EXPIRED,		/* signed or received after the certificate */
    NACK_CRASH,			/* the node crashed under this version */
    NACK_LAST = NACK_CRASH };
/* "signature", "rollback", ... */
const char *nack_name(enum nack n);

/* How a node stands to the controller's head, the worst first to tell. */
enum ack_state {
	ACK_CURRENT,		/* hears it and takes what it says */
	ACK_STALE,		/* hears no verified head; enforces on */
	ACK_REPAIRING,		/* its set is damaged and fetched anew */
	ACK_HELD,		/* back on an older version after crashes,
				 * until the head moves */
	ACK_STATE_LAST = ACK_HELD
};

struct hello {
	/* the lowest and the highest that it reads and runs */
	uint32_t proto_min, proto_max;
	uint32_t record_format_min, record_format;
	uint32_t engine_min, engine;
	uint8_t boot_id[16];
	uint64_t version;		/* enforced; 0 none */
	uint8_t digest[DIGEST_LEN];
	char build[32];
	struct audit_mark audit;	/* the highest seen */
};
void hello_encode(const struct hello *h, struct buf *out);
int hello_decode(struct hello *out, struct bytes in, struct diag *why);

struct ack {
	uint64_t accepted, enforced;	/* versions */
	uint8_t digest[DIGEST_LEN];	/* of the enforced one */
	bool proved;			/* computed here, not by chunks */
	uint32_t engine;
	enum nack nack;			/* of version nack_version */
	uint64_t nack_version;
	char detail[200];
	uint64_t decisions, refusals, spool_n, events_lost;
	enum ack_state state;
	int64_t enforced_us;		/* since when, by the node's clock; 0:
				 * none or before it started */
	uint64_t repairs;		/* sets found damaged since its start */
	uint64_t serial;		/* of the certificate held; 0: not
					 * told */
	struct audit_mark audit;	/* the highest seen, and .. */
	enum audit_state audit_state;	/* .. what was heard since */
};
void ack_encode(const struct ack *a, struct buf *out);
int ack_decode(struct ack *out, struct bytes in, struct diag *why);

/* n: 1 to FRAME_CREDIT. */
struct chunk_req { uint8_t manifest_id[HASH_LEN]; uint32_t first, n; };
void chunk_req_encode(const struct chunk_req *r, struct buf *out);
int chunk_req_decode(struct chunk_req *out, struct bytes in,
    struct diag *why);
/* FRAME_MANIFEST_REQ holds just a manifest id (32 raw bytes), FRAME_CHUNK
 * u32 index and the chunk's raw bytes.  Deltas: see delta.h. */

struct enroll { uint8_t secret[16]; char name[64]; };
void enroll_encode(const struct enroll *e, struct buf *out);
int enroll_decode(struct enroll *out, struct bytes in, struct diag *why);

struct enrolled {
	char node_id[64];
	char control[128], events[128];	/* endpoints */
	uint8_t server_key[32];		/* CURVE key of both */
	uint8_t root_key[32];
	uint8_t cert[512];		/* a FRAME_CERT */
	size_t cert_len;
};
void enrolled_encode(const struct enrolled *e, struct buf *out);
int enrolled_decode(struct enrolled *out, struct bytes in,
    struct diag *why);

struct events {
	uint8_t spool_id[8];
	uint64_t first_seq;
	size_t n;			/* at most EVENTS_MAX */
	struct bytes *event;		/* owned array, borrowed bytes of in */
};
void events_encode(const struct events *e, struct buf *out);
int events_decode(struct events *out, struct bytes in, struct diag *why);
void events_fini(struct events *e);

struct eack { uint8_t spool_id[8]; uint64_t upto_seq; };
void eack_encode(const struct eack *e, struct buf *out);
int eack_decode(struct eack *out, struct bytes in, struct diag *why);

#endif
