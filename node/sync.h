/*
 * sync.h - the thread that talks with the controller: heads, deltas, manifests
 * and chunks come, acknowledgements and events go.
 *
 * It owns both sockets.  A version that is bad in any way is refused with a
 * reason in the next acknowledgement, and the last good one stays; without a
 * controller the node goes on for ever with what it has.
 */
#ifndef NODE_SYNC_H
#define NODE_SYNC_H

#include "node/identity.h"
#include "node/metrics.h"
#include "node/ruleset.h"
#include "node/sentry.h"
#include "node/spool.h"

#define SYNC_STALE_MS 30000	/* without a head: stale */
#define SYNC_HELLO_MS 5000	/* without a head: say hello again */
#define SYNC_ACK_MS 1000
#define SYNC_SILENCE_MS 15000	/* without an answer: connect anew */

struct sync;

struct sync_conf {
	const char *dir;
	struct node_identity *id;	/* the certificate in it is renewed */
	struct spool *spool;
	struct metrics *metrics;
	struct sentry *sentry;
	struct ruleset *current;	/* enforced at the start, or NULL */
	uint64_t ratchet;
	uint64_t silence_ms;		/* 0: SYNC_SILENCE_MS */
	uint64_t stale_ms;		/* 0: SYNC_STALE_MS */
	uint64_t patience_ms;		/* for any answer; 0: as usual */
	/* A new view, on the sync's thread; the callee owns one reference.
	 * It calls sync_enforced() once it decides by it. */
	void (*on_ruleset)(void *arg, struct ruleset *r);
	void *arg;
};

/* All borrowed until sync_stop().  0 or ERR_IO. */
int sync_start(struct sync **out, const struct sync_conf *conf,
    struct diag *why);
/* Waits for a set being built. */
void sync_stop(struct sync **s);

/* Events became durable in the spool.  From any thread; cheap while they have
 * to wait for others. */
void sync_on_events(struct sync *s);
/* This head is enforced now.  From any thread. */
void sync_enforced(struct sync *s, const struct head *h);

#endif
