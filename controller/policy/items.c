/*
 * items.c - the sorted set of items, and keys of up to three parts.
 */
#include "controller/policy/items.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"

void
items_init(struct items *s)
{
	memset(s, 0, sizeof(*s));
}

static void
item_fini(struct item *it)
{
	free(it->key);
	free(it->value);
	free(it->managers);
}

void
items_fini(struct items *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		item_fini(&s->item[i]);
	free(s->item);
	memset(s, 0, sizeof(*s));
}

size_t
items_seek(const struct items *s, const char *key)
{
	size_t lo = 0, hi = s->n;

	/* Documents and lists mostly come sorted: look at the end first. */
	if (hi > 0 && strcmp(s->item[hi - 1].key, key) < 0)
		return hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->item[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct item *
items_get(const struct items *s, const char *key)
{
	size_t i = items_seek(s, key);

	return i < s->n && strcmp(s->item[i].key, key) == 0 ?
	    &s->item[i] : NULL;
}

bool
items_has_prefix(const struct items *s, size_t i, const char *prefix)
{
	return i < s->n &&
	    strncmp(s->item[i].key, prefix, strlen(prefix)) == 0;
}

struct item *
items_put(struct items *s, const char *key, const char *value,
    const char *managers)
{
	size_t i = items_seek(s, key);
	struct item *it;

	if (i < s->n && strcmp(s->item[i].key, key) == 0)
		item_fini(&s->item[i]);
	else {
		s->item = xgrow(s->item, &s->cap, s->n + 1, sizeof(*it));
		memmove(&s->item[i + 1], &s->item[i],
		    (s->n - i) * sizeof(*it));
		s->n++;
	}
	it = &s->item[i];
	*it = (struct item){ .key = xstrdup(key), .value = xstrdup(value),
	    .managers = xstrdup(managers) };
	return it;
}

void
items_del(struct items *s, const char *key)
{
	size_t i = items_seek(s, key);

	if (i == s->n || strcmp(s->item[i].key, key) != 0)
		return;
	item_fini(&s->item[i]);
	memmove(&s->item[i], &s->item[i + 1],
	    (s->n - i - 1) * sizeof(*s->item));
	s->n--;
}

void
items_copy(struct items *to, const struct items *from)
{
	size_t i;

	items_init(to);
	for (i = 0; i < from->n; i++) {
		const struct item *f = &from->item[i];
		struct item *it = items_put(to, f->key, f->value,
		    f->managers);

		it->file = f->file;
		it->line = f->line;
		it->column = f->column;
	}
}

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
