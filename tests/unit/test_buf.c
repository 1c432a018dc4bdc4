/*
 * test_buf.c - growable buffers, bounded readers.
 */
#include "proto/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/err.h"

static void
put_of_each_kind_gives_the_bytes_in_order(void **state)
{
	static const uint8_t want[] = { 'a', 'b', 'c', '-', '7', '!', 1, 2, 3,
	    4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	buf_put(&b, "ab", 2);
	buf_puts(&b, "c");
	buf_printf(&b, "-%d", 7);
	buf_putc(&b, '!');
	buf_put_u8(&b, 1);
	buf_put_u16(&b, 0x0203);
	buf_put_u32(&b, 0x04050607);
	buf_put_u64(&b, 0x08090a0b0c0d0e0f);
	assert_int_equal(b.err, 0);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	buf_fini(&b);
}

static void
content_of_any_length_is_followed_by_nul(void **state)
{
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 1; i <= 300; i++) {
		buf_putc(&b, 'x');
		assert_int_equal(strlen(b.data), i);
	}
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	buf_fini(&b);
	assert_null(b.data);
}

static void
put_over_the_limit_is_sticky_and_keeps_the_rest(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_puts(&b, "abcd");
	assert_int_equal(b.err, 0);
	buf_putc(&b, 'e');
	assert_int_equal(b.err, ERR_TOOBIG);
	buf_reset(&b);
	buf_puts(&b, "abc");
	buf_printf(&b, "%s", "de");
	assert_int_equal(b.err, ERR_TOOBIG);
	buf_putc(&b, 'd');	/* would fit, but the chain is broken */
	assert_string_equal(b.data, "abc");
	assert_null(buf_steal(&b));
	assert_int_equal(b.err, 0);
	assert_int_equal(b.len, 0);
}

static void
put_of_a_length_that_wraps_is_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	buf_puts(&b, "abc");
	buf_put(&b, "x", SIZE_MAX - 1);
	assert_int_equal(b.err, ERR_TOOBIG);
	assert_string_equal(b.data, "abc");
	buf_fini(&b);
}

static void
steal_hands_over_the_data(void **state)
{
	struct buf b;
	char *p;

	(void)state;
	buf_init(&b, 0);
	p = buf_steal(&b);
	assert_string_equal(p, "");
	free(p);
	buf_puts(&b, "kept");
	p = buf_steal(&b);
	assert_string_equal(p, "kept");
	assert_null(b.data);
	free(p);
	buf_puts(&b, "again");
	assert_string_equal(b.data, "again");
	buf_fini(&b);
}

static void
consume_moves_the_rest_down(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	buf_consume(&b, 0);
	buf_puts(&b, "headbody");
	buf_consume(&b, 4);
	assert_string_equal(b.data, "body");
	buf_consume(&b, 4);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	buf_fini(&b);
}

static void
bytes_read_back_what_was_put(void **state)
{
	struct buf b;
	struct bytes r;

	(void)state;
	buf_init(&b, 0);
	buf_put_u8(&b, 0xff);
	buf_put_u16(&b, 0xfedc);
	buf_put_u32(&b, 0xfedcba98);
	buf_put_u64(&b, 0xfedcba9876543210);
	buf_puts(&b, "end");
	r = bytes_of(b.data, b.len);
	assert_int_equal(bytes_u8(&r), 0xff);
	assert_int_equal(bytes_u16(&r), 0xfedc);
	assert_int_equal(bytes_u32(&r), 0xfedcba98);
	assert_true(bytes_u64(&r) == 0xfedcba9876543210);
	assert_memory_equal(bytes_take(&r, 3), "end", 3);
	assert_int_equal(r.n, 0);
	assert_int_equal(r.err, 0);
	assert_non_null(bytes_take(&r, 0));
	buf_fini(&b);
}

static void
bytes_run_short_stay_short(void **state)
{
	struct bytes r = bytes_of("\1\2\3", 3);

	(void)state;
	assert_int_equal(bytes_u32(&r), 0);
	assert_int_equal(r.err, ERR_CORRUPT);
	assert_int_equal(bytes_u8(&r), 0);	/* three are left; too late */
	assert_null(bytes_take(&r, SIZE_MAX));
	r = bytes_of(NULL, 0);
	assert_int_equal(bytes_u8(&r), 0);
	assert_int_equal(r.err, ERR_CORRUPT);
}

static void
xgrow_keeps_what_is_there(void **state)
{
	int *a = NULL, i;
	size_t cap = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		a = xgrow(a, &cap, (size_t)i + 1, sizeof(*a));
		assert_true(cap > (size_t)i);
		a[i] = i;
	}
	for (i = 0; i < 1000; i++)
		assert_int_equal(a[i], i);
	free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_of_each_kind_gives_the_bytes_in_order),
		cmocka_unit_test(content_of_any_length_is_followed_by_nul),
		cmocka_unit_test(
		    put_over_the_limit_is_sticky_and_keeps_the_rest),
		cmocka_unit_test(put_of_a_length_that_wraps_is_refused),
		cmocka_unit_test(steal_hands_over_the_data),
		cmocka_unit_test(consume_moves_the_rest_down),
		cmocka_unit_test(bytes_read_back_what_was_put),
		cmocka_unit_test(bytes_run_short_stay_short),
		cmocka_unit_test(xgrow_keeps_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
