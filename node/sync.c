/*
 * sync.c - the sync thread: what it does with each frame, and when.
 *
 * A version is taken in steps: head, manifest, chunks, build.  At most one is
 * under way; a newer head replaces it unless it is being built, which a
 * thread of its own does, so that acknowledgements go on meanwhile.
 */
#include "node/sync.h"

#include <pthread.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "node/fetch.h"
#include "node/sets.h"
#include "node/uplink.h"
#include "proto/base/clock.h"
#include "proto/base/conf.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/wire/frame.h"

#define HELLO_MS 5000		/* without a head: say hello again */
#define ACK_MS 1000
#define STALL_MS 5000		/* nothing came: ask again */
#define TICK_MS 200
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define HWM 64

struct sync {
	struct sync_conf conf;
	pthread_t thread, builder;
	atomic_bool stop, built;
	int wake_fd;
	sem_t started;
	int start_rc;
	struct diag start_why;
	struct sock_ctx *ctx;
	struct sock *control, *events;
	struct uplink *uplink;
	struct publisher_cert cert;
	uint8_t boot_id[16];
	uint64_t ratchet;

	pthread_mutex_t lock;		/* guards the next two */
	struct head enforced;
	bool ack_now;

	struct fetch *fetch;
	bool building;
	int build_rc;
	struct ruleset *build_result;
	struct diag build_why;
	uint32_t in_flight;		/* chunks asked for and not here */
	uint64_t progress_ms;
	uint64_t backoff_ms, not_before_ms;

	uint64_t head_ms, hello_ms, ack_ms;
	enum nack nack;
	uint64_t nack_version;
	char nack_detail[200];
};

static enum nack
nack_of(int err)
{
	switch (err) {
	case ERR_AUTH:
	case ERR_TIMEOUT:
		return NACK_SIGNATURE;
	case ERR_CONFLICT:
		return NACK_DIGEST;
	case ERR_VERSION:
		return NACK_FORMAT;
	case ERR_TOOBIG:
		return NACK_LIMIT;
	case ERR_FULL:
	case ERR_IO:
		return NACK_DISK;
	default:
		return NACK_CORRUPT;
	}
}

/* Remember the refusal for the next acknowledgement; log it once. */
static void
refuse(struct sync *s, uint64_t version, enum nack nack, const char *detail)
{
	bool again = s->nack == nack && s->nack_version == version;

	s->nack = nack;
	s->nack_version = version;
	snprintf(s->nack_detail, sizeof(s->nack_detail), "%s", detail);
	if (again)
		return;
	s->conf.metrics->nacks++;
	s->ack_ms = 0;
	log_error("sync.refused", F_U("version", version),
	    F_S("code", nack_name(nack)), F_S("reason", detail));
}

/* Give up the version under way, for a while. */
static void
give_up(struct sync *s, int err, const char *detail)
{
	uint64_t version = fetch_head(s->fetch)->version;

	refuse(s, version, nack_of(err), detail);
	fetch_free(&s->fetch);
	s->backoff_ms = s->backoff_ms == 0 ? BACKOFF_MIN_MS :
	    s->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS :
	    s->backoff_ms * 2;
	s->not_before_ms = clock_mono_ms() + s->backoff_ms;
}

static int
send_control(struct sync *s, const struct buf *frame)
{
	return frame->err != 0 ? frame->err :
	    sock_send(s->control, NULL, frame->data, frame->len);
}

static struct head
enforced(struct sync *s)
{
	struct head h;

	pthread_mutex_lock(&s->lock);
	h = s->enforced;
	pthread_mutex_unlock(&s->lock);
	return h;
}

static void
send_hello(struct sync *s)
{
	struct hello h = { .proto_min = WIRE_PROTOCOL,
	    .proto_max = WIRE_PROTOCOL, .record_format = RECORD_FORMAT,
	    .engine = DECIDE_ENGINE };
	struct head now = enforced(s);
	struct buf frame;

	memcpy(h.boot_id, s->boot_id, sizeof(h.boot_id));
	h.version = now.version;
	memcpy(h.digest, now.digest, sizeof(h.digest));
	snprintf(h.build, sizeof(h.build), "%s", conf_version());
	buf_init(&frame, FRAME_MAX);
	frame_begin(&frame, FRAME_HELLO);
	hello_encode(&h, &frame);
	send_control(s, &frame);
	buf_fini(&frame);
}

