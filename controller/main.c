/*
 * main.c - postern-controller: settings, keys, start, signals, end.
 */
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/backup.h"
#include "controller/fleet.h"
#include "controller/healthcheck.h"
#include "controller/http/api.h"
#include "controller/keeper.h"
#include "controller/keyring.h"
#include "controller/messages/messages.h"
#include "controller/publisher.h"
#include "proto/base/ballast.h"
#include "proto/base/clock.h"
#include "proto/base/conf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

struct settings_of_controller {
	char *dir, *api, *tls_cert, *tls_key, *control, *events, *enroll;
	char *advertise, *ready_file;
	int64_t message_days, audit_days;
	int log_format, log_level;
};

struct controller {
	struct settings_of_controller conf;
	pthread_mutex_t lock;		/* recursive; over the store */
	struct store *store;
	struct auth *auth;
	struct keyring *keys;
	struct messages *messages;
	struct fleet *fleet;
	struct publisher *publishing;
	struct backup *backup;
	struct keeper *keeper;
	struct httpd *httpd;
	struct api api;
};

#define AT(f) offsetof(struct settings_of_controller, f)

static const char *const formats[] = { "text", "logfmt", "json", NULL };
static const char *const levels[] = { "error", "warning", "info", "debug",
    NULL };

static const struct conf_option options[] = {
	{ .name = "dir", .type = CONF_TEXT, .offset = AT(dir),
	    .help = "data folder, the controller's alone" },
	{ .name = "api", .type = CONF_TEXT, .offset = AT(api),
	    .def = "127.0.0.1:8025", .help = "HTTP API; port 0: free" },
	{ .name = "tls_cert", .type = CONF_TEXT, .offset = AT(tls_cert),
	    .help = "PEM; with it the API may leave loopback" },
	{ .name = "tls_key", .type = CONF_TEXT, .offset = AT(tls_key),
	    .help = "PEM, mode 0600" },
	{ .name = "control", .type = CONF_TEXT, .offset = AT(control),
	    .def = "tcp://127.0.0.1:8026", .help = "where nodes come to" },
	{ .name = "events", .type = CONF_TEXT, .offset = AT(events),
	    .def = "tcp://127.0.0.1:8027", .help = "where events go to" },
	{ .name = "enroll", .type = CONF_TEXT, .offset = AT(enroll),
	    .def = "tcp://127.0.0.1:8028", .help = "where new nodes join" },
	{ .name = "advertise", .type = CONF_TEXT, .offset = AT(advertise),
	    .help = "host name that nodes are given instead" },
	{ .name = "message_days", .type = CONF_INT, .offset = AT(message_days),
	    .min = 0, .max = 36500, .def = "90",
	    .help = "how long refusals are kept; 0: for ever" },
	{ .name = "audit_days", .type = CONF_INT, .offset = AT(audit_days),
	    .min = 0, .max = 36500, .def = "0",
	    .help = "how long the audit log is kept; 0: for ever" },
	{ .name = "ready_file", .type = CONF_TEXT, .offset = AT(ready_file),
	    .help = "written as JSON once all listeners are up" },
	{ .name = "log_format", .type = CONF_ENUM, .offset = AT(log_format),
	    .def = "text", .choices = formats, .help = "of lines on stderr" },
	{ .name = "log_level", .type = CONF_ENUM, .offset = AT(log_level),
	    .def = "info", .choices = levels, .help = "lowest one written" },
	{ .name = NULL }
};

static int
check(const void *target, struct diag *why)
{
	const struct settings_of_controller *s = target;

	return s->dir == NULL ? diag_set(why, ERR_INVAL,
	    "--dir is needed") : 0;
}

static const struct conf_program program = {
	.name = "postern-controller",
	.summary = "Holds the policy, signs it, publishes it to nodes.\n\n"
	    "       postern-controller healthcheck --dir DIR | --url URL\n"
	    "Exits 0 when the controller of that folder is ready.\n\n"
	    "       postern-controller restore --from BACKUP --dir DIR\n"
	    "Puts a backup into a new folder.",
	.options = options, .check = check,
};

/* A new version stands in the store. */
static void
on_commit(void *arg)
{
	struct controller *c = arg;

	publisher_wake(c->publishing);
}

/* The keyring has another signer. */
static void
on_rekey(void *arg)
{
	struct controller *c = arg;

	publisher_rekey(c->publishing, keyring_signer(c->keys));
}

static void
on_whole(void *arg, bool damaged)
{
	struct controller *c = arg;

	publisher_whole(c->publishing, damaged);
}

static int
on_events(void *arg, const char *node, const struct events *e,
    uint64_t *upto)
{
	struct controller *c = arg;
	size_t refused = 0;
	struct diag why;
	int rc = messages_put(c->messages, node, e, clock_wall_us(), upto,
	    &refused, &why);

	if (rc < 0)
		log_error("ingest.failed", F_S("node", node),
		    F_S("reason", why.text));
	return rc;
}

static void
on_request(void *arg, const struct httpd_request *req,
    struct httpd_reply *reply)
{
	struct controller *c = arg;

	if (strcmp(req->path, "/livez") == 0 ||
	    strcmp(req->path, "/readyz") == 0) {
		buf_puts(&reply->body, "{\"ok\":true}\n");
		return;
	}
	pthread_mutex_lock(&c->lock);
	if (strcmp(req->path, "/metrics") != 0)
		api_handle(&c->api, req, reply);
	/* without TLS only this machine can ask */
	else if (c->conf.tls_cert == NULL || api_authorise(&c->api, req,
	    reply)) {
		reply->type = "text/plain; version=0.0.4";
		api_metrics(&c->api, &reply->body);
	}
	pthread_mutex_unlock(&c->lock);
}

