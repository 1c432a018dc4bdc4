/*
 * api_status.c - what is in force, on how many nodes, and who lags.
 */
#include <sys/statvfs.h>

#include "controller/fleet.h"
#include "controller/http/api.h"
#include "controller/messages/messages.h"
#include "controller/publisher.h"
#include "proto/base/clock.h"
#include "proto/base/conf.h"

#define STALE_MAX 100	/* names given; the counts are whole */

struct tally {
	const struct head *head;
	json_int_t total, converged, away;
	json_t *stale;
	json_t *behind, *forked;	/* by the audit log */
};

static void
count(void *arg, const struct node_info *n)
{
	struct tally *t = arg;
	bool same = fleet_converged(n, t->head);

	t->total++;
	t->converged += same;
	t->away += n->state == NODE_AWAY;
	if (n->audit == AUDIT_BEHIND && json_array_size(t->behind) <
	    STALE_MAX)
		json_array_append_new(t->behind, json_string(n->id));
	if (n->audit == AUDIT_FORKED && json_array_size(t->forked) <
	    STALE_MAX)
		json_array_append_new(t->forked, json_string(n->id));
	if (!same && json_array_size(t->stale) < STALE_MAX)
		json_array_append_new(t->stale, json_string(n->id));
}

/* Room on the disk of the controller's folder, as a process that is not root
 * has it. */
static void
put_disk(const char *dir, json_t *o)
{
	struct statvfs st;

	if (dir != NULL && statvfs(dir, &st) == 0)
		json_object_set_new(o, "disk", json_pack("{s:I, s:I}", "free",
		    (json_int_t)(st.f_bavail * st.f_frsize), "total",
		    (json_int_t)(st.f_blocks * st.f_frsize)));
}

/* The end of the audit log; "behind" and "forked" name nodes that have seen
 * another one, and are there when there are any. */
static void
put_audit(const struct api *a, const struct tally *t, json_t *o)
{
	struct audit_mark end;
	json_t *audit;

	store_audit_mark(a->store, &end);
	audit = api_audit_mark(&end);
	if (json_array_size(t->behind) > 0)
		json_object_set(audit, "behind", t->behind);
	if (json_array_size(t->forked) > 0)
		json_object_set(audit, "forked", t->forked);
	json_object_set_new(o, "audit", audit);
	json_decref(t->behind);
	json_decref(t->forked);
}

void
api_status(struct api_call *c)
{
	char hex[DIGEST_LEN * 2 + 1], since[CLOCK_TEXT_LEN];
	char now[CLOCK_TEXT_LEN];
	struct head head;
	struct tally t = { .head = &head, .stale = json_array(),
	    .behind = json_array(), .forked = json_array() };
	json_t *o;

	store_head(c->api->store, &head, NULL);
	if (c->api->fleet != NULL)
		fleet_nodes(c->api->fleet, count, &t);
	hex_format(head.digest, DIGEST_LEN, hex);
	clock_format(c->api->started_us, since);
	clock_format(clock_wall_us(), now);
	o = json_pack("{s:I, s:s, s:I, s:s, s:s, s:{s:I, s:I, s:I}, "
	    "s:o, s:I, s:s}", "version", (json_int_t)head.version, "digest",
	    hex, "records", (json_int_t)head.count, "controller",
	    conf_version(), "since", since, "nodes", "total", t.total,
	    "converged", t.converged, "away", t.away, "stale", t.stale,
	    "messages", (json_int_t)messages_count(c->api->messages), "time",
	    now);
	put_audit(c->api, &t, o);
	put_disk(c->api->dir, o);
	if (c->api->keys != NULL)
		json_object_set_new(o, "key", api_key_json(c->api));
	if (c->api->publisher != NULL &&
	    publisher_is_held(c->api->publisher)) {
		json_object_set_new(o, "held", json_true());
		json_object_set_new(o, "highest", json_integer((json_int_t)
		    fleet_highest(c->api->fleet)));
	}
	api_reply(c, o);
}
