/*
 * fleet_server.c - a store with a policy of the wanted size, published, and
 * the controller's fleet or the bare ROUTER before it.
 */
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/fleet.h"
#include "bench/fleet_bare.h"
#include "controller/fleet.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/policy/decide.h"
#include "proto/wire/frame.h"
#include "proto/wire/signer.h"

#define RECORD_BYTES 56		/* of one entry in a chunk, about */
#define LOOPBACK "tcp://127.0.0.1:*"

struct fleet_server {
	struct store *store;
	struct sign_key *root;
	struct signer *signer;
	pthread_mutex_t lock;
	uint8_t secret[SOCK_KEY_LEN];
	struct publication *publication;	/* the bare one's */
	struct fleet *fleet;
	struct bare *bare;
	struct bare_frames frames;
	/* what is to be pushed */
	struct head head;
	struct buf delta, beat;
	uint32_t pushed;
};

static void
add_entry(struct change *c, const char *name, uint64_t n)
{
	char key[128];

	snprintf(key, sizeof(key), "entry" ITEM_SEP_S "%s%08llx.customer."
	    "example" ITEM_SEP_S "g", name, (unsigned long long)n);
	change_add(c, key, NULL, "{}", "cli");
}

static int
commit(struct fleet_server *f, struct change *c, struct diag *why)
{
	struct commit info = { .actor = "bench", .action = "apply" };
	uint64_t version;
	int rc = store_commit(f->store, c, &info, &version, why);

	change_fini(c);
	return rc;
}

static int
fill(struct fleet_server *f, uint64_t bytes, struct diag *why)
{
	struct change c = { 0 };
	uint64_t i;

	change_add(&c, "group" ITEM_SEP_S "g", NULL, "{}", "cli");
	for (i = 0; i <= bytes / RECORD_BYTES; i++)
		add_entry(&c, "first", i);
	return commit(f, &c, why);
}

static int
put_nodes(struct fleet_server *f, const struct fleet_shared *s,
    struct diag *why)
{
	char hex[SOCK_KEY_LEN * 2 + 1], id[32], json[256];
	uint32_t i;
	int rc = 0;

	for (i = 0; i < s->n && rc == 0; i++) {
		hex_format(s->client[i].key, SOCK_KEY_LEN, hex);
		snprintf(id, sizeof(id), "mx%05u", i);
		snprintf(json, sizeof(json), "{\"key\":\"%s\",\"enrolled\":"
		    "1,\"revoked\":false}", hex);
		rc = store_row_put(f->store, "node", id, json, why);
	}
	return rc;
}

static int
cut(struct fleet_server *f, const char *dir, struct diag *why)
{
	struct store_view *v = store_view_new(f->store);
	atomic_bool stop = false;
	char path[1100];
	int rc;

	snprintf(path, sizeof(path), "%s/published", dir);
	f->head = *store_view_head(v);
	f->head.engine = DECIDE_ENGINE;
	rc = publish(&f->publication, v, signer_key(f->signer), path, &stop,
	    why);
	store_view_free(&v);
	if (rc == 0)
		memcpy(f->head.manifest_id, publication_id(f->publication),
		    HASH_LEN);
	return rc;
}

static int
start_fleet(struct fleet_server *f, struct fleet_shared *s, struct diag *why)
{
	struct fleet_conf c = { .store = f->store, .lock = &f->lock,
	    .signer = f->signer, .root = sign_key_public(f->root),
	    .secret = f->secret, .control = LOOPBACK, .events = LOOPBACK,
	    .enroll = LOOPBACK };
	int rc = fleet_start(&f->fleet, &c, why);

	if (rc < 0)
		return rc;
	snprintf(s->endpoint, sizeof(s->endpoint), "%s",
	    fleet_endpoint(f->fleet, FLEET_CONTROL));
	fleet_publish(f->fleet, f->publication);
	f->publication = NULL;		/* the fleet's now */
	fleet_advance(f->fleet, &f->head, bytes_of(NULL, 0));
	return 0;
}

