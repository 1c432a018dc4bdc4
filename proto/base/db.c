/*
 * db.c - LevelDB behind a few verbs; its error texts are mapped here, once.
 */
#include "proto/base/db.h"

#include <inttypes.h>
#include <leveldb/c.h>
#include <stdatomic.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/err.h"
#include "proto/base/file.h"

#define CACHE_BYTES ((size_t)16 << 20)
#define WRITE_BUFFER_BULK ((size_t)32 << 20)
#define WRITE_BUFFER_STREAM ((size_t)8 << 20)	/* see DB_ROOM */
#define TABLE_BYTES_LARGE ((size_t)32 << 20)
#define BLOOM_BITS 10
#define COPY_BATCH ((size_t)4 << 20)

struct db {
	leveldb_t *db;		/* NULL: could not be opened again */
	char *dir;
	atomic_bool failed;
	pthread_mutex_t mu;	/* over opening again, and */
	unsigned users;		/* .. views and iterators */
	leveldb_options_t *options;
	leveldb_cache_t *cache;
	leveldb_filterpolicy_t *bloom;		/* or NULL */
	leveldb_readoptions_t *read, *verify;
	leveldb_writeoptions_t *write, *sync;
};

struct db_batch { leveldb_writebatch_t *b; size_t bytes; };
struct db_view {
	const leveldb_snapshot_t *s;
	leveldb_readoptions_t *read, *verify;	/* of s, for any thread */
};
struct db_iter {
	struct db *d;
	leveldb_iterator_t *it;
	leveldb_readoptions_t *options;
};

/* Takes text. */
static int
map_error(char *text, const char *what, struct diag *why)
{
	int err = ERR_IO;

	if (strstr(text, "No space left") != NULL)
		err = ERR_FULL;
	else if (strncmp(text, "Corruption", 10) == 0)
		err = ERR_CORRUPT;
	else if (strstr(text, "does not exist") != NULL)
		err = ERR_NOENT;
	else if (strstr(text, "exists (error_if_exists") != NULL)
		err = ERR_EXISTS;
	else if (strstr(text, "LOCK") != NULL &&
	    (strstr(text, "already held") != NULL ||
	    strstr(text, "temporarily unavailable") != NULL))
		err = ERR_BUSY;
	diag_set(why, err, "%s: %s", what, text);
	leveldb_free(text);
	return err;
}

static void
set_options(struct db *d, int flags)
{
	d->options = leveldb_options_create();
	d->cache = leveldb_cache_create_lru(CACHE_BYTES);
	leveldb_options_set_cache(d->options, d->cache);
	leveldb_options_set_compression(d->options, (flags & DB_STREAM) != 0 ?
	    leveldb_snappy_compression : leveldb_no_compression);
	leveldb_options_set_create_if_missing(d->options,
	    (flags & (DB_CREATE | DB_NEW)) != 0);
	leveldb_options_set_error_if_exists(d->options,
	    (flags & DB_NEW) != 0);
	leveldb_options_set_paranoid_checks(d->options,
	    (flags & DB_PARANOID) != 0);
	if ((flags & DB_BULK) != 0)
		leveldb_options_set_write_buffer_size(d->options,
		    WRITE_BUFFER_BULK);
	if ((flags & DB_STREAM) != 0)
		leveldb_options_set_write_buffer_size(d->options,
		    WRITE_BUFFER_STREAM);
	if ((flags & (DB_LARGE | DB_STREAM)) != 0) {
		d->bloom = leveldb_filterpolicy_create_bloom(BLOOM_BITS);
		leveldb_options_set_filter_policy(d->options, d->bloom);
		leveldb_options_set_max_file_size(d->options,
		    TABLE_BYTES_LARGE);
	}
	d->read = leveldb_readoptions_create();
	d->verify = leveldb_readoptions_create();
	leveldb_readoptions_set_verify_checksums(d->verify, 1);
	d->write = leveldb_writeoptions_create();
	d->sync = leveldb_writeoptions_create();
	leveldb_writeoptions_set_sync(d->sync, 1);
}

