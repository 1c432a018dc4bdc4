/*
 * text_pool.h - equal texts held once, for as long as the pool lives.
 */
#ifndef POLICY_TEXT_POOL_H
#define POLICY_TEXT_POOL_H

struct text_pool;

struct text_pool *text_pool_new(void);
/* *p may be NULL; texts of the pool end with it. */
void text_pool_free(struct text_pool **p);
/* The pool's copy of text. */
const char *text_pool_put(struct text_pool *p, const char *text);
/* The same for a short text while the pool is small, else NULL: for texts of
 * which few or many different ones may come. */
const char *text_pool_try(struct text_pool *p, const char *text);

#endif
