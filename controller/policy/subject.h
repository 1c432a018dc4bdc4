/*
 * subject.h - what a record is about, and its key and value made from items:
 * for compile*.c and records.c.
 *
 * A subject is a class and one or two names.  Its names are those of its
 * item, but that entries in several groups have one record, edges between
 * groups stand in the record of the child, and an alias has no item.
 */
#ifndef POLICY_SUBJECT_H
#define POLICY_SUBJECT_H

#include "controller/policy/compile.h"

struct subject { uint8_t cls; const char *a, *b; };

/* The class of records that items of this kind make; 0: unknown kind. */
uint8_t subject_class(const char *kind);
/* The kind of items that records of a class come from; NULL for aliases. */
const char *subject_kind(uint8_t cls);

/* Append the record's key.  0 or ERR_INVAL (a malformed prefix). */
int subject_key(const struct subject *s, struct buf *key);
/* Append the record's value as r's items have it.  0; ERR_NOENT: there is no
 * such record; ERR_INVAL, ERR_TOOBIG with the item's place. */
int subject_value(const struct records *r, const struct subject *s,
    struct buf *val, struct diag *why);
/* A large record's key back to its subject, which borrows from *mem, freed by
 * the caller.  False when it is none. */
bool subject_of_key(const void *key, size_t len, struct subject *out,
    char **mem);

/* Say an error with the place of an item, if it has one. */
int item_fail(const struct item *it, int err, struct diag *why,
    const char *text);
/* The address that an alias stands for, or NULL; the aliases of a directory
 * item's value, as a JSON array to be freed, or NULL. */
const char *subject_alias(const struct records *r, const char *alias);

/* What holds when nothing was said: built-in free-mail domains, return paths,
 * protected local parts.  The i-th subject; false behind the last. */
bool subject_default(size_t i, struct subject *out);

#endif
