/*
 * signer.c - a publisher's key and certificate, together in memory and file.
 */
#include "proto/wire/signer.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/frame.h"
#include "proto/wire/sign_impl.h"

#define SECRET_HEX (crypto_sign_SECRETKEYBYTES * 2)
#define CERT_MAX 512		/* bytes of the frame */

struct signer {
	atomic_uint refs;
	struct sign_key *key;
	struct publisher_cert about;
	struct buf cert;
};

static struct signer *
signer_new(struct sign_key **key)
{
	struct signer *s = xcalloc(1, sizeof(*s));

	atomic_init(&s->refs, 1);
	buf_init(&s->cert, CERT_MAX);
	s->key = *key;
	*key = NULL;
	return s;
}

int
signer_make(struct signer **out, const struct sign_key *root,
    struct sign_key **key, const struct publisher_cert *about)
{
	struct publisher_cert c = *about;
	struct buf cert;
	int rc;

	*out = NULL;
	memcpy(c.key, sign_key_public(*key), sizeof(c.key));
	buf_init(&cert, CERT_MAX);
	if ((rc = cert_make(root, &c, &cert)) < 0) {
		buf_fini(&cert);
		return rc;
	}
	*out = signer_new(key);
	(*out)->about = c;
	(*out)->cert = cert;
	return 0;
}

int
signer_take(struct signer **out, const uint8_t root_pub[SIGN_PUBLIC_LEN],
    struct sign_key **key, struct bytes cert, int64_t now_us,
    struct diag *why)
{
	struct publisher_cert c;
	int rc;

	*out = NULL;
	if (cert.n > CERT_MAX)
		return diag_set(why, ERR_CORRUPT, "the certificate is too "
		    "long");
	if ((rc = cert_open(root_pub, cert.p, cert.n, now_us, &c, why)) < 0)
		return rc;
	if (memcmp(c.key, sign_key_public(*key), sizeof(c.key)) != 0)
		return diag_set(why, ERR_AUTH, "the certificate is of another "
		    "publisher's key");
	*out = signer_new(key);
	(*out)->about = c;
	buf_put(&(*out)->cert, cert.p, cert.n);
	return 0;
}

struct signer *
signer_ref(struct signer *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void
signer_unref(struct signer **sp)
{
	struct signer *s = *sp;

	*sp = NULL;
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	sign_key_free(&s->key);
	buf_fini(&s->cert);
	free(s);
}

const struct sign_key *
signer_key(const struct signer *s)
{
	return s->key;
}

const struct publisher_cert *
signer_about(const struct signer *s)
{
	return &s->about;
}

struct bytes
signer_cert(const struct signer *s)
{
	return bytes_of(s->cert.data, s->cert.len);
}

int
signer_save(const struct signer *s, const char *path, struct diag *why)
{
	char text[SECRET_HEX + 1 + CERT_MAX * 2 + 2];
	size_t n;
	int rc;

	hex_format(sign_key_secret(s->key), SECRET_HEX / 2, text);
	text[SECRET_HEX] = '\n';
	hex_format((const uint8_t *)s->cert.data, s->cert.len,
	    text + SECRET_HEX + 1);
	n = strlen(text);
	text[n++] = '\n';
	rc = file_write(path, text, n, 0600, why);
	sodium_memzero(text, sizeof(text));
	return rc;
}

/* Two lines of hex into a key and a frame. */
static int
parse(char *text, struct sign_key **key, struct buf *cert)
{
	char *second = strchr(text, '\n'), *end;
	uint8_t raw[CERT_MAX];
	size_t n;

	if (second == NULL || (end = strchr(second + 1, '\n')) == NULL ||
	    end[1] != '\0')
		return ERR_CORRUPT;
	*second++ = *end = '\0';
	n = (size_t)(end - second) / 2;
	if (n > sizeof(raw) || hex_parse(second, raw, n) < 0 ||
	    sign_key_parse(key, text) < 0)
		return ERR_CORRUPT;
	buf_put(cert, raw, n);
	return 0;
}

int
signer_load(struct signer **out, const char *path,
    const uint8_t root_pub[SIGN_PUBLIC_LEN], struct diag *why)
{
	struct sign_key *key = NULL;
	struct buf text, cert;
	int rc;

	*out = NULL;
	buf_init(&text, 4096);
	buf_init(&cert, CERT_MAX);
	if ((rc = file_read_secret(path, 4096, &text, why)) == 0) {
		if (text.data == NULL || parse(text.data, &key, &cert) < 0)
			rc = diag_set(why, ERR_CORRUPT, "%s holds no key and "
			    "certificate of a publisher", path);
		else if ((rc = signer_take(out, root_pub, &key, bytes_of(
		    cert.data, cert.len), INT64_MIN, why)) < 0)
			diag_prefix(why, rc, "%s", path);
	}
	if (text.data != NULL)
		sodium_memzero(text.data, text.cap);
	buf_fini(&text);
	buf_fini(&cert);
	sign_key_free(&key);
	return rc;
}

uint64_t
signer_next_serial(uint64_t before, int64_t now_us)
{
	uint64_t now = now_us > 0 ? (uint64_t)now_us / 1000000 : 1;

	return now > before ? now : before + 1;
}
