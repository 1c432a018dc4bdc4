/*
 * tables_impl.h - how the tables lie in memory; for tables*.c, match.c, want.c
 * and judge.c alone.
 */
#ifndef POLICY_TABLES_IMPL_H
#define POLICY_TABLES_IMPL_H

#include <stdatomic.h>

#include "proto/policy/decide.h"
#include "proto/policy/record_hash.h"
#include "proto/policy/tables.h"

/* Large room on the stack that is written before it is read: clearing it in
 * each call, as hardening does, is most of what a decision would cost. */
#define UNSET __attribute__((uninitialized))

struct domain_row { char *name; enum validation validation; };

struct group_row {
	uint64_t gid;
	char *name;
	uint64_t *parents;	/* groups that hold this one directly */
	size_t parents_n;
	uint64_t *closure;	/* itself and all ancestors, rising */
	uint32_t *above;	/* the same, by their rows */
	size_t closure_n;
};

/* Where a policy can be found: by what its narrower target names. */
enum index_side { SIDE_SENDER, SIDE_RCPT, SIDE_WIDE };
enum narrow_kind { NARROW_ADDRESS, NARROW_DOMAIN, NARROW_WILDCARD,
    NARROW_GROUP };
struct index_row {
	uint64_t selector;
	uint32_t policy;	/* in policies */
	bool reverse;
};
/* Where a question's two sides stand, and where a row wants them. */
enum standing { SENDER_INTERNAL = 1, SENDER_EXTERNAL = 2, RCPT_INTERNAL = 4,
    RCPT_EXTERNAL = 8 };
/* What a row that names neither side asks for before it is looked at: what all
 * its source IPs have in common, nothing when it has none, and standings. */
struct guard { uint64_t net[2], mask[2]; unsigned needs; };
#define GUARD_BLOCK 8
/* Some rows of the index. */
struct rows { uint32_t first, n; };
/* The rows of one selector; selector 0 is empty. */
struct bucket { uint64_t selector; struct rows rows; };
/* An internal domain where its hash leads to: all of it in half a cache line,
 * but for a long name, which is that of row - 1 of domains. */
#define DOMAIN_SHORT 21
struct domain_slot {
	uint32_t row;		/* 0: empty */
	uint32_t tag;		/* the high half of the hash */
	uint8_t validation;
	uint8_t len;		/* without "*."; DOMAIN_SHORT + 1: longer */
	bool wild;
	char name[DOMAIN_SHORT];
};

static inline bool
guard_lets(const struct guard *g, const uint64_t ip[2], unsigned standing)
{
	return (((ip[0] ^ g->net[0]) & g->mask[0]) |
	    ((ip[1] ^ g->net[1]) & g->mask[1]) |
	    (g->needs & ~standing)) == 0;
}

/* A set of numbers of labels, 1 to 127. */
struct depths { uint64_t bit[2]; };

static inline void
depths_add(struct depths *d, unsigned labels)
{
	if (labels < 128)
		d->bit[labels / 64] |= UINT64_C(1) << labels % 64;
}

static inline bool
depths_have(const struct depths *d, unsigned labels)
{
	return labels < 128 && (d->bit[labels / 64] >> labels % 64 & 1) != 0;
}

/* The greatest; 0: none. */
static inline unsigned
depths_most(const struct depths *d)
{
	unsigned most = 127;

	while (most > 0 && !depths_have(d, most))
		most--;
	return most;
}

/* Is it "*." and a domain? */
static inline bool
name_is_wild(const char *name)
{
	return name[0] == '*' && name[1] == '.';
}

/* A bit for each hash that is in some table, small enough to stay near: most
 * names are in none, and end here. */
struct hash_bits { uint64_t *bit; unsigned shift; };

static inline bool
hash_bits_have(const struct hash_bits *s, uint64_t hash)
{
	uint64_t i = hash >> s->shift;

	return (s->bit[i / 64] >> i % 64 & 1) != 0;
}

struct name_list { char **name; size_t n, cap; };
/* Sorted by length, then address; those of one length are from first[length]
 * up to first[length + 1]. */
struct prefixes {
	struct ip_prefix *p;
	size_t n, cap;
	uint32_t first[130];
	uint64_t v4_first[4];	/* the first bytes of their IPv4 addresses */
};

/* A class of small records, each with its own part of the tables. */
enum tables_class { TABLES_SETTINGS, TABLES_DOMAINS, TABLES_AUTHORIZED,
    TABLES_TRUSTED, TABLES_FREE_MAIL, TABLES_PROTECTED, TABLES_RETURN_PATH,
    TABLES_GROUPS, TABLES_POLICIES, TABLES_CLASSES };

