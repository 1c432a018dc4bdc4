/*
 * cmd_policy.c - postern policy: single policies, by flags that say what a
 * document would.
 */
#include <stdio.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/findings.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "proto/base/clock.h"

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])

static const struct column list_columns[] = {
	{ "ID", "id" }, { "TYPE", "type" }, { "ACTION", "action" },
	{ "FROM", "from" }, { "TO", "to" }, { "OVERRIDE", "override" },
	{ "ENABLED", "enabled" }, { "MONITOR", "monitor" },
	{ "MANAGER", "managers" }, { "NARRATIVE", "narrative" },
};

static const struct column show_columns[] = {
	{ "id", "id" }, { "type", "type" }, { "narrative", "narrative" },
	{ "action", "action" }, { "based on", "addresses_based_on" },
	{ "from", "from" }, { "to", "to" }, { "override", "override" },
	{ "bidirectional", "bidirectional" }, { "enabled", "enabled" },
	{ "valid", "valid" }, { "source ips", "source_ips" },
	{ "hostnames", "hostnames" }, { "monitor", "monitor" },
	{ "comment", "comment" }, { "manager", "managers" },
};

static const struct column hit_columns[] = {
	{ "POLICY", "policy" }, { "REFUSED", "refused" },
	{ "OBSERVED", "observed" }, { "WOULD", "would" }, { "LAST", "last" },
};

static void
policy_path(struct buf *path, const char *id)
{
	buf_init(path, 65536);
	buf_puts(path, "/v1/policies/");
	client_escape(path, id);
}

static int
policy_ls(struct flags *f)
{
	json_t *answer;
	int rc = get_pages(f, "/v1/policies?limit=10000", "policies",
	    &answer);

	if (rc == CLI_OK)
		output_list(f, answer, json_object_get(answer, "policies"),
		    COLUMNS(list_columns));
	json_decref(answer);
	return rc;
}

static int
policy_show(struct flags *f)
{
	struct buf path;
	json_t *answer;
	int rc;

	policy_path(&path, f->args[0]);
	rc = client_call(f, "GET", path.data, NULL, &answer);
	buf_fini(&path);
	if (rc == CLI_OK)
		output_object(f, answer, COLUMNS(show_columns));
	json_decref(answer);
	return rc;
}

static int
policy_hits(struct flags *f)
{
	struct buf path;
	json_t *answer;
	int rc;

	buf_init(&path, 65536);
	buf_puts(&path, "/v1/hits");
	client_query(&path, f, "days");
	rc = client_call(f, "GET", path.data, NULL, &answer);
	buf_fini(&path);
	if (rc != CLI_OK)
		return rc;
	output_list(f, answer, json_object_get(answer, "hits"),
	    COLUMNS(hit_columns));
	if (f->format == FORMAT_TABLE)
		fprintf(stderr, "since %s, of %lld refusals that nodes "
		    "reported%s; what a policy let in is not kept\n",
		    text_of(answer, "since"), json_integer_value(
		    json_object_get(answer, "searched")), json_is_true(
		    json_object_get(answer, "whole")) ? "" :
		    ", the newest of more");
	json_decref(answer);
	return CLI_OK;
}

/* --- what flags say of a policy ----------------------------------------- */

/* "internal", "group:Relay", "attribute:dept=legal" as a document has it. */
static json_t *
target_of(const char *text)
{
	const char *colon = strchr(text, ':'), *eq;
	json_t *o, *v;

	if (colon == NULL)
		return json_string(text);
	o = json_object();
	eq = strchr(colon, '=');
	if (strncmp(text, "attribute:", 10) == 0 && eq != NULL) {
		v = json_object();
		json_object_setn_new(v, colon + 1, (size_t)(eq - colon - 1),
		    json_string(eq + 1));
	} else
		v = json_string(colon + 1);
	json_object_setn_new(o, text, (size_t)(colon - text), v);
	return o;
}

/* A flag's value as true or false; without one it is true. */
static int
put_switch(const struct flags *f, const char *name, json_t *p)
{
	const char *text = flag(f, name);

	if (text == NULL)
		return CLI_OK;
	if (*text != '\0' && strcmp(text, "true") != 0 &&
	    strcmp(text, "false") != 0)
		return fail(CLI_USAGE, "--%s is true or false", name);
	json_object_set_new(p, name, json_boolean(strcmp(text, "false") !=
	    0));
	return CLI_OK;
}

