/*
 * items.c - the sorted set of items in blocks, one set over another, and
 * walks over them.
 *
 * A block holds up to BLOCK_MAX pointers in order; a set is an array of
 * blocks in order.  A full block is cut in two, but at the end of the set a
 * new one is begun, so that what comes sorted fills its blocks.  In a set
 * that lies over another, an item without a value says that the key is
 * deleted.
 */
#include "controller/policy/items.h"

#include <stdlib.h>
#include <string.h>

#include "controller/policy/text_pool.h"
#include "proto/base/buf.h"

#define BLOCK_MAX 512

struct item_block { size_t n; struct item *item[BLOCK_MAX]; };

void
items_init(struct items *s)
{
	memset(s, 0, sizeof(*s));
}

static void
item_free(struct item *it)
{
	free((void *)(uintptr_t)it->place);
	free(it);
}

void
items_fini(struct items *s)
{
	size_t b, i;

	for (b = 0; b < s->blocks_n; b++) {
		for (i = 0; i < s->block[b]->n; i++)
			item_free(s->block[b]->item[i]);
		free(s->block[b]);
	}
	free(s->block);
	text_pool_free(&s->pool);
	memset(s, 0, sizeof(*s));
}

size_t
items_n(const struct items *s)
{
	return s->n;
}

/* --- places --- */

/* The block that key is in or would go into; the set is not empty. */
static size_t
find_block(const struct items *s, const char *key)
{
	size_t lo = 0, hi = s->blocks_n - 1;

	/* Documents and lists mostly come sorted: look at the end first. */
	if (strcmp(s->block[hi]->item[0]->key, key) <= 0)
		return hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo + 1) / 2;

		if (strcmp(s->block[mid]->item[0]->key, key) <= 0)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

