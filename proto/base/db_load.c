/*
 * db_load.c - tables, the manifest that lists them, and CURRENT.
 *
 * MANIFEST is a log of one record (LevelDB's doc/log_format.md): blocks of 32
 * KiB of u32 masked CRC-32C over kind and data, u16 length, u8 kind (whole,
 * first, middle, last), data.  The record is numbers under tags, as LevelDB's
 * VersionEdit has them: what compares keys, logs and files counted, and each
 * table with its level, number, length, smallest and largest key.
 */
#include "proto/base/db_load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/crc32c.h"
#include "proto/base/db_table.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define PATH_LEN 1400
#define TABLE_BYTES ((uint64_t)32 << 20)
#define COMPARATOR "leveldb.BytewiseComparator"
#define MANIFEST_NUMBER 2
#define LEVEL_MAX 6
#define LEVEL_1_BYTES ((uint64_t)10 << 20)	/* the next: ten times that */
#define LOG_BLOCK 32768
#define LOG_HEAD 7

enum tag { TAG_COMPARATOR = 1, TAG_LOG = 2, TAG_NEXT_FILE = 3,
    TAG_LAST_SEQUENCE = 4, TAG_NEW_FILE = 7, TAG_PREVIOUS_LOG = 9 };
enum kind { KIND_WHOLE = 1, KIND_FIRST, KIND_MIDDLE, KIND_LAST };

struct range {
	uint64_t number, size;
	char *first, *last;		/* keys */
	size_t first_len, last_len;
};

struct db_load {
	char dir[1024];
	struct db_table *table;		/* or NULL: none begun */
	struct range *range;		/* of each table, the open one too */
	size_t n, cap;
	struct buf last;		/* key of this range; empty: none */
	int rc;				/* of what failed; then nothing goes */
};

static void
path_of(const struct db_load *l, uint64_t number, char out[PATH_LEN])
{
	snprintf(out, PATH_LEN, "%s/%06" PRIu64 ".ldb", l->dir, number);
}

int
db_load_begin(struct db_load **out, const char *dir, struct diag *why)
{
	struct db_load *l;

	*out = NULL;
	if (mkdir(dir, 0700) < 0)
		return diag_set(why, errno == EEXIST ? ERR_EXISTS :
		    err_from_errno(errno), "%s: %s", dir, strerror(errno));
	l = xcalloc(1, sizeof(*l));
	snprintf(l->dir, sizeof(l->dir), "%s", dir);
	*out = l;
	return 0;
}

void
db_load_free(struct db_load **lp)
{
	struct db_load *l = *lp;
	size_t i;

	if (l == NULL)
		return;
	db_table_free(&l->table);
	for (i = 0; i < l->n; i++) {
		free(l->range[i].first);
		free(l->range[i].last);
	}
	free(l->range);
	buf_fini(&l->last);
	free(l);
	*lp = NULL;
}

static char *
copy(struct bytes b)
{
	char *p = xmalloc(b.n + 1);

	memcpy(p, b.p, b.n);
	return p;
}

static int
begin_table(struct db_load *l, struct bytes key, struct diag *why)
{
	char path[PATH_LEN];
	struct range *r;

	l->range = xgrow(l->range, &l->cap, l->n + 1, sizeof(*l->range));
	r = &l->range[l->n++];
	memset(r, 0, sizeof(*r));
	r->number = MANIFEST_NUMBER + l->n;
	r->first = copy(key);
	r->first_len = key.n;
	path_of(l, r->number, path);
	return db_table_begin(&l->table, path, why);
}

static int
end_table(struct db_load *l, struct diag *why)
{
	struct range *r;
	struct bytes last;
	int rc;

	if (l->table == NULL)
		return 0;
	r = &l->range[l->n - 1];
	last = db_table_last(l->table);
	r->last = copy(last);
	r->last_len = last.n;
	rc = db_table_finish(l->table, false, why);
	r->size = db_table_size(l->table);
	db_table_free(&l->table);
	return rc;
}

static bool
rises(const struct db_load *l, struct bytes key)
{
	size_t n = key.n < l->last.len ? key.n : l->last.len;
	int c = n == 0 ? 0 : memcmp(key.p, l->last.data, n);

	return c > 0 || (c == 0 && key.n > l->last.len);
}

int
db_load_put(struct db_load *l, struct bytes key, struct bytes val,
    struct diag *why)
{
	if (l->rc < 0)
		return diag_set(why, l->rc, "%s: failed before", l->dir);
	if (!rises(l, key))
		return diag_set(why, ERR_INVAL, "%s: keys do not rise",
		    l->dir);
	buf_reset(&l->last);
	buf_put(&l->last, key.p, key.n);
	if (l->table != NULL && db_table_size(l->table) >= TABLE_BYTES)
		l->rc = end_table(l, why);
	if (l->rc == 0 && l->table == NULL)
		l->rc = begin_table(l, key, why);
	if (l->rc == 0)
		l->rc = db_table_put(l->table, key, val, why);
	return l->rc;
}

int
db_load_range(struct db_load *l, struct diag *why)
{
	if (l->rc == 0)
		l->rc = end_table(l, why);
	buf_reset(&l->last);
	return l->rc;
}

/* --- the manifest -------------------------------------------------------- */

