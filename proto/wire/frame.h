/*
 * frame.h - the frames between controller and node: types, limits, signed
 * and plain forms.  PROTOCOL.md states them byte by byte.
 *
 *	signed	u8 type, 8 key id, 64 Ed25519 signature, payload
 *	plain	u8 type, payload
 *
 * The signature covers "postern/1/" type-name NUL and the exact payload
 * bytes; frame_open() verifies before anything of the payload is read, and
 * there is no way to open a signed type without a key.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"
#include "proto/wire/keys.h"

#define WIRE_PROTOCOL 1
#define FRAME_MAX (1280 * 1024)		/* control socket */
#define FRAME_EVENTS_MAX (256 * 1024)	/* event socket */
#define FRAME_ENROLL_MAX 4096
#define FRAME_SIGNED_LEN 73		/* what stands before its payload */
#define FRAME_CREDIT 8			/* chunks asked for and not yet here */

enum frame_type {
	/* controller to node */
	FRAME_CERT = 1,		/* signed by root: publisher certificate */
	FRAME_HEAD = 2,		/* signed: also the beat, once a second */
	FRAME_MANIFEST = 3,	/* signed */
	FRAME_CHUNK = 4,	/* plain: its hash stands in the manifest */
	FRAME_EACK = 5,
	FRAME_ENROLLED = 6,
	FRAME_REFUSED = 7,	/* why, as text */
	FRAME_DELTA = 8,	/* signed: see delta.h */
	FRAME_DELTA_GONE = 9,	/* plain: no delta leads on from there */
	/* node to controller */
	FRAME_HELLO = 32,
	FRAME_MANIFEST_REQ = 33,
	FRAME_CHUNK_REQ = 34,
	FRAME_ACK = 35,		/* also NACK: reason not 0; sent once a second
				 * and after each change */
	FRAME_EVENTS = 36,
	FRAME_ENROLL = 37,
	FRAME_DELTA_REQ = 38,	/* plain: what follows a version */
};

/* Is this a type that only opens under a key? */
bool frame_is_signed(uint8_t type);
/* The type of a frame, 0 when empty or unknown. */
uint8_t frame_type(const void *data, size_t len);

/* Append a plain frame's head; the payload follows. */
void frame_begin(struct buf *out, enum frame_type type);
/* Append a whole signed frame.  0 or ERR_INTERNAL. */
int frame_sign(struct buf *out, enum frame_type type,
    const struct sign_key *key, const void *payload, size_t len);
/*
 * Verify a signed frame of this very type under pub; *payload borrows from
 * data.  0; ERR_AUTH: stripped, wrong key, wrong type or a changed byte;
 * ERR_CORRUPT: too short.
 */
int frame_open(const void *data, size_t len, enum frame_type type,
    const uint8_t pub[SIGN_PUBLIC_LEN], struct bytes *payload,
    struct diag *why);
/* The payload of a plain frame of this type; 0 or ERR_CORRUPT. */
int frame_payload(const void *data, size_t len, enum frame_type type,
    struct bytes *payload);

#endif
