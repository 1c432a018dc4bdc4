/*
 * identity.c - identity.json and the ratchet file.
 */
#include "node/identity.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/base/file.h"

#define PATH_LEN 1100
#define FILE_MAX (16 * 1024)

struct node_identity *
identity_new(void)
{
	struct node_identity *id = sodium_malloc(sizeof(*id));

	if (id == NULL)
		abort();
	memset(id, 0, sizeof(*id));
	return id;
}

void
identity_free(struct node_identity **id)
{
	sodium_free(*id);
	*id = NULL;
}

static void
path_of(const char *dir, const char *name, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/%s", dir, name);
}

/* A text member into out (cap bytes with NUL). */
static int
get_text(const json_t *o, const char *name, char *out, size_t cap)
{
	const char *s = json_string_value(json_object_get(o, name));

	if (s == NULL || strlen(s) >= cap)
		return ERR_CORRUPT;
	strcpy(out, s);
	return 0;
}

static int
get_hex(const json_t *o, const char *name, uint8_t *out, size_t len)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s == NULL || hex_parse(s, out, len) < 0 ? ERR_CORRUPT : 0;
}

static int
get_cert(const json_t *o, struct node_identity *out)
{
	const char *s = json_string_value(json_object_get(o, "cert"));

	if (s == NULL || strlen(s) / 2 > sizeof(out->cert))
		return ERR_CORRUPT;
	out->cert_len = strlen(s) / 2;
	return get_hex(o, "cert", out->cert, out->cert_len);
}

int
identity_load(struct node_identity *out, const char *dir, struct diag *why)
{
	char path[PATH_LEN];
	struct buf text;
	json_t *o = NULL;
	int rc;

	path_of(dir, "identity.json", path);
	buf_init(&text, FILE_MAX);
	if ((rc = file_read_secret(path, FILE_MAX, &text, why)) < 0)
		goto out;
	o = json_loadb(text.data == NULL ? "" : text.data, text.len, 0, NULL);
	if (o == NULL || get_text(o, "id", out->id, sizeof(out->id)) < 0 ||
	    get_text(o, "control", out->control,
	    sizeof(out->control)) < 0 ||
	    get_text(o, "events", out->events, sizeof(out->events)) < 0 ||
	    get_hex(o, "secret", out->secret, sizeof(out->secret)) < 0 ||
	    get_hex(o, "server_key", out->server_key,
	    sizeof(out->server_key)) < 0 ||
	    get_hex(o, "root", out->root, sizeof(out->root)) < 0 ||
	    get_cert(o, out) < 0)
		rc = diag_set(why, ERR_CORRUPT, "%s is damaged; remove it "
		    "and join again with a new token", path);
out:
	json_decref(o);
	if (text.data != NULL)
		sodium_memzero(text.data, text.len);
	buf_fini(&text);
	return rc;
}

int
identity_save(const struct node_identity *id, const char *dir, struct diag *why)
{
	char path[PATH_LEN], secret[65], server[65], root[65], cert[1025];
	char *text;
	json_t *o;
	int rc;

	path_of(dir, "identity.json", path);
	hex_format(id->secret, sizeof(id->secret), secret);
	hex_format(id->server_key, sizeof(id->server_key), server);
	hex_format(id->root, sizeof(id->root), root);
	hex_format(id->cert, id->cert_len, cert);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", id->id,
	    "control", id->control, "events", id->events, "server_key",
	    server, "root", root, "cert", cert, "secret", secret);
	text = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	sodium_memzero(secret, sizeof(secret));
	if (text == NULL)
		return diag_set(why, ERR_INTERNAL, "identity is no text");
	rc = file_write(path, text, strlen(text), 0600, why);
	sodium_memzero(text, strlen(text));
	free(text);
	return rc;
}

int
ratchet_load(const char *dir, uint64_t *version, struct diag *why)
{
	char path[PATH_LEN];
	unsigned long long v;
	struct buf text;
	int rc, used = 0;

	*version = 0;
	path_of(dir, "ratchet", path);
	buf_init(&text, 64);
	rc = file_read(path, 64, &text, why);
	if (rc == ERR_NOENT)
		rc = 0;
	else if (rc == 0 && (text.len == 0 || sscanf(text.data, "%20llu\n%n",
	    &v, &used) != 1 || (size_t)used != text.len))
		rc = diag_set(why, ERR_CORRUPT, "%s is damaged: it should "
		    "hold one number", path);
	else if (rc == 0)
		*version = v;
	buf_fini(&text);
	return rc;
}

int
ratchet_save(const char *dir, uint64_t version, struct diag *why)
{
	char path[PATH_LEN], text[32];

	path_of(dir, "ratchet", path);
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)version);
	return file_write(path, text, strlen(text), 0600, why);
}
