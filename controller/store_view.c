/*
 * store_view.c - all records of one version, while others are committed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/store_impl.h"
#include "proto/base/err.h"

struct store_view {
	struct db *db;
	struct db_view *view;
	struct head head;
	struct chain chain;
};

struct store_view *
store_view_new(struct store *s)
{
	struct store_view *v = xcalloc(1, sizeof(*v));

	v->db = s->db;
	v->view = db_view_new(s->db);
	store_head(s, &v->head, NULL);
	v->chain = s->chain;
	return v;
}

void
store_view_free(struct store_view **vp)
{
	struct store_view *v = *vp;

	if (v == NULL)
		return;
	db_view_free(v->db, &v->view);
	free(v);
	*vp = NULL;
}

const struct head *
store_view_head(const struct store_view *v)
{
	return &v->head;
}

int
store_view_copy(struct store_view *v, const char *dir,
    const atomic_bool *stop, struct diag *why)
{
	char path[4300];
	int rc;

	snprintf(path, sizeof(path), "%s/policy", dir);
	rc = db_copy(v->db, v->view, path, stop, why);
	return rc < 0 ? rc : chain_name(dir, &v->chain, why);
}

int
store_view_scan(struct store_view *v, store_record_fn fn, void *arg,
    struct diag *why)
{
	struct db_iter *it = db_iter_new(v->db, v->view);
	int rc = 0, err;

	for (db_iter_seek(it, "r", 1); db_iter_valid(it) && rc == 0;
	    db_iter_next(it)) {
		struct bytes k = db_iter_key(it);

		if (bytes_u8(&k) != 'r')
			break;
		rc = fn(arg, k, db_iter_value(it));
	}
	err = db_iter_error(it, why);
	db_iter_free(&it);
	return rc < 0 ? rc : err;
}

struct proving { struct digest d; const atomic_bool *stop; };

static int
add(void *arg, struct bytes key, struct bytes val)
{
	struct proving *g = arg;

	digest_add(&g->d, key.p, key.n, val.p, val.n);
	return g->stop != NULL && atomic_load(g->stop) ? ERR_TIMEOUT : 0;
}

int
store_view_prove(struct store_view *v, const atomic_bool *stop,
    struct diag *why)
{
	uint8_t digest[DIGEST_LEN];
	struct proving g = { .stop = stop };
	int rc;

	digest_init(&g.d);
	if ((rc = store_view_scan(v, add, &g, why)) < 0)
		return rc;
	digest_final(&g.d, digest);
	if (g.d.count == v->head.count &&
	    memcmp(digest, v->head.digest, DIGEST_LEN) == 0)
		return 0;
	return diag_set(why, ERR_CORRUPT, "the records of version %" PRIu64
	    " do not have its digest: restore the folder from its backup",
	    v->head.version);
}
