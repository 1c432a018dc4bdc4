/*
 * api.h - the HTTP JSON API: routes, authorisation, answers and errors.
 *
 * One handler a route, one file a resource.  The caller holds the
 * controller's lock around api_handle(), so handlers use the store freely.
 * Errors are {"error": {"code", "message", "at"?}}; a message says what
 * happened, where and what to do, and never shows the inside.
 */
#ifndef HTTP_API_H
#define HTTP_API_H

#include <jansson.h>

#include "controller/audit.h"
#include "controller/auth.h"
#include "controller/http/auth_rate.h"
#include "controller/store.h"
#include "proto/base/httpd.h"

#define API_BODY_MAX ((size_t)1 << 20)		/* of most routes */
#define API_LARGE_MAX ((size_t)64 << 20)

struct backup;
struct fleet;
struct keyring;
struct messages;
struct publisher;

struct api {
	struct store *store;
	struct fleet *fleet;
	struct messages *messages;
	struct publisher *publisher;
	struct backup *backup;
	struct keyring *keys;
	const struct auth *auth;
	struct auth_rate rate;
	struct audit_limit denied, failed;	/* entries of these */
	const char *dir;	/* the controller's folder, or NULL */
	int64_t started_us;
	/* called after a new version stands in the store; may be NULL */
	void (*on_commit)(void *arg);
	void *arg;
};

/* A request under way. */
struct api_call {
	struct api *api;
	const struct httpd_request *req;
	struct httpd_reply *reply;
	const char *actor;	/* the token's name */
	const char *tail;	/* what stands for the "{..}", or NULL */
	json_t *body;		/* object of a POST, else NULL */
	/* what the audit log will say: as the route has it, until the handler
	 * knows better */
	struct audit_entry audit;
	char object[AUDIT_OBJECT_MAX];	/* room for its object */
	const char *code;	/* of the error that was answered, or NULL */
};

struct api_route {
	const char *method;
	const char *path;	/* "/v1/groups/{group}" */
	void (*handle)(struct api_call *c);
	const char *summary;
	const char *query;	/* by spec.h; NULL: none */
	const char *body;	/* of a POST: what it may and must hold */
	const char *answer;
	bool large;		/* takes API_LARGE_MAX */
	const char *audit;	/* action in the audit log; NULL: it changes
				 * nothing */
};

/* The table of all routes, ended by a NULL method. */
const struct api_route *api_routes(void);

/* Answer one request. */
void api_handle(struct api *a, const struct httpd_request *req,
    struct httpd_reply *reply);

/* Is the request's token one of ours?  Else what is wrong was answered. */
bool api_authorise(struct api *a, const struct httpd_request *req,
    struct httpd_reply *reply);
/* Append the figures of /metrics, which is no route of the JSON API. */
void api_metrics(const struct api *a, struct buf *out);

/* Answer with o (consumed), status 200. */
void api_reply(struct api_call *c, json_t *o);
/* Answer with an error; code as the contract names it. */
void api_error(struct api_call *c, int status, const char *code,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Answer for an error code of ours: conflict 409, invalid policy 422, ... */
void api_fail(struct api_call *c, int err, const struct diag *why);

/* A text of the body (without one, of the query) or def; a flag; an integer. */
const char *api_text(const struct api_call *c, const char *key,
    const char *def);
bool api_flag(const struct api_call *c, const char *key);
json_int_t api_number(const struct api_call *c, const char *key,
    json_int_t def);

/* An integer of the query from 1 to max; def when absent.  False when it is
 * malformed, which was answered. */
bool api_query_number(struct api_call *c, const char *key, json_int_t def,
    json_int_t max, json_int_t *out);

/* A time of the query, "2026-06-15T12:00:00Z" or how long ago, "24h"; *out
 * stays when it is absent.  False when it is malformed, which was answered. */
bool api_query_time(struct api_call *c, const char *key, int64_t *out);

/* Answer {changed, version, changes, summary, more..}; more (consumed) may be
 * NULL. */
void api_reply_change(struct api_call *c, const struct change *ch,
    uint64_t version, json_t *more);
/* The managers of an item as a list. */
json_t *api_managers(const char *managers);
/* What is changed by this call is held by: "as" of the body, which must be
 * one of the two; NULL when it is another, which was answered. */
const char *api_manager(struct api_call *c, const char *other);

/*
 * Commit ch as this call's actor, or with dry_run only compile it.  On
 * success *version is in force and listeners were told; else the error was
 * answered.  document may be NULL.
 */
int api_commit(struct api_call *c, const struct change *ch,
    const char *action, const char *document, uint64_t *version);

/*
 * What lint says of the policy with ch made on it; wanted are the items of
 * the documents, for the places of findings; *out is the caller's.  0;
 * ERR_INVAL: a finding refuses the change, which was answered, and *out is
 * NULL.
 */
int api_lint_change(struct api_call *c, const struct change *ch,
    const struct items *wanted, json_t **out);

/* What is done outside the store has one entry before (result "begun") and
 * one when it was done; without the first it is not done.  False: the error
 * was answered. */
bool api_audit_begin(struct api_call *c);
void api_audit_done(struct api_call *c);
/* A change that was refused, or a request without a right token, the n-th of
 * its address within a minute; as often as audit.h allows. */
void api_audit_refused(struct api_call *c);
void api_audit_denied(struct api_call *c, unsigned n);
/* An end of the log as {sequence, hash, adopted}. */
json_t *api_audit_mark(const struct audit_mark *m);

/* The nodes that cannot take what this program publishes: at most 100 of
 * {id, reads}. */
json_t *api_unable(const struct api *a);
/* The publisher's certificate, as /v1/keys says it. */
json_t *api_key_json(const struct api *a);

/* The handlers, by resource. */
void api_audit(struct api_call *c);
void api_audit_chain(struct api_call *c);
void api_version(struct api_call *c);
void api_openapi(struct api_call *c);
void api_status(struct api_call *c);
void api_apply(struct api_call *c);
void api_explain(struct api_call *c);
void api_init(struct api_call *c);
void api_lint(struct api_call *c);
void api_export(struct api_call *c);
void api_directory(struct api_call *c);
void api_directory_edit(struct api_call *c);
void api_policies(struct api_call *c);
void api_policy(struct api_call *c);
void api_policy_edit(struct api_call *c);
void api_policy_delete(struct api_call *c);
void api_policy_hits(struct api_call *c);
void api_groups(struct api_call *c);
void api_group(struct api_call *c);
void api_group_edit(struct api_call *c);
void api_group_delete(struct api_call *c);
void api_entry(struct api_call *c);
void api_senders(struct api_call *c);
void api_senders_edit(struct api_call *c);
void api_senders_undo(struct api_call *c);
void api_senders_top(struct api_call *c);
void api_revisions(struct api_call *c);
void api_revision(struct api_call *c);
void api_revision_diff(struct api_call *c);
void api_rollback(struct api_call *c);
void api_messages(struct api_call *c);
void api_message(struct api_call *c);
void api_message_allow(struct api_call *c);
void api_nodes(struct api_call *c);
void api_node(struct api_call *c);
void api_node_delete(struct api_call *c);
void api_backup(struct api_call *c);
void api_backup_status(struct api_call *c);
void api_adopt(struct api_call *c);
void api_adopt_status(struct api_call *c);
void api_key(struct api_call *c);
void api_key_request(struct api_call *c);
void api_key_rotate(struct api_call *c);
void api_join_token(struct api_call *c);

#endif
