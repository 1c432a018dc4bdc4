/*
 * node.c - puts the parts together and keeps the loop's thread.
 *
 * A new set comes from the sync thread into a slot; the loop swaps it in
 * between two requests and leaves the old one, which nobody can be reading, to
 * a thread that lets go of it.
 * Order at the end: stop asking, stop syncing, write the spool, unlock.
 */
#include "node/node.h"

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "node/decide.h"
#include "node/health.h"
#include "node/identity.h"
#include "node/join.h"
#include "node/milter_front.h"
#include "node/policy_front.h"
#include "node/retire.h"
#include "node/sentry.h"
#include "node/sets.h"
#include "node/spool.h"
#include "node/sync.h"
#include "proto/base/ballast.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

#define DRAIN_MS 3000
#define DRAIN_TICK_MS 20
#define TOKEN_MAX 4096
#define TICK_MS 5000
#define GATHER_NS 500000	/* for others that are asked now */
#define GATHER_LOOK 8		/* events between two looks at the clock */
#define OPEN_WARN_MS 60000

struct node {
	const struct node_conf *conf;
	int lock_fd;
	struct node_identity *id;
	struct metrics metrics;
	struct ruleset *ruleset;
	struct retire *retire;
	struct decider *decider;
	struct sentry *sentry;
	struct spool *spool;
	struct front *policy, *milter;
	struct host host;
	struct sync *sync;
	struct health *health;
	struct buf encoded;

	uv_loop_t loop;
	uv_async_t wake;
	uv_signal_t term, interrupt;
	uv_timer_t drain, tick;
	uv_check_t round;		/* after each round of the loop .. */
	uv_idle_t again;		/* active: events are to be written */
	bool has_handles;
	bool recorded;			/* an event, in this round */
	uint64_t since_ns;		/* .. and when the first was recorded */
	unsigned gathered;		/* .. and how many since */
	uint64_t drain_until_ms;
	uint64_t warned_open, warned_open_ms;

	pthread_mutex_t slot_lock;
	struct ruleset *slot;		/* to be enforced next */
};

/* On the sync thread. */
static void
on_ruleset(void *arg, struct ruleset *r)
{
	struct node *n = arg;
	struct ruleset *unused;

	pthread_mutex_lock(&n->slot_lock);
	unused = n->slot;
	n->slot = r;
	pthread_mutex_unlock(&n->slot_lock);
	ruleset_unref(&unused);
	uv_async_send(&n->wake);
}

/* On the spool's thread. */
static void
on_commit(void *arg)
{
	struct node *n = arg;

	uv_async_send(&n->wake);
}

static void
enforce(struct node *n, struct ruleset *r)
{
	struct ruleset *old = n->ruleset;
	const struct head *h = ruleset_head(r);

	n->ruleset = r;
	n->metrics.version = h->version;
	log_info("ruleset.enforced", F_U("version", h->version),
	    F_U("records", h->count),
	    F_U("policies", tables_policies_n(ruleset_tables(r))));
	retire_put(n->retire, &old);
	if (n->sync != NULL)
		sync_enforced(n->sync, h);
}

static void
on_wake(uv_async_t *a)
{
	struct node *n = a->data;
	struct ruleset *r;
	uint64_t done;

	pthread_mutex_lock(&n->slot_lock);
	r = n->slot;
	n->slot = NULL;
	pthread_mutex_unlock(&n->slot_lock);
	if (r != NULL)
		enforce(n, r);
	done = spool_done(n->spool);
	front_release(n->policy, done);
	front_release(n->milter, done);
	sync_on_events(n->sync);
}

static void
on_again(uv_idle_t *i)
{
	(void)i;
}

/*
 * Let the spool write what was recorded: all that mail servers asked while
 * the loop was at it, in one group.  For that it has looked again, without
 * waiting, until a round brought no refusal or GATHER_NS were over.
 */
static void
write_events(struct node *n)
{
	if (spool_write(n->spool))
		uv_idle_stop(&n->again);
}

static void
on_round(uv_check_t *c)
{
	struct node *n = c->data;
	bool more = n->recorded;

	n->recorded = false;
	if (uv_is_active((uv_handle_t *)&n->again) && (!more ||
	    uv_hrtime() - n->since_ns >= GATHER_NS))
		write_events(n);
}

static struct ruleset *
view(void *arg)
{
	struct node *n = arg;

	return n->ruleset;
}

