/*
 * keyring.h - the controller's keys: its CURVE secret, the root's public key,
 * and the publisher's key with its certificate.
 *
 * DIR/keys:
 *	curve.key	hex; of all three sockets of the fleet
 *	root.pub	hex; whom nodes trust for ever
 *	publisher.key	see signer.h
 *	root.key	hex; may be kept elsewhere: then it is needed to rotate
 *	next.key	hex; a publisher's key that waits for its certificate
 *
 * An empty folder gets all of them.  All functions need the controller's
 * lock; the signers they give out do not.
 */
#ifndef CONTROLLER_KEYRING_H
#define CONTROLLER_KEYRING_H

#include <stdbool.h>

#include "proto/base/sock.h"
#include "proto/wire/signer.h"

#define KEYRING_WARN_DAYS 30	/* left of a certificate: rotate, or warn */
#define KEYRING_AHEAD_S (365 * 86400)

struct keyring;

/* Read or make them.  0; ERR_NOENT: the root's public key is here, and no
 * publisher's key; ERR_AUTH, ERR_CORRUPT, ERR_FULL, ERR_IO. */
int keyring_open(struct keyring **out, const char *dir, struct diag *why);
void keyring_close(struct keyring **k);

/* SIGN_PUBLIC_LEN and SOCK_KEY_LEN bytes, borrowed. */
const uint8_t *keyring_root(const struct keyring *k);
const uint8_t *keyring_curve(const struct keyring *k);
bool keyring_has_root_key(const struct keyring *k);
/* The signer in force, borrowed until the next rotation. */
struct signer *keyring_signer(const struct keyring *k);
/* Days until the certificate ends, rounded down; below 0: it has ended. */
int64_t keyring_days(const struct keyring *k, int64_t now_us);
/* Is it time to rotate, or to warn? */
bool keyring_is_due(const struct keyring *k, int64_t now_us);

/* Nodes hold a certificate of this serial (0: none): the next one is above it,
 * unless it lies KEYRING_AHEAD_S beyond the clock, which only a lie does. */
void keyring_heard(struct keyring *k, uint64_t serial, int64_t now_us);

/* A new certificate of a fresh key is to be signed elsewhere: about says what
 * it is to hold.  revoke: it revokes all before it. */
int keyring_request(struct keyring *k, int64_t now_us, int days, bool revoke,
    struct publisher_cert *about, struct diag *why);
/*
 * Take the certificate of the key that keyring_request() made; from now on it
 * is the signer.  0; ERR_NOENT: none was asked for; ERR_AUTH: not the root's,
 * or of another key; ERR_CONFLICT: its serials are not above those in force;
 * ERR_CORRUPT, ERR_TIMEOUT, ERR_FULL, ERR_IO: all is as before.
 */
int keyring_install(struct keyring *k, struct bytes cert, int64_t now_us,
    struct diag *why);
/* Both, with the root key that is here.  ERR_NOENT: it is not here. */
int keyring_rotate(struct keyring *k, int64_t now_us, int days, bool revoke,
    struct diag *why);

#endif
