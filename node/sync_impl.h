/*
 * sync_impl.h - the sync thread's state; for sync.c and sync_steps.c alone.
 */
#ifndef NODE_SYNC_IMPL_H
#define NODE_SYNC_IMPL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "node/fetch.h"
#include "node/sync.h"
#include "node/uplink.h"
#include "proto/base/sock.h"
#include "proto/wire/keys.h"
#include "proto/wire/message.h"

#define HELLO_MS 5000		/* without a head: say hello again */
#define ACK_MS 1000
#define STALL_MS 5000		/* nothing came: ask again */
#define TICK_MS 200
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define HWM 64

struct sync {
	struct sync_conf conf;
	pthread_t thread, builder;
	atomic_bool stop, built;
	int wake_fd;
	sem_t started;
	int start_rc;
	struct diag start_why;
	struct sock_ctx *ctx;
	struct sock *control, *events;
	struct uplink *uplink;
	struct publisher_cert cert;
	uint8_t boot_id[16];
	uint64_t ratchet;

	pthread_mutex_t lock;		/* guards the next two */
	struct head enforced;
	bool ack_now;

	struct fetch *fetch;
	bool building;
	int build_rc;
	struct ruleset *build_result;
	struct diag build_why;
	uint32_t in_flight;		/* chunks asked for and not here */
	uint64_t progress_ms;
	uint64_t backoff_ms, not_before_ms;

	uint64_t head_ms, hello_ms, ack_ms;
	enum nack nack;
	uint64_t nack_version;
	char nack_detail[200];
};

/* The steps of taking a version, and what is said to the controller: see each
 * in sync_steps.c.  All belong to the sync thread. */
struct head sync_head_enforced(struct sync *s);
void sync_send_hello(struct sync *s);
void sync_send_ack(struct sync *s);
void sync_ask_manifest(struct sync *s);
void sync_ask_chunks(struct sync *s);
void sync_end_build(struct sync *s);
void sync_on_control(struct sync *s, const struct buf *data);

#endif
