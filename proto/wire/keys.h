/*
 * keys.h - signing keys, the publisher's certificate, join tokens.
 *
 * One root key (Ed25519) signs the publisher key with a scope and an expiry;
 * the publisher signs heads and manifests.  Secret keys live in
 * sodium_malloc memory and in files of mode 0600.
 */
#ifndef WIRE_KEYS_H
#define WIRE_KEYS_H

#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

#define SIGN_PUBLIC_LEN 32
#define SIGN_KEYID_LEN 8	/* first bytes of BLAKE2b-256 of the key */

struct sign_key;		/* a secret key with its public half */

int sign_key_new(struct sign_key **out);
void sign_key_free(struct sign_key **k);
/* The public half, SIGN_PUBLIC_LEN bytes, borrowed. */
const uint8_t *sign_key_public(const struct sign_key *k);
/* Hex text in a 0600 file.  save: never overwrites (ERR_EXISTS). */
int sign_key_save(const struct sign_key *k, const char *path,
    struct diag *why);
int sign_key_load(struct sign_key **out, const char *path, struct diag *why);
/* A public key as hex text in a file, 0600 as all beside it. */
int sign_public_save(const uint8_t pub[SIGN_PUBLIC_LEN], const char *path,
    struct diag *why);
int sign_public_load(uint8_t pub[SIGN_PUBLIC_LEN], const char *path,
    struct diag *why);
void sign_key_id(const uint8_t pub[SIGN_PUBLIC_LEN],
    uint8_t id[SIGN_KEYID_LEN]);

/* Who may sign heads, deltas and manifests, and until when. */
struct publisher_cert {
	uint8_t key[SIGN_PUBLIC_LEN];
	uint64_t serial;		/* only rises */
	uint64_t min_serial;		/* lower ones are revoked; only rises */
	int64_t not_after_us;
};

/* Append a signed certificate frame (FRAME_CERT) to out. */
int cert_make(const struct sign_key *root, const struct publisher_cert *c,
    struct buf *out);
/* Verify, then parse.  0; ERR_AUTH (signature, key); ERR_CORRUPT; ERR_TIMEOUT
 * when now_us is past its end (INT64_MIN: it does not matter). */
int cert_open(const uint8_t root_pub[SIGN_PUBLIC_LEN], const void *frame,
    size_t len, int64_t now_us, struct publisher_cert *out,
    struct diag *why);

#define TOKEN_SECRET_LEN 16

struct join_token {
	char endpoint[128];		/* the controller's enrolment socket */
	uint8_t server_key[32];		/* its CURVE key */
	uint8_t root_hash[32];		/* BLAKE2b-256 of the root public key */
	uint8_t secret[TOKEN_SECRET_LEN];
	int64_t expires_us;
};

/* "postern-join-1." and URL-safe base64 without padding; NUL-terminated. */
void token_format(const struct join_token *t, struct buf *out);
/* 0 or ERR_INVAL with what is wrong (cut off, wrong prefix, checksum). */
int token_parse(const char *text, struct join_token *out, struct diag *why);

/* Lower-case hex.  hex_parse: exactly len bytes, else ERR_INVAL. */
void hex_format(const uint8_t *in, size_t len, char *out);
int hex_parse(const char *text, uint8_t *out, size_t len);

#endif
