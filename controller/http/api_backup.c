/*
 * api_backup.c - a backup of the running controller; a restored one, adopted.
 */
#include "controller/backup.h"
#include "controller/fleet.h"
#include "controller/http/api.h"
#include "controller/keyring.h"
#include "controller/publisher.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

void
api_backup(struct api_call *c)
{
	const char *to = api_text(c, "to", "");
	struct backup_status now;
	struct diag why;
	int rc;

	/* the copy holds this entry */
	c->audit.object = to;
	if (!api_audit_begin(c))
		return;
	if ((rc = backup_begin(c->api->backup, to, &why)) < 0) {
		api_fail(c, rc == ERR_BUSY ? ERR_CONFLICT : rc, &why);
		return;
	}
	backup_status(c->api->backup, &now);
	api_reply(c, json_pack("{s:s, s:I}", "to", to, "version",
	    (json_int_t)now.version));
}

void
api_backup_status(struct api_call *c)
{
	struct backup_status now;
	json_t *o;

	backup_status(c->api->backup, &now);
	o = json_pack("{s:b}", "running", now.running);
	if (now.to[0] != '\0') {
		json_object_set_new(o, "to", json_string(now.to));
		json_object_set_new(o, "version",
		    json_integer((json_int_t)now.version));
	}
	if (!now.running && now.rc < 0)
		json_object_set_new(o, "error", json_string(now.why.text));
	api_reply(c, o);
}

static void
not_heard(void *arg, const struct node_info *n)
{
	if (!n->acked)
		json_array_append_new(arg, json_string(n->id));
}

void
api_adopt_status(struct api_call *c)
{
	json_t *list = json_array();
	struct audit_mark end;

	store_audit_mark(c->api->store, &end);
	fleet_nodes(c->api->fleet, not_heard, list);
	api_reply(c, json_pack("{s:b, s:I, s:I, s:o, s:I, s:I}", "held",
	    publisher_is_held(c->api->publisher), "version",
	    (json_int_t)store_version(c->api->store), "highest",
	    (json_int_t)fleet_highest(c->api->fleet), "not_heard", list,
	    "audit_end", (json_int_t)end.seq, "audit_highest",
	    (json_int_t)fleet_highest_audit(c->api->fleet)));
}

/* Nodes hold a newer certificate than the backup: they would refuse all. */
static int
catch_up_key(struct api_call *c, struct diag *why)
{
	uint64_t highest = fleet_highest_serial(c->api->fleet);
	struct keyring *k = c->api->keys;
	struct audit_entry e;
	int rc;

	if (highest <= signer_about(keyring_signer(k))->serial)
		return 0;
	if (!keyring_has_root_key(k))
		return diag_set(why, ERR_CONFLICT, "nodes hold a newer "
		    "certificate of the publisher's key than the backup: "
		    "run \"postern key rotate --root FILE\" first");
	e = c->audit;
	e.action = "key.rotate";
	e.object = "for nodes that hold a newer certificate";
	if ((rc = store_audit(c->api->store, &e, why)) < 0)
		return rc;
	keyring_heard(k, highest, clock_wall_us());
	rc = keyring_rotate(k, clock_wall_us(), SIGNER_DAYS, false, why);
	if (rc == 0)
		publisher_rekey(c->api->publisher, keyring_signer(k));
	return rc;
}

static void
seen_another(void *arg, const struct node_info *n)
{
	*(bool *)arg = *(bool *)arg || n->audit > AUDIT_OK;
}

void
api_adopt(struct api_call *c)
{
	struct audit_entry entry = c->audit;
	const struct commit info = { .actor = c->actor, .action = "adopt",
	    .audit = &entry };
	uint64_t ours = store_version(c->api->store);
	uint64_t highest = fleet_highest(c->api->fleet), version;
	bool held = publisher_is_held(c->api->publisher);
	bool forked = false;
	struct diag why;
	int rc;

	fleet_nodes(c->api->fleet, seen_another, &forked);
	if (!held && highest <= ours && !forked) {
		api_error(c, 409, "conflict", "this store was not restored, "
		    "and no node is ahead of it, nor of its audit log: there "
		    "is nothing to adopt");
		return;
	}
	if ((rc = catch_up_key(c, &why)) < 0) {
		api_fail(c, rc, &why);
		return;
	}
	entry.adopts = true;
	entry.above = fleet_highest_audit(c->api->fleet);
	rc = store_adopt(c->api->store, highest > ours ? highest : ours,
	    &info, &version, &why);
	if (rc == 0 && held)
		rc = backup_unmark(c->api->store, &why);
	if (rc < 0) {
		api_fail(c, rc, &why);
		return;
	}
	publisher_release(c->api->publisher);
	api_reply(c, json_pack("{s:I}", "version", (json_int_t)version));
}
