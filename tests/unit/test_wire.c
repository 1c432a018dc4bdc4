/*
 * test_wire.c - digest, keys, certificates, signed frames, tokens, chunks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/base/err.h"
#include "proto/wire/frame.h"
#include "proto/wire/keys.h"
#include "proto/wire/snapshot.h"

static void
digest_does_not_depend_on_order_and_forgets_what_is_taken(void **state)
{
	struct digest a, b;
	uint8_t x[DIGEST_LEN], y[DIGEST_LEN];

	(void)state;
	digest_init(&a);
	digest_init(&b);
	digest_add(&a, "k1", 2, "v1", 2);
	digest_add(&a, "k2", 2, "v2", 2);
	digest_add(&b, "k2", 2, "v2", 2);
	digest_add(&b, "k3", 2, "", 0);
	digest_add(&b, "k1", 2, "v1", 2);
	digest_sub(&b, "k3", 2, "", 0);
	digest_final(&a, x);
	digest_final(&b, y);
	assert_memory_equal(x, y, sizeof(x));
}

static void
digest_tells_where_key_ends_and_value_begins(void **state)
{
	struct digest a, b;
	uint8_t x[DIGEST_LEN], y[DIGEST_LEN];

	(void)state;
	digest_init(&a);
	digest_init(&b);
	digest_add(&a, "ab", 2, "c", 1);
	digest_add(&b, "a", 1, "bc", 2);
	digest_final(&a, x);
	digest_final(&b, y);
	assert_memory_not_equal(x, y, sizeof(x));
}

static void
digest_saved_and_loaded_goes_on(void **state)
{
	uint8_t bytes[DIGEST_STATE_LEN], x[DIGEST_LEN], y[DIGEST_LEN];
	struct digest a, b;

	(void)state;
	digest_init(&a);
	digest_add(&a, "k1", 2, "v1", 2);
	digest_save(&a, bytes);
	digest_load(&b, bytes, a.count);
	digest_add(&a, "k2", 2, "v2", 2);
	digest_add(&b, "k2", 2, "v2", 2);
	digest_final(&a, x);
	digest_final(&b, y);
	assert_memory_equal(x, y, sizeof(x));
}

static void
frame_with_any_flipped_bit_is_refused(void **state)
{
	struct sign_key *key;
	struct bytes payload;
	struct buf out;
	size_t i;

	(void)state;
	assert_int_equal(sign_key_new(&key), 0);
	buf_init(&out, 0);
	assert_int_equal(frame_sign(&out, FRAME_HEAD, key, "payload", 7), 0);
	assert_int_equal(frame_open(out.data, out.len, FRAME_HEAD,
	    sign_key_public(key), &payload, NULL), 0);
	assert_int_equal(payload.n, 7);
	assert_memory_equal(payload.p, "payload", 7);
	for (i = 0; i < out.len * 8; i++) {
		out.data[i / 8] ^= (char)(1 << i % 8);
		assert_int_equal(frame_open(out.data, out.len, FRAME_HEAD,
		    sign_key_public(key), &payload, NULL), ERR_AUTH);
		assert_null(payload.p);
		out.data[i / 8] ^= (char)(1 << i % 8);
	}
	for (i = 0; i < out.len; i++)
		assert_true(frame_open(out.data, i, FRAME_HEAD,
		    sign_key_public(key), &payload, NULL) < 0);
	buf_fini(&out);
	sign_key_free(&key);
}

static void
frame_of_another_type_or_key_or_without_signature_is_refused(void **state)
{
	struct sign_key *key, *other;
	struct bytes payload;
	struct buf out;

	(void)state;
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(sign_key_new(&other), 0);
	buf_init(&out, 0);
	assert_int_equal(frame_sign(&out, FRAME_HEAD, key, "p", 1), 0);
	assert_int_equal(frame_open(out.data, out.len, FRAME_HEAD,
	    sign_key_public(other), &payload, NULL), ERR_AUTH);
	assert_int_equal(frame_open(out.data, out.len, FRAME_MANIFEST,
	    sign_key_public(key), &payload, NULL), ERR_AUTH);
	/* the type's byte changed to fit: the domain still differs */
	out.data[0] = FRAME_MANIFEST;
	assert_int_equal(frame_open(out.data, out.len, FRAME_MANIFEST,
	    sign_key_public(key), &payload, NULL), ERR_AUTH);
	/* stripped: type and payload alone */
	assert_true(frame_open("\2p", 2, FRAME_HEAD, sign_key_public(key),
	    &payload, NULL) < 0);
	/* a signed type never opens as a plain one */
	assert_int_equal(frame_payload(out.data, out.len, FRAME_MANIFEST,
	    &payload), ERR_CORRUPT);
	assert_int_equal(frame_sign(&out, FRAME_ACK, key, "p", 1),
	    ERR_INTERNAL);
	buf_fini(&out);
	sign_key_free(&key);
	sign_key_free(&other);
}

