/*
 * publisher.h - what was committed, on its way to the nodes.
 *
 * A thread of its own: commits that come within PUBLISHER_WAIT_MS become one
 * signed delta and a head; a change that is too large for a delta, or many
 * small ones, become a new whole version, cut in another thread while deltas
 * go on.  What is served as a whole always leads to the head by deltas.
 *
 * A restored store is held: it publishes nothing until publisher_release(),
 * since nodes may have taken versions that it does not know.
 */
#ifndef CONTROLLER_PUBLISHER_H
#define CONTROLLER_PUBLISHER_H

#include <pthread.h>

#include "controller/fleet.h"
#include "controller/store.h"

#define PUBLISHER_WAIT_MS 5

struct publisher;

/* All but dir is borrowed until publisher_stop(). */
struct publisher_conf {
	struct store *store;
	pthread_mutex_t *lock;		/* the controller's, over store */
	struct fleet *fleet;
	struct signer *signer;		/* the first; see publisher_rekey() */
	const char *dir;		/* of chunks and manifest; copied */
	bool hold;			/* until publisher_release() */
};

/* 0 or ERR_IO (no thread). */
int publisher_start(struct publisher **out, const struct publisher_conf *conf,
    struct diag *why);
/* Ends the threads and waits for them; never with the lock held. */
void publisher_stop(struct publisher **p);

/* A version was committed.  Any thread. */
void publisher_wake(struct publisher *p);
/* A node wants all of the newest version; damaged: what is served has lost a
 * chunk.  Any thread. */
void publisher_whole(struct publisher *p, bool damaged);
/* Sign with s from now on, and the fleet too: what is served is signed
 * anew.  Any thread. */
void publisher_rekey(struct publisher *p, struct signer *s);
/* Publish from now on, if it was held. */
void publisher_release(struct publisher *p);
bool publisher_is_held(struct publisher *p);

/* Counts since the start. */
struct publisher_counts { uint64_t deltas, delta_bytes, cuts; };
void publisher_counts(struct publisher *p, struct publisher_counts *out);

#endif
