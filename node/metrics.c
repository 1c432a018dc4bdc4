/*
 * metrics.c - counters to Prometheus text.
 */
#include "node/metrics.h"

#include "proto/policy/reply.h"

static const uint64_t bound_us[METRICS_BUCKETS] = { 20, 50, 100, 200, 500,
    1000, 5000, 20000, 100000, 500000 };

void
metrics_took(struct metrics *m, uint64_t us)
{
	size_t i = 0;

	while (i < METRICS_BUCKETS && us > bound_us[i])
		i++;
	metrics_add(&m->took[i], 1);
	metrics_add(&m->took_us, us);
}

uint64_t
metrics_decisions(struct metrics *m)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i <= VERDICT_HOLD; i++)
		n += m->verdicts[i];
	return n;
}

uint64_t
metrics_refusals(struct metrics *m)
{
	return metrics_decisions(m) - m->verdicts[VERDICT_ACCEPT];
}

static void
begin(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
	    type);
}

void
metrics_one(struct buf *out, const char *name, const char *type,
    const char *help, uint64_t value)
{
	begin(out, name, type, help);
	buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void
put_took(struct metrics *m, struct buf *out)
{
	uint64_t n = 0;
	size_t i;

	begin(out, "postern_decide_seconds", "histogram",
	    "Time one decision took, of one in eight.");
	for (i = 0; i < METRICS_BUCKETS; i++) {
		n += m->took[i];
		buf_printf(out, "postern_decide_seconds_bucket{le=\"%g\"} "
		    "%llu\n", (double)bound_us[i] / 1e6,
		    (unsigned long long)n);
	}
	n += m->took[METRICS_BUCKETS];
	buf_printf(out, "postern_decide_seconds_bucket{le=\"+Inf\"} %llu\n"
	    "postern_decide_seconds_sum %g\n"
	    "postern_decide_seconds_count %llu\n", (unsigned long long)n,
	    (double)m->took_us / 1e6, (unsigned long long)n);
}

void
metrics_text(struct metrics *m, struct buf *out)
{
	int i;

	begin(out, "postern_decisions_total", "counter", "Verdicts given.");
	for (i = 0; i <= VERDICT_HOLD; i++)
		buf_printf(out, "postern_decisions_total{verdict=\"%s\"} "
		    "%llu\n", verdict_name((enum verdict_kind)i),
		    (unsigned long long)m->verdicts[i]);
	begin(out, "postern_refusals_total", "counter",
	    "Refusals and defers by reason.");
	for (i = REASON_ACCEPTED + 1; i < REASONS; i++)
		buf_printf(out, "postern_refusals_total{reason=\"%s\"} "
		    "%llu\n", reply_info((enum reason)i)->reason,
		    (unsigned long long)m->reasons[i]);
	metrics_one(out, "postern_policy_version", "gauge",
	    "Policy version enforced; 0: none.", m->version);
	metrics_one(out, "postern_head_version", "gauge",
	    "Newest version the controller spoke of.", m->head_version);
	metrics_one(out, "postern_stale", "gauge",
	    "1 while the controller is not heard.", m->stale);
	metrics_one(out, "postern_held", "gauge",
	    "1 while held at an older version after crashes.", m->held);
	metrics_one(out, "postern_digest_proved", "gauge",
	    "1 when the digest in force was computed from the records here.",
	    m->proved);
	metrics_one(out, "postern_audit_sequence", "gauge",
	    "Highest entry of the controller's audit log that was seen.",
	    m->audit_seq);
	metrics_one(out, "postern_audit_behind", "gauge",
	    "1 once that log went back behind what was seen.",
	    m->audit_behind);
	metrics_one(out, "postern_audit_forked", "gauge",
	    "1 once it showed another entry than was seen.",
	    m->audit_forked);
	metrics_one(out, "postern_version_refusals_total", "counter",
	    "Versions that were not taken.", m->nacks);
	metrics_one(out, "postern_deltas_total", "counter",
	    "Changes taken as deltas.", m->deltas);
	metrics_one(out, "postern_repairs_total", "counter",
	    "Rule sets found damaged and fetched anew.", m->repairs);
	metrics_one(out, "postern_internal_errors_total", "counter",
	    "Decisions that failed inside.", m->internal);
	metrics_one(out, "postern_shed_total", "counter",
	    "Requests answered by on_error under overload.", m->shed);
	metrics_one(out, "postern_malformed_total", "counter",
	    "Connections closed for a malformed request.", m->malformed);
	metrics_one(out, "postern_connections_refused_total", "counter",
	    "Connections over the limit.", m->refused_connections);
	metrics_one(out, "postern_late_events_total", "counter",
	    "Answers given before their event was durable.", m->late);
	metrics_one(out, "postern_connections", "gauge",
	    "Connections of mail servers.", m->connections);
	metrics_one(out, "postern_milter_connections", "gauge",
	    "Connections of mail servers to the milter front.",
	    m->milter_connections);
	metrics_one(out, "postern_after_acceptance_total", "counter",
	    "Recipients taken out at the end of a message.",
	    m->after_acceptance);
	metrics_one(out, "postern_split_total", "counter",
	    "Recipients sent to a message of their own.", m->split);
	metrics_one(out, "postern_mta_refused_total", "counter",
	    "Recipients that the mail server itself refused.",
	    m->mta_refused);
	metrics_one(out, "postern_open_unresolved_total", "counter",
	    "Recipients let through at RCPT for the milter front, which "
	    "never saw them.", m->open_unresolved);
	put_took(m, out);
}