static void
send_ack(struct sync *s)
{
	struct head now = enforced(s);
	struct ack a = { .accepted = s->ratchet, .enforced = now.version,
	    .proved = now.version != 0, .engine = DECIDE_ENGINE,
	    .nack = s->nack, .nack_version = s->nack_version };
	struct buf frame;

	memcpy(a.digest, now.digest, sizeof(a.digest));
	snprintf(a.detail, sizeof(a.detail), "%s",
	    s->nack == NACK_NONE ? "" : s->nack_detail);
	a.decisions = metrics_decisions(s->conf.metrics);
	a.refusals = metrics_refusals(s->conf.metrics);
	a.spool_n = spool_events(s->conf.spool);
	a.events_lost = spool_lost(s->conf.spool);
	buf_init(&frame, FRAME_MAX);
	frame_begin(&frame, FRAME_ACK);
	ack_encode(&a, &frame);
	send_control(s, &frame);
	buf_fini(&frame);
}

static void
ask_manifest(struct sync *s)
{
	struct buf frame;

	buf_init(&frame, FRAME_MAX);
	frame_begin(&frame, FRAME_MANIFEST_REQ);
	buf_put(&frame, fetch_head(s->fetch)->manifest_id, HASH_LEN);
	send_control(s, &frame);
	buf_fini(&frame);
	s->progress_ms = clock_mono_ms();
}

/* Keep up to FRAME_CREDIT chunks on the way. */
static void
ask_chunks(struct sync *s)
{
	struct chunk_req r;

	while (s->in_flight < FRAME_CREDIT &&
	    fetch_next(s->fetch, FRAME_CREDIT - s->in_flight, &r)) {
		struct buf frame;
		int rc;

		buf_init(&frame, FRAME_MAX);
		frame_begin(&frame, FRAME_CHUNK_REQ);
		chunk_req_encode(&r, &frame);
		rc = send_control(s, &frame);
		buf_fini(&frame);
		if (rc < 0)
			return;		/* asked again after STALL_MS */
		s->in_flight += r.n;
	}
}

static void *
build(void *arg)
{
	struct sync *s = arg;

	s->build_rc = fetch_build(s->fetch, &s->build_result, &s->build_why);
	s->built = true;
	sync_wake(s);
	return NULL;
}

static void
start_build(struct sync *s)
{
	if (s->building || !fetch_is_complete(s->fetch))
		return;
	s->built = false;
	if (pthread_create(&s->builder, NULL, build, s) != 0) {
		give_up(s, ERR_IO, "cannot start a thread");
		return;
	}
	s->building = true;
}

static void
end_build(struct sync *s)
{
	struct head h = *fetch_head(s->fetch);

	pthread_join(s->builder, NULL);
	s->building = false;
	if (s->build_rc < 0) {
		give_up(s, s->build_rc, s->build_why.text);
		return;
	}
	fetch_free(&s->fetch);
	if (h.version > s->ratchet)
		s->ratchet = h.version;
	s->backoff_ms = s->not_before_ms = 0;
	s->nack = NACK_NONE;
	log_info("sync.taken", F_U("version", h.version),
	    F_U("records", h.count));
	s->conf.on_ruleset(s->conf.arg, s->build_result);
	s->build_result = NULL;
}

void
sync_enforced(struct sync *s, const struct head *h)
{
	pthread_mutex_lock(&s->lock);
	s->enforced = *h;
	s->ack_now = true;
	pthread_mutex_unlock(&s->lock);
	sync_wake(s);
}

/* Is h one to go for?  Refuses what must never be taken. */
static bool
is_wanted(struct sync *s, const struct head *h)
{
	struct head now = enforced(s);
	char detail[120];

	if (h->version < s->ratchet) {
		snprintf(detail, sizeof(detail), "version %llu was accepted "
		    "before", (unsigned long long)s->ratchet);
		refuse(s, h->version, NACK_ROLLBACK, detail);
		return false;
	}
	if (h->version == now.version) {
		if (memcmp(h->digest, now.digest, DIGEST_LEN) != 0)
			refuse(s, h->version, NACK_ROLLBACK,
			    "the same version with another content");
		else if (s->nack != NACK_NONE &&
		    s->nack_version != h->version)
			s->nack = NACK_NONE;
		return false;
	}
	if (h->record_format != RECORD_FORMAT) {
		refuse(s, h->version, NACK_FORMAT, "another record format");
		return false;
	}
	if (h->engine != DECIDE_ENGINE) {
		refuse(s, h->version, NACK_ENGINE, "another engine");
		return false;
	}
	return h->version > now.version;
}

static void
begin_fetch(struct sync *s, const struct head *h, struct bytes frame)
{
	struct diag why;
	int rc;

	if (s->building || clock_mono_ms() < s->not_before_ms ||
	    (s->fetch != NULL && memcmp(fetch_head(s->fetch)->manifest_id,
	    h->manifest_id, HASH_LEN) == 0))
		return;
	fetch_free(&s->fetch);
	rc = fetch_new(&s->fetch, s->conf.dir, s->conf.id, h, frame, &why);
	if (rc < 0) {
		refuse(s, h->version, nack_of(rc), why.text);
		return;
	}
	s->in_flight = 0;
	log_debug("sync.head", F_U("version", h->version));
	ask_manifest(s);
}

