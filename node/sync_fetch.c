/*
 * sync_fetch.c - taking a base: manifest, chunks, build.
 *
 * At most one is under way; a head of another manifest replaces it unless it
 * is being built, which a thread of its own does, so that acknowledgements
 * and deltas go on meanwhile.
 */
#include "node/sync_impl.h"

#include <stdio.h>
#include <string.h>

#include "node/fetch.h"
#include "node/sets.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/thread.h"
#include "proto/wire/frame.h"

/* Give up the version under way, for a while. */
static void
give_up(struct sync *s, int err, const char *detail)
{
	uint64_t version = fetch_head(s->fetch)->version;

	sync_refuse(s, version, sync_nack_of(err), detail);
	fetch_free(&s->fetch);
	sync_back_off(s);
}

static void
ask_manifest(struct sync *s)
{
	struct buf frame;

	buf_init(&frame, FRAME_MAX);
	frame_begin(&frame, FRAME_MANIFEST_REQ);
	buf_put(&frame, fetch_head(s->fetch)->manifest_id, HASH_LEN);
	sync_send(s, &frame);
	buf_fini(&frame);
	s->progress_ms = clock_mono_ms();
	s->strayed = false;
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
		rc = sync_send(s, &frame);
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

	sentry_enter(s->conf.sentry, SENTRY_BUILD,
	    fetch_head(s->fetch)->version);
	s->build_rc = fetch_build(s->fetch, &s->build_result, &s->build_why);
	sentry_leave(s->conf.sentry, SENTRY_BUILD);
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
	if (thread_start(&s->builder, "build", BUILD_NICE, build, s) < 0) {
		give_up(s, ERR_IO, "cannot start a thread");
		return;
	}
	s->building = true;
}

/* It was built under a certificate that was revoked meanwhile. */
static int
discard(struct sync *s)
{
	char dir[SETS_PATH_LEN];

	snprintf(dir, sizeof(dir), "%s", ruleset_dir(s->build_result));
	ruleset_unref(&s->build_result);
	file_remove_tree(dir, NULL);
	return diag_set(&s->build_why, ERR_AUTH, "who signed it was revoked");
}

void
sync_end_build(struct sync *s)
{
	pthread_join(s->builder, NULL);
	s->building = false;
	if (s->build_rc == 0 && fetch_serial(s->fetch) < s->cert.min_serial)
		s->build_rc = discard(s);
	if (s->build_rc < 0) {
		give_up(s, s->build_rc, s->build_why.text);
		return;
	}
	fetch_free(&s->fetch);
	ruleset_unref(&s->newest);
	s->newest = s->build_result;
	s->build_result = NULL;
	s->avoid_deltas = s->repairing = false;
	s->asked_from = 0;
	log_info("sync.taken",
	    F_U("version", ruleset_head(s->newest)->version),
	    F_U("records", ruleset_head(s->newest)->count));
	sync_publish(s);
	sets_prune(s->conf.dir, ruleset_dir(s->newest),
	    sentry_good(s->conf.sentry), clock_wall_us());
	sync_go(s);
}

void
sync_begin_fetch(struct sync *s)
{
	const struct head *h = &s->target;
	struct diag why;
	int rc;

	if (h->version == 0 || s->building ||
	    clock_mono_ms() < s->not_before_ms || (s->fetch != NULL &&
	    memcmp(fetch_head(s->fetch)->manifest_id, h->manifest_id,
	    HASH_LEN) == 0))
		return;
	fetch_free(&s->fetch);
	rc = fetch_new(&s->fetch, s->conf.dir, s->conf.id, h,
	    bytes_of(s->target_frame.data, s->target_frame.len), &why);
	if (rc < 0) {
		sync_refuse(s, h->version, sync_nack_of(rc), why.text);
		return;
	}
	s->in_flight = 0;
	s->odd_chunk = false;
	log_debug("sync.fetch", F_U("version", h->version));
	ask_manifest(s);
}

/* Nothing came for long: ask again. */
void
sync_fetch_tick(struct sync *s, uint64_t now)
{
	if (s->fetch == NULL || s->building ||
	    now - s->progress_ms <= sync_patience(s, STALL_MS))
		return;
	s->progress_ms = now;
	s->in_flight = 0;
	fetch_ask_again(s->fetch);
	if (fetch_has_manifest(s->fetch))
		ask_chunks(s);
	else {
		if (s->strayed)
			sync_refuse(s, fetch_head(s->fetch)->version,
			    NACK_DIGEST, "other manifests come than the one "
			    "that the head names");
		ask_manifest(s);
	}
}

void
sync_on_manifest(struct sync *s, struct bytes frame)
{
	struct diag why;
	int rc;

	if (s->fetch == NULL || s->building || fetch_has_manifest(s->fetch))
		return;
	rc = fetch_manifest(s->fetch, frame, &why);
	if (rc == ERR_AGAIN)
		/* It answers a request of before the head moved, or of before
		 * this process; the answer to ours is behind it. */
		s->strayed = true;
	else if (rc == ERR_AUTH)
		/* Nor is it ours: that is waited for, and asked for again. */
		sync_refuse(s, fetch_head(s->fetch)->version, NACK_SIGNATURE,
		    why.text);
	else if (rc < 0)
		give_up(s, rc, why.text);
	if (rc < 0)
		return;
	s->progress_ms = clock_mono_ms();
	ask_chunks(s);
	start_build(s);
}

void
sync_on_chunk(struct sync *s, struct bytes payload)
{
	struct diag why;
	int rc;

	if (s->fetch == NULL || s->building || !fetch_has_manifest(s->fetch))
		return;
	rc = fetch_chunk(s->fetch, payload, &why);
	if (rc == ERR_CORRUPT && !s->odd_chunk)
		/* It may answer a process that had the connection before,
		 * by another manifest.  Once; its row is asked for again. */
		s->odd_chunk = true;
	else if (rc < 0 && rc != ERR_EXISTS) {
		give_up(s, rc, why.text);
		return;
	}
	s->progress_ms = clock_mono_ms();
	if (s->in_flight > 0)
		s->in_flight--;
	ask_chunks(s);
	start_build(s);
}

