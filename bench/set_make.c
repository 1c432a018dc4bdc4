/*
 * set_make.c - records to frames and a rule set, without a controller.
 */
#include "bench/set_make.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/stat.h"
#include "node/chunk_reader.h"
#include "node/identity.h"
#include "node/ruleset_build.h"
#include "node/sets.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/frame.h"
#include "proto/wire/snapshot.h"

#define NOBODY "tcp://127.0.0.1:1"	/* nothing listens there */
#define VERSION 1
#define YEAR_US ((int64_t)365 * 86400 * 1000000)

struct maker {
	const struct set *set;
	struct sign_key *root, *publisher;
	struct buf cert, head, manifest;
	struct manifest about;
	struct ruleset_build *build;
};

static int
save_publisher(struct maker *m, const char *dir, struct diag *why)
{
	char path[1100];

	snprintf(path, sizeof(path), "%s/publisher.key", dir);
	return sign_key_save(m->publisher, path, why);
}

static int
make_keys(struct maker *m, const char *dir, struct diag *why)
{
	struct node_identity *id = identity_new();
	struct publisher_cert c = { .serial = 1,
	    .not_after_us = clock_wall_us() + YEAR_US };
	uint8_t pub[SOCK_KEY_LEN], server_secret[SOCK_KEY_LEN];
	char path[1100];
	int rc;

	if ((rc = sign_key_new(&m->root)) < 0 ||
	    (rc = sign_key_new(&m->publisher)) < 0 ||
	    (rc = save_publisher(m, dir, why)) < 0)
		goto out;
	memcpy(c.key, sign_key_public(m->publisher), SIGN_PUBLIC_LEN);
	if ((rc = cert_make(m->root, &c, &m->cert)) < 0)
		goto out;
	strcpy(id->id, "bench");
	sock_keypair(pub, id->secret);
	sock_keypair(id->server_key, server_secret);
	memcpy(id->root, sign_key_public(m->root), SIGN_PUBLIC_LEN);
	strcpy(id->control, NOBODY);
	strcpy(id->events, NOBODY);
	memcpy(id->cert, m->cert.data, m->cert.len);
	id->cert_len = m->cert.len;
	snprintf(path, sizeof(path), "%s/%s", dir, SET_PUBLISHER);
	unlink(path);
	if ((rc = sign_key_save(m->publisher, path, why)) == 0)
		rc = identity_save(id, dir, why);
out:
	identity_free(&id);
	return rc;
}

static int
sign(struct maker *m, struct manifest *manifest)
{
	struct head h = { .version = VERSION, .count = manifest->count,
	    .record_format = RECORD_FORMAT, .engine = DECIDE_ENGINE,
	    .issued_us = clock_wall_us() };
	struct buf b;
	int rc;

	manifest->version = VERSION;
	buf_init(&b, 0);
	manifest_encode(manifest, &b);
	rc = frame_sign(&m->manifest, FRAME_MANIFEST, m->publisher, b.data,
	    b.len);
	memcpy(h.digest, manifest->digest, DIGEST_LEN);
	crypto_generichash(h.manifest_id, HASH_LEN,
	    (uint8_t *)m->manifest.data, m->manifest.len, NULL, 0);
	buf_reset(&b);
	head_encode(&h, &b);
	if (rc == 0)
		rc = frame_sign(&m->head, FRAME_HEAD, m->publisher, b.data,
		    b.len);
	buf_fini(&b);
	return rc;
}

static int
save_frame(const char *dir, const char *name, const struct buf *b,
    struct diag *why)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return file_write(path, b->data, b->len, 0600, why);
}

static double
generate(const struct set *s)
{
	double begin = stat_now();
	struct bytes key, val;
	struct set_iter it;

	set_iter_init(&it, s);
	while (set_next(&it, &key, &val))
		;
	set_iter_fini(&it);
	return stat_now() - begin;
}