int
db_open(struct db **out, const char *dir, int flags, struct diag *why)
{
	struct db *d = NULL;
	struct stat st;
	char *err = NULL;

	*out = NULL;
	/* Without this LevelDB makes the folder before it finds it empty. */
	if ((flags & (DB_CREATE | DB_NEW)) == 0 && stat(dir, &st) < 0)
		return diag_set(why, ERR_NOENT, "database %s is not there",
		    dir);
	d = xcalloc(1, sizeof(*d));
	d->dir = xstrdup(dir);
	pthread_mutex_init(&d->mu, NULL);
	set_options(d, flags);
	d->db = leveldb_open(d->options, dir, &err);
	if (err != NULL) {
		db_close(&d);
		return map_error(err, dir, why);
	}
	*out = d;
	return 0;
}

void
db_close(struct db **dp)
{
	struct db *d = *dp;

	if (d == NULL)
		return;
	if (d->db != NULL)
		leveldb_close(d->db);
	leveldb_options_destroy(d->options);
	leveldb_cache_destroy(d->cache);
	if (d->bloom != NULL)
		leveldb_filterpolicy_destroy(d->bloom);
	leveldb_readoptions_destroy(d->read);
	leveldb_readoptions_destroy(d->verify);
	leveldb_writeoptions_destroy(d->write);
	leveldb_writeoptions_destroy(d->sync);
	pthread_mutex_destroy(&d->mu);
	free(d->dir);
	free(d);
	*dp = NULL;
}

bool
db_has_failed(const struct db *d)
{
	return atomic_load(&d->failed);
}

void
db_fail(struct db *d)
{
	atomic_store(&d->failed, true);
}

int
db_reopen(struct db *d, struct diag *why)
{
	char *err = NULL;
	uint64_t room;
	int rc = file_free_space(d->dir, &room, why);

	if (rc < 0)
		return rc;
	if (room < DB_ROOM)
		return diag_set(why, ERR_FULL, "%s: the disk is full: %" PRIu64
		    " MB are free, %" PRIu64 " are needed to go on", d->dir,
		    room >> 20, DB_ROOM >> 20);
	pthread_mutex_lock(&d->mu);
	if (d->users > 0)
		rc = diag_set(why, ERR_BUSY, "%s: a write failed, and others "
		    "still read: try again soon", d->dir);
	else {
		if (d->db != NULL)
			leveldb_close(d->db);
		leveldb_options_set_error_if_exists(d->options, 0);
		d->db = leveldb_open(d->options, d->dir, &err);
		if (err != NULL) {
			d->db = NULL;
			rc = map_error(err, d->dir, why);
		} else
			atomic_store(&d->failed, false);
	}
	pthread_mutex_unlock(&d->mu);
	return rc;
}

static int
not_open(const struct db *d, struct diag *why)
{
	return diag_set(why, ERR_IO, "%s: closed after a failed write",
	    d->dir);
}

int
db_get(struct db *d, const struct db_view *view, const void *key,
    size_t key_len, bool verify, struct buf *out, struct diag *why)
{
	leveldb_readoptions_t *o = verify ? d->verify : d->read;
	char *err = NULL, *val;
	size_t len;

	if (d->db == NULL)
		return not_open(d, why);
	if (view != NULL)
		o = verify ? view->verify : view->read;
	val = leveldb_get(d->db, o, key, key_len, &len, &err);
	if (err != NULL)
		return map_error(err, "reading", why);
	if (val == NULL)
		return ERR_NOENT;
	buf_put(out, val, len);
	leveldb_free(val);
	return out->err;
}

struct db_batch *
db_batch_new(void)
{
	struct db_batch *b = xcalloc(1, sizeof(*b));

	b->b = leveldb_writebatch_create();
	return b;
}

void
db_batch_free(struct db_batch **b)
{
	if (*b == NULL)
		return;
	leveldb_writebatch_destroy((*b)->b);
	free(*b);
	*b = NULL;
}

void
db_batch_clear(struct db_batch *b)
{
	leveldb_writebatch_clear(b->b);
	b->bytes = 0;
}

void
db_batch_put(struct db_batch *b, const void *key, size_t key_len,
    const void *val, size_t val_len)
{
	leveldb_writebatch_put(b->b, key, key_len, val, val_len);
	b->bytes += key_len + val_len;
}

