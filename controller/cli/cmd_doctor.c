/*
 * cmd_doctor.c - postern doctor: looks at what usually goes wrong, and says
 * what to do about each.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "proto/base/clock.h"
#include "proto/base/conf.h"

#define CLOCK_OFF_US ((int64_t)5000000)
#define SPOOL_MANY 10000
#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])

static const struct column columns[] = {
	{ "CHECK", "check" }, { "RESULT", "result" }, { "DETAIL", "detail" },
	{ "REMEDY", "remedy" },
};

static void __attribute__((format(printf, 4, 5)))
say(json_t *list, const char *check, const char *remedy, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "check",
	    check, "result", remedy == NULL ? "ok" : "wrong", "detail", text,
	    "remedy", remedy == NULL ? "" : remedy));
}

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
check_controller(const json_t *status, json_t *list)
{
	const char *version = text_of(status, "controller");
	int64_t there, off;

	say(list, "controller", strcmp(version, conf_version()) == 0 ? NULL :
	    "use the command line of the controller's version", "version %s, "
	    "up since %s", version, text_of(status, "since"));
	if (clock_parse(text_of(status, "time"), &there) < 0)
		return;
	off = there - clock_wall_us();
	say(list, "clock", llabs(off) <= CLOCK_OFF_US ? NULL : "set both "
	    "machines' clocks by NTP: validity windows and message times "
	    "depend on them", "the controller's is %+.1f s from this one",
	    (double)off / 1000000);
}

static void
check_disk(const json_t *status, json_t *list)
{
	const json_t *disk = json_object_get(status, "disk");
	json_int_t free_n = number(disk, "free"), total = number(disk,
	    "total");

	if (total == 0)
		return;
	say(list, "disk", free_n * 100 >= total * 15 ? NULL : "make room on "
	    "the controller's disk, or keep messages for fewer days "
	    "(--message-days)", "%lld MB of %lld MB are free",
	    (long long)free_n >> 20, (long long)total >> 20);
}

static void
check_policy(const json_t *status, json_t *list)
{
	const json_t *key = json_object_get(status, "key");
	json_int_t version = number(status, "version");

	say(list, "policy", version > 0 ? NULL : "\"postern init\" makes the "
	    "groups to begin with, \"postern apply -f FILE\" a policy",
	    "version %lld, %lld records", (long long)version,
	    (long long)number(status, "records"));
	if (json_is_true(json_object_get(status, "held")))
		say(list, "held", "\"postern adopt\" goes on from this folder",
		    "the folder was restored, and publishes nothing; a node "
		    "has version %lld", (long long)number(status,
		    "highest"));
	if (json_is_true(json_object_get(key, "behind_nodes")))
		say(list, "key", "\"postern key rotate\" makes one that they "
		    "take", "nodes hold a newer certificate of the "
		    "publisher's key, and refuse what is signed here");
	if (key != NULL)
		say(list, "key", json_is_true(json_object_get(key, "due")) ?
		    "\"postern key rotate\" makes the next one" : NULL,
		    "the publisher's key ends %s", text_of(key, "until"));
}

/* What is wrong with one node, the worst first; false: nothing. */
static bool
check_node(const json_t *n, json_int_t head, json_t *list)
{
	const char *id = text_of(n, "id"), *state = text_of(n, "state");
	size_t before = json_array_size(list);

	if (strcmp(state, "away") == 0)
		say(list, id, "see that it runs and reaches the controller's "
		    "control and event ports; its log says more", "away; "
		    "last seen %s", *text_of(n, "last_seen") == '\0' ?
		    "never" : text_of(n, "last_seen"));
	else if (*text_of(n, "nack") != '\0')
		say(list, id, "its log says more; \"postern revision rollback"
		    "\" goes back to what it took", "refuses a version (%s): "
		    "%s", text_of(n, "nack"), text_of(n, "detail"));
	else if (!json_is_true(json_object_get(n, "converged")))
		say(list, id, "wait a moment; \"postern node show\" says how "
		    "it stands", "%s, on version %lld of %lld", state,
		    (long long)number(n, "version"), (long long)head);
	if (json_is_false(json_object_get(n, "able")))
		say(list, id, "upgrade it: until then \"postern apply\" asks "
		    "for --leave-behind", "cannot take what this controller "
		    "publishes");
	if (number(n, "events_lost") > 0)
		say(list, id, "give its spool more room (--spool-max), or see "
		    "why it could not report", "lost %lld events",
		    (long long)number(n, "events_lost"));
	if (strcmp(text_of(n, "audit"), "behind") == 0 ||
	    strcmp(text_of(n, "audit"), "forked") == 0)
		say(list, id, "if nobody put the controller's folder back, "
		    "somebody changed it: compare with a backup; \"postern "
		    "adopt\" goes on with the log as it is", "the audit log "
		    "is %s: it has seen entries, up to %lld, that are not "
		    "there now", text_of(n, "audit"), (long long)number(
		    json_object_get(n, "audit_seen"), "sequence"));
	if (number(n, "spool") > SPOOL_MANY)
		say(list, id, "see that it reaches the controller's event "
		    "port", "has %lld events still to report",
		    (long long)number(n, "spool"));
	return json_array_size(list) > before;
}

