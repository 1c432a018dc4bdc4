/*
 * match.c - matches policies against one question and finds the winner.
 */
#include "proto/policy/match.h"

#include <string.h>

#include "proto/policy/target.h"

static bool
host_matches(const char *host, const char *want)
{
	size_t n = strlen(host), len = strlen(want);

	if (want[0] != '*')
		return strcmp(host, want) == 0;
	return n > len - 1 && strcmp(host + n - (len - 1), want + 1) == 0;
}

/* Source IPs and host names; *prefix is the longest that holds, or -1. */
static bool
conditions_hold(struct judging *j, const struct policy *p, int *prefix)
{
	size_t i;

	*prefix = -1;
	if (p->ips_n == 0 && p->hosts_n == 0)
		return true;
	if (j->trusted)
		return false;
	for (i = 0; i < p->ips_n; i++) {
		int len;

		j->steps++;
		if (!j->env->has_ip ||
		    !ip_in_prefix(&j->env->ip, &p->ips[i]))
			continue;
		len = ip_prefix_shown_len(&p->ips[i]);
		*prefix = len > *prefix ? len : *prefix;
	}
	if (p->ips_n > 0 && *prefix < 0)
		return false;
	for (i = 0; i < p->hosts_n; i++) {
		j->steps++;
		if (j->env->host != NULL &&
		    host_matches(j->env->host, p->hosts[i]))
			return true;
	}
	return p->hosts_n == 0;
}

static bool
is_allow(const struct policy *p)
{
	return p->action == ACTION_TAKE_NO_ACTION ||
	    p->action == ACTION_PERMIT;
}

static int
action_key(const struct policy *p)
{
	if (p->type == POLICY_PERMITTED_SENDERS)
		return p->action == ACTION_TAKE_NO_ACTION;
	return p->action != ACTION_TAKE_NO_ACTION;
}

/* Match the sender's target by one identity; precision or NO_MATCH. */
static int
match_sender(struct judging *j, const struct policy *p,
    const struct target *t, enum identity id, struct match *m)
{
	bool block = p->action == ACTION_BLOCK, allow = is_allow(p);
	const struct envelope *e = j->env;
	char entry[ADDR_TEXT_MAX] UNSET;
	int best = NO_MATCH, prec;
	struct side s;
	uint64_t gid;
	size_t i;

	if (id == BASED_ENVELOPE) {
		if (t->kind == TARGET_DISPLAY_NAME ||
		    (allow && e->sender.ambiguous))
			return NO_MATCH;
		side_sender(j, block, &s);
		return match_target(j, t, &s, m->entry, &m->gid);
	}
	if (e->headers == NULL || (allow && e->headers_more))
		return NO_MATCH;
	for (i = 0; i < e->headers_n; i++) {
		j->steps++;
		side_header(j, i, block, &s);
		prec = match_target(j, t, &s, entry, &gid);
		if (allow && (prec == NO_MATCH || e->headers[i].ambiguous))
			return NO_MATCH;
		/* any for a block: its best; all for an allow: its worst */
		if (prec == NO_MATCH || (best != NO_MATCH &&
		    (allow ? prec >= best : prec <= best)))
			continue;
		best = prec;
		memcpy(m->entry, entry, sizeof(entry));
		m->gid = gid;
	}
	return best;
}

static bool
is_active(const struct judging *j, const struct policy *p)
{
	/* disabled ones stand in no index */
	return (j->with_monitored || !p->monitor) &&
	    p->valid_from_us <= j->now_us && j->now_us < p->valid_until_us;
}

static int
key_compare(const struct match *a, const struct match *b)
{
	int i;

	for (i = 0; i < KEY_PARTS; i++) {
		if (a->key[i] != b->key[i])
			return a->key[i] < b->key[i] ? -1 : 1;
	}
	return 0;
}

/* Is a better than b?  Between equal keys the smallest id wins, and within
 * one policy the envelope. */
static bool
is_better(const struct match *a, const struct match *b)
{
	int c = key_compare(a, b);

	if (c != 0)
		return c > 0;
	if (a->policy == b->policy)
		return a->identity < b->identity;
	return strcmp(a->policy->id, b->policy->id) < 0;
}

/* One policy, one orientation, one identity; its conditions hold, prefix is
 * the longest. */
static bool
match_one(struct judging *j, const struct policy *p, bool reverse,
    enum identity id, int prefix, struct match *m)
{
	const struct target *from = reverse ? &p->to : &p->from;
	const struct target *to = reverse ? &p->from : &p->to;
	char entry[ADDR_TEXT_MAX] UNSET;
	int sender, rcpt;
	uint64_t gid;

