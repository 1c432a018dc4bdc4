/*
 * api_key.c - the publisher's key: how long it lasts, another one, revocation.
 *
 * A root key that is kept elsewhere signs what /v1/keys/request gives; the
 * secret half never leaves the controller.
 */
#include <stdio.h>
#include <string.h>

#include "controller/fleet.h"
#include "controller/http/api.h"
#include "controller/keyring.h"
#include "controller/publisher.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#define CERT_MAX 512

/* What nodes hold bounds the next serial from below. */
static void
hear_nodes(const struct api *a)
{
	if (a->fleet != NULL)
		keyring_heard(a->keys, fleet_highest_serial(a->fleet),
		    clock_wall_us());
}

json_t *
api_key_json(const struct api *a)
{
	const struct publisher_cert *c = signer_about(keyring_signer(a->keys));
	char root[SIGN_PUBLIC_LEN * 2 + 1], until[CLOCK_TEXT_LEN];
	uint64_t highest = a->fleet == NULL ? 0 :
	    fleet_highest_serial(a->fleet);

	hex_format(keyring_root(a->keys), SIGN_PUBLIC_LEN, root);
	clock_format(c->not_after_us, until);
	return json_pack("{s:I, s:I, s:s, s:I, s:b, s:b, s:s, s:b}", "serial",
	    (json_int_t)c->serial, "min_serial", (json_int_t)c->min_serial,
	    "until", until, "days", (json_int_t)keyring_days(a->keys,
	    clock_wall_us()), "due", keyring_is_due(a->keys,
	    clock_wall_us()), "root_key_here", keyring_has_root_key(a->keys),
	    "root", root, "behind_nodes", highest > c->serial);
}

void
api_key(struct api_call *c)
{
	api_reply(c, api_key_json(c->api));
}

/* days of the body; false when it is no such number, which was answered. */
static bool
days_of(struct api_call *c, int *days)
{
	json_int_t n = api_number(c, "days", SIGNER_DAYS);

	*days = (int)n;
	if (n >= 1 && n <= SIGNER_DAYS_MAX)
		return true;
	api_error(c, 400, "usage", "days is a number from 1 to %d",
	    SIGNER_DAYS_MAX);
	return false;
}

static void
name_serial(struct api_call *c, uint64_t serial)
{
	snprintf(c->object, sizeof(c->object), "serial %llu",
	    (unsigned long long)serial);
	c->audit.object = c->object;
}

void
api_key_request(struct api_call *c)
{
	struct publisher_cert about;
	char key[SIGN_PUBLIC_LEN * 2 + 1], root[SIGN_PUBLIC_LEN * 2 + 1];
	struct diag why;
	int days, rc;

	if (!days_of(c, &days) || !api_audit_begin(c))
		return;
	hear_nodes(c->api);
	rc = keyring_request(c->api->keys, clock_wall_us(), days,
	    api_flag(c, "revoke"), &about, &why);
	if (rc < 0) {
		api_fail(c, rc, &why);
		return;
	}
	name_serial(c, about.serial);
	api_audit_done(c);
	hex_format(about.key, SIGN_PUBLIC_LEN, key);
	hex_format(keyring_root(c->api->keys), SIGN_PUBLIC_LEN, root);
	api_reply(c, json_pack("{s:s, s:s, s:I, s:I, s:I}", "root", root,
	    "key", key, "serial", (json_int_t)about.serial, "min_serial",
	    (json_int_t)about.min_serial, "not_after_us",
	    (json_int_t)about.not_after_us));
}

static int
install(struct api_call *c, const char *hex, struct diag *why)
{
	uint8_t cert[CERT_MAX];
	size_t n = strlen(hex) / 2;
	int rc;

	if (n > sizeof(cert) || hex_parse(hex, cert, n) < 0)
		return diag_set(why, ERR_INVAL, "the certificate is not the "
		    "text that \"postern key sign\" wrote");
	rc = keyring_install(c->api->keys, bytes_of(cert, n),
	    clock_wall_us(), why);
	return rc == ERR_AUTH || rc == ERR_CORRUPT || rc == ERR_TIMEOUT ?
	    ERR_CONFLICT : rc;
}

/* Nodes may have taken what a thief signed: the content in force goes on
 * above all that they have. */
static int
go_above(struct api_call *c, struct diag *why)
{
	const struct commit info = { .actor = c->actor,
	    .action = "key revoke", .audit = &c->audit };
	uint64_t ours = store_version(c->api->store), version;
	uint64_t highest = fleet_highest(c->api->fleet);
	int rc;

	if (ours == 0 || publisher_is_held(c->api->publisher))
		return 0;
	rc = store_adopt(c->api->store, highest > ours ? highest : ours,
	    &info, &version, why);
	if (rc == 0 && c->api->on_commit != NULL)
		c->api->on_commit(c->api->arg);
	return rc;
}

void
api_key_rotate(struct api_call *c)
{
	const char *hex = api_text(c, "certificate", NULL);
	struct keyring *k = c->api->keys;
	const struct publisher_cert *now;
	struct diag why;
	uint64_t revoked;
	int days, rc;

	if (!days_of(c, &days))
		return;
	if (api_flag(c, "revoke"))
		c->audit.action = "key.revoke";
	if (!api_audit_begin(c))
		return;
	hear_nodes(c->api);
	revoked = signer_about(keyring_signer(k))->serial;
	rc = hex != NULL ? install(c, hex, &why) : keyring_rotate(k,
	    clock_wall_us(), days, api_flag(c, "revoke"), &why);
	if (rc < 0) {
		api_fail(c, rc, &why);
		return;
	}
	publisher_rekey(c->api->publisher, keyring_signer(k));
	now = signer_about(keyring_signer(k));
	name_serial(c, now->serial);
	api_audit_done(c);
	log_info("key.rotated", F_U("serial", now->serial), F_S("by",
	    c->actor), F_S("before", now->min_serial > revoked ? "revoked" :
	    "replaced"));
	if (now->min_serial > revoked && (rc = go_above(c, &why)) < 0)
		api_fail(c, rc, &why);
	else
		api_reply(c, api_key_json(c->api));
}