static void
check_nodes(const json_t *answer, json_t *list)
{
	const json_t *nodes = json_object_get(answer, "nodes"), *n;
	json_int_t head = number(json_object_get(answer, "head"), "version");
	size_t i, bad = 0;

	json_array_foreach(nodes, i, n)
		bad += check_node(n, head, list);
	if (json_array_size(nodes) == 0)
		say(list, "nodes", "\"postern node join-token\" lets one join",
		    "no node is enrolled, so nothing is enforced");
	else if (bad == 0)
		say(list, "nodes", NULL, "all %zu enforce version %lld",
		    json_array_size(nodes), (long long)head);
}

static void
check_lint(const json_t *answer, json_t *list)
{
	size_t n = json_array_size(json_object_get(answer, "findings"));

	say(list, "lint", n == 0 ? NULL : "\"postern lint\" names each with "
	    "what would mend it", "%zu findings on the policy in force", n);
}

/* Whether all is well. */
static bool
print(const struct flags *f, json_t *list)
{
	json_t *whole = json_pack("{s:O}", "checks", list), *o;
	bool well = true;
	size_t i;

	json_array_foreach(list, i, o) {
		bool ok = strcmp(text_of(o, "result"), "ok") == 0;

		well = well && ok;
		if (f->format != FORMAT_TABLE)
			continue;
		printf("%-5s  %s: %s\n", text_of(o, "result"),
		    text_of(o, "check"), text_of(o, "detail"));
		if (!ok)
			printf("       %s\n", text_of(o, "remedy"));
	}
	if (f->format != FORMAT_TABLE)
		output_list(f, whole, list, COLUMNS(columns));
	json_decref(whole);
	return well;
}

int
cmd_doctor(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*check)(const json_t *answer, json_t *list);
	} asks[] = { { "/v1/status", check_controller },
	    { "/v1/status", check_disk }, { "/v1/status", check_policy },
	    { "/v1/nodes", check_nodes }, { "/v1/lint", check_lint } };
	json_t *list, *answer;
	struct flags f;
	size_t i;
	int rc = flags_parse(&f, argc, argv, "", "usage: postern doctor\n\n"
	    "Looks at the controller, its clock, disk, policy and key, at "
	    "every node and at\nwhat lint finds; says what is wrong and what "
	    "to do.  Exit status 1 if anything\nis; 5 and 6 where the "
	    "controller cannot be asked.\n");

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n > 0)
		return usage_error("doctor takes no arguments");
	list = json_array();
	for (i = 0; rc == CLI_OK && i < sizeof(asks) / sizeof(asks[0]); i++) {
		rc = client_call(&f, "GET", asks[i].path, NULL, &answer);
		if (rc == CLI_OK)
			asks[i].check(answer, list);
		json_decref(answer);
	}
	if (rc == CLI_OK && !print(&f, list))
		rc = CLI_DIFFERS;
	json_decref(list);
	return rc;
}
