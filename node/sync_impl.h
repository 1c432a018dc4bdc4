/*
 * sync_impl.h - the sync thread's state; for sync*.c alone.
 */
#ifndef NODE_SYNC_IMPL_H
#define NODE_SYNC_IMPL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "node/audit_watch.h"
#include "node/fetch.h"
#include "node/scrub.h"
#include "node/sync.h"
#include "node/uplink.h"
#include "proto/base/sock.h"
#include "proto/wire/keys.h"
#include "proto/wire/message.h"

#define STALL_MS 5000		/* nothing came: ask again */
#define DELTA_WAIT_MS 1000	/* no delta since it was asked: the manifest */
#define TICK_MS 200
#define SCRUB_DUTY_PCT 10
#define SCRUB_INTERVAL_MS (60 * 60 * 1000)
/* Who answers comes first: a delta is a few milliseconds of work, a build
 * seconds.  LevelDB's own thread inherits from the first that needs it. */
#define SYNC_NICE 5
#define BUILD_NICE 10
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

	pthread_mutex_t lock;		/* guards the next three */
	struct head enforced;
	int64_t enforced_us;
	bool ack_now;

	/* What the controller wants: its newest verified head. */
	struct head target;		/* version 0: none heard yet */
	struct buf target_frame;

	/* What deltas apply to.  It is ahead of what is enforced for a
	 * moment, or behind while a new base catches up. */
	struct ruleset *newest;
	const struct ruleset *published;	/* given to the loop */
	uint64_t asked_from;		/* version; 0: no deltas asked for */
	uint64_t asked_ms;
	uint32_t asked_got;		/* deltas taken since */
	bool avoid_deltas;		/* they failed: manifest and chunks */
	bool repairing;
	struct scrub *scrub;		/* NULL: no thread for it */

	struct fetch *fetch;
	bool building;
	int build_rc;
	struct ruleset *build_result;
	struct diag build_why;
	bool strayed;			/* another manifest came since asked */
	bool odd_chunk;			/* a chunk came that is not ours */
	uint32_t in_flight;		/* chunks asked for and not here */
	uint64_t progress_ms;
	uint64_t backoff_ms, not_before_ms;

	struct audit_watch audit;

	uint64_t head_ms, hello_ms, ack_ms;
	int64_t issued_us;		/* of the newest head heard */
	uint64_t control_ms, events_ms;	/* connected again; 0: never */
	enum nack nack;
	uint64_t nack_version;
	char nack_detail[200];
};

/* sync.c: let the sync thread look.  From any thread. */
void sync_wake(struct sync *s);
/* What is said to the controller, and the steps of taking a version; all
 * belong to the sync thread.  sync_steps.c: */
struct head sync_head_enforced(struct sync *s);
/* The audit log as it is watched, into the metrics. */
void sync_show_audit(struct sync *s);
void sync_send_hello(struct sync *s);
void sync_send_ack(struct sync *s);
void sync_on_control(struct sync *s, const struct buf *data);
/* Remember a refusal for the next acknowledgement; log it once. */
void sync_refuse(struct sync *s, uint64_t version, enum nack nack,
    const char *detail);
enum nack sync_nack_of(int err);
/* Send a frame, whose head and payload are in it; 0 or an error. */
int sync_send(struct sync *s, const struct buf *frame);
/* Wait before the next try, twice as long as the last time. */
void sync_back_off(struct sync *s);

/* Held after crashes: nothing is asked for or taken.  Says so. */
bool sync_is_held(struct sync *s);

/* How long an answer is waited for. */
static inline uint64_t
sync_patience(const struct sync *s, uint64_t usual)
{
	return s->conf.patience_ms != 0 ? s->conf.patience_ms : usual;
}

/* sync_fetch.c: manifest, chunks, build. */
void sync_begin_fetch(struct sync *s);
void sync_fetch_tick(struct sync *s, uint64_t now);
void sync_on_manifest(struct sync *s, struct bytes frame);
void sync_on_chunk(struct sync *s, struct bytes payload);
void sync_end_build(struct sync *s);

/* sync_delta.c: towards the target by deltas, and giving out views. */
void sync_go(struct sync *s);
void sync_delta_tick(struct sync *s, uint64_t now);
void sync_on_delta(struct sync *s, struct bytes frame);
void sync_on_delta_gone(struct sync *s, struct bytes payload);
/* Let the loop decide by the newest view, unless it is below what was
 * accepted before. */
void sync_publish(struct sync *s);

#endif
