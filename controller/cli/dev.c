/*
 * dev.c - postern dev: a controller and nodes on this machine, to try things.
 *
 * The programs are the ones beside this one.  Everything stands in one
 * folder:
 *
 *	controller/   its data, ready.json, log
 *	node-N/       data, ready.json, policy.sock, log
 *
 * Others may pass through the folders, as a mail server must to reach
 * policy.sock, but read neither them nor a secret in them.
 *
 * A second start on the same folder goes on from it: nodes know the
 * controller by the endpoints they joined with, so those are taken again
 * from the earlier ready.json.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/cli/cli.h"
#include "controller/cli/dev_spawn.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define NODES_MAX 16
#define READY_MS 20000
#define CONVERGE_MS 20000
#define DIR_LEN 512

struct dev {
	const struct flags *flags;
	char dir[DIR_LEN];
	bool temporary;		/* made by us, removed at the end */
	long long nodes;
	struct dev_child child[1 + NODES_MAX];	/* the controller first */
	struct flags api;	/* the flags that reach the controller */
	char addr[256], token[DIR_LEN + 64];
	int signals;		/* signalfd of INT, TERM, CHLD */
};

static const char help[] =
"usage: postern dev [--nodes N] [--policy FILE] [--dir DIR] [-o json]\n\n"
"Starts a controller and N nodes (1) on free loopback ports, joins them,\n"
"applies the policy, prints one line when all is ready, and runs until it\n"
"is interrupted.  With --dir state is kept, and a second start goes on.\n";

/* Has a signal to stop come, or a child ended that should not have? */
static int
check_signals(struct dev *d, int timeout_ms, bool *stop)
{
	struct pollfd p = { .fd = d->signals, .events = POLLIN };
	struct signalfd_siginfo si;
	int i;

	if (poll(&p, 1, timeout_ms) <= 0)
		return 0;
	if (read(d->signals, &si, sizeof(si)) != sizeof(si))
		return 0;
	if (si.ssi_signo != SIGCHLD) {
		*stop = true;
		return 0;
	}
	for (i = 0; i <= d->nodes; i++) {
		if (dev_child_ended(&d->child[i]))
			return fail(CLI_DIFFERS, "%s ended; its log is %s",
			    d->child[i].program, d->child[i].log);
	}
	return 0;
}

static int
wait_ready(struct dev *d, struct dev_child *c, bool *stop)
{
	uint64_t end = clock_mono_ms() + READY_MS;
	int rc;

	while (!dev_child_ready(c)) {
		if ((rc = check_signals(d, 10, stop)) != 0 || *stop)
			return rc;
		if (clock_mono_ms() > end)
			return fail(CLI_DIFFERS, "%s is not ready after %d s; "
			    "its log is %s", c->program, READY_MS / 1000,
			    c->log);
	}
	return 0;
}

static int
start_controller(struct dev *d, bool *stop)
{
	static const struct dev_keep keep[] = {
		{ "api", "--api", "127.0.0.1:0" },
		{ "control", "--control", "tcp://127.0.0.1:*" },
		{ "events", "--events", "tcp://127.0.0.1:*" },
		{ "enroll", "--enroll", "tcp://127.0.0.1:*" },
	};
	struct dev_child *c = &d->child[0];
	const char *api;
	int rc;

	rc = dev_child_init(c, d->dir, "controller", "postern-controller");
	if (rc == 0)
		rc = dev_child_keep(c, keep, sizeof(keep) / sizeof(keep[0]));
	if (rc == 0)
		rc = dev_child_start(c);
	if (rc == 0)
		rc = wait_ready(d, c, stop);
	if (rc != 0 || *stop)
		return rc;
	api = text_of(c->ready, "api");
	snprintf(d->addr, sizeof(d->addr), "%s%s", strstr(api, "://") == NULL ?
	    "http://" : "", api);
	snprintf(d->token, sizeof(d->token), "%s",
	    text_of(c->ready, "token_file"));
	d->api.n = 2;
	strcpy(d->api.set[0].name, "addr");
	d->api.set[0].value = d->addr;
	strcpy(d->api.set[1].name, "token-file");
	d->api.set[1].value = d->token;
	return 0;
}

/* A join token into file, for a node that has not joined yet. */
static int
make_token(struct dev *d, const char *file)
{
	json_t *body = json_pack("{s:s}", "ttl", "1h"), *answer;
	const char *token;
	struct diag why;
	int rc;

	rc = client_call(&d->api, "POST", "/v1/nodes/join-token", body,
	    &answer);
	json_decref(body);
	if (rc != CLI_OK)
		return rc;
	token = text_of(answer, "token");
	if (file_write(file, token, strlen(token), 0600, &why) < 0)
		rc = fail(CLI_DIFFERS, "%s", why.text);
	json_decref(answer);
	return rc;
}

static int
start_node(struct dev *d, int i)
{
	static const struct dev_keep keep[] = {
		{ "policy_tcp", "--policy-tcp", "127.0.0.1:0" },
		{ "milter_tcp", "--milter-tcp", "127.0.0.1:0" },
		{ "health", "--health", "127.0.0.1:0" },
	};
	struct dev_child *c = &d->child[i];
	char name[16], path[PATH_MAX];
	int rc;

	snprintf(name, sizeof(name), "node-%d", i);
	rc = dev_child_init(c, d->dir, name, "postern-node");
	if (rc != 0)
		return rc;
	rc = dev_child_keep(c, keep, sizeof(keep) / sizeof(keep[0]));
	dev_child_arg(c, "--name", name);
	snprintf(path, sizeof(path), "%s/policy.sock", c->dir);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return fail(CLI_USAGE, "%s is too long for a socket; take a "
		    "shorter --dir", path);
	dev_child_arg(c, "--policy-unix", path);
	snprintf(path, sizeof(path), "%s/join-token", c->dir);
	if (rc == 0 && !c->was_ready) {
		rc = make_token(d, path);
		dev_child_arg(c, "--join-file", path);
	}
	return rc != 0 ? rc : dev_child_start(c);
}