static uint64_t
record(void *arg, const struct event *e)
{
	struct node *n = arg;
	uint64_t ticket;

	log_debug("decide.event", F_S("id", e->id),
	    F_S("recipient", e->recipient), F_S("sender", e->sender));
	buf_reset(&n->encoded);
	event_encode(e, &n->encoded);
	ticket = n->encoded.err != 0 ? 0 :
	    spool_add(n->spool, n->encoded.data, n->encoded.len);
	n->recorded = true;
	if (!uv_is_active((uv_handle_t *)&n->again)) {
		n->since_ns = uv_hrtime();
		n->gathered = 0;
		uv_idle_start(&n->again, on_again);
	} else if (++n->gathered % GATHER_LOOK == 0 &&
	    uv_hrtime() - n->since_ns >= GATHER_NS)
		write_events(n);
	return ticket;
}

/* Messages that the policy front let pass for the milter front to judge, and
 * that it never saw: header rules do not hold for them. */
static void
on_tick(uv_timer_t *t)
{
	struct node *n = t->data;
	uint64_t now = clock_mono_ms();

	n->metrics.open_unresolved += stages_unresolved(
	    decide_stages(n->decider), now);
	if (n->metrics.open_unresolved == n->warned_open || (n->warned_open !=
	    0 && now - n->warned_open_ms < OPEN_WARN_MS))
		return;
	log_warning("decide.open_unresolved", F_U("messages",
	    n->metrics.open_unresolved - n->warned_open),
	    F_S("next", "let the mail server use the milter for all mail it "
	    "asks about, or set header_stage to no"));
	n->warned_open = n->metrics.open_unresolved;
	n->warned_open_ms = now;
}

static void
close_handles(struct node *n)
{
	if (!n->has_handles)
		return;
	n->has_handles = false;
	uv_close((uv_handle_t *)&n->wake, NULL);
	uv_close((uv_handle_t *)&n->term, NULL);
	uv_close((uv_handle_t *)&n->interrupt, NULL);
	uv_close((uv_handle_t *)&n->drain, NULL);
	uv_close((uv_handle_t *)&n->tick, NULL);
	uv_close((uv_handle_t *)&n->round, NULL);
	uv_close((uv_handle_t *)&n->again, NULL);
}

static void
on_drain(uv_timer_t *t)
{
	struct node *n = t->data;

	if (front_connections(n->policy) + front_connections(n->milter) > 0 &&
	    clock_mono_ms() < n->drain_until_ms)
		return;
	front_stop(n->policy);
	front_stop(n->milter);
	uv_stop(&n->loop);
}

static void
on_signal(uv_signal_t *s, int signum)
{
	struct node *n = s->data;

	if (n->drain_until_ms != 0) {
		uv_stop(&n->loop);
		return;
	}
	log_info("node.stopping", F_I("signal", signum));
	n->drain_until_ms = clock_mono_ms() + DRAIN_MS;
	front_drain(n->policy);
	front_drain(n->milter);
	uv_timer_start(&n->drain, on_drain, 0, DRAIN_TICK_MS);
}

/* The token from a flag or its file, without white space at its end. */
static int
read_token(const struct node_conf *conf, struct buf *out, struct diag *why)
{
	int rc = 0;

	if (conf->join != NULL)
		buf_puts(out, conf->join);
	else if (conf->join_file != NULL)
		rc = file_read(conf->join_file, TOKEN_MAX, out, why);
	else
		rc = diag_set(why, ERR_INVAL, "%s holds no identity: give a "
		    "token from \"postern node join-token\" with --join or "
		    "--join-file", conf->dir);
	while (rc == 0 && out->len > 0 &&
	    strchr(" \t\r\n", out->data[out->len - 1]) != NULL)
		out->data[--out->len] = '\0';
	if (rc == 0 && out->len == 0)
		rc = diag_set(why, ERR_INVAL, "the join token is empty");
	return rc;
}

static int
enrol(struct node *n, struct diag *why)
{
	char host[256] = "node";
	struct buf token;
	int rc;

	gethostname(host, sizeof(host) - 1);
	buf_init(&token, TOKEN_MAX);
	rc = read_token(n->conf, &token, why);
	if (rc == 0)
		rc = join(token.data, n->conf->name != NULL ? n->conf->name :
		    host, n->id, why);
	if (rc == 0)
		rc = identity_save(n->id, n->conf->dir, why);
	if (rc == 0)
		log_info("node.enrolled", F_S("id", n->id->id),
		    F_S("controller", n->id->control));
	buf_fini(&token);
	return rc;
}

