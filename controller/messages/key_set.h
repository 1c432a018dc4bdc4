/*
 * key_set.h - the keys that one batch touched, each once, with its place in
 * order of coming.  Hashed under a key of its own: senders choose them.
 */
#ifndef MESSAGES_KEY_SET_H
#define MESSAGES_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"

#define KEY_SET_MAX 1024	/* keys of one set */

struct key_set;

struct key_set *key_set_new(void);
void key_set_free(struct key_set **s);

/* Forget all keys. */
void key_set_clear(struct key_set *s);
size_t key_set_n(const struct key_set *s);
bool key_set_has(const struct key_set *s, const void *key, size_t len);
/* The place of key, from 0; put at the end, below KEY_SET_MAX, when it is new
 * (*is_new). */
size_t key_set_put(struct key_set *s, const void *key, size_t len,
    bool *is_new);
/* The key at a place, borrowed until the next put. */
struct bytes key_set_key(const struct key_set *s, size_t at);

#endif
