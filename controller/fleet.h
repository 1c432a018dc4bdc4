/*
 * fleet.h - the controller's side of its nodes: who they are, what they
 * enforce, and the sockets they come to.
 *
 * One thread owns three ROUTERs: control (heads, deltas, manifests, chunks,
 * ACKs),
 * events, and enrolment.  Control and events admit only the keys of enrolled
 * nodes, when they connect and again on each message; enrolment admits any
 * key and asks for a join token.  A beat (the head, signed anew) goes to all
 * nodes each second and at once after fleet_advance(), behind the delta that
 * leads to it.  What a node misses it asks for again; nothing waits for a
 * slow one.
 *
 * Rows of the store: "node" by id {"key","enrolled","revoked","reads"},
 * "token" by the hex BLAKE2b-256 of its secret {"expires_us"}; a secret is
 * never stored.  Functions are for any thread.  Those that say so take the
 * controller's lock themselves; a caller that may hold it already makes it a
 * recursive mutex.
 */
#ifndef CONTROLLER_FLEET_H
#define CONTROLLER_FLEET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/audit.h"
#include "controller/publish.h"
#include "controller/store.h"
#include "proto/base/sock.h"
#include "proto/wire/signer.h"

#define FLEET_AWAY_MS 5000	/* nothing heard for so long: away */
#define FLEET_NODES_MAX 4096	/* and as many join tokens */

struct fleet;

/*
 * Events of a node, on the fleet's thread with no lock held.  Sets *upto to
 * the sequence up to which all are stored durably: 0 sends the EACK, an error
 * sends nothing and the node tries again.
 */
typedef int (*fleet_events_fn)(void *arg, const char *node,
    const struct events *e, uint64_t *upto);

/* All is borrowed until fleet_stop(). */
struct fleet_conf {
	struct store *store;
	pthread_mutex_t *lock;		/* the controller's, over store */
	struct signer *signer;		/* the first; see fleet_rekey() */
	const uint8_t *root;		/* public key of the root */
	const uint8_t *secret;		/* CURVE, of all three sockets */
	const char *control, *events, *enroll;	/* endpoints to bind */
	const char *advertise;		/* host name for nodes, or NULL: as
					 * bound */
	fleet_events_fn on_events;
	/* A node wants all of the newest version, or damaged: a chunk of what
	 * is served cannot be read.  On the fleet's thread; may be NULL. */
	void (*on_whole)(void *arg, bool damaged);
	void *arg;
};

/* Bind, load the registry, start the thread.  Takes the lock.  0, ERR_BUSY
 * (address in use), ERR_INVAL, ERR_IO, ERR_CORRUPT (a row). */
int fleet_start(struct fleet **out, const struct fleet_conf *conf,
    struct diag *why);
/* Ends the thread and waits for it; never with the lock held. */
void fleet_stop(struct fleet **f);

enum fleet_socket { FLEET_CONTROL, FLEET_EVENTS, FLEET_ENROLL };
/* The endpoint bound, its port known; borrowed. */
const char *fleet_endpoint(const struct fleet *f, enum fleet_socket which);

/* Serve p, which is the fleet's from now on; the one before is served to
 * who is in the middle of it, older ones are freed.  Heads name p from now
 * on. */
void fleet_publish(struct fleet *f, struct publication *p);
/* What is served, and what before; NULL: nothing.  Borrowed until the next
 * but one fleet_publish(). */
const struct publication *fleet_publication(struct fleet *f,
    const struct publication **before);

/* The head moves to h (manifest_id is the fleet's to fill in).  delta, a
 * FRAME_DELTA that leads to it from the head before, is sent to who stands
 * there; it may be empty.  What fleet_publish() gave must lead there. */
void fleet_advance(struct fleet *f, const struct head *h,
    struct bytes delta);
/*
 * Sign with s from now on: its certificate goes to all nodes, then heads that
 * name p, which is the fleet's from now on: what is served, signed anew
 * (NULL: nothing is served).
 */
void fleet_rekey(struct fleet *f, struct signer *s, struct publication *p);
/* The highest serial of a certificate that a node has told of since the
 * start. */
uint64_t fleet_highest_serial(struct fleet *f);

/* The head that is told; false, and *out zeroed: none yet. */
bool fleet_head(struct fleet *f, struct head *out);
/* Handshakes of nodes that were decided since the start: of each connection,
 * two a node. */
uint64_t fleet_handshakes(const struct fleet *f);
/* The highest version that any node has told of since the start. */
uint64_t fleet_highest(struct fleet *f);

/* The highest sequence of the audit log that a node has seen. */
uint64_t fleet_highest_audit(struct fleet *f);

/* Make a join token, good once until ttl_ms from now, and append it.  by is
 * what the audit log says of it (NULL: nothing).  Takes the lock.  0;
 * ERR_FULL: FLEET_NODES_MAX are waiting; ERR_IO. */
int fleet_token(struct fleet *f, uint64_t ttl_ms,
    const struct audit_entry *by, struct buf *out, int64_t *expires_us,
    struct diag *why);

/* Let a node in no more, not even where it is connected.  by and the lock as
 * above.  0, ERR_NOENT, ERR_IO. */
int fleet_revoke(struct fleet *f, const char *id,
    const struct audit_entry *by, struct diag *why);

enum node_state { NODE_JOINING, NODE_CURRENT, NODE_BEHIND, NODE_REFUSING,
    NODE_AWAY, NODE_REPAIRING, NODE_HELD, NODE_STATES };
/* "joining", .. */
const char *node_state_name(enum node_state s);

/* What a node said that it reads and runs; zeros: it never said. */
struct node_reads {
	uint32_t proto_min, proto_max, format_min, format_max;
	uint32_t engine_min, engine_max;
};

struct node_info {
	char id[64];
	enum node_state state;
	bool acked;			/* ack below holds something */
	struct ack ack;			/* the last one */
	char build[32];			/* from its HELLO, or "" */
	char address[SOCK_ADDRESS_LEN];	/* where it was seen, or "" */
	struct node_reads reads;	/* from it too, kept over starts */
	int64_t enrolled_us, seen_us;	/* wall; seen 0: not since start */
	int64_t enforced_us;		/* when it first told of the version
					 * it enforces; 0 unknown */
	enum audit_state audit;		/* see fleet_audit.c */
	int64_t lag_us;			/* behind: for how long it lacks what
					 * comes next; else from the head to
					 * its telling; -1 unknown */
	/* sent to it since the start */
	uint64_t deltas, delta_bytes, chunks, chunk_bytes;
};
typedef void (*fleet_node_fn)(void *arg, const struct node_info *n);
/* Each node that is not revoked, by id.  Called with the fleet's own lock
 * held: fn must not call fleet functions. */
void fleet_nodes(struct fleet *f, fleet_node_fn fn, void *arg);
/* Can it take what this program publishes?  Before it said what it reads,
 * yes. */
bool fleet_can_take(const struct node_info *n);
/* Does it enforce exactly h: version, digest and engine?  Before the first
 * version, is it there? */
bool fleet_converged(const struct node_info *n, const struct head *h);
/* One of them; 0 or ERR_NOENT. */
int fleet_node(struct fleet *f, const char *id, struct node_info *out);

#endif
