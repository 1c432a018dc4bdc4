/*
 * dev_spawn.c - runs the programs of postern dev.
 */
#include "controller/cli/dev_spawn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "controller/cli/cli.h"
#include "controller/cli/flags.h"
#include "controller/cli/output.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"

#define STOP_MS 5000

/* The program of that name beside the running one. */
static int
find_program(const char *name, char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	char *slash;

	if (n < 0)
		return fail(CLI_DIFFERS, "cannot read /proc/self/exe: %s",
		    strerror(errno));
	out[n] = '\0';
	slash = strrchr(out, '/');
	snprintf(slash + 1, size - (size_t)(slash + 1 - out), "%s", name);
	if (access(out, X_OK) != 0)
		return fail(CLI_NOT_FOUND, "there is no program %s; \"make\" "
		    "builds it", out);
	return 0;
}

void
dev_child_arg(struct dev_child *c, const char *name, const char *value)
{
	if (c->argc + 2 > DEV_ARGS_MAX)
		return;
	c->argv[c->argc++] = xstrdup(name);
	c->argv[c->argc++] = xstrdup(value);
}

int
dev_child_init(struct dev_child *c, const char *parent, const char *name,
    const char *program)
{
	char before[720];
	struct diag why;
	int rc;

	snprintf(c->dir, sizeof(c->dir), "%s/%s", parent, name);
	snprintf(c->log, sizeof(c->log), "%s/log", c->dir);
	snprintf(c->ready_file, sizeof(c->ready_file), "%s/ready.json",
	    c->dir);
	/* a mail server's own user passes through to the socket */
	if (file_mkdirs(c->dir, 0711, &why) < 0)
		return fail(CLI_DIFFERS, "%s", why.text);
	if ((rc = find_program(program, c->program, sizeof(c->program))) != 0)
		return rc;
	c->argv[c->argc++] = xstrdup(c->program);
	dev_child_arg(c, "--dir", c->dir);
	dev_child_arg(c, "--ready-file", c->ready_file);
	/* what stands in ready.json next is of this start; the earlier one
	 * is kept, should this start fail before that */
	snprintf(before, sizeof(before), "%s.before", c->ready_file);
	if (rename(c->ready_file, before) < 0 && errno != ENOENT)
		return fail(CLI_DIFFERS, "cannot rename %s: %s",
		    c->ready_file, strerror(errno));
	c->ready = json_load_file(before, 0, NULL);
	c->was_ready = c->ready != NULL;
	return 0;
}

/* Can a listener have this IPv4 address ("scheme://" allowed) now? */
static bool
is_free(const char *address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	const char *host = strstr(address, "://"), *colon;
	char text[64];
	int fd, one = 1;
	bool ok;

	host = host == NULL ? address : host + 3;
	if ((colon = strrchr(host, ':')) == NULL)
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)(colon - host), host);
	sin.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, text, &sin.sin_addr) != 1 ||
	    (fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ok = bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0;
	close(fd);
	return ok;
}

int
dev_child_keep(struct dev_child *c, const struct dev_keep *keep, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const char *said = text_of(c->ready, keep[i].key);
		char was[128];

		/* HTTP listeners are told HOST:PORT, and tell a URL */
		if (strncmp(said, "http://", 7) == 0)
			snprintf(was, sizeof(was), "%.*s",
			    (int)strcspn(said + 7, "/"), said + 7);
		else
			snprintf(was, sizeof(was), "%s", said);
		if (*was != '\0' && is_free(was))
			dev_child_arg(c, keep[i].flag, was);
		else if (keep[i].first != NULL)
			dev_child_arg(c, keep[i].flag, keep[i].first);
	}
	json_decref(c->ready);
	c->ready = NULL;
	return 0;
}

/* In the child: what it needs, then the program. */
static void
become(struct dev_child *c, pid_t parent)
{
	int log = open(c->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	dup2(null, 0);
	dup2(log < 0 ? null : log, 1);
	dup2(log < 0 ? null : log, 2);
	/* a Ctrl-C is for us: we stop the others in their order */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(c->program, c->argv);
	_exit(127);
}

int
dev_child_start(struct dev_child *c)
{
	pid_t parent = getpid();

	c->pid = fork();
	if (c->pid == 0)
		become(c, parent);
	if (c->pid < 0) {
		c->pid = 0;
		return fail(CLI_DIFFERS, "cannot start %s: %s", c->program,
		    strerror(errno));
	}
	return 0;
}

bool
dev_child_ready(struct dev_child *c)
{
	if (c->ready == NULL)
		c->ready = json_load_file(c->ready_file, 0, NULL);
	return c->ready != NULL;
}

bool
dev_child_ended(struct dev_child *c)
{
	if (c->pid == 0 || waitpid(c->pid, NULL, WNOHANG) != c->pid)
		return false;
	c->pid = 0;
	return true;
}

void
dev_child_stop(struct dev_child *c)
{
	const struct timespec pause = { 0, 5 * 1000 * 1000 };
	uint64_t end = clock_mono_ms() + STOP_MS;

	if (c->pid != 0)
		kill(c->pid, SIGTERM);
	while (c->pid != 0 && !dev_child_ended(c)) {
		if (clock_mono_ms() > end)
			kill(c->pid, SIGKILL);
		nanosleep(&pause, NULL);
	}
	while (c->argc > 0)
		free(c->argv[--c->argc]);
	json_decref(c->ready);
	c->ready = NULL;
}