void
db_batch_del(struct db_batch *b, const void *key, size_t key_len)
{
	leveldb_writebatch_delete(b->b, key, key_len);
	b->bytes += key_len;
}

size_t
db_batch_bytes(const struct db_batch *b)
{
	return b->bytes;
}

int
db_write(struct db *d, const struct db_batch *b, bool sync,
    struct diag *why)
{
	char *err = NULL;

	if (d->db == NULL || atomic_load(&d->failed))
		return not_open(d, why);
	leveldb_write(d->db, sync ? d->sync : d->write, b->b, &err);
	if (err == NULL)
		return 0;
	atomic_store(&d->failed, true);
	return map_error(err, "writing", why);
}

struct db_view *
db_view_new(struct db *d)
{
	struct db_view *v = xcalloc(1, sizeof(*v));

	pthread_mutex_lock(&d->mu);
	v->s = d->db == NULL ? NULL : leveldb_create_snapshot(d->db);
	d->users += v->s != NULL;
	pthread_mutex_unlock(&d->mu);
	v->read = leveldb_readoptions_create();
	leveldb_readoptions_set_snapshot(v->read, v->s);
	v->verify = leveldb_readoptions_create();
	leveldb_readoptions_set_snapshot(v->verify, v->s);
	leveldb_readoptions_set_verify_checksums(v->verify, 1);
	return v;
}

void
db_view_free(struct db *d, struct db_view **v)
{
	if (*v == NULL)
		return;
	leveldb_readoptions_destroy((*v)->read);
	leveldb_readoptions_destroy((*v)->verify);
	if ((*v)->s != NULL) {
		pthread_mutex_lock(&d->mu);
		leveldb_release_snapshot(d->db, (*v)->s);
		d->users--;
		pthread_mutex_unlock(&d->mu);
	}
	free(*v);
	*v = NULL;
}

struct db_iter *
db_iter_new(struct db *d, const struct db_view *view)
{
	struct db_iter *i = xcalloc(1, sizeof(*i));

	i->options = leveldb_readoptions_create();
	leveldb_readoptions_set_verify_checksums(i->options, 1);
	leveldb_readoptions_set_fill_cache(i->options, 0);
	if (view != NULL)
		leveldb_readoptions_set_snapshot(i->options, view->s);
	i->d = d;
	pthread_mutex_lock(&d->mu);
	i->it = d->db == NULL ? NULL :
	    leveldb_create_iterator(d->db, i->options);
	d->users += i->it != NULL;
	pthread_mutex_unlock(&d->mu);
	return i;
}

void
db_iter_free(struct db_iter **i)
{
	if (*i == NULL)
		return;
	if ((*i)->it != NULL) {
		pthread_mutex_lock(&(*i)->d->mu);
		leveldb_iter_destroy((*i)->it);
		(*i)->d->users--;
		pthread_mutex_unlock(&(*i)->d->mu);
	}
	leveldb_readoptions_destroy((*i)->options);
	free(*i);
	*i = NULL;
}

void
db_iter_first(struct db_iter *i)
{
	if (i->it != NULL)
		leveldb_iter_seek_to_first(i->it);
}

void
db_iter_last(struct db_iter *i)
{
	if (i->it != NULL)
		leveldb_iter_seek_to_last(i->it);
}

void
db_iter_seek(struct db_iter *i, const void *key, size_t key_len)
{
	if (i->it != NULL)
		leveldb_iter_seek(i->it, key, key_len);
}

bool
db_iter_valid(const struct db_iter *i)
{
	return i->it != NULL && leveldb_iter_valid(i->it);
}

void
db_iter_next(struct db_iter *i)
{
	leveldb_iter_next(i->it);
}

void
db_iter_prev(struct db_iter *i)
{
	leveldb_iter_prev(i->it);
}

struct bytes
db_iter_key(const struct db_iter *i)
{
	size_t len;
	const char *p = leveldb_iter_key(i->it, &len);

	return bytes_of(p, len);
}

struct bytes
db_iter_value(const struct db_iter *i)
{
	size_t len;
	const char *p = leveldb_iter_value(i->it, &len);

	return bytes_of(p, len);
}

