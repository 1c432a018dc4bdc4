/*
 * uplink.h - events from the spool to the controller: one batch at a time,
 * sent again until it is acknowledged.
 */
#ifndef NODE_UPLINK_H
#define NODE_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "node/spool.h"
#include "proto/base/sock.h"

struct uplink;

/* spool is borrowed. */
struct uplink *uplink_new(struct spool *spool);
void uplink_free(struct uplink **u);

/* Send, or send again, when it is time.  Does not block. */
void uplink_step(struct uplink *u, struct sock *s, uint64_t now_ms);

/* When the next step may have something to do; past: with new events. */
uint64_t uplink_next_ms(const struct uplink *u);

/* From any thread, after an event became durable: true once when the last step
 * had nothing to send, so that somebody has to call the next. */
bool uplink_was_idle(struct uplink *u);

/* Since when a batch waits for its acknowledgement; 0: none does. */
uint64_t uplink_waits_since(const struct uplink *u);

/* A frame came from the events socket. */
void uplink_on_frame(struct uplink *u, const void *data, size_t len);

#endif
