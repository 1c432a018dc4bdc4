/*
 * ruleset_tables.c - small records into tables: all of a set, or those of the
 * classes that a delta changes, on top of a view's.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "node/ruleset_impl.h"
#include "proto/base/err.h"

struct merge {
	const struct store *s;
	struct tables *t;
	struct db_iter *it;
	struct bytes rows;		/* of the delta, from op on */
	struct delta_op op;
	bool has_op;
};

static int
compare(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

static void
next_op(struct merge *m)
{
	m->has_op = delta_next(&m->rows, &m->op);
}

static int
take_stored(struct merge *m, struct bytes key, struct diag *why)
{
	struct bytes value;

	if (ruleset_check(m->s, key.p, key.n, db_iter_value(m->it),
	    &value) < 0)
		return diag_set(why, ERR_CORRUPT, "a record of class %c fails "
		    "its hash", key.p[0]);
	return tables_put(m->t, key, value, why);
}

/* The rows of class cls: what is stored, but where the delta has the key, what
 * the delta says. */
static int
merge_class(struct merge *m, uint8_t cls, struct diag *why)
{
	int rc = 0;

	while (m->has_op && m->op.key.p[0] < cls)
		next_op(m);
	db_iter_seek(m->it, &cls, 1);
	while (rc == 0) {
		struct bytes key = bytes_of(NULL, 0);
		bool stored = db_iter_valid(m->it) &&
		    (key = db_iter_key(m->it)).n > 0 && key.p[0] == cls;
		bool ours = m->has_op && m->op.key.p[0] == cls;
		int c = !ours ? -1 : !stored ? 1 : compare(key, m->op.key);

		if (!stored && !ours)
			break;
		if (c < 0)
			rc = take_stored(m, key, why);
		else if (m->op.kind == DELTA_PUT)
			rc = tables_put(m->t, m->op.key, m->op.val,
			    why);
		if (c >= 0)
			next_op(m);
		if (c <= 0)
			db_iter_next(m->it);
	}
	return rc < 0 ? rc : db_iter_error(m->it, why);
}

/* The classes of small records that d names. */
static size_t
changed_classes(const struct delta *d, uint8_t cls[256])
{
	struct bytes rows = delta_rows(d);
	struct delta_op op;
	size_t n = 0;

	while (delta_next(&rows, &op)) {
		uint8_t c = op.key.p[0];

		/* keys rise, so those of a class stand together */
		if (record_is_small(c) && (n == 0 || cls[n - 1] != c))
			cls[n++] = c;
	}
	return n;
}

static int
fill(struct merge *m, const struct db_view *view, struct diag *why)
{
	int cls, rc = 0;

	m->it = db_iter_new(m->s->db, view);
	for (cls = 1; cls < 256 && rc == 0; cls++) {
		if (record_is_small((uint8_t)cls) &&
		    !tables_has_class(m->t, (uint8_t)cls))
			rc = merge_class(m, (uint8_t)cls, why);
	}
	db_iter_free(&m->it);
	return rc < 0 ? rc : tables_finish(m->t, why);
}

static int
make(struct merge *m, const struct db_view *view, struct shared_tables **out,
    struct diag *why)
{
	struct shared_tables *shared;
	int rc = fill(m, view, why);

	if (rc < 0) {
		tables_free(&m->t);
		return rc;
	}
	shared = xcalloc(1, sizeof(*shared));
	atomic_init(&shared->refs, 1);
	shared->t = m->t;
	*out = shared;
	return 0;
}

int
ruleset_load_tables(const struct store *s, struct shared_tables **out,
    struct diag *why)
{
	struct merge m = { .s = s, .t = tables_new(s->key) };

	return make(&m, NULL, out, why);
}

int
ruleset_change_tables(const struct ruleset *r, const struct delta *d,
    struct shared_tables **out, struct diag *why)
{
	struct merge m = { .s = r->store, .rows = delta_rows(d) };
	uint8_t cls[256];
	size_t n = changed_classes(d, cls);

	m.t = tables_renew(r->tables->t, cls, n);
	next_op(&m);
	return make(&m, r->view, out, why);
}
