/*
 * events.h - nodes that send events to a message center, and the least that
 * could take the same bytes: a bare ROUTER and one batch of LevelDB for each
 * that comes.
 *
 * The server runs in this process, each node in one of its own: its spool is
 * filled before, and it sends until all is acknowledged, through the node's
 * own uplink; before the bare server the same frames from memory.
 */
#ifndef BENCH_EVENTS_H
#define BENCH_EVENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/set.h"
#include "proto/base/diag.h"
#include "proto/base/sock.h"

#define EVENTS_NODES_MAX 16

/* What server and nodes share. */
struct events_node {
	uint8_t secret[SOCK_KEY_LEN], key[SOCK_KEY_LEN];
	atomic_bool ready;		/* its spool or frames are made */
	_Atomic uint64_t begin_ns;	/* the first batch was acknowledged */
	_Atomic uint64_t end_ns;	/* all are */
	uint64_t first_n;		/* events of the first batch */
	double cpu;			/* seconds between the two */
};
struct events_shared {
	char endpoint[128];
	uint8_t server_key[SOCK_KEY_LEN];
	const struct set *set;
	uint64_t n;			/* events of each node */
	uint32_t nodes;
	bool bare;
	char dir[64];			/* a folder for all */
	atomic_bool go, stop, failed;
	struct events_node node[EVENTS_NODES_MAX];
};

/* Be that node until all is acknowledged or s->stop. */
void events_send(struct events_shared *s, uint32_t i);

struct events_server;

/* Take events: the controller's fleet and message center, or the bare server;
 * fills endpoint and server_key.  0, or an error with why. */
int events_server_start(struct events_server **out, struct events_shared *s,
    struct diag *why);
/* Ends it; *bytes are those of the database's folder then, *stored the events
 * in it. */
void events_server_stop(struct events_server **e, uint64_t *bytes,
    uint64_t *stored);

#endif
