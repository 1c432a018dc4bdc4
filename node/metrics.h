/*
 * metrics.h - the node's counters, for any thread, and their Prometheus text.
 */
#ifndef NODE_METRICS_H
#define NODE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/policy/decide.h"

#define METRICS_BUCKETS 10

/* What counts decisions is written by the loop's thread alone. */
struct metrics {
	_Atomic uint64_t verdicts[VERDICT_HOLD + 1];
	_Atomic uint64_t reasons[REASONS];	/* refusals and defers */
	_Atomic uint64_t internal, shed, malformed, refused_connections;
	_Atomic uint64_t late;		/* answered before durable */
	_Atomic uint64_t connections;	/* of the policy front, open now */
	_Atomic uint64_t milter_connections;
	_Atomic uint64_t after_acceptance;	/* recipients taken out */
	_Atomic uint64_t split;			/* sent to another message */
	_Atomic uint64_t mta_refused;		/* the mail server's own */
	_Atomic uint64_t open_unresolved;	/* see stages.h */
	_Atomic uint64_t version;	/* enforced; 0: none */
	_Atomic uint64_t head_version;	/* newest verified head heard */
	_Atomic uint64_t stale;		/* 1: no head for long */
	_Atomic uint64_t held;		/* 1: back on an older version */
	_Atomic uint64_t proved;	/* 1: its digest was computed here */
	/* the controller's audit log: highest sequence seen; 1: an alarm */
	_Atomic uint64_t audit_seq, audit_behind, audit_forked;
	_Atomic uint64_t nacks;
	_Atomic uint64_t deltas;	/* taken */
	_Atomic uint64_t repairs;	/* sets found damaged */
	_Atomic uint64_t took[METRICS_BUCKETS + 1], took_us;
};

/* Add to a counter that one thread alone writes: a load and a store, where
 * "+=" locks the bus. */
static inline void
metrics_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter,
	    memory_order_relaxed) + n, memory_order_relaxed);
}

/* A decision that was timed (one in eight is) took this long; from the loop's
 * thread. */
void metrics_took(struct metrics *m, uint64_t us);

/* All refusals and defers; all decisions. */
uint64_t metrics_refusals(struct metrics *m);
uint64_t metrics_decisions(struct metrics *m);

/* Append "name value" with its HELP and TYPE; type "counter" or "gauge". */
void metrics_one(struct buf *out, const char *name, const char *type,
    const char *help, uint64_t value);

/* Append all of m as Prometheus text. */
void metrics_text(struct metrics *m, struct buf *out);

#endif