static size_t
find_in_block(const struct item_block *b, const char *key)
{
	size_t lo = 0, hi = b->n;

	if (strcmp(b->item[hi - 1]->key, key) < 0)
		return hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(b->item[mid]->key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The first own item not below key; an index behind the block's last one is
 * where it would be inserted. */
static struct items_at
find(const struct items *s, const char *key)
{
	struct items_at at = { .s = s };

	if (s->blocks_n > 0) {
		at.block = find_block(s, key);
		at.i = find_in_block(s->block[at.block], key);
	}
	return at;
}

/* The item at a place, going on to the next block at the end of one. */
static struct item *
item_at(struct items_at *at)
{
	if (at->s == NULL)
		return NULL;
	while (at->block < at->s->blocks_n &&
	    at->i == at->s->block[at->block]->n) {
		at->block++;
		at->i = 0;
	}
	return at->block == at->s->blocks_n ? NULL :
	    at->s->block[at->block]->item[at->i];
}

/* The own item of this key, a deletion included. */
static struct item *
get_own(const struct items *s, const char *key, struct items_at *at)
{
	struct item_block *b;

	*at = find(s, key);
	if (s->blocks_n == 0)
		return NULL;
	b = s->block[at->block];
	return at->i < b->n && strcmp(b->item[at->i]->key, key) == 0 ?
	    b->item[at->i] : NULL;
}

const struct item *
items_get(const struct items *s, const char *key)
{
	struct items_at at;
	const struct item *it = get_own(s, key, &at);

	if (it != NULL)
		return it->value == NULL ? NULL : it;
	return s->base == NULL ? NULL : items_get(s->base, key);
}

/* --- changes --- */

static void
add_block(struct items *s, size_t at)
{
	s->block = xgrow(s->block, &s->blocks_cap, s->blocks_n + 1,
	    sizeof(*s->block));
	memmove(&s->block[at + 1], &s->block[at],
	    (s->blocks_n - at) * sizeof(*s->block));
	s->block[at] = xmalloc(sizeof(**s->block));
	s->block[at]->n = 0;
	s->blocks_n++;
}

/* Make room at a place found for a key that is not there. */
static struct items_at
make_room(struct items *s, struct items_at at)
{
	struct item_block *b, *right;
	size_t half = BLOCK_MAX / 2;

	if (s->blocks_n == 0)
		add_block(s, 0);
	b = s->block[at.block];
	if (b->n < BLOCK_MAX)
		return at;
	add_block(s, at.block + 1);
	right = s->block[at.block + 1];
	if (at.i == b->n && at.block + 2 == s->blocks_n) {
		at.block++;
		at.i = 0;
		return at;
	}
	right->n = b->n - half;
	memcpy(right->item, b->item + half, right->n * sizeof(*b->item));
	b->n = half;
	if (at.i > half) {
		at.block++;
		at.i -= half;
	}
	return at;
}

static void
insert(struct items *s, struct items_at at, struct item *it)
{
	struct item_block *b;

	at = make_room(s, at);
	b = s->block[at.block];
	memmove(&b->item[at.i + 1], &b->item[at.i],
	    (b->n - at.i) * sizeof(*b->item));
	b->item[at.i] = it;
	b->n++;
	s->own_n++;
}

static void
take_out(struct items *s, struct items_at at)
{
	struct item_block *b = s->block[at.block];

	item_free(b->item[at.i]);
	b->n--;
	memmove(&b->item[at.i], &b->item[at.i + 1],
	    (b->n - at.i) * sizeof(*b->item));
	s->own_n--;
	if (b->n > 0)
		return;
	free(b);
	s->blocks_n--;
	memmove(&s->block[at.block], &s->block[at.block + 1],
	    (s->blocks_n - at.block) * sizeof(*s->block));
}

/* One allocation: the struct, the key, and the value unless it is pooled. */
static struct item *
item_new(struct items *s, const char *key, const char *value,
    const char *managers)
{
	size_t key_len = strlen(key) + 1, value_len = 0;
	const char *pooled = NULL;
	struct item *it;

	if (s->pool == NULL)
		s->pool = text_pool_new();
	if (value != NULL && (pooled = text_pool_try(s->pool, value)) == NULL)
		value_len = strlen(value) + 1;
	it = xmalloc(sizeof(*it) + key_len + value_len);
	memcpy(it->key, key, key_len);
	if (value_len > 0)
		memcpy(it->key + key_len, value, value_len);
	it->value = value == NULL ? NULL : pooled != NULL ? pooled :
	    it->key + key_len;
	it->managers = text_pool_put(s->pool, managers);
	it->place = NULL;
	return it;
}

/* Put an item, or with value NULL a deletion. */
static struct item *
put(struct items *s, const char *key, const char *value,
    const char *managers)
{
	struct items_at at;
	struct item *old = get_own(s, key, &at);
	struct item *it = item_new(s, key, value, managers);

	if (old == NULL)
		insert(s, at, it);
	else {
		s->block[at.block]->item[at.i] = it;
		item_free(old);
	}
	return it;
}

struct item *
items_put(struct items *s, const char *key, const char *value,
    const char *managers)
{
	if (items_get(s, key) == NULL)
		s->n++;
	return put(s, key, value, managers);
}

void
items_del(struct items *s, const char *key)
{
	struct items_at at;

	if (items_get(s, key) == NULL)
		return;
	s->n--;
	if (s->base != NULL && items_get(s->base, key) != NULL)
		put(s, key, NULL, "");
	else if (get_own(s, key, &at) != NULL)
		take_out(s, at);
}

/* Put what over has itself, deletions included, into s. */
static void
put_own(struct items *s, const struct items *over)
{
	size_t b, i;

	for (b = 0; b < over->blocks_n; b++)
		for (i = 0; i < over->block[b]->n; i++) {
			const struct item *it = over->block[b]->item[i];

			if (it->value == NULL)
				items_del(s, it->key);
			else
				items_put(s, it->key, it->value,
				    it->managers);
		}
}

void
items_over(struct items *s, const struct items *base)
{
	items_init(s);
	/* a walk merges two sets, not more */
	s->base = base->base == NULL ? base : base->base;
	s->n = s->base->n;
	if (base->base != NULL)
		put_own(s, base);
}

void
items_merge(struct items *to, const struct items *over)
{
	put_own(to, over);
}

void
item_set_place(struct item *it, const char *file, int line, int column)
{
	struct item_place *p = xmalloc(sizeof(*p));

	*p = (struct item_place){ file, line, column };
	free((void *)(uintptr_t)it->place);
	it->place = p;
}

/* --- walks --- */

/* The item a cursor stands at: the lower key of the two sets; where both have
 * it the upper set is right, and its deletions are stepped over. */
static const struct item *
current(struct items_cursor *c)
{
	for (;;) {
		const struct item *a = item_at(&c->own);
		const struct item *b = item_at(&c->base), *it;
		int cmp = a == NULL ? 1 : b == NULL ? -1 :
		    strcmp(a->key, b->key);

		if (a == NULL && b == NULL)
			return NULL;
		if (cmp == 0)
			c->base.i++;
		it = cmp <= 0 ? a : b;
		if (strncmp(it->key, c->prefix, c->prefix_len) != 0)
			return NULL;
		if (it->value != NULL)
			return it;
		c->own.i++;
	}
}

const struct item *
items_from(struct items_cursor *c, const struct items *s, const char *prefix,
    const char *from)
{
	c->own = find(s, from);
	c->base = (struct items_at){ 0 };
	if (s->base != NULL)
		c->base = find(s->base, from);
	c->prefix = prefix;
	c->prefix_len = strlen(prefix);
	return current(c);
}

const struct item *
items_first(struct items_cursor *c, const struct items *s, const char *prefix)
{
	return items_from(c, s, prefix, prefix);
}

const struct item *
items_next(struct items_cursor *c)
{
	const struct item *a = item_at(&c->own), *b = item_at(&c->base);

	/* current() left the cursor at the lower one, never at two equal */
	if (a != NULL && (b == NULL || strcmp(a->key, b->key) < 0))
		c->own.i++;
	else if (b != NULL)
		c->base.i++;
	return current(c);
}

/* --- keys --- */

char *
item_key(const char *kind, const char *a, const char *b)
{
	struct buf out;

	buf_init(&out, 0);
	buf_puts(&out, kind);
	if (a != NULL) {
		buf_putc(&out, ITEM_SEP);
		buf_puts(&out, a);
	}
	if (b != NULL) {
		buf_putc(&out, ITEM_SEP);
		buf_puts(&out, b);
	}
	return buf_steal(&out);
}

void
item_split(const char *key, char **mem, const char **kind, const char **a,
    const char **b)
{
	char *p = xstrdup(key);

	*mem = p;
	*kind = p;
	*a = *b = NULL;
	if ((p = strchr(p, ITEM_SEP)) == NULL)
		return;
	*p++ = '\0';
	*a = p;
	if ((p = strchr(p, ITEM_SEP)) == NULL)
		return;
	*p++ = '\0';
	*b = p;
}
