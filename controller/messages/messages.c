/*
 * messages.c - the message center's rows, indexes and counters.
 *
 *	place: u64 time, 10 id, node		(node: 1 to 63 bytes)
 *	'M' place			-> the event as it came
 *	'I' id 0 place			-> ""
 *	'R' recipient or primary 0 place -> ""
 *	'S' sender or header From 0 place -> ""
 *	'T' sender 0 recipient 0 u16 day -> u64 refusals, i64 last time
 *	'W' 8 spool id, node		-> u64 next sequence
 *	'N'				-> u64 rows
 *
 * Big-endian.  Each index is a prefix and then places, so that one loop reads
 * all of them backwards, and 'M' too.  The deletion of a row finds its index
 * keys by decoding it.
 */
#include "controller/messages/messages.h"

#include <stdlib.h>
#include <string.h>

#include "controller/messages/messages_impl.h"
#include "proto/base/db.h"
#include "proto/base/err.h"

#define EXPIRE_BATCH 1000
_Static_assert(KEY_SET_MAX >= EVENTS_MAX, "keys of one batch");

/* A batch on its way to the disk. */
struct put {
	struct messages *m;
	const char *node;
	int64_t now_us;
	struct db_batch *batch;
	struct key_set *counts;	/* touched by the batch, with .. */
	struct count *count;	/* .. what they shall become */
	struct key_set *rows;	/* in the batch */
};

/* --- keys ----------------------------------------------------------------- */

static void
key_watermark(struct key *k, const char *node, const uint8_t spool_id[8])
{
	key_begin(k, 'W');
	key_add(k, spool_id, 8);
	key_add(k, node, strlen(node));
}

/* --- reading one value ---------------------------------------------------- */

/* Up to n numbers of 8 bytes into v; all 0 when the key is absent. */
static int
get_numbers(struct messages *m, const struct key *k, uint64_t *v, size_t n,
    struct diag *why)
{
	struct buf b;
	struct bytes in;
	size_t i;
	int err;

	memset(v, 0, n * sizeof(*v));
	buf_init(&b, 0);
	err = db_get(m->db, NULL, k->p, k->n, true, &b, why);
	if (err == 0) {
		in = bytes_of(b.data, b.len);
		for (i = 0; i < n; i++)
			v[i] = bytes_u64(&in);
		if (in.err != 0 || in.n != 0)
			err = diag_set(why, ERR_CORRUPT,
			    "message center: a counter is damaged");
	} else if (err == ERR_NOENT) {
		err = 0;
	}
	buf_fini(&b);
	return err;
}

static void
put_numbers(struct db_batch *b, struct bytes k, uint64_t first,
    const int64_t *second)
{
	struct key v = { .n = 0 };

	key_u64(&v, first);
	if (second != NULL)
		key_u64(&v, (uint64_t)*second);
	db_batch_put(b, k.p, k.n, v.p, v.n);
}

/* --- open and close ------------------------------------------------------- */

int
messages_open(struct messages **out, const char *dir, struct diag *why)
{
	struct messages *m = xcalloc(1, sizeof(*m));
	struct key k;
	int err;

	*out = NULL;
	pthread_mutex_init(&m->lock, NULL);
	pthread_rwlock_init(&m->use, NULL);
	m->batch_counts = key_set_new();
	m->batch_rows = key_set_new();
	m->batch_count = xcalloc(EVENTS_MAX, sizeof(*m->batch_count));
	/* no DB_PARANOID: the zeroed tail of a write that nobody was told of
	 * would keep the only copy shut */
	err = db_open(&m->db, dir, DB_CREATE | DB_STREAM, why);
	if (err == 0) {
		key_begin(&k, 'N');
		err = get_numbers(m, &k, &m->rows, 1, why);
	}
	if (err == 0) {
		*out = m;
		m = NULL;
	}
	messages_close(&m);
	return err;
}