static int
keep_chunk(void *arg, const struct manifest_chunk *c, const void *data)
{
	char path[1200], hex[HASH_LEN * 2 + 1];
	FILE *f;

	hex_format(c->hash, HASH_LEN, hex);
	snprintf(path, sizeof(path), "%s/%s", (const char *)arg, hex);
	if ((f = fopen(path, "we")) == NULL)
		return ERR_IO;
	if (fwrite(data, 1, c->len, f) != c->len) {
		fclose(f);
		return ERR_IO;
	}
	return fclose(f) == 0 ? 0 : ERR_IO;
}

/* The chunks of s as files in dir, and what the manifest says of them. */
static int
cut(const struct set *s, char *dir, struct manifest *m)
{
	struct snapshot_writer *w = snapshot_writer_new(keep_chunk, dir);
	struct bytes key, val;
	struct set_iter it;
	int rc = 0;

	memset(m, 0, sizeof(*m));
	set_iter_init(&it, s);
	while (rc == 0 && set_next(&it, &key, &val))
		rc = snapshot_add(w, key.p, key.n, val.p, val.n);
	if (rc == 0)
		rc = snapshot_finish(w, m);
	set_iter_fini(&it);
	snapshot_writer_free(&w);
	return rc;
}

static void
published_path(const char *dir, char out[1100])
{
	snprintf(out, 1100, "%s/published", dir);
}

static int
publish(struct maker *m, const char *dir, struct diag *why)
{
	char path[1100];
	int rc;

	published_path(dir, path);
	if ((rc = file_remove_tree(path, why)) == 0 &&
	    (rc = file_mkdirs(path, 0700, why)) == 0 &&
	    (rc = cut(m->set, path, &m->about)) == 0 &&
	    (rc = sign(m, &m->about)) == 0 &&
	    (rc = save_frame(dir, SET_HEAD, &m->head, why)) == 0 &&
	    (rc = save_frame(dir, SET_MANIFEST, &m->manifest, why)) == 0)
		rc = save_frame(path, "MANIFEST", &m->manifest, why);
	return rc;
}

static struct bytes
all(const struct buf *b)
{
	return bytes_of(b->data, b->len);
}

static int
put_chunk(struct maker *m, struct bytes chunk, struct diag *why)
{
	struct bytes key, val;
	int rc = 0;

	while (rc == 0 && chunk_next(&chunk, &key, &val))
		rc = ruleset_build_put(m->build, key, val, why);
	return rc < 0 ? rc : chunk.err;
}

/* As a node does that has all chunks. */
static int
build(struct maker *m, const char *dir, const char *path, struct diag *why)
{
	struct ruleset_frames f = { all(&m->head), all(&m->manifest),
	    all(&m->cert) };
	char published[1100];
	struct chunk_reader *r;
	struct bytes chunk;
	size_t i;
	int rc;

	published_path(dir, published);
	r = chunk_reader_new(published, &m->about);
	rc = ruleset_build_begin(&m->build, path, m->about.count, why);
	for (i = 0; i < m->about.chunks_n && rc == 0; i++)
		if ((rc = chunk_reader_next(r, &chunk, why)) == 0)
			rc = put_chunk(m, chunk, why);
	if (rc == 0)
		rc = ruleset_build_finish(m->build, m->about.count, &f, why);
	chunk_reader_free(&r);
	ruleset_build_free(&m->build);
	return rc;
}

static int
make_all(struct maker *m, const char *dir, struct set_times *times,
    struct diag *why)
{
	char path[SETS_PATH_LEN];
	double t;
	int rc;

	times->generate = generate(m->set);
	t = stat_now();
	if ((rc = make_keys(m, dir, why)) < 0 ||
	    (rc = publish(m, dir, why)) < 0 ||
	    (rc = sets_prepare(dir, path, why)) < 0)
		return rc;
	times->publish = stat_now() - t;
	t = stat_now();
	if ((rc = build(m, dir, path, why)) < 0)
		return rc;
	times->build = stat_now() - t;
	return sets_install(dir, VERSION, path, why);
}

/* What names a set, in dir/standard-set; written last. */
static void
put_name(const struct set *s, struct buf *out)
{
	buf_printf(out, "seed %llu scale %g policies %u domains %u\n",
	    (unsigned long long)s->seed, s->scale, s->policies, s->domains);
}

