/*
 * routes.c - the table of all routes: what each takes and gives.
 */
#include <stddef.h>

#include "controller/http/api.h"

#define CHANGE " dry_run:flag if_revision:int message:text "
#define CHANGE_QUERY " dry_run:flag if_revision:int message:text "
#define CHANGED "version:int! changed:flag! changes:list! summary:text! "

static const struct api_route routes[] = {
	{ "GET", "/v1/version", api_version, "what this controller speaks",
	    NULL, NULL, "version:text! engine:int! record_format:int!",
	    false, NULL },
	{ "GET", "/v1/openapi.json", api_openapi, "this description", NULL,
	    NULL, "openapi:text! info:object! paths:object!", false, NULL },
	{ "GET", "/v1/status", api_status, "policy in force, and where",
	    NULL, NULL, "version:int! digest:text! records:int! "
	    "controller:text! since:text! nodes:object! stale:texts! "
	    "messages:int! time:text! disk:object key:object held:flag "
	    "highest:int audit:object!", false, NULL },
	{ "POST", "/v1/init", api_init, "make the three groups to begin with",
	    NULL, CHANGE, "version:int! created:texts!", false, "policy.init" },
	{ "POST", "/v1/apply", api_apply, "apply documents", NULL,
	    "documents:list! lists:object set:text take_over:flag "
	    "prune_limit:int accept_directory_loss:int accept_list_loss:flag "
	    "leave_behind:flag" CHANGE, CHANGED "findings:list! unable:list!",
	    true, "policy.apply" },
	{ "GET", "/v1/lint", api_lint, "findings on the policy in force",
	    NULL, NULL, "version:int! findings:list!", false, NULL },
	{ "GET", "/v1/export", api_export, "the policy as a document",
	    "manager:text form:text", NULL, "version:int! document:text "
	    "items:list", false, NULL },
	{ "POST", "/v1/explain", api_explain, "a verdict and why", NULL,
	    "to:any! from:text header_from:text header_name:text ip:text "
	    "host:text auth_user:text at:text greylist:text stage:text",
	    "verdict:text reason:text level:text policy:text entry:text "
	    "reply:object type:text info:text bypass:object stages:list "
	    "remedies:list answers:list", false, NULL },
	{ "GET", "/v1/policies", api_policies, "policies, page by page",
	    "limit:int after:text", NULL, "policies:list! next:text",
	    false, NULL },
	{ "GET", "/v1/policies/{policy}", api_policy, "one policy", NULL,
	    NULL, "id:text! type:text! action:text! narrative:text! "
	    "enabled:flag! managers:texts!", false, NULL },
	{ "POST", "/v1/policies/{policy}", api_policy_edit,
	    "add a policy, or change what is said of it; null takes out",
	    NULL, "policy:object! create:flag take_over:flag as:text" CHANGE,
	    CHANGED "findings:list!", false, "policy.set" },
	{ "DELETE", "/v1/policies/{policy}", api_policy_delete,
	    "remove a policy", "take_over:flag" CHANGE_QUERY, NULL,
	    CHANGED "findings:list!", false, "policy.rm" },
	{ "GET", "/v1/hits", api_policy_hits, "what each policy refused",
	    "days:int", NULL, "hits:list! since:text! searched:int! "
	    "whole:flag!", false, NULL },
	{ "GET", "/v1/groups", api_groups, "profile groups", NULL, NULL,
	    "groups:list!", false, NULL },
	{ "GET", "/v1/groups/{group}", api_group,
	    "one group and its entries, page by page", "limit:int after:text",
	    NULL, "name:text! entries:list! groups:texts! in:texts! "
	    "policies:texts! next:text", false, NULL },
	{ "POST", "/v1/groups/{group}/entries", api_group_edit,
	    "add and remove entries", NULL, "add:texts remove:texts "
	    "create:flag replace:flag import:flag accept:texts take_over:flag "
	    "as:text comment:text until:text for:text" CHANGE,
	    "version:int! added:int! updated:int! removed:int! "
	    "unchanged:int! summary:text!", true, "group.add" },
	{ "DELETE", "/v1/groups/{group}", api_group_delete, "remove a group",
	    "take_over:flag" CHANGE_QUERY, NULL, "version:int! removed:int!",
	    false, "group.delete" },
	{ "GET", "/v1/entries/{entry}", api_entry, "where an entry stands",
	    NULL, NULL, "entry:text! where:list!", false, NULL },
	{ "GET", "/v1/directory/{address}", api_directory,
	    "one recipient of the directory", NULL, NULL, "address:text! "
	    "aliases:texts attributes:object enabled:flag! state:text "
	    "managers:text!", false, NULL },
	{ "POST", "/v1/directory", api_directory_edit,
	    "put recipients in from CSV, take others out", NULL,
	    "csv:text name:text line:int remove:texts take_over:flag "
	    "accept_directory_loss:int" CHANGE,
	    "version:int! added:int! changed:int! removed:int! "
	    "unchanged:int!", true, "directory.import" },
	{ "GET", "/v1/senders", api_senders, "managed senders, page by page",
	    "user:text sender:text limit:int after:text", NULL,
	    "senders:list! next:text", false, NULL },
	{ "POST", "/v1/senders", api_senders_edit,
	    "permit, block or remove managed senders", NULL,
	    "user:text action:text entries:texts rows:list as:text "
	    "take_over:flag" CHANGE,
	    "version:int! batch:int changed:int! unchanged:int! "
	    "skipped:list!", true, "sender.import" },
	{ "POST", "/v1/senders/undo", api_senders_undo,
	    "undo a batch as a whole, within 30 days", NULL,
	    "batch:int!" CHANGE, CHANGED, false, "sender.undo" },
	{ "GET", "/v1/senders/top", api_senders_top,
	    "the senders refused most", "days:int limit:int", NULL,
	    "top:list! since:text!", false, NULL },
	{ "GET", "/v1/revisions", api_revisions, "versions, newest first",
	    "limit:int before:int", NULL, "revisions:list!", false, NULL },
	{ "GET", "/v1/revisions/{revision}/diff", api_revision_diff,
	    "what changed from it to another", "to:int", NULL,
	    "from:int! to:int! changed:flag! changes:list! summary:text!",
	    false, NULL },
	{ "POST", "/v1/revisions/{revision}/rollback", api_rollback,
	    "a new version with what that one held", NULL, CHANGE, CHANGED,
	    false, "revision.rollback" },
	{ "GET", "/v1/revisions/{revision}", api_revision, "one version",
	    "document:flag", NULL, "version:int! time:text! actor:text! "
	    "action:text! message:text digest:text! records:int! "
	    "changes:list! document:text", false, NULL },
	{ "GET", "/v1/messages", api_messages, "the message center",
	    "from:text to:text status:text reason:text policy:text node:text "
	    "since:text until:text id:text limit:int before:text", NULL,
	    "messages:list! searched:int! heard:list! next:text", false, NULL },
	{ "POST", "/v1/messages/{id}/allow", api_message_allow,
	    "make the change that would let it in next time", NULL,
	    "for:text remedy:int" CHANGE, CHANGED "remedy:object! until:text",
	    false, "message.allow" },
	{ "GET", "/v1/messages/{id}", api_message, "one message, and why",
	    NULL, NULL, "id:text! time:text! node:text! version:int! "
	    "verdict:text! status:text! reason:text! reply:object! "
	    "from:text! to:text! remedies:list explain:object", false, NULL },
	{ "GET", "/v1/nodes", api_nodes, "nodes and what they enforce", NULL,
	    NULL, "head:object! nodes:list!", false, NULL },
	{ "POST", "/v1/nodes/join-token", api_join_token,
	    "a token to join with, once", NULL, "ttl:text",
	    "token:text! expires:text!", false, "node.token" },
	{ "GET", "/v1/nodes/{node}", api_node, "one node", NULL, NULL,
	    "id:text! state:text! version:int! digest:text! converged:flag!",
	    false, NULL },
	{ "DELETE", "/v1/nodes/{node}", api_node_delete, "revoke a node",
	    NULL, NULL, "revoked:text!", false, "node.revoke" },
	{ "POST", "/v1/backup", api_backup,
	    "begin to write a backup into a new folder", NULL, "to:text!",
	    "to:text! version:int!", false, "backup" },
	{ "GET", "/v1/backup", api_backup_status, "how the last one went",
	    NULL, NULL, "running:flag! to:text version:int error:text",
	    false, NULL },
	{ "GET", "/v1/adopt", api_adopt_status,
	    "a restored store: what nodes have", NULL, NULL,
	    "held:flag! version:int! highest:int! not_heard:texts! "
	    "audit_end:int! audit_highest:int!",
	    false, NULL },
	{ "POST", "/v1/adopt", api_adopt,
	    "publish a restored store, above what nodes have", NULL, "",
	    "version:int!", false, "adopt" },
	{ "GET", "/v1/keys", api_key, "the publisher's key and its end", NULL,
	    NULL, "serial:int! min_serial:int! until:text! days:int! "
	    "due:flag! root_key_here:flag! root:text! behind_nodes:flag!",
	    false, NULL },
	{ "POST", "/v1/keys/request", api_key_request,
	    "a new key, for the root key to sign elsewhere", NULL,
	    "days:int revoke:flag", "root:text! key:text! serial:int! "
	    "min_serial:int! not_after_us:int!", false, "key.request" },
	{ "POST", "/v1/keys/rotate", api_key_rotate,
	    "sign with a new key from now on", NULL,
	    "days:int revoke:flag certificate:text", "serial:int! "
	    "min_serial:int! until:text! days:int!", false, "key.rotate" },
	{ "GET", "/v1/audit", api_audit, "who did what, newest first",
	    "actor:text action:text since:text until:text cursor:text "
	    "limit:int", NULL, "entries:list! end:object! next:text", false,
	    NULL },
	{ "GET", "/v1/audit/chain", api_audit_chain,
	    "lines and hashes behind an entry, oldest first", "after:int "
	    "limit:int", NULL, "base:object! end:object! entries:list!",
	    false, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL }
};

const struct api_route *
api_routes(void)
{
	return routes;
}
