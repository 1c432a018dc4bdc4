/*
 * front.h - connections of mail servers on the loop, whatever they speak.
 *
 * Answers of a connection go out in the order of what it asked: while one
 * waits (for its event to be durable, or for the peer to read) the next is
 * not looked at.  What is malformed closes the connection without an answer.
 * A peer that has shut its sending side gets its answers first.
 */
#ifndef NODE_FRONT_H
#define NODE_FRONT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "node/metrics.h"
#include "proto/base/buf.h"
#include "proto/base/diag.h"

#define FRONT_WAIT_MS 250	/* for an event to be durable, at most */
#define FRONT_PEER_LEN 64
#define FRONT_END 1		/* see take */

struct front;

/* What one connection wants done with the bytes that came. */
struct front_take {
	const char *data;
	size_t len;
	bool late;		/* they waited in the node for longer than the
				 * deadline: answer without a decision */
	size_t used;		/* out: bytes done with */
	uint64_t ticket;	/* out: must be done before the answer goes;
				 * 0: none */
	struct buf *out;	/* append the answer here */
};

struct front_protocol {
	const char *malformed, *full;	/* names of log events */
	size_t unit_max;	/* bytes that take may have to see at once */
	/* A connection of peer (an address, or "local": loopback and the Unix
	 * socket) begins and ends; open's value is handed to the others. */
	void *(*open)(void *arg, const char *peer);
	void (*close)(void *conn);
	/*
	 * Take one unit from the bytes.  0; ERR_AGAIN: more bytes are needed
	 * (used may be above 0 all the same); FRONT_END: answer and close;
	 * else malformed, why says how: close.
	 */
	int (*take)(void *conn, struct front_take *t, struct diag *why);
	/* Nothing is under way that closing would spoil.  NULL: so it is
	 * whenever no bytes wait. */
	bool (*is_idle)(const void *conn);
};

struct front_conf {
	const char *tcp, *unix_path;	/* see listen_open() */
	unsigned max_connections;
	uint64_t deadline_ms;
	uint64_t wait_ms;		/* 0: FRONT_WAIT_MS */
	const struct front_protocol *protocol;
	void *arg;			/* of open */
	struct metrics *metrics;
	_Atomic uint64_t *connections;	/* the gauge of this front */
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
