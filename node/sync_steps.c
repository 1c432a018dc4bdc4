/*
 * sync_steps.c - what the sync thread hears and says: heads, certificates,
 * hello, acknowledgements and refusals.
 */
#include "node/sync_impl.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/conf.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/wire/frame.h"

enum nack
sync_nack_of(int err)
{
	switch (err) {
	case ERR_AUTH:
		return NACK_SIGNATURE;
	case ERR_TIMEOUT:
		return NACK_EXPIRED;
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

void
sync_refuse(struct sync *s, uint64_t version, enum nack nack,
    const char *detail)
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

void
sync_back_off(struct sync *s)
{
	s->backoff_ms = s->backoff_ms == 0 ? BACKOFF_MIN_MS :
	    s->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS :
	    s->backoff_ms * 2;
	s->not_before_ms = clock_mono_ms() + s->backoff_ms;
}

int
sync_send(struct sync *s, const struct buf *frame)
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
sync_show_audit(struct sync *s)
{
	s->conf.metrics->audit_seq = s->audit.seen.seq;
	s->conf.metrics->audit_behind = s->audit.state == AUDIT_BEHIND;
	s->conf.metrics->audit_forked = s->audit.state == AUDIT_FORKED;
}

void
sync_send_hello(struct sync *s)
{
	struct hello h = { .proto_min = WIRE_PROTOCOL,
	    .proto_max = WIRE_PROTOCOL, .record_format_min = RECORD_FORMAT,
	    .record_format = RECORD_FORMAT, .engine_min = DECIDE_ENGINE,
	    .engine = DECIDE_ENGINE };
	struct head now = sync_head_enforced(s);
	struct buf frame;

	memcpy(h.boot_id, s->boot_id, sizeof(h.boot_id));
	h.version = now.version;
	h.audit = s->audit.seen;
	memcpy(h.digest, now.digest, sizeof(h.digest));
	snprintf(h.build, sizeof(h.build), "%s", conf_version());
	buf_init(&frame, FRAME_MAX);
	frame_begin(&frame, FRAME_HELLO);
	hello_encode(&h, &frame);
	sync_send(s, &frame);
	buf_fini(&frame);
}

void
sync_send_ack(struct sync *s)
{
	struct head now = sync_head_enforced(s);
	struct ack a = { .accepted = s->ratchet, .enforced = now.version,
	    .proved = s->newest != NULL && ruleset_is_proved(s->newest) &&
		ruleset_head(s->newest)->version == now.version,
	    .state = sentry_is_held(s->conf.sentry, NULL, NULL) ? ACK_HELD :
		s->repairing ? ACK_REPAIRING :
		s->conf.metrics->stale != 0 ? ACK_STALE : ACK_CURRENT,
	    .repairs = s->conf.metrics->repairs,
	    .enforced_us = s->enforced_us, .engine = DECIDE_ENGINE,
	    .nack = s->nack, .nack_version = s->nack_version,
	    .serial = s->cert.serial, .audit = s->audit.seen,
	    .audit_state = s->audit.state };
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
	sync_send(s, &frame);
	buf_fini(&frame);
}

void
sync_enforced(struct sync *s, const struct head *h)
{
	pthread_mutex_lock(&s->lock);
	if (h->version != s->enforced.version)
		s->enforced_us = clock_wall_us();
	s->enforced = *h;
	s->ack_now = true;
	pthread_mutex_unlock(&s->lock);
	sync_wake(s);
}

/* May h be gone for?  Refuses what must never be taken. */
static bool
is_acceptable(struct sync *s, const struct head *h)
{
	struct head now = sync_head_enforced(s);
	char detail[120];

	if (h->version < s->ratchet) {
		snprintf(detail, sizeof(detail), "version %llu was accepted "
		    "before", (unsigned long long)s->ratchet);
		sync_refuse(s, h->version, NACK_ROLLBACK, detail);
	} else if (h->version == now.version && memcmp(h->digest, now.digest,
	    DIGEST_LEN) != 0)
		sync_refuse(s, h->version, NACK_ROLLBACK,
		    "the same version with another content");
	else if (h->record_format != RECORD_FORMAT)
		sync_refuse(s, h->version, NACK_FORMAT,
		    "another record format");
	else if (h->engine != DECIDE_ENGINE)
		sync_refuse(s, h->version, NACK_ENGINE, "another engine");
	else
		return true;
	return false;
}

bool
sync_is_held(struct sync *s)
{
	uint64_t bad;
	char detail[120];

	if (!sentry_is_held(s->conf.sentry, NULL, &bad))
		return false;
	snprintf(detail, sizeof(detail), "the node crashed %d times under or "
	    "after version %llu", SENTRY_CRASHES, (unsigned long long)bad);
	sync_refuse(s, s->conf.metrics->head_version, NACK_CRASH, detail);
	return true;
}

/* Was h made now?  One said again, by who cannot sign, is not: it is newer
 * than none before.  Nor is it of this time, which is what counts for one by a
 * clock that was set back. */
static bool
is_fresh(struct sync *s, const struct head *h)
{
	int64_t apart = h->issued_us - clock_wall_us();
	bool newer = h->issued_us > s->issued_us;

	if (newer)
		s->issued_us = h->issued_us;
	return newer || (apart < 0 ? -apart : apart) <
	    (int64_t)s->conf.stale_ms * 1000;
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
		rc = diag_set(&why, ERR_TIMEOUT, "the publisher's certificate "
		    "has ended");
	if (rc < 0) {
		sync_refuse(s, 0, sync_nack_of(rc), why.text);
		return;
	}
	if (is_fresh(s, &h))
		s->head_ms = clock_mono_ms();
	s->conf.metrics->head_version = h.version;
	audit_watch_heard(&s->audit, &h.audit, h.issued_us, clock_wall_us());
	sync_show_audit(s);
	if (!is_acceptable(s, &h))
		return;
	if (sentry_heard(s->conf.sentry, h.version))
		log_info("sync.released", F_U("head", h.version));
	if (sync_is_held(s))
		return;
	if (h.version == sync_head_enforced(s).version &&
	    s->nack_version != h.version)
		s->nack = NACK_NONE;
	s->target = h;
	buf_reset(&s->target_frame);
	buf_put(&s->target_frame, frame.p, frame.n);
	sync_go(s);
}

/* Signed by root, not ended, and above ours. */
static int
check_cert(const struct sync *s, struct bytes frame, struct publisher_cert *c,
    struct diag *why)
{
	int rc;

	if (frame.n > sizeof(s->conf.id->cert))
		return diag_set(why, ERR_CORRUPT, "publisher's certificate: "
		    "too long");
	rc = cert_open(s->conf.id->root, frame.p, frame.n, clock_wall_us(), c,
	    why);
	if (rc == 0 && (c->serial <= s->cert.serial ||
	    c->min_serial < s->cert.min_serial))
		rc = diag_set(why, ERR_AUTH, "publisher's certificate: serial "
		    "%llu is not above %llu", (unsigned long long)c->serial,
		    (unsigned long long)s->cert.serial);
	return rc;
}

/* On disk before it counts: who was revoked stays so. */
static int
save_cert(struct sync *s, struct bytes frame, struct diag *why)
{
	struct node_identity *next = identity_new();
	int rc;

	*next = *s->conf.id;
	memcpy(next->cert, frame.p, frame.n);
	next->cert_len = frame.n;
	if ((rc = identity_save(next, s->conf.dir, why)) == 0) {
		memcpy(s->conf.id->cert, frame.p, frame.n);
		s->conf.id->cert_len = frame.n;
	}
	identity_free(&next);
	return rc;
}

/* A certificate replaces ours.  What is on its way under a revoked one is
 * dropped; the next head says where to go. */
static void
on_cert(struct sync *s, struct bytes frame)
{
	const struct node_identity *id = s->conf.id;
	struct publisher_cert c;
	struct diag why;
	bool revoked;
	int rc;

	if (frame.n == id->cert_len && memcmp(frame.p, id->cert,
	    frame.n) == 0)
		return;
	if ((rc = check_cert(s, frame, &c, &why)) < 0 ||
	    (rc = save_cert(s, frame, &why)) < 0) {
		sync_refuse(s, 0, sync_nack_of(rc), why.text);
		return;
	}
	revoked = c.min_serial > s->cert.serial;
	s->cert = c;
	s->target.version = s->asked_from = 0;
	s->ack_ms = 0;
	if (s->nack_version == 0)
		s->nack = NACK_NONE;
	if (revoked && !s->building)
		fetch_free(&s->fetch);
	log_info("sync.certificate", F_U("serial", c.serial),
	    F_S("before", revoked ? "revoked" : "replaced"));
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
		sync_on_manifest(s, frame);
		break;
	case FRAME_DELTA:
		sync_on_delta(s, frame);
		break;
	case FRAME_DELTA_GONE:
		if (frame_payload(frame.p, frame.n, FRAME_DELTA_GONE,
		    &payload) == 0)
			sync_on_delta_gone(s, payload);
		break;
	case FRAME_CHUNK:
		if (frame_payload(frame.p, frame.n, FRAME_CHUNK,
		    &payload) == 0)
			sync_on_chunk(s, payload);
		break;
	default:
		log_debug("sync.frame", F_S("reason", "unknown type"));
	}
}
