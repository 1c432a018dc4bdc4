/*
 * fetch.c - one version from the controller to a folder.
 */
#include "node/fetch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/chunk_reader.h"
#include "node/ruleset_build.h"
#include "node/sets.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/frame.h"
#include "proto/wire/snapshot.h"

#define PATH_LEN 1200

enum chunk_state { CHUNK_MISSING, CHUNK_ASKED, CHUNK_HERE };

struct fetch {
	char dir[1024];
	const struct node_identity *id;
	struct head head;
	struct buf head_frame, manifest_frame, cert_frame;
	struct publisher_cert cert;
	struct manifest manifest;
	uint8_t *state;			/* by chunk; NULL: no manifest yet */
	size_t here;
};

int
fetch_new(struct fetch **out, const char *dir, const struct node_identity *id,
    const struct head *head, struct bytes frame, struct diag *why)
{
	struct fetch *f = xcalloc(1, sizeof(*f));
	char path[PATH_LEN];
	int rc;

	snprintf(f->dir, sizeof(f->dir), "%s", dir);
	f->id = id;
	f->head = *head;
	buf_init(&f->head_frame, FRAME_MAX);
	buf_init(&f->manifest_frame, FRAME_MAX);
	buf_init(&f->cert_frame, FRAME_MAX);
	buf_put(&f->head_frame, frame.p, frame.n);
	buf_put(&f->cert_frame, id->cert, id->cert_len);
	snprintf(path, sizeof(path), "%s/incoming", dir);
	if ((rc = cert_open(id->root, id->cert, id->cert_len, INT64_MIN,
	    &f->cert, why)) < 0 || (rc = file_mkdirs(path, 0700, why)) < 0)
		fetch_free(&f);
	*out = f;
	return rc;
}

void
fetch_free(struct fetch **fp)
{
	struct fetch *f = *fp;

	if (f == NULL)
		return;
	buf_fini(&f->head_frame);
	buf_fini(&f->manifest_frame);
	buf_fini(&f->cert_frame);
	manifest_fini(&f->manifest);
	free(f->state);
	free(f);
	*fp = NULL;
}

const struct head *
fetch_head(const struct fetch *f)
{
	return &f->head;
}

uint64_t
fetch_serial(const struct fetch *f)
{
	return f->cert.serial;
}

bool
fetch_has_manifest(const struct fetch *f)
{
	return f->state != NULL;
}

static void
chunk_path(const struct fetch *f, size_t i, char path[PATH_LEN])
{
	char hex[HASH_LEN * 2 + 1];

	hex_format(f->manifest.chunks[i].hash, HASH_LEN, hex);
	snprintf(path, PATH_LEN, "%s/incoming/%s", f->dir, hex);
}

/* Is the manifest what the head leads on from?  One of the head's version
 * must be the head's in all. */
static int
compare_with_head(const struct fetch *f, const struct manifest *m,
    struct diag *why)
{
	uint8_t digest[DIGEST_LEN];
	struct digest d;

	if (m->version > f->head.version ||
	    m->record_format != f->head.record_format ||
	    (m->version == f->head.version && (m->count != f->head.count ||
	    memcmp(m->digest, f->head.digest, DIGEST_LEN) != 0)))
		return diag_set(why, ERR_CONFLICT, "manifest and head differ "
		    "in version, count, format or digest");
	digest_load(&d, m->state, m->count);
	digest_final(&d, digest);
	if (memcmp(digest, m->digest, DIGEST_LEN) != 0)
		return diag_set(why, ERR_CONFLICT, "the manifest's digest is "
		    "not that of its sums");
	return 0;
}

int
fetch_manifest(struct fetch *f, struct bytes frame, struct diag *why)
{
	uint8_t hash[HASH_LEN];
	struct bytes payload;
	size_t i;
	int rc;

	if (f->state != NULL)
		return 0;
	rc = frame_open(frame.p, frame.n, FRAME_MANIFEST, f->cert.key,
	    &payload, why);
	if (rc < 0)
		return rc;
	crypto_generichash(hash, sizeof(hash), frame.p, frame.n, NULL, 0);
	if (memcmp(hash, f->head.manifest_id, sizeof(hash)) != 0)
		return diag_set(why, ERR_AGAIN, "not the manifest that the "
		    "head names");
	if ((rc = manifest_decode(&f->manifest, payload, why)) < 0 ||
	    (rc = compare_with_head(f, &f->manifest, why)) < 0)
		return rc;
	buf_put(&f->manifest_frame, frame.p, frame.n);
	f->state = xcalloc(f->manifest.chunks_n + 1, 1);
	for (i = 0; i < f->manifest.chunks_n; i++) {
		char path[PATH_LEN];
		struct stat st;

		chunk_path(f, i, path);
		if (stat(path, &st) == 0 &&
		    st.st_size == (off_t)f->manifest.chunks[i].len) {
			f->state[i] = CHUNK_HERE;
			f->here++;
		}
	}
	return 0;
}

bool
fetch_next(struct fetch *f, uint32_t max, struct chunk_req *out)
{
	size_t i = 0, n = f->manifest.chunks_n;

	if (f->state == NULL || max == 0)
		return false;
	while (i < n && f->state[i] != CHUNK_MISSING)
		i++;
	if (i == n)
		return false;
	memcpy(out->manifest_id, f->head.manifest_id, HASH_LEN);
	out->first = (uint32_t)i;
	for (out->n = 0; out->n < max && i < n &&
	    f->state[i] == CHUNK_MISSING; i++, out->n++)
		f->state[i] = CHUNK_ASKED;
	return true;
}

