/*
 * store_audit.c - the audit log in the store's database.
 *
 * "a" u64 sequence -> 32 hash, line.  "A" -> two marks, the base and the end,
 * each u64 adopted, u64 sequence, 32 hash; written with each entry.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "controller/store_impl.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

static void
put_mark(struct buf *out, const struct audit_mark *m)
{
	buf_put_u64(out, m->adopted);
	buf_put_u64(out, m->seq);
	buf_put(out, m->hash, AUDIT_HASH_LEN);
}

static void
take_mark(struct bytes *in, struct audit_mark *m)
{
	const uint8_t *p;

	m->adopted = bytes_u64(in);
	m->seq = bytes_u64(in);
	if ((p = bytes_take(in, AUDIT_HASH_LEN)) != NULL)
		memcpy(m->hash, p, AUDIT_HASH_LEN);
}

/* The policy does not wait for a damaged log: it goes on behind what its end
 * says, and a proof names the damage. */
int
store_audit_load(struct store *s, struct diag *why)
{
	uint8_t hash[AUDIT_HASH_LEN];
	struct store_audit *a = &s->audit;
	struct bytes in;
	struct buf b;
	int rc;

	buf_init(&b, 0);
	rc = db_get(s->db, NULL, "A", 1, true, &b, why);
	in = bytes_of(b.data, b.len);
	if (rc == 0) {
		take_mark(&in, &a->base);
		take_mark(&in, &a->end);
	}
	buf_fini(&b);
	if (rc < 0)
		return rc == ERR_NOENT ? 0 : rc;
	if (in.err != 0 || store_audit_at(s, a->end.seq, hash, NULL) < 0 ||
	    memcmp(hash, a->end.hash, AUDIT_HASH_LEN) != 0)
		log_error("audit.damaged", F_U("sequence", a->end.seq),
		    F_S("next", "\"postern audit verify\" says where"));
	return 0;
}

static void
put_end(struct txn *t, const struct audit_step *step)
{
	struct buf val;

	buf_init(&val, 0);
	put_mark(&val, &step->base);
	put_mark(&val, &step->end);
	txn_put(t, "A", 1, val.data, val.len);
	buf_fini(&val);
}

void
store_audit_put(struct store *s, struct txn *t, const struct audit_entry *e,
    struct audit_step *step)
{
	struct audit_entry now = *e;
	struct audit_mark *m = &step->end;
	struct buf key, line, val;

	store_audit_mark(s, m);
	store_audit_base(s, &step->base);
	if (e->adopts) {
		now.above = e->above > m->seq ? e->above : m->seq;
		m->adopted = now.above + 1;
		m->seq = now.above;
	}
	now.seq = ++m->seq;
	now.time_us = clock_wall_us();
	buf_init(&key, 0);
	buf_init(&line, AUDIT_LINE_MAX);
	buf_init(&val, 0);
	audit_line(&now, &line);
	audit_chain(m->hash, bytes_of(line.data, line.len));
	store_version_key(&key, 'a', m->seq);
	buf_put(&val, m->hash, AUDIT_HASH_LEN);
	buf_put(&val, line.data, line.len);
	txn_put(t, key.data, key.len, val.data, val.len);
	put_end(t, step);
	buf_fini(&key);
	buf_fini(&line);
	buf_fini(&val);
}

void
store_audit_done(struct store *s, const struct audit_step *step)
{
	pthread_mutex_lock(&s->audit.mu);
	s->audit.base = step->base;
	s->audit.end = step->end;
	pthread_mutex_unlock(&s->audit.mu);
}

int
store_audit(struct store *s, const struct audit_entry *e, struct diag *why)
{
	return store_rows_write(s, NULL, 0, e, why);
}

void
store_audit_mark(struct store *s, struct audit_mark *out)
{
	pthread_mutex_lock(&s->audit.mu);
	*out = s->audit.end;
	pthread_mutex_unlock(&s->audit.mu);
}

void
store_audit_base(struct store *s, struct audit_mark *out)
{
	pthread_mutex_lock(&s->audit.mu);
	*out = s->audit.base;
	pthread_mutex_unlock(&s->audit.mu);
}

/* The parts of a row's value; false: it is too short for one. */
static bool
take_entry(struct bytes val, const uint8_t **hash, struct bytes *line)
{
	*hash = bytes_take(&val, AUDIT_HASH_LEN);
	*line = val;
	return *hash != NULL;
}

/* Is this row an entry? */
static bool
is_entry(const struct db_iter *it, uint64_t *seq)
{
	struct bytes k = db_iter_key(it);

	if (k.n != 9 || bytes_u8(&k) != 'a')
		return false;
	*seq = bytes_u64(&k);
	return true;
}

/* To the first above `from`, or to the last up to it. */
static void
seek(struct db_iter *it, uint64_t from, bool up)
{
	struct buf key;

	buf_init(&key, 0);
	if (from == UINT64_MAX)
		buf_putc(&key, 'a' + 1);
	else
		store_version_key(&key, 'a', from + 1);
	db_iter_seek(it, key.data, key.len);
	buf_fini(&key);
	if (up)
		return;
	if (db_iter_valid(it))
		db_iter_prev(it);
	else
		db_iter_last(it);
}

