/*
 * names.h - a sorted set of names, each with two counters and a pointer: for
 * tallies and gatherings of thousands of names, no more.
 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct name {
	char *text;
	size_t n[2];		/* 0 at first; the user's */
	void *data;		/* NULL at first; the user's, freed by free() */
};

/* Zeroed, it is empty. */
struct names { struct name *name; size_t n, cap; };

/* The one with this text, or NULL; valid until one is added. */
struct name *names_get(const struct names *s, const char *text);
/* The same, added when it is not there; *added (may be NULL) says so. */
struct name *names_add(struct names *s, const char *text, bool *added);
void names_fini(struct names *s);

#endif