/* All values of a flag as a list; one empty value takes the list out. */
static void
put_list(const struct flags *f, const char *name, const char *key, json_t *p)
{
	json_t *list = json_array();
	const char *text;
	size_t i;

	for (i = 0; (text = flag_nth(f, name, i)) != NULL; i++) {
		if (*text != '\0')
			json_array_append_new(list, json_string(text));
	}
	if (i > 0)
		json_object_set(p, key, json_array_size(list) == 0 ?
		    json_null() : list);
	json_decref(list);
}

static int
put_validity(const struct flags *f, json_t *p)
{
	const char *from = flag(f, "valid-from"), *until = flag(f,
	    "valid-until");
	char end[CLOCK_TEXT_LEN];
	uint64_t ms;
	json_t *valid;

	if (flag(f, "for") != NULL) {
		if (clock_parse_duration(flag(f, "for"), &ms) < 0)
			return usage_error("--for takes a time such as 30d");
		clock_format(clock_wall_us() + (int64_t)ms * 1000, end);
		until = end;
	}
	if (from == NULL && until == NULL)
		return CLI_OK;
	valid = json_object();
	json_object_set_new(p, "valid", valid);
	if (from != NULL)
		json_object_set_new(valid, "from", *from == '\0' ?
		    json_null() : json_string(from));
	if (until != NULL)
		json_object_set_new(valid, "until", *until == '\0' ?
		    json_null() : json_string(until));
	return CLI_OK;
}

/* The keys of a policy that the flags say. */
static int
put_policy(const struct flags *f, json_t *p)
{
	static const char *const texts[][2] = { { "type", "type" },
	    { "action", "action" }, { "narrative", "narrative" },
	    { "based-on", "addresses_based_on" }, { "comment", "comment" } };
	static const char *const switches[] = { "override", "bidirectional",
	    "enabled", "monitor" };
	const char *text;
	size_t i;
	int rc = CLI_OK;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		text = flag(f, texts[i][0]);
		if (text != NULL)
			json_object_set_new(p, texts[i][1], *text == '\0' ?
			    json_null() : json_string(text));
	}
	if ((text = flag(f, "from")) != NULL)
		json_object_set_new(p, "from", target_of(text));
	if ((text = flag(f, "to")) != NULL)
		json_object_set_new(p, "to", target_of(text));
	for (i = 0; i < 4 && rc == CLI_OK; i++)
		rc = put_switch(f, switches[i], p);
	put_list(f, "source-ip", "source_ips", p);
	put_list(f, "hostname", "hostnames", p);
	return rc == CLI_OK ? put_validity(f, p) : rc;
}

/* --- changes ------------------------------------------------------------ */

/* Send what to say (policy is consumed) of one policy. */
static int
edit(const struct flags *f, const char *id, json_t *policy, bool create)
{
	json_t *body = json_pack("{s:o, s:b, s:b}", "policy", policy,
	    "create", create, "take_over", flag(f, "take-over") != NULL);
	json_t *answer = NULL;
	struct buf path;
	int rc = put_change_flags(f, body);

	policy_path(&path, id);
	if (rc == CLI_OK)
		rc = client_call(f, "POST", path.data, body, &answer);
	buf_fini(&path);
	json_decref(body);
	if (rc == CLI_OK && f->format == FORMAT_TABLE)
		print_findings(json_object_get(answer, "findings"), stderr);
	return finish_change(f, rc, answer);
}

static int
say(const struct flags *f, bool create)
{
	json_t *p = json_object();
	int rc = put_policy(f, p);

	if (rc == CLI_OK && json_object_size(p) == 0)
		rc = usage_error("what is the policy to say? give flags");
	if (rc == CLI_OK)
		return edit(f, f->args[0], p, create);
	json_decref(p);
	return rc;
}

static int
policy_add(struct flags *f)
{
	return say(f, true);
}

static int
policy_set(struct flags *f)
{
	return say(f, false);
}

