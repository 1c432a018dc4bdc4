/*
 * ruleset_scrub.c - one pass over all records of a view.
 */
#include "node/ruleset_scrub.h"

#include <stdatomic.h>
#include <string.h>

#include "node/ruleset_impl.h"
#include "proto/base/err.h"

static int
check_record(const struct store *s, struct bytes key, struct bytes stored,
    struct digest *d, struct diag *why)
{
	struct bytes value;

	if (ruleset_check(s, key.p, key.n, stored, &value) < 0)
		return diag_set(why, ERR_CORRUPT, "a record of class %c fails "
		    "its hash", key.p[0]);
	if (!record_is_small(key.p[0]) && !filter_has(s->filter,
	    filter_hash(s->filter, key.p, key.n)))
		return diag_set(why, ERR_CORRUPT, "the filter denies a record "
		    "of class %c", key.p[0]);
	digest_add(d, key.p, key.n, value.p, value.n);
	return 0;
}

static int
compare(const struct ruleset *r, const struct digest *d, struct diag *why)
{
	uint8_t digest[DIGEST_LEN];

	digest_final(d, digest);
	if (d->count != r->head.count)
		return diag_set(why, ERR_CORRUPT, "%llu records where %llu "
		    "should be", (unsigned long long)d->count,
		    (unsigned long long)r->head.count);
	if (memcmp(digest, r->head.digest, DIGEST_LEN) != 0)
		return diag_set(why, ERR_CORRUPT, "the records' digest is not "
		    "the head's");
	return 0;
}

int
ruleset_scrub(struct ruleset *r, ruleset_pause_fn pause, void *arg,
    struct diag *why)
{
	struct store *s = r->store;
	struct db_iter *it = db_iter_new(s->db, r->view);
	struct digest d;
	int rc = 0;

	digest_init(&d);
	for (db_iter_first(it); rc == 0 && db_iter_valid(it);
	    db_iter_next(it)) {
		struct bytes key = db_iter_key(it);

		if (key.n == 0 || !record_is_known(key.p[0]))
			continue;	/* of the set's own rows */
		rc = check_record(s, key, db_iter_value(it), &d, why);
		if (rc == 0 && pause(arg, d.count))
			rc = ERR_AGAIN;
	}
	if (rc == 0)
		rc = db_iter_error(it, why);
	db_iter_free(&it);
	if (rc == 0)
		rc = compare(r, &d, why);
	if (rc == 0)
		atomic_store(&s->proved, true);
	else if (rc != ERR_AGAIN)
		atomic_store(&s->damaged, true);
	return rc;
}