void
fetch_ask_again(struct fetch *f)
{
	size_t i;

	for (i = 0; f->state != NULL && i < f->manifest.chunks_n; i++) {
		if (f->state[i] == CHUNK_ASKED)
			f->state[i] = CHUNK_MISSING;
	}
}

static int
save(const char *path, const void *data, size_t len, struct diag *why)
{
	char aside[PATH_LEN + 8];
	int fd, rc = 0;
	size_t off = 0;

	snprintf(aside, sizeof(aside), "%s.new", path);
	fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return diag_set(why, err_from_errno(errno), "%s: %s", aside,
		    strerror(errno));
	while (off < len && rc == 0) {
		ssize_t n = write(fd, (const char *)data + off, len - off);

		if (n > 0)
			off += (size_t)n;
		else if (n == 0 || errno != EINTR)
			rc = diag_set(why, err_from_errno(errno), "%s: %s",
			    aside, strerror(errno));
	}
	close(fd);
	if (rc == 0 && rename(aside, path) < 0)
		rc = diag_set(why, err_from_errno(errno), "%s: %s", path,
		    strerror(errno));
	if (rc < 0)
		unlink(aside);
	return rc;
}

int
fetch_chunk(struct fetch *f, struct bytes payload, struct diag *why)
{
	uint32_t i = bytes_u32(&payload);
	char path[PATH_LEN];
	int rc;

	if (payload.err != 0 || f->state == NULL || i >= f->manifest.chunks_n)
		return diag_set(why, ERR_CORRUPT, "a chunk that was not asked "
		    "for");
	if (f->state[i] == CHUNK_HERE)
		return ERR_EXISTS;
	rc = chunk_check(&f->manifest.chunks[i], payload.p, payload.n);
	if (rc < 0) {
		f->state[i] = CHUNK_MISSING;
		return diag_set(why, rc, "chunk %u is not what the manifest "
		    "says", (unsigned)i);
	}
	chunk_path(f, i, path);
	if ((rc = save(path, payload.p, payload.n, why)) < 0)
		return rc;
	f->state[i] = CHUNK_HERE;
	f->here++;
	return 0;
}

bool
fetch_is_complete(const struct fetch *f)
{
	return f->state != NULL && f->here == f->manifest.chunks_n;
}

static int
put_chunk(struct ruleset_build *b, struct bytes chunk, size_t i,
    struct diag *why)
{
	struct bytes key, val;
	int rc = 0;

	while (rc == 0 && chunk_next(&chunk, &key, &val))
		rc = ruleset_build_put(b, key, val, why);
	if (rc == 0 && chunk.err != 0)
		rc = diag_set(why, ERR_CORRUPT, "chunk %zu is malformed", i);
	return rc;
}

static int
build_set(struct fetch *f, const char *path, struct diag *why)
{
	struct ruleset_frames frames = {
	    bytes_of(f->head_frame.data, f->head_frame.len),
	    bytes_of(f->manifest_frame.data, f->manifest_frame.len),
	    bytes_of(f->cert_frame.data, f->cert_frame.len) };
	struct ruleset_build *b = NULL;
	struct chunk_reader *reader;
	char dir[PATH_LEN];
	struct bytes chunk;
	size_t i;
	int rc;

	snprintf(dir, sizeof(dir), "%s/incoming", f->dir);
	reader = chunk_reader_new(dir, &f->manifest);
	rc = ruleset_build_begin(&b, path, f->manifest.count, why);
	for (i = 0; i < f->manifest.chunks_n && rc == 0; i++) {
		rc = chunk_reader_next(reader, &chunk, why);
		if (rc == 0)
			rc = put_chunk(b, chunk, i, why);
	}
	if (rc == 0)
		rc = ruleset_build_finish(b, f->manifest.count, &frames, why);
	ruleset_build_free(&b);
	chunk_reader_free(&reader);
	return rc;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Remove the chunk files that this version does not have. */
static void
drop_others(const struct fetch *f)
{
	size_t n = f->manifest.chunks_n, i;
	char (*hex)[HASH_LEN * 2 + 1] = xcalloc(n + 1, sizeof(*hex));
	const char **name = xcalloc(n + 1, sizeof(*name));
	char path[PATH_LEN];
	struct dirent *e;
	DIR *d;

	for (i = 0; i < n; i++) {
		hex_format(f->manifest.chunks[i].hash, HASH_LEN, hex[i]);
		name[i] = hex[i];
	}
	qsort(name, n, sizeof(*name), by_text);
	snprintf(path, sizeof(path), "%s/incoming", f->dir);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		const char *key = e->d_name;

		if (key[0] == '.' || bsearch(&key, name, n, sizeof(*name),
		    by_text) != NULL)
			continue;
		unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d != NULL)
		closedir(d);
	free(name);
	free(hex);
}

int
fetch_build(struct fetch *f, struct ruleset **out, struct diag *why)
{
	char path[SETS_PATH_LEN];
	int rc;

	if ((rc = sets_prepare(f->dir, path, why)) < 0)
		return rc;
	if ((rc = build_set(f, path, why)) < 0) {
		file_remove_tree(path, NULL);
		return rc;
	}
	/* Opened once aside: what does not load never gets a version's name. */
	if ((rc = ruleset_open(out, path, f->id->root, why)) < 0)
		return rc;
	ruleset_unref(out);
	if ((rc = sets_install(f->dir, f->manifest.version, path, why)) < 0 ||
	    (rc = ruleset_open(out, path, f->id->root, why)) < 0)
		return rc;
	drop_others(f);
	return 0;
}