static int
remove_one(const struct flags *f, const char *id)
{
	json_t *answer = NULL;
	struct buf path;
	int rc;

	policy_path(&path, id);
	buf_printf(&path, "?dry_run=%d&take_over=%d",
	    flag(f, "dry-run") != NULL, flag(f, "take-over") != NULL);
	if (flag(f, "if-revision") != NULL) {
		buf_puts(&path, "&if_revision=");
		client_escape(&path, flag(f, "if-revision"));
	}
	client_query(&path, f, "message");
	rc = client_call(f, "DELETE", path.data, NULL, &answer);
	buf_fini(&path);
	return finish_change(f, rc, answer);
}

/* One answer for many: the first error ends it, a difference stays. */
static int
each(const struct flags *f, int (*one)(const struct flags *, const char *))
{
	json_t *ids = json_array(), *id;
	int rc = entries_of(f, 0, ids), worst = CLI_OK;
	size_t i;

	if (rc == CLI_OK && json_array_size(ids) > 1 &&
	    flag(f, "if-revision") != NULL)
		rc = usage_error("--if-revision goes with one policy: each "
		    "is a revision of its own");
	if (rc != CLI_OK)
		worst = rc;
	json_array_foreach(ids, i, id) {
		if (worst != CLI_OK && worst != CLI_DIFFERS)
			break;
		if ((rc = one(f, json_string_value(id))) != CLI_OK)
			worst = rc;
	}
	json_decref(ids);
	return worst;
}

static int
policy_rm(struct flags *f)
{
	if (flag(f, "dry-run") == NULL && !flags_confirm(f, "remove what is "
	    "named here from the policy"))
		return CLI_USAGE;
	return each(f, remove_one);
}

static int
enable_one(const struct flags *f, const char *id)
{
	return edit(f, id, json_pack("{s:b}", "enabled", 1), false);
}

static int
disable_one(const struct flags *f, const char *id)
{
	return edit(f, id, json_pack("{s:b}", "enabled", 0), false);
}

static int
policy_enable(struct flags *f)
{
	return each(f, enable_one);
}

static int
policy_disable(struct flags *f)
{
	return each(f, disable_one);
}

#define EDIT_FLAGS CHANGE_FLAGS " take-over "
#define SAY_FLAGS EDIT_FLAGS " type= action= narrative= based-on= " \
    "comment= from= to= override? bidirectional? enabled? monitor? " \
    "source-ip= hostname= valid-from= valid-until= for= "
#define CHANGE_USAGE "[--take-over] [--dry-run] [--if-revision N] " \
    "[--message TEXT] [--wait[=30s]]"

static const struct verb verbs[] = {
	{ "ls", "", 0, 0, policy_ls, "" },
	{ "show", "", 1, 1, policy_show, "ID" },
	{ "add", SAY_FLAGS, 1, 1, policy_add, "ID --type T --action A "
	    "--narrative TEXT --from TARGET --to TARGET [FLAGS] "
	    CHANGE_USAGE },
	{ "set", SAY_FLAGS, 1, 1, policy_set, "ID [FLAGS] " CHANGE_USAGE "\n"
	    "    FLAGS are those of add, and [--based-on "
	    "envelope|header|both] [--override[=false]]\n"
	    "    [--bidirectional[=false]] [--enabled[=false]] "
	    "[--monitor[=false]] [--source-ip NET]...\n"
	    "    [--hostname NAME]... [--valid-from TIME] [--valid-until TIME "
	    "| --for 30d] [--comment TEXT];\n"
	    "    an empty value takes a list, a time or a comment out.\n"
	    "    TARGET is everyone, internal, external, free_mail, "
	    "domain:D, group:G, address:A,\n"
	    "    attribute:NAME=VALUE or display_name:N" },
	{ "enable", EDIT_FLAGS, 1, -1, policy_enable, "ID... | - "
	    CHANGE_USAGE },
	{ "disable", EDIT_FLAGS, 1, -1, policy_disable, "ID... | - "
	    CHANGE_USAGE },
	{ "rm", EDIT_FLAGS " yes ", 1, -1, policy_rm, "ID... | - [--yes] "
	    CHANGE_USAGE },
	{ "hits", "days=", 0, 0, policy_hits, "[--days 90]" },
};

int
cmd_policy(int argc, char **argv)
{
	return run_verb(COLUMNS(verbs), argc, argv);
}