static void
cert_opens_under_its_root_until_its_end(void **state)
{
	struct publisher_cert c = { .serial = 7, .not_after_us = 1000 }, got;
	struct sign_key *root, *other;
	struct buf out;

	(void)state;
	memset(c.key, 5, sizeof(c.key));
	assert_int_equal(sign_key_new(&root), 0);
	assert_int_equal(sign_key_new(&other), 0);
	buf_init(&out, 0);
	assert_int_equal(cert_make(root, &c, &out), 0);
	assert_int_equal(cert_open(sign_key_public(root), out.data, out.len,
	    999, &got, NULL), 0);
	assert_int_equal(got.serial, 7);
	assert_memory_equal(got.key, c.key, sizeof(c.key));
	assert_int_equal(cert_open(sign_key_public(root), out.data, out.len,
	    1000, &got, NULL), ERR_TIMEOUT);
	assert_int_equal(cert_open(sign_key_public(other), out.data, out.len,
	    999, &got, NULL), ERR_AUTH);
	buf_fini(&out);
	sign_key_free(&root);
	sign_key_free(&other);
}

static void
key_file_is_private_and_never_overwritten(void **state)
{
	char dir[] = "/tmp/postern-keys-XXXXXX", path[64];
	struct sign_key *key, *got;
	struct diag why;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/root.key", dir);
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(sign_key_save(key, path, &why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(sign_key_save(key, path, &why), ERR_EXISTS);
	assert_int_equal(sign_key_load(&got, path, &why), 0);
	assert_memory_equal(sign_key_public(key), sign_key_public(got),
	    SIGN_PUBLIC_LEN);
	sign_key_free(&got);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(sign_key_load(&got, path, &why), ERR_AUTH);
	assert_null(got);
	unlink(path);
	rmdir(dir);
	sign_key_free(&key);
}

static void
token_comes_back_and_a_damaged_one_is_told(void **state)
{
	struct join_token t = { .endpoint = "tcp://127.0.0.1:4001",
	    .expires_us = 99 }, got;
	struct diag why;
	struct buf out;
	char last;

	(void)state;
	memset(t.secret, 3, sizeof(t.secret));
	buf_init(&out, 0);
	token_format(&t, &out);
	assert_int_equal(token_parse(out.data, &got, &why), 0);
	assert_string_equal(got.endpoint, t.endpoint);
	assert_memory_equal(got.secret, t.secret, sizeof(t.secret));
	assert_int_equal(got.expires_us, 99);
	last = out.data[30];
	out.data[30] = last == 'A' ? 'B' : 'A';
	assert_int_equal(token_parse(out.data, &got, &why), ERR_INVAL);
	out.data[30] = last;
	out.data[out.len - 5] = '\0';
	assert_int_equal(token_parse(out.data, &got, &why), ERR_INVAL);
	assert_non_null(strstr(why.text, "copy it again"));
	assert_int_equal(token_parse("nonsense", &got, &why), ERR_INVAL);
	buf_fini(&out);
}

struct kept { struct manifest_chunk c[64]; char *data[64]; size_t n; };

static int
keep(void *arg, const struct manifest_chunk *c, const void *data)
{
	struct kept *k = arg;

	assert_true(k->n < 64);
	k->c[k->n] = *c;
	k->data[k->n] = malloc(c->len);
	memcpy(k->data[k->n++], data, c->len);
	return 0;
}

static void
make_snapshot(struct kept *k, struct manifest *m, size_t n, size_t changed)
{
	struct snapshot_writer *w = snapshot_writer_new(keep, k);
	size_t i;

	memset(k, 0, sizeof(*k));
	for (i = 0; i < n; i++) {
		char key[32], val[32];

		snprintf(key, sizeof(key), "E%09zu.example", i);
		snprintf(val, sizeof(val), "value-%d", i == changed);
		assert_int_equal(snapshot_add(w, key, strlen(key), val,
		    strlen(val)), 0);
	}
	assert_int_equal(snapshot_add(w, "A", 1, "", 0), ERR_INVAL);
	assert_int_equal(snapshot_finish(w, m), 0);
	snapshot_writer_free(&w);
}

static void
kept_fini(struct kept *k)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		free(k->data[i]);
}

static void
snapshot_chunks_give_all_records_back(void **state)
{
	uint8_t digest[DIGEST_LEN];
	struct bytes key, val;
	struct manifest m;
	struct digest d;
	struct kept k;
	size_t i;

	(void)state;
	make_snapshot(&k, &m, 60000, SIZE_MAX);
	assert_true(m.chunks_n > 1);
	assert_int_equal(m.count, 60000);
	digest_init(&d);
	for (i = 0; i < k.n; i++) {
		struct bytes in = bytes_of(k.data[i], k.c[i].len);

		assert_int_equal(chunk_check(&m.chunks[i], k.data[i],
		    k.c[i].len), 0);
		while (chunk_next(&in, &key, &val))
			digest_add(&d, key.p, key.n, val.p, val.n);
		assert_int_equal(in.err, 0);
		assert_int_equal(in.n, 0);
	}
	digest_final(&d, digest);
	assert_memory_equal(digest, m.digest, sizeof(digest));
	k.data[0][10] ^= 1;
	assert_int_equal(chunk_check(&m.chunks[0], k.data[0], k.c[0].len),
	    ERR_CORRUPT);
	manifest_fini(&m);
	kept_fini(&k);
}

static void
snapshot_with_one_changed_record_changes_one_chunk(void **state)
{
	struct manifest a, b;
	struct kept ka, kb;
	size_t i, differ = 0;

	(void)state;
	make_snapshot(&ka, &a, 60000, SIZE_MAX);
	make_snapshot(&kb, &b, 60000, 30000);
	assert_int_equal(a.chunks_n, b.chunks_n);
	for (i = 0; i < a.chunks_n; i++)
		differ += memcmp(a.chunks[i].hash, b.chunks[i].hash,
		    HASH_LEN) != 0;
	assert_int_equal(differ, 1);
	manifest_fini(&a);
	manifest_fini(&b);
	kept_fini(&ka);
	kept_fini(&kb);
}

static void
chunk_cut_anywhere_ends_with_an_error(void **state)
{
	static const uint8_t chunk[] = { 0, 1, 0, 0, 0, 2, 'k', 'v', 'v' };
	struct bytes key, val;
	size_t n;

	(void)state;
	for (n = 1; n < sizeof(chunk); n++) {
		struct bytes in = bytes_of(chunk, n);

		assert_false(chunk_next(&in, &key, &val));
		assert_int_equal(in.err, ERR_CORRUPT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		 digest_does_not_depend_on_order_and_forgets_what_is_taken),
		cmocka_unit_test(
		    digest_tells_where_key_ends_and_value_begins),
		cmocka_unit_test(digest_saved_and_loaded_goes_on),
		cmocka_unit_test(frame_with_any_flipped_bit_is_refused),
		cmocka_unit_test(
	      frame_of_another_type_or_key_or_without_signature_is_refused),
		cmocka_unit_test(cert_opens_under_its_root_until_its_end),
		cmocka_unit_test(key_file_is_private_and_never_overwritten),
		cmocka_unit_test(token_comes_back_and_a_damaged_one_is_told),
		cmocka_unit_test(snapshot_chunks_give_all_records_back),
		cmocka_unit_test(
		    snapshot_with_one_changed_record_changes_one_chunk),
		cmocka_unit_test(chunk_cut_anywhere_ends_with_an_error),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
