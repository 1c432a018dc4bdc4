/*
 * child.c - starts processes with output to a file, waits for them to
 * listen, ends them.
 */
#include "bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/net.h"
#include "bench/null.h"
#include "bench/stat.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define START_S 60
#define LOOK_US 500

static bool
has_ended(struct child *c)
{
	return waitpid(c->pid, NULL, WNOHANG) == c->pid;
}

/* Until somebody accepts at address. */
static int
wait_for(struct child *c, const char *address, struct diag *why)
{
	double end = stat_now() + START_S;
	int fd;

	while (stat_now() < end) {
		fd = net_connect(address, 0, NULL);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		if (has_ended(c)) {
			c->pid = 0;
			return diag_set(why, ERR_IO, "%s ended at once",
			    c->name);
		}
		usleep(LOOK_US);
	}
	return diag_set(why, ERR_TIMEOUT, "%s does not listen on %s",
	    c->name, address);
}

/* A port that was free a moment ago. */
static int
free_port(void)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	int fd = net_listen("127.0.0.1:0", NULL), port = 0;

	if (fd >= 0 && getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
		port = ntohs(sa.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static pid_t
fork_bound(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		/* Nothing that we started outlives us. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

int
child_null(struct child *out, const char *dir, bool tcp,
    const char *durable, struct diag *why)
{
	const char *address = tcp ? out->tcp_address : out->unix_address;

	memset(out, 0, sizeof(*out));
	strcpy(out->name, durable == NULL ? "null" : "durable-null");
	if (tcp)
		snprintf(out->tcp_address, sizeof(out->tcp_address),
		    "127.0.0.1:%d", free_port());
	else
		snprintf(out->unix_address, sizeof(out->unix_address),
		    "unix:%s/%s", dir, out->name);
	out->pid = fork_bound();
	if (out->pid == 0) {
		prctl(PR_SET_NAME, out->name);
		_exit(null_serve(address, durable, NULL) == 0 ? 0 : 1);
	}
	return wait_for(out, address, why);
}

static void
exec_node(const char *dir, const char *log, const char *socket_path)
{
	char self[1024], program[1100], ready[1100];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND,
	    0600);

	if (n <= 0 || fd < 0)
		_exit(1);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(program, sizeof(program), "%s/postern-node", self);
	snprintf(ready, sizeof(ready), "%s/ready", dir);
	dup2(fd, 1);
	dup2(fd, 2);
	execl(program, "postern-node", "--dir", dir, "--policy-tcp",
	    "127.0.0.1:0", "--policy-unix", socket_path, "--ready-file",
	    ready, "--spool-max", "4G", (char *)NULL);
	_exit(1);
}

static int
read_ready(struct child *c, const char *dir, struct diag *why)
{
	double end = stat_now() + START_S;
	char path[1100];
	json_t *o = NULL;

	snprintf(path, sizeof(path), "%s/ready", dir);
	while ((o = json_load_file(path, 0, NULL)) == NULL) {
		if (has_ended(c)) {
			c->pid = 0;
			return diag_set(why, ERR_IO, "the node ended; see "
			    "its log");
		}
		if (stat_now() > end)
			return diag_set(why, ERR_TIMEOUT, "the node is not "
			    "ready");
		usleep(LOOK_US);
	}
	snprintf(c->tcp_address, sizeof(c->tcp_address), "%s",
	    json_string_value(json_object_get(o, "policy_tcp")));
	json_decref(o);
	return 0;
}

int
child_node(struct child *out, const char *dir, const char *log,
    double *seconds, struct diag *why)
{
	double begin;
	char path[1100];
	int rc;

	memset(out, 0, sizeof(*out));
	strcpy(out->name, "node");
	snprintf(out->unix_address, sizeof(out->unix_address),
	    "unix:%s/policy", dir);
	snprintf(path, sizeof(path), "%s/ready", dir);
	unlink(path);
	/* the events of a run before would be read at the start */
	snprintf(path, sizeof(path), "%s/spool", dir);
	file_remove_tree(path, NULL);
	begin = stat_now();
	out->pid = fork_bound();
	if (out->pid == 0)
		exec_node(dir, log, out->unix_address + 5);
	rc = read_ready(out, dir, why);
	if (seconds != NULL)
		*seconds = stat_now() - begin;
	return rc;
}

static bool
says(const char *log, const char *text)
{
	FILE *f = fopen(log, "r");
	char line[1024];
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

int
child_settle(const char *log, double seconds)
{
	double end = stat_now() + seconds;

	while (!says(log, "scrub.proved")) {
		if (stat_now() > end)
			return ERR_TIMEOUT;
		usleep(20 * LOOK_US);
	}
	return 0;
}

void
child_stop(struct child *c)
{
	double end = stat_now() + 10;

	if (c->pid <= 0)
		return;
	kill(c->pid, SIGTERM);
	while (!has_ended(c)) {
		if (stat_now() > end)
			kill(c->pid, SIGKILL);
		usleep(LOOK_US);
	}
	c->pid = 0;
}