static void
on_head(struct sync *s, struct bytes frame)
{
	struct bytes payload;
	struct diag why;
	struct head h;
	int rc;

	rc = frame_open(frame.p, frame.n, FRAME_HEAD, s->cert.key, &payload,
	    &why);
	if (rc == 0)
		rc = head_decode(&h, payload, &why);
	if (rc == 0 && (h.issued_us > s->cert.not_after_us ||
	    clock_wall_us() > s->cert.not_after_us))
		rc = diag_set(&why, ERR_AUTH, "the publisher's certificate "
		    "has ended");
	if (rc < 0) {
		refuse(s, 0, nack_of(rc), why.text);
		return;
	}
	s->head_ms = clock_mono_ms();
	s->conf.metrics->head_version = h.version;
	if (is_wanted(s, &h))
		begin_fetch(s, &h, frame);
}

/* A certificate replaces ours when root signed it and its serial is no
 * lower. */
static void
on_cert(struct sync *s, struct bytes frame)
{
	struct node_identity *id = s->conf.id;
	struct publisher_cert c;
	struct diag why;
	int rc;

	if (frame.n > sizeof(id->cert) || (frame.n == id->cert_len &&
	    memcmp(frame.p, id->cert, frame.n) == 0))
		return;
	rc = cert_open(id->root, frame.p, frame.n, clock_wall_us(), &c, &why);
	if (rc == 0 && c.serial < s->cert.serial)
		rc = diag_set(&why, ERR_AUTH, "an older certificate");
	if (rc < 0) {
		refuse(s, 0, NACK_SIGNATURE, why.text);
		return;
	}
	memcpy(id->cert, frame.p, frame.n);
	id->cert_len = frame.n;
	s->cert = c;
	if ((rc = identity_save(id, s->conf.dir, &why)) < 0)
		log_error("identity.unsaved", F_S("reason", why.text));
	log_info("sync.certificate", F_U("serial", c.serial));
}

static void
on_manifest(struct sync *s, struct bytes frame)
{
	struct diag why;
	int rc;

	if (s->fetch == NULL || s->building || fetch_has_manifest(s->fetch))
		return;
	if ((rc = fetch_manifest(s->fetch, frame, &why)) < 0) {
		give_up(s, rc, why.text);
		return;
	}
	s->progress_ms = clock_mono_ms();
	ask_chunks(s);
	start_build(s);
}

static void
on_chunk(struct sync *s, struct bytes payload)
{
	struct diag why;
	int rc;

	if (s->fetch == NULL || s->building || !fetch_has_manifest(s->fetch))
		return;
	rc = fetch_chunk(s->fetch, payload, &why);
	if (rc < 0 && rc != ERR_EXISTS) {
		give_up(s, rc, why.text);
		return;
	}
	s->progress_ms = clock_mono_ms();
	if (s->in_flight > 0)
		s->in_flight--;
	ask_chunks(s);
	start_build(s);
}

static void
on_control(struct sync *s, const struct buf *data)
{
	struct bytes frame = bytes_of(data->data, data->len), payload;

	switch (frame_type(frame.p, frame.n)) {
	case FRAME_CERT:
		on_cert(s, frame);
		break;
	case FRAME_HEAD:
		on_head(s, frame);
		break;
	case FRAME_MANIFEST:
		on_manifest(s, frame);
		break;
	case FRAME_CHUNK:
		if (frame_payload(frame.p, frame.n, FRAME_CHUNK,
		    &payload) == 0)
			on_chunk(s, payload);
		break;
	default:
		log_debug("sync.frame", F_S("reason", "unknown type"));
	}
}

static void
receive(struct sync *s, struct sock_msg *m)
{
	int i;

	/* Bounded, so that a flood does not keep acknowledgements back. */
	for (i = 0; i < 64 && sock_recv(s->control, m) == 0; i++)
		on_control(s, &m->data);
	for (i = 0; i < 64 && sock_recv(s->events, m) == 0; i++)
		uplink_on_frame(s->uplink, m->data.data, m->data.len);
}

static void
watch_staleness(struct sync *s, uint64_t now)
{
	bool stale = now - s->head_ms > SYNC_STALE_MS;

	if (stale && s->conf.metrics->stale == 0)
		log_warning("sync.stale", F_U("version", enforced(s).version),
		    F_S("reason", "the controller is not heard; the last "
		    "policy stays in force"));
	if (!stale && s->conf.metrics->stale != 0)
		log_info("sync.heard", F_U("head", s->conf.metrics->head_version));
	s->conf.metrics->stale = stale;
}