/* What we enforced last; after crashes under it, the newest version before it
 * that ran well. */
static int
open_set(struct node *n, uint64_t version, struct ruleset **out)
{
	struct ruleset_trust trust = { .root = n->id->root,
	    .accepted = version };
	const char *dir = n->conf->dir;
	struct publisher_cert cert;
	uint64_t upto, bad;
	struct diag why;
	int rc = ERR_NOENT;

	if (cert_open(n->id->root, n->id->cert, n->id->cert_len, INT64_MIN,
	    &cert, &why) == 0)
		trust.min_serial = cert.min_serial;
	sentry_enter(n->sentry, SENTRY_BUILD, version);
	if (sentry_is_held(n->sentry, &upto, &bad)) {
		rc = sets_open_upto(dir, &trust, upto, out, &why);
		log_error("node.held", F_U("crashed_version", bad),
		    F_U("version", rc < 0 ? 0 : ruleset_head(*out)->version),
		    F_S("until", "the controller's head moves"));
	}
	if (rc < 0)
		rc = sets_open_newest(dir, &trust, out, &why);
	sentry_leave(n->sentry, SENTRY_BUILD);
	return rc;
}

/* Who we are and what we enforced last. */
static int
load_state(struct node *n, uint64_t *ratchet, struct diag *why)
{
	const char *dir = n->conf->dir;
	struct ruleset *r = NULL;
	int rc;

	n->id = identity_new();
	rc = identity_load(n->id, dir, why);
	if (rc == ERR_NOENT)
		rc = enrol(n, why);
	if (rc < 0 || (rc = ratchet_load(dir, ratchet, why)) < 0)
		return rc;
	if ((rc = sentry_open(&n->sentry, dir, clock_wall_us(), why)) < 0)
		return rc;
	if (open_set(n, *ratchet, &r) == 0) {
		enforce(n, r);
		if (ruleset_head(r)->version > *ratchet)
			*ratchet = ruleset_head(r)->version;
	}
	return 0;
}

static int
open_fronts(struct node *n, struct diag *why)
{
	struct front_conf conf = { .tcp = n->conf->policy_tcp,
	    .unix_path = n->conf->policy_unix,
	    .max_connections = (unsigned)n->conf->max_connections,
	    .deadline_ms = n->conf->deadline_ms,
	    .protocol = &policy_protocol, .arg = &n->host,
	    .metrics = &n->metrics, .connections = &n->metrics.connections };
	int rc = front_open(&n->policy, &n->loop, &conf, why);

	if (rc < 0)
		return rc;
	conf.tcp = n->conf->milter_tcp;
	conf.unix_path = n->conf->milter_unix;
	conf.protocol = &milter_protocol;
	conf.connections = &n->metrics.milter_connections;
	return front_open(&n->milter, &n->loop, &conf, why);
}

static int
start_loop(struct node *n, struct diag *why)
{
	n->host = (struct host){ .arg = n, .view = view, .record = record,
	    .decider = n->decider, .metrics = &n->metrics,
	    .decision_headers = n->conf->decision_headers };
	uv_async_init(&n->loop, &n->wake, on_wake);
	uv_signal_init(&n->loop, &n->term);
	uv_signal_init(&n->loop, &n->interrupt);
	uv_timer_init(&n->loop, &n->drain);
	uv_timer_init(&n->loop, &n->tick);
	uv_check_init(&n->loop, &n->round);
	uv_idle_init(&n->loop, &n->again);
	n->round.data = n;
	n->wake.data = n->term.data = n->interrupt.data = n->drain.data =
	    n->tick.data = n;
	n->has_handles = true;
	uv_signal_start(&n->term, on_signal, SIGTERM);
	uv_signal_start(&n->interrupt, on_signal, SIGINT);
	uv_timer_start(&n->tick, on_tick, TICK_MS, TICK_MS);
	uv_check_start(&n->round, on_round);
	return open_fronts(n, why);
}

