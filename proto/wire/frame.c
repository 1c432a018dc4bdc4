/*
 * frame.c - puts frames together and takes them apart, signature first.
 */
#include "proto/wire/frame.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/wire/sign_impl.h"

#define HEAD_LEN FRAME_SIGNED_LEN

_Static_assert(HEAD_LEN == 1 + SIGN_KEYID_LEN + crypto_sign_BYTES,
    "type, key id, signature");

/* The name under which a type is signed; NULL when it is not. */
static const char *
signed_name(uint8_t type)
{
	switch (type) {
	case FRAME_CERT:
		return "cert";
	case FRAME_HEAD:
		return "head";
	case FRAME_MANIFEST:
		return "manifest";
	case FRAME_DELTA:
		return "delta";
	default:
		return NULL;
	}
}

bool
frame_is_signed(uint8_t type)
{
	return signed_name(type) != NULL;
}

uint8_t
frame_type(const void *data, size_t len)
{
	uint8_t type = len == 0 ? 0 : *(const uint8_t *)data;

	return (type >= FRAME_CERT && type <= FRAME_DELTA_GONE) ||
	    (type >= FRAME_HELLO && type <= FRAME_DELTA_REQ) ? type : 0;
}

void
frame_begin(struct buf *out, enum frame_type type)
{
	buf_put_u8(out, type);
}

/* The bytes under the signature: domain, type's name, NUL, payload. */
static int
signed_bytes(struct buf *b, uint8_t type, const void *payload, size_t len)
{
	buf_init(b, 0);
	buf_puts(b, "postern/1/");
	buf_puts(b, signed_name(type));
	buf_putc(b, '\0');
	buf_put(b, payload, len);
	return b->err;
}

int
frame_sign(struct buf *out, enum frame_type type, const struct sign_key *key,
    const void *payload, size_t len)
{
	uint8_t sig[crypto_sign_BYTES], id[SIGN_KEYID_LEN];
	struct buf b;
	int rc = ERR_INTERNAL;

	if (!frame_is_signed((uint8_t)type))
		return ERR_INTERNAL;
	if (signed_bytes(&b, (uint8_t)type, payload, len) == 0 &&
	    crypto_sign_detached(sig, NULL, (const uint8_t *)b.data, b.len,
	    sign_key_secret(key)) == 0)
		rc = 0;
	buf_fini(&b);
	if (rc < 0)
		return rc;
	sign_key_id(sign_key_public(key), id);
	buf_put_u8(out, (uint8_t)type);
	buf_put(out, id, sizeof(id));
	buf_put(out, sig, sizeof(sig));
	buf_put(out, payload, len);
	return out->err == 0 ? 0 : ERR_INTERNAL;
}

int
frame_open(const void *data, size_t len, enum frame_type type,
    const uint8_t pub[SIGN_PUBLIC_LEN], struct bytes *payload,
    struct diag *why)
{
	const uint8_t *p = data;
	uint8_t id[SIGN_KEYID_LEN];
	struct buf b;
	int bad;

	*payload = bytes_of(NULL, 0);
	if (!frame_is_signed((uint8_t)type))
		return diag_set(why, ERR_AUTH, "this type is never signed");
	if (len < HEAD_LEN)
		return diag_set(why, ERR_CORRUPT,
		    "frame of %zu bytes is too short for a signature", len);
	if (p[0] != type)
		return diag_set(why, ERR_AUTH,
		    "frame of type %u where %u was expected", p[0], type);
	sign_key_id(pub, id);
	if (sodium_memcmp(id, p + 1, sizeof(id)) != 0)
		return diag_set(why, ERR_AUTH,
		    "signed by a key that is not trusted here");
	bad = signed_bytes(&b, (uint8_t)type, p + HEAD_LEN,
	    len - HEAD_LEN) < 0 ||
	    crypto_sign_verify_detached(p + 1 + SIGN_KEYID_LEN,
	    (const uint8_t *)b.data, b.len, pub) != 0;
	buf_fini(&b);
	if (bad)
		return diag_set(why, ERR_AUTH, "the signature is wrong");
	*payload = bytes_of(p + HEAD_LEN, len - HEAD_LEN);
	return 0;
}

int
frame_payload(const void *data, size_t len, enum frame_type type,
    struct bytes *payload)
{
	const uint8_t *p = data;

	if (len == 0 || p[0] != type || frame_is_signed((uint8_t)type))
		return ERR_CORRUPT;
	*payload = bytes_of(p + 1, len - 1);
	return 0;
}
