/*
 * tables_hash.c - finds the rows of a selector and the internal domain of a
 * name in one probe each.
 *
 * A hash only leads to rows; whether they match is decided on the texts.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/mail/addr.h"
#include "proto/policy/tables_impl.h"

#define BITS_A_HASH 16

uint64_t
tables_hash(const struct tables *t, const char *name)
{
	return record_hash_name(&t->hash, name, strlen(name));
}

/* The suffixes of the domain that are wanted, from the end of it on. */
static void
hash_suffixes(const struct tables *t, const struct addr *a,
    struct addr_hash *out)
{
	const char *domain = a->text + a->domain_at, *end = a->text + a->len,
	    *dot = end;
	unsigned labels;

	for (labels = 1; labels <= t->all_depths_most && (dot = memrchr(domain,
	    '.', (size_t)(dot - domain))) != NULL; labels++) {
		const char *from = dot + 1;

		if (!depths_have(&t->all_depths, labels))
			continue;
		out->suffix[out->suffix_n++] = (struct suffix_hash){
		    hash_text(&t->hash, from, (size_t)(end - from)),
		    (uint16_t)(from - a->text), (uint16_t)labels };
	}
}

void
tables_hash_addr(const struct tables *t, const struct addr *a,
    struct addr_hash *out)
{
	out->suffix_n = 0;
	if (a->kind != ADDR_MAILBOX && a->kind != ADDR_LITERAL) {
		out->domain = out->address = record_hash_name(&t->hash,
		    a->text, a->len);
		return;
	}
	out->domain = hash_text(&t->hash, a->text + a->domain_at,
	    a->len - a->domain_at);
	out->address = record_hash_address(hash_text(&t->hash, a->text,
	    a->local_len), out->domain);
	if (a->kind == ADDR_MAILBOX)
		hash_suffixes(t, a, out);
}

uint64_t
tables_selector(enum policy_type type, enum index_side side,
    enum narrow_kind kind, uint64_t hash)
{
	/* odd and large: never 0, an empty bucket, nor before a wide one */
	return hash_join(hash, (uint64_t)type << 8 | (uint64_t)side << 4 |
	    kind) | UINT64_C(1) << 63 | 1;
}

const struct index_row *
tables_index(const struct tables *t, enum policy_type type,
    enum index_side side, enum narrow_kind kind, uint64_t hash, size_t *n)
{
	uint64_t selector;
	size_t i;

	*n = 0;
	if (t->bucket == NULL || !hash_bits_have(&t->named, hash))
		return NULL;
	selector = tables_selector(type, side, kind, hash);
	for (i = (selector >> 32) & t->bucket_mask;
	    t->bucket[i].selector != 0; i = (i + 1) & t->bucket_mask) {
		if (t->bucket[i].selector == selector) {
			*n = t->bucket[i].rows.n;
			return &t->index[t->bucket[i].rows.first];
		}
	}
	return NULL;
}

/* The power of two at least twice n. */
static size_t
room_for(size_t n)
{
	size_t size = 8;

	while (size < n * 2)
		size *= 2;
	return size;
}

/* For n hashes. */
static void
make_bits(struct hash_bits *s, size_t n)
{
	size_t bits = room_for(n * BITS_A_HASH / 2);

	if (bits < 64)
		bits = 64;
	s->bit = xcalloc_pages(bits / 64, sizeof(*s->bit));
	s->shift = 64 - (unsigned)__builtin_ctzll(bits);
}

static void
note(struct hash_bits *s, uint64_t hash)
{
	uint64_t i = hash >> s->shift;

	s->bit[i / 64] |= UINT64_C(1) << i % 64;
}

void
tables_note_named(struct tables *t, uint64_t hash)
{
	if (t->named.bit == NULL)	/* a policy stands under two at most */
		make_bits(&t->named, 2 * t->policies_n);
	note(&t->named, hash);
}

