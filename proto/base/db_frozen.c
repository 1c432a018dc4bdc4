/*
 * db_frozen.c - tables mapped, one sorted list of all their blocks.
 *
 * The form of a table is drawn in db_table.c.  A block stands in the list
 * under a key not below its last one and below the next block's first.  Each
 * read is held against the end of what it reads from: bytes of a file may be
 * anything.
 */
#include "proto/base/db_frozen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/crc32c.h"
#include "proto/base/db_table.h"
#include "proto/base/err.h"

#define FOOTER_LEN 48
#define BLOCK_TAIL 5			/* kind, sum */
#define MAGIC 0xdb4775248b80fb57u
#define PUT 1				/* low byte of a trailer */
#define LINE 64				/* of the cache */
#define RUN_BYTES 768			/* most of sixteen entries' */

struct table {
	const uint8_t *map;
	size_t len;
	struct bytes first, last;	/* keys; in the map, or in key */
	struct buf key;
};

/* The first 16 bytes of a key as a number that compares as it does. */
__extension__ typedef unsigned __int128 head;

struct block {
	const uint8_t *p;
	const uint8_t *until;		/* its key in the list */
	uint32_t len, until_len;
};

struct db_frozen {
	struct table *table;
	size_t tables_n, tables_cap;
	head *head;			/* of each block's key */
	struct block *block;
	size_t n, cap;
};

/* One entry of a block. */
struct entry { uint32_t shared; struct bytes rest, value; };

static inline bool
take_varint(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
	uint64_t v = 0;
	int shift;

	if (*p < end && **p < 0x80) {
		*out = *(*p)++;
		return true;
	}
	for (shift = 0; *p < end && shift < 63; shift += 7) {
		uint8_t c = *(*p)++;

		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*out = v;
			return true;
		}
	}
	return false;
}

static inline bool
take_entry(const uint8_t **p, const uint8_t *end, struct entry *e)
{
	uint64_t shared, rest, value;

	if (!take_varint(p, end, &shared) || !take_varint(p, end, &rest) ||
	    !take_varint(p, end, &value) || shared > UINT32_MAX ||
	    rest > (uint64_t)(end - *p) ||
	    value > (uint64_t)(end - *p) - rest)
		return false;
	e->shared = (uint32_t)shared;
	e->rest = (struct bytes){ *p, rest, 0 };
	e->value = (struct bytes){ *p + rest, value, 0 };
	*p += rest + value;
	return true;
}

static inline uint32_t
little32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

/* Where the entries of a block end, and how often keys stand whole. */
static inline bool
entries_end(const uint8_t *p, size_t len, const uint8_t **end,
    uint32_t *restarts)
{
	uint32_t n = len < 4 ? 0 : little32(p + len - 4);

	if (n == 0 || n > (len - 4) / 4)
		return false;
	*end = p + len - 4 - 4 * (size_t)n;
	*restarts = n;
	return true;
}

static inline uint64_t
big64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

static inline head
head_of(struct bytes key)
{
	uint8_t pad[16] = { 0 };

	if (key.n >= 16)
		return (head)big64(key.p) << 64 | big64(key.p + 8);
	memcpy(pad, key.p, key.n);
	return (head)big64(pad) << 64 | big64(pad + 8);
}

