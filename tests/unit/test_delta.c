/*
 * test_delta.c - deltas come back as they were, stay small, and no malformed
 * one is read.
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
#include "proto/wire/delta.h"
#include "proto/wire/frame.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct bytes
all(const struct buf *b)
{
	return bytes_of(b->data, b->len);
}

/* Versions and digests as they look in a large installation. */
static void
some_delta(struct delta *d)
{
	delta_init(d);
	d->from_version = 1234567;
	d->to_version = 1234568;
	randombytes_buf(d->from_digest, sizeof(d->from_digest));
	randombytes_buf(d->to_digest, sizeof(d->to_digest));
	d->to_count = 10000001;
	d->issued_us = 1764000000000000;
	d->record_format = d->engine = 1;
}

static int
put(struct delta *d, const char *key, const char *val)
{
	return delta_put(d, key, strlen(key), val, strlen(val));
}

static void
delta_comes_back_row_by_row(void **state)
{
	struct delta d, got;
	struct delta_op op;
	struct bytes rows;
	struct buf b;

	(void)state;
	some_delta(&d);
	assert_int_equal(put(&d, "Ea@x.example", "12345678"), 0);
	assert_int_equal(delta_del(&d, "Eb@x.example", 12), 0);
	assert_int_equal(put(&d, "Fx.example", ""), 0);
	buf_init(&b, 0);
	delta_encode(&d, &b);
	assert_int_equal(delta_decode(&got, all(&b), NULL), 0);
	assert_int_equal(got.from_version, d.from_version);
	assert_int_equal(got.to_version, d.to_version);
	assert_memory_equal(got.from_digest, d.from_digest, DIGEST_LEN);
	assert_memory_equal(got.to_digest, d.to_digest, DIGEST_LEN);
	assert_int_equal(got.to_count, d.to_count);
	assert_int_equal(got.issued_us, d.issued_us);
	assert_int_equal(got.record_format, 1);
	assert_int_equal(got.engine, 1);
	assert_int_equal(got.ops_n, 3);
	rows = delta_rows(&got);
	assert_true(delta_next(&rows, &op));
	assert_int_equal(op.kind, DELTA_PUT);
	assert_int_equal(op.key.n, 12);
	assert_memory_equal(op.val.p, "12345678", 8);
	assert_true(delta_next(&rows, &op));
	assert_int_equal(op.kind, DELTA_DEL);
	assert_memory_equal(op.key.p, "Eb@x.example", 12);
	assert_int_equal(op.val.n, 0);
	assert_true(delta_next(&rows, &op));
	assert_int_equal(op.val.n, 0);
	assert_false(delta_next(&rows, &op));
	delta_fini(&got);
	delta_fini(&d);
	buf_fini(&b);
}

static void
delta_without_rows_is_legal(void **state)
{
	struct delta d, got;
	struct delta_op op;
	struct bytes rows;
	struct buf b;

	(void)state;
	some_delta(&d);
	buf_init(&b, 0);
	delta_encode(&d, &b);
	assert_int_equal(delta_decode(&got, all(&b), NULL), 0);
	assert_int_equal(got.ops_n, 0);
	rows = delta_rows(&got);
	assert_false(delta_next(&rows, &op));
	delta_fini(&got);
	buf_fini(&b);
}

/* One user's entry, with addresses of an ordinary length. */
static void
frame_of_one_short_record_is_within_300_bytes(void **state)
{
	static const uint8_t value[5] = { 1, 0, 0, 80, 1 };
	struct sign_key *key;
	struct buf k, frame;
	struct delta d;

	(void)state;
	assert_int_equal(sign_key_new(&key), 0);
	some_delta(&d);
	buf_init(&k, 0);
	record_key_user(&k, "firstname.lastname@department.example.com",
	    "newsletter@marketing.example.org");
	assert_int_equal(delta_put(&d, k.data, k.len, value, 5), 0);
	buf_init(&frame, FRAME_MAX);
	assert_int_equal(delta_sign(&d, key, &frame), 0);
	assert_true(frame.len <= 300);
	buf_fini(&frame);
	buf_fini(&k);
	delta_fini(&d);
	sign_key_free(&key);
}

