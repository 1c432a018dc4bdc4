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
#include "bench/fleet_real.h"
#include "controller/fleet.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/policy/decide.h"
#include "proto/wire/frame.h"
#include "proto/wire/signer.h"

#define RECORD_BYTES 56		/* of one entry in a chunk, about */
#define LOOPBACK "tcp://127.0.0.1:*"
#define REAL_ID "mx%05u-real"

struct fleet_server {
	struct fleet_server_conf conf;
	char chunks[1100];			/* folder */
	char endpoint[3][256];			/* of the fleet, as bound */
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
put_node(struct fleet_server *f, const char *id,
    const uint8_t key[SOCK_KEY_LEN], struct diag *why)
{
	char hex[SOCK_KEY_LEN * 2 + 1], json[256];

	hex_format(key, SOCK_KEY_LEN, hex);
	snprintf(json, sizeof(json), "{\"key\":\"%s\",\"enrolled\":1,"
	    "\"revoked\":false}", hex);
	return store_row_put(f->store, "node", id, json, why);
}

/* The real one in the middle: the fleet tells them by name. */
static int
put_nodes(struct fleet_server *f, struct diag *why)
{
	const struct fleet_shared *s = f->conf.s;
	char id[32];
	uint32_t i;
	int rc = 0;

	for (i = 0; i < s->n && rc == 0; i++) {
		snprintf(id, sizeof(id), "mx%05u", i);
		rc = put_node(f, id, s->client[i].key, why);
	}
	if (rc == 0 && f->conf.real != NULL) {
		snprintf(id, sizeof(id), REAL_ID, s->n / 2);
		rc = put_node(f, id, fleet_real_key(f->conf.real), why);
	}
	return rc;
}

static int
cut(struct fleet_server *f, struct diag *why)
{
	struct store_view *v = store_view_new(f->store);
	atomic_bool stop = false;
	int rc;

	snprintf(f->chunks, sizeof(f->chunks), "%s/published", f->conf.dir);
	f->head = *store_view_head(v);
	f->head.engine = DECIDE_ENGINE;
	rc = publish(&f->publication, v, signer_key(f->signer), f->chunks,
	    &stop, why);
	store_view_free(&v);
	if (rc == 0)
		memcpy(f->head.manifest_id, publication_id(f->publication),
		    HASH_LEN);
	return rc;
}

static int
load_publication(struct fleet_server *f, struct diag *why)
{
	return publication_load(&f->publication, f->chunks,
	    sign_key_public(signer_key(f->signer)), why);
}

static const char *
address(const struct fleet_server *f, enum fleet_socket which)
{
	return f->endpoint[which][0] == '\0' ? LOOPBACK :
	    f->endpoint[which];
}

/* The publication is the fleet's from then on. */
static int
start_fleet(struct fleet_server *f, struct diag *why)
{
	struct fleet_conf c = { .store = f->store, .lock = &f->lock,
	    .signer = f->signer, .root = f->conf.real != NULL ?
		fleet_real_root(f->conf.real) : sign_key_public(f->root),
	    .secret = f->secret, .control = address(f, FLEET_CONTROL),
	    .events = address(f, FLEET_EVENTS),
	    .enroll = address(f, FLEET_ENROLL) };
	int rc = fleet_start(&f->fleet, &c, why), i;

	if (rc < 0)
		return rc;
	for (i = 0; i < 3; i++)
		snprintf(f->endpoint[i], sizeof(f->endpoint[i]), "%s",
		    fleet_endpoint(f->fleet, (enum fleet_socket)i));
	fleet_publish(f->fleet, f->publication);
	f->publication = NULL;
	fleet_advance(f->fleet, &f->head, bytes_of(NULL, 0));
	return 0;
}

static int
serve_fleet(struct fleet_server *f, struct diag *why)
{
	struct fleet_shared *s = f->conf.s;
	int rc = put_nodes(f, why);

	if (rc == 0)
		rc = start_fleet(f, why);
	snprintf(s->endpoint, sizeof(s->endpoint), "%.127s",
	    f->endpoint[FLEET_CONTROL]);
	if (f->conf.events)
		snprintf(s->events, sizeof(s->events), "%.127s",
		    f->endpoint[FLEET_EVENTS]);
	return rc;
}

void
fleet_server_down(struct fleet_server *f)
{
	fleet_stop(&f->fleet);
}

int
fleet_server_up(struct fleet_server *f, struct diag *why)
{
	int rc = load_publication(f, why);

	return rc < 0 ? rc : start_fleet(f, why);
}

static int
start_bare(struct fleet_server *f, struct diag *why)
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
	return rc < 0 ? rc : bare_start(&f->bare, f->conf.s, f->secret,
	    &f->frames, why);
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

/* A policy of the wanted size, or the standard set. */
static int
make_policy(struct fleet_server *f, struct diag *why)
{
	struct fleet_real *real = f->conf.real;
	int rc;

	if (real == NULL)
		return (rc = make_signer(f)) < 0 ||
		    (rc = fill(f, f->conf.bytes, why)) < 0 ? rc :
		    cut(f, why);
	f->signer = signer_ref(fleet_real_signer(real));
	f->head = *fleet_real_head(real);
	snprintf(f->chunks, sizeof(f->chunks), "%s",
	    fleet_real_chunks(real));
	memcpy(f->conf.s->real_key, fleet_real_key(real), SOCK_KEY_LEN);
	return load_publication(f, why);
}

int
fleet_server_start(struct fleet_server **out,
    const struct fleet_server_conf *conf, struct diag *why)
{
	struct fleet_server *f = xcalloc(1, sizeof(*f));
	struct fleet_shared *s = conf->s;
	pthread_mutexattr_t recursive;
	int rc;

	*out = f;
	f->conf = *conf;
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&f->lock, &recursive);
	buf_init(&f->delta, FRAME_MAX);
	buf_init(&f->beat, FRAME_MAX);
	buf_init(&f->frames.head, FRAME_MAX);
	buf_init(&f->frames.manifest, FRAME_MAX);
	sock_keypair(s->server_key, f->secret);
	if ((rc = store_open(&f->store, conf->dir, why)) < 0 ||
	    (rc = make_policy(f, why)) < 0)
		return rc;
	memcpy(s->publisher, signer_about(f->signer)->key, SIGN_PUBLIC_LEN);
	memset(&s->have, 0, sizeof(s->have));
	if (conf->bytes == 0)
		s->have = f->head;
	return conf->bare ? start_bare(f, why) : serve_fleet(f, why);
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

/* From the store, as a publisher does. */
static int
next_of_store(struct fleet_server *f, struct diag *why)
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
	rc = delta_sign(&d, signer_key(f->signer), &f->delta);
	delta_fini(&d);
	return rc;
}

