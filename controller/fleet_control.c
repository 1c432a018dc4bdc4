/*
 * fleet_control.c - the control socket: heads and deltas to nodes, manifests
 * and chunks when they are asked for, what nodes say of themselves.
 *
 * A delta is sent unasked to a node that stands where it begins.  A node's
 * place is what its last ACK told, or the last delta sent to it, whichever
 * came later: an ACK that crossed with a delta does not put it back.
 */
#include "controller/fleet_impl.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"

#define BEAT_MS 1000
#define DELTAS_MAX 64		/* in answer to one request */
#define CROSSED_MS 2000		/* an ACK and a delta may cross so long */

void
fleet_send(struct fleet *f, enum fleet_socket which, const uint8_t *peer)
{
	if (f->out.err == 0)
		sock_send(f->sock[which], peer, f->out.data, f->out.len);
}

void
fleet_refuse(struct fleet *f, enum fleet_socket which, const uint8_t *peer,
    const char *text)
{
	buf_reset(&f->out);
	frame_begin(&f->out, FRAME_REFUSED);
	buf_puts(&f->out, text);
	fleet_send(f, which, peer);
}

/* --- certificates --- */

static void
send_cert(struct fleet *f, const uint8_t *peer)
{
	struct bytes cert = signer_cert(f->signer);

	buf_reset(&f->out);
	buf_put(&f->out, cert.p, cert.n);
	fleet_send(f, FLEET_CONTROL, peer);
}

/* Deltas that wait were signed under the one before: nodes ask for them. */
static bool
take_signer(struct fleet *f)
{
	struct publication *old = NULL;
	struct advance *a;

	pthread_mutex_lock(&f->mu);
	if (f->next_signer == NULL) {
		pthread_mutex_unlock(&f->mu);
		return false;
	}
	signer_unref(&f->signer);
	f->signer = f->next_signer;
	f->next_signer = NULL;
	for (a = f->first; a != NULL; a = a->next)
		buf_reset(&a->delta);
	if (f->next_now != NULL) {
		old = f->retired;
		f->retired = f->now;
		f->now = f->next_now;
		f->next_now = NULL;
	}
	pthread_mutex_unlock(&f->mu);
	publication_free(&old);
	buf_reset(&f->delta);
	return true;
}

void
fleet_take_signer(struct fleet *f)
{
	size_t i;

	if (!take_signer(f))
		return;
	pthread_mutex_lock(&f->mu);
	for (i = 0; i < f->n; i++)
		if (!f->node[i].revoked)
			send_cert(f, f->node[i].peer);
	pthread_mutex_unlock(&f->mu);
	log_info("fleet.certificate", F_U("serial",
	    signer_about(f->signer)->serial));
}

/* It may have missed ours; a newer one tells that this folder was put
 * back. */
static void
note_serial(struct fleet *f, const struct sock_msg *m, const char *id,
    uint64_t serial)
{
	uint64_t ours = signer_about(f->signer)->serial;
	bool higher;

	pthread_mutex_lock(&f->mu);
	higher = serial > f->highest_serial;
	if (higher)
		f->highest_serial = serial;
	pthread_mutex_unlock(&f->mu);
	if (serial < ours)
		send_cert(f, m->peer);
	else if (higher && serial > ours)
		log_error("node.certificate_ahead", F_S("node", id),
		    F_U("serial", serial), F_U("ours", ours),
		    F_S("reason", "it refuses what is signed here: run "
		    "\"postern key rotate\""));
}

/* --- heads --- */

/* Put the head into f->beat; false when there is none yet. */
static bool
make_beat(struct fleet *f)
{
	struct head h;

	buf_reset(&f->beat);
	pthread_mutex_lock(&f->mu);
	h = f->head;
	if (f->now == NULL)
		h.version = 0;
	else
		memcpy(h.manifest_id, publication_id(f->now), HASH_LEN);
	pthread_mutex_unlock(&f->mu);
	store_audit_mark(f->conf.store, &h.audit);
	return h.version != 0 && publish_beat(&h, signer_key(f->signer),
	    clock_wall_us(), &f->beat) == 0;
}