void
messages_close(struct messages **mp)
{
	struct messages *m = *mp;

	if (m == NULL)
		return;
	db_close(&m->db);
	key_set_free(&m->batch_counts);
	key_set_free(&m->batch_rows);
	free(m->batch_count);
	pthread_mutex_destroy(&m->lock);
	pthread_rwlock_destroy(&m->use);
	free(m);
	*mp = NULL;
}

uint64_t
messages_count(struct messages *m)
{
	uint64_t n;

	pthread_mutex_lock(&m->lock);
	n = m->rows;
	pthread_mutex_unlock(&m->lock);
	return n;
}

/* --- storing -------------------------------------------------------------- */

/* Call fn for each index key of e; the keys end with place. */
static void
each_index(const struct event *e, const struct key *place,
    void (*fn)(struct db_batch *, const struct key *), struct db_batch *b)
{
	const struct { char kind; const char *text; bool wanted; } index[] = {
		{ 'I', e->id, true },
		{ 'R', e->recipient, true },
		{ 'R', e->primary, e->primary[0] != '\0' &&
		    strcmp(e->primary, e->recipient) != 0 },
		{ 'S', e->sender, true },
		{ 'S', e->header_from, e->header_from[0] != '\0' &&
		    strcmp(e->header_from, e->sender) != 0 },
	};
	struct key k;
	size_t i;

	for (i = 0; i < sizeof(index) / sizeof(index[0]); i++) {
		if (!index[i].wanted)
			continue;
		key_text(&k, index[i].kind, index[i].text);
		key_add(&k, place->p, place->n);
		fn(b, &k);
	}
}

static void
index_put(struct db_batch *b, const struct key *k)
{
	db_batch_put(b, k->p, k->n, "", 0);
}

static void
index_del(struct db_batch *b, const struct key *k)
{
	db_batch_del(b, k->p, k->n);
}

static int
raise_count(struct put *p, const struct event *e, struct diag *why)
{
	const char *user = e->primary[0] != '\0' ? e->primary : e->recipient;
	uint16_t day = day_of(e->time_us);
	uint8_t tail[2] = { (uint8_t)(day >> 8), (uint8_t)day };
	struct count *c;
	struct key k;
	uint64_t was[2];
	bool is_new;
	size_t i;
	int err;

	key_text(&k, 'T', e->sender);
	key_add(&k, user, strlen(user) + 1);
	key_add(&k, tail, sizeof(tail));
	i = key_set_put(p->counts, k.p, k.n, &is_new);
	c = &p->count[i];
	if (is_new) {
		if ((err = get_numbers(p->m, &k, was, 2, why)) != 0)
			return err;
		*c = (struct count){ .n = was[0], .last_us = (int64_t)was[1] };
	}
	c->n += e->repeats;
	if (c->last_us < e->time_us)
		c->last_us = e->time_us;
	return 0;
}

/* 1 when the row is there or in the batch, 0 when not, else an error. */
static int
is_known(struct put *p, const struct key *row, struct diag *why)
{
	struct buf b;
	int err;

	if (key_set_has(p->rows, row->p, row->n))
		return 1;
	buf_init(&b, 0);
	err = db_get(p->m->db, NULL, row->p, row->n, true, &b, why);
	buf_fini(&b);
	return err == 0 ? 1 : err == ERR_NOENT ? 0 : err;
}

static int
put_one(struct put *p, struct bytes raw, size_t *refused, struct diag *why)
{
	struct event e;
	struct key row, place = { .n = 0 };
	bool is_new;
	int err;

	if (event_decode(&e, raw, NULL) != 0 ||
	    strlen(e.id) != REPLY_ID_LEN) {
		++*refused;
		return 0;
	}
	if (e.time_us > p->now_us)
		e.time_us = p->now_us;
	key_u64(&place, (uint64_t)e.time_us);
	key_add(&place, e.id, REPLY_ID_LEN);
	key_add(&place, p->node, strlen(p->node));
	key_begin(&row, 'M');
	key_add(&row, place.p, place.n);
	/* reported twice under two sequences: the first one stays */
	if ((err = is_known(p, &row, why)) != 0)
		return err > 0 ? 0 : err;
	if (e.verdict == VERDICT_REJECT &&
	    message_status(&e) != STATUS_OBSERVED &&
	    (err = raise_count(p, &e, why)) != 0)
		return err;
	db_batch_put(p->batch, row.p, row.n, raw.p, raw.n);
	each_index(&e, &place, index_put, p->batch);
	key_set_put(p->rows, row.p, row.n, &is_new);
	return 0;
}

