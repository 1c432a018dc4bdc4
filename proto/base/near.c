/*
 * near.c - edit distance over short names.
 */
#include "proto/base/near.h"

#include <stddef.h>
#include <string.h>

#define NAME_MAX_LEN 63

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

static size_t
distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], la = strlen(a), lb = strlen(b), i, j;

	if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= lb; j++) {
			size_t above = row[j];

			row[j] = least(row[j - 1] + 1, above + 1,
			    diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}

const char *
near_name(const char *got, const char *const *known)
{
	const char *best = NULL;
	size_t best_d = 3, i;

	for (i = 0; known[i] != NULL; i++) {
		size_t d = distance(got, known[i]);

		if (d < best_d && d < strlen(got)) {
			best_d = d;
			best = known[i];
		}
	}
	return best;
}