static void
send_beat(struct fleet *f, const uint8_t *peer)
{
	if (make_beat(f))
		sock_send(f->sock[FLEET_CONTROL], peer, f->beat.data,
		    f->beat.len);
}

/* A socket without that peer says so and no more. */
void
fleet_beat(struct fleet *f)
{
	size_t i;

	f->beat_ms = clock_mono_ms() + BEAT_MS;
	fleet_take_signer(f);
	fleet_save_reads(f);
	if (!make_beat(f))
		return;
	pthread_mutex_lock(&f->mu);
	for (i = 0; i < f->n; i++)
		if (!f->node[i].revoked)
			sock_send(f->sock[FLEET_CONTROL], f->node[i].peer,
			    f->beat.data, f->beat.len);
	pthread_mutex_unlock(&f->mu);
}

/* --- deltas --- */

static int
send_delta(struct fleet *f, struct node *n, const struct buf *frame,
    uint64_t to, const uint8_t to_digest[DIGEST_LEN])
{
	int rc = sock_send(f->sock[FLEET_CONTROL], n->peer, frame->data,
	    frame->len);

	if (rc < 0)
		return rc;
	n->at = to;
	memcpy(n->at_digest, to_digest, DIGEST_LEN);
	n->sent_ms = clock_mono_ms();
	n->info.deltas++;
	n->info.delta_bytes += frame->len;
	return 0;
}

/* The head moves; who stands at the one before gets the delta. */
static void
tell_one(struct fleet *f, const struct advance *a)
{
	size_t i;

	pthread_mutex_lock(&f->mu);
	for (i = 0; i < f->n && a->delta.len > 0; i++) {
		struct node *n = &f->node[i];

		if (!n->revoked && n->at == f->head.version && n->at != 0 &&
		    memcmp(n->at_digest, f->head.digest, DIGEST_LEN) == 0)
			send_delta(f, n, &a->delta, a->head.version,
			    a->head.digest);
	}
	f->head = a->head;
	f->told[f->told_n++ % TOLD_N] = (struct told){ a->head.version,
	    clock_wall_us() };
	pthread_mutex_unlock(&f->mu);
}

void
fleet_tell(struct fleet *f)
{
	struct advance *a, *next;

	fleet_take_signer(f);
	pthread_mutex_lock(&f->mu);
	a = f->first;
	f->first = NULL;
	f->last = &f->first;
	pthread_mutex_unlock(&f->mu);
	for (; a != NULL; a = next) {
		next = a->next;
		tell_one(f, a);
		buf_fini(&a->delta);
		free(a);
	}
	fleet_beat(f);
}

/* The delta that follows from, towards the head, into f->delta: many nodes
 * ask for the same one. */
static int
make_delta(struct fleet *f, const struct delta_req *from, uint64_t to)
{
	struct delta d;
	int rc;

	if (f->delta.len > 0 && f->cached.version == from->version &&
	    memcmp(f->cached.digest, from->digest, DIGEST_LEN) == 0 &&
	    f->cached_to.version == to)
		return 0;
	buf_reset(&f->delta);
	if ((rc = store_delta(f->conf.store, from->version, from->digest, to,
	    &d, NULL)) < 0)
		return rc;
	d.engine = DECIDE_ENGINE;
	d.issued_us = clock_wall_us();
	rc = delta_sign(&d, signer_key(f->signer), &f->delta);
	f->cached = *from;
	f->cached_to.version = d.to_version;
	memcpy(f->cached_to.digest, d.to_digest, DIGEST_LEN);
	delta_fini(&d);
	if (rc < 0)
		buf_reset(&f->delta);
	return rc;
}

static void
send_gone(struct fleet *f, const uint8_t *peer, const struct delta_req *r)
{
	buf_reset(&f->out);
	frame_begin(&f->out, FRAME_DELTA_GONE);
	delta_req_encode(r, &f->out);
	fleet_send(f, FLEET_CONTROL, peer);
}

