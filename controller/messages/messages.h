/*
 * messages.h - the message center: every refusal that nodes reported, each
 * once, to be searched newest first.
 *
 * One LevelDB.  A row stands under (time, id, node) and under its id, its
 * recipients and its senders; counters by sender, recipient and day serve
 * messages_top().  Reads may come from any thread and see one state of the
 * database; writes are serialised inside.
 */
#ifndef CONTROLLER_MESSAGES_H
#define CONTROLLER_MESSAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"
#include "proto/wire/event.h"
#include "proto/wire/message.h"

#define MESSAGES_NODE_MAX 63
#define MESSAGES_LIMIT_MAX 1000		/* rows one search gives */
#define MESSAGES_SCAN_MAX 200000	/* rows one search looks at */
#define MESSAGES_CURSOR_LEN (2 * (8 + REPLY_ID_LEN + MESSAGES_NODE_MAX))

struct messages;

/* What a person calls the outcome. */
enum message_status {
	STATUS_ANY, STATUS_REJECTED, STATUS_DEFERRED, STATUS_OBSERVED
};

struct message {
	char node[MESSAGES_NODE_MAX + 1];
	struct event event;	/* time_us as filed: see messages_put() */
};

/* Zeroed, it asks for all.  Texts are borrowed; NULL: any. */
struct message_query {
	const char *from, *to;	/* canonical "al@x", "x", or "*.x"; from also
				 * matches header From, to the primary; ""
				 * as from: the null sender */
	const char *policy;	/* that decided, or would have */
	const char *node, *id;
	enum message_status status;
	bool has_reason;
	enum reason reason;	/* decided, or would have been */
	int64_t since_us, until_us;	/* [since, until); until 0: no end */
	const char *before;	/* .next of the page before */
	size_t limit;		/* 0: 100; at most MESSAGES_LIMIT_MAX */
	size_t scan_max;	/* 0: MESSAGES_SCAN_MAX */
};

struct message_found {
	size_t n;		/* given to fn */
	size_t searched;	/* rows looked at */
	char next[MESSAGES_CURSOR_LEN + 1];	/* "": all was looked at */
};

struct message_top {
	char sender[ADDR_TEXT_MAX];	/* "": the null sender */
	size_t users;		/* recipients it was refused to */
	uint64_t rejections;
	int64_t last_us;
};

/* Makes dir when missing.  0, ERR_BUSY (another process), ERR_CORRUPT,
 * ERR_IO. */
int messages_open(struct messages **out, const char *dir, struct diag *why);
void messages_close(struct messages **m);

/*
 * Store what is new in a batch of node's spool, and how far it was read, in
 * one synced write: when this returns 0, all up to and including *upto are
 * stored and may be acknowledged.  Events at or below the watermark are
 * passed over; one that cannot be decoded is counted in *refused (NULL: not
 * wanted) and passed over for good, since sent again it would be no better.
 * An event from later than now_us is filed under now_us: a node's clock does
 * not decide what stands on top or how long it is kept.
 * 0; ERR_INVAL for a bad node name; ERR_FULL, ERR_IO, ERR_CORRUPT: nothing
 * is stored, send it again.
 */
int messages_put(struct messages *m, const char *node,
    const struct events *e, int64_t now_us, uint64_t *upto, size_t *refused,
    struct diag *why);

/* The last sequence stored of that spool; 0 none.  0, ERR_CORRUPT, ERR_IO. */
int messages_watermark(struct messages *m, const char *node,
    const uint8_t spool_id[8], uint64_t *seq, struct diag *why);

/* row is borrowed for the call. */
typedef void (*messages_fn)(void *arg, const struct message *row);

/*
 * Give the rows that match q to fn, newest first, until q->limit are given
 * or q->scan_max are looked at; out->next then goes on from there.
 * 0, ERR_INVAL (before is no cursor), ERR_CORRUPT, ERR_IO.
 */
int messages_search(struct messages *m, const struct message_query *q,
    messages_fn fn, void *arg, struct message_found *out, struct diag *why);

/* The newest row with that id (canonical, reply_id_parse()).  0, ERR_NOENT,
 * ERR_CORRUPT, ERR_IO. */
int messages_get(struct messages *m, const char *id, struct message *out,
    struct diag *why);

/*
 * The senders refused most often since the day of since_us (UTC), most first,
 * into out (room for limit); *n says how many.  Observed ones do not count.
 * Reads every counter kept: about 1 us for each pair of sender, recipient
 * and day.  0, ERR_CORRUPT, ERR_IO.
 */
int messages_top(struct messages *m, int64_t since_us, struct message_top *out,
    size_t limit, size_t *n, struct diag *why);

/*
 * Delete up to max rows from before before_us, then, when those were all, the
 * counters of days that ended before it.  Call again while *deleted is max.
 * 0, ERR_FULL, ERR_IO, ERR_CORRUPT.
 */
int messages_expire(struct messages *m, int64_t before_us, size_t max,
    size_t *deleted, struct diag *why);

/* Rows stored. */
uint64_t messages_count(struct messages *m);

/* observed: the MTA went on; deferred: it said 4xx. */
enum message_status message_status(const struct event *e);
/* "rejected", "deferred", "observed". */
const char *message_status_name(enum message_status s);
/* 0 or ERR_INVAL. */
int message_status_parse(const char *name, enum message_status *out);

/* Copy all as it is now to a new database at dir; any thread.  As
 * db_copy(). */
int messages_copy(struct messages *m, const char *dir,
    const atomic_bool *stop, struct diag *why);

#endif