static int
start_bare(struct fleet_server *f, struct fleet_shared *s, struct diag *why)
{
	struct bytes m = publication_manifest(f->publication);
	size_t n = publication_about(f->publication)->chunks_n, i;
	int rc = 0;

	buf_put(&f->frames.manifest, m.p, m.n);
	f->frames.chunk = xcalloc(n + 1, sizeof(*f->frames.chunk));
	f->frames.chunks_n = n;
	for (i = 0; i < n && rc == 0; i++) {
		buf_init(&f->frames.chunk[i], FRAME_MAX);
		rc = publication_chunk(f->publication, (uint32_t)i,
		    &f->frames.chunk[i]);
	}
	if (rc == 0)
		rc = publish_beat(&f->head, signer_key(f->signer),
		    clock_wall_us(), &f->frames.head);
	return rc < 0 ? rc : bare_start(&f->bare, s, f->secret, &f->frames,
	    why);
}

static int
make_signer(struct fleet_server *f)
{
	struct publisher_cert c = { .serial = 1,
	    .not_after_us = INT64_MAX / 2 };
	struct sign_key *key;
	int rc;

	if ((rc = sign_key_new(&f->root)) < 0 ||
	    (rc = sign_key_new(&key)) < 0)
		return rc;
	return signer_make(&f->signer, f->root, &key, &c);
}

int
fleet_server_start(struct fleet_server **out, struct fleet_shared *s,
    bool bare, uint64_t bytes, const char *dir, struct diag *why)
{
	struct fleet_server *f = xcalloc(1, sizeof(*f));
	pthread_mutexattr_t recursive;
	int rc;

	*out = f;
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&f->lock, &recursive);
	buf_init(&f->delta, FRAME_MAX);
	buf_init(&f->beat, FRAME_MAX);
	buf_init(&f->frames.head, FRAME_MAX);
	buf_init(&f->frames.manifest, FRAME_MAX);
	sock_keypair(s->server_key, f->secret);
	if ((rc = make_signer(f)) < 0 ||
	    (rc = store_open(&f->store, dir, why)) < 0 ||
	    (rc = fill(f, bytes, why)) < 0 ||
	    (!bare && (rc = put_nodes(f, s, why)) < 0) ||
	    (rc = cut(f, dir, why)) < 0)
		return rc;
	memcpy(s->publisher, signer_about(f->signer)->key, SIGN_PUBLIC_LEN);
	memset(&s->have, 0, sizeof(s->have));
	if (bytes == 0)
		s->have = f->head;
	return bare ? start_bare(f, s, why) : start_fleet(f, s, why);
}

void
fleet_server_stop(struct fleet_server **fp)
{
	struct fleet_server *f = *fp;
	size_t i;

	if (f == NULL)
		return;
	fleet_stop(&f->fleet);
	bare_stop(&f->bare);
	publication_free(&f->publication);
	for (i = 0; i < f->frames.chunks_n; i++)
		buf_fini(&f->frames.chunk[i]);
	free(f->frames.chunk);
	buf_fini(&f->frames.head);
	buf_fini(&f->frames.manifest);
	buf_fini(&f->delta);
	buf_fini(&f->beat);
	store_close(&f->store);
	signer_unref(&f->signer);
	sign_key_free(&f->root);
	free(f);
	*fp = NULL;
}

int
fleet_server_prepare(struct fleet_server *f, uint64_t *version,
    struct diag *why)
{
	struct change c = { 0 };
	struct delta d;
	uint8_t manifest_id[HASH_LEN];
	int rc;

	memcpy(manifest_id, f->head.manifest_id, HASH_LEN);
	add_entry(&c, "then", f->pushed++);
	if ((rc = commit(f, &c, why)) < 0)
		return rc;
	store_head(f->store, &f->head, NULL);
	f->head.engine = DECIDE_ENGINE;
	memcpy(f->head.manifest_id, manifest_id, HASH_LEN);
	rc = store_delta(f->store, f->head.version - 1, NULL,
	    f->head.version, &d, why);
	if (rc < 0)
		return rc;
	d.engine = DECIDE_ENGINE;
	d.issued_us = clock_wall_us();
	buf_reset(&f->delta);
	rc = delta_sign(&d, signer_key(f->signer), &f->delta);
	delta_fini(&d);
	buf_reset(&f->beat);
	if (rc == 0)
		rc = publish_beat(&f->head, signer_key(f->signer),
		    clock_wall_us(), &f->beat);
	*version = f->head.version;
	return rc;
}

void
fleet_server_push(struct fleet_server *f)
{
	if (f->bare != NULL)
		bare_push(f->bare, &f->delta, &f->beat);
	else
		fleet_advance(f->fleet, &f->head, bytes_of(f->delta.data,
		    f->delta.len));
}

size_t
fleet_server_push_bytes(const struct fleet_server *f)
{
	return f->delta.len + f->beat.len;
}