/* All deltas from there to the head, as many as fit the node's queue. */
static void
on_delta_req(struct fleet *f, const struct sock_msg *m, struct bytes in)
{
	struct delta_req at, asked;
	struct head h;
	struct node *n;
	int i, rc = 0;

	if (delta_req_decode(&asked, in, NULL) < 0)
		return;
	at = asked;
	if (!fleet_head(f, &h) || (at.version == h.version &&
	    memcmp(at.digest, h.digest, DIGEST_LEN) == 0))
		return;
	for (i = 0; i < DELTAS_MAX && at.version < h.version && rc == 0;
	    i++) {
		if ((rc = make_delta(f, &at, h.version)) < 0)
			break;
		at = f->cached_to;
		pthread_mutex_lock(&f->mu);
		n = fleet_by_key(f, m->key);
		rc = n == NULL ? ERR_NOENT : send_delta(f, n, &f->delta,
		    at.version, at.digest);
		pthread_mutex_unlock(&f->mu);
	}
	if (i == 0)
		send_gone(f, m->peer, &asked);
	else if (rc == ERR_NOENT)
		send_gone(f, m->peer, &at);	/* it leads no farther */
}

/* --- whole versions --- */

/* The publication with this manifest, or NULL; under mu. */
static const struct publication *
find_publication(const struct fleet *f, const uint8_t id[HASH_LEN])
{
	const struct publication *const all[] = { f->now, f->before,
	    f->retired };
	size_t i;

	for (i = 0; i < 3; i++)
		if (all[i] != NULL && memcmp(publication_id(all[i]), id,
		    HASH_LEN) == 0)
			return all[i];
	return NULL;
}

static void
want_whole(struct fleet *f, bool damaged)
{
	if (f->conf.on_whole != NULL)
		f->conf.on_whole(f->conf.arg, damaged);
}

static void
on_manifest_req(struct fleet *f, const struct sock_msg *m, struct bytes in)
{
	static const uint8_t newest[HASH_LEN];
	const uint8_t *id = bytes_take(&in, HASH_LEN);
	const struct publication *p;
	bool old = false;

	if (id == NULL || in.n != 0)
		return;
	buf_reset(&f->out);
	pthread_mutex_lock(&f->mu);
	p = memcmp(id, newest, HASH_LEN) == 0 ? f->now :
	    find_publication(f, id);
	if (p != NULL) {
		struct bytes frame = publication_manifest(p);

		buf_put(&f->out, frame.p, frame.n);
		old = publication_about(p)->version < f->head.version;
	}
	pthread_mutex_unlock(&f->mu);
	if (old && memcmp(id, newest, HASH_LEN) == 0) {
		/* it asks again; the head will name the new one */
		want_whole(f, false);
		return;
	}
	if (p != NULL)
		fleet_send(f, FLEET_CONTROL, m->peer);
	else
		send_beat(f, m->peer);	/* it asks for what is no more */
}

static void
on_chunk_req(struct fleet *f, const struct sock_msg *m, struct bytes in)
{
	const struct publication *p = NULL;
	struct sock_blob *frame;
	struct chunk_req r;
	struct node *n;
	uint32_t i;
	int rc = 0;

	if (chunk_req_decode(&r, in, NULL) < 0)
		return;
	for (i = 0; i < r.n && rc == 0; i++) {
		pthread_mutex_lock(&f->mu);
		p = find_publication(f, r.manifest_id);
		rc = p == NULL ? ERR_NOENT :
		    chunk_cache_get(f->chunks, p, r.manifest_id,
		    r.first + i, &frame);
		if (rc == 0)
			rc = sock_send_blob(f->sock[FLEET_CONTROL], m->peer,
			    frame);
		if (rc == 0 && (n = fleet_by_key(f, m->key)) != NULL) {
			n->info.chunks++;
			n->info.chunk_bytes += sock_blob_len(frame);
		}
		pthread_mutex_unlock(&f->mu);
	}
	if (p == NULL)
		send_beat(f, m->peer);
	if (rc == ERR_CORRUPT || rc == ERR_IO)
		want_whole(f, true);
}

