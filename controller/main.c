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
#include "controller/messages/messages.h"
#include "controller/publisher.h"
#include "proto/base/ballast.h"
#include "proto/base/clock.h"
#include "proto/base/conf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

#define CERT_DAYS 90

struct settings_of_controller {
	char *dir, *api, *tls_cert, *tls_key, *control, *events, *enroll;
	char *advertise, *ready_file;
	int64_t message_days;
	int log_format, log_level;
};

struct controller {
	struct settings_of_controller conf;
	pthread_mutex_t lock;		/* recursive; over the store */
	struct store *store;
	struct auth *auth;
	struct sign_key *root, *publisher;
	uint8_t curve[SOCK_KEY_LEN];
	struct buf cert;
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

static int
load_key(const char *dir, const char *name, struct sign_key **out,
    struct diag *why)
{
	char path[4200];
	int rc;

	snprintf(path, sizeof(path), "%s/keys/%s", dir, name);
	rc = sign_key_load(out, path, why);
	if (rc != ERR_NOENT)
		return rc;
	if ((rc = sign_key_new(out)) < 0)
		return diag_set(why, rc, "cannot make a key");
	return sign_key_save(*out, path, why);
}

static int
load_curve(struct controller *c, struct diag *why)
{
	char path[4200], hex[SOCK_KEY_LEN * 2 + 1];
	uint8_t pub[SOCK_KEY_LEN];
	struct buf text;
	int rc;

	snprintf(path, sizeof(path), "%s/keys/curve.key", c->conf.dir);
	buf_init(&text, 4096);
	rc = file_read_secret(path, 4096, &text, why);
	if (rc == ERR_NOENT) {
		sock_keypair(pub, c->curve);
		hex_format(c->curve, SOCK_KEY_LEN, hex);
		rc = file_write(path, hex, strlen(hex), 0600, why);
	} else if (rc == 0 && hex_parse(text.data, c->curve,
	    SOCK_KEY_LEN) < 0)
		rc = diag_set(why, ERR_CORRUPT, "%s holds no key", path);
	buf_fini(&text);
	return rc;
}

static int
load_keys(struct controller *c, struct diag *why)
{
	struct publisher_cert cert = { .serial = 1 };
	char path[4200];
	int rc;

	snprintf(path, sizeof(path), "%s/keys", c->conf.dir);
	if ((rc = file_mkdirs(path, 0700, why)) < 0 ||
	    (rc = load_key(c->conf.dir, "root.key", &c->root, why)) < 0 ||
	    (rc = load_key(c->conf.dir, "publisher.key", &c->publisher,
	    why)) < 0 || (rc = load_curve(c, why)) < 0)
		return rc;
	cert.not_after_us = clock_wall_us() +
	    (int64_t)CERT_DAYS * 86400 * 1000000;
	memcpy(cert.key, sign_key_public(c->publisher), SIGN_PUBLIC_LEN);
	buf_init(&c->cert, 0);
	return cert_make(c->root, &cert, &c->cert);
}

/* A new version stands in the store. */
static void
on_commit(void *arg)
{
	struct controller *c = arg;

	publisher_wake(c->publishing);
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
	struct fleet_conf fleet = { .lock = &c->lock, .secret = c->curve,
	    .control = c->conf.control, .events = c->conf.events,
	    .enroll = c->conf.enroll, .advertise = c->conf.advertise,
	    .on_events = on_events, .on_whole = on_whole, .arg = c };
	struct publisher_conf publishing = { .lock = &c->lock };
	struct keeper_conf keeper = { .lock = &c->lock,
	    .message_days = c->conf.message_days, .on_commit = on_commit,
	    .arg = c };
	char path[4200], published[4200];
	int rc;

	snprintf(path, sizeof(path), "%s/messages", c->conf.dir);
	ballast_use(c->conf.dir);
	if ((rc = store_open(&c->store, c->conf.dir, why)) < 0 ||
	    (rc = auth_open(&c->auth, c->store, c->conf.dir, why)) < 0 ||
	    (rc = load_keys(c, why)) < 0 ||
	    (rc = messages_open(&c->messages, path, why)) < 0)
		return rc;
	fleet.store = c->store;
	fleet.publisher = c->publisher;
	fleet.root = sign_key_public(c->root);
	fleet.cert = bytes_of(c->cert.data, c->cert.len);
	if ((rc = fleet_start(&c->fleet, &fleet, why)) < 0)
		return rc;
	snprintf(published, sizeof(published), "%s/published", c->conf.dir);
	publishing.store = c->store;
	publishing.fleet = c->fleet;
	publishing.key = c->publisher;
	publishing.dir = published;
	publishing.hold = backup_is_marked(c->store);
	if (publishing.hold)
		log_warning("controller.held", F_U("version",
		    store_version(c->store)), F_S("reason", "the store was "
		    "restored: nothing is published until \"postern adopt\""));
	c->backup = backup_new(c->store, c->messages, c->conf.dir);
	if ((rc = publisher_start(&c->publishing, &publishing, why)) < 0)
		return rc;
	c->api = (struct api){ .store = c->store, .fleet = c->fleet,
	    .messages = c->messages, .auth = c->auth,
	    .publisher = c->publishing, .backup = c->backup,
	    .started_us = clock_wall_us(), .on_commit = on_commit,
	    .arg = c };
	keeper.store = c->store;
	keeper.messages = c->messages;
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
	buf_fini(&c->cert);
	sign_key_free(&c->root);
	sign_key_free(&c->publisher);
	sodium_memzero(c->curve, sizeof(c->curve));
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
