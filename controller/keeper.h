/*
 * keeper.h - the controller's slow chores: group entries whose time is over
 * are taken out, old messages and old entries of the audit log are deleted,
 * the publisher's key is replaced before its certificate ends.
 *
 * One thread, a step each second.  A step holds the controller's lock for a
 * bounded walk (KEEPER_WALK items), so that requests never wait for a set of
 * millions; a small set is seen whole in each step.
 */
#ifndef CONTROLLER_KEEPER_H
#define CONTROLLER_KEEPER_H

#include <pthread.h>
#include <stdbool.h>

#include "controller/store.h"

#define KEEPER_WALK 20000	/* items looked at in one step */
#define KEEPER_ENDS_MAX 1000	/* entries taken out by one version */

struct keeper;
struct keyring;
struct messages;

/* All is borrowed until keeper_stop(). */
struct keeper_conf {
	pthread_mutex_t *lock;		/* over store */
	struct store *store;
	struct messages *messages;
	int64_t message_days;		/* 0: kept for ever */
	int64_t audit_days;		/* 0: kept for ever */
	struct keyring *keys;		/* NULL: none are looked after */
	/* after a new version, a new signer; with the lock held */
	void (*on_commit)(void *arg);
	void (*on_rekey)(void *arg);
	void *arg;
};

/* Start the thread.  0 or ERR_INTERNAL. */
int keeper_start(struct keeper **out, const struct keeper_conf *conf,
    struct diag *why);
/* End it and wait for it; never with the lock held. */
void keeper_stop(struct keeper **k);

/*
 * Look at the next KEEPER_WALK items from *from on (NULL: the first) and, in
 * a version by the actor "expiry", delete the entries whose "until" is not
 * after now_us.  *from moves on, to NULL behind the last; the caller frees
 * it.  Needs the lock.  0 with *ended, or what store_commit() says.
 */
int keeper_expire_entries(struct store *s, int64_t now_us, char **from,
    size_t *ended, struct diag *why);

/* Drop entries of the audit log that are older than days: so many at a
 * time.  Needs the lock.  Is there more to drop now? */
bool keeper_cut_audit(struct store *s, int64_t days, int64_t now_us);

/*
 * When the certificate of the publisher's key ends within KEYRING_WARN_DAYS:
 * a new key, if the root key is here, or else a warning.  Needs the lock.  Is
 * there another signer?
 */
bool keeper_renew_key(struct keyring *k, int64_t now_us);

#endif
