/*
 * cmd_key.c - postern key: the root's and the publisher's key.
 *
 * The root key need not be where the controller is.  The secret half of a
 * publisher's key is made on the controller and stays there; what travels is
 * a request (JSON, no secret in it) one way and a certificate (hex) the other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/signer.h"

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])
#define DAY_US ((int64_t)86400 * 1000000)
#define TEXT_MAX 8192

static const struct column show_columns[] = {
	{ "serial", "serial" }, { "ends", "until" }, { "days left", "days" },
	{ "revoked below", "min_serial" },
	{ "root key is on the controller", "root_key_here" },
	{ "root", "root" }, { "nodes have a newer one", "behind_nodes" },
};

static int
failed(int rc, const struct diag *why)
{
	return fail(rc == ERR_NOENT ? CLI_NOT_FOUND : rc == ERR_EXISTS ?
	    CLI_CONFLICT : rc == ERR_AUTH ? CLI_DENIED : CLI_DIFFERS, "%s",
	    why->text);
}

static int
days_of(const struct flags *f, long long *days)
{
	if (flag_number(f, "days", SIGNER_DAYS, days) != 0)
		return CLI_USAGE;
	if (*days >= 1 && *days <= SIGNER_DAYS_MAX)
		return CLI_OK;
	fprintf(stderr, "postern: --days is from 1 to %d\n", SIGNER_DAYS_MAX);
	return CLI_USAGE;
}

/* Root and publisher into a folder that has none. */
static int
make_pair(const char *dir, int days, struct diag *why)
{
	int64_t now = clock_wall_us();
	struct publisher_cert about = { .serial = signer_next_serial(0, now),
	    .not_after_us = now + days * DAY_US };
	struct sign_key *root = NULL, *key = NULL;
	struct signer *s = NULL;
	char path[4200];
	int rc;

	if ((rc = file_mkdirs(dir, 0700, why)) < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/root.key", dir);
	if (sign_key_new(&root) < 0 || sign_key_new(&key) < 0)
		rc = diag_set(why, ERR_NOMEM, "no locked memory for a key");
	else if ((rc = sign_key_save(root, path, why)) == 0) {
		snprintf(path, sizeof(path), "%s/root.pub", dir);
		rc = sign_public_save(sign_key_public(root), path, why);
	}
	if (rc == 0 && (rc = signer_make(&s, root, &key, &about)) == 0) {
		snprintf(path, sizeof(path), "%s/publisher.key", dir);
		rc = signer_save(s, path, why);
	}
	signer_unref(&s);
	sign_key_free(&root);
	sign_key_free(&key);
	return rc;
}

static int
key_make(struct flags *f)
{
	long long days;
	struct diag why = { "" };
	int rc;

	if ((rc = days_of(f, &days)) != CLI_OK)
		return rc;
	if ((rc = make_pair(f->args[0], (int)days, &why)) < 0)
		return failed(rc, &why);
	fprintf(stderr, "Before the controller's first start, put root.pub "
	    "and publisher.key of\n%s into the folder keys/ of its data "
	    "folder (mode 0700).  Keep root.key\naway from it: it is needed "
	    "within %lld days, for \"postern key rotate\".\n", f->args[0],
	    days);
	return CLI_OK;
}

static int
key_show(struct flags *f)
{
	json_t *answer;
	int rc = client_call(f, "GET", "/v1/keys", NULL, &answer);

	if (rc != CLI_OK)
		return rc;
	output_object(f, answer, COLUMNS(show_columns));
	json_decref(answer);
	return CLI_OK;
}

/* --- signing, where the root key is --- */

static int
read_request(const json_t *o, const struct sign_key *root,
    struct publisher_cert *c, struct diag *why)
{
	const char *key = json_string_value(json_object_get(o, "key"));
	const char *hex = json_string_value(json_object_get(o, "root"));
	uint8_t pub[SIGN_PUBLIC_LEN];

	c->serial = (uint64_t)json_integer_value(json_object_get(o,
	    "serial"));
	c->min_serial = (uint64_t)json_integer_value(json_object_get(o,
	    "min_serial"));
	c->not_after_us = json_integer_value(json_object_get(o,
	    "not_after_us"));
	if (key == NULL || hex == NULL || c->serial == 0 ||
	    hex_parse(key, c->key, sizeof(c->key)) < 0 ||
	    hex_parse(hex, pub, sizeof(pub)) < 0)
		return diag_set(why, ERR_INVAL, "this is no request of "
		    "\"postern key rotate --request\"");
	if (memcmp(pub, sign_key_public(root), sizeof(pub)) != 0)
		return diag_set(why, ERR_AUTH, "the request is of a "
		    "controller whose nodes trust another root key");
	return 0;
}

/* The certificate as hex, to be freed; NULL with *rc set. */
static char *
sign_request(const json_t *request, const char *root_file, int *rc,
    struct diag *why)
{
	struct sign_key *root = NULL;
	struct publisher_cert c;
	struct buf cert;
	char *hex = NULL;

	buf_init(&cert, 0);
	if ((*rc = sign_key_load(&root, root_file, why)) == 0 &&
	    (*rc = read_request(request, root, &c, why)) == 0)
		*rc = cert_make(root, &c, &cert);
	if (*rc == 0) {
		hex = malloc(cert.len * 2 + 1);
		if (hex != NULL)
			hex_format((uint8_t *)cert.data, cert.len, hex);
	}
	sign_key_free(&root);
	buf_fini(&cert);
	return hex;
}

static int
read_text(const char *path, struct buf *text)
{
	struct diag why;
	int rc = file_read(path, TEXT_MAX, text, &why);

	while (rc == 0 && text->len > 0 &&
	    text->data[text->len - 1] == '\n')
		text->data[--text->len] = '\0';
	if (rc == 0 && text->len > 0)
		return CLI_OK;
	return rc == 0 ? fail(CLI_INVALID, "%s is empty", path) :
	    failed(rc, &why);
}

static int
key_sign(struct flags *f)
{
	const char *root = flag(f, "root");
	json_t *request = NULL;
	struct diag why = { "" };
	struct buf text;
	char *hex;
	int rc;

	if (root == NULL)
		return usage_error("where is the root key? say --root FILE");
	buf_init(&text, TEXT_MAX);
	if ((rc = read_text(f->args[0], &text)) == CLI_OK) {
		request = json_loads(text.data, 0, NULL);
		hex = sign_request(request, root, &rc, &why);
		if (hex == NULL)
			rc = rc == ERR_INVAL ? fail(CLI_INVALID, "%s: %s",
			    f->args[0], why.text) : failed(rc, &why);
		else
			puts(hex);
		free(hex);
	}
	json_decref(request);
	buf_fini(&text);
	return rc;
}

/* --- another key --- */

/* The answer to what was asked of the controller. */
static int
ask(struct flags *f, const char *path, bool revoke, const char *cert,
    json_t **answer)
{
	json_t *body = json_pack("{s:b}", "revoke", (int)revoke);
	long long days;
	int rc;

	if ((rc = days_of(f, &days)) == CLI_OK) {
		json_object_set_new(body, "days", json_integer(days));
		if (cert != NULL)
			json_object_set_new(body, "certificate",
			    json_string(cert));
		rc = client_call(f, "POST", path, body, answer);
	}
	json_decref(body);
	return rc;
}

static int
write_request(struct flags *f, bool revoke, const char *file)
{
	struct diag why;
	json_t *request;
	char *text;
	int rc = ask(f, "/v1/keys/request", revoke, NULL, &request);

	if (rc != CLI_OK)
		return rc;
	text = json_dumps(request, JSON_INDENT(2));
	if (file_write(file, text, strlen(text), 0644, &why) < 0)
		rc = failed(ERR_IO, &why);
	free(text);
	json_decref(request);
	return rc;
}

/* The root key is here: ask, sign, give back. */
static int
with_root(struct flags *f, bool revoke, const char *root, json_t **answer)
{
	json_t *request;
	struct diag why = { "" };
	char *hex;
	int rc = ask(f, "/v1/keys/request", revoke, NULL, &request);

	if (rc != CLI_OK)
		return rc;
	hex = sign_request(request, root, &rc, &why);
	json_decref(request);
	rc = hex == NULL ? failed(rc, &why) : ask(f, "/v1/keys/rotate",
	    revoke, hex, answer);
	free(hex);
	return rc;
}

static int
with_certificate(struct flags *f, const char *file, json_t **answer)
{
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	if ((rc = read_text(file, &text)) == CLI_OK)
		rc = ask(f, "/v1/keys/rotate", false, text.data, answer);
	buf_fini(&text);
	return rc;
}

static int
replace(struct flags *f, bool revoke)
{
	const char *root = flag(f, "root"), *request = flag(f, "request");
	const char *certificate = flag(f, "certificate");
	json_t *answer = NULL;
	int rc;

	if ((root != NULL) + (request != NULL) + (certificate != NULL) > 1)
		return usage_error("--root, --request or --certificate, one "
		    "of them");
	if (request != NULL)
		return write_request(f, revoke, request);
	if (root != NULL)
		rc = with_root(f, revoke, root, &answer);
	else if (certificate != NULL)
		rc = with_certificate(f, certificate, &answer);
	else
		rc = ask(f, "/v1/keys/rotate", revoke, NULL, &answer);
	if (rc == CLI_OK)
		output_whole(f, answer);
	json_decref(answer);
	return rc;
}

static int
key_rotate(struct flags *f)
{
	return replace(f, false);
}

static int
key_revoke(struct flags *f)
{
	if (!flags_confirm(f, "replace the publisher's key, and let nodes "
	    "take nothing more that was signed with it"))
		return CLI_USAGE;
	return replace(f, true);
}

#define REPLACE "root= request= certificate= days="
#define REPLACE_USAGE "[--root FILE|--request FILE|--certificate FILE] " \
	"[--days 90]"

static const struct verb verbs[] = {
	{ "make", "days=", 1, 1, key_make, "DIR [--days 90]" },
	{ "show", "", 0, 0, key_show, "" },
	{ "sign", "root=", 1, 1, key_sign, "REQUEST --root FILE" },
	{ "rotate", REPLACE, 0, 0, key_rotate, REPLACE_USAGE },
	{ "revoke", REPLACE " yes", 0, 0, key_revoke,
	    REPLACE_USAGE " [--yes]" },
};

int
cmd_key(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
