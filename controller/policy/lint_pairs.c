/*
 * lint_pairs.c - policies of one type held against each other: full ties,
 * policies that can never win, and exceptions that lose to the block they
 * were made for.
 *
 * For each policy only those are compared whose sender target could hold its
 * own: they stand together in the order of l->policy.
 */
#include <stdio.h>
#include <string.h>

#include "controller/policy/cover.h"
#include "controller/policy/lint_impl.h"
#include "proto/mail/addr.h"

enum order { LOSES = -1, UNKNOWN = 0, WINS = 1 };

/* What the precision of a match by t is, if it is always the same. */
static bool
fixed_precision(const struct target *t, int *out)
{
	*out = 0;
	if (t->kind == TARGET_ADDRESS)
		*out = 3000;
	else if (t->kind == TARGET_DOMAIN)
		*out = strncmp(t->text, "*.", 2) == 0 ?
		    1000 + addr_labels(t->text + 2) : 2000;
	return t->kind != TARGET_GROUP;
}

static enum order
order_of(int a, int b)
{
	return a > b ? WINS : a < b ? LOSES : UNKNOWN;
}

static enum order
precision_order(const struct target *a, const struct target *b, bool *known)
{
	int x, y;

	*known = true;
	if (a->kind == b->kind && a->kind == TARGET_GROUP &&
	    strcmp(a->text, b->text) == 0)
		return UNKNOWN;		/* the same entries: equal */
	if (!fixed_precision(a, &x) || !fixed_precision(b, &y)) {
		*known = false;
		return UNKNOWN;
	}
	return order_of(x, y);
}

/*
 * Which of two policies that both match has the greater key, where that is
 * the same for every message.  exact says that all parts but action and id
 * are equal.
 */
static enum order
key_order(const struct policy *a, const struct policy *b, bool *exact)
{
	enum order o;
	bool known;

	*exact = false;
	if ((o = order_of(a->override, b->override)) != UNKNOWN ||
	    (o = order_of(policy_rank(a->from.kind),
	    policy_rank(b->from.kind))) != UNKNOWN ||
	    (o = order_of(policy_rank(a->to.kind),
	    policy_rank(b->to.kind))) != UNKNOWN)
		return o;
	o = precision_order(&a->from, &b->from, &known);
	if (o != UNKNOWN || !known)
		return o;
	o = precision_order(&a->to, &b->to, &known);
	if (o != UNKNOWN || !known)
		return o;
	if (a->ips_n > 0 && b->ips_n > 0)
		return UNKNOWN;
	if ((o = order_of(a->ips_n > 0, b->ips_n > 0)) != UNKNOWN)
		return o;
	*exact = true;
	/* block, permit and apply beat take no action; permitted the other
	 * way round */
	if (a->action != b->action)
		return (a->action == ACTION_TAKE_NO_ACTION) ==
		    (a->type == POLICY_PERMITTED_SENDERS) ? WINS : LOSES;
	return strcmp(a->id, b->id) < 0 ? WINS : LOSES;
}

/* Does wide match wherever narrow does? */
static bool
covers(const struct lint *l, const struct policy *wide,
    const struct policy *narrow)
{
	return (wide->based_on & narrow->based_on) == narrow->based_on &&
	    wide->ips_n == 0 && wide->hosts_n == 0 &&
	    wide->valid_from_us <= narrow->valid_from_us &&
	    wide->valid_until_us >= narrow->valid_until_us &&
	    (wide->bidirectional || !narrow->bidirectional) &&
	    cover_target(l->items, &wide->from, &narrow->from) &&
	    cover_target(l->items, &wide->to, &narrow->to);
}

static bool
same_target(const struct target *a, const struct target *b)
{
	return a->kind == b->kind && (a->text == NULL ||
	    strcmp(a->text, b->text) == 0) && (a->value == NULL ||
	    strcmp(a->value, b->value) == 0);
}

/* Was the exception e made for the block b, and does it lose to it? */
static bool
is_lost_exception(const struct lint *l, const struct policy *b,
    const struct policy *e)
{
	bool exact;

	return e->action == ACTION_TAKE_NO_ACTION &&
	    b->action != ACTION_TAKE_NO_ACTION &&
	    (b->based_on & e->based_on) != 0 && b->ips_n == 0 &&
	    b->hosts_n == 0 && key_order(b, e, &exact) == WINS && !exact &&
	    cover_target(l->items, &b->from, &e->from) &&
	    (cover_target(l->items, &b->to, &e->to) ||
	    cover_target(l->items, &e->to, &b->to));
}