	if (is_allow(p) && j->env->rcpt.ambiguous)
		return false;
	if ((rcpt = match_target(j, to, &j->rcpt, entry, &gid)) == NO_MATCH ||
	    (sender = match_sender(j, p, from, id, m)) == NO_MATCH)
		return false;
	m->policy = p;
	m->identity = id;
	m->reverse = reverse;
	m->key[KEY_OVERRIDE] = p->override;
	m->key[KEY_RANK_FROM] = policy_rank(from->kind);
	m->key[KEY_RANK_TO] = policy_rank(to->kind);
	m->key[KEY_PRECISION_FROM] = sender;
	m->key[KEY_PRECISION_TO] = rcpt;
	m->key[KEY_IP] = prefix;
	m->key[KEY_ACTION] = action_key(p);
	return true;
}

/* Keep the best candidates in the trace, once a policy. */
static void
trace_add(struct stage_trace *st, const struct match *m)
{
	size_t n, i;

	if (st == NULL)
		return;
	n = st->candidates_n < DECIDE_TRACE_CANDIDATES ? st->candidates_n :
	    DECIDE_TRACE_CANDIDATES;
	for (i = 0; i < n; i++) {
		if (st->candidates[i].policy != m->policy)
			continue;
		if (!is_better(m, &st->candidates[i]))
			return;
		memmove(&st->candidates[i], &st->candidates[i + 1],
		    (n - i - 1) * sizeof(*m));
		st->candidates_n--;
		n--;
		break;
	}
	for (i = n; i > 0 && is_better(m, &st->candidates[i - 1]); i--) {
		if (i < DECIDE_TRACE_CANDIDATES)
			st->candidates[i] = st->candidates[i - 1];
	}
	if (i < DECIDE_TRACE_CANDIDATES)
		st->candidates[i] = *m;
	st->candidates_n++;
}

struct search {
	enum policy_type type;
	enum identity based;
	struct match *best;
	bool found;
	struct stage_trace *st;
};

/* A policy in force whose conditions hold. */
static void
try_policy(struct judging *j, struct search *q, const struct policy *p,
    bool reverse, int prefix)
{
	enum identity id;
	struct match m UNSET;

	for (id = BASED_ENVELOPE; id <= BASED_HEADER; id++) {
		if ((p->based_on & q->based & id) == 0 ||
		    !match_one(j, p, reverse, id, prefix, &m))
			continue;
		trace_add(q->st, &m);
		if (!q->found || is_better(&m, q->best))
			*q->best = m;
		q->found = true;
	}
}

static void
try_row(struct judging *j, struct search *q, const struct index_row *row)
{
	const struct policy *p = &j->t->policies[row->policy];
	int prefix = -1;

	j->steps++;
	/* GCOVR_EXCL_BR_START: another type only where hashes collide */
	if (p->type != q->type || !is_active(j, p) ||
	    j->steps > DECIDE_STEPS_MAX)
		return;
	/* GCOVR_EXCL_BR_STOP */
	if (row->reverse || conditions_hold(j, p, &prefix))
		try_policy(j, q, p, row->reverse, prefix);
}

/* Are there policies of this type that name such a thing on this side? */
static bool
has_kind(const struct judging *j, const struct search *q,
    enum index_side side, enum narrow_kind kind)
{
	return (j->t->kinds[q->type][side] >> kind & 1) != 0;
}

static void
try_rows(struct judging *j, struct search *q, const struct index_row *row,
    size_t n)
{
	j->steps++;
	for (; n > 0; n--)
		try_row(j, q, row++);
}

/* The rows that name neither side; most have source IPs and end there. */
static void
try_wide(struct judging *j, struct search *q)
{
	const struct rows *rows = &j->t->wide[q->type];
	const struct guard *guard = j->t->guard;
	size_t i = rows->first, end = i + rows->n, stop;
	unsigned standing = j->standing;

	/* a header's address may stand elsewhere than the sender */
	if ((q->based & BASED_HEADER) != 0)
		standing |= SENDER_INTERNAL | SENDER_EXTERNAL;
	for (; i < end; i = stop) {
		j->steps++;
		stop = (i / GUARD_BLOCK + 1) * GUARD_BLOCK;
		if (stop > end)
			stop = end;
		if (!guard_lets(&j->t->guard_block[i / GUARD_BLOCK], j->ip,
		    standing))
			continue;
		for (; i < stop; i++) {
			j->steps++;
			if (guard_lets(&guard[i], j->ip, standing))
				try_row(j, q, &j->t->index[i]);
		}
	}
}