static int
put_write(struct put *p, const struct key *mark, uint64_t next,
    struct diag *why)
{
	struct messages *m = p->m;
	struct key rows = { .n = 0 };
	size_t i;
	int err;

	for (i = 0; i < key_set_n(p->counts); i++) {
		struct bytes k = key_set_key(p->counts, i);

		put_numbers(p->batch, k, p->count[i].n,
		    &p->count[i].last_us);
	}
	key_begin(&rows, 'N');
	put_numbers(p->batch, bytes_of(rows.p, rows.n),
	    m->rows + key_set_n(p->rows), NULL);
	put_numbers(p->batch, bytes_of(mark->p, mark->n), next, NULL);
	err = db_write(m->db, p->batch, true, why);
	if (err == 0)
		m->rows += key_set_n(p->rows);
	return err;
}

static int
put_locked(struct put *p, const struct events *e, uint64_t *upto,
    size_t *refused, struct diag *why)
{
	struct key mark;
	uint64_t next, end = e->first_seq + e->n;
	size_t i;
	int err;

	key_watermark(&mark, p->node, e->spool_id);
	if ((err = get_numbers(p->m, &mark, &next, 1, why)) != 0)
		return err;
	if (e->n > 0 && end > next) {
		i = next > e->first_seq ? (size_t)(next - e->first_seq) : 0;
		for (; err == 0 && i < e->n; i++)
			err = put_one(p, e->event[i], refused, why);
		if (err == 0)
			err = put_write(p, &mark, end, why);
		next = end;
	}
	if (err == 0)
		*upto = next > 0 ? next - 1 : 0;
	return err;
}

/* After a failed write: what stands on the disk counts. */
static int
reopen(struct messages *m, struct diag *why)
{
	struct key k;
	int err;

	if (!db_has_failed(m->db))
		return 0;
	pthread_rwlock_wrlock(&m->use);
	key_begin(&k, 'N');
	if ((err = db_reopen(m->db, why)) == 0)
		err = get_numbers(m, &k, &m->rows, 1, why);
	pthread_rwlock_unlock(&m->use);
	return err;
}

int
messages_put(struct messages *m, const char *node, const struct events *e,
    int64_t now_us, uint64_t *upto, size_t *refused, struct diag *why)
{
	struct put p = { .m = m, .node = node,
	    .now_us = now_us > 0 ? now_us : 0, .counts = m->batch_counts,
	    .count = m->batch_count, .rows = m->batch_rows };
	size_t len = strlen(node), bad = 0;
	int err;

	*upto = 0;
	if (len == 0 || len > MESSAGES_NODE_MAX || e->n > EVENTS_MAX ||
	    e->first_seq > UINT64_MAX - e->n)
		return diag_set(why, ERR_INVAL,
		    "events: a node name or sequence out of range");
	if ((err = reopen(m, why)) < 0)
		return err;
	p.batch = db_batch_new();
	pthread_rwlock_rdlock(&m->use);
	pthread_mutex_lock(&m->lock);
	key_set_clear(p.counts);
	key_set_clear(p.rows);
	err = put_locked(&p, e, upto, &bad, why);
	pthread_mutex_unlock(&m->lock);
	pthread_rwlock_unlock(&m->use);
	db_batch_free(&p.batch);
	if (refused != NULL)
		*refused = err == 0 ? bad : 0;
	return err;
}

int
messages_watermark(struct messages *m, const char *node,
    const uint8_t spool_id[8], uint64_t *seq, struct diag *why)
{
	struct key k;
	int err;

	*seq = 0;
	if (strlen(node) > MESSAGES_NODE_MAX)
		return 0;
	key_watermark(&k, node, spool_id);
	pthread_rwlock_rdlock(&m->use);
	err = get_numbers(m, &k, seq, 1, why);
	pthread_rwlock_unlock(&m->use);
	if (*seq > 0)
		--*seq;
	return err;
}

