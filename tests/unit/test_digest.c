/*
 * test_digest.c - the set digest: known answers, order, inverse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/wire/digest.h"
#include "proto/wire/keys.h"

/* By another implementation of BLAKE2b and ChaCha20, written from the text of
 * digest.h. */
static void
digest_of_known_records_is_the_known_one(void **state)
{
	static const struct {
		const char *key, *val, *want;
	} rows[] = {
		{ NULL, NULL, "4ab48e310360cfc3727e54a96ec05282"
		    "011e47cd681f2f7ac345b88e9264ccdb" },
		{ "Fexample.com", "", "7a2bb40017b94730d2a7a9e95684ed79"
		    "05d6a96e511335f7f75692f763f5bd2f" },
		{ "Iexample.net", "\1", "91f484ba260f89a744518c215d0114c2"
		    "0798e26c40392f8e30c8a4565caa41a8" },
	};
	char hex[2 * DIGEST_LEN + 1];
	uint8_t got[DIGEST_LEN];
	struct digest d;
	size_t i;

	(void)state;
	digest_init(&d);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].key != NULL)
			digest_add(&d, rows[i].key, strlen(rows[i].key),
			    rows[i].val, strlen(rows[i].val));
		digest_final(&d, got);
		hex_format(got, sizeof(got), hex);
		assert_string_equal(hex, rows[i].want);
	}
}

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

/* Equal sums under another count are another digest. */
static void
digest_counts_its_records(void **state)
{
	uint8_t x[DIGEST_LEN], y[DIGEST_LEN];
	struct digest d;

	(void)state;
	digest_init(&d);
	digest_final(&d, x);
	d.count = 1;
	digest_final(&d, y);
	assert_memory_not_equal(x, y, sizeof(x));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_of_known_records_is_the_known_one),
		cmocka_unit_test(
		    digest_does_not_depend_on_order_and_forgets_what_is_taken),
		cmocka_unit_test(digest_tells_where_key_ends_and_value_begins),
		cmocka_unit_test(digest_saved_and_loaded_goes_on),
		cmocka_unit_test(digest_counts_its_records),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
