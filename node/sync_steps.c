/*
 * sync_steps.c - taking a version step by step, frame by frame.
 *
 * A version is taken in steps: head, manifest, chunks, build.  At most one is
 * under way; a newer head replaces it unless it is being built, which a
 * thread of its own does, so that acknowledgements go on meanwhile.
 */
#include "node/sync_impl.h"

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

struct head
sync_head_enforced(struct sync *s)
{
	struct head h;

	pthread_mutex_lock(&s->lock);
	h = s->enforced;
	pthread_mutex_unlock(&s->lock);
	return h;
}

void
sync_send_hello(struct sync *s)
{
	struct hello h = { .proto_min = WIRE_PROTOCOL,
	    .proto_max = WIRE_PROTOCOL, .record_format = RECORD_FORMAT,
	    .engine = DECIDE_ENGINE };
	struct head now = sync_head_enforced(s);
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

void
sync_send_ack(struct sync *s)
{
	struct head now = sync_head_enforced(s);
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

void
sync_ask_manifest(struct sync *s)
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
void
sync_ask_chunks(struct sync *s)
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

void
sync_end_build(struct sync *s)
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
	struct head now = sync_head_enforced(s);
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
	sync_ask_manifest(s);
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
	sync_ask_chunks(s);
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
	sync_ask_chunks(s);
	start_build(s);
}

void
sync_on_control(struct sync *s, const struct buf *data)
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
