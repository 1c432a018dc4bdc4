/*
 * tables.h - the small classes of records as immutable tables in memory:
 * settings, domains, address ranges, groups with the closure of their
 * ancestors, and policies indexed by their narrower selector.
 *
 * Built once by tables_put() for each small record and one tables_finish();
 * never changed afterwards, so any thread may read them.  Tables after a
 * change share with those before it all classes that did not change.
 */
#ifndef POLICY_TABLES_H
#define POLICY_TABLES_H

#include "proto/policy/model.h"
#include "proto/policy/record.h"

struct tables;

/* secret is of HASH_SECRET_LEN bytes: what strangers write is found by hashes
 * under it, which are those of a filter with the same.  NULL: one that all
 * know. */
struct tables *tables_new(const uint8_t *secret);
/* On any thread; what others share stays. */
void tables_free(struct tables **t);

/*
 * New tables that share with t all classes but those of `changed`, n class
 * bytes, which are put anew.  Both are freed, in any order.
 */
struct tables *tables_renew(const struct tables *t, const uint8_t *changed,
    size_t n);
/* Are the records of this class shared, so that none may be put? */
bool tables_has_class(const struct tables *t, uint8_t cls);
/* How many records they were made of. */
uint64_t tables_records_n(const struct tables *t);

/* Take in one small record (its bytes are copied).  0; ERR_CORRUPT for a
 * malformed one, ERR_VERSION for an unknown class, ERR_TOOBIG over a limit. */
int tables_put(struct tables *t, struct bytes key, struct bytes value,
    struct diag *why);

/* Sort, close groups over their ancestors, index.  0, ERR_CORRUPT (a policy
 * or an edge names a group that is not there), ERR_TOOBIG. */
int tables_finish(struct tables *t, struct diag *why);

/* The settings; how many policies. */
const struct settings *tables_settings(const struct tables *t);
size_t tables_policies_n(const struct tables *t);
/* By id, or NULL. */
const struct policy *tables_policy(const struct tables *t, const char *id);
/*
 * How target group holds what `direct` holds: the names from direct up to
 * target (at most max, direct first) into path.  Returns how many, 0 if
 * direct is not below target.
 */
size_t tables_group_path(const struct tables *t, uint64_t direct,
    uint64_t target, const char **path, size_t max);

#endif
