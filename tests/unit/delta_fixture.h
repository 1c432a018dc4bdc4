/*
 * delta_fixture.h - changes of the fixture's records as signed deltas.
 */
#ifndef TESTS_DELTA_FIXTURE_H
#define TESTS_DELTA_FIXTURE_H

#include "tests/unit/node_fixture.h"

#include "node/ruleset_delta.h"
#include "proto/wire/delta.h"

/* val NULL: take it away.  Keys and values are texts. */
struct change { const char *key; const char *val; };

static inline struct fixture_record *
fixture_find(struct fixture *x, const char *key)
{
	size_t i;

	for (i = 0; i < x->n; i++) {
		if (x->r[i].key.len == strlen(key) &&
		    memcmp(x->r[i].key.data, key, strlen(key)) == 0)
			return &x->r[i];
	}
	return NULL;
}

static inline void
fixture_do(struct fixture *x, const struct change *c)
{
	struct fixture_record *r = fixture_find(x, c->key);

	if (c->val == NULL) {
		if (r == NULL)
			return;
		buf_fini(&r->key);
		buf_fini(&r->val);
		*r = x->r[--x->n];
		return;
	}
	if (r == NULL) {
		r = fixture_add(x);
		buf_puts(&r->key, c->key);
	}
	buf_reset(&r->val);
	buf_puts(&r->val, c->val);
}

static inline int
change_order(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->key,
	    ((const struct change *)b)->key);
}

/* The digest and count of all records into h. */
static inline void
fixture_sum(const struct fixture *x, struct head *h)
{
	struct digest d;
	size_t i;

	digest_init(&d);
	for (i = 0; i < x->n; i++)
		digest_add(&d, x->r[i].key.data, x->r[i].key.len,
		    x->r[i].val.data, x->r[i].val.len);
	digest_final(&d, h->digest);
	h->count = d.count;
}

/* Change the records and fill *d with how, from x->head to version to;
 * x->head is then of that version. */
static inline void
fixture_delta(struct fixture *x, uint64_t to, struct change *c, size_t n,
    struct delta *d)
{
	size_t i;

	delta_init(d);
	d->from_version = x->head.version;
	memcpy(d->from_digest, x->head.digest, DIGEST_LEN);
	qsort(c, n, sizeof(*c), change_order);
	for (i = 0; i < n; i++) {
		size_t len = strlen(c[i].key);

		fixture_do(x, &c[i]);
		assert_int_equal(c[i].val == NULL ? delta_del(d, c[i].key,
		    len) : delta_put(d, c[i].key, len, c[i].val,
		    strlen(c[i].val)), 0);
	}
	fixture_sum(x, &x->head);
	x->head.version = d->to_version = to;
	memcpy(d->to_digest, x->head.digest, DIGEST_LEN);
	d->to_count = x->head.count;
	d->record_format = RECORD_FORMAT;
	d->engine = DECIDE_ENGINE;
	d->issued_us = clock_wall_us();
}

/* As a signed frame. */
static inline void
fixture_change(struct fixture *x, uint64_t to, struct change *c, size_t n,
    struct buf *frame)
{
	struct delta d;

	fixture_delta(x, to, c, n, &d);
	buf_reset(frame);
	assert_int_equal(delta_sign(&d, x->publisher, frame), 0);
	delta_fini(&d);
}

/* Apply a frame as the node does; *r is the new view on success. */
static inline int
fixture_apply(struct fixture *x, struct ruleset **r, const struct buf *frame,
    struct ruleset_refusal *refusal, struct diag *why)
{
	struct ruleset_signed in = { .frame = fixture_bytes(frame),
	    .cert = fixture_bytes(&x->cert), .now_us = clock_wall_us() };
	struct publisher_cert cert;
	struct ruleset *next = NULL;
	int rc;

	assert_int_equal(cert_open(x->id->root, x->cert.data, x->cert.len,
	    INT64_MIN, &cert, NULL), 0);
	in.publisher = &cert;
	rc = ruleset_apply(*r, &in, &next, refusal, why);
	if (rc == 0) {
		ruleset_unref(r);
		*r = next;
	}
	return rc;
}

/* Does r answer as the model does, for each record and for `absent`? */
static inline void
fixture_agrees(struct fixture *x, struct ruleset *r,
    const char *const *absent)
{
	struct buf scratch;
	struct bytes v;
	size_t i;

	buf_init(&scratch, 0);
	for (i = 0; i < x->n; i++) {
		assert_int_equal(ruleset_get(r, x->r[i].key.data,
		    x->r[i].key.len, &scratch, &v), 0);
		assert_int_equal(v.n, x->r[i].val.len);
		if (v.n > 0)
			assert_memory_equal(v.p, x->r[i].val.data, v.n);
	}
	for (; absent != NULL && *absent != NULL; absent++)
		assert_int_equal(ruleset_get(r, *absent, strlen(*absent),
		    &scratch, &v), ERR_NOENT);
	assert_memory_equal(ruleset_head(r)->digest, x->head.digest,
	    DIGEST_LEN);
	assert_int_equal(ruleset_head(r)->count, x->n);
	buf_fini(&scratch);
}

#endif
