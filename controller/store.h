/*
 * store.h - the only copy of the policy: items in force, every version with
 * its change and its document, and small tables of other modules (nodes,
 * tokens), in one LevelDB.
 *
 * Each write is one synced batch that carries a sequence number and a BLAKE2b
 * chain over its content; the last acknowledged one is named in a small
 * synced file beside the database, and open() fails with ERR_CORRUPT when
 * what that file names is missing.  One thread at a time (callers hold the
 * controller's lock).
 */
#ifndef CONTROLLER_STORE_H
#define CONTROLLER_STORE_H

#include "controller/policy/apply.h"
#include "controller/policy/compile.h"
#include "proto/wire/message.h"

struct store;

struct commit {
	const char *actor;	/* who: token name */
	const char *action;	/* "apply", "group add", .. */
	const char *message;	/* or NULL */
	const char *document;	/* the documents as given, or NULL */
	uint64_t if_revision;	/* 0: any; else ERR_CONFLICT when other */
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
 * Compile items with c made on them and, if all is well, store a new version.
 * An empty change gives 0 and the old version.  *version is then in force.
 * Errors of compile() leave everything as it was.
 */
int store_commit(struct store *s, const struct change *c,
    const struct commit *info, uint64_t *version, struct diag *why);

/* A revision as JSON: {version, time, actor, action, message, digest,
 * records, changes: [..], document?}.  ERR_NOENT. */
int store_revision(struct store *s, uint64_t version, bool with_document,
    struct buf *out, struct diag *why);

/* Small rows for other modules: table is a short name ("node", "token"). */
int store_row_put(struct store *s, const char *table, const char *key,
    const char *json, struct diag *why);
int store_row_del(struct store *s, const char *table, const char *key,
    struct diag *why);
typedef void (*store_row_fn)(void *arg, const char *key, const char *json);
int store_row_scan(struct store *s, const char *table, store_row_fn fn,
    void *arg, struct diag *why);

#endif