/* --- deleting ------------------------------------------------------------- */

/* Delete what is in b and begin it anew; rows of it were primary ones. */
static int
expire_write(struct messages *m, struct db_batch *b, size_t rows,
    struct diag *why)
{
	struct key k;
	uint64_t left;
	int err;

	pthread_mutex_lock(&m->lock);
	left = m->rows > rows ? m->rows - rows : 0;
	key_begin(&k, 'N');
	put_numbers(b, bytes_of(k.p, k.n), left, NULL);
	err = db_write(m->db, b, false, why);
	if (err == 0)
		m->rows = left;
	pthread_mutex_unlock(&m->lock);
	db_batch_clear(b);
	return err;
}

static void
row_del(struct db_batch *b, struct bytes row, struct bytes value)
{
	struct key place = { .n = 0 };
	struct event e;

	key_add(&place, row.p + 1, row.n - 1);
	/* one that is damaged leaves index keys that lead nowhere */
	if (event_decode(&e, value, NULL) == 0)
		each_index(&e, &place, index_del, b);
	db_batch_del(b, row.p, row.n);
}

static int
expire_rows(struct messages *m, struct db_iter *it, int64_t before_us,
    size_t max, size_t *deleted, struct diag *why)
{
	struct db_batch *b = db_batch_new();
	size_t n = 0;
	int err = 0;

	for (db_iter_seek(it, "M", 1); err == 0 && *deleted + n < max &&
	    db_iter_valid(it); db_iter_next(it)) {
		struct bytes k = db_iter_key(it);

		if (!is_row(k) || (before_us <= 0 ? true :
		    place_time(k.p + 1) >= (uint64_t)before_us))
			break;
		row_del(b, k, db_iter_value(it));
		if (++n == EXPIRE_BATCH) {
			err = expire_write(m, b, n, why);
			*deleted += err == 0 ? n : 0;
			n = 0;
		}
	}
	if (err == 0)
		err = db_iter_error(it, why);
	if (err == 0 && n > 0) {
		err = expire_write(m, b, n, why);
		*deleted += err == 0 ? n : 0;
	}
	db_batch_free(&b);
	return err;
}

static int
expire_counts(struct messages *m, struct db_iter *it, uint16_t day,
    struct diag *why)
{
	struct db_batch *b = db_batch_new();
	size_t n = 0;
	int err = 0;

	for (db_iter_seek(it, "T", 1); err == 0 && db_iter_valid(it);
	    db_iter_next(it)) {
		struct bytes k = db_iter_key(it);

		if (k.n < 3 || k.p[0] != 'T')
			break;
		if ((k.p[k.n - 2] << 8 | k.p[k.n - 1]) >= day)
			continue;
		db_batch_del(b, k.p, k.n);
		if (++n % EXPIRE_BATCH == 0)
			err = expire_write(m, b, 0, why);
	}
	if (err == 0)
		err = db_iter_error(it, why);
	if (err == 0 && n % EXPIRE_BATCH != 0)
		err = expire_write(m, b, 0, why);
	db_batch_free(&b);
	return err;
}

int
messages_expire(struct messages *m, int64_t before_us, size_t max,
    size_t *deleted, struct diag *why)
{
	struct db_iter *it;
	int err;

	*deleted = 0;
	pthread_rwlock_rdlock(&m->use);
	it = db_iter_new(m->db, NULL);
	err = expire_rows(m, it, before_us, max, deleted, why);
	if (err == 0 && *deleted < max)
		err = expire_counts(m, it, day_of(before_us), why);
	db_iter_free(&it);
	pthread_rwlock_unlock(&m->use);
	return err;
}

int
messages_copy(struct messages *m, const char *dir, const atomic_bool *stop,
    struct diag *why)
{
	struct db_view *v = db_view_new(m->db);
	int rc = db_copy(m->db, v, dir, stop, why);

	db_view_free(m->db, &v);
	return rc;
}
