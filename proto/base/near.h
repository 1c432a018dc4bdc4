/*
 * near.h - the nearest known name to a misspelt one, for error messages.
 */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

/*
 * The entry of known (NULL-terminated) at an edit distance of at most 2 (and
 * less than got's length) from got, the nearest first; NULL if none.
 */
const char *near_name(const char *got, const char *const *known);

#endif
