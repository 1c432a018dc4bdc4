/*
 * fleet.h - many protocol clients against the controller's fleet, or against
 * a bare ROUTER that sends the same bytes.
 *
 * The server runs in this process, the clients in a few of their own: each
 * client is a DEALER with a CURVE key, verifies every signature and every
 * chunk's hash, and says in memory that all share when it has what was sent.
 * Clients hold no records: what a node does with a delta on its disk is not
 * in these times.
 */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/diag.h"
#include "proto/base/sock.h"
#include "proto/wire/keys.h"
#include "proto/wire/message.h"

#define FLEET_CLIENTS_MAX 4096

/* What server and clients share. */
struct fleet_client {
	uint8_t secret[SOCK_KEY_LEN], key[SOCK_KEY_LEN];
	_Atomic uint64_t version;	/* verified */
	_Atomic uint64_t at_ns;		/* when */
	_Atomic uint64_t joined_ns;	/* first head, or the whole snapshot */
};
struct fleet_shared {
	char endpoint[128], events[128];	/* events "": none */
	uint8_t server_key[SOCK_KEY_LEN], publisher[SIGN_PUBLIC_LEN];
	struct head have;		/* version 0: fetch the whole */
	atomic_bool go, stop;
	atomic_uint failed;		/* a signature or a hash was wrong */
	atomic_uint missed;	/* deltas that nobody would send again */
	/* what the real node told the bare ROUTER that it enforces, when */
	_Atomic uint64_t real_version, real_us;
	uint8_t real_key[SOCK_KEY_LEN];
	uint32_t n;
	struct fleet_client client[FLEET_CLIENTS_MAX];
};

/* The clients from first up to end, on this thread, until shared->stop. */
void fleet_clients(struct fleet_shared *s, uint32_t first, uint32_t end);

/* Something that clients connect to. */
struct fleet_server;
struct fleet_real;

struct fleet_server_conf {
	struct fleet_shared *s;		/* endpoints, keys, have are filled */
	bool bare;			/* the bare ROUTER, else the fleet */
	bool events;			/* clients open that connection too */
	/* Of the policy served: its bytes, about; 0: a small one that the
	 * clients are said to have. */
	uint64_t bytes;
	/* Or NULL: its set is served, and clients are said to have it; its
	 * node is admitted. */
	struct fleet_real *real;
	const char *dir;		/* empty, for the store and chunks */
};

/* 0, or an error with why. */
int fleet_server_start(struct fleet_server **out,
    const struct fleet_server_conf *conf, struct diag *why);
void fleet_server_stop(struct fleet_server **f);
/* Prepare the next version, a delta of one record; then send it.  Its
 * version. */
int fleet_server_prepare(struct fleet_server *f, uint64_t *version,
    struct diag *why);
void fleet_server_push(struct fleet_server *f);
/* Bytes of what the last push sent to each, delta and head. */
size_t fleet_server_push_bytes(const struct fleet_server *f);
/* What the real node enforces, and since when on the wall clock, as it
 * acknowledged. */
void fleet_server_real(struct fleet_server *f, uint64_t *version,
    uint64_t *at_us);

/* The fleet alone: end it, and begin it again at the same addresses. */
void fleet_server_down(struct fleet_server *f);
int fleet_server_up(struct fleet_server *f, struct diag *why);
/* Nodes heard since it began; handshakes decided since. */
uint32_t fleet_server_heard(struct fleet_server *f);
uint64_t fleet_server_handshakes(struct fleet_server *f);

#endif
