/*
 * fleet_impl.h - what fleet.c (thread, sockets) and fleet_nodes.c (registry,
 * tokens) share.
 *
 * mu guards the registry and the publications; it is taken after the
 * controller's lock, never before it, and never held over a write.  Tokens
 * are touched under the controller's lock alone.
 */
#ifndef CONTROLLER_FLEET_IMPL_H
#define CONTROLLER_FLEET_IMPL_H

#include "controller/fleet.h"

#define TOKEN_HASH_LEN 32

struct node {
	struct node_info info;
	uint8_t key[SOCK_KEY_LEN], peer[SOCK_ID_LEN];
	bool revoked;
	uint64_t seen_ms;		/* monotonic; 0: never */
};

struct token { uint8_t hash[TOKEN_HASH_LEN]; int64_t expires_us; };

struct fleet {
	struct fleet_conf conf;
	pthread_mutex_t mu;
	struct node *node;		/* by id, revoked ones too */
	size_t n, cap;
	struct token *token;
	size_t tokens_n, tokens_cap;
	struct publication *now, *before;	/* or NULL */

	pthread_t thread;
	int wake, started;		/* eventfds */
	bool stop;			/* under mu */
	int start_rc;
	struct diag start_why;
	char endpoint[3][256];		/* as bound */

	/* the thread's own */
	struct sock_ctx *ctx;
	struct sock *sock[3];
	struct buf beat, out;
	uint64_t beat_ms;		/* the next one */
	uint64_t denied_ms;		/* of this second .. */
	unsigned denied_n;		/* .. so many refusals */
};

/* Fill registry and tokens from the store; under the controller's lock.
 * 0, ERR_CORRUPT, ERR_IO. */
int fleet_load(struct fleet *f, struct diag *why);
/* The node with this key that is not revoked, or NULL; under mu. */
struct node *fleet_by_key(struct fleet *f, const uint8_t key[SOCK_KEY_LEN]);
/*
 * A token's secret and a name become a node, durably, and its id is written
 * to id.  0; ERR_AUTH: no such token, used or expired; ERR_BUSY: the lock was
 * not to be had soon; ERR_FULL: FLEET_NODES_MAX nodes; ERR_IO.
 */
int fleet_enroll(struct fleet *f, const struct enroll *e,
    const uint8_t key[SOCK_KEY_LEN], char id[64], struct diag *why);
/* Where nodes find a socket: as bound, or under the advertised name. */
void fleet_advertised(const struct fleet *f, enum fleet_socket which,
    char *out, size_t size);

#endif
