/*
 * auth.h - who may call the HTTP API: bearer tokens.
 *
 * A token is random and shown once; what is stored is its BLAKE2b-256 (row
 * of the store's table "api_token"), so that a copy of the data folder opens
 * nothing.
 */
#ifndef CONTROLLER_AUTH_H
#define CONTROLLER_AUTH_H

#include <stdint.h>

#include "controller/store.h"
#include "proto/base/diag.h"

#define AUTH_TOKEN_LEN 51	/* "postern-" and 32 random bytes in base64 */
#define AUTH_NAME_MAX 63
#define AUTH_HASH_LEN 32
#define AUTH_TOKEN_FILE "admin.token"

struct auth;

/*
 * Read the tokens of s.  When there is none yet, make the one named "admin",
 * write it to dir/AUTH_TOKEN_FILE (0600) and store its hash.  s is used by
 * this call only.  0, ERR_CORRUPT when a row cannot be read, ERR_FULL, ERR_IO.
 */
int auth_open(struct auth **out, struct store *s, const char *dir,
    struct diag *why);
void auth_close(struct auth **a);

/*
 * Whose token stands in header, the value of "Authorization" (NULL: absent).
 * The time taken does not depend on how much of a token is right.  Any thread.
 * 0 and the name (borrowed from a) in *name, or ERR_AUTH.
 */
int auth_check(const struct auth *a, const char *header, const char **name,
    struct diag *why);

/* A fresh token into out, NUL-terminated; wipe it after use. */
void auth_token_new(char out[AUTH_TOKEN_LEN + 1]);
/* What is kept of it. */
void auth_token_hash(const char *token, uint8_t out[AUTH_HASH_LEN]);

#endif
