/*
 * snapshot.c - cuts sorted records into chunks and reads chunks back.
 */
#include "proto/wire/snapshot.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/policy/record.h"
#include "proto/wire/snapshot_pool.h"

#define CUT_MASK 4095u

struct snapshot_writer {
	snapshot_chunk_fn fn;
	void *arg;
	struct buf chunk;
	uint32_t chunk_count;
	struct snapshot_pool *pool;
	struct manifest m;
	size_t chunks_cap;
	size_t cut;			/* chunks that went into the pool */
	uint8_t last[RECORD_KEY_MAX];
	size_t last_len;
	bool any;
};

struct snapshot_writer *
snapshot_writer_new(snapshot_chunk_fn fn, void *arg)
{
	struct snapshot_writer *w = xcalloc(1, sizeof(*w));

	w->fn = fn;
	w->arg = arg;
	buf_init(&w->chunk, CHUNK_MAX);
	w->pool = snapshot_pool_new();
	return w;
}

void
snapshot_writer_free(struct snapshot_writer **wp)
{
	struct snapshot_writer *w = *wp;

	if (w == NULL)
		return;
	buf_fini(&w->chunk);
	snapshot_pool_free(&w->pool);
	free(w->m.chunks);
	free(w);
	*wp = NULL;
}

/* The oldest chunk that is under way, done, to whoever wants it.  1, 0: there
 * is none; or an error. */
static int
hand_on(struct snapshot_writer *w)
{
	struct manifest_chunk c;
	struct buf data;
	int rc;

	buf_init(&data, CHUNK_MAX);
	if (!snapshot_pool_take(w->pool, &c, &data))
		return 0;
	w->m.chunks = xgrow(w->m.chunks, &w->chunks_cap, w->m.chunks_n + 1,
	    sizeof(c));
	w->m.chunks[w->m.chunks_n++] = c;
	w->m.bytes += c.len;
	rc = w->fn(w->arg, &w->m.chunks[w->m.chunks_n - 1], data.data);
	buf_fini(&data);
	return rc < 0 ? rc : 1;
}

static int
flush(struct snapshot_writer *w)
{
	int rc;

	if (w->chunk.len == 0)
		return 0;
	if (!snapshot_pool_has_room(w->pool) && (rc = hand_on(w)) < 0)
		return rc;
	if (w->cut == MANIFEST_CHUNKS_MAX)
		return ERR_TOOBIG;
	w->cut++;
	snapshot_pool_put(w->pool, &w->chunk, w->chunk_count);
	w->chunk_count = 0;
	return 0;
}

/* Does this key end a chunk? */
static bool
is_cut(const void *key, size_t len)
{
	uint8_t h[16];

	crypto_generichash(h, sizeof(h), key, len, NULL, 0);
	return (((uint32_t)h[0] << 8 | h[1]) & CUT_MASK) == 0;
}

static bool
rises(const struct snapshot_writer *w, const void *key, size_t len)
{
	size_t least = len < w->last_len ? len : w->last_len;
	int c;

	if (!w->any)
		return true;
	c = memcmp(w->last, key, least);
	return c < 0 || (c == 0 && w->last_len < len);
}

int
snapshot_add(struct snapshot_writer *w, const void *key, size_t key_len,
    const void *val, size_t val_len)
{
	size_t len = 2 + 4 + key_len + val_len;
	int rc;

	if (key_len == 0 || key_len > RECORD_KEY_MAX ||
	    val_len > RECORD_VALUE_MAX || !rises(w, key, key_len))
		return ERR_INVAL;
	if (w->chunk.len + len > CHUNK_MAX && (rc = flush(w)) < 0)
		return rc;
	buf_put_u16(&w->chunk, (uint16_t)key_len);
	buf_put_u32(&w->chunk, (uint32_t)val_len);
	buf_put(&w->chunk, key, key_len);
	buf_put(&w->chunk, val, val_len);
	w->chunk_count++;
	memcpy(w->last, key, key_len);
	w->last_len = key_len;
	w->any = true;
	if (w->chunk.err != 0)
		return w->chunk.err;
	if (w->chunk.len >= CHUNK_MIN && is_cut(key, key_len))
		return flush(w);
	return 0;
}

int
snapshot_finish(struct snapshot_writer *w, struct manifest *m)
{
	struct digest digest;
	int rc = flush(w);

	memset(m, 0, sizeof(*m));
	while (rc >= 0 && (rc = hand_on(w)) > 0)
		continue;
	if (rc < 0)
		return rc;
	snapshot_pool_digest(w->pool, &digest);
	w->m.count = digest.count;
	w->m.record_format = RECORD_FORMAT;
	digest_final(&digest, w->m.digest);
	digest_save(&digest, w->m.state);
	*m = w->m;
	memset(&w->m, 0, sizeof(w->m));
	return 0;
}

int
chunk_check(const struct manifest_chunk *c, const void *data, size_t len)
{
	uint8_t hash[HASH_LEN];

	if (len != c->len)
		return ERR_CORRUPT;
	crypto_generichash(hash, sizeof(hash), data, len, NULL, 0);
	return sodium_memcmp(hash, c->hash, sizeof(hash)) == 0 ? 0 :
	    ERR_CORRUPT;
}

bool
chunk_next(struct bytes *chunk, struct bytes *key, struct bytes *val)
{
	uint16_t key_len;
	uint32_t val_len;
	const uint8_t *k, *v;

	if (chunk->err != 0 || chunk->n == 0)
		return false;
	key_len = bytes_u16(chunk);
	val_len = bytes_u32(chunk);
	if (key_len == 0 || key_len > RECORD_KEY_MAX ||
	    val_len > RECORD_VALUE_MAX)
		chunk->err = ERR_CORRUPT;
	k = bytes_take(chunk, key_len);
	v = bytes_take(chunk, val_len);
	if (k == NULL || v == NULL)
		return false;
	*key = bytes_of(k, key_len);
	*val = bytes_of(v, val_len);
	return true;
}
