/*
 * tables_impl.h - how the tables lie in memory; for tables*.c, match.c, want.c
 * and judge.c alone.
 */
#ifndef POLICY_TABLES_IMPL_H
#define POLICY_TABLES_IMPL_H

#include "proto/policy/tables.h"

struct domain_row { char *name; enum validation validation; };

struct group_row {
	uint64_t gid;
	char *name;
	uint64_t *parents;	/* groups that hold this one directly */
	size_t parents_n;
	uint64_t *closure;	/* itself and all ancestors, rising */
	size_t closure_n;
};

/* Where a policy can be found: by what its narrower target names. */
enum index_side { SIDE_SENDER, SIDE_RCPT, SIDE_WIDE };
struct index_row {
	uint64_t hash;		/* of type, side and selector */
	uint32_t policy;	/* in policies */
	bool reverse;
};

struct names { char **name; size_t n, cap; };
struct prefixes { struct ip_prefix *p; size_t n, cap; };

struct tables {
	struct settings settings;
	struct domain_row *domains;	/* by name; "*.x" among them */
	size_t domains_n, domains_cap;
	struct prefixes authorized, trusted;	/* by length, then address */
	struct names free_mail, protected_local, return_path;	/* sorted */
	struct group_row *groups;	/* by gid */
	size_t groups_n, groups_cap;
	struct policy *policies;	/* by id */
	size_t policies_n, policies_cap;
	size_t conditions_n;		/* source IPs and host names of all */
	struct index_row *index;	/* by hash */
	size_t index_n, index_cap;
	/* exceptions that can match by header, for the open check: policy
	 * numbers of each type */
	uint32_t *header_exception[POLICY_TYPES];
	size_t header_exception_n[POLICY_TYPES];
	/* all that can refuse by header, or keep from it: policy numbers */
	uint32_t *header_rule;
	size_t header_rule_n, header_rule_cap;
	bool has_monitored, has_attributes;
	bool finished;
};

/* The hash under which index rows for this selector stand; SIDE_WIDE has one
 * for each type. */
uint64_t tables_selector(enum policy_type type, enum index_side side,
    enum target_kind kind, const char *text, uint64_t gid);
/* The rows of a hash: first and how many. */
const struct index_row *tables_index(const struct tables *t, uint64_t hash,
    size_t *n);
const struct group_row *tables_group(const struct tables *t, uint64_t gid);
bool tables_is_above(const struct tables *t, uint64_t direct,
    uint64_t target);		/* target is direct or an ancestor */
/* The internal domain that covers name (exact first), or NULL. */
const struct domain_row *tables_internal(const struct tables *t,
    const char *name);
bool prefixes_hold(const struct prefixes *s, const struct ip *ip);
bool names_hold(const struct names *s, const char *name);

/* Called by tables_finish(). */
int tables_close_groups(struct tables *t, struct diag *why);
int tables_index_policies(struct tables *t, struct diag *why);

#endif
