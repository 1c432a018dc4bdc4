/*
 * cmd_backup.c - postern backup, restore, adopt: the controller's folder
 * saved, put back, and in charge again.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"

#define POLL_MS 100

/* The controller may have another working folder than we. */
static int
absolute(const char *path, char out[PATH_MAX])
{
	char here[PATH_MAX];
	int n;

	if (path[0] == '/')
		n = snprintf(out, PATH_MAX, "%s", path);
	else if (getcwd(here, sizeof(here)) == NULL)
		return -1;
	else
		n = snprintf(out, PATH_MAX, "%s/%s", here, path);
	return n > 0 && n < PATH_MAX ? 0 : -1;
}

static int
wait_backup(struct flags *f)
{
	const struct timespec pause = { 0, POLL_MS * 1000000L };
	json_t *now = NULL;
	int rc;

	while ((rc = client_call(f, "GET", "/v1/backup", NULL, &now)) ==
	    CLI_OK && json_is_true(json_object_get(now, "running"))) {
		json_decref(now);
		nanosleep(&pause, NULL);
	}
	if (rc == CLI_OK && json_object_get(now, "error") != NULL)
		rc = fail(CLI_DIFFERS, "the backup was not finished: %s",
		    text_of(now, "error"));
	if (rc == CLI_OK && !output_whole(f, now))
		puts(text_of(now, "to"));
	json_decref(now);
	return rc;
}

int
cmd_backup(int argc, char **argv)
{
	char to[PATH_MAX];
	struct flags f;
	json_t *body;
	int rc;

	rc = flags_parse(&f, argc, argv, "", "usage: postern backup FOLDER\n\n"
	    "Writes all that the controller holds, its keys too, into a new "
	    "folder on\nits machine, while it runs.\n");
	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n != 1 || absolute(f.args[0], to) < 0)
		return usage_error("backup takes one folder");
	body = json_pack("{s:s}", "to", to);
	rc = client_call(&f, "POST", "/v1/backup", body, NULL);
	json_decref(body);
	return rc == CLI_OK ? wait_backup(&f) : rc;
}

/* The program beside this one. */
static int
controller_path(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 32);
	char *slash;

	if (n < 0)
		return -1;
	out[n] = '\0';
	if ((slash = strrchr(out, '/')) == NULL)
		return -1;
	strcpy(slash + 1, "postern-controller");
	return 0;
}

int
cmd_restore(int argc, char **argv)
{
	char path[PATH_MAX];
	struct flags f;
	int rc;

	rc = flags_parse(&f, argc, argv, "dir=", "usage: postern restore "
	    "BACKUP --dir DIR\n\nPuts a backup into a new data folder of a "
	    "controller on this machine.  Then\nstart it there; it publishes "
	    "nothing until \"postern adopt\".\n");
	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n != 1 || flag(&f, "dir") == NULL)
		return usage_error("restore takes a backup and --dir DIR");
	if (controller_path(path) < 0)
		return fail(CLI_DIFFERS, "cannot read /proc/self/exe");
	execl(path, path, "restore", "--from", f.args[0], "--dir",
	    flag(&f, "dir"), (char *)NULL);
	return fail(CLI_DIFFERS, "cannot run %s", path);
}

/* Whoever was not heard may have a version above all that were. */
static bool
may_adopt(const struct flags *f, const json_t *now)
{
	const json_t *list = json_object_get(now, "not_heard");
	char what[500], lost[120] = "";

	json_int_t end = json_integer_value(json_object_get(now,
	    "audit_end"));
	json_int_t seen = json_integer_value(json_object_get(now,
	    "audit_highest"));

	if (seen > end)
		snprintf(lost, sizeof(lost), "; nodes have seen the audit log "
		    "up to entry %lld, here it ends with %lld",
		    (long long)seen, (long long)end);
	snprintf(what, sizeof(what), "publish the restored policy above "
	    "version %lld (%zu nodes were not heard and may be ahead%s)",
	    (long long)json_integer_value(json_object_get(now, "highest")),
	    json_array_size(list), lost);
	return flags_confirm(f, what);
}

int
cmd_adopt(int argc, char **argv)
{
	json_t *now = NULL, *answer = NULL;
	struct flags f;
	int rc;

	rc = flags_parse(&f, argc, argv, "yes wait?", "usage: postern adopt "
	    "[--yes] [--wait]\n\nA restored controller goes on, above the "
	    "highest version that a node has.  Since\nthe backup was written "
	    "its changes are lost: a node that joined must join\nagain, and "
	    "one that was revoked must be revoked again.  The audit log is "
	    "gone on\nwith as it is, above what nodes have seen of it, and "
	    "they are told so.\n");
	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n != 0)
		return usage_error("adopt takes no arguments");
	if ((rc = client_call(&f, "GET", "/v1/adopt", NULL, &now)) != CLI_OK)
		return rc;
	if (!may_adopt(&f, now))
		rc = CLI_USAGE;
	else {
		json_t *body = json_object();

		rc = client_call(&f, "POST", "/v1/adopt", body, &answer);
		json_decref(body);
	}
	if (rc == CLI_OK && !output_whole(&f, answer))
		printf("version %lld\n", (long long)json_integer_value(
		    json_object_get(answer, "version")));
	if (rc == CLI_OK)
		rc = wait_nodes(&f, (uint64_t)json_integer_value(
		    json_object_get(answer, "version")));
	json_decref(now);
	json_decref(answer);
	return rc;
}
