/*
 * fleet_impl.h - what fleet.c (thread, sockets), fleet_control.c (the control
 * socket's frames) and fleet_nodes.c (registry, tokens) share.
 *
 * mu guards the registry and the publications; it is taken after the
 * controller's lock, never before it, and never held over a write.  Tokens
 * are touched under the controller's lock alone.
 */
#ifndef CONTROLLER_FLEET_IMPL_H
#define CONTROLLER_FLEET_IMPL_H

#include <stdatomic.h>

#include "controller/chunk_cache.h"
#include "controller/fleet.h"
#include "proto/wire/delta.h"

#define TOKEN_HASH_LEN 32

struct node {
	struct node_info info;
	uint8_t key[SOCK_KEY_LEN], peer[SOCK_ID_LEN];
	bool revoked;
	bool reads_unsaved;		/* info.reads is not in its row yet */
	uint64_t seen_ms;		/* monotonic; 0: never */
	/* where it stands: what it told of, or the last delta sent to it */
	uint64_t at;
	uint8_t at_digest[DIGEST_LEN];
	uint64_t sent_ms;		/* when that was */
	/* of the audit log: what it told, what we found, of the log as it was
	 * adopted when */
	enum audit_state audit_told, audit_found;
	uint64_t audit_adopted;
};

/* A head on its way to the nodes. */
struct advance { struct head head; struct buf delta; struct advance *next; };

/* When heads were told first, for how far nodes lag; a ring. */
#define TOLD_N 1024
struct told { uint64_t version; int64_t us; };

struct token { uint8_t hash[TOKEN_HASH_LEN]; int64_t expires_us; };

struct fleet {
	struct fleet_conf conf;
	pthread_mutex_t mu;
	struct node *node;		/* by id, revoked ones too */
	size_t n, cap;
	/* by key: where it stands in node, plus 1; 0: nobody.  A power of two,
	 * at least twice as many as nodes; NULL: to be made. */
	uint32_t *index;
	size_t index_n;
	bool reads_unsaved;		/* of a node or more */
	atomic_uint_fast64_t handshakes;	/* decided since the start */
	struct token *token;
	size_t tokens_n, tokens_cap;
	struct publication *now, *before;	/* or NULL */
	struct publication *retired;	/* what now was signed anew of */
	struct signer *next_signer;	/* of a rekey on its way, or NULL .. */
	struct publication *next_now;	/* .. and what is served then */
	uint64_t highest_serial;	/* of a certificate, from a node */
	struct head head;		/* version 0: none yet */
	struct advance *first, **last;	/* not told yet */
	struct told told[TOLD_N];
	size_t told_n;			/* of all time */
	uint64_t highest;		/* version heard from a node */
	uint64_t highest_audit;		/* sequence of the audit log, too */
	bool audit_said;		/* that it was rolled back */

	pthread_t thread;
	int wake, started;		/* eventfds */
	bool stop;			/* under mu */
	int start_rc;
	struct diag start_why;
	char endpoint[3][256];		/* as bound */

	/* the thread's own */
	struct signer *signer;
	struct sock_ctx *ctx;
	struct sock *sock[3];
	struct buf beat, out;
	struct chunk_cache *chunks;
	struct audit_limit refused;	/* enrolments, in the audit log */
	struct delta_req cached;	/* what the frame in `delta` follows; */
	struct delta_req cached_to;	/* .. and where it leads */
	struct buf delta;
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
 * A token's secret and a name, which came as m, become a node, durably, and
 * its id is written to id.  0; ERR_AUTH: no such token, used or expired;
 * ERR_BUSY: the lock was not to be had soon; ERR_FULL: FLEET_NODES_MAX nodes;
 * ERR_IO.
 */
int fleet_enroll(struct fleet *f, const struct enroll *e,
    const struct sock_msg *m, char id[64], struct diag *why);
/* Take over what fleet_rekey() left and tell the certificate: before the
 * first frame signed under it. */
void fleet_take_signer(struct fleet *f);
/* What a node reads, as its HELLO says it, under mu; fleet_save_reads() puts
 * all that is new into their rows, as one write, unless the controller is
 * busy: a thousand nodes that start at once cost no thousand syncs. */
void fleet_note_reads(struct fleet *f, struct node *n, const struct hello *h);
void fleet_save_reads(struct fleet *f);
/* What a node has seen of the audit log, and what it said of it; under mu. */
void fleet_note_audit(struct fleet *f, struct node *n,
    const struct audit_mark *seen, enum audit_state told, bool is_hello);
/* The control socket: one message of a node in the registry; the head to all
 * nodes; what fleet_advance() left, and then the head.  fleet_refuse() sends
 * REFUSED. */
void fleet_on_control(struct fleet *f, const struct sock_msg *m);
void fleet_beat(struct fleet *f);
void fleet_tell(struct fleet *f);
void fleet_refuse(struct fleet *f, enum fleet_socket which,
    const uint8_t *peer, const char *text);
/* Send f->out.  What fails is not repeated: the other side asks again. */
void fleet_send(struct fleet *f, enum fleet_socket which,
    const uint8_t *peer);
/* Where nodes find a socket: as bound, or under the advertised name. */
void fleet_advertised(const struct fleet *f, enum fleet_socket which,
    char *out, size_t size);

#endif
