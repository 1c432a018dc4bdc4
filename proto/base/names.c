/*
 * names.c - a sorted array, searched by halves.
 */
#include "proto/base/names.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"

/* Where text stands or would stand. */
static size_t
place_of(const struct names *s, const char *text, bool *there)
{
	size_t lo = 0, hi = s->n;

	*there = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(s->name[mid].text, text);

		*there = *there || c == 0;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct name *
names_get(const struct names *s, const char *text)
{
	bool there;
	size_t at = place_of(s, text, &there);

	return there ? &s->name[at] : NULL;
}

struct name *
names_add(struct names *s, const char *text, bool *added)
{
	bool there;
	size_t at = place_of(s, text, &there);

	if (added != NULL)
		*added = !there;
	if (there)
		return &s->name[at];
	s->name = xgrow(s->name, &s->cap, s->n + 1, sizeof(*s->name));
	memmove(&s->name[at + 1], &s->name[at],
	    (s->n - at) * sizeof(*s->name));
	s->n++;
	s->name[at] = (struct name){ .text = xstrdup(text) };
	return &s->name[at];
}

void
names_fini(struct names *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		free(s->name[i].text);
		free(s->name[i].data);
	}
	free(s->name);
	memset(s, 0, sizeof(*s));
}