int
set_make(const struct set *s, const char *dir, struct set_times *times,
    struct diag *why)
{
	struct maker m = { .set = s };
	struct buf name, there;
	char path[1100];
	int rc;

	memset(times, 0, sizeof(*times));
	buf_init(&name, 256);
	buf_init(&there, 256);
	put_name(s, &name);
	snprintf(path, sizeof(path), "%s/standard-set", dir);
	rc = file_read(path, 256, &there, why);
	if (rc == 0 && strcmp(there.data, name.data) != 0)
		rc = diag_set(why, ERR_EXISTS, "%s holds another set: %s",
		    dir, there.data);
	if (rc != ERR_NOENT)
		goto out;
	if ((rc = file_mkdirs(dir, 0700, why)) == 0 &&
	    (rc = make_all(&m, dir, times, why)) == 0)
		rc = file_write(path, name.data, name.len, 0600, why);
out:
	buf_fini(&name);
	buf_fini(&there);
	buf_fini(&m.cert);
	buf_fini(&m.head);
	buf_fini(&m.manifest);
	manifest_fini(&m.about);
	sign_key_free(&m.root);
	sign_key_free(&m.publisher);
	return rc;
}

/* The manifest that was signed says what was cut now. */
static int
compare_manifest(const struct buf *frame, const struct manifest *m,
    const char *dir, struct diag *why)
{
	struct bytes in = bytes_of(frame->data, frame->len);
	struct manifest was;
	int rc;

	memset(&was, 0, sizeof(was));
	bytes_take(&in, FRAME_SIGNED_LEN);
	if ((rc = manifest_decode(&was, in, why)) == 0 &&
	    (was.chunks_n != m->chunks_n || memcmp(was.digest, m->digest,
	    DIGEST_LEN) != 0))
		rc = diag_set(why, ERR_CORRUPT, "%s holds another set: make it "
		    "anew", dir);
	manifest_fini(&was);
	return rc;
}

int
set_chunks(const struct set *s, const char *dir, struct diag *why)
{
	char path[1100], there[1200];
	struct manifest m;
	struct buf frame;
	int rc;

	memset(&m, 0, sizeof(m));
	buf_init(&frame, FRAME_MAX);
	published_path(dir, path);
	snprintf(there, sizeof(there), "%s/MANIFEST", path);
	if (access(there, F_OK) == 0)
		return 0;
	snprintf(there, sizeof(there), "%s/%s", dir, SET_MANIFEST);
	if ((rc = file_read(there, FRAME_MAX, &frame, why)) == ERR_NOENT)
		diag_set(why, rc, "%s was made without its keys: make the set "
		    "anew", dir);
	if (rc == 0 && (rc = file_mkdirs(path, 0700, why)) == 0 &&
	    (rc = cut(s, path, &m)) == 0 &&
	    (rc = compare_manifest(&frame, &m, dir, why)) == 0)
		rc = save_frame(path, "MANIFEST", &frame, why);
	manifest_fini(&m);
	buf_fini(&frame);
	return rc;
}

int
set_open(const char *dir, struct ruleset **out, struct diag *why)
{
	struct node_identity *id = identity_new();
	struct ruleset_trust trust = { .root = id->root };
	int rc = identity_load(id, dir, why);

	if (rc == 0)
		rc = sets_open_newest(dir, &trust, out, why);
	identity_free(&id);
	return rc;
}

int
set_publisher(const char *dir, struct sign_key **key, struct buf *frame,
    struct publisher_cert *cert, struct diag *why)
{
	struct node_identity *id = identity_new();
	char path[1100];
	int rc;

	snprintf(path, sizeof(path), "%s/publisher.key", dir);
	buf_init(frame, 0);
	rc = identity_load(id, dir, why);
	if (rc == 0)
		rc = sign_key_load(key, path, why);
	if (rc == 0) {
		buf_put(frame, id->cert, id->cert_len);
		rc = cert_open(id->root, id->cert, id->cert_len, INT64_MIN,
		    cert, why);
	}
	identity_free(&id);
	return rc;
}