static int
by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	size_t n = x->first_len < y->first_len ? x->first_len : y->first_len;
	int c = memcmp(x->first, y->first, n);

	return c != 0 ? c : (x->first_len > y->first_len) -
	    (x->first_len < y->first_len);
}

static int
check_ranges(struct db_load *l, struct diag *why)
{
	size_t i;

	if (l->n > 1)
		qsort(l->range, l->n, sizeof(*l->range), by_first);
	for (i = 1; i < l->n; i++) {
		const struct range *r = &l->range[i - 1];
		struct range last = { .first = r->last,
		    .first_len = r->last_len };

		if (by_first(&last, &l->range[i]) >= 0)
			return diag_set(why, ERR_INVAL, "%s: ranges of keys "
			    "overlap", l->dir);
	}
	return 0;
}

/* The level where so much rests: below what makes LevelDB move it on, with
 * room for changes. */
static unsigned
level_for(const struct db_load *l)
{
	uint64_t bytes = 0, limit = LEVEL_1_BYTES * 10;
	unsigned level = 2;
	size_t i;

	for (i = 0; i < l->n; i++)
		bytes += l->range[i].size;
	for (; level < LEVEL_MAX && bytes > limit / 2; level++)
		limit *= 10;
	return level;
}

static void
put_number(struct buf *b, enum tag tag, uint64_t v)
{
	db_table_put_varint(b, tag);
	db_table_put_varint(b, v);
}

static void
put_key(struct buf *b, const char *key, size_t len)
{
	db_table_put_varint(b, len + DB_TABLE_TRAILER_LEN);
	buf_put(b, key, len);
	db_table_put_trailer(b);
}

static void
put_edit(const struct db_load *l, struct buf *b)
{
	unsigned level = level_for(l);
	size_t i;

	db_table_put_varint(b, TAG_COMPARATOR);
	db_table_put_varint(b, sizeof(COMPARATOR) - 1);
	buf_puts(b, COMPARATOR);
	put_number(b, TAG_LOG, 0);
	put_number(b, TAG_PREVIOUS_LOG, 0);
	put_number(b, TAG_NEXT_FILE, MANIFEST_NUMBER + l->n + 1);
	put_number(b, TAG_LAST_SEQUENCE, DB_TABLE_SEQUENCE);
	for (i = 0; i < l->n; i++) {
		const struct range *r = &l->range[i];

		put_number(b, TAG_NEW_FILE, level);
		db_table_put_varint(b, r->number);
		db_table_put_varint(b, r->size);
		put_key(b, r->first, r->first_len);
		put_key(b, r->last, r->last_len);
	}
}

static void
put_log(struct buf *out, const struct buf *record)
{
	size_t off = 0, n;

	do {
		uint8_t head[LOG_HEAD], kind;
		uint32_t sum;

		n = record->len - off;
		if (n > LOG_BLOCK - LOG_HEAD)
			n = LOG_BLOCK - LOG_HEAD;
		kind = off == 0 && n == record->len ? KIND_WHOLE : off == 0 ?
		    KIND_FIRST : off + n == record->len ? KIND_LAST :
		    KIND_MIDDLE;
		sum = crc32c(crc32c(0, &kind, 1), record->data + off, n);
		sum = (sum >> 15 | sum << 17) + 0xa282ead8u;
		head[0] = (uint8_t)sum;
		head[1] = (uint8_t)(sum >> 8);
		head[2] = (uint8_t)(sum >> 16);
		head[3] = (uint8_t)(sum >> 24);
		head[4] = (uint8_t)n;
		head[5] = (uint8_t)(n >> 8);
		head[6] = kind;
		buf_put(out, head, sizeof(head));
		buf_put(out, record->data + off, n);
		off += n;
	} while (off < record->len);
}

static int
write_manifest(const struct db_load *l, struct diag *why)
{
	char path[PATH_LEN], text[64];
	struct buf edit, log;
	int rc;

	buf_init(&edit, 0);
	buf_init(&log, 0);
	put_edit(l, &edit);
	put_log(&log, &edit);
	snprintf(path, sizeof(path), "%s/MANIFEST-%06d", l->dir,
	    MANIFEST_NUMBER);
	rc = edit.err != 0 || log.err != 0 ? ERR_NOMEM : file_write(path,
	    log.data, log.len, 0600, why);
	buf_fini(&edit);
	buf_fini(&log);
	snprintf(text, sizeof(text), "MANIFEST-%06d\n", MANIFEST_NUMBER);
	snprintf(path, sizeof(path), "%s/CURRENT", l->dir);
	return rc < 0 ? rc : file_write(path, text, strlen(text), 0600, why);
}

/* The disk began with each when it was closed. */
static int
sync_tables(const struct db_load *l, struct diag *why)
{
	char path[PATH_LEN];
	size_t i;
	int fd, rc = 0;

	for (i = 0; i < l->n && rc == 0; i++) {
		path_of(l, l->range[i].number, path);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0)
			rc = diag_set(why, err_from_errno(errno), "%s: %s",
			    path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return rc;
}

int
db_load_finish(struct db_load *l, struct diag *why)
{
	if (l->rc < 0)
		return diag_set(why, l->rc, "%s: failed before", l->dir);
	if ((l->rc = end_table(l, why)) == 0 &&
	    (l->rc = check_ranges(l, why)) == 0 &&
	    (l->rc = sync_tables(l, why)) == 0)
		l->rc = write_manifest(l, why);
	return l->rc;
}
