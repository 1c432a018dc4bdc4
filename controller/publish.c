/*
 * publish.c - records to chunk files, a manifest over them; and the head.
 */
#include "controller/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/wire/frame.h"
#include "proto/wire/snapshot.h"

#define PATH_LEN 4300

struct publication {
	char dir[4200];
	uint8_t id[HASH_LEN];
	struct buf frame;
	struct manifest about;
};

/* What the snapshot's writer hands chunks to. */
struct cutter {
	struct publication *to;
	struct snapshot_writer *w;
	const atomic_bool *stop;
	struct diag *why;
};

static void
chunk_path(const struct publication *p, const uint8_t hash[HASH_LEN],
    char out[PATH_LEN])
{
	char hex[HASH_LEN * 2 + 1];

	hex_format(hash, HASH_LEN, hex);
	snprintf(out, PATH_LEN, "%s/%s", p->dir, hex);
}

/* Is the chunk there already?  Its content is held against its hash when it
 * is sent. */
static bool
has_chunk(const struct publication *p, const struct manifest_chunk *c)
{
	char path[PATH_LEN];
	struct stat st;

	chunk_path(p, c->hash, path);
	return stat(path, &st) == 0 && st.st_size == (off_t)c->len;
}

static int
fail_errno(const char *path, struct diag *why)
{
	return diag_set(why, err_from_errno(errno), "%s: %s", path,
	    strerror(errno));
}

/* Not synced: a chunk lost with the power is cut again. */
static int
take_chunk(void *arg, const struct manifest_chunk *c, const void *data)
{
	struct cutter *t = arg;
	char path[PATH_LEN], aside[PATH_LEN + 8];
	size_t off = 0;
	int fd, rc = 0;

	if (has_chunk(t->to, c))
		return 0;
	chunk_path(t->to, c->hash, path);
	snprintf(aside, sizeof(aside), "%s.new", path);
	fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(aside, t->why);
	while (off < c->len && rc == 0) {
		ssize_t n = write(fd, (const char *)data + off, c->len - off);

		if (n > 0)
			off += (size_t)n;
		else if (n == 0 || errno != EINTR)
			rc = fail_errno(aside, t->why);
	}
	close(fd);
	if (rc == 0 && rename(aside, path) < 0)
		rc = fail_errno(path, t->why);
	if (rc < 0)
		unlink(aside);
	return rc;
}

static int
add_record(void *arg, struct bytes key, struct bytes val)
{
	struct cutter *t = arg;

	if (atomic_load(t->stop))
		return ERR_TIMEOUT;
	return snapshot_add(t->w, key.p, key.n, val.p, val.n);
}

static int
cut(struct publication *p, struct store_view *v, const atomic_bool *stop,
    struct diag *why)
{
	const struct head *h = store_view_head(v);
	struct cutter t = { .to = p, .stop = stop, .why = why };
	int rc;

	if (why != NULL)
		why->text[0] = '\0';
	t.w = snapshot_writer_new(take_chunk, &t);
	rc = store_view_scan(v, add_record, &t, why);
	if (rc == 0)
		rc = snapshot_finish(t.w, &p->about);
	snapshot_writer_free(&t.w);
	if (rc == ERR_TOOBIG)
		return diag_set(why, rc, "the policy is too large to publish: "
		    "more than %d chunks", MANIFEST_CHUNKS_MAX);
	if (rc < 0)
		return why != NULL && why->text[0] != '\0' ? rc :
		    diag_set(why, rc, "records cannot be cut into chunks: %s",
		    err_text(rc));
	p->about.version = h->version;
	/* Two computations of one thing: never sign when they differ. */
	if (p->about.count != h->count ||
	    memcmp(p->about.digest, h->digest, DIGEST_LEN) != 0)
		return diag_set(why, ERR_CORRUPT, "the digest of the store and "
		    "that of its records differ: restore it from its backup");
	return 0;
}

static void
name(struct publication *p)
{
	crypto_generichash(p->id, HASH_LEN, (const uint8_t *)p->frame.data,
	    p->frame.len, NULL, 0);
}

static int
sign(struct publication *p, const struct sign_key *publisher,
    struct diag *why)
{
	struct buf payload;
	int rc;

	buf_init(&payload, FRAME_MAX);
	manifest_encode(&p->about, &payload);
	rc = payload.err != 0 ? ERR_INTERNAL : frame_sign(&p->frame,
	    FRAME_MANIFEST, publisher, payload.data, payload.len);
	buf_fini(&payload);
	if (rc < 0)
		return diag_set(why, rc, "the manifest cannot be signed");
	name(p);
	return 0;
}

static int
save(const struct publication *p, struct diag *why)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/MANIFEST", p->dir);
	return file_write(path, p->frame.data, p->frame.len, 0600, why);
}

static struct publication *
publication_new(const char *dir)
{
	struct publication *p = xcalloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "%s", dir);
	buf_init(&p->frame, FRAME_MAX);
	return p;
}