/* What is due by the clock. */
static void
tick(struct sync *s, uint64_t now)
{
	bool ack_now;

	if (now - s->head_ms > HELLO_MS && now - s->hello_ms > HELLO_MS) {
		s->hello_ms = now;
		send_hello(s);
	}
	pthread_mutex_lock(&s->lock);
	ack_now = s->ack_now;
	s->ack_now = false;
	pthread_mutex_unlock(&s->lock);
	if (ack_now || now - s->ack_ms >= ACK_MS) {
		s->ack_ms = now;
		send_ack(s);
	}
	if (s->fetch != NULL && !s->building &&
	    now - s->progress_ms > STALL_MS) {
		s->progress_ms = now;
		s->in_flight = 0;
		fetch_ask_again(s->fetch);
		if (fetch_has_manifest(s->fetch))
			ask_chunks(s);
		else
			ask_manifest(s);
	}
	watch_staleness(s, now);
}

static int
connect_both(struct sync *s, struct diag *why)
{
	const struct node_identity *id = s->conf.id;
	struct sock_conf c = { .endpoint = id->control, .secret = id->secret,
	    .server = id->server_key, .max_msg = FRAME_MAX, .hwm = HWM };
	int rc;

	s->ctx = sock_ctx_new();
	if ((rc = sock_connect(&s->control, s->ctx, &c, why)) < 0)
		return rc;
	c.endpoint = id->events;
	c.max_msg = FRAME_EVENTS_MAX;
	return sock_connect(&s->events, s->ctx, &c, why);
}

static void
serve(struct sync *s)
{
	struct sock_poll p[3] = { { .sock = s->control },
	    { .sock = s->events }, { .fd = s->wake_fd } };
	struct sock_msg m;
	uint64_t n;

	buf_init(&m.data, 0);
	s->head_ms = clock_mono_ms();
	send_hello(s);
	s->hello_ms = s->head_ms;
	while (!s->stop) {
		sock_poll(p, 3, TICK_MS);
		if (p[2].ready && read(s->wake_fd, &n, sizeof(n)) < 0)
			log_debug("sync.wake", F_S("reason", "no event"));
		receive(s, &m);
		if (s->building && s->built)
			end_build(s);
		uplink_step(s->uplink, s->events, clock_mono_ms());
		tick(s, clock_mono_ms());
	}
	buf_fini(&m.data);
}

/* A socket belongs to the thread that made it: made and closed here. */
static void *
run(void *arg)
{
	struct sync *s = arg;

	s->start_rc = connect_both(s, &s->start_why);
	sem_post(&s->started);
	if (s->start_rc == 0)
		serve(s);
	sock_close(&s->control);
	sock_close(&s->events);
	return NULL;
}

void
sync_wake(struct sync *s)
{
	uint64_t one = 1;

	if (write(s->wake_fd, &one, sizeof(one)) < 0)
		log_debug("sync.wake", F_S("reason", "full"));
}

static void
free_all(struct sync *s)
{
	sem_destroy(&s->started);
	if (s->ctx != NULL)
		sock_ctx_free(&s->ctx);
	uplink_free(&s->uplink);
	fetch_free(&s->fetch);
	ruleset_close(&s->build_result);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int
sync_start(struct sync **out, const struct sync_conf *conf, struct diag *why)
{
	struct sync *s = xcalloc(1, sizeof(*s));
	int rc;

	s->conf = *conf;
	s->ratchet = conf->ratchet;
	if (conf->enforced != NULL)
		s->enforced = *conf->enforced;
	pthread_mutex_init(&s->lock, NULL);
	randombytes_buf(s->boot_id, sizeof(s->boot_id));
	s->uplink = uplink_new(conf->spool);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = s->wake_fd < 0 ? diag_set(why, ERR_IO, "no eventfd") :
	    cert_open(conf->id->root, conf->id->cert, conf->id->cert_len,
	    INT64_MIN, &s->cert, why);
	sem_init(&s->started, 0, 0);
	if (rc == 0 && pthread_create(&s->thread, NULL, run, s) != 0)
		rc = diag_set(why, ERR_IO, "cannot start the sync thread");
	else if (rc == 0) {
		while (sem_wait(&s->started) < 0)
			;
		if ((rc = s->start_rc) < 0) {
			pthread_join(s->thread, NULL);
			*why = s->start_why;
		}
	}
	if (rc < 0) {
		free_all(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
sync_stop(struct sync **sp)
{
	struct sync *s = *sp;

	if (s == NULL)
		return;
	s->stop = true;
	sync_wake(s);
	pthread_join(s->thread, NULL);
	if (s->building)
		pthread_join(s->builder, NULL);
	free_all(s);
	*sp = NULL;
}
