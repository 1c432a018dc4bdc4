/*
 * db_table.c - blocks, filters, index, footer of a LevelDB table.
 *
 *	entry	varint shared, varint not shared, varint value length, rest of
 *		the key, value; the key is ours and its trailer, its first
 *		`shared` bytes those of the entry before
 *	block	entries, u32 restarts (where a key stands whole), u32 their
 *		number; behind it u8 0 (not compressed), u32 masked CRC-32C
 *	filters	the filters, u32 where each begins, u32 where these begin, u8 11
 *	footer	varints: place and length of the metaindex, of the index; zeros
 *		up to 40 bytes; u64 magic
 *
 * Numbers are little-endian.
 */
#include "proto/base/db_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/crc32c.h"
#include "proto/base/err.h"

#define BLOCK_BYTES 4096
#define RESTART_EVERY 16
#define FILTER_LOG 11			/* a filter for each 2 KiB */
#define BLOOM_BITS 10
#define BLOOM_PROBES 6
#define BLOOM_NAME "filter.leveldb.BuiltinBloomFilter2"
#define MAGIC 0xdb4775248b80fb57u
#define FOOTER_LEN 48
#define WRITE_BYTES ((size_t)1 << 20)
#define SEEK_SEQUENCE ((((uint64_t)1 << 56) - 1) << 8 | 1)

struct block {
	struct buf data;
	uint32_t *restart;
	size_t restarts_n, restarts_cap;
	unsigned since, every;		/* entries since the last restart */
	struct buf last;		/* key, without its trailer */
};

struct handle { uint64_t offset, size; };

struct db_table {
	int fd;
	char *path;
	uint64_t offset;		/* of what is in out, or written */
	struct buf out;
	struct block data, index;
	struct buf separator;
	struct handle done;		/* a block not in the index yet: */
	bool pending;
	uint32_t *hash;			/* keys since the last filter */
	size_t hashes_n, hashes_cap;
	struct buf filters;
	uint32_t *filter_at;
	size_t filters_n, filters_cap;
};

/* --- numbers ------------------------------------------------------------- */

static void
put_little(struct buf *b, uint64_t v, int len)
{
	uint8_t out[8];
	int i;

	for (i = 0; i < len; i++)
		out[i] = (uint8_t)(v >> (8 * i));
	buf_put(b, out, (size_t)len);
}