static int
start(struct controller *c, struct diag *why)
{
	struct httpd_conf http = { .address = c->conf.api,
	    .tls_cert = c->conf.tls_cert, .tls_key = c->conf.tls_key,
	    .max_body = API_LARGE_MAX, .deadline_ms = 30000,
	    .max_conns = 256, .max_conns_per_ip = 64 };
	struct fleet_conf fleet = { .lock = &c->lock,
	    .control = c->conf.control, .events = c->conf.events,
	    .enroll = c->conf.enroll, .advertise = c->conf.advertise,
	    .on_events = on_events, .on_whole = on_whole, .arg = c };
	struct publisher_conf publishing = { .lock = &c->lock };
	struct keeper_conf keeper = { .lock = &c->lock,
	    .message_days = c->conf.message_days,
	    .audit_days = c->conf.audit_days, .on_commit = on_commit,
	    .on_rekey = on_rekey, .arg = c };
	char path[4200], published[4200];
	int rc;

	snprintf(path, sizeof(path), "%s/messages", c->conf.dir);
	ballast_use(c->conf.dir);
	if ((rc = store_open(&c->store, c->conf.dir, why)) < 0 ||
	    (rc = auth_open(&c->auth, c->store, c->conf.dir, why)) < 0 ||
	    (rc = keyring_open(&c->keys, c->conf.dir, why)) < 0 ||
	    (rc = messages_open(&c->messages, path, why)) < 0)
		return rc;
	fleet.store = c->store;
	fleet.secret = keyring_curve(c->keys);
	fleet.signer = keyring_signer(c->keys);
	fleet.root = keyring_root(c->keys);
	if ((rc = fleet_start(&c->fleet, &fleet, why)) < 0)
		return rc;
	snprintf(published, sizeof(published), "%s/published", c->conf.dir);
	publishing.store = c->store;
	publishing.fleet = c->fleet;
	publishing.signer = keyring_signer(c->keys);
	publishing.dir = published;
	publishing.hold = backup_is_marked(c->store);
	if (publishing.hold)
		log_warning("controller.held", F_U("version",
		    store_version(c->store)), F_S("reason", "the store was "
		    "restored: nothing is published until \"postern adopt\""));
	c->backup = backup_new(c->store, c->messages, c->conf.dir);
	if ((rc = publisher_start(&c->publishing, &publishing, why)) < 0)
		return rc;
	c->api = (struct api){ .dir = c->conf.dir, .store = c->store,
	    .fleet = c->fleet,
	    .messages = c->messages, .auth = c->auth,
	    .publisher = c->publishing, .backup = c->backup,
	    .keys = c->keys,
	    .started_us = clock_wall_us(), .on_commit = on_commit,
	    .arg = c };
	keeper.store = c->store;
	keeper.messages = c->messages;
	keeper.keys = c->keys;
	if ((rc = keeper_start(&c->keeper, &keeper, why)) < 0)
		return rc;
	if ((rc = httpd_start(&c->httpd, &http, on_request, c, why)) < 0)
		return rc;
	rc = healthcheck_note(c->conf.dir, httpd_url(c->httpd), why);
	ballast_keep(c->conf.dir);
	return rc;
}

static int
write_ready(const struct controller *c, struct diag *why)
{
	char token[4200], *text;
	json_t *o;
	int rc;

	if (c->conf.ready_file == NULL)
		return 0;
	snprintf(token, sizeof(token), "%s/" AUTH_TOKEN_FILE, c->conf.dir);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "api",
	    httpd_url(c->httpd), "token_file", token, "control",
	    fleet_endpoint(c->fleet, FLEET_CONTROL), "events",
	    fleet_endpoint(c->fleet, FLEET_EVENTS), "enroll",
	    fleet_endpoint(c->fleet, FLEET_ENROLL), "pid", (int)getpid());
	text = json_dumps(o, JSON_COMPACT);
	rc = file_write(c->conf.ready_file, text, strlen(text), 0644, why);
	free(text);
	json_decref(o);
	return rc;
}

static void
stop(struct controller *c)
{
	if (c->httpd != NULL)
		httpd_stop(&c->httpd);
	keeper_stop(&c->keeper);
	backup_free(&c->backup);
	publisher_stop(&c->publishing);
	if (c->fleet != NULL)
		fleet_stop(&c->fleet);
	messages_close(&c->messages);
	auth_close(&c->auth);
	store_close(&c->store);
	keyring_close(&c->keys);
}

int
main(int argc, char **argv)
{
	struct controller c = { 0 };
	pthread_mutexattr_t attr;
	enum conf_result result;
	struct diag why;
	sigset_t set;
	int sig, rc;

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (argc >= 2 && strcmp(argv[1], "healthcheck") == 0)
		return healthcheck_main(argc, argv);
	if (argc >= 2 && strcmp(argv[1], "restore") == 0)
		return backup_restore_main(argc, argv);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (sodium_init() < 0 || conf_load(&program, &c.conf, argc, argv,
	    &result, &why) < 0) {
		fprintf(stderr, "postern-controller: %s\n", why.text);
		return 2;
	}
	if (result == CONF_EXIT_OK)
		return 0;
	log_setup(program.name, (enum log_format)c.conf.log_format,
	    (enum log_level)c.conf.log_level);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&c.lock, &attr);
	if ((rc = start(&c, &why)) < 0 || (rc = write_ready(&c, &why)) < 0)
		log_error("controller.failed", F_S("reason", why.text));
	else {
		log_info("controller.ready", F_S("api", httpd_url(c.httpd)));
		sigwait(&set, &sig);
		log_info("controller.stops", F_I("signal", sig));
	}
	stop(&c);
	conf_fini(&program, &c.conf);
	return rc < 0 ? 1 : 0;
}