static int
apply_policy(struct dev *d)
{
	const char *file = flag(d->flags, "policy");
	char *argv[] = { (char *)"apply", (char *)"-f", (char *)file,
	    (char *)"--addr", d->addr, (char *)"--token-file", d->token,
	    NULL };

	return file == NULL ? CLI_OK : cmd_apply(7, argv);
}

/* Until each node that we started enforces the version in force. */
static int
wait_converged(struct dev *d, bool *stop)
{
	uint64_t end = clock_mono_ms() + CONVERGE_MS;
	int rc = 0;

	while (rc == 0 && !*stop) {
		json_t *answer, *node;
		long long n = 0;
		size_t i;

		rc = client_call(&d->api, "GET", "/v1/nodes", NULL, &answer);
		if (rc != CLI_OK)
			return rc;
		json_array_foreach(json_object_get(answer, "nodes"), i, node)
			n += json_is_true(json_object_get(node, "converged"));
		json_decref(answer);
		if (n >= d->nodes)
			return 0;
		if (clock_mono_ms() > end)
			return fail(CLI_PARTIAL, "%lld of %lld nodes enforce "
			    "the policy after %d s; see the logs in %s", n,
			    d->nodes, CONVERGE_MS / 1000, d->dir);
		rc = check_signals(d, 20, stop);
	}
	return rc;
}

static void
print_ready(const struct dev *d)
{
	static const char *const keys[] = { "id", "policy_tcp", "policy_unix",
	    "milter_tcp", "milter_unix", "health", "pid" };
	json_t *nodes = json_array(), *o;
	size_t k;
	int i;

	for (i = 1; i <= d->nodes; i++) {
		json_t *node = json_object();

		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			json_object_set(node, keys[k],
			    json_object_get(d->child[i].ready, keys[k]));
		json_array_append_new(nodes, node);
	}
	o = json_pack("{s:s, s:s, s:s, s:o}", "api", d->addr, "token_file",
	    d->token, "dir", d->dir, "nodes", nodes);
	if (d->flags->format == FORMAT_JSON) {
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		printf("ready: POSTERN_ADDR=%s POSTERN_TOKEN_FILE=%s",
		    d->addr, d->token);
		for (i = 1; i <= d->nodes; i++)
			printf(" %s=%s", text_of(d->child[i].ready, "id"),
			    text_of(d->child[i].ready, "policy_tcp"));
		putchar('\n');
	}
	fflush(stdout);
	json_decref(o);
}

static int
run(struct dev *d)
{
	bool stop = false;
	int i, rc = start_controller(d, &stop);

	if (rc == 0 && !stop)
		rc = apply_policy(d);
	for (i = 1; i <= d->nodes && rc == 0 && !stop; i++)
		rc = start_node(d, i);
	for (i = 1; i <= d->nodes && rc == 0 && !stop; i++)
		rc = wait_ready(d, &d->child[i], &stop);
	if (rc == 0 && !stop)
		rc = wait_converged(d, &stop);
	if (rc == 0 && !stop)
		print_ready(d);
	while (rc == 0 && !stop)
		rc = check_signals(d, -1, &stop);
	return rc;
}

static int
make_dir(struct dev *d)
{
	const char *dir = flag(d->flags, "dir");
	char made[DIR_LEN], full[PATH_MAX];
	struct diag why;

	if (dir == NULL) {
		const char *tmp = getenv("TMPDIR");

		snprintf(made, sizeof(made), "%s/postern-XXXXXX",
		    tmp == NULL || *tmp == '\0' ? "/tmp" : tmp);
		if ((dir = mkdtemp(made)) == NULL)
			return fail(CLI_DIFFERS, "cannot make a folder %s: %s",
			    made, strerror(errno));
		d->temporary = true;
		if (chmod(dir, 0711) < 0)
			return fail(CLI_DIFFERS, "cannot set the mode of %s: "
			    "%s", dir, strerror(errno));
	} else if (file_mkdirs(dir, 0711, &why) < 0)
		return fail(CLI_DIFFERS, "%s", why.text);
	if (realpath(dir, full) == NULL || strlen(full) >= sizeof(d->dir))
		return fail(CLI_USAGE, "%s is no folder for this: %s", dir,
		    errno != 0 ? strerror(errno) : "its name is too long");
	memcpy(d->dir, full, strlen(full) + 1);
	return 0;
}

int
cmd_dev(int argc, char **argv)
{
	struct dev d = { .signals = -1 };
	struct flags f;
	struct diag why;
	sigset_t set, old;
	int i, rc;

	rc = flags_parse(&f, argc, argv, "nodes= policy= dir=", help);
	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	d.flags = &f;
	if (flag_number(&f, "nodes", 1, &d.nodes) != 0)
		return CLI_USAGE;
	if (d.nodes > NODES_MAX || f.args_n > 0)
		return usage_error("dev takes flags alone, --nodes up to 16");
	if ((rc = make_dir(&d)) != 0)
		return rc;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	d.signals = signalfd(-1, &set, SFD_CLOEXEC);
	rc = run(&d);
	for (i = (int)d.nodes; i >= 0; i--)
		dev_child_stop(&d.child[i]);
	if (d.temporary && rc == 0)
		file_remove_tree(d.dir, &why);
	close(d.signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}