static size_t
varint(uint8_t out[10], uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

void
db_table_put_varint(struct buf *b, uint64_t v)
{
	uint8_t out[10];

	buf_put(b, out, varint(out, v));
}

void
db_table_put_trailer(struct buf *b)
{
	put_little(b, (uint64_t)DB_TABLE_SEQUENCE << 8 | 1, 8);
}

static void
put_handle(struct buf *b, struct handle h)
{
	db_table_put_varint(b, h.offset);
	db_table_put_varint(b, h.size);
}

/* --- blocks -------------------------------------------------------------- */

static void
block_init(struct block *b, unsigned every)
{
	b->every = every;
	buf_init(&b->data, 0);
	buf_init(&b->last, 0);
}

static void
block_fini(struct block *b)
{
	buf_fini(&b->data);
	buf_fini(&b->last);
	free(b->restart);
}

static void
block_reset(struct block *b)
{
	buf_reset(&b->data);
	b->restarts_n = 0;
	b->since = 0;
}

static void
block_restart(struct block *b)
{
	b->restart = xgrow(b->restart, &b->restarts_cap, b->restarts_n + 1,
	    sizeof(*b->restart));
	b->restart[b->restarts_n++] = (uint32_t)b->data.len;
	b->since = 0;
}

static size_t
common(const struct buf *last, struct bytes key)
{
	size_t n = last->len < key.n ? last->len : key.n, i = 0;

	while (i < n && (uint8_t)last->data[i] == key.p[i])
		i++;
	return i;
}

/* trailer may be empty, where the key holds it or has none. */
static void
block_put(struct block *b, struct bytes key, struct bytes trailer,
    struct bytes val)
{
	uint8_t head[30];
	size_t n, shared = 0;

	if (b->restarts_n == 0 || b->since == b->every)
		block_restart(b);
	else
		shared = common(&b->last, key);
	n = varint(head, shared);
	n += varint(head + n, key.n - shared + trailer.n);
	n += varint(head + n, val.n);
	buf_put(&b->data, head, n);
	buf_put(&b->data, key.p + shared, key.n - shared);
	buf_put(&b->data, trailer.p, trailer.n);
	buf_put(&b->data, val.p, val.n);
	buf_reset(&b->last);
	buf_put(&b->last, key.p, key.n);
	b->since++;
}

static void
block_end(struct block *b)
{
	size_t i;

	if (b->restarts_n == 0)
		block_restart(b);
	for (i = 0; i < b->restarts_n; i++)
		put_little(&b->data, b->restart[i], 4);
	put_little(&b->data, b->restarts_n, 4);
}

/* --- the file ------------------------------------------------------------ */

static int
flush(struct db_table *t, struct diag *why)
{
	size_t off = 0;

	if (t->out.err != 0 || t->data.data.err != 0 ||
	    t->index.data.err != 0 || t->filters.err != 0)
		return diag_set(why, ERR_NOMEM, "%s: too large for memory",
		    t->path);
	while (off < t->out.len) {
		ssize_t n = write(t->fd, t->out.data + off, t->out.len - off);

		if (n > 0)
			off += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return diag_set(why, err_from_errno(errno), "%s: %s",
			    t->path, strerror(errno));
	}
	buf_reset(&t->out);
	return 0;
}

/* LevelDB masks its sums, as they stand beside what they are of. */
static struct handle
write_block(struct db_table *t, const struct buf *content)
{
	struct handle h = { t->offset, content->len };
	static const uint8_t kind = 0;
	uint32_t sum = crc32c(0, content->data, content->len);

	sum = crc32c(sum, &kind, 1);
	sum = (sum >> 15 | sum << 17) + 0xa282ead8u;
	buf_put(&t->out, content->data, content->len);
	buf_put_u8(&t->out, kind);
	put_little(&t->out, sum, 4);
	t->offset += content->len + 5;
	return h;
}

/* --- filters ------------------------------------------------------------- */

static uint32_t
little32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

/* LevelDB's hash of a key for its Bloom filter. */
static uint32_t
bloom_hash(struct bytes k)
{
	const uint32_t m = 0xc6a4a793u;
	uint32_t h = 0xbc9f1d34u ^ ((uint32_t)k.n * m);

	for (; k.n >= 4; k.n -= 4, k.p += 4) {
		h = (h + little32(k.p)) * m;
		h ^= h >> 16;
	}
	if (k.n == 0)
		return h;
	if (k.n == 3)
		h += (uint32_t)k.p[2] << 16;
	if (k.n >= 2)
		h += (uint32_t)k.p[1] << 8;
	h = (h + k.p[0]) * m;
	return h ^ h >> 24;
}

/* A filter of the keys since the last one; nothing for none. */
static void
add_filter(struct db_table *t)
{
	size_t bits = t->hashes_n * BLOOM_BITS, i;
	uint8_t *array;
	int k;

	t->filter_at = xgrow(t->filter_at, &t->filters_cap, t->filters_n + 1,
	    sizeof(*t->filter_at));
	t->filter_at[t->filters_n++] = (uint32_t)t->filters.len;
	if (t->hashes_n == 0)
		return;
	bits = ((bits < 64 ? 64 : bits) + 7) / 8 * 8;
	array = xcalloc(1, bits / 8);
	for (i = 0; i < t->hashes_n; i++) {
		uint32_t h = t->hash[i], delta = h >> 17 | h << 15;

		for (k = 0; k < BLOOM_PROBES; k++, h += delta) {
			uint32_t bit = h % (uint32_t)bits;

			array[bit / 8] |= (uint8_t)(1 << bit % 8);
		}
	}
	buf_put(&t->filters, array, bits / 8);
	buf_put_u8(&t->filters, BLOOM_PROBES);
	free(array);
	t->hashes_n = 0;
}

static void
end_filters(struct db_table *t)
{
	uint32_t at;
	size_t i;

	if (t->hashes_n > 0)
		add_filter(t);
	at = (uint32_t)t->filters.len;
	for (i = 0; i < t->filters_n; i++)
		put_little(&t->filters, t->filter_at[i], 4);
	put_little(&t->filters, at, 4);
	buf_put_u8(&t->filters, FILTER_LOG);
}

/* --- entries ------------------------------------------------------------- */

/* Where the last key may be cut, its byte there one higher, and stay below
 * next (n 0: there is none); its length: nowhere. */
static size_t
cut_at(const struct buf *last, struct bytes next)
{
	size_t i = common(last, next);

	if (next.n == 0)
		while (i < last->len && (uint8_t)last->data[i] == 0xff)
			i++;
	else if (i == next.n || i == last->len ||
	    (uint8_t)last->data[i] + 1 >= next.p[i])
		return last->len;
	return i + 1 < last->len ? i : last->len;
}

/* What stands in the index for a block: a key not below its last and below
 * next, as short as it can be. */
static void
separate(struct db_table *t, struct bytes next)
{
	struct buf *last = &t->data.last, *s = &t->separator;
	size_t at = cut_at(last, next);

	buf_reset(s);
	buf_put(s, last->data, at);
	if (at < last->len) {
		buf_put_u8(s, (uint8_t)(last->data[at] + 1));
		put_little(s, SEEK_SEQUENCE, 8);
	} else
		db_table_put_trailer(s);
}

static void
index_pending(struct db_table *t, struct bytes next)
{
	struct buf place;

	if (!t->pending)
		return;
	buf_init(&place, 32);
	put_handle(&place, t->done);
	separate(t, next);
	block_put(&t->index, bytes_of(t->separator.data, t->separator.len),
	    bytes_of(NULL, 0), bytes_of(place.data, place.len));
	buf_fini(&place);
	t->pending = false;
}

static int
end_block(struct db_table *t, struct diag *why)
{
	block_end(&t->data);
	t->done = write_block(t, &t->data.data);
	t->pending = true;
	block_reset(&t->data);
	while (t->filters_n < t->offset >> FILTER_LOG)
		add_filter(t);
	return t->out.len < WRITE_BYTES ? 0 : flush(t, why);
}

int
db_table_begin(struct db_table **out, const char *path, struct diag *why)
{
	struct db_table *t = xcalloc(1, sizeof(*t));

	*out = NULL;
	t->path = xstrdup(path);
	block_init(&t->data, RESTART_EVERY);
	block_init(&t->index, 1);
	t->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (t->fd < 0) {
		int rc = diag_set(why, errno == EEXIST ? ERR_EXISTS :
		    err_from_errno(errno), "%s: %s", path, strerror(errno));

		db_table_free(&t);
		return rc;
	}
	*out = t;
	return 0;
}

int
db_table_put(struct db_table *t, struct bytes key, struct bytes val,
    struct diag *why)
{
	static const uint8_t trailer[DB_TABLE_TRAILER_LEN] = { 1,
	    DB_TABLE_SEQUENCE };

	index_pending(t, key);
	t->hash = xgrow(t->hash, &t->hashes_cap, t->hashes_n + 1,
	    sizeof(*t->hash));
	t->hash[t->hashes_n++] = bloom_hash(key);
	block_put(&t->data, key, bytes_of(trailer, sizeof(trailer)), val);
	return t->data.data.len < BLOCK_BYTES ? 0 : end_block(t, why);
}

uint64_t
db_table_size(const struct db_table *t)
{
	return t->offset + t->data.data.len;
}

struct bytes
db_table_last(const struct db_table *t)
{
	return bytes_of(t->data.last.data, t->data.last.len);
}

static void
put_tail(struct db_table *t)
{
	static const char name[] = BLOOM_NAME;
	struct handle filters, meta, index;
	struct block b = { .since = 0 };
	struct buf place;
	size_t begin;

	end_filters(t);
	filters = write_block(t, &t->filters);
	block_init(&b, RESTART_EVERY);
	buf_init(&place, 32);
	put_handle(&place, filters);
	block_put(&b, bytes_of(name, sizeof(name) - 1), bytes_of(NULL, 0),
	    bytes_of(place.data, place.len));
	block_end(&b);
	meta = write_block(t, &b.data);
	block_end(&t->index);
	index = write_block(t, &t->index.data);
	begin = t->out.len;
	put_handle(&t->out, meta);
	put_handle(&t->out, index);
	while (t->out.len - begin < FOOTER_LEN - 8)
		buf_put_u8(&t->out, 0);
	put_little(&t->out, MAGIC, 8);
	t->offset += FOOTER_LEN;
	buf_fini(&place);
	block_fini(&b);
}

int
db_table_finish(struct db_table *t, bool sync, struct diag *why)
{
	int rc = 0;

	if (t->data.data.len > 0)
		rc = end_block(t, why);
	index_pending(t, bytes_of(NULL, 0));
	put_tail(t);
	if (rc == 0 && (rc = flush(t, why)) == 0 && (sync ? fsync(t->fd) :
	    sync_file_range(t->fd, 0, 0, SYNC_FILE_RANGE_WRITE)) < 0 &&
	    sync)
		rc = diag_set(why, err_from_errno(errno), "%s: %s", t->path,
		    strerror(errno));
	return rc;
}

void
db_table_free(struct db_table **tp)
{
	struct db_table *t = *tp;

	if (t == NULL)
		return;
	if (t->fd >= 0)
		close(t->fd);
	block_fini(&t->data);
	block_fini(&t->index);
	buf_fini(&t->out);
	buf_fini(&t->separator);
	buf_fini(&t->filters);
	free(t->hash);
	free(t->filter_at);
	free(t->path);
	free(t);
	*tp = NULL;
}