static void
say_lost(struct lint *l, const struct lint_policy *b,
    const struct lint_policy *e)
{
	const char *mend = "put the sender into the group \"Blocked Senders "
	    "Exceptions\" instead";
	char subject[80];

	if (b->p.override)
		mend = "set override on the exception too, or take it from "
		    "the block";
	else if (b->p.from.kind != TARGET_GROUP)
		mend = "name the sender more narrowly (an address instead of "
		    "a domain), or set override on the exception";
	lint_add(l, LINT_WARNING, "exception_loses", e->item,
	    lint_subject(&e->p, subject), mend, "this exception loses to "
	    "policy %s, which it was made for: %s", b->p.id,
	    b->p.override != e->p.override ? "that has override" :
	    policy_rank(b->p.from.kind) > policy_rank(e->p.from.kind) ?
	    "its sender target ranks higher" :
	    policy_rank(b->p.to.kind) > policy_rank(e->p.to.kind) ?
	    "its recipient target ranks higher" : "it is more precise");
}

static void
compare(struct lint *l, const struct lint_policy *a,
    const struct lint_policy *b, bool *done)
{
	const char *shadowed = "delete it, or make it narrower than the "
	    "other, or set override";
	char subject[80];
	enum order o;
	bool exact;

	if (is_lost_exception(l, &a->p, &b->p)) {
		say_lost(l, a, b);
		*done = true;
		return;
	}
	o = key_order(&a->p, &b->p, &exact);
	if (o != WINS)
		return;
	if (exact && a->p.action != b->p.action &&
	    (a->p.based_on & b->p.based_on) != 0 &&
	    same_target(&a->p.from, &b->p.from) &&
	    same_target(&a->p.to, &b->p.to)) {
		lint_add(l, LINT_WARNING, "tie", b->item,
		    lint_subject(&b->p, subject), "make one of the two "
		    "narrower, or delete one", "it ties with policy %s, "
		    "which says the opposite for the same senders and "
		    "recipients; %s wins by its action alone", a->p.id,
		    a->p.id);
		*done = true;
	} else if (covers(l, &a->p, &b->p)) {
		lint_add(l, LINT_WARNING, "shadowed", b->item,
		    lint_subject(&b->p, subject), shadowed, "it can never "
		    "win: policy %s matches wherever it does and has the "
		    "greater key", a->p.id);
		*done = true;
	}
}

/* The first policy of this type and sender target, or l->n. */
static size_t
seek(const struct lint *l, enum policy_type type, enum target_kind kind,
    const char *text)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct policy *p = &l->policy[mid].p;
		bool below = p->type != type ? p->type < type :
		    p->from.kind != kind ? p->from.kind < kind :
		    text != NULL && strcmp(p->from.text == NULL ? "" :
		    p->from.text, text) < 0;

		if (below)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Compare b with the policies of one sender target (text NULL: of the kind).
 * Stops at the first finding about b. */
static void
against(struct lint *l, const struct lint_policy *b, enum target_kind kind,
    const char *text, size_t *pairs, bool *done)
{
	size_t i = seek(l, b->p.type, kind, text);

	for (; i < l->n && !*done; i++) {
		const struct lint_policy *a = &l->policy[i];

		if (a->p.type != b->p.type || a->p.from.kind != kind ||
		    (text != NULL && strcmp(a->p.from.text, text) != 0))
			return;
		if (a == b || !a->live)
			continue;
		if (++*pairs > LINT_PAIRS_MAX) {
			l->cut = true;
			return;
		}
		compare(l, a, b, done);
	}
}

void
lint_pairs(struct lint *l)
{
	static const enum target_kind wide[] = { TARGET_EVERYONE,
	    TARGET_INTERNAL, TARGET_EXTERNAL, TARGET_FREE_MAIL,
	    TARGET_GROUP };
	size_t i, k, pairs = 0;

	for (i = 0; i < l->n; i++) {
		const struct lint_policy *b = &l->policy[i];
		const struct target *from = &b->p.from;
		const char *dot, *at;
		bool done = !b->live;

		for (k = 0; k < sizeof(wide) / sizeof(wide[0]); k++)
			against(l, b, wide[k], NULL, &pairs, &done);
		if (from->kind > TARGET_FREE_MAIL &&
		    from->kind != TARGET_GROUP)
			against(l, b, from->kind, from->text, &pairs, &done);
		if (from->kind == TARGET_ADDRESS &&
		    (at = strrchr(from->text, '@')) != NULL)
			against(l, b, TARGET_DOMAIN, at + 1, &pairs, &done);
		if (from->kind != TARGET_ADDRESS &&
		    from->kind != TARGET_DOMAIN)
			continue;
		for (dot = strchr(from->text, '.'); dot != NULL;
		    dot = strchr(dot + 1, '.')) {
			char name[ADDR_DOMAIN_MAX + 3];

			snprintf(name, sizeof(name), "*%s", dot);
			against(l, b, TARGET_DOMAIN, name, &pairs, &done);
		}
	}
}
