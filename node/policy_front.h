/*
 * policy_front.h - the listeners where mail servers ask: the Postfix policy
 * protocol over TCP and a Unix socket.
 *
 * Answers of a connection go out in the order of its requests: while one
 * waits (for its event to be durable, or for the peer to read) the next is
 * not looked at.  A malformed request closes the connection without an
 * answer.  A peer that has shut its sending side gets its answers first.
 */
#ifndef NODE_POLICY_FRONT_H
#define NODE_POLICY_FRONT_H

#include <uv.h>

#include "node/metrics.h"
#include "node/policy_request.h"
#include "proto/base/diag.h"

#define FRONT_WAIT_MS 250	/* for an event to be durable, at most */

struct front;

/*
 * Write the action for q.  Returns the ticket that must be done before the
 * answer may go, or 0.  late: the request waited in the node for longer than
 * the deadline and must be answered without a decision.
 */
typedef uint64_t (*front_fn)(void *arg, const struct policy_request *q,
    bool late, char action[POLICY_REPLY_MAX]);

struct front_conf {
	const char *tcp;		/* "127.0.0.1:10031", port 0 takes a
					 * free one; NULL or "" for none */
	const char *unix_path;		/* made with mode 0666; NULL or "" */
	unsigned max_connections;
	uint64_t deadline_ms;
	front_fn fn;
	void *arg;
	struct metrics *metrics;
};

/* Listen on loop.  0, ERR_BUSY (address in use), ERR_INVAL, ERR_IO. */
int front_open(struct front **out, uv_loop_t *loop,
    const struct front_conf *conf, struct diag *why);

/* The TCP address taken ("127.0.0.1:41234"), "" when there is none. */
const char *front_tcp(const struct front *f);

/* All tickets up to and including this are done: send their answers. */
void front_release(struct front *f, uint64_t done);

/* Stop accepting; connections end once they are idle. */
void front_drain(struct front *f);

/* Close what is left.  The loop must run once more before front_free(). */
void front_stop(struct front *f);

/* Connections open now. */
unsigned front_connections(const struct front *f);

/* After the loop has closed all handles. */
void front_free(struct front **f);

#endif
