/*
 * main.c - postern-node: settings, the process's own limits, subcommands.
 */
#include <signal.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "node/health.h"
#include "node/node.h"
#include "proto/base/conf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char *const fallbacks[] = { "defer", "dunno", NULL };
static const char *const enforcements[] = { "policy", "enforce", "soft",
    "observe", NULL };
static const char *const headers[] = { "auto", "yes", "no", NULL };
static const char *const no_yes[] = { "no", "yes", NULL };
static const char *const formats[] = { "text", "logfmt", "json", NULL };
static const char *const levels[] = { "error", "warning", "info", "debug",
    NULL };

#define AT(m) offsetof(struct node_conf, m)

static const struct conf_option options[] = {
	{ .name = "dir", .type = CONF_TEXT, .offset = AT(dir),
	    .help = "the node's data folder, its alone" },
	{ .name = "join", .type = CONF_TEXT, .offset = AT(join),
	    .help = "join token; needed once" },
	{ .name = "join_file", .type = CONF_TEXT, .offset = AT(join_file),
	    .help = "file with the join token" },
	{ .name = "name", .type = CONF_TEXT, .offset = AT(name),
	    .help = "name to enrol under; the host's name if not given" },
	{ .name = "policy_tcp", .type = CONF_TEXT, .offset = AT(policy_tcp),
	    .def = "127.0.0.1:10031",
	    .help = "where mail servers ask; port 0: free, \"\": off" },
	{ .name = "policy_unix", .type = CONF_TEXT, .offset = AT(policy_unix),
	    .help = "the same on a Unix socket, mode 0666" },
	{ .name = "milter_tcp", .type = CONF_TEXT, .offset = AT(milter_tcp),
	    .help = "the same as a milter, 127.0.0.1:10032 say; off" },
	{ .name = "milter_unix", .type = CONF_TEXT, .offset = AT(milter_unix),
	    .help = "the same on a Unix socket, mode 0666" },
	{ .name = "health", .type = CONF_TEXT, .offset = AT(health),
	    .def = "127.0.0.1:0",
	    .help = "HTTP for /livez, /readyz, /metrics; \"\": off" },
	{ .name = "on_error", .type = CONF_ENUM, .offset = AT(on_error),
	    .def = "defer", .choices = fallbacks,
	    .help = "answer to a fault inside" },
	{ .name = "bootstrap", .type = CONF_ENUM, .offset = AT(bootstrap),
	    .def = "defer", .choices = fallbacks,
	    .help = "answer before the first policy came" },
	{ .name = "enforcement", .type = CONF_ENUM, .offset = AT(enforcement),
	    .def = "policy", .choices = enforcements,
	    .help = "policy: as the policy's settings say" },
	{ .name = "header_stage", .type = CONF_ENUM,
	    .offset = AT(header_stage), .def = "auto", .choices = headers,
	    .help = "does a stage after the headers follow" },
	{ .name = "decision_headers", .type = CONF_ENUM,
	    .offset = AT(decision_headers), .def = "yes", .choices = no_yes,
	    .help = "the milter sets X-Postern-* and removes forged ones" },
	{ .name = "deadline", .type = CONF_MS, .offset = AT(deadline_ms),
	    .min = 50, .max = 60000, .def = "1s",
	    .help = "older requests are answered as on_error says" },
	{ .name = "max_connections", .type = CONF_INT,
	    .offset = AT(max_connections), .min = 1, .max = 100000,
	    .def = "4096", .help = "of mail servers, at once" },
	{ .name = "spool_max", .type = CONF_BYTES, .offset = AT(spool_max),
	    .min = 1 << 20, .max = INT64_MAX, .def = "1G",
	    .help = "disk for events the controller has not got yet" },
	{ .name = "log_format", .type = CONF_ENUM, .offset = AT(log_format),
	    .def = "text", .choices = formats, .help = "of lines on stderr" },
	{ .name = "log_level", .type = CONF_ENUM, .offset = AT(log_level),
	    .def = "info", .choices = levels, .help = "lowest one written" },
	{ .name = "ready_file", .type = CONF_TEXT, .offset = AT(ready_file),
	    .help = "written as JSON once all listeners are up" },
	{ .name = NULL }
};

static int
check(const void *target, struct diag *why)
{
	const struct node_conf *c = target;

	if (c->dir == NULL || c->dir[0] == '\0')
		return diag_set(why, ERR_INVAL, "--dir is needed");
	if (strlen(c->dir) > 900)
		return diag_set(why, ERR_TOOBIG, "--dir is too long");
	if (c->join != NULL && c->join_file != NULL)
		return diag_set(why, ERR_INVAL, "--join or --join-file, not "
		    "both");
	return 0;
}

static const struct conf_program program = {
	.name = "postern-node",
	.summary = "Answers a mail server's policy questions from the policy "
	    "of a controller.\n\n       postern-node healthcheck --dir DIR | "
	    "--url URL\nExits 0 when the node of that folder is ready.",
	.options = options,
	.check = check,
};

/* The URL that the node of this folder wrote at its start. */
static int
read_url(const char *dir, struct buf *out, struct diag *why)
{
	char path[1100];

	snprintf(path, sizeof(path), "%s/health", dir);
	return file_read(path, 256, out, why);
}

static int
healthcheck(int argc, char **argv)
{
	struct diag why = { "" };
	struct buf url;
	int rc = ERR_INVAL;

	buf_init(&url, 256);
	if (argc == 4 && strcmp(argv[2], "--url") == 0) {
		buf_puts(&url, argv[3]);
		rc = 0;
	} else if (argc == 4 && strcmp(argv[2], "--dir") == 0)
		rc = read_url(argv[3], &url, &why);
	else
		diag_set(&why, ERR_INVAL, "usage: postern-node healthcheck "
		    "--dir DIR | --url URL");
	if (rc == 0)
		rc = health_ask(url.data == NULL ? "" : url.data, &why);
	buf_fini(&url);
	if (rc < 0)
		fprintf(stderr, "postern-node: %s\n", why.text);
	return rc == 0 ? 0 : EXIT_FAILED;
}

/* What the process may do: no core dumps (they hold keys), files for us
 * alone, and as many descriptors as the system lets us have. */
static void
limit_process(void)
{
	struct rlimit r = { 0, 0 };

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &r);
	prctl(PR_SET_DUMPABLE, 0);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int
main(int argc, char **argv)
{
	struct node_conf conf = { 0 };
	enum conf_result what;
	struct diag why = { "" };
	int rc;

	limit_process();
	if (sodium_init() < 0) {
		fputs("postern-node: libsodium does not start\n", stderr);
		return EXIT_FAILED;
	}
	if (argc >= 2 && strcmp(argv[1], "healthcheck") == 0)
		return healthcheck(argc, argv);
	rc = conf_load(&program, &conf, argc, argv, &what, &why);
	if (rc < 0) {
		fprintf(stderr, "postern-node: %s\n", why.text);
		return EXIT_USAGE;
	}
	if (what == CONF_EXIT_OK) {
		conf_fini(&program, &conf);
		return 0;
	}
	log_setup("postern-node", (enum log_format)conf.log_format,
	    (enum log_level)conf.log_level);
	rc = node_run(&conf, &why);
	if (rc < 0)
		log_error("node.failed", F_S("reason", why.text[0] == '\0' ?
		    err_text(rc) : why.text));
	conf_fini(&program, &conf);
	return rc < 0 ? EXIT_FAILED : 0;
}