static int
compare(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

/* --- a look --------------------------------------------------------------- */

/* The first block whose key in the list does not begin below h; n: none. */
static inline size_t
find_head(const struct db_frozen *f, head h)
{
	const head *at = f->head;
	size_t n = f->n;

	while (n > 1) {
		const size_t half = n / 2;

		/* no branch: which way is chance */
		at += half & -(size_t)(at[half - 1] < h);
		n -= half;
	}
	return (size_t)(at - f->head) + (*at < h);
}

/* The first block whose key in the list is not below key; n: none. */
static inline size_t
find_block(const struct db_frozen *f, struct bytes key)
{
	head h = head_of(key);
	size_t at = find_head(f, h), end;

	if (at == f->n || f->head[at] != h)
		return at;
	end = h + 1 == 0 ? f->n : find_head(f, h + 1);
	while (at < end) {			/* they begin alike */
		size_t mid = at + (end - at) / 2;

		if (compare(bytes_of(f->block[mid].until,
		    f->block[mid].until_len), key) < 0)
			at = mid + 1;
		else
			end = mid;
	}
	return at;
}

/* The key of the entry at p, where keys stand whole. */
static inline bool
whole_key(const uint8_t *p, const uint8_t *end, struct bytes *key)
{
	struct entry e;

	if (p >= end || !take_entry(&p, end, &e) || e.shared != 0 ||
	    e.rest.n < DB_TABLE_TRAILER_LEN)
		return false;
	*key = (struct bytes){ e.rest.p, e.rest.n - DB_TABLE_TRAILER_LEN, 0 };
	return true;
}

/* The last place where a key stands whole and is not above key. */
static inline const uint8_t *
find_restart(const uint8_t *p, const uint8_t *end, uint32_t n,
    struct bytes key)
{
	uint32_t low = 0, high = n - 1;
	struct bytes k;

	while (low < high) {
		uint32_t mid = (low + high + 1) / 2;
		uint32_t at = little32(end + 4 * (size_t)mid);

		if (at >= (size_t)(end - p) || !whole_key(p + at, end, &k))
			return NULL;
		if (compare(k, key) <= 0)
			low = mid;
		else
			high = mid - 1;
	}
	low = little32(end + 4 * (size_t)low);
	return low >= (size_t)(end - p) ? NULL : p + low;
}

/*
 * Follow the entries from p on; `same` bytes are what the last one, which was
 * below key, has in common with it.  One that shares more with the last is
 * below too, one that shares less is above.
 */
static inline bool
find_entry(const uint8_t *p, const uint8_t *end, struct bytes key,
    struct bytes *value)
{
	size_t same = 0, i, n, len;
	struct entry e;

	for (i = LINE; i < RUN_BYTES; i += LINE)
		__builtin_prefetch(p + i);
	while (p < end) {
		if (!take_entry(&p, end, &e) ||
		    e.rest.n < DB_TABLE_TRAILER_LEN || e.shared < same)
			return false;
		if (e.shared > same)
			continue;
		len = e.rest.n - DB_TABLE_TRAILER_LEN;
		n = key.n - same < len ? key.n - same : len;
		for (i = 0; i < n && e.rest.p[i] == key.p[same + i]; i++)
			continue;
		if (i == n && same + n == key.n && len == n) {
			*value = e.value;
			return e.rest.p[len] == PUT;
		}
		if (i == n ? same + n == key.n :
		    e.rest.p[i] > key.p[same + i])
			return false;		/* above */
		same += i;
	}
	return false;
}

bool
db_frozen_get(const struct db_frozen *f, struct bytes key,
    struct bytes *value)
{
	size_t i = find_block(f, key);
	const struct block *b = &f->block[i];
	const uint8_t *end, *p;
	uint32_t restarts;

	if (i == f->n)
		return false;
	__builtin_prefetch(b->p + b->len);	/* where restarts are told */
	return b->p[b->len] == 0 &&
	    entries_end(b->p, b->len, &end, &restarts) &&
	    (p = find_restart(b->p, end, restarts, key)) != NULL &&
	    find_entry(p, end, key, value);
}

/* --- tables --------------------------------------------------------------- */

/* A block that the bytes at *p name, of which the sum is right or not asked. */
static bool
take_block(const struct table *t, const uint8_t **p, const uint8_t *end,
    bool verify, struct bytes *out)
{
	uint64_t at, len;
	uint32_t sum;

	if (!take_varint(p, end, &at) || !take_varint(p, end, &len) ||
	    at > t->len || len > UINT32_MAX || t->len - at < BLOCK_TAIL ||
	    len > t->len - at - BLOCK_TAIL)
		return false;
	*out = bytes_of(t->map + at, len);
	if (!verify)
		return true;
	sum = crc32c(0, out->p, len + 1);
	sum = (sum >> 15 | sum << 17) + 0xa282ead8u;
	return out->p[len] == 0 && little32(out->p + len + 1) == sum;
}

static int
add_block(struct db_frozen *f, struct bytes data, struct bytes until)
{
	if (f->n == f->cap)
		return ERR_CORRUPT;	/* GCOVR_EXCL_LINE: were counted */
	if (f->n > 0 && compare(bytes_of(f->block[f->n - 1].until,
	    f->block[f->n - 1].until_len), until) >= 0)
		return ERR_VERSION;
	f->head[f->n] = head_of(until);
	f->block[f->n++] = (struct block){ data.p, until.p,
	    (uint32_t)data.n, (uint32_t)until.n };
	return 0;
}

static bool
index_of(const struct table *t, bool verify, struct bytes *index)
{
	const uint8_t *p, *end = t->map + t->len - 8;
	struct bytes meta;

	if (t->len < FOOTER_LEN || __builtin_bswap64(big64(end)) != MAGIC)
		return false;
	p = t->map + t->len - FOOTER_LEN;
	return take_block(t, &p, end, false, &meta) &&
	    take_block(t, &p, end, verify, index);
}

/* The last key of a block, whole. */
static bool
last_key(struct bytes block, struct buf *key)
{
	const uint8_t *p = block.p, *end;
	uint32_t restarts;
	struct entry e;

	if (!entries_end(block.p, block.n, &end, &restarts))
		return false;
	while (p < end) {
		if (!take_entry(&p, end, &e) || e.shared > key->len)
			return false;
		key->len = e.shared;
		buf_put(key, e.rest.p, e.rest.n);
	}
	if (key->err != 0 || key->len < DB_TABLE_TRAILER_LEN)
		return false;
	key->len -= DB_TABLE_TRAILER_LEN;
	return true;
}

/* The entry of the index at *p: a block, and its key there. */
static bool
take_index(const struct table *t, const uint8_t **p, const uint8_t *end,
    struct bytes *block, struct bytes *until)
{
	const uint8_t *at;
	struct entry e;

	if (!take_entry(p, end, &e) || e.shared != 0 ||
	    e.rest.n < DB_TABLE_TRAILER_LEN)
		return false;
	*until = bytes_of(e.rest.p, e.rest.n - DB_TABLE_TRAILER_LEN);
	at = e.value.p;
	return take_block(t, &at, at + e.value.n, false, block);
}

/* Its first and last keys, as the index may put the last one higher; *blocks
 * counts. */
static int
find_range(struct table *t, size_t *blocks)
{
	struct bytes index, block, until;
	const uint8_t *p, *end;
	uint32_t n;

	if (!index_of(t, true, &index) ||
	    !entries_end(index.p, index.n, &end, &n))
		return ERR_CORRUPT;
	p = index.p;
	if (!take_index(t, &p, end, &block, &until) || block.n < 4 ||
	    !whole_key(block.p, block.p + block.n - 4, &t->first))
		return ERR_CORRUPT;
	for (++*blocks; p < end; ++*blocks) {
		if (!take_index(t, &p, end, &block, &until))
			return ERR_CORRUPT;
	}
	if (!last_key(block, &t->key))
		return ERR_CORRUPT;
	t->last = bytes_of(t->key.data, t->key.len);
	return 0;
}

static int
add_blocks(struct db_frozen *f, const struct table *t)
{
	struct bytes index, block, until;
	const uint8_t *p, *end;
	uint32_t n;
	int rc = 0;

	if (!index_of(t, false, &index) ||
	    !entries_end(index.p, index.n, &end, &n))
		return ERR_CORRUPT;	/* GCOVR_EXCL_LINE: was just whole */
	for (p = index.p; rc == 0 && p < end;) {
		if (!take_index(t, &p, end, &block, &until))
			return ERR_CORRUPT;
		rc = add_block(f, block, p < end ? until : t->last);
	}
	return rc;
}

static int
map_table(struct db_frozen *f, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), rc = 0;
	struct table t = { .map = NULL };
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0)
		rc = err_from_errno(errno);
	else if (st.st_size < FOOTER_LEN)
		rc = ERR_CORRUPT;
	else if ((map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
	    fd, 0)) == MAP_FAILED)
		rc = err_from_errno(errno);
	else {
		t.map = map;
		t.len = (size_t)st.st_size;
		buf_init(&t.key, 1 << 20);
		f->table = xgrow(f->table, &f->tables_cap, f->tables_n + 1,
		    sizeof(t));
		f->table[f->tables_n++] = t;
		rc = find_range(&f->table[f->tables_n - 1], &f->cap);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
by_first(const void *a, const void *b)
{
	return compare(((const struct table *)a)->first,
	    ((const struct table *)b)->first);
}

static int
map_all(struct db_frozen *f, DIR *d)
{
	struct dirent *e;
	int rc = 0;

	while (rc == 0 && (e = readdir(d)) != NULL) {
		const char *end = strrchr(e->d_name, '.');

		if (end == NULL)
			continue;
		if (strcmp(end, ".log") == 0)
			rc = ERR_VERSION;	/* records may be in it */
		else if (strcmp(end, ".ldb") == 0)
			rc = map_table(f, dirfd(d), e->d_name);
	}
	return rc;
}

static int
list_blocks(struct db_frozen *f)
{
	size_t i;
	int rc = 0;

	if (f->tables_n == 0)
		return ERR_NOENT;
	f->head = xcalloc_pages(f->cap, sizeof(*f->head));
	f->block = xcalloc_pages(f->cap, sizeof(*f->block));
	qsort(f->table, f->tables_n, sizeof(f->table[0]), by_first);
	for (i = 0; rc == 0 && i < f->tables_n; i++) {
		if (i > 0 && compare(f->table[i - 1].last,
		    f->table[i].first) >= 0)
			return ERR_VERSION;
		rc = add_blocks(f, &f->table[i]);
	}
	return rc;
}

int
db_frozen_open(struct db_frozen **out, const char *dir, struct diag *why)
{
	struct db_frozen *f;
	DIR *d = opendir(dir);
	int rc;

	*out = NULL;
	if (d == NULL)
		return diag_set(why, err_from_errno(errno), "%s: %s", dir,
		    strerror(errno));
	f = xcalloc(1, sizeof(*f));
	if ((rc = map_all(f, d)) == 0)
		rc = list_blocks(f);
	closedir(d);
	if (rc < 0) {
		db_frozen_close(&f);
		return diag_set(why, rc, "%s: its tables are %s", dir,
		    rc == ERR_VERSION ? "of another form" :
		    rc == ERR_NOENT ? "missing" : "damaged");
	}
	*out = f;
	return 0;
}

void
db_frozen_close(struct db_frozen **fp)
{
	struct db_frozen *f = *fp;
	size_t i;

	*fp = NULL;
	if (f == NULL)
		return;
	for (i = 0; i < f->tables_n; i++) {
		munmap((void *)(uintptr_t)f->table[i].map, f->table[i].len);
		buf_fini(&f->table[i].key);
	}
	free(f->table);
	free(f->head);
	free(f->block);
	free(f);
}
