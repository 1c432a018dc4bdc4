/*
 * target.c - holds one target against the sender, a header From address or
 * the recipient.  Every loop counts steps.
 */
#include "proto/policy/target.h"

#include <string.h>

struct bytes
match_fact(const struct judging *j, size_t i)
{
	return bytes_of(j->f->values.data + j->f->at[i], j->f->len[i]);
}

size_t
match_slot(uint8_t who, uint8_t index)
{
	return who < WHO_HEADER ? who :
	    WHO_HEADER + 2u * index + (who - WHO_HEADER);
}

/* Mark the groups that hold what an entry names, and those above. */
static void
reach(struct judging *j, size_t key, uint64_t *reached)
{
	struct bytes v = match_fact(j, key);

	while (v.n >= 8 && j->steps <= DECIDE_STEPS_MAX) {
		const struct group_row *g = tables_group(j->t,
		    bytes_u64(&v));
		size_t i;

		j->steps++;
		for (i = 0; g != NULL && i < g->closure_n; i++) {
			j->steps++;
			reached[g->above[i] / 64] |= UINT64_C(1) <<
			    g->above[i] % 64;
		}
	}
}

static void
side_rcpt(const struct judging *j, struct side *s)
{
	const struct envelope *e = j->env;

	memset(s, 0, sizeof(*s));
	s->form[s->form_n++] = &e->rcpt;
	if (e->has_rcpt_base)
		s->form[s->form_n++] = &e->rcpt_base;
	if (e->has_primary)
		s->form[s->form_n++] = &e->primary;
	s->slot[0] = WHO_RCPT;
	s->slot[1] = WHO_RCPT_BASE;
	s->slot[2] = WHO_PRIMARY;
	s->slots_n = 3;
	s->internal = j->rcpt_internal;
}

static void
reach_entry(struct judging *j, size_t i)
{
	size_t words = (j->t->groups_n + 63) / 64, s;
	uint8_t who = j->keys->key[i].who;

	for (s = 0; s < REACHED_SIDES && !j->any_entry; s++)
		memset(j->reached[s], 0, words * sizeof(uint64_t));
	j->any_entry = true;
	reach(j, i, j->reached[who <= WHO_PRIMARY ? REACHED_RCPT :
	    who < WHO_HEADER ? REACHED_SENDER : REACHED_HEADER]);
}

/* What holds of the sender and the recipient for policies of all types. */
static void
begin_sides(struct judging *j)
{
	j->standing = (j->rcpt_internal ? RCPT_INTERNAL : RCPT_EXTERNAL) |
	    (j->sender_internal ? SENDER_INTERNAL : SENDER_EXTERNAL);
	j->ip[0] = j->ip[1] = 0;
	if (j->env->has_ip)
		ip_halves(&j->env->ip, j->ip);
}

void
match_begin(struct judging *j)
{
	size_t i, slots = match_slot(WHO_HEADER, (uint8_t)j->env->headers_n);

	side_rcpt(j, &j->rcpt);
	begin_sides(j);
	for (i = 0; i < j->env->headers_n; i++) {
		const struct addr *a = &j->env->headers[i];
		const char *domain = addr_domain(a);

		j->header_internal[i] = tables_internal(j->t, domain,
		    a->len - a->domain_at, tables_hash(j->t, domain)) !=
		    NULL;
	}
	memset(j->slot, 0, slots * sizeof(j->slot[0]));
	j->any_entry = j->any_user = false;
	for (i = j->keys->n; i-- > 0;) {
		const struct want_key *k = &j->keys->key[i];
		uint16_t *first;
		struct slot *s;

		if (j->f->state[i] != FACT_FOUND || k->cls == RECORD_ALIAS)
			continue;
		s = &j->slot[match_slot(k->who, k->index)];
		first = k->cls == RECORD_ENTRY ? &s->entry :
		    k->cls == RECORD_DIRECTORY ? &s->directory : &s->user;
		j->next[i] = *first;
		*first = (uint16_t)(i + 1);
		j->any_user |= k->cls == RECORD_USER;
		if (k->cls == RECORD_ENTRY)
			reach_entry(j, i);
	}
}

void
side_sender(const struct judging *j, bool block, struct side *s)
{
	const struct envelope *e = j->env;

	s->form_n = s->slots_n = 0;
	s->display_name = NULL;
	s->form[s->form_n++] = &e->sender;
	s->slot[s->slots_n++] = WHO_SENDER;
	if (block && e->has_sender_base) {
		s->form[s->form_n++] = &e->sender_base;
		s->slot[s->slots_n++] = WHO_SENDER_BASE;
	}
	s->internal = j->sender_internal;
	s->null = e->sender.kind == ADDR_NULL;
}

void
side_header(const struct judging *j, size_t i, bool block, struct side *s)
{
	const struct envelope *e = j->env;

	memset(s, 0, sizeof(*s));
	s->form[s->form_n++] = &e->headers[i];
	s->slot[s->slots_n++] = match_slot(WHO_HEADER, (uint8_t)i);
	if (block && e->header_base[i].kind == ADDR_MAILBOX) {
		s->form[s->form_n++] = &e->header_base[i];
		s->slot[s->slots_n++] = match_slot(WHO_HEADER_BASE,
		    (uint8_t)i);
	}
	s->internal = j->header_internal[i];
	s->display_name = e->header_name;
}

static void
set_entry(char entry[ADDR_TEXT_MAX], const struct want_key *k)
{
	size_t n = 0;

	if (k->wild) {
		memcpy(entry, "*.", 2);
		n = 2;
	}
	memcpy(entry + n, k->a, k->a_len);
	entry[n + k->a_len] = '\0';
}

