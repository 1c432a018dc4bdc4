/*
 * keyring.c - the files of DIR/keys.
 *
 * A rotation replaces publisher.key as a whole; what is left of next.key
 * after a crash is made anew by the next request.
 */
#include "controller/keyring.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define DAY_US ((int64_t)86400 * 1000000)
#define PATH_LEN 4200

struct keyring {
	char dir[4096];
	struct sign_key *root;		/* NULL: kept elsewhere */
	uint8_t root_pub[SIGN_PUBLIC_LEN];
	struct signer *signer;
	struct sign_key *next;		/* asked for; NULL: none */
	uint8_t *curve;			/* sodium_malloc */
	uint64_t heard;			/* highest serial that nodes hold */
};

static void
path_of(const struct keyring *k, const char *name, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/%s", k->dir, name);
}

/* Text that may be absent: 0 and *out, or NULL. */
static int
load_key(const struct keyring *k, const char *name, struct sign_key **out,
    struct diag *why)
{
	char path[PATH_LEN];
	int rc;

	path_of(k, name, path);
	rc = sign_key_load(out, path, why);
	return rc == ERR_NOENT ? 0 : rc;
}

static int
load_curve(struct keyring *k, struct diag *why)
{
	char path[PATH_LEN], hex[SOCK_KEY_LEN * 2 + 1];
	uint8_t pub[SOCK_KEY_LEN];
	struct buf text;
	int rc;

	path_of(k, "curve.key", path);
	buf_init(&text, 4096);
	rc = file_read_secret(path, 4096, &text, why);
	if (rc == ERR_NOENT) {
		sock_keypair(pub, k->curve);
		hex_format(k->curve, SOCK_KEY_LEN, hex);
		rc = file_write(path, hex, strlen(hex), 0600, why);
		sodium_memzero(hex, sizeof(hex));
	} else if (rc == 0 && (text.data == NULL || hex_parse(text.data,
	    k->curve, SOCK_KEY_LEN) < 0))
		rc = diag_set(why, ERR_CORRUPT, "%s holds no key", path);
	if (text.data != NULL)
		sodium_memzero(text.data, text.cap);
	buf_fini(&text);
	return rc;
}

/* The root's public key: beside its secret one, or alone. */
static int
load_root(struct keyring *k, bool *found, struct diag *why)
{
	uint8_t pub[SIGN_PUBLIC_LEN];
	char path[PATH_LEN];
	int rc;

	if ((rc = load_key(k, "root.key", &k->root, why)) < 0)
		return rc;
	path_of(k, "root.pub", path);
	rc = sign_public_load(pub, path, why);
	if (rc < 0 && rc != ERR_NOENT)
		return rc;
	*found = rc == 0 || k->root != NULL;
	if (k->root == NULL) {
		memcpy(k->root_pub, pub, sizeof(pub));
		return 0;
	}
	memcpy(k->root_pub, sign_key_public(k->root), SIGN_PUBLIC_LEN);
	if (rc == ERR_NOENT)
		return sign_public_save(k->root_pub, path, why);
	return memcmp(pub, k->root_pub, sizeof(pub)) == 0 ? 0 :
	    diag_set(why, ERR_CORRUPT, "%s is not the public half of root.key "
	    "beside it", path);
}

/* Neither half is there: a folder that is new. */
static int
make_root(struct keyring *k, struct diag *why)
{
	char path[PATH_LEN];
	int rc;

	if (sign_key_new(&k->root) < 0)
		return diag_set(why, ERR_NOMEM, "cannot make a key");
	memcpy(k->root_pub, sign_key_public(k->root), SIGN_PUBLIC_LEN);
	path_of(k, "root.key", path);
	if ((rc = sign_key_save(k->root, path, why)) < 0)
		return rc;
	path_of(k, "root.pub", path);
	return sign_public_save(k->root_pub, path, why);
}

static int
make_signer(struct keyring *k, struct sign_key **key,
    const struct publisher_cert *about, struct diag *why)
{
	struct signer *s;
	char path[PATH_LEN];
	int rc;

	if ((rc = signer_make(&s, k->root, key, about)) < 0)
		return diag_set(why, rc, "the publisher's key cannot be "
		    "signed");
	path_of(k, "publisher.key", path);
	if ((rc = signer_save(s, path, why)) < 0) {
		signer_unref(&s);
		return rc;
	}
	signer_unref(&k->signer);
	k->signer = s;
	return 0;
}

static int
load_signer(struct keyring *k, struct diag *why)
{
	int64_t now = clock_wall_us();
	struct publisher_cert about = { .serial = signer_next_serial(0, now),
	    .not_after_us = now + SIGNER_DAYS * DAY_US };
	struct sign_key *key = NULL;
	char path[PATH_LEN];
	int rc;

	path_of(k, "publisher.key", path);
	rc = signer_load(&k->signer, path, k->root_pub, why);
	if (rc != ERR_NOENT)
		return rc;
	if (k->root == NULL)
		return diag_set(why, rc, "%s is missing, and the root key is "
		    "not here to sign one: \"postern key make\" makes both",
		    path);
	if (sign_key_new(&key) < 0)
		return diag_set(why, ERR_NOMEM, "cannot make a key");
	rc = make_signer(k, &key, &about, why);
	sign_key_free(&key);
	return rc;
}

