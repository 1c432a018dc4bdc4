/*
 * decide_impl.h - what decide.c and decide_event.c share; nobody else.
 */
#ifndef NODE_DECIDE_IMPL_H
#define NODE_DECIDE_IMPL_H

#include <sodium.h>

#include "node/decide.h"
#include "proto/base/hash.h"
#include "proto/policy/reply.h"

#define DECIDE_RECENT 4096	/* a power of two */
#define DECIDE_HASHES 2		/* of 64 bits, for a question */

/* A refusal given lately, found again by instance, sender and recipient. */
struct decide_recent {
	uint64_t hash[DECIDE_HASHES];
	uint64_t at_ms;			/* 0: empty */
	enum reason reason;
	char id[REPLY_ID_LEN + 1];
};

struct decider {
	struct decide_conf conf;
	struct metrics *m;
	struct stages *stages;
	struct settings defaults;
	struct want want;
	struct facts facts;
	struct ruleset_reader reader;
	struct envelope env;
	struct addr header_base[DECIDE_HEADERS_MAX];
	char host[ADDR_DOMAIN_MAX + 1];
	struct event event;
	struct decide_recent recent[DECIDE_RECENT];
	struct hash_key key[DECIDE_HASHES];	/* of them */
	/* Bytes for ids, drawn for many at once: it is a system call. */
	uint8_t random[64 * REPLY_ID_RANDOM];
	size_t random_left;
	uint64_t complained_ms;
	uint64_t dice;			/* which decisions are timed */
};

/* v as text of at most cap - 1 bytes of valid UTF-8 without controls. */
void decide_put_value(char *out, size_t cap, const struct value *v);

/* A new id. */
void decide_id(struct decider *d, char out[REPLY_ID_LEN + 1]);

/*
 * Find or take the slot of this question; true when it was asked before with
 * the same outcome.  id gets its id in any case.
 */
bool decide_asked_before(struct decider *d, const struct question *q,
    enum reason reason, char id[REPLY_ID_LEN + 1]);

/* An event of nothing; what stands behind an empty text is left, for the
 * struct is KBs. */
void decide_event_clear(struct event *e);

/* Fill d->event, which was cleared, with what q and d->env say of the
 * message. */
void decide_describe(struct decider *d, const struct ruleset *r,
    const struct question *q);

#endif
