/*
 * sock.h - ZeroMQ sockets with CURVE, credit-friendly limits and one owner.
 *
 * The one place that includes zmq.h.  A socket belongs to the thread that
 * made it.  Every socket has CURVE; a server socket needs the ZAP handler
 * of its context (sock_zap_start), without which libzmq 4.3.4 would admit
 * any key: so making a server socket first fails with ERR_INVAL, and when
 * the handler ends for any reason but sock_ctx_free() the process ends.
 * Messages are one frame (behind the routing id on a ROUTER).  Sends never
 * block: DONTWAIT and ROUTER_MANDATORY.  Limits set on each socket: message
 * size, high-water marks, handshake 5 s, heartbeat 2 s with time-out 6 s,
 * linger 0, backlog 4096, reconnect after 100 ms or up to twice that, twice as
 * long each time up to 4 s: clients that lost the same server at once come
 * back spread over about as long as it was away, over 4 s at most.
 */
#ifndef BASE_SOCK_H
#define BASE_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

#define SOCK_KEY_LEN 32		/* a CURVE key, raw bytes */
#define SOCK_ADDRESS_LEN 48	/* of a peer, as text, without a port */
#define SOCK_ID_LEN 16		/* a routing id: BLAKE2b of the client's key */

struct sock_ctx;
struct sock;

/* May public key `key` connect to sockets of `domain`?  Called on the ZAP
 * thread; must not block long. */
typedef bool (*sock_zap_fn)(void *arg, const char *domain,
    const uint8_t key[SOCK_KEY_LEN]);

struct sock_ctx *sock_ctx_new(void);
void sock_ctx_free(struct sock_ctx **ctx);	/* all sockets closed first */
/* Start the handler thread; deny by default.  Once per context. */
int sock_zap_start(struct sock_ctx *ctx, sock_zap_fn fn, void *arg,
    struct diag *why);

/* Make a CURVE key pair. */
void sock_keypair(uint8_t pub[SOCK_KEY_LEN], uint8_t sec[SOCK_KEY_LEN]);
/* The public key that belongs to sec. */
void sock_public(const uint8_t sec[SOCK_KEY_LEN], uint8_t pub[SOCK_KEY_LEN]);
/* The routing id of the client with this public key. */
void sock_client_id(const uint8_t pub[SOCK_KEY_LEN], uint8_t id[SOCK_ID_LEN]);

struct sock_conf {
	const char *endpoint;	/* "tcp://127.0.0.1:5555"; port "*" on a server
				 * takes a free one */
	const char *zap_domain;	/* server only */
	const uint8_t *secret;	/* ours */
	const uint8_t *server;	/* client only: the server's public key */
	size_t max_msg;		/* bytes; larger drops the connection */
	int hwm;		/* messages a peer, each way */
};

/* ROUTER, bound.  0, ERR_BUSY (address in use), ERR_INVAL, ERR_IO. */
int sock_serve(struct sock **out, struct sock_ctx *ctx,
    const struct sock_conf *conf, struct diag *why);
/* DEALER, connecting now and again by itself; its routing id is set from its
 * public key. */
int sock_connect(struct sock **out, struct sock_ctx *ctx,
    const struct sock_conf *conf, struct diag *why);
void sock_close(struct sock **s);

/* The address bound, with the port taken: "tcp://127.0.0.1:40123". */
const char *sock_endpoint(const struct sock *s);

/*
 * Send one frame; peer is the routing id on a ROUTER, NULL on a DEALER.
 * 0, ERR_AGAIN (peer's queue is full), ERR_UNREACH (no such peer), ERR_IO.
 */
int sock_send(struct sock *s, const uint8_t *peer, const void *data,
    size_t len);

/*
 * Bytes that many messages share: sent without a copy, freed when the last
 * user and the last message on its way have let go.  Never changed once sent.
 * _new takes len bytes of memory, which blob_data() gives to be filled.
 */
struct sock_blob;
struct sock_blob *sock_blob_new(size_t len);
void sock_blob_unref(struct sock_blob **b);
void *sock_blob_data(struct sock_blob *b);
size_t sock_blob_len(const struct sock_blob *b);
/* As sock_send(). */
int sock_send_blob(struct sock *s, const uint8_t *peer, struct sock_blob *b);

struct sock_msg {
	uint8_t peer[SOCK_ID_LEN];	/* ROUTER: who sent it */
	uint8_t key[SOCK_KEY_LEN];	/* ROUTER: its proved CURVE key */
	char address[SOCK_ADDRESS_LEN];	/* ROUTER: where it comes from, or
					 * "" */
	struct buf data;
};

/*
 * Take the next message without waiting; m->data is overwritten (buf_init it
 * before the first call, buf_fini after the last).  On a ROUTER, a message
 * whose routing id is not the one of its proved key, or with more than one
 * frame, is dropped and counted.  0 or ERR_AGAIN.
 */
int sock_recv(struct sock *s, struct sock_msg *m);

/* Messages dropped by sock_recv() for the reasons above. */
uint64_t sock_dropped(const struct sock *s);

struct sock_poll {
	struct sock *sock;	/* or NULL and */
	int fd;			/* a plain descriptor, waited on for input */
	bool ready;		/* out */
};
#define SOCK_POLL_MAX 64	/* items of one call */
/* Wait up to timeout_ms for any; 0, or ERR_IO.  EINTR counts as ready none. */
int sock_poll(struct sock_poll *items, size_t n, int timeout_ms);

#endif