int
publish(struct publication **out, struct store_view *v,
    const struct sign_key *publisher, const char *dir,
    const atomic_bool *stop, struct diag *why)
{
	struct publication *p = publication_new(dir);
	int rc;

	if ((rc = file_mkdirs(dir, 0700, why)) < 0 ||
	    (rc = cut(p, v, stop, why)) < 0 ||
	    (rc = sign(p, publisher, why)) < 0 || (rc = save(p, why)) < 0)
		publication_free(&p);
	*out = p;
	return rc;
}

int
publication_resign(struct publication **out, const struct publication *old,
    const struct sign_key *publisher, struct diag *why)
{
	struct publication *p = publication_new(old->dir);
	int rc;

	rc = manifest_decode(&p->about, bytes_of(old->frame.data +
	    FRAME_SIGNED_LEN, old->frame.len - FRAME_SIGNED_LEN), why);
	if (rc == 0)
		rc = sign(p, publisher, why);
	if (rc < 0)
		publication_free(&p);
	else if (save(p, NULL) < 0)	/* cut anew after the next start */
		log_warning("publish.unsaved", F_S("dir", p->dir));
	*out = p;
	return rc;
}

int
publication_load(struct publication **out, const char *dir,
    const uint8_t pub[SIGN_PUBLIC_LEN], struct diag *why)
{
	struct publication *p = publication_new(dir);
	struct bytes payload;
	char path[PATH_LEN];
	size_t i;
	int rc;

	snprintf(path, sizeof(path), "%s/MANIFEST", dir);
	if ((rc = file_read(path, FRAME_MAX, &p->frame, why)) == 0 &&
	    (rc = frame_open(p->frame.data, p->frame.len, FRAME_MANIFEST,
	    pub, &payload, why)) == 0)
		rc = manifest_decode(&p->about, payload, why);
	for (i = 0; rc == 0 && i < p->about.chunks_n; i++)
		if (!has_chunk(p, &p->about.chunks[i]))
			rc = diag_set(why, ERR_CORRUPT, "%s: a chunk that it "
			    "names is not there", path);
	if (rc == 0)
		name(p);
	else
		publication_free(&p);
	*out = p;
	return rc;
}

void
publication_free(struct publication **pp)
{
	struct publication *p = *pp;

	if (p == NULL)
		return;
	manifest_fini(&p->about);
	buf_fini(&p->frame);
	free(p);
	*pp = NULL;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

void
publication_sweep(const struct publication *p,
    const struct publication *before)
{
	const struct publication *const all[] = { p, before };
	char (*keep)[HASH_LEN * 2 + 1];
	size_t n = 0, k, i;
	struct dirent *e;
	DIR *d;

	keep = xcalloc(p->about.chunks_n + 1 + (before == NULL ? 0 :
	    before->about.chunks_n), sizeof(*keep));
	for (k = 0; k < 2; k++)
		for (i = 0; all[k] != NULL && i < all[k]->about.chunks_n; i++)
			hex_format(all[k]->about.chunks[i].hash, HASH_LEN,
			    keep[n++]);
	qsort(keep, n, sizeof(*keep), by_text);
	d = opendir(p->dir);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && strcmp(e->d_name, "MANIFEST") != 0
		    && (n == 0 || bsearch(e->d_name, keep, n, sizeof(*keep),
		    by_text) == NULL))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	free(keep);
}

const uint8_t *
publication_id(const struct publication *p)
{
	return p->id;
}

struct bytes
publication_manifest(const struct publication *p)
{
	return bytes_of(p->frame.data, p->frame.len);
}

const struct manifest *
publication_about(const struct publication *p)
{
	return &p->about;
}

int
publication_chunk(const struct publication *p, uint32_t i, struct buf *out)
{
	const struct manifest_chunk *c;
	char path[PATH_LEN];
	size_t begin;
	int rc;

	if (i >= p->about.chunks_n)
		return ERR_NOENT;
	c = &p->about.chunks[i];
	frame_begin(out, FRAME_CHUNK);
	buf_put_u32(out, i);
	begin = out->len;
	chunk_path(p, c->hash, path);
	rc = file_read(path, CHUNK_MAX, out, NULL);
	if (rc == 0)
		rc = chunk_check(c, out->data + begin, out->len - begin);
	if (rc == 0)
		return 0;
	unlink(path);
	return rc == ERR_NOENT ? ERR_IO : rc;
}

int
publish_beat(const struct head *h, const struct sign_key *publisher,
    int64_t now_us, struct buf *out)
{
	struct head beat = *h;
	struct buf payload;
	int rc;

	beat.issued_us = now_us;
	buf_init(&payload, FRAME_MAX);
	head_encode(&beat, &payload);
	rc = payload.err != 0 ? ERR_INTERNAL : frame_sign(out, FRAME_HEAD,
	    publisher, payload.data, payload.len);
	buf_fini(&payload);
	return rc;
}
