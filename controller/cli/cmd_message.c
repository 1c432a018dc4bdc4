/*
 * cmd_message.c - postern message: what happened to a message, and why.
 */
#include <stdio.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "controller/policy/explain.h"

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])

static const struct column list_columns[] = {
	{ "ID", "id" }, { "TIME", "time" }, { "STATUS", "status" },
	{ "REASON", "reason" }, { "POLICY", "policy" }, { "FROM", "from" },
	{ "TO", "to" }, { "CLIENT", "client_ip" }, { "NODE", "node" },
};

static const struct column show_columns[] = {
	{ "id", "id" }, { "time", "time" }, { "node", "node" },
	{ "version", "version" }, { "verdict", "verdict" },
	{ "status", "status" }, { "reason", "reason" }, { "type", "type" },
	{ "info", "info" }, { "level", "level" }, { "policy", "policy" },
	{ "narrative", "narrative" }, { "entry", "entry" },
	{ "from", "from" }, { "to", "to" }, { "primary", "primary" },
	{ "header from", "header_from" },
};

static const struct column more_columns[] = {
	{ "client", "client_ip" }, { "client name", "client_name" },
	{ "helo", "helo" }, { "user", "sasl_user" },
	{ "code", "reply.code" }, { "enhanced", "reply.enhanced" },
	{ "reply", "reply.text" }, { "enforcement", "enforcement" },
	{ "would", "would" }, { "repeats", "repeats" },
	{ "queue id", "queue_id" }, { "instance", "instance" },
};

/* Nothing found proves something only as far as nodes were heard. */
static void
say_nothing_found(const json_t *answer)
{
	const json_t *heard = json_object_get(answer, "heard"), *node;
	size_t i;

	printf("no message fits, of %lld searched\n",
	    json_integer_value(json_object_get(answer, "searched")));
	if (*text_of(answer, "next") != '\0')
		puts("that is not all of them: go on with --before, or narrow "
		    "the search");
	if (json_array_size(heard) == 0)
		puts("no node is enrolled, so this proves nothing");
	json_array_foreach(heard, i, node) {
		long long spool = json_integer_value(json_object_get(node,
		    "spool"));
		long long lost = json_integer_value(json_object_get(node,
		    "events_lost"));

		if (*text_of(node, "until") == '\0')
			printf("%s was not heard since the controller "
			    "started\n", text_of(node, "node"));
		else if (spool > 0)
			printf("%s was heard until %s and has %lld still to "
			    "report\n", text_of(node, "node"),
			    text_of(node, "until"), spool);
		else
			printf("%s was heard until %s\n",
			    text_of(node, "node"), text_of(node, "until"));
		if (lost > 0)
			printf("%s had no room for %lld events, which are "
			    "lost: the message may be one of them\n",
			    text_of(node, "node"), lost);
	}
	puts("a message that was accepted, or that no node was asked about, "
	    "is not kept");
}

static int
message_search(struct flags *f)
{
	json_t *answer, *list;
	struct buf path;
	int rc;

	buf_init(&path, 65536);
	buf_puts(&path, "/v1/messages");
	client_query(&path, f, "from to status reason policy node since until "
	    "id limit before");
	rc = client_call(f, "GET", path.data, NULL, &answer);
	buf_fini(&path);
	if (rc != CLI_OK)
		return rc;
	list = json_object_get(answer, "messages");
	if (json_array_size(list) == 0 && f->format == FORMAT_TABLE)
		say_nothing_found(answer);
	else
		output_list(f, answer, list, COLUMNS(list_columns));
	if (f->format == FORMAT_TABLE && *text_of(answer, "next") != '\0')
		printf("more with --before %s\n", text_of(answer, "next"));
	rc = json_array_size(list) == 0 ? CLI_DIFFERS : CLI_OK;
	json_decref(answer);
	return rc;
}

static int
message_show(struct flags *f)
{
	const json_t *trace;
	json_t *answer;
	struct buf b;
	int rc;

	buf_init(&b, 0);
	buf_puts(&b, "/v1/messages/");
	client_escape(&b, f->args[0]);
	rc = client_call(f, "GET", b.data, NULL, &answer);
	buf_reset(&b);
	if (rc == CLI_OK)
		output_object(f, answer, COLUMNS(show_columns));
	if (rc == CLI_OK && f->format == FORMAT_TABLE) {
		output_object(f, answer, COLUMNS(more_columns));
		trace = json_object_get(answer, "explain");
		if (json_is_object(trace)) {
			puts("\nunder the policy in force now:");
			explain_table(trace, &b);
			fwrite(b.data, 1, b.len, stdout);
		}
	}
	json_decref(answer);
	buf_fini(&b);
	return rc;
}

/* The remedy, made: first shown, and on a terminal asked about. */
static int
message_allow(struct flags *f)
{
	json_t *body = json_object(), *answer = NULL, *seen;
	bool dry = flag(f, "dry-run") != NULL;
	long long which;
	struct buf path;
	int rc = put_change_flags(f, body);

	if (rc == CLI_OK && flag_number(f, "remedy", 1, &which) != 0)
		rc = CLI_USAGE;
	if (rc == CLI_OK)
		json_object_set_new(body, "remedy", json_integer(which));
	if (flag(f, "for") != NULL)
		json_object_set_new(body, "for", json_string(flag(f, "for")));
	buf_init(&path, 65536);
	buf_puts(&path, "/v1/messages/");
	client_escape(&path, f->args[0]);
	buf_puts(&path, "/allow");
	if (rc == CLI_OK && !dry && flag(f, "yes") == NULL) {
		json_object_set_new(body, "dry_run", json_true());
		rc = client_call(f, "POST", path.data, body, &seen);
		json_object_del(body, "dry_run");
		if (rc == CLI_OK)
			fputs(text_of(seen, "summary"), stderr);
		json_decref(seen);
		if (rc == CLI_OK && !flags_confirm(f, "make this change"))
			rc = CLI_USAGE;
	}
	if (rc == CLI_OK)
		rc = client_call(f, "POST", path.data, body, &answer);
	if (rc == CLI_OK && !dry && f->format == FORMAT_TABLE)
		printf("allowed%s%s; the refused message is not stored: ask "
		    "the sender to send it again\n",
		    *text_of(answer, "until") == '\0' ? "" : " until ",
		    text_of(answer, "until"));
	buf_fini(&path);
	json_decref(body);
	return finish_change(f, rc, answer);
}

static const struct verb verbs[] = {
	{ "search", "from= to= status= reason= policy= node= since= until= "
	    "id= limit= before=", 0, 0, message_search, "[--from A] [--to B] "
	    "[--status rejected|deferred|observed] [--reason R] "
	    "[--policy ID] [--node N] [--since TIME] [--until TIME] "
	    "[--id ID] [--limit N] [--before NEXT]" },
	{ "show", "", 1, 1, message_show, "ID" },
	{ "allow", "for= remedy= yes " CHANGE_FLAGS, 1, 1, message_allow, "ID "
	    "[--remedy N] [--for 90d] [--yes] [--dry-run] [--if-revision N] "
	    "[--message TEXT] [--wait[=30s]]\n"
	    "    makes the first remedy that \"message show ID\" lists, or "
	    "the N-th" },
};

int
cmd_message(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
