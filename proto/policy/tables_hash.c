/*
 * tables_hash.c - finds the rows of a selector and the internal domain of a
 * name in one probe each.
 *
 * Texts are hashed from their end, so that one pass over an address gives the
 * hash of each domain above it, of its domain and of itself.  A hash only
 * leads to rows; whether they match is decided on the texts.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/mail/addr.h"
#include "proto/policy/tables_impl.h"

#define BASIS 14695981039346656037u
#define PRIME 1099511628211u

uint64_t
tables_hash(const char *text)
{
	size_t i = strlen(text);
	uint64_t h = BASIS;

	while (i > 0)
		h = (h ^ (unsigned char)text[--i]) * PRIME;
	return h;
}

void
tables_hash_addr(const struct addr *a, const struct depths *want,
    struct addr_hash *out)
{
	const char *text = a->text;
	size_t i = a->len;
	unsigned labels = 1;
	uint64_t h = BASIS;

	out->suffix_n = 0;
	for (; i > a->domain_at; i--) {
		h = (h ^ (unsigned char)text[i - 1]) * PRIME;
		if (text[i - 1] != '.')
			continue;
		if (depths_have(want, labels))
			out->suffix[out->suffix_n++] = h;
		labels++;
	}
	out->domain = h;
	for (; i > 0; i--)
		h = (h ^ (unsigned char)text[i - 1]) * PRIME;
	out->address = h;
}

uint64_t
tables_selector(enum policy_type type, enum index_side side,
    enum narrow_kind kind, uint64_t hash)
{
	/* one multiplication spreads what differs in the low bits */
	return ((hash ^ ((uint64_t)type << 8 | (uint64_t)side << 4 | kind)) *
	    0x9e3779b97f4a7c15u) | 1;	/* never 0: an empty bucket */
}

const struct index_row *
tables_index(const struct tables *t, uint64_t selector, size_t *n)
{
	size_t i;

	*n = 0;
	if (t->bucket == NULL)
		return NULL;
	for (i = (selector >> 32) & t->bucket_mask;
	    t->bucket[i].selector != 0; i = (i + 1) & t->bucket_mask) {
		if (t->bucket[i].selector == selector) {
			*n = t->bucket[i].n;
			return &t->index[t->bucket[i].first];
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

/* The index is sorted: each run of equal selectors becomes a bucket. */
void
tables_hash_policies(struct tables *t)
{
	size_t first, end, i;

	if (t->index_n == 0)
		return;
	t->bucket_mask = room_for(t->index_n) - 1;
	t->bucket = xcalloc(t->bucket_mask + 1, sizeof(*t->bucket));
	for (first = 0; first < t->index_n; first = end) {
		uint64_t selector = t->index[first].selector;

		for (end = first; end < t->index_n &&
		    t->index[end].selector == selector; end++)
			continue;
		i = (selector >> 32) & t->bucket_mask;
		while (t->bucket[i].selector != 0)
			i = (i + 1) & t->bucket_mask;
		t->bucket[i] = (struct bucket){ selector, (uint32_t)first,
		    (uint32_t)(end - first) };
	}
}

/* Domains by the hash of their name, wildcards by that of ".suffix". */
void
tables_hash_domains(struct tables *t)
{
	size_t k, i;

	if (t->domains_n == 0)
		return;
	t->domain_mask = room_for(t->domains_n) - 1;
	t->domain_at = xcalloc(t->domain_mask + 1, sizeof(*t->domain_at));
	for (k = 0; k < t->domains_n; k++) {
		const char *name = t->domains[k].name;
		bool wild = name[0] == '*';

		if (wild)
			depths_add(&t->domain_depths, (unsigned)addr_labels(
			    name + 2));
		i = tables_hash(name + wild) & t->domain_mask;
		while (t->domain_at[i] != 0)
			i = (i + 1) & t->domain_mask;
		t->domain_at[i] = (uint32_t)k + 1;
	}
}

/* The domain whose name, without a star, is text; wild: with one. */
static const struct domain_row *
probe_domain(const struct tables *t, uint64_t hash, const char *text,
    bool wild)
{
	size_t i = hash & t->domain_mask;

	for (; t->domain_at[i] != 0; i = (i + 1) & t->domain_mask) {
		const struct domain_row *row = &t->domains[
		    t->domain_at[i] - 1];

		if ((row->name[0] == '*') == wild &&
		    strcmp(row->name + wild, text) == 0)
			return row;
	}
	return NULL;
}

const struct domain_row *
tables_internal(const struct tables *t, const char *name)
{
	const struct domain_row *best = NULL, *row;
	unsigned labels = 1;
	uint64_t h = BASIS;
	size_t i;

	if (name[0] == '\0' || name[0] == '[' || t->domain_at == NULL)
		return NULL;
	/* from the shortest suffix on, so that the last found is the longest */
	for (i = strlen(name); i > 0; i--) {
		h = (h ^ (unsigned char)name[i - 1]) * PRIME;
		if (name[i - 1] != '.')
			continue;
		if (depths_have(&t->domain_depths, labels) &&
		    (row = probe_domain(t, h, name + i - 1, true)) != NULL)
			best = row;
		labels++;
	}
	row = probe_domain(t, h, name, false);
	return row != NULL ? row : best;
}