/* Tables that share a part hold the same pointers and counts, and this. */
struct tables_part { atomic_int refs; uint64_t records; };

struct tables {
	struct tables_part *part[TABLES_CLASSES];
	bool shared[TABLES_CLASSES];	/* with those it was renewed from */
	struct hash_key hash;
	struct settings settings;
	struct domain_row *domains;	/* by name; "*.x" among them */
	size_t domains_n, domains_cap;
	struct prefixes authorized, trusted;	/* by length, then address */
	struct name_list free_mail, protected_local, return_path; /* sorted */
	struct group_row *groups;	/* by gid */
	size_t groups_n, groups_cap;
	struct policy *policies;	/* by id */
	size_t policies_n, policies_cap;
	size_t conditions_n;		/* source IPs and host names of all */
	struct index_row *index;	/* by selector */
	size_t index_n, index_cap;
	/* rows that every question tries; they stand first in the index */
	struct rows wide[POLICY_TYPES];
	struct guard *guard;		/* one for each */
	struct guard *guard_block;	/* what GUARD_BLOCK of them share */
	struct bucket *bucket;		/* NULL: no policies */
	size_t bucket_mask;
	struct hash_bits named;		/* by policies */
	/* what policies there are: bits of narrow_kind, by type and side, and
	 * the depths of their wildcards */
	uint8_t kinds[POLICY_TYPES][SIDE_WIDE];
	struct depths depths;
	struct depths all_depths;	/* and those of entries */
	unsigned all_depths_most;	/* the greatest of them; 0: none */
	uint64_t protected_first[4];	/* the first bytes of protected names */
	struct domain_slot *domain_at;	/* NULL: none */
	struct hash_bits domain_named;	/* among domains */
	size_t domain_mask;
	struct depths domain_depths;	/* of wildcards among domains */
	/* exceptions that can match by header, for the open check: policy
	 * numbers of each type */
	uint32_t *header_exception[POLICY_TYPES];
	size_t header_exception_n[POLICY_TYPES];
	/* all that can refuse by header, or keep from it: policy numbers */
	uint32_t *header_rule;
	size_t header_rule_n, header_rule_cap;
	bool has_monitored, has_attributes;
	bool has_rcpt_groups;		/* a policy names one for recipients */
	bool finished;
};

/* One more record of a class that is not shared. */
void tables_count(struct tables *t, uint8_t cls);

/* The hash of a name, and those of an address with the suffixes that policies
 * or entries name. */
uint64_t tables_hash(const struct tables *t, const char *name);
void tables_hash_addr(const struct tables *t, const struct addr *a,
    struct addr_hash *out);
/* What index rows stand under: the hash of an address, a domain, the "x" of a
 * wildcard "*.x", or a group's number. */
uint64_t tables_selector(enum policy_type type, enum index_side side,
    enum narrow_kind kind, uint64_t hash);
/* Note the hash of what a policy names, for tables_index(). */
void tables_note_named(struct tables *t, uint64_t hash);
/* Under what rows stand that name neither side: no selector is even. */
static inline uint64_t
tables_wide(enum policy_type type)
{
	return (uint64_t)type * 2;
}

/* The rows of the selector of a hash: first and how many. */
const struct index_row *tables_index(const struct tables *t,
    enum policy_type type, enum index_side side, enum narrow_kind kind,
    uint64_t hash, size_t *n);
const struct group_row *tables_group(const struct tables *t, uint64_t gid);
bool tables_is_above(const struct tables *t, uint64_t direct,
    uint64_t target);		/* target is direct or an ancestor */
/* Fetch what will be looked at of an address with these hashes. */
void tables_prefetch(const struct tables *t, const struct addr_hash *h);
/* The internal domain that covers a name of len bytes (exact first, then the
 * longest wildcard), or NULL.  hash is that of name. */
const struct domain_slot *tables_internal(const struct tables *t,
    const char *name, size_t len, uint64_t hash);
bool prefixes_hold(const struct prefixes *s, const struct ip *ip);
bool name_list_holds(const struct name_list *s, const char *name);

/* Called by tables_finish(): the first when policies or groups are not shared,
 * to see that each group is there that a policy names; the others, when their
 * class is not. */
int tables_check_groups(const struct tables *t, struct diag *why);
int tables_close_groups(struct tables *t, struct diag *why);
void tables_index_policies(struct tables *t);
void tables_hash_policies(struct tables *t);
void tables_hash_domains(struct tables *t);

#endif