static int
start_parts(struct node *n, struct diag *why)
{
	struct decide_conf decide = { .on_error = n->conf->on_error,
	    .bootstrap = n->conf->bootstrap,
	    .enforcement = n->conf->enforcement,
	    .header_stage = n->conf->header_stage };
	char dir[1024];
	struct spool_conf spool = { .dir = dir,
	    .max_bytes = n->conf->spool_max, .on_commit = on_commit,
	    .arg = n };
	struct sync_conf sync = { .dir = n->conf->dir,
	    .metrics = &n->metrics, .on_ruleset = on_ruleset, .arg = n };
	int rc;

	if ((n->retire = retire_start()) == NULL)
		log_error("retire.missing", F_S("reason", "no thread for it"));
	snprintf(dir, sizeof(dir), "%s/spool", n->conf->dir);
	if ((rc = load_state(n, &sync.ratchet, why)) < 0)
		return rc;
	decide.sentry = sync.sentry = n->sentry;
	n->decider = decide_new(&decide, &n->metrics);
	if ((rc = spool_open(&n->spool, &spool, why)) < 0 ||
	    (rc = start_loop(n, why)) < 0)
		return rc;
	sync.id = n->id;
	sync.spool = n->spool;
	sync.current = n->ruleset;
	if ((rc = sync_start(&n->sync, &sync, why)) < 0)
		return rc;
	if (n->conf->health == NULL || n->conf->health[0] == '\0')
		return 0;
	return health_start(&n->health, n->conf->health, &n->metrics,
	    n->spool, why);
}

/* Tell others where we listen: the ready file, and DIR/health for the
 * container's check. */
static int
announce(struct node *n, struct diag *why)
{
	const char *health = n->health == NULL ? "" : health_url(n->health);
	const char *policy = n->conf->policy_unix == NULL ? "" :
	    n->conf->policy_unix;
	const char *milter = n->conf->milter_unix == NULL ? "" :
	    n->conf->milter_unix;
	char file[1100];
	char *text;
	json_t *o;
	int rc;

	log_info("node.listening", F_S("id", n->id->id),
	    F_S("policy_tcp", front_tcp(n->policy)),
	    F_S("policy_unix", policy),
	    F_S("milter_tcp", front_tcp(n->milter)),
	    F_S("milter_unix", milter), F_S("health", health));
	snprintf(file, sizeof(file), "%s/health", n->conf->dir);
	if ((rc = file_write(file, health, strlen(health), 0600, why)) < 0 ||
	    n->conf->ready_file == NULL)
		return rc;
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "id", n->id->id,
	    "policy_tcp", front_tcp(n->policy), "policy_unix", policy,
	    "milter_tcp", front_tcp(n->milter), "milter_unix", milter,
	    "health", health, "pid", (int)getpid());
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return diag_set(why, ERR_INVAL, "a path is no UTF-8");
	rc = file_write(n->conf->ready_file, text, strlen(text), 0644, why);
	free(text);
	return rc;
}

static void
stop_parts(struct node *n)
{
	health_stop(&n->health);
	if (n->policy != NULL)
		front_stop(n->policy);
	if (n->milter != NULL)
		front_stop(n->milter);
	/* The sync reads the spool, and both wake the loop. */
	sync_stop(&n->sync);
	spool_close(&n->spool);
	close_handles(n);
	uv_run(&n->loop, UV_RUN_DEFAULT);
	uv_loop_close(&n->loop);
	front_free(&n->policy);
	front_free(&n->milter);
	decide_free(&n->decider);
	ruleset_unref(&n->ruleset);
	ruleset_unref(&n->slot);
	retire_stop(&n->retire);
	sentry_close(&n->sentry);
	buf_fini(&n->encoded);
	identity_free(&n->id);
	pthread_mutex_destroy(&n->slot_lock);
	if (n->lock_fd >= 0)
		close(n->lock_fd);
}

int
node_run(const struct node_conf *conf, struct diag *why)
{
	struct node *n = xcalloc(1, sizeof(*n));
	int rc;

	n->conf = conf;
	n->lock_fd = -1;
	buf_init(&n->encoded, EVENT_MAX);
	pthread_mutex_init(&n->slot_lock, NULL);
	uv_loop_init(&n->loop);
	if ((rc = file_mkdirs(conf->dir, 0700, why)) == 0 &&
	    (rc = file_lock_dir(conf->dir, &n->lock_fd, why)) == 0) {
		ballast_use(conf->dir);
		if ((rc = start_parts(n, why)) == 0)
			rc = announce(n, why);
		ballast_keep(conf->dir);
		if (rc == 0)
			uv_run(&n->loop, UV_RUN_DEFAULT);
	}
	stop_parts(n);
	if (rc == 0)
		log_info("node.stopped");
	free(n);
	return rc;
}
