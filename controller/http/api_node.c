/*
 * api_node.c - the fleet: nodes, join tokens, revocation.
 */
#include <stdio.h>

#include "controller/fleet.h"
#include "controller/http/api.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

static json_t *
node_json(const struct node_info *n, const struct head *head)
{
	char hex[DIGEST_LEN * 2 + 1], seen[CLOCK_TEXT_LEN];
	char since[CLOCK_TEXT_LEN];
	json_t *o;

	hex_format(n->ack.digest, DIGEST_LEN, hex);
	clock_format(n->seen_us, seen);
	clock_format(n->enforced_us, since);
	o = json_pack("{s:s, s:s, s:I, s:s, s:s, s:i, s:s, s:s, s:I, s:I, "
	    "s:I, s:I, s:b, s:o, s:{s:I, s:I, s:I, s:I}}", "id", n->id,
	    "state",
	    node_state_name(n->state), "version",
	    (json_int_t)n->ack.enforced, "digest", hex, "digest_known",
	    n->ack.proved ? "proved" : "by_chunks", "engine",
	    (int)n->ack.engine, "enforced_at",
	    n->enforced_us == 0 ? "" : since, "last_seen",
	    n->seen_us == 0 ? "" : seen, "decisions",
	    (json_int_t)n->ack.decisions, "refusals",
	    (json_int_t)n->ack.refusals, "spool",
	    (json_int_t)n->ack.spool_n, "events_lost",
	    (json_int_t)n->ack.events_lost, "converged",
	    fleet_converged(n, head), "lag_ms", n->lag_us < 0 ? json_null() :
	    json_real((double)n->lag_us / 1000), "sent", "deltas",
	    (json_int_t)n->deltas, "delta_bytes", (json_int_t)n->delta_bytes,
	    "chunks", (json_int_t)n->chunks, "chunk_bytes",
	    (json_int_t)n->chunk_bytes);
	json_object_set_new(o, "able", json_boolean(fleet_can_take(n)));
	json_object_set_new(o, "audit",
	    json_string(audit_state_name(n->audit)));
	if (n->ack.audit.seq != 0)
		json_object_set_new(o, "audit_seen",
		    api_audit_mark(&n->ack.audit));
	if (n->address[0] != '\0')
		json_object_set_new(o, "address", json_string(n->address));
	json_object_set_new(o, "build", json_string(n->build));
	if (n->ack.serial != 0)
		json_object_set_new(o, "certificate",
		    json_integer((json_int_t)n->ack.serial));
	if (n->ack.nack != NACK_NONE) {
		json_object_set_new(o, "nack",
		    json_string(nack_name(n->ack.nack)));
		json_object_set_new(o, "detail",
		    json_string(n->ack.detail));
	}
	return o;
}

#define UNABLE_MAX 100

static void
note_unable(void *arg, const struct node_info *n)
{
	const struct node_reads *r = &n->reads;
	json_t *list = arg;
	char text[160];

	if (fleet_can_take(n) || json_array_size(list) >= UNABLE_MAX)
		return;
	snprintf(text, sizeof(text), "protocol %u to %u, record format %u to "
	    "%u, engine %u to %u", r->proto_min, r->proto_max, r->format_min,
	    r->format_max, r->engine_min, r->engine_max);
	json_array_append_new(list, json_pack("{s:s, s:s}", "id", n->id,
	    "reads", text));
}

json_t *
api_unable(const struct api *a)
{
	json_t *list = json_array();

	if (a->fleet != NULL)
		fleet_nodes(a->fleet, note_unable, list);
	return list;
}

struct collect { json_t *list; const struct head *head; };

static void
collect(void *arg, const struct node_info *n)
{
	struct collect *k = arg;

	json_array_append_new(k->list, node_json(n, k->head));
}

void
api_nodes(struct api_call *c)
{
	char hex[DIGEST_LEN * 2 + 1];
	struct head head;
	struct collect k = { json_array(), &head };

	store_head(c->api->store, &head, NULL);
	hex_format(head.digest, DIGEST_LEN, hex);
	fleet_nodes(c->api->fleet, collect, &k);
	api_reply(c, json_pack("{s:{s:I, s:s}, s:o}", "head", "version",
	    (json_int_t)head.version, "digest", hex, "nodes", k.list));
}

void
api_node(struct api_call *c)
{
	struct node_info n;
	struct head head;

	store_head(c->api->store, &head, NULL);
	if (fleet_node(c->api->fleet, c->tail, &n) < 0)
		api_error(c, 404, "not_found", "there is no node \"%s\"",
		    c->tail);
	else
		api_reply(c, node_json(&n, &head));
}

void
api_node_delete(struct api_call *c)
{
	struct diag why;
	int rc = fleet_revoke(c->api->fleet, c->tail, &c->audit, &why);

	if (rc < 0)
		api_fail(c, rc, &why);
	else
		api_reply(c, json_pack("{s:s}", "revoked", c->tail));
}

void
api_join_token(struct api_call *c)
{
	char until[CLOCK_TEXT_LEN];
	int64_t expires;
	struct diag why;
	struct buf token;
	uint64_t ttl;
	int rc;

	if (clock_parse_duration(api_text(c, "ttl", "1h"), &ttl) < 0) {
		api_error(c, 400, "usage", "ttl is a duration such as 1h");
		return;
	}
	buf_init(&token, 0);
	snprintf(c->object, sizeof(c->object), "for %.60s",
	    api_text(c, "ttl", "1h"));
	c->audit.object = c->object;
	rc = fleet_token(c->api->fleet, ttl, &c->audit, &token, &expires,
	    &why);
	if (rc < 0)
		api_fail(c, rc, &why);
	else {
		clock_format(expires, until);
		api_reply(c, json_pack("{s:s, s:s}", "token", token.data,
		    "expires", until));
	}
	buf_fini(&token);
}