static void
rows_that_do_not_rise_or_fit_are_refused_and_leave_it(void **state)
{
	static char long_key[RECORD_KEY_MAX + 1];
	static char long_val[RECORD_VALUE_MAX + 1];
	struct delta d;
	int rc = 0;
	char key[16];
	uint32_t i;

	(void)state;
	some_delta(&d);
	assert_int_equal(put(&d, "Fb", ""), 0);
	assert_int_equal(put(&d, "Fb", ""), ERR_INVAL);
	assert_int_equal(put(&d, "Fa", ""), ERR_INVAL);
	assert_int_equal(put(&d, "F", ""), ERR_INVAL);
	assert_int_equal(delta_put(&d, "", 0, "", 0), ERR_INVAL);
	memset(long_key, 'z', sizeof(long_key));
	assert_int_equal(delta_put(&d, long_key, sizeof(long_key), "", 0),
	    ERR_INVAL);
	assert_int_equal(delta_put(&d, "Fc", 2, long_val, sizeof(long_val)),
	    ERR_INVAL);
	assert_int_equal(d.ops_n, 1);
	assert_int_equal(put(&d, "Fbb", ""), 0);
	/* bytes: 15 values of 65,536 fit a MiB with their keys, 16 do not */
	for (i = 0; rc == 0; i++) {
		snprintf(key, sizeof(key), "P%05u", (unsigned)i);
		rc = delta_put(&d, key, 6, long_val, RECORD_VALUE_MAX);
	}
	assert_int_equal(rc, ERR_TOOBIG);
	assert_int_equal(i, 16);
	assert_int_equal(d.ops_n, 17);
	delta_fini(&d);
}

static void
rows_over_their_number_are_refused_on_both_sides(void **state)
{
	struct delta d, got;
	struct buf b;
	char key[16];
	int i;

	(void)state;
	some_delta(&d);
	for (i = 0; i < DELTA_OPS_MAX; i++) {
		snprintf(key, sizeof(key), "F%05d", i);
		assert_int_equal(put(&d, key, ""), 0);
	}
	assert_int_equal(put(&d, "G", ""), ERR_TOOBIG);
	buf_init(&b, 0);
	delta_encode(&d, &b);
	assert_int_equal(delta_decode(&got, all(&b), NULL), 0);
	assert_int_equal(got.ops_n, DELTA_OPS_MAX);
	delta_fini(&got);
	/* a writer without that rule */
	buf_put(&d.ops, "\1\0\1\0\0\0\0G", 8);
	buf_reset(&b);
	delta_encode(&d, &b);
	assert_int_equal(delta_decode(&got, all(&b), NULL), ERR_TOOBIG);
	assert_null(got.ops.data);
	delta_fini(&d);
	buf_fini(&b);
}

static void
fields_out_of_range_are_refused_and_leave_nothing(void **state)
{
	static const struct delta zero;
	struct delta d, got;
	struct diag why;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < 6; i++) {
		some_delta(&d);
		put(&d, "Fa", "");
		if (i == 0)
			d.from_version = 0;
		else if (i == 1)
			d.to_version = d.from_version;
		else if (i == 2)
			d.to_version = d.from_version - 1;
		else if (i == 3)
			d.record_format = 0;
		else if (i == 4)
			d.engine = 0;
		else
			d.issued_us = -1;
		buf_reset(&b);
		delta_encode(&d, &b);
		assert_int_equal(delta_decode(&got, all(&b), &why),
		    ERR_CORRUPT);
		assert_non_null(strstr(why.text, "delta"));
		assert_memory_equal(&got, &zero, sizeof(got));
		delta_fini(&d);
	}
	buf_fini(&b);
}