static void
try_selector(struct judging *j, struct search *q, enum index_side side,
    enum narrow_kind kind, uint64_t hash)
{
	size_t n;
	const struct index_row *row = tables_index(j->t, q->type, side, kind,
	    hash, &n);

	try_rows(j, q, row, n);
}

/* Does one of the first n header addresses have a domain below ".suffix"? */
static bool
was_tried(struct judging *j, size_t n, const char *suffix)
{
	size_t len = strlen(suffix), i;

	for (i = 0; i < n; i++) {
		const struct addr *a = &j->env->headers[i];
		size_t d = a->len - a->domain_at;

		j->steps++;
		if (a->kind == ADDR_MAILBOX && d > len &&
		    memcmp(a->text + a->len - len, suffix, len) == 0)
			return true;
	}
	return false;
}

/* What names an address, its domain, or domains above. */
static void
try_address(struct judging *j, struct search *q, enum index_side side,
    const struct addr *a, const struct addr_hash *h)
{
	size_t i;

	if (has_kind(j, q, side, NARROW_ADDRESS))
		try_selector(j, q, side, NARROW_ADDRESS, h->address);
	if (a->kind != ADDR_MAILBOX)
		return;
	if (has_kind(j, q, side, NARROW_DOMAIN))
		try_selector(j, q, side, NARROW_DOMAIN, h->domain);
	if (!has_kind(j, q, side, NARROW_WILDCARD))
		return;
	for (i = 0; i < h->suffix_n; i++)
		try_selector(j, q, side, NARROW_WILDCARD, h->suffix[i].hash);
}

/* What names an address whose domain was tried. */
static void
try_form(struct judging *j, struct search *q, enum index_side side,
    uint64_t hash)
{
	if (has_kind(j, q, side, NARROW_ADDRESS))
		try_selector(j, q, side, NARROW_ADDRESS, hash);
}

/* Drop the suffixes that an earlier header address has too: the shorter ones
 * of those it has. */
static void
drop_tried(struct judging *j, size_t before, const struct addr *a,
    struct addr_hash *h)
{
	size_t dropped = 0;

	while (dropped < h->suffix_n && was_tried(j, before, a->text +
	    h->suffix[dropped].at - 1))
		dropped++;
	memmove(h->suffix, h->suffix + dropped, (h->suffix_n - dropped) *
	    sizeof(h->suffix[0]));
	h->suffix_n -= dropped;
}

/* Header addresses; one that another of them equals or whose domain it has
 * finds nothing new. */
static void
try_headers(struct judging *j, struct search *q)
{
	const struct envelope *e = j->env;
	size_t i, k;

	for (i = 0; i < e->headers_n; i++) {
		const struct addr *a = &e->headers[i];

		for (k = 0; k < i; k++) {
			j->steps++;
			if (strcmp(addr_domain(&e->headers[k]),
			    addr_domain(a)) == 0)
				break;
		}
		if (k == i) {
			struct addr_hash h UNSET;

			tables_hash_addr(j->t, a, &h);
			drop_tried(j, i, a, &h);
			try_address(j, q, SIDE_SENDER, a, &h);
		} else if (strcmp(e->headers[k].text, a->text) != 0)
			try_form(j, q, SIDE_SENDER, tables_hash(j->t,
			    a->text));
		if (e->header_base[i].kind == ADDR_MAILBOX)
			try_form(j, q, SIDE_SENDER, tables_hash(j->t,
			    e->header_base[i].text));
	}
}

/* Groups that were reached, each once. */
static void
try_groups(struct judging *j, struct search *q)
{
	size_t words = (j->t->groups_n + 63) / 64, w;
	int side;

	for (w = 0; w < words; w++) {
		for (side = SIDE_SENDER; side <= SIDE_RCPT; side++) {
			uint64_t bits = !has_kind(j, q, (enum index_side)side,
			    NARROW_GROUP) ? 0 : side == SIDE_RCPT ?
			    j->reached[REACHED_RCPT][w] :
			    j->reached[REACHED_SENDER][w] |
			    ((q->based & BASED_HEADER) != 0 ?
			    j->reached[REACHED_HEADER][w] : 0);

			for (; bits != 0; bits &= bits - 1)
				try_selector(j, q, (enum index_side)side,
				    NARROW_GROUP, j->t->groups[w * 64 +
				    (size_t)__builtin_ctzll(bits)].gid);
		}
	}
}

