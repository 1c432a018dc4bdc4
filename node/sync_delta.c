/*
 * sync_delta.c - towards the controller's head: by deltas where they lead
 * there, else by manifest and chunks; and giving out what was taken.
 */
#include "node/sync_impl.h"

#include <stdio.h>
#include <string.h>

#include "node/ruleset_delta.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/wire/delta.h"
#include "proto/wire/frame.h"

static void
ask_deltas(struct sync *s)
{
	const struct head *h = ruleset_head(s->newest);
	struct delta_req r = { .version = h->version };
	struct buf frame;

	memcpy(r.digest, h->digest, sizeof(r.digest));
	buf_init(&frame, FRAME_MAX);
	frame_begin(&frame, FRAME_DELTA_REQ);
	delta_req_encode(&r, &frame);
	sync_send(s, &frame);
	buf_fini(&frame);
	s->asked_from = h->version;
	s->asked_ms = clock_mono_ms();
	s->asked_got = 0;
}

static bool
is_there(const struct sync *s)
{
	return s->newest != NULL &&
	    ruleset_head(s->newest)->version >= s->target.version;
}

void
sync_go(struct sync *s)
{
	if (s->target.version == 0 || s->building)
		return;
	if (s->fetch != NULL || s->repairing)
		sync_begin_fetch(s);
	else if (is_there(s)) {
		s->asked_from = 0;
		if (ruleset_is_worn(s->newest) && memcmp(
		    ruleset_manifest_id(s->newest), s->target.manifest_id,
		    HASH_LEN) != 0)
			sync_begin_fetch(s);
	} else if (s->newest == NULL || s->avoid_deltas)
		sync_begin_fetch(s);
	else if (s->asked_from == 0)
		ask_deltas(s);
}

/* What is held is just the manifest's version: fetching it again would change
 * nothing. */
static bool
has_manifest(const struct sync *s)
{
	return ruleset_is_fresh(s->newest) && memcmp(
	    ruleset_manifest_id(s->newest), s->target.manifest_id,
	    HASH_LEN) == 0;
}

/* Deltas do not lead on: manifest and chunks. */
static void
give_up_deltas(struct sync *s, const char *detail)
{
	s->asked_from = 0;
	if (s->fetch != NULL || s->building)
		return;
	if (has_manifest(s)) {
		sync_refuse(s, s->target.version, NACK_CHAIN, detail);
		sync_back_off(s);
		return;
	}
	s->avoid_deltas = true;
	log_info("sync.manifest", F_U("version", s->target.version),
	    F_S("reason", detail));
	sync_begin_fetch(s);
}

static void
find_damage(struct sync *s)
{
	if (s->newest == NULL || s->repairing ||
	    !ruleset_is_damaged(s->newest))
		return;
	s->repairing = true;
	s->conf.metrics->repairs++;
	s->ack_ms = 0;
	log_error("ruleset.damaged", F_S("set", ruleset_dir(s->newest)),
	    F_U("version", ruleset_head(s->newest)->version),
	    F_S("next", "fetched anew; what can be read is enforced"));
	sync_go(s);
}

void
sync_delta_tick(struct sync *s, uint64_t now)
{
	find_damage(s);
	if (s->newest != NULL && s->newest != s->published)
		sync_publish(s);
	if (s->asked_from == 0 || now - s->asked_ms <= sync_patience(s,
	    DELTA_WAIT_MS))
		return;
	if (s->asked_got > 0)
		ask_deltas(s);
	else if (has_manifest(s))
		s->asked_from = 0;	/* the next head asks again */
	else if (now >= s->not_before_ms)
		give_up_deltas(s, "no deltas came");
}

void
sync_on_delta_gone(struct sync *s, struct bytes payload)
{
	const struct head *h = s->newest == NULL ? NULL :
	    ruleset_head(s->newest);
	struct delta_req r;

	/* it names where they stop, which deltas of the same answer may have
	 * led to */
	if (delta_req_decode(&r, payload, NULL) == 0 && s->asked_from != 0 &&
	    h != NULL && r.version == h->version &&
	    memcmp(r.digest, h->digest, sizeof(r.digest)) == 0)
		give_up_deltas(s, "no deltas lead on from here");
}

/* A delta was no good: what it says in the next acknowledgement, and whether
 * the content may still be had as a whole. */
static void
on_refused(struct sync *s, int rc, const struct ruleset_refusal *why,
    const char *detail)
{
	if (rc == ERR_EXISTS)
		return;			/* it came twice */
	if (rc == ERR_AGAIN) {
		if (s->asked_from == 0)
			ask_deltas(s);
		return;
	}
	sync_refuse(s, why->version, why->nack, detail);
	if (why->nack != NACK_CHAIN && why->nack != NACK_DIGEST &&
	    why->nack != NACK_CORRUPT)
		return;
	s->avoid_deltas = true;
	s->asked_from = 0;
	sync_go(s);
}

void
sync_on_delta(struct sync *s, struct bytes frame)
{
	struct ruleset_signed d = { .frame = frame,
	    .cert = bytes_of(s->conf.id->cert, s->conf.id->cert_len),
	    .publisher = &s->cert, .now_us = clock_wall_us() };
	struct ruleset_refusal refusal;
	struct ruleset *next = NULL;
	struct diag why = { "" };
	int rc;

	if (s->newest == NULL)
		return;			/* it is asked for after the base */
	if (sync_is_held(s))
		return;
	sentry_enter(s->conf.sentry, SENTRY_APPLY,
	    ruleset_head(s->newest)->version);
	rc = ruleset_apply(s->newest, &d, &next, &refusal, &why);
	sentry_leave(s->conf.sentry, SENTRY_APPLY);
	if (rc < 0) {
		on_refused(s, rc, &refusal, why.text);
		return;
	}
	ruleset_unref(&s->newest);
	s->newest = next;
	s->conf.metrics->deltas++;
	s->asked_ms = clock_mono_ms();
	sync_publish(s);
	if (s->asked_from == 0)
		return;
	if (is_there(s))
		s->asked_from = 0;
	else if (++s->asked_got == FRAME_CREDIT)
		ask_deltas(s);
}

void
sync_publish(struct sync *s)
{
	const struct head *h = ruleset_head(s->newest);
	struct diag why;
	int rc;

	if (h->version < s->ratchet)
		return;			/* deltas lead on from here */
	if (h->version > s->ratchet) {
		rc = ratchet_save(s->conf.dir, h->version, &why);
		if (rc < 0) {
			sync_refuse(s, h->version, sync_nack_of(rc),
			    why.text);
			return;
		}
		s->ratchet = h->version;
	}
	s->backoff_ms = s->not_before_ms = 0;
	s->nack = NACK_NONE;
	s->published = s->newest;
	if (s->scrub != NULL)
		scrub_on_view(s->scrub, s->newest);
	s->conf.on_ruleset(s->conf.arg, ruleset_ref(s->newest));
}
