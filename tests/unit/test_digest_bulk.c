/*
 * test_digest_bulk.c - vectors of every width give what libsodium gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/base/blake2b_lanes.h"
#include "proto/wire/digest_bulk.h"

#define RECORDS 1003

/* Bytes that are the same each time. */
static void
fill(uint8_t *out, size_t len, uint32_t seed)
{
	uint8_t key[randombytes_SEEDBYTES] = { (uint8_t)seed,
	    (uint8_t)(seed >> 8), 1 };

	randombytes_buf_deterministic(out, len, key);
}

static void
lanes_of_every_length_hash_as_libsodium(void **state)
{
	static const unsigned widths[] = { 1, 4, 8 };
	static const size_t outs[] = { 16, 20, 32 };
	uint8_t got[BLAKE2B_LANES][BLAKE2B_OUT], want[BLAKE2B_OUT];
	struct blake2b_lanes l;
	size_t w, o, n, i, len;

	(void)state;
	for (w = 0; w < 3; w++)
		for (o = 0; o < 3; o++)
			for (len = 0; len <= BLAKE2B_BLOCK; len++) {
				n = len % BLAKE2B_LANES + 1;
				fill((uint8_t *)&l, sizeof(l), (uint32_t)len);
				for (i = 0; i < n; i++)
					l.len[i] = (len + i * 17) %
					    (BLAKE2B_BLOCK + 1);
				l.n = n;
				assert_true(blake2b_lanes_of(widths[w], &l,
				    outs[o], got) <= widths[w]);
				for (i = 0; i < n; i++) {
					crypto_generichash(want, outs[o],
					    l.block[i], l.len[i], NULL, 0);
					assert_memory_equal(got[i], want,
					    outs[o]);
				}
			}
}

/* Keys and values around what fits one block, and far over it. */
static void
bulk_of_any_records_is_the_digest_of_them(void **state)
{
	static const unsigned widths[] = { 1, 8, 16 };
	uint8_t key[300], val[300];
	struct digest_bulk *b;
	struct digest want, got;
	size_t w, i;

	(void)state;
	for (w = 0; w < 3; w++) {
		b = digest_bulk_new_of(widths[w]);
		assert_true(digest_bulk_lanes(b) <= widths[w]);
		digest_init(&want);
		digest_init(&got);
		for (i = 0; i < RECORDS; i++) {
			size_t key_len = 1 + i * 7 % 140, val_len = i % 3 ==
			    0 ? i % 130 : i % 7;

			fill(key, sizeof(key), (uint32_t)i);
			fill(val, sizeof(val), (uint32_t)(i + 5000));
			digest_add(&want, key, key_len, val, val_len);
			digest_bulk_add(b, key, key_len, val, val_len);
			if (i == 500)
				digest_bulk_take(b, &got);
		}
		digest_bulk_take(b, &got);
		digest_bulk_take(b, &got);
		assert_int_equal(got.count, RECORDS);
		assert_memory_equal(got.sum, want.sum, sizeof(want.sum));
		assert_int_equal(got.count, want.count);
		digest_bulk_free(&b);
		assert_null(b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lanes_of_every_length_hash_as_libsodium),
		cmocka_unit_test(bulk_of_any_records_is_the_digest_of_them),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
