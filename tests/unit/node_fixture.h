/*
 * node_fixture.h - a small policy as records, published: signed frames and
 * chunks as a controller makes them.
 */
#ifndef TESTS_NODE_FIXTURE_H
#define TESTS_NODE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "node/fetch.h"
#include "node/ruleset_build.h"
#include "node/ruleset_delta.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/policy/decide.h"
#include "proto/wire/frame.h"
#include "proto/wire/snapshot.h"

#define FIXTURE_RECORDS 256
#define FIXTURE_CHUNKS 8

struct fixture_record { struct buf key, val; };

struct fixture {
	char dir[256];
	struct fixture_record r[FIXTURE_RECORDS];
	size_t n;
	struct sign_key *root, *publisher;
	struct buf cert, head_frame, manifest_frame;
	struct buf chunk[FIXTURE_CHUNKS];
	size_t chunks_n;
	struct head head;
	struct node_identity *id;
};

static inline struct fixture_record *
fixture_add(struct fixture *x)
{
	struct fixture_record *r = &x->r[x->n++];

	assert_true(x->n <= FIXTURE_RECORDS);
	buf_init(&r->key, 0);
	buf_init(&r->val, 0);
	return r;
}

/* A record whose key is a text. */
static inline void
fixture_text(struct fixture *x, uint8_t cls, const char *key,
    const void *val, size_t len)
{
	struct fixture_record *r = fixture_add(x);

	record_key_text(&r->key, cls, key);
	buf_put(&r->val, val, len);
}

static inline void
fixture_policy(struct fixture *x, const struct policy *p)
{
	struct fixture_record *r = fixture_add(x);

	record_key_text(&r->key, RECORD_POLICY, p->id);
	policy_encode(p, &r->val);
}

static inline char *
fixture_str(const char *s)
{
	return (char *)(uintptr_t)s;
}

/*
 * acme.example is internal with a known directory: al, and bo who is
 * disabled.  bad.example is blocked, odd.example only under observation, and
 * al has blocked x@y.example.
 */
static inline void
fixture_standard(struct fixture *x)
{
	static const uint8_t known[1] = { VALIDATE_KNOWN };
	static const uint8_t active[3] = { DIRECTORY_ACTIVE, 0, 0 };
	static const uint8_t disabled[3] = { DIRECTORY_DISABLED, 0, 0 };
	static const uint8_t block[5] = { USER_BLOCK, 0, 0, 0, 1 };
	struct policy p = { .id = fixture_str("bad"),
	    .narrative = fixture_str("Bad"), .type = POLICY_BLOCKED_SENDERS,
	    .action = ACTION_BLOCK, .based_on = BASED_ENVELOPE,
	    .from = { .kind = TARGET_DOMAIN,
		.text = fixture_str("bad.example") },
	    .to = { .kind = TARGET_INTERNAL }, .enabled = true,
	    .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX };
	struct fixture_record *r;

	fixture_text(x, RECORD_DIRECTORY, "al@acme.example", active, 3);
	fixture_text(x, RECORD_DIRECTORY, "bo@acme.example", disabled, 3);
	fixture_text(x, RECORD_INTERNAL, "acme.example", known, 1);
	fixture_policy(x, &p);
	p.id = fixture_str("odd");
	p.from.text = fixture_str("odd.example");
	p.monitor = true;
	fixture_policy(x, &p);
	r = fixture_add(x);
	record_key_user(&r->key, "al@acme.example", "x@y.example");
	buf_put(&r->val, block, sizeof(block));
}

static inline int
fixture_order(const void *a, const void *b)
{
	const struct fixture_record *x = a, *y = b;
	size_t n = x->key.len < y->key.len ? x->key.len : y->key.len;
	int c = memcmp(x->key.data, y->key.data, n);

	return c != 0 ? c : (int)x->key.len - (int)y->key.len;
}

static inline int
fixture_on_chunk(void *arg, const struct manifest_chunk *c, const void *data)
{
	struct fixture *x = arg;

	assert_true(x->chunks_n < FIXTURE_CHUNKS);
	buf_reset(&x->chunk[x->chunks_n]);
	buf_put(&x->chunk[x->chunks_n++], data, c->len);
	return 0;
}

