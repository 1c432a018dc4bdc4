/*
 * text_pool.c - an open hash table of texts; a text is never taken out.
 */
#include "controller/policy/text_pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"

#define TRY_LEN 48		/* of a text that text_pool_try() takes in */
#define TRY_N 4096		/* .. while there are fewer than so many */

struct text_pool { char **slot; size_t n, size; };	/* size: power of 2 */

struct text_pool *
text_pool_new(void)
{
	struct text_pool *p = xcalloc(1, sizeof(*p));

	p->size = 16;
	p->slot = xcalloc(p->size, sizeof(*p->slot));
	return p;
}

void
text_pool_free(struct text_pool **pp)
{
	struct text_pool *p = *pp;
	size_t i;

	if (p == NULL)
		return;
	for (i = 0; i < p->size; i++)
		free(p->slot[i]);
	free(p->slot);
	free(p);
	*pp = NULL;
}

/* FNV-1a */
static size_t
hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3;
	return (size_t)(h ^ h >> 32);
}

/* The slot that holds text, or the empty one where it goes. */
static char **
find(const struct text_pool *p, const char *text)
{
	size_t i = hash(text) & (p->size - 1);

	while (p->slot[i] != NULL && strcmp(p->slot[i], text) != 0)
		i = (i + 1) & (p->size - 1);
	return &p->slot[i];
}

static void
grow(struct text_pool *p)
{
	struct text_pool old = *p;
	size_t i;

	p->size *= 2;
	p->slot = xcalloc(p->size, sizeof(*p->slot));
	for (i = 0; i < old.size; i++)
		if (old.slot[i] != NULL)
			*find(p, old.slot[i]) = old.slot[i];
	free(old.slot);
}

const char *
text_pool_put(struct text_pool *p, const char *text)
{
	char **at = find(p, text);

	if (*at != NULL)
		return *at;
	if ((p->n + 1) * 2 > p->size) {
		grow(p);
		at = find(p, text);
	}
	p->n++;
	*at = xstrdup(text);
	return *at;
}

const char *
text_pool_try(struct text_pool *p, const char *text)
{
	if (strnlen(text, TRY_LEN) == TRY_LEN)
		return NULL;
	return p->n < TRY_N ? text_pool_put(p, text) : *find(p, text);
}