static void
put_bucket(struct tables *t, uint64_t selector, struct rows rows)
{
	size_t i = (selector >> 32) & t->bucket_mask;

	while (t->bucket[i].selector != 0)
		i = (i + 1) & t->bucket_mask;
	t->bucket[i] = (struct bucket){ selector, rows };
}

static unsigned
needs_of(const struct target *t, unsigned internal, unsigned external)
{
	return t->kind == TARGET_INTERNAL ? internal :
	    t->kind == TARGET_EXTERNAL ? external : 0;
}

/* The standings, and the bits that both halves of all source IPs share. */
static struct guard
guard_of(const struct policy *p, bool reverse)
{
	struct guard g = { .mask = { 0, 0 } };
	size_t i;

	g.needs = needs_of(reverse ? &p->to : &p->from, SENDER_INTERNAL,
	    SENDER_EXTERNAL) | needs_of(reverse ? &p->from : &p->to,
	    RCPT_INTERNAL, RCPT_EXTERNAL);
	/* an orientation that is reversed has no conditions */
	for (i = 0; i < p->ips_n && !reverse; i++) {
		unsigned len = p->ips[i].len;
		uint64_t half[2];

		ip_halves(&p->ips[i].ip, half);
		if (i == 0) {
			memcpy(g.net, half, sizeof(g.net));
			memset(g.mask, 0xff, sizeof(g.mask));
		}
		g.mask[0] &= ~(g.net[0] ^ half[0]);
		g.mask[1] &= ~(g.net[1] ^ half[1]);
		g.mask[0] &= len >= 64 ? ~UINT64_C(0) :
		    len == 0 ? 0 : ~UINT64_C(0) << (64 - len);
		g.mask[1] &= len <= 64 ? 0 : ~UINT64_C(0) << (128 - len);
	}
	return g;
}

/* What both ask for. */
static struct guard
guard_join(const struct guard *a, const struct guard *b)
{
	struct guard g = *a;
	int i;

	for (i = 0; i < 2; i++)
		g.mask[i] &= b->mask[i] & ~(a->net[i] ^ b->net[i]);
	g.needs &= b->needs;
	return g;
}

static void
make_guards(struct tables *t)
{
	size_t n = 0, i;

	while (n < t->index_n && t->index[n].selector % 2 == 0)
		n++;
	t->guard = xcalloc(n, sizeof(*t->guard));
	t->guard_block = xcalloc(n / GUARD_BLOCK + 1, sizeof(*t->guard));
	for (i = 0; i < n; i++) {
		struct guard *block = &t->guard_block[i / GUARD_BLOCK];

		t->guard[i] = guard_of(&t->policies[t->index[i].policy],
		    t->index[i].reverse);
		*block = i % GUARD_BLOCK == 0 ? t->guard[i] :
		    guard_join(block, &t->guard[i]);
	}
}

/* The index is sorted: each run of equal selectors becomes a bucket. */
void
tables_hash_policies(struct tables *t)
{
	size_t first, end;
	struct rows rows;

	if (t->index_n == 0)
		return;
	t->bucket_mask = room_for(t->index_n) - 1;
	t->bucket = xcalloc_pages(t->bucket_mask + 1, sizeof(*t->bucket));
	if (t->named.bit == NULL)
		make_bits(&t->named, 1);	/* all are wide */
	make_guards(t);
	for (first = 0; first < t->index_n; first = end) {
		uint64_t selector = t->index[first].selector;

		for (end = first; end < t->index_n &&
		    t->index[end].selector == selector; end++)
			continue;
		rows = (struct rows){ (uint32_t)first,
		    (uint32_t)(end - first) };
		if (selector % 2 == 0)
			t->wide[selector / 2] = rows;
		else
			put_bucket(t, selector, rows);
	}
}

/* Wildcards lie elsewhere than the domains of the same name. */
static inline uint64_t
domain_hash(uint64_t hash, bool wild)
{
	return wild ? ~hash : hash;
}