/* Sign all records as this version. */
static inline void
fixture_publish(struct fixture *x, uint64_t version)
{
	struct snapshot_writer *w = snapshot_writer_new(fixture_on_chunk, x);
	struct manifest m;
	struct buf b;
	size_t i;

	x->chunks_n = 0;
	qsort(x->r, x->n, sizeof(x->r[0]), fixture_order);
	for (i = 0; i < x->n; i++)
		assert_int_equal(snapshot_add(w, x->r[i].key.data,
		    x->r[i].key.len, x->r[i].val.data, x->r[i].val.len), 0);
	assert_int_equal(snapshot_finish(w, &m), 0);
	snapshot_writer_free(&w);
	m.version = version;
	buf_init(&b, 0);
	manifest_encode(&m, &b);
	buf_reset(&x->manifest_frame);
	assert_int_equal(frame_sign(&x->manifest_frame, FRAME_MANIFEST,
	    x->publisher, b.data, b.len), 0);
	x->head = (struct head){ .version = version, .count = m.count,
	    .record_format = RECORD_FORMAT, .engine = DECIDE_ENGINE,
	    .issued_us = clock_wall_us() };
	memcpy(x->head.digest, m.digest, DIGEST_LEN);
	crypto_generichash(x->head.manifest_id, HASH_LEN,
	    (uint8_t *)x->manifest_frame.data, x->manifest_frame.len, NULL,
	    0);
	buf_reset(&b);
	head_encode(&x->head, &b);
	buf_reset(&x->head_frame);
	assert_int_equal(frame_sign(&x->head_frame, FRAME_HEAD, x->publisher,
	    b.data, b.len), 0);
	buf_fini(&b);
	manifest_fini(&m);
}

static inline struct bytes
fixture_bytes(const struct buf *b)
{
	return bytes_of(b->data == NULL ? "" : b->data, b->len);
}

/* Build the published set in path; the builder's answer. */
static inline int
fixture_build(struct fixture *x, const char *path, struct diag *why)
{
	struct ruleset_frames f = { fixture_bytes(&x->head_frame),
	    fixture_bytes(&x->manifest_frame), fixture_bytes(&x->cert) };
	struct ruleset_build *b;
	size_t i;
	int rc;

	rc = ruleset_build_begin(&b, path, x->n, why);
	for (i = 0; rc == 0 && i < x->n; i++)
		rc = ruleset_build_put(b, fixture_bytes(&x->r[i].key),
		    fixture_bytes(&x->r[i].val), why);
	if (rc == 0)
		rc = ruleset_build_finish(b, x->head.count, &f, why);
	ruleset_build_free(&b);
	return rc;
}

/* Whom a node trusts that knows the fixture's root and of no revocation. */
static inline const struct ruleset_trust *
fixture_trust(const struct fixture *x)
{
	static struct ruleset_trust trust;

	trust.root = x->id->root;
	return &trust;
}

static inline int
fixture_setup(void **state)
{
	struct fixture *x = xcalloc(1, sizeof(*x));
	const char *tmp = getenv("TMPDIR");
	struct publisher_cert c = { .serial = 1,
	    .not_after_us = clock_wall_us() + 3600000000 };

	assert_true(sodium_init() >= 0);
	log_setup("test", LOG_TEXT, LOG_ERROR);
	snprintf(x->dir, sizeof(x->dir), "%s/nodeXXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(x->dir));
	assert_int_equal(sign_key_new(&x->root), 0);
	assert_int_equal(sign_key_new(&x->publisher), 0);
	memcpy(c.key, sign_key_public(x->publisher), SIGN_PUBLIC_LEN);
	assert_int_equal(cert_make(x->root, &c, &x->cert), 0);
	x->id = identity_new();
	memcpy(x->id->root, sign_key_public(x->root), SIGN_PUBLIC_LEN);
	memcpy(x->id->cert, x->cert.data, x->cert.len);
	x->id->cert_len = x->cert.len;
	fixture_standard(x);
	fixture_publish(x, 7);
	*state = x;
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	struct fixture *x = *state;
	size_t i;

	for (i = 0; i < x->n; i++) {
		buf_fini(&x->r[i].key);
		buf_fini(&x->r[i].val);
	}
	for (i = 0; i < FIXTURE_CHUNKS; i++)
		buf_fini(&x->chunk[i]);
	buf_fini(&x->cert);
	buf_fini(&x->head_frame);
	buf_fini(&x->manifest_frame);
	sign_key_free(&x->root);
	sign_key_free(&x->publisher);
	identity_free(&x->id);
	file_remove_tree(x->dir, NULL);
	free(x);
	return 0;
}

#endif
