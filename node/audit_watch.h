/*
 * audit_watch.h - what this node has seen of the controller's audit log, so
 * that a log which is rolled back or written anew is noticed.
 *
 * Each verified head tells the log's end.  The highest is remembered, in
 * DIR/audit too, within a second of its coming.  A later head that tells a
 * lower sequence (behind), or another hash for the same one (forked), is an
 * alarm; what was seen then stays remembered as it was, and the alarm stays
 * until a head tells that the log was adopted as it is, or, after "behind",
 * shows the very end that was seen.  Nothing is refused for it.
 *
 * A head that was issued before the last one that counted is said again, by
 * somebody who cannot sign: it does not count.  (Unless that one came from a
 * clock that ran ahead of ours.)
 *
 * Of one thread.
 */
#ifndef NODE_AUDIT_WATCH_H
#define NODE_AUDIT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/diag.h"
#include "proto/wire/audit.h"

#define AUDIT_WATCH_SAVE_MS 1000
#define AUDIT_WATCH_AHEAD_US ((int64_t)30 * 1000000)

struct audit_watch {
	char path[1100];
	struct audit_mark seen;
	enum audit_state state;
	int64_t issued_us;	/* the last head that counted */
	bool is_unsaved;
	uint64_t saved_ms;
};

/* Read what was remembered.  A file that is damaged is reported and counts as
 * none: it decides nothing. */
void audit_watch_open(struct audit_watch *w, const char *dir);
/* A verified head, issued then, told this end; now_us: the wall clock's. */
void audit_watch_heard(struct audit_watch *w, const struct audit_mark *told,
    int64_t issued_us, int64_t now_us);
/* Save what is new, an alarm at once, an end at most each
 * AUDIT_WATCH_SAVE_MS; now_ms: monotonic. */
void audit_watch_tick(struct audit_watch *w, uint64_t now_ms);
/* Save what is new. */
void audit_watch_close(struct audit_watch *w);

#endif
