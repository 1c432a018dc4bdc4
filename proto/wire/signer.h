/*
 * signer.h - a publisher's key with its certificate: what heads are signed
 * with.
 *
 * Immutable and counted: a thread goes on with the one it holds while another
 * takes its place.  Its file (0600) is two lines of hex, the secret key and
 * the FRAME_CERT, so that one can never stand beside the other's.
 */
#ifndef WIRE_SIGNER_H
#define WIRE_SIGNER_H

#include "proto/wire/keys.h"

#define SIGNER_DAYS 90		/* how long a certificate lasts */
#define SIGNER_DAYS_MAX 397

struct signer;

/* *key (consumed on success) with the certificate that root signs of it:
 * serial, min_serial and not_after_us are about's.  0, ERR_INTERNAL. */
int signer_make(struct signer **out, const struct sign_key *root,
    struct sign_key **key, const struct publisher_cert *about);
/* *key (consumed on success) with a certificate made elsewhere.  0; ERR_AUTH:
 * not root's, or of another key; ERR_CORRUPT, ERR_TIMEOUT as cert_open(). */
int signer_take(struct signer **out, const uint8_t root_pub[SIGN_PUBLIC_LEN],
    struct sign_key **key, struct bytes cert, int64_t now_us,
    struct diag *why);
/* Any thread; ref returns s. */
struct signer *signer_ref(struct signer *s);
void signer_unref(struct signer **s);

/* Its parts, borrowed; cert is the FRAME_CERT. */
const struct sign_key *signer_key(const struct signer *s);
const struct publisher_cert *signer_about(const struct signer *s);
struct bytes signer_cert(const struct signer *s);

/* Replace the file as a whole.  0, ERR_FULL, ERR_IO. */
int signer_save(const struct signer *s, const char *path, struct diag *why);
/* A certificate that has ended is fine.  0; ERR_NOENT; ERR_AUTH: others may
 * read the file, or the certificate is not root's; ERR_CORRUPT, ERR_IO. */
int signer_load(struct signer **out, const char *path,
    const uint8_t root_pub[SIGN_PUBLIC_LEN], struct diag *why);

/* The serial of a new certificate: seconds since 1970, so that it is above
 * any that a restored folder has forgotten, and always above before. */
uint64_t signer_next_serial(uint64_t before, int64_t now_us);

#endif