bool
match_best(struct judging *j, enum policy_type type, enum identity based,
    struct match *out, struct stage_trace *st)
{
	struct search q = { .type = type, .based = based, .best = out,
	    .st = st };
	const struct envelope *e = j->env;
	const struct want *w = j->keys;

	if (j->t->wide[type].n > 0)
		try_wide(j, &q);
	if (match_may_name(j, type, SIDE_RCPT)) {
		try_address(j, &q, SIDE_RCPT, &e->rcpt, &w->rcpt);
		if (e->has_rcpt_base)
			try_form(j, &q, SIDE_RCPT, w->rcpt_base);
		if (e->has_primary)
			try_address(j, &q, SIDE_RCPT, &e->primary,
			    &w->primary);
	}
	if (match_may_name(j, type, SIDE_SENDER)) {
		try_address(j, &q, SIDE_SENDER, &e->sender, &w->sender);
		if (e->has_sender_base)
			try_form(j, &q, SIDE_SENDER, w->sender_base);
	}
	if ((based & BASED_HEADER) != 0 && e->headers_n > 0 &&
	    j->t->kinds[type][SIDE_SENDER] != 0)
		try_headers(j, &q);
	if (j->any_entry)
		try_groups(j, &q);
	return q.found;
}

/* The highest precision that a target can reach. */
static int
precision_most(const struct target *t)
{
	switch (t->kind) {
	case TARGET_ADDRESS:
	case TARGET_GROUP:
		return PRECISION_ADDRESS;
	case TARGET_DOMAIN:
		return name_is_wild(t->text) ?
		    PRECISION_WILDCARD + addr_labels(t->text + 2) :
		    PRECISION_DOMAIN;
	default:
		return 0;
	}
}

static bool
could_beat(struct judging *j, const struct policy *p, bool reverse,
    const struct match *w)
{
	const struct target *from = reverse ? &p->to : &p->from;
	const struct target *to = reverse ? &p->from : &p->to;
	struct match m = { .policy = p, .identity = BASED_HEADER };
	char entry[ADDR_TEXT_MAX] UNSET;
	int prefix = -1, rcpt;
	uint64_t gid;

	rcpt = match_target(j, to, &j->rcpt, entry, &gid);
	if (rcpt == NO_MATCH ||
	    (!reverse && !conditions_hold(j, p, &prefix)))
		return false;
	m.key[KEY_OVERRIDE] = p->override;
	m.key[KEY_RANK_FROM] = policy_rank(from->kind);
	m.key[KEY_RANK_TO] = policy_rank(to->kind);
	m.key[KEY_PRECISION_FROM] = precision_most(from);
	m.key[KEY_PRECISION_TO] = rcpt;
	m.key[KEY_IP] = prefix;
	m.key[KEY_ACTION] = action_key(p);
	return is_better(&m, w);
}

bool
match_is_open(struct judging *j, enum policy_type type,
    const struct match *w)
{
	size_t i;

	if (j->env->rcpt.ambiguous)
		return false;
	for (i = 0; i < j->t->header_exception_n[type]; i++) {
		const struct policy *p = &j->t->policies[
		    j->t->header_exception[type][i]];

		j->steps++;
		if (is_active(j, p) && (could_beat(j, p, false, w) ||
		    (p->bidirectional && could_beat(j, p, true, w))))
			return true;
	}
	return false;
}

/* Does the recipient's side of p hold, in one orientation? */
static bool
concerns_rcpt(struct judging *j, const struct policy *p, bool reverse)
{
	const struct target *to = reverse ? &p->from : &p->to;
	char entry[ADDR_TEXT_MAX] UNSET;
	int prefix;
	uint64_t gid;

	if (!reverse && !conditions_hold(j, p, &prefix))
		return false;
	return match_target(j, to, &j->rcpt, entry, &gid) != NO_MATCH;
}

bool
match_by_header(struct judging *j, const struct policy *p)
{
	j->steps++;
	return is_active(j, p) &&
	    !(is_allow(p) && j->env->rcpt.ambiguous) &&
	    (concerns_rcpt(j, p, false) ||
	    (p->bidirectional && concerns_rcpt(j, p, true)));
}

bool
match_rcpt_in_group(struct judging *j, uint64_t gid)
{
	const struct target t = { .kind = TARGET_GROUP, .gid = gid };
	char entry[ADDR_TEXT_MAX] UNSET;
	uint64_t direct;

	return match_target(j, &t, &j->rcpt, entry, &direct) != NO_MATCH;
}

int
match_key_shown(const struct match *m, int part)
{
	if (part == KEY_PRECISION_FROM || part == KEY_PRECISION_TO)
		return m->key[part] / 1000;
	return m->key[part];
}
