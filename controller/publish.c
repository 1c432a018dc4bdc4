/*
 * publish.c - records to chunks in memory, a manifest over them, a head.
 */
#include "controller/publish.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/policy/decide.h"
#include "proto/wire/frame.h"
#include "proto/wire/snapshot.h"

/* Shared by the publications that have it. */
struct chunk {
	atomic_uint refs;
	uint8_t hash[HASH_LEN];
	uint32_t len;
	uint8_t data[];
};

struct publication {
	struct head head;
	struct buf manifest;
	struct chunk **chunk;	/* in the manifest's order */
	struct chunk **sorted;	/* the same by hash, to find one again */
	size_t n, cap;
};

/* What the snapshot's writer hands chunks to. */
struct cutter { struct publication *to; const struct publication *prev; };

static int
by_hash(const void *a, const void *b)
{
	const struct chunk *const *x = a, *const *y = b;

	return memcmp((*x)->hash, (*y)->hash, HASH_LEN);
}

static int
hash_against(const void *hash, const void *member)
{
	const struct chunk *const *c = member;

	return memcmp(hash, (*c)->hash, HASH_LEN);
}

static struct chunk *
chunk_share(const struct publication *prev, const uint8_t hash[HASH_LEN])
{
	struct chunk **found;

	if (prev == NULL || prev->n == 0)
		return NULL;
	found = bsearch(hash, prev->sorted, prev->n, sizeof(*prev->sorted),
	    hash_against);
	if (found == NULL)
		return NULL;
	atomic_fetch_add(&(*found)->refs, 1);
	return *found;
}

static int
take_chunk(void *arg, const struct manifest_chunk *m, const void *data)
{
	struct cutter *t = arg;
	struct publication *p = t->to;
	struct chunk *c = chunk_share(t->prev, m->hash);

	if (p->n >= MANIFEST_CHUNKS_MAX)
		return ERR_TOOBIG;
	if (c == NULL) {
		c = xmalloc(sizeof(*c) + m->len);	/* <= CHUNK_MAX */
		atomic_init(&c->refs, 1);
		memcpy(c->hash, m->hash, HASH_LEN);
		c->len = m->len;
		memcpy(c->data, data, m->len);
	}
	p->chunk = xgrow(p->chunk, &p->cap, p->n + 1, sizeof(*p->chunk));
	p->chunk[p->n++] = c;
	return 0;
}

static void
index_chunks(struct publication *p)
{
	p->sorted = xcalloc(p->n + 1, sizeof(*p->sorted));
	if (p->n == 0)
		return;
	memcpy(p->sorted, p->chunk, p->n * sizeof(*p->sorted));
	qsort(p->sorted, p->n, sizeof(*p->sorted), by_hash);
}

static int
add_record(void *arg, struct bytes key, struct bytes val)
{
	return snapshot_add(arg, key.p, key.n, val.p, val.n);
}

static int
cut(struct publication *p, struct store_view *v,
    const struct publication *prev, struct manifest *m, struct diag *why)
{
	struct cutter t = { p, prev };
	struct snapshot_writer *w = snapshot_writer_new(take_chunk, &t);
	int rc = store_view_scan(v, add_record, w, why);

	if (rc == 0)
		rc = snapshot_finish(w, m);
	snapshot_writer_free(&w);
	index_chunks(p);
	if (rc == ERR_TOOBIG)
		return diag_set(why, rc, "the policy is too large to publish: "
		    "more than %d chunks", MANIFEST_CHUNKS_MAX);
	return rc == 0 ? 0 : diag_set(why, ERR_INTERNAL,
	    "records cannot be cut into chunks: %s", err_text(rc));
}

/* Sign the manifest; the head names it by the hash of its frame. */
static int
sign(struct publication *p, const struct manifest *m,
    const struct sign_key *publisher, struct diag *why)
{
	struct buf payload;
	int rc;

	buf_init(&payload, FRAME_MAX);
	manifest_encode(m, &payload);
	rc = payload.err != 0 ? ERR_INTERNAL : frame_sign(&p->manifest,
	    FRAME_MANIFEST, publisher, payload.data, payload.len);
	buf_fini(&payload);
	if (rc < 0)
		return diag_set(why, rc, "the manifest cannot be signed");
	crypto_generichash(p->head.manifest_id, HASH_LEN,
	    (const uint8_t *)p->manifest.data, p->manifest.len, NULL, 0);
	return 0;
}

int
publish(struct publication **out, struct store *s,
    const struct sign_key *publisher, const struct publication *prev,
    struct diag *why)
{
	struct manifest m = { 0 };
	struct publication *p;
	struct store_view *v;
	int rc;

	*out = NULL;
	if (store_version(s) == 0)
		return diag_set(why, ERR_NOENT, "no policy was applied yet");
	p = xcalloc(1, sizeof(*p));
	buf_init(&p->manifest, FRAME_MAX);
	store_head(s, &p->head, NULL);
	p->head.engine = DECIDE_ENGINE;
	v = store_view_new(s);
	rc = cut(p, v, prev, &m, why);
	store_view_free(&v);
	if (rc < 0)
		goto out;
	m.version = p->head.version;
	/* Two computations of one thing: never sign when they differ. */
	if (m.count != p->head.count ||
	    memcmp(m.digest, p->head.digest, DIGEST_LEN) != 0)
		rc = diag_set(why, ERR_INTERNAL, "the digest of the store and "
		    "that of its records differ");
	else
		rc = sign(p, &m, publisher, why);
out:
	manifest_fini(&m);
	if (rc < 0)
		publication_free(&p);
	*out = p;
	return rc;
}

void
publication_free(struct publication **pp)
{
	struct publication *p = *pp;
	size_t i;

	if (p == NULL)
		return;
	for (i = 0; i < p->n; i++)
		if (atomic_fetch_sub(&p->chunk[i]->refs, 1) == 1)
			free(p->chunk[i]);
	free(p->chunk);
	free(p->sorted);
	buf_fini(&p->manifest);
	free(p);
	*pp = NULL;
}

const struct head *
publication_head(const struct publication *p)
{
	return &p->head;
}

struct bytes
publication_manifest(const struct publication *p)
{
	return bytes_of(p->manifest.data, p->manifest.len);
}

size_t
publication_chunks(const struct publication *p)
{
	return p->n;
}

int
publication_beat(const struct publication *p,
    const struct sign_key *publisher, int64_t now_us, struct buf *out)
{
	struct head h = p->head;
	struct buf payload;
	int rc;

	h.issued_us = now_us;
	buf_init(&payload, FRAME_MAX);
	head_encode(&h, &payload);
	rc = payload.err != 0 ? ERR_INTERNAL : frame_sign(out, FRAME_HEAD,
	    publisher, payload.data, payload.len);
	buf_fini(&payload);
	return rc;
}

int
publication_chunk(const struct publication *p, uint32_t i, struct buf *out)
{
	if (i >= p->n)
		return ERR_NOENT;
	frame_begin(out, FRAME_CHUNK);
	buf_put_u32(out, i);
	buf_put(out, p->chunk[i]->data, p->chunk[i]->len);
	return out->err == 0 ? 0 : ERR_INTERNAL;
}