int
fleet_server_prepare(struct fleet_server *f, uint64_t *version,
    struct diag *why)
{
	int rc;

	buf_reset(&f->delta);
	buf_reset(&f->beat);
	if (f->conf.real == NULL)
		rc = next_of_store(f, why);
	else if ((rc = fleet_real_next(f->conf.real, &f->delta, why)) == 0)
		f->head = *fleet_real_head(f->conf.real);
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

void
fleet_server_real(struct fleet_server *f, uint64_t *version, uint64_t *at_us)
{
	struct node_info info;
	char id[32];

	*version = f->conf.s->real_version;
	*at_us = f->conf.s->real_us;
	if (f->bare != NULL)
		return;
	snprintf(id, sizeof(id), REAL_ID, f->conf.s->n / 2);
	*version = 0;
	if (fleet_node(f->fleet, id, &info) < 0 || !info.acked)
		return;
	*version = info.ack.enforced;
	*at_us = (uint64_t)info.ack.enforced_us;
}

static void
count_heard(void *arg, const struct node_info *n)
{
	*(uint32_t *)arg += n->seen_us != 0;
}

uint32_t
fleet_server_heard(struct fleet_server *f)
{
	uint32_t n = 0;

	fleet_nodes(f->fleet, count_heard, &n);
	return n;
}

uint64_t
fleet_server_handshakes(struct fleet_server *f)
{
	return fleet_handshakes(f->fleet);
}