static void
put_domain(struct tables *t, size_t row)
{
	const char *name = t->domains[row].name;
	bool wild = name_is_wild(name);
	size_t len = strlen(name) - 2 * wild, i;
	struct domain_slot *slot;
	uint64_t h;

	name += 2 * wild;
	h = domain_hash(hash_text(&t->hash, name, len), wild);
	if (wild)
		depths_add(&t->domain_depths, (unsigned)addr_labels(name));
	for (i = h & t->domain_mask; t->domain_at[i].row != 0;)
		i = (i + 1) & t->domain_mask;
	note(&t->domain_named, h);
	slot = &t->domain_at[i];
	slot->row = (uint32_t)row + 1;
	slot->tag = (uint32_t)(h >> 32);
	slot->validation = (uint8_t)t->domains[row].validation;
	slot->wild = wild;
	slot->len = (uint8_t)(len > DOMAIN_SHORT ? DOMAIN_SHORT + 1 : len);
	memcpy(slot->name, name, len > DOMAIN_SHORT ? 0 : len);
}

/* Domains by the hash of their name, "*.x" by that of x. */
void
tables_hash_domains(struct tables *t)
{
	size_t i;

	if (t->domains_n == 0)
		return;
	t->domain_mask = room_for(t->domains_n) - 1;
	make_bits(&t->domain_named, t->domains_n);
	t->domain_at = xcalloc_pages(t->domain_mask + 1,
	    sizeof(*t->domain_at));
	for (i = 0; i < t->domains_n; i++)
		put_domain(t, i);
}

static bool
is_name(const struct tables *t, const struct domain_slot *slot,
    const char *name, size_t len, bool wild)
{
	if (slot->wild != wild)
		return false;
	if (slot->len <= DOMAIN_SHORT)
		return slot->len == len && memcmp(slot->name, name, len) == 0;
	return strcmp(t->domains[slot->row - 1].name + 2 * wild, name) == 0;
}

/* The slot of name (wild: of "*." and name), whose hash is known. */
static const struct domain_slot *
probe_domain(const struct tables *t, uint64_t hash, const char *name,
    size_t len, bool wild)
{
	uint64_t h = domain_hash(hash, wild);
	const struct domain_slot *slot;
	size_t i;

	if (!hash_bits_have(&t->domain_named, h))
		return NULL;
	for (i = h & t->domain_mask; (slot = &t->domain_at[i])->row != 0;
	    i = (i + 1) & t->domain_mask) {
		if (slot->tag == (uint32_t)(h >> 32) &&
		    is_name(t, slot, name, len, wild))
			return slot;
	}
	return NULL;
}

static void
prefetch_bit(const struct hash_bits *s, uint64_t hash)
{
	__builtin_prefetch(&s->bit[(hash >> s->shift) / 64]);
}

void
tables_prefetch(const struct tables *t, const struct addr_hash *h)
{
	if (t->domain_at != NULL) {
		__builtin_prefetch(&t->domain_at[h->domain & t->domain_mask]);
		prefetch_bit(&t->domain_named, h->domain);
	}
	if (t->bucket != NULL) {
		prefetch_bit(&t->named, h->address);
		prefetch_bit(&t->named, h->domain);
	}
}

const struct domain_slot *
tables_internal(const struct tables *t, const char *name, size_t len,
    uint64_t hash)
{
	const struct domain_slot *best = NULL, *slot;
	unsigned labels = 1;
	size_t i;

	if (len == 0 || name[0] == '[' || t->domain_at == NULL)
		return NULL;
	if ((slot = probe_domain(t, hash, name, len, false)) != NULL)
		return slot;
	if ((t->domain_depths.bit[0] | t->domain_depths.bit[1]) == 0)
		return NULL;
	/* from the shortest suffix on, so that the last found is the longest */
	for (i = len; i > 0; i--) {
		if (name[i - 1] != '.')
			continue;
		if (depths_have(&t->domain_depths, labels) &&
		    (slot = probe_domain(t, hash_text(&t->hash, name + i,
		    len - i), name + i, len - i, true)) != NULL)
			best = slot;
		labels++;
	}
	return best;
}
