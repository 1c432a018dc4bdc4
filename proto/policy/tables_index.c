/*
 * tables_index.c - closes groups over their ancestors and indexes policies by
 * their narrower selector.
 *
 * A policy stands in the index once for each orientation: under its sender's
 * target when that names something, else under its recipient's, else among
 * the wide ones, which every question looks through.
 */
#include "proto/policy/tables_impl.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/mail/addr.h"

#define CLOSURE_MAX 4000000	/* ancestors over all groups */

static int
by_gid(const void *a, const void *b)
{
	uint64_t x = ((const struct group_row *)a)->gid;
	uint64_t y = ((const struct group_row *)b)->gid;

	return x < y ? -1 : x > y;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int
by_row(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

const struct group_row *
tables_group(const struct tables *t, uint64_t gid)
{
	size_t lo = 0, hi = t->groups_n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->groups[mid].gid == gid)
			return &t->groups[mid];
		if (t->groups[mid].gid < gid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool
tables_is_above(const struct tables *t, uint64_t direct, uint64_t target)
{
	const struct group_row *g = tables_group(t, direct);

	return g != NULL && bsearch(&target, g->closure, g->closure_n,
	    sizeof(target), by_number) != NULL;
}

/*
 * Walk up breadth first from group at; seen holds at+1 for groups met (so it
 * needs no clearing), queue the numbers of groups to go through.  Cycles end
 * where they began.
 */
static size_t
ancestors(const struct tables *t, size_t at, uint32_t *seen, uint32_t *queue)
{
	size_t head = 0, n = 0, i;

	queue[n++] = (uint32_t)at;
	seen[at] = (uint32_t)at + 1;
	while (head < n) {
		const struct group_row *g = &t->groups[queue[head++]];

		for (i = 0; i < g->parents_n; i++) {
			const struct group_row *p = tables_group(t,
			    g->parents[i]);
			size_t k;

			if (p == NULL)
				return 0;
			k = (size_t)(p - t->groups);
			if (seen[k] == at + 1)
				continue;
			seen[k] = (uint32_t)at + 1;
			queue[n++] = (uint32_t)k;
		}
	}
	return n;
}

int
tables_close_groups(struct tables *t, struct diag *why)
{
	uint32_t *seen = NULL, *queue = NULL;
	size_t i, k, n, total = 0;
	int rc = 0;

	if (t->groups_n == 0)
		return 0;
	qsort(t->groups, t->groups_n, sizeof(*t->groups), by_gid);
	seen = xcalloc(t->groups_n, sizeof(*seen));
	queue = xcalloc(t->groups_n, sizeof(*queue));
	for (i = 0; i < t->groups_n; i++) {
		struct group_row *g = &t->groups[i];

		n = ancestors(t, i, seen, queue);
		if (n == 0) {
			rc = diag_set(why, ERR_CORRUPT,
			    "group \"%s\" is in a group that is not there",
			    g->name);
			goto out;
		}
		if ((total += n) > CLOSURE_MAX) {
			rc = diag_set(why, ERR_TOOBIG, "groups are nested "
			    "too widely: over %d ancestors", CLOSURE_MAX);
			goto out;
		}
		/* rows rise as their numbers do */
		qsort(queue, n, sizeof(*queue), by_row);
		g->closure = xcalloc(n, sizeof(*g->closure));
		g->above = xcalloc(n, sizeof(*g->above));
		g->closure_n = n;
		for (k = 0; k < n; k++) {
			g->above[k] = queue[k];
			g->closure[k] = t->groups[queue[k]].gid;
		}
	}
out:
	free(seen);
	free(queue);
	return rc;
}

size_t
tables_group_path(const struct tables *t, uint64_t direct, uint64_t target,
    const char **path, size_t max)
{
	const struct group_row *g = tables_group(t, direct);
	size_t n = 0, i;

	if (!tables_is_above(t, direct, target))
		return 0;
	/* Each step goes to a parent that still reaches the target; a cycle
	 * cannot hold us longer than max. */
	while (g != NULL && n < max) {
		path[n++] = g->name;
		if (g->gid == target)
			return n;
		for (i = 0; i < g->parents_n; i++) {
			if (g->parents[i] == target)
				break;
		}
		if (i == g->parents_n) {
			for (i = 0; i < g->parents_n; i++) {
				if (tables_is_above(t, g->parents[i], target))
					break;
			}
		}
		g = i < g->parents_n ? tables_group(t, g->parents[i]) : NULL;
	}
	return n;
}

static bool
is_narrow(const struct target *t)
{
	return t->kind == TARGET_ADDRESS || t->kind == TARGET_DOMAIN ||
	    t->kind == TARGET_GROUP;
}

/* Prefer an address or a domain over a group, a group over the rest. */
static int
breadth(const struct target *t)
{
	switch (t->kind) {
	case TARGET_ADDRESS:
		return 0;
	case TARGET_DOMAIN:
		return 1;
	case TARGET_GROUP:
		return 2;
	default:
		return 3;
	}
}

/* The selector of a target that names something; that there is one of its
 * kind is noted. */
static uint64_t
selector_of(struct tables *t, enum policy_type type, enum index_side side,
    const struct target *target)
{
	enum narrow_kind kind = NARROW_ADDRESS;
	uint64_t hash;

	if (target->kind == TARGET_GROUP) {
		kind = NARROW_GROUP;
		hash = target->gid;
	} else if (target->kind == TARGET_DOMAIN &&
	    name_is_wild(target->text)) {
		kind = NARROW_WILDCARD;
		hash = tables_hash(t, target->text + 2);
		depths_add(&t->depths, (unsigned)addr_labels(target->text +
		    2));
	} else {
		kind = target->kind == TARGET_DOMAIN ? NARROW_DOMAIN :
		    NARROW_ADDRESS;
		hash = tables_hash(t, target->text);
	}
	t->kinds[type][side] |= (uint8_t)(1 << kind);
	tables_note_named(t, hash);
	return tables_selector(type, side, kind, hash);
}

static void
add_row(struct tables *t, size_t policy, bool reverse)
{
	const struct policy *p = &t->policies[policy];
	const struct target *sender = reverse ? &p->to : &p->from;
	const struct target *rcpt = reverse ? &p->from : &p->to;
	struct index_row row = { .policy = (uint32_t)policy,
	    .reverse = reverse };

	if (is_narrow(sender) && breadth(sender) <= breadth(rcpt))
		row.selector = selector_of(t, p->type, SIDE_SENDER, sender);
	else if (is_narrow(rcpt))
		row.selector = selector_of(t, p->type, SIDE_RCPT, rcpt);
	else
		row.selector = tables_wide(p->type);
	t->index = xgrow(t->index, &t->index_cap, t->index_n + 1,
	    sizeof(*t->index));
	t->index[t->index_n++] = row;
}

/* The address that what a row asks for begins with: none counts as ::. */
static struct ip
first_ip(const struct tables *t, const struct index_row *r)
{
	const struct policy *p = &t->policies[r->policy];

	return p->ips_n == 0 || r->reverse ? (struct ip){ { 0 } } :
	    p->ips[0].ip;
}

/* Rows that have much in common lie together, for their guards. */
static int
by_selector(const void *a, const void *b, void *arg)
{
	const struct index_row *x = a, *y = b;
	int c;

	if (x->selector != y->selector)
		return x->selector < y->selector ? -1 : 1;
	if (x->selector % 2 == 0) {
		struct ip from = first_ip(arg, x), to = first_ip(arg, y);

		if ((c = memcmp(from.b, to.b, sizeof(from.b))) != 0)
			return c;
	}
	if (x->policy != y->policy)
		return x->policy < y->policy ? -1 : 1;
	return (int)x->reverse - (int)y->reverse;
}

static int
check_target(const struct tables *t, const struct policy *p,
    const struct target *target, struct diag *why)
{
	if (target->kind == TARGET_GROUP &&
	    tables_group(t, target->gid) == NULL)
		return diag_set(why, ERR_CORRUPT,
		    "policy %s names group \"%s\", which is not there",
		    p->id, target->text);
	return 0;
}

static void
add_exception(struct tables *t, size_t policy)
{
	const struct policy *p = &t->policies[policy];
	size_t n = t->header_exception_n[p->type];
	size_t cap = n;

	/* Grown to the next power of two by hand: n says how full it is. */
	if ((n & (n - 1)) == 0)
		t->header_exception[p->type] = xgrow(
		    t->header_exception[p->type], &cap, n == 0 ? 1 : n * 2,
		    sizeof(uint32_t));
	t->header_exception[p->type][n] = (uint32_t)policy;
	t->header_exception_n[p->type]++;
}

static void
add_header_rule(struct tables *t, size_t policy)
{
	const struct policy *p = &t->policies[policy];

	if ((p->based_on & BASED_HEADER) == 0 ||
	    (p->type != POLICY_BLOCKED_SENDERS &&
	    p->type != POLICY_ANTI_SPOOFING))
		return;
	t->header_rule = xgrow(t->header_rule, &t->header_rule_cap,
	    t->header_rule_n + 1, sizeof(uint32_t));
	t->header_rule[t->header_rule_n++] = (uint32_t)policy;
}

int
tables_check_groups(const struct tables *t, struct diag *why)
{
	size_t i;
	int rc;

	for (i = 0; i < t->policies_n; i++) {
		const struct policy *p = &t->policies[i];

		if ((rc = check_target(t, p, &p->from, why)) < 0 ||
		    (rc = check_target(t, p, &p->to, why)) < 0)
			return rc;
	}
	return 0;
}

void
tables_index_policies(struct tables *t)
{
	size_t i;

	for (i = 0; i < t->policies_n; i++) {
		const struct policy *p = &t->policies[i];

		if (!p->enabled)
			continue;
		add_row(t, i, false);
		if (p->bidirectional)
			add_row(t, i, true);
		if (p->action == ACTION_TAKE_NO_ACTION &&
		    (p->based_on & BASED_HEADER) != 0)
			add_exception(t, i);
		add_header_rule(t, i);
		t->has_monitored |= p->monitor;
		t->has_rcpt_groups |= p->to.kind == TARGET_GROUP ||
		    (p->bidirectional && p->from.kind == TARGET_GROUP);
		t->has_attributes |= p->from.kind == TARGET_ATTRIBUTE ||
		    p->to.kind == TARGET_ATTRIBUTE;
	}
	if (t->index_n > 1)
		qsort_r(t->index, t->index_n, sizeof(*t->index), by_selector,
		    t);
}