/* The group that holds key's entry directly and is gid or below it; 0: none. */
static uint64_t
holder_below(struct judging *j, size_t key, uint64_t gid)
{
	struct bytes v = match_fact(j, key);

	while (v.n >= 8) {
		uint64_t g = bytes_u64(&v);

		j->steps++;
		if (tables_is_above(j->t, g, gid))
			return g;
	}
	return 0;
}

/* Find the best entry of a slot that group gid holds. */
static void
ask_slot(struct judging *j, struct slot *s, uint64_t gid)
{
	int best = NO_MATCH;
	size_t i;

	j->steps++;
	if (s->gid == gid)
		return;
	s->gid = gid;
	s->best = 0;
	for (i = s->entry; i != 0; i = j->next[i - 1]) {
		uint64_t g;

		j->steps++;
		if (j->keys->key[i - 1].precision <= best ||
		    (g = holder_below(j, i - 1, gid)) == 0)
			continue;
		best = j->keys->key[i - 1].precision;
		s->best = (uint16_t)i;
		s->direct = g;
	}
}

/* The best entry of this side that group gid holds. */
static int
match_group(struct judging *j, const struct side *s, uint64_t gid,
    char entry[ADDR_TEXT_MAX], uint64_t *direct)
{
	const struct want_key *best = NULL;
	size_t n;

	for (n = 0; n < s->slots_n; n++) {
		struct slot *slot = &j->slot[s->slot[n]];
		size_t i;

		ask_slot(j, slot, gid);
		i = slot->best;
		if (i == 0 || (best != NULL &&
		    j->keys->key[i - 1].precision <= best->precision))
			continue;
		best = &j->keys->key[i - 1];
		*direct = slot->direct;
	}
	if (best == NULL)
		return NO_MATCH;
	set_entry(entry, best);
	return best->precision;
}

static int
match_domain(const struct side *s, const char *want)
{
	bool wild = name_is_wild(want);
	size_t i, len = strlen(want) - (wild ? 2 : 0);

	for (i = 0; i < s->form_n; i++) {
		const char *d = addr_domain(s->form[i]);
		size_t n = strlen(d);

		if (s->form[i]->kind != ADDR_MAILBOX)
			continue;
		if (!wild && strcmp(d, want) == 0)
			return PRECISION_DOMAIN;
		if (wild && n > len + 1 && d[n - len - 1] == '.' &&
		    strcmp(d + n - len, want + 2) == 0)
			return PRECISION_WILDCARD + addr_labels(want + 2);
	}
	return NO_MATCH;
}

static bool
has_attribute(struct bytes v, const char *name, const char *value)
{
	uint16_t n;

	bytes_u8(&v);
	for (n = bytes_u16(&v); n > 0 && v.err == 0; n--) {
		uint8_t kn = bytes_u8(&v);
		const uint8_t *k = bytes_take(&v, kn);
		uint16_t vn = bytes_u16(&v);
		const uint8_t *p = bytes_take(&v, vn);

		if (k != NULL && p != NULL && kn == strlen(name) &&
		    vn == strlen(value) && memcmp(k, name, kn) == 0 &&
		    memcmp(p, value, vn) == 0)
			return true;
	}
	return false;
}

static bool
match_attribute(struct judging *j, const struct side *s,
    const struct target *t)
{
	size_t n, i;

	for (n = 0; n < s->slots_n; n++) {
		for (i = j->slot[s->slot[n]].directory; i != 0;
		    i = j->next[i - 1]) {
			j->steps++;
			if (has_attribute(match_fact(j, i - 1), t->text,
			    t->value))
				return true;
		}
	}
	return false;
}

static int
match_address(const struct side *s, const char *want)
{
	size_t i;

	for (i = 0; i < s->form_n; i++) {
		if (strcmp(s->form[i]->text, want) == 0)
			return PRECISION_ADDRESS;
	}
	return NO_MATCH;
}

int
match_target(struct judging *j, const struct target *t,
    const struct side *s, char entry[ADDR_TEXT_MAX], uint64_t *direct)
{
	int p = NO_MATCH;

	entry[0] = '\0';
	*direct = 0;
	switch (t->kind) {
	case TARGET_EVERYONE:
		return 0;
	case TARGET_INTERNAL:
		return s->internal ? 0 : NO_MATCH;
	case TARGET_EXTERNAL:
		return s->internal ? NO_MATCH : 0;
	default:
		break;
	}
	if (s->null)
		return NO_MATCH;
	switch (t->kind) {
	case TARGET_FREE_MAIL:
		return s->form[0]->kind == ADDR_MAILBOX &&
		    name_list_holds(&j->t->free_mail, addr_domain(s->form[0])) ?
		    0 : NO_MATCH;
	case TARGET_GROUP:
		return match_group(j, s, t->gid, entry, direct);
	case TARGET_ATTRIBUTE:
		return match_attribute(j, s, t) ? 0 : NO_MATCH;
	case TARGET_DISPLAY_NAME:
		return s->display_name != NULL &&
		    strcmp(s->display_name, t->text) == 0 ? 0 : NO_MATCH;
	case TARGET_DOMAIN:
		p = match_domain(s, t->text);
		break;
	default:
		p = match_address(s, t->text);
		break;
	}
	if (p != NO_MATCH)	/* then no longer than an address */
		memcpy(entry, t->text, strlen(t->text) + 1);
	return p;
}
