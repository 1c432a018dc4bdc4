/*
 * audit_watch.c - the end of the audit log as it was seen, in memory and in a
 * file of one line: state, adopted, sequence, hash, time of the head.
 */
#include "node/audit_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/wire/keys.h"

#define FILE_MAX 256

static int
parse(const char *text, struct audit_watch *w)
{
	char hex[AUDIT_HASH_LEN * 2 + 1];
	struct audit_mark m;
	unsigned state;
	int64_t issued;
	int end = 0;

	if (sscanf(text, "%1u %20" SCNu64 " %20" SCNu64 " %64[0-9a-f] %20"
	    SCNd64 "\n%n", &state, &m.adopted, &m.seq, hex, &issued,
	    &end) != 5 || end == 0 || text[end] != '\0' ||
	    state > AUDIT_STATE_LAST ||
	    hex_parse(hex, m.hash, AUDIT_HASH_LEN) < 0)
		return ERR_CORRUPT;
	w->seen = m;
	w->issued_us = issued;
	w->state = (enum audit_state)state;
	return 0;
}

void
audit_watch_open(struct audit_watch *w, const char *dir)
{
	struct diag why = { "" };
	struct buf text;
	int rc;

	memset(w, 0, sizeof(*w));
	snprintf(w->path, sizeof(w->path), "%s/audit", dir);
	buf_init(&text, FILE_MAX);
	rc = file_read(w->path, FILE_MAX, &text, &why);
	if (rc == 0 && (text.data == NULL || parse(text.data, w) < 0))
		rc = diag_set(&why, ERR_CORRUPT, "%s is damaged", w->path);
	if (rc < 0 && rc != ERR_NOENT)
		log_error("audit.forgotten", F_S("reason", why.text));
	else if (w->state > AUDIT_OK)
		log_warning("audit.rolled_back", F_S("audit",
		    audit_state_name(w->state)), F_U("seen", w->seen.seq),
		    F_S("reason", "noticed before this start"));
	buf_fini(&text);
}

static void
save(struct audit_watch *w)
{
	char hex[AUDIT_HASH_LEN * 2 + 1], text[FILE_MAX];
	struct diag why;

	hex_format(w->seen.hash, AUDIT_HASH_LEN, hex);
	snprintf(text, sizeof(text), "%d %" PRIu64 " %" PRIu64 " %s "
	    "%" PRId64 "\n", (int)w->state, w->seen.adopted, w->seen.seq,
	    hex, w->issued_us);
	if (file_write(w->path, text, strlen(text), 0600, &why) < 0)
		log_warning("audit.unsaved", F_S("reason", why.text));
	else
		w->is_unsaved = false;
}

void
audit_watch_tick(struct audit_watch *w, uint64_t now_ms)
{
	if (!w->is_unsaved || now_ms - w->saved_ms < AUDIT_WATCH_SAVE_MS)
		return;
	w->saved_ms = now_ms;
	save(w);
}

void
audit_watch_close(struct audit_watch *w)
{
	if (w->is_unsaved)
		save(w);
}

static void
remember(struct audit_watch *w, const struct audit_mark *told)
{
	w->seen = *told;
	w->is_unsaved = true;
}

static void
become(struct audit_watch *w, enum audit_state state,
    const struct audit_mark *told)
{
	if (state <= w->state)
		return;		/* the worst was said already */
	w->state = state;
	w->is_unsaved = true;
	w->saved_ms = 0;
	if (state > AUDIT_OK)
		log_error("audit.rolled_back", F_S("audit",
		    audit_state_name(state)), F_U("seen", w->seen.seq),
		    F_U("ends", told->seq), F_S("reason", "the controller's "
		    "audit log is not the one that was seen: it was put back, "
		    "or written anew"));
}

/* A person took the log on as it is. */
static void
adopt(struct audit_watch *w, const struct audit_mark *told)
{
	if (w->seen.seq != 0)
		log_warning("audit.adopted", F_U("seen", w->seen.seq),
		    F_U("goes_on_at", told->adopted), F_S("was",
		    audit_state_name(w->state)));
	w->state = AUDIT_UNTOLD;
	remember(w, told);
	become(w, AUDIT_OK, told);
}

void
audit_watch_heard(struct audit_watch *w, const struct audit_mark *told,
    int64_t issued_us, int64_t now_us)
{
	if (issued_us <= w->issued_us &&
	    w->issued_us <= now_us + AUDIT_WATCH_AHEAD_US)
		return;
	w->issued_us = issued_us;
	if (audit_mark_same(told, &w->seen)) {
		/* the log that was seen is there again */
		if (w->state == AUDIT_BEHIND) {
			log_warning("audit.back", F_U("seen", w->seen.seq));
			w->state = AUDIT_OK;
			w->is_unsaved = true;
		}
	} else if (told->adopted > w->seen.adopted)
		adopt(w, told);
	else if (told->adopted < w->seen.adopted || told->seq < w->seen.seq)
		become(w, AUDIT_BEHIND, told);
	else if (told->seq == w->seen.seq)
		become(w, AUDIT_FORKED, told);
	else if (w->state <= AUDIT_OK) {
		remember(w, told);
		become(w, AUDIT_OK, told);
	}
}
