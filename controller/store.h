/*
 * store.h - the only copy of the policy: items in force and their records,
 * every version with its change and its document, the changes of records that
 * lead from one version to the next, small tables of other modules (nodes,
 * tokens) and the audit log (audit.h), in one LevelDB.
 *
 * Each write is one synced batch that carries a sequence number and a BLAKE2b
 * chain over its content; the last acknowledged one is named in a small
 * synced file beside the database, and open() fails with ERR_CORRUPT when
 * what that file names is missing.  One thread at a time (callers hold the
 * controller's lock), but for those that say any thread.
 *
 * Items are in memory, records are not: a commit costs what it changes.
 */
#ifndef CONTROLLER_STORE_H
#define CONTROLLER_STORE_H

#include <stdatomic.h>

#include "controller/policy/apply.h"
#include "controller/policy/compile.h"
#include "proto/wire/delta.h"
#include "proto/wire/message.h"

struct store;
struct audit_entry;

struct commit {
	const char *actor;	/* who: token name */
	const char *action;	/* "apply", "group add", .. */
	const char *message;	/* or NULL */
	const char *document;	/* the documents as given, or NULL */
	uint64_t if_revision;	/* 0: any; else ERR_CONFLICT when other */
	/* what the audit log says; NULL: the controller's own doing.  Actor,
	 * action and reason that it does not give are those above. */
	const struct audit_entry *audit;
};

/* 0, ERR_BUSY (another process), ERR_CORRUPT, ERR_IO. */
int store_open(struct store **out, const char *dir, struct diag *why);
void store_close(struct store **s);

uint64_t store_version(const struct store *s);	/* 0 before the first */
const struct items *store_items(const struct store *s);
const struct records *store_records(const struct store *s);
/* The head of the version in force, but manifest_id, engine and issued_us;
 * and the digest state. */
void store_head(const struct store *s, struct head *out, struct digest *d);

/*
 * Compile what c changes and, if all is well, store a new version.  An empty
 * change gives 0 and the old version.  *version is then in force.  Errors of
 * compile_change() leave everything as it was.
 */
int store_commit(struct store *s, const struct change *c,
    const struct commit *info, uint64_t *version, struct diag *why);
/* Go on above at_least, which nodes know from elsewhere: the same content
 * becomes version at_least + 1.  ERR_CONFLICT when that would not rise. */
int store_adopt(struct store *s, uint64_t at_least,
    const struct commit *info, uint64_t *version, struct diag *why);

/* A revision as JSON: {version, time, actor, action, message, digest,
 * records, changes: [..], document?}.  ERR_NOENT. */
int store_revision(struct store *s, uint64_t version, bool with_document,
    struct buf *out, struct diag *why);

/* --- versions as changes of records --- */

/*
 * What leads from version `from` towards `to`, as far as it fits one delta,
 * with all but issued_us and engine; from's digest must be the one given,
 * unless that is NULL.  Any thread.  0, *out then being the caller's;
 * ERR_NOENT: another digest, below the horizon, or a step that is too large
 * for a delta; ERR_CORRUPT, ERR_IO.
 */
int store_delta(struct store *s, uint64_t from, const uint8_t *digest,
    uint64_t to, struct delta *out, struct diag *why);
/* The oldest version that deltas lead on from without a gap. */
uint64_t store_delta_oldest(const struct store *s);
/* Bytes kept of changes after this version. */
uint64_t store_log_bytes(struct store *s, uint64_t version);
/* Drop no change that leads on from this version. */
void store_log_keep(struct store *s, uint64_t version);

/* --- records of a version --- */

/* All records of the version in force, as they are now whatever comes. */
struct store_view;
struct store_view *store_view_new(struct store *s);
/* Any thread; the store must be open still. */
void store_view_free(struct store_view **v);
/* As store_head(); borrowed. */
const struct head *store_view_head(const struct store_view *v);
/* Copy the whole store as the view shows it into the folder dir, which has
 * none yet, so that store_open() opens it.  Any thread.  As db_copy(). */
int store_view_copy(struct store_view *v, const char *dir,
    const atomic_bool *stop, struct diag *why);
/* Each record in the order of keys, until fn gives an error.  Any thread. */
typedef int (*store_record_fn)(void *arg, struct bytes key, struct bytes val);
int store_view_scan(struct store_view *v, store_record_fn fn, void *arg,
    struct diag *why);
/* Compute the digest of all records anew (1 us a record) and hold it against
 * the head's: 0, ERR_CORRUPT, or ERR_TIMEOUT once *stop is set (it may be
 * NULL).  Any thread. */
int store_view_prove(struct store_view *v, const atomic_bool *stop,
    struct diag *why);

/* --- rows of other modules --- */

/* table is a short name ("node", "token"); json NULL: it is deleted. */
struct store_row { const char *table, *key, *json; };
/* Write n rows and an entry of the audit log (NULL: none) as one batch.  0,
 * ERR_FULL, ERR_IO. */
int store_rows_write(struct store *s, const struct store_row *row, size_t n,
    const struct audit_entry *e, struct diag *why);
/* One row, of which the audit log need not know. */
int store_row_put(struct store *s, const char *table, const char *key,
    const char *json, struct diag *why);
int store_row_del(struct store *s, const char *table, const char *key,
    struct diag *why);
typedef void (*store_row_fn)(void *arg, const char *key, const char *json);
int store_row_scan(struct store *s, const char *table, store_row_fn fn,
    void *arg, struct diag *why);

#endif