static void
malformed_rows_are_refused(void **state)
{
	static const struct { const char *name; const char *rows; size_t n; }
	rows[] = {
		{ "op 0", "\0\0\1\0\0\0\0F", 8 },
		{ "op 3", "\3\0\1\0\0\0\0F", 8 },
		{ "empty key", "\1\0\0\0\0\0\0", 7 },
		{ "del with a value", "\2\0\1\0\0\0\1Fx", 9 },
		{ "cut in its head", "\1\0\1\0\0\0", 6 },
		{ "cut in its key", "\1\0\2\0\0\0\0F", 8 },
		{ "cut in its value", "\1\0\1\0\0\0\2Fx", 9 },
		{ "key of 1,025 bytes", "\1\4\1\0\0\0\0F", 8 },
		{ "value of 4 GiB", "\1\0\1\xff\xff\xff\xff" "F", 8 },
		{ "the same key twice", "\1\0\1\0\0\0\0F\2\0\1\0\0\0\0F", 16 },
		{ "falling", "\1\0\1\0\0\0\0G\1\0\1\0\0\0\0F", 16 },
	};
	struct delta d, got;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < N(rows); i++) {
		some_delta(&d);
		buf_put(&d.ops, rows[i].rows, rows[i].n);
		buf_reset(&b);
		delta_encode(&d, &b);
		if (delta_decode(&got, all(&b), NULL) != ERR_CORRUPT)
			fail_msg("taken: %s", rows[i].name);
		assert_null(got.ops.data);
		delta_fini(&d);
	}
	buf_fini(&b);
}

static void
frame_opens_under_its_key_and_type_alone(void **state)
{
	struct sign_key *key, *other;
	struct buf frame, payload;
	struct delta d, got;
	size_t i;

	(void)state;
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(sign_key_new(&other), 0);
	some_delta(&d);
	put(&d, "Fa", "");
	buf_init(&frame, FRAME_MAX);
	buf_init(&payload, FRAME_MAX);
	assert_int_equal(delta_sign(&d, key, &frame), 0);
	assert_int_equal(delta_open(&got, all(&frame), sign_key_public(key),
	    NULL), 0);
	delta_fini(&got);
	assert_int_equal(delta_open(&got, all(&frame),
	    sign_key_public(other), NULL), ERR_AUTH);
	for (i = 0; i < frame.len; i++) {
		frame.data[i] ^= 1;
		assert_int_equal(delta_open(&got, all(&frame),
		    sign_key_public(key), NULL), ERR_AUTH);
		frame.data[i] ^= 1;
	}
	/* the same payload, signed as a head */
	delta_encode(&d, &payload);
	buf_reset(&frame);
	assert_int_equal(frame_sign(&frame, FRAME_HEAD, key, payload.data,
	    payload.len), 0);
	frame.data[0] = FRAME_DELTA;
	assert_int_equal(delta_open(&got, all(&frame), sign_key_public(key),
	    NULL), ERR_AUTH);
	delta_fini(&d);
	buf_fini(&frame);
	buf_fini(&payload);
	sign_key_free(&key);
	sign_key_free(&other);
}

static void
request_comes_back_and_has_one_length(void **state)
{
	struct delta_req r = { .version = 77 }, got;
	struct buf b;

	(void)state;
	memset(r.digest, 5, sizeof(r.digest));
	buf_init(&b, 0);
	delta_req_encode(&r, &b);
	assert_int_equal(delta_req_decode(&got, all(&b), NULL), 0);
	assert_memory_equal(&got, &r, sizeof(r));
	assert_int_equal(delta_req_decode(&got, bytes_of(b.data, b.len - 1),
	    NULL), ERR_CORRUPT);
	buf_putc(&b, 'x');
	assert_int_equal(delta_req_decode(&got, all(&b), NULL), ERR_CORRUPT);
	buf_reset(&b);
	r.version = 0;
	delta_req_encode(&r, &b);
	assert_int_equal(delta_req_decode(&got, all(&b), NULL), ERR_CORRUPT);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delta_comes_back_row_by_row),
		cmocka_unit_test(delta_without_rows_is_legal),
		cmocka_unit_test(frame_of_one_short_record_is_within_300_bytes),
		cmocka_unit_test(
		    rows_that_do_not_rise_or_fit_are_refused_and_leave_it),
		cmocka_unit_test(
		    rows_over_their_number_are_refused_on_both_sides),
		cmocka_unit_test(
		    fields_out_of_range_are_refused_and_leave_nothing),
		cmocka_unit_test(malformed_rows_are_refused),
		cmocka_unit_test(frame_opens_under_its_key_and_type_alone),
		cmocka_unit_test(request_comes_back_and_has_one_length),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
