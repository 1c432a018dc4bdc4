/*
 * test_snapshot.c - records cut into chunks and read back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/base/err.h"
#include "proto/policy/record.h"
#include "proto/wire/snapshot.h"

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
make_snapshot(struct kept *k, struct manifest *m, size_t n, size_t changed,
    bool more)
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
		if (more && i == 100)
			assert_int_equal(snapshot_add(w, "E000000100.z", 12,
			    "", 0), 0);
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
	make_snapshot(&k, &m, 60000, SIZE_MAX, false);
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
	make_snapshot(&ka, &a, 60000, SIZE_MAX, false);
	make_snapshot(&kb, &b, 60000, 30000, false);
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

static void
snapshot_refuses_wrong_order_and_sizes(void **state)
{
	static const char big[RECORD_VALUE_MAX + 1];
	struct snapshot_writer *w;
	struct manifest m;
	struct kept k = { .n = 0 };

	(void)state;
	w = snapshot_writer_new(keep, &k);
	assert_int_equal(snapshot_add(w, "b", 1, "", 0), 0);
	assert_int_equal(snapshot_add(w, "b", 1, "", 0), ERR_INVAL);
	assert_int_equal(snapshot_add(w, "a", 1, "", 0), ERR_INVAL);
	assert_int_equal(snapshot_add(w, "", 0, "", 0), ERR_INVAL);
	assert_int_equal(snapshot_add(w, big, RECORD_KEY_MAX + 1, "", 0),
	    ERR_INVAL);
	assert_int_equal(snapshot_add(w, "c", 1, big, RECORD_VALUE_MAX + 1),
	    ERR_INVAL);
	assert_int_equal(snapshot_add(w, "ba", 2, big, RECORD_VALUE_MAX), 0);
	assert_int_equal(snapshot_finish(w, &m), 0);
	assert_int_equal(m.count, 2);
	manifest_fini(&m);
	kept_fini(&k);
	snapshot_writer_free(&w);
	assert_null(w);
	snapshot_writer_free(&w);
}

/* A record put in near the front moves no cut after the next one. */
static void
snapshot_with_one_record_more_keeps_most_chunks(void **state)
{
	struct manifest a, b;
	struct kept ka, kb;
	size_t i, j, kept = 0;

	(void)state;
	make_snapshot(&ka, &a, 120000, SIZE_MAX, false);
	make_snapshot(&kb, &b, 120000, SIZE_MAX, true);
	assert_true(a.chunks_n >= 4);
	for (i = 0; i < a.chunks_n; i++)
		for (j = 0; j < b.chunks_n; j++)
			kept += memcmp(a.chunks[i].hash, b.chunks[j].hash,
			    HASH_LEN) == 0;
	assert_true(kept + 2 >= a.chunks_n);
	manifest_fini(&a);
	manifest_fini(&b);
	kept_fini(&ka);
	kept_fini(&kb);
}

static int
refuse(void *arg, const struct manifest_chunk *c, const void *data)
{
	(void)arg;
	(void)c;
	(void)data;
	return ERR_FULL;
}

static void
snapshot_gives_on_what_its_taker_says(void **state)
{
	struct snapshot_writer *w = snapshot_writer_new(refuse, NULL);
	struct manifest m;

	(void)state;
	assert_int_equal(snapshot_add(w, "a", 1, "", 0), 0);
	assert_int_equal(snapshot_finish(w, &m), ERR_FULL);
	assert_null(m.chunks);
	snapshot_writer_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshot_chunks_give_all_records_back),
		cmocka_unit_test(
		    snapshot_with_one_changed_record_changes_one_chunk),
		cmocka_unit_test(chunk_cut_anywhere_ends_with_an_error),
		cmocka_unit_test(snapshot_refuses_wrong_order_and_sizes),
		cmocka_unit_test(
		    snapshot_with_one_record_more_keeps_most_chunks),
		cmocka_unit_test(snapshot_gives_on_what_its_taker_says),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