int
db_iter_error(const struct db_iter *i, struct diag *why)
{
	char *err = NULL;

	if (i->it == NULL)
		return diag_set(why, ERR_IO, "scanning: closed after a "
		    "failed write");
	leveldb_iter_get_error(i->it, &err);
	return err == NULL ? 0 : map_error(err, "scanning", why);
}

/* About the bytes of what sorts before key. */
static uint64_t
size_before(struct db *d, const char *key, size_t len)
{
	const char *from = "";
	size_t from_len = 0;
	uint64_t size = 0;

	pthread_mutex_lock(&d->mu);
	if (d->db != NULL)
		leveldb_approximate_sizes(d->db, 1, &from, &from_len, &key,
		    &len, &size);
	pthread_mutex_unlock(&d->mu);
	return size;
}

void
db_split(struct db *d, size_t n, uint8_t (*keys)[DB_SPLIT_LEN])
{
	static const char end[] = "\377\377\377\377\377\377\377\377\377";
	uint64_t all = size_before(d, end, sizeof(end) - 1), low, bit;
	size_t i;

	for (i = 0; i + 1 < n; i++) {
		uint64_t want = all / n * (i + 1);

		for (low = 0, bit = (uint64_t)1 << 63; bit > 0; bit >>= 1) {
			uint64_t key = htobe64(low | bit);

			if (size_before(d, (char *)&key, sizeof(key)) <= want)
				low |= bit;
		}
		low = htobe64(low);
		memcpy(keys[i], &low, DB_SPLIT_LEN);
	}
}

static int
compare(struct bytes a, const void *key, size_t len)
{
	size_t n = a.n < len ? a.n : len;
	int c = n == 0 ? 0 : memcmp(a.p, key, n);

	return c != 0 ? c : (a.n > len) - (a.n < len);
}

/* Where it should stand, and what stands before that. */
static int
find(struct db_iter *it, const void *key, size_t key_len, struct buf *out)
{
	int c;

	db_iter_seek(it, key, key_len);
	if (db_iter_valid(it)) {
		if ((c = compare(db_iter_key(it), key, key_len)) == 0) {
			struct bytes v = db_iter_value(it);

			buf_put(out, v.p, v.n);
			return out->err;
		}
		if (c < 0)
			return ERR_CORRUPT;
		db_iter_prev(it);
	} else
		db_iter_last(it);
	return db_iter_valid(it) && compare(db_iter_key(it), key,
	    key_len) >= 0 ? ERR_CORRUPT : ERR_NOENT;
}

int
db_get_surely(struct db *d, const struct db_view *view, const void *key,
    size_t key_len, struct buf *out, struct diag *why)
{
	struct db_iter *it = db_iter_new(d, view);
	int rc = find(it, key, key_len, out), err;

	if ((err = db_iter_error(it, why)) < 0)
		rc = err;
	else if (rc == ERR_CORRUPT)
		diag_set(why, rc, "%s: the index of a table is damaged",
		    d->dir);
	db_iter_free(&it);
	return rc;
}

int
db_copy(struct db *d, const struct db_view *view, const char *dir,
    const atomic_bool *stop, struct diag *why)
{
	struct db_iter *it = db_iter_new(d, view);
	struct db_batch *b = db_batch_new();
	struct db *to = NULL;
	int rc = db_open(&to, dir, DB_NEW | DB_BULK, why);

	for (db_iter_first(it); rc == 0 && db_iter_valid(it);
	    db_iter_next(it)) {
		struct bytes k = db_iter_key(it), v = db_iter_value(it);

		db_batch_put(b, k.p, k.n, v.p, v.n);
		if (db_batch_bytes(b) < COPY_BATCH)
			continue;
		rc = stop != NULL && atomic_load(stop) ? diag_set(why,
		    ERR_TIMEOUT, "the copy was ended") :
		    db_write(to, b, false, why);
		db_batch_clear(b);
	}
	if (rc == 0)
		rc = db_iter_error(it, why);
	if (rc == 0)
		rc = db_write(to, b, true, why);	/* and all before it */
	db_iter_free(&it);
	db_batch_free(&b);
	db_close(&to);
	return rc;
}

void
db_compact(struct db *d)
{
	leveldb_compact_range(d->db, NULL, 0, NULL, 0);
}
