/*
 * cmd_node.c - postern node: the fleet, who joins it and who leaves.
 */
#include <stdio.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])

static const struct column list_columns[] = {
	{ "NODE", "id" }, { "STATE", "state" }, { "VERSION", "version" },
	{ "CONVERGED", "converged" }, { "LAST SEEN", "last_seen" },
	{ "DECISIONS", "decisions" }, { "REFUSALS", "refusals" },
	{ "EVENTS LOST", "events_lost" }, { "AUDIT", "audit" },
};

static const struct column show_columns[] = {
	{ "node", "id" }, { "name", "name" }, { "state", "state" },
	{ "detail", "detail" }, { "refuses", "nack" },
	{ "version", "version" }, { "digest", "digest" },
	{ "digest known", "digest_known" }, { "engine", "engine" },
	{ "certificate", "certificate" },
	{ "enforced at", "enforced_at" }, { "converged", "converged" },
	{ "last seen", "last_seen" }, { "decisions", "decisions" },
	{ "refusals", "refusals" }, { "spool", "spool" },
	{ "events lost", "events_lost" }, { "audit", "audit" },
	{ "audit seen", "audit_seen.sequence" }, { "address", "address" },
};

static void
node_path(struct buf *path, const char *id)
{
	buf_init(path, 4096);
	buf_puts(path, "/v1/nodes/");
	client_escape(path, id);
}

static int
node_ls(struct flags *f)
{
	return get_list(f, "/v1/nodes", "nodes", COLUMNS(list_columns));
}

static int
node_show(struct flags *f)
{
	struct buf path;
	json_t *answer;
	int rc;

	node_path(&path, f->args[0]);
	rc = client_call(f, "GET", path.data, NULL, &answer);
	if (rc == CLI_OK)
		output_object(f, answer, COLUMNS(show_columns));
	json_decref(answer);
	buf_fini(&path);
	return rc;
}

/* The token alone, for a file: postern node join-token >token. */
static int
node_join_token(struct flags *f)
{
	const char *ttl = flag(f, "ttl");
	json_t *body = json_pack("{s:s}", "ttl", ttl == NULL ? "1h" : ttl);
	json_t *answer;
	int rc;

	rc = client_call(f, "POST", "/v1/nodes/join-token", body, &answer);
	if (rc == CLI_OK && !output_whole(f, answer))
		puts(text_of(answer, "token"));
	json_decref(answer);
	json_decref(body);
	return rc;
}

static int
node_rm(struct flags *f)
{
	struct buf path;
	char what[300];
	int rc;

	snprintf(what, sizeof(what), "revoke the node \"%.200s\" at once",
	    f->args[0]);
	if (!flags_confirm(f, what))
		return CLI_USAGE;
	node_path(&path, f->args[0]);
	rc = client_call(f, "DELETE", path.data, NULL, NULL);
	buf_fini(&path);
	return rc;
}

static const struct verb verbs[] = {
	{ "ls", "", 0, 0, node_ls, "" },
	{ "show", "", 1, 1, node_show, "NODE" },
	{ "join-token", "ttl=", 0, 0, node_join_token, "[--ttl 1h]" },
	{ "rm", "yes", 1, 1, node_rm, "NODE [--yes]" },
};

int
cmd_node(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