/* An iterator, since a database that has one is not opened again. */
int
store_audit_at(struct store *s, uint64_t seq, uint8_t hash[AUDIT_HASH_LEN],
    struct diag *why)
{
	struct audit_mark base;
	struct db_iter *it;
	const uint8_t *p;
	struct bytes line;
	uint64_t found;
	int rc;

	store_audit_base(s, &base);
	if (seq == base.seq) {
		memcpy(hash, base.hash, AUDIT_HASH_LEN);
		return 0;
	}
	it = db_iter_new(s->db, NULL);
	seek(it, seq - 1, true);
	if (!db_iter_valid(it) || !is_entry(it, &found) || found != seq) {
		rc = db_iter_error(it, why);
		rc = rc == 0 ? ERR_NOENT : rc;
	} else if (take_entry(db_iter_value(it), &p, &line)) {
		memcpy(hash, p, AUDIT_HASH_LEN);
		rc = 0;
	} else
		rc = diag_set(why, ERR_CORRUPT, "entry %" PRIu64 " of the "
		    "audit log is damaged", seq);
	db_iter_free(&it);
	return rc;
}

int
store_audit_scan(struct store *s, uint64_t from, bool up, store_audit_fn fn,
    void *arg, struct diag *why)
{
	struct db_iter *it = db_iter_new(s->db, NULL);
	const uint8_t *hash;
	struct bytes line;
	uint64_t seq;
	int rc;

	seek(it, from, up);
	while (db_iter_valid(it) && is_entry(it, &seq)) {
		if (!take_entry(db_iter_value(it), &hash, &line)) {
			db_iter_free(&it);
			return diag_set(why, ERR_CORRUPT, "entry %" PRIu64
			    " of the audit log is damaged", seq);
		}
		if (!fn(arg, seq, hash, line))
			break;
		if (up)
			db_iter_next(it);
		else
			db_iter_prev(it);
	}
	rc = db_iter_error(it, why);
	db_iter_free(&it);
	return rc;
}

struct proving { struct audit_mark at; int rc; struct diag *why; };

static bool
follow(void *arg, uint64_t seq, const uint8_t hash[AUDIT_HASH_LEN],
    struct bytes line)
{
	struct proving *p = arg;

	(void)seq;
	p->rc = audit_follow(&p->at, line, hash, p->why);
	return p->rc == 0;
}

int
store_audit_prove(struct store *s, struct diag *why)
{
	struct proving p = { .why = why };
	struct audit_mark end;
	int rc;

	store_audit_base(s, &p.at);
	store_audit_mark(s, &end);
	rc = store_audit_scan(s, p.at.seq, true, follow, &p, why);
	if (rc < 0 || p.rc < 0)
		return rc < 0 ? rc : p.rc;
	if (audit_mark_same(&p.at, &end))
		return 0;
	return diag_set(why, ERR_CORRUPT, "the audit log ends with entry "
	    "%" PRIu64 ", and should with entry %" PRIu64, p.at.seq, end.seq);
}

/* --- the oldest entries go --- */

struct cutting {
	struct txn *t;
	int64_t before_us;
	uint64_t n, max;
	struct audit_mark base;
};

static bool
cut_one(void *arg, uint64_t seq, const uint8_t hash[AUDIT_HASH_LEN],
    struct bytes line)
{
	struct cutting *c = arg;
	json_t *o = json_loadb((const char *)line.p, line.n, 0, NULL);
	json_int_t time_us = json_integer_value(json_object_get(o,
	    "time_us"));
	bool adopts = json_object_get(o, "above") != NULL;
	struct buf key;

	json_decref(o);
	if (c->n >= c->max || time_us >= c->before_us)
		return false;
	c->n++;
	c->base.seq = seq;
	memcpy(c->base.hash, hash, AUDIT_HASH_LEN);
	if (adopts)
		c->base.adopted = seq;
	buf_init(&key, 0);
	store_version_key(&key, 'a', seq);
	txn_del(c->t, key.data, key.len);
	buf_fini(&key);
	return true;
}

int
store_audit_cut(struct store *s, int64_t before_us, uint64_t max,
    uint64_t *n, struct diag *why)
{
	char upto[40];
	struct audit_entry e = { .actor = "retention", .role = "controller",
	    .action = "audit.cut", .object = upto };
	struct cutting c = { .before_us = before_us, .max = max };
	struct audit_step step;
	struct txn t;
	int rc;

	*n = 0;
	c.t = &t;
	store_audit_base(s, &c.base);
	txn_begin(&t, &s->chain);
	rc = store_audit_scan(s, c.base.seq, true, cut_one, &c, why);
	if (rc < 0 || c.n == 0) {
		txn_abort(&t);
		return rc;
	}
	snprintf(upto, sizeof(upto), "up to entry %" PRIu64, c.base.seq);
	e.changes = c.n;
	store_audit_put(s, &t, &e, &step);
	step.base = c.base;
	put_end(&t, &step);
	if ((rc = txn_commit(&t, s->db, s->dir, &s->chain, why)) < 0)
		return rc;
	store_audit_done(s, &step);
	*n = c.n;
	return 0;
}
