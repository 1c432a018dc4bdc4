/*
 * auth.c - bearer tokens: random, hashed at rest, compared in constant time.
 *
 * A row of "api_token" is name -> {"hash": 64 hex digits, "created": time}.
 * A token has 256 random bits, so that a plain hash cannot be searched and a
 * slow one would only cost time at each request.
 */
#include "controller/auth.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controller/audit.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define TABLE "api_token"
#define PREFIX "postern-"
#define SECRET_LEN 32
#define DOMAIN "postern api token 1"	/* keys the hash: of no other use */

struct token { char name[AUTH_NAME_MAX + 1]; uint8_t hash[AUTH_HASH_LEN]; };

struct auth { struct token *token; size_t n, cap; };

struct load { struct auth *a; int err; struct diag *why; };

void
auth_token_new(char out[AUTH_TOKEN_LEN + 1])
{
	uint8_t secret[SECRET_LEN];

	randombytes_buf(secret, sizeof(secret));
	memcpy(out, PREFIX, strlen(PREFIX));
	sodium_bin2base64(out + strlen(PREFIX),
	    AUTH_TOKEN_LEN + 1 - strlen(PREFIX), secret, sizeof(secret),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(secret, sizeof(secret));
}

void
auth_token_hash(const char *token, uint8_t out[AUTH_HASH_LEN])
{
	crypto_generichash(out, AUTH_HASH_LEN, (const uint8_t *)token,
	    strlen(token), (const uint8_t *)DOMAIN, strlen(DOMAIN));
}

static int
row_read(struct token *t, const char *name, const char *json)
{
	json_t *row = json_loads(json, 0, NULL);
	const char *hex = json_string_value(json_object_get(row, "hash"));
	size_t n = 0;
	int err = ERR_CORRUPT;

	if (hex != NULL && strlen(name) <= AUTH_NAME_MAX &&
	    strlen(hex) == 2 * AUTH_HASH_LEN &&
	    sodium_hex2bin(t->hash, sizeof(t->hash), hex, strlen(hex), NULL,
	    &n, NULL) == 0 && n == AUTH_HASH_LEN) {
		strcpy(t->name, name);
		err = 0;
	}
	json_decref(row);
	return err;
}

static void
on_row(void *arg, const char *name, const char *json)
{
	struct load *l = arg;
	struct auth *a = l->a;

	a->token = xgrow(a->token, &a->cap, a->n + 1, sizeof(*a->token));
	if (row_read(&a->token[a->n], name, json) == 0)
		a->n++;
	else if (l->err == 0)
		l->err = diag_set(l->why, ERR_CORRUPT,
		    "the API token \"%.*s\" in the store is damaged",
		    AUTH_NAME_MAX, name);
}

static int
write_row(struct store *s, const char *name, const char *token,
    struct diag *why)
{
	const struct audit_entry e = { .actor = "controller",
	    .role = "controller", .action = "token.create", .object = name };
	uint8_t hash[AUTH_HASH_LEN];
	char hex[2 * AUTH_HASH_LEN + 1], now[CLOCK_TEXT_LEN], json[192];
	const struct store_row row = { TABLE, name, json };

	auth_token_hash(token, hash);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	clock_format(clock_wall_us(), now);
	snprintf(json, sizeof(json), "{\"hash\":\"%s\",\"created\":\"%s\"}",
	    hex, now);
	return store_rows_write(s, &row, 1, &e, why);
}

/* The file comes first: a crash between the two makes another token at the
 * next start, where the other order would leave one that nobody knows. */
static int
make_first(struct store *s, const char *dir, struct diag *why)
{
	char token[AUTH_TOKEN_LEN + 1], line[AUTH_TOKEN_LEN + 2];
	struct buf path;
	int err;

	buf_init(&path, 0);
	buf_printf(&path, "%s/%s", dir, AUTH_TOKEN_FILE);
	auth_token_new(token);
	snprintf(line, sizeof(line), "%s\n", token);
	err = path.err != 0 ? path.err :
	    file_write(path.data, line, strlen(line), 0600, why);
	if (err == 0)
		err = write_row(s, "admin", token, why);
	sodium_memzero(token, sizeof(token));
	sodium_memzero(line, sizeof(line));
	buf_fini(&path);
	return err;
}

static int
load(struct auth *a, struct store *s, struct diag *why)
{
	struct load l = { a, 0, why };
	int err = store_row_scan(s, TABLE, on_row, &l, why);

	return err != 0 ? err : l.err;
}

int
auth_open(struct auth **out, struct store *s, const char *dir,
    struct diag *why)
{
	struct auth *a = xcalloc(1, sizeof(*a));
	int err;

	*out = NULL;
	if (sodium_init() < 0) {
		err = diag_set(why, ERR_INTERNAL, "libsodium does not start");
		goto out;
	}
	err = load(a, s, why);
	if (err == 0 && a->n == 0) {
		err = make_first(s, dir, why);
		if (err == 0)
			err = load(a, s, why);
	}
	if (err == 0) {
		*out = a;
		a = NULL;
	}
out:
	auth_close(&a);
	return err;
}

void
auth_close(struct auth **ap)
{
	if (*ap == NULL)
		return;
	free((*ap)->token);
	free(*ap);
	*ap = NULL;
}

/* What follows "Bearer" and its spaces, or NULL (RFC 6750 section 2.1; the
 * scheme's case does not count, RFC 9110 section 11.1). */
static const char *
bearer(const char *header)
{
	if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
		return NULL;
	header += 7;
	return header + strspn(header, " ");
}

int
auth_check(const struct auth *a, const char *header, const char **name,
    struct diag *why)
{
	const char *token = bearer(header);
	uint8_t hash[AUTH_HASH_LEN];
	const struct token *found = NULL;
	size_t i;

	*name = NULL;
	if (token == NULL)
		return diag_set(why, ERR_AUTH, "no token: send the header "
		    "\"Authorization: Bearer TOKEN\"");
	/* its length is public, and bounds what is hashed */
	if (strlen(token) == AUTH_TOKEN_LEN) {
		auth_token_hash(token, hash);
		for (i = 0; i < a->n; i++)
			if (sodium_memcmp(hash, a->token[i].hash,
			    sizeof(hash)) == 0)
				found = &a->token[i];
		sodium_memzero(hash, sizeof(hash));
	}
	if (found == NULL)
		return diag_set(why, ERR_AUTH, "the token is not known here");
	*name = found->name;
	return 0;
}