int
keyring_open(struct keyring **out, const char *dir, struct diag *why)
{
	struct keyring *k = xcalloc(1, sizeof(*k));
	bool found = false;
	int rc;

	*out = NULL;
	snprintf(k->dir, sizeof(k->dir), "%s/keys", dir);
	k->curve = sodium_malloc(SOCK_KEY_LEN);
	if (k->curve == NULL)
		rc = diag_set(why, ERR_NOMEM, "no locked memory for a key");
	else if ((rc = file_mkdirs(k->dir, 0700, why)) == 0 &&
	    (rc = load_curve(k, why)) == 0)
		rc = load_root(k, &found, why);
	if (rc == 0 && !found)
		rc = make_root(k, why);
	if (rc == 0 && (rc = load_signer(k, why)) == 0)
		rc = load_key(k, "next.key", &k->next, why);
	if (rc < 0)
		keyring_close(&k);
	*out = k;
	return rc;
}

void
keyring_close(struct keyring **kp)
{
	struct keyring *k = *kp;

	if (k == NULL)
		return;
	sign_key_free(&k->root);
	sign_key_free(&k->next);
	signer_unref(&k->signer);
	if (k->curve != NULL)
		sodium_free(k->curve);
	free(k);
	*kp = NULL;
}

const uint8_t *
keyring_root(const struct keyring *k)
{
	return k->root_pub;
}

const uint8_t *
keyring_curve(const struct keyring *k)
{
	return k->curve;
}

bool
keyring_has_root_key(const struct keyring *k)
{
	return k->root != NULL;
}

struct signer *
keyring_signer(const struct keyring *k)
{
	return k->signer;
}

int64_t
keyring_days(const struct keyring *k, int64_t now_us)
{
	int64_t left = signer_about(k->signer)->not_after_us - now_us;

	return left < 0 ? -1 - (-left - 1) / DAY_US : left / DAY_US;
}

bool
keyring_is_due(const struct keyring *k, int64_t now_us)
{
	return keyring_days(k, now_us) < KEYRING_WARN_DAYS;
}

void
keyring_heard(struct keyring *k, uint64_t serial, int64_t now_us)
{
	if (serial > k->heard &&
	    serial < signer_next_serial(0, now_us) + KEYRING_AHEAD_S)
		k->heard = serial;
}

static void
next_about(const struct keyring *k, int64_t now_us, int days, bool revoke,
    struct publisher_cert *about)
{
	const struct publisher_cert *old = signer_about(k->signer);
	/* after a restore nodes may hold what this folder does not know */
	uint64_t before = k->heard > old->serial ? k->heard : old->serial;

	memset(about, 0, sizeof(*about));
	about->serial = signer_next_serial(before, now_us);
	about->min_serial = revoke ? about->serial : old->min_serial;
	about->not_after_us = now_us + days * DAY_US;
}

/* Drop the key that waits, in memory and in its file. */
static int
drop_next(struct keyring *k, struct diag *why)
{
	char path[PATH_LEN];

	sign_key_free(&k->next);
	path_of(k, "next.key", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return diag_set(why, err_from_errno(errno), "%s: %s", path,
		    strerror(errno));
	return 0;
}

int
keyring_request(struct keyring *k, int64_t now_us, int days, bool revoke,
    struct publisher_cert *about, struct diag *why)
{
	char path[PATH_LEN];
	int rc;

	if ((rc = drop_next(k, why)) < 0)
		return rc;
	if (sign_key_new(&k->next) < 0)
		return diag_set(why, ERR_NOMEM, "cannot make a key");
	path_of(k, "next.key", path);
	if ((rc = sign_key_save(k->next, path, why)) < 0) {
		sign_key_free(&k->next);
		return rc;
	}
	next_about(k, now_us, days, revoke, about);
	memcpy(about->key, sign_key_public(k->next), sizeof(about->key));
	return 0;
}

int
keyring_install(struct keyring *k, struct bytes cert, int64_t now_us,
    struct diag *why)
{
	const struct publisher_cert *old = signer_about(k->signer), *new;
	struct signer *s;
	char path[PATH_LEN];
	int rc;

	if (k->next == NULL)
		return diag_set(why, ERR_NOENT, "no certificate was asked "
		    "for: begin with \"postern key rotate --request FILE\"");
	path_of(k, "next.key", path);
	rc = signer_take(&s, k->root_pub, &k->next, cert, now_us, why);
	if (rc < 0)
		return rc;
	new = signer_about(s);
	if (new->serial <= old->serial || new->min_serial < old->min_serial)
		rc = diag_set(why, ERR_CONFLICT, "the certificate's serial is "
		    "not above the one in force: ask for a new one");
	else {
		path_of(k, "publisher.key", path);
		rc = signer_save(s, path, why);
	}
	if (rc < 0) {
		signer_unref(&s);
		path_of(k, "next.key", path);
		sign_key_load(&k->next, path, NULL);
		return rc;
	}
	signer_unref(&k->signer);
	k->signer = s;
	drop_next(k, NULL);
	return 0;
}

int
keyring_rotate(struct keyring *k, int64_t now_us, int days, bool revoke,
    struct diag *why)
{
	struct publisher_cert about;
	struct sign_key *key = NULL;
	int rc;

	if (k->root == NULL)
		return diag_set(why, ERR_NOENT, "the root key is not on the "
		    "controller: name its file with --root, or sign a "
		    "--request of \"postern key rotate\" where it is");
	if (sign_key_new(&key) < 0)
		return diag_set(why, ERR_NOMEM, "cannot make a key");
	next_about(k, now_us, days, revoke, &about);
	rc = make_signer(k, &key, &about, why);
	sign_key_free(&key);
	return rc;
}
