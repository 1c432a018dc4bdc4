/*
 * keys.c - Ed25519 keys in locked memory and 0600 files, certificates of
 * publishers.
 *
 * A certificate's payload: 32 key, u64 serial, i64 not after, u64 lowest
 * serial that is not revoked.
 */
#include "proto/wire/keys.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/frame.h"
#include "proto/wire/sign_impl.h"

struct sign_key {
	uint8_t public_key[SIGN_PUBLIC_LEN];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
};

static struct sign_key *
key_alloc(void)
{
	struct sign_key *k;

	if (sodium_init() < 0)
		return NULL;
	k = sodium_malloc(sizeof(*k));
	if (k != NULL)
		sodium_memzero(k, sizeof(*k));
	return k;
}

int
sign_key_new(struct sign_key **out)
{
	struct sign_key *k = key_alloc();

	*out = k;
	if (k == NULL)
		return ERR_NOMEM;
	return crypto_sign_keypair(k->public_key, k->secret) == 0 ? 0 :
	    ERR_INTERNAL;
}

void
sign_key_free(struct sign_key **k)
{
	if (*k != NULL)
		sodium_free(*k);	/* wipes it */
	*k = NULL;
}

const uint8_t *
sign_key_public(const struct sign_key *k)
{
	return k->public_key;
}

const uint8_t *
sign_key_secret(const struct sign_key *k)
{
	return k->secret;
}

void
sign_key_id(const uint8_t pub[SIGN_PUBLIC_LEN], uint8_t id[SIGN_KEYID_LEN])
{
	uint8_t h[32];

	crypto_generichash(h, sizeof(h), pub, SIGN_PUBLIC_LEN, NULL, 0);
	memcpy(id, h, SIGN_KEYID_LEN);
}

int
sign_key_save(const struct sign_key *k, const char *path, struct diag *why)
{
	char hex[crypto_sign_SECRETKEYBYTES * 2 + 2];
	struct stat st;
	int rc;

	if (stat(path, &st) == 0)
		return diag_set(why, ERR_EXISTS, "key file %s is there "
		    "already: keys are never overwritten", path);
	hex_format(k->secret, sizeof(k->secret), hex);
	hex[sizeof(hex) - 2] = '\n';
	rc = file_write(path, hex, sizeof(hex) - 1, 0600, why);
	sodium_memzero(hex, sizeof(hex));
	return rc;
}

int
sign_key_parse(struct sign_key **out, const char *hex)
{
	struct sign_key *k = key_alloc();

	*out = NULL;
	if (k == NULL)
		return ERR_NOMEM;
	if (hex_parse(hex, k->secret, sizeof(k->secret)) < 0) {
		sign_key_free(&k);
		return ERR_CORRUPT;
	}
	crypto_sign_ed25519_sk_to_pk(k->public_key, k->secret);
	*out = k;
	return 0;
}

int
sign_key_load(struct sign_key **out, const char *path, struct diag *why)
{
	struct buf text;
	int rc;

	*out = NULL;
	buf_init(&text, 4096);
	if ((rc = file_read_secret(path, 4096, &text, why)) < 0)
		goto out;
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[text.len - 1] = '\0';
	rc = text.data == NULL ? ERR_CORRUPT : sign_key_parse(out, text.data);
	if (rc == ERR_NOMEM)
		diag_set(why, rc, "no locked memory for a key");
	else if (rc < 0)
		diag_set(why, rc, "%s holds no key of ours", path);
out:
	if (text.data != NULL)
		sodium_memzero(text.data, text.cap);
	buf_fini(&text);
	return rc;
}

int
sign_public_save(const uint8_t pub[SIGN_PUBLIC_LEN], const char *path,
    struct diag *why)
{
	char hex[SIGN_PUBLIC_LEN * 2 + 2];

	hex_format(pub, SIGN_PUBLIC_LEN, hex);
	hex[sizeof(hex) - 2] = '\n';
	return file_write(path, hex, sizeof(hex) - 1, 0600, why);
}

int
sign_public_load(uint8_t pub[SIGN_PUBLIC_LEN], const char *path,
    struct diag *why)
{
	struct buf text;
	int rc;

	buf_init(&text, 4096);
	rc = file_read(path, 4096, &text, why);
	if (rc == 0 && text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[text.len - 1] = '\0';
	if (rc == 0 && (text.data == NULL || hex_parse(text.data, pub,
	    SIGN_PUBLIC_LEN) < 0))
		rc = diag_set(why, ERR_CORRUPT, "%s holds no public key of "
		    "ours", path);
	buf_fini(&text);
	return rc;
}

int
cert_make(const struct sign_key *root, const struct publisher_cert *c,
    struct buf *out)
{
	struct buf payload;
	int rc;

	buf_init(&payload, 0);
	buf_put(&payload, c->key, sizeof(c->key));
	buf_put_u64(&payload, c->serial);
	buf_put_u64(&payload, (uint64_t)c->not_after_us);
	buf_put_u64(&payload, c->min_serial);
	rc = frame_sign(out, FRAME_CERT, root, payload.data, payload.len);
	buf_fini(&payload);
	return rc;
}

int
cert_open(const uint8_t root_pub[SIGN_PUBLIC_LEN], const void *frame,
    size_t len, int64_t now_us, struct publisher_cert *out,
    struct diag *why)
{
	struct bytes payload;
	const uint8_t *key;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = frame_open(frame, len, FRAME_CERT, root_pub, &payload, why);
	if (rc < 0)
		return diag_prefix(why, rc, "publisher's certificate");
	key = bytes_take(&payload, sizeof(out->key));
	if (key != NULL)
		memcpy(out->key, key, sizeof(out->key));
	out->serial = bytes_u64(&payload);
	out->not_after_us = (int64_t)bytes_u64(&payload);
	out->min_serial = bytes_u64(&payload);
	if (payload.err != 0 || payload.n != 0 || out->serial == 0 ||
	    out->min_serial > out->serial) {
		memset(out, 0, sizeof(*out));
		return diag_set(why, ERR_CORRUPT,
		    "publisher's certificate: malformed");
	}
	if (now_us >= out->not_after_us)
		return diag_set(why, ERR_TIMEOUT, "publisher's certificate "
		    "has expired: sign the publisher's key anew");
	return 0;
}

void
hex_format(const uint8_t *in, size_t len, char *out)
{
	sodium_bin2hex(out, len * 2 + 1, in, len);
}

int
hex_parse(const char *text, uint8_t *out, size_t len)
{
	const char *end;
	size_t n;

	if (strlen(text) != len * 2 || sodium_hex2bin(out, len, text,
	    len * 2, NULL, &n, &end) != 0 || n != len || *end != '\0')
		return ERR_INVAL;
	return 0;
}