/* --- what nodes say --- */

/* Versions known elsewhere but not here: this store was put back. */
static void
note_version(struct fleet *f, const struct node *n, uint64_t version)
{
	if (version <= f->highest)
		return;
	f->highest = version;
	if (f->head.version != 0 && version > f->head.version)
		log_error("node.ahead", F_S("node", n->info.id),
		    F_U("version", version), F_U("ours", f->head.version),
		    F_S("reason", "it took a version that this store does "
		    "not have: if the store was restored, run \"postern "
		    "adopt\""));
}

static void
on_hello(struct fleet *f, const struct sock_msg *m, struct bytes in)
{
	struct hello h;
	struct node *n;

	if (hello_decode(&h, in, NULL) < 0)
		return;
	pthread_mutex_lock(&f->mu);
	if ((n = fleet_by_key(f, m->key)) != NULL) {
		fleet_note_reads(f, n, &h);
		memcpy(n->info.build, h.build, sizeof(n->info.build));
		n->at = h.version;
		memcpy(n->at_digest, h.digest, DIGEST_LEN);
		note_version(f, n, h.version);
		fleet_note_audit(f, n, &h.audit, n->audit_told, true);
	}
	pthread_mutex_unlock(&f->mu);
	if (h.proto_min > WIRE_PROTOCOL || h.proto_max < WIRE_PROTOCOL) {
		fleet_refuse(f, FLEET_CONTROL, m->peer, "this controller "
		    "speaks protocol 1 alone");
		return;
	}
	send_cert(f, m->peer);
	send_beat(f, m->peer);
}

/* A version that the node tells of for the first time. */
static void
note_enforced(struct fleet *f, struct node *n, uint64_t version)
{
	size_t i = f->told_n > TOLD_N ? f->told_n - TOLD_N : 0;

	n->info.enforced_us = clock_wall_us();
	n->info.lag_us = -1;
	for (; i < f->told_n; i++)
		if (f->told[i % TOLD_N].version == version)
			n->info.lag_us = n->info.enforced_us -
			    f->told[i % TOLD_N].us;
}

static void
on_ack(struct fleet *f, const struct sock_msg *m, struct bytes in)
{
	char id[sizeof(((struct node_info *)0)->id)] = "";
	struct node *n;
	struct ack a;

	if (ack_decode(&a, in, NULL) < 0)
		return;
	pthread_mutex_lock(&f->mu);
	if ((n = fleet_by_key(f, m->key)) != NULL) {
		if (a.enforced != 0 && (!n->info.acked ||
		    n->info.ack.enforced != a.enforced))
			note_enforced(f, n, a.enforced);
		n->info.ack = a;
		n->info.acked = true;
		if (a.enforced >= n->at ||
		    clock_mono_ms() - n->sent_ms > CROSSED_MS) {
			n->at = a.enforced;
			memcpy(n->at_digest, a.digest, DIGEST_LEN);
		}
		note_version(f, n, a.accepted);
		fleet_note_audit(f, n, &a.audit, a.audit_state, false);
		memcpy(id, n->info.id, sizeof(id));
	}
	pthread_mutex_unlock(&f->mu);
	if (a.serial != 0)
		note_serial(f, m, id, a.serial);
}

void
fleet_on_control(struct fleet *f, const struct sock_msg *m)
{
	uint8_t type = frame_type(m->data.data, m->data.len);
	struct bytes in;

	if (type == 0 || frame_payload(m->data.data, m->data.len, type,
	    &in) < 0)
		return;
	if (type == FRAME_HELLO)
		on_hello(f, m, in);
	else if (type == FRAME_MANIFEST_REQ)
		on_manifest_req(f, m, in);
	else if (type == FRAME_CHUNK_REQ)
		on_chunk_req(f, m, in);
	else if (type == FRAME_DELTA_REQ)
		on_delta_req(f, m, in);
	else if (type == FRAME_ACK)
		on_ack(f, m, in);
}
