/*
 * api_metrics.c - the controller's figures as Prometheus reads them.
 */
#include <inttypes.h>

#include "controller/fleet.h"
#include "controller/http/api.h"
#include "controller/messages/messages.h"
#include "controller/keyring.h"
#include "controller/publisher.h"
#include "proto/base/clock.h"

struct tally { uint64_t state[NODE_STATES], converged, lost, spool,
    audit;
    const struct head *head; };

static void
count(void *arg, const struct node_info *n)
{
	struct tally *t = arg;

	t->state[n->state]++;
	t->lost += n->ack.events_lost;
	t->spool += n->ack.spool_n;
	t->audit += n->audit > AUDIT_OK;
	t->converged += fleet_converged(n, t->head);
}

static void
one(struct buf *out, const char *name, const char *type, const char *help,
    uint64_t value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name,
	    help, name, type, name, value);
}

static void
published(const struct api *a, struct buf *out)
{
	struct publisher_counts n = { .deltas = 0 };

	if (a->publisher != NULL)
		publisher_counts(a->publisher, &n);
	one(out, "postern_deltas_total", "counter",
	    "Changes signed as a delta.", n.deltas);
	one(out, "postern_delta_bytes_total", "counter",
	    "Bytes of these deltas, each counted once.", n.delta_bytes);
	one(out, "postern_cuts_total", "counter",
	    "Versions cut into chunks.", n.cuts);
	if (a->publisher != NULL)
		one(out, "postern_held", "gauge", "Restored, and not adopted "
		    "yet: nothing is published.",
		    publisher_is_held(a->publisher));
	if (a->keys != NULL)
		one(out, "postern_publisher_certificate_end_seconds", "gauge",
		    "When the publisher's certificate ends, since 1970.",
		    (uint64_t)signer_about(keyring_signer(a->keys))
		    ->not_after_us / 1000000);
}

void
api_metrics(const struct api *a, struct buf *out)
{
	struct head head;
	struct tally t = { .head = &head };
	struct audit_mark audit;
	int s;

	store_head(a->store, &head, NULL);
	if (a->fleet != NULL)
		fleet_nodes(a->fleet, count, &t);
	one(out, "postern_policy_version", "gauge", "The version in force.",
	    head.version);
	one(out, "postern_policy_records", "gauge",
	    "Records of that version.", head.count);
	buf_puts(out, "# HELP postern_nodes Enrolled nodes by state.\n"
	    "# TYPE postern_nodes gauge\n");
	for (s = 0; s < NODE_STATES; s++)
		buf_printf(out, "postern_nodes{state=\"%s\"} %" PRIu64 "\n",
		    node_state_name((enum node_state)s), t.state[s]);
	one(out, "postern_nodes_converged", "gauge",
	    "Nodes that enforce the version in force.", t.converged);
	one(out, "postern_node_spool_events", "gauge",
	    "Events that nodes have still to report.", t.spool);
	one(out, "postern_node_events_lost", "gauge",
	    "Events that nodes had no room for.", t.lost);
	store_audit_mark(a->store, &audit);
	one(out, "postern_audit_sequence", "gauge",
	    "The last entry of the audit log.", audit.seq);
	one(out, "postern_nodes_audit_alarm", "gauge", "Nodes that have seen "
	    "another audit log than this one.", t.audit);
	one(out, "postern_messages", "gauge",
	    "Refusals in the message center.", messages_count(a->messages));
	published(a, out);
	one(out, "postern_api_denied_total", "counter",
	    "Requests without a right token.", a->rate.denied);
}
