/*
 * test_frame.c - signed frames open under their key and type alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/base/err.h"
#include "proto/wire/frame.h"

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
	uint8_t stripped[200];

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
	/* stripped, and long enough to seem to have a signature */
	memset(stripped, 'p', sizeof(stripped));
	stripped[0] = FRAME_HEAD;
	assert_int_equal(frame_open(stripped, sizeof(stripped), FRAME_HEAD,
	    sign_key_public(key), &payload, NULL), ERR_AUTH);
	assert_null(payload.p);
	/* a signed type never opens as a plain one */
	assert_int_equal(frame_payload(out.data, out.len, FRAME_MANIFEST,
	    &payload), ERR_CORRUPT);
	assert_int_equal(frame_sign(&out, FRAME_ACK, key, "p", 1),
	    ERR_INTERNAL);
	buf_fini(&out);
	sign_key_free(&key);
	sign_key_free(&other);
}

/* The bytes as PROTOCOL.md draws them, put together by hand. */
static void
frame_signed_by_hand_opens(void **state)
{
	static const uint8_t under[] = "postern/1/head\0payload";
	uint8_t pub[crypto_sign_PUBLICKEYBYTES], hash[32];
	uint8_t secret[crypto_sign_SECRETKEYBYTES], frame[73 + 7];
	struct bytes payload;

	(void)state;
	crypto_sign_keypair(pub, secret);
	crypto_generichash(hash, sizeof(hash), pub, sizeof(pub), NULL, 0);
	frame[0] = 2;
	memcpy(frame + 1, hash, 8);
	crypto_sign_detached(frame + 9, NULL, under, sizeof(under) - 1,
	    secret);
	memcpy(frame + 73, "payload", 7);
	assert_int_equal(frame_open(frame, sizeof(frame), FRAME_HEAD, pub,
	    &payload, NULL), 0);
	assert_int_equal(payload.n, 7);
}

static void
frame_types_signed_and_plain_are_told_apart(void **state)
{
	static const struct {
		const char *frame;
		size_t len;
		uint8_t type;
		bool is_signed;
	} rows[] = {
		{ "", 0, 0, false }, { "\0", 1, 0, false },
		{ "\1", 1, FRAME_CERT, true },
		{ "\2", 1, FRAME_HEAD, true },
		{ "\3", 1, FRAME_MANIFEST, true },
		{ "\4", 1, FRAME_CHUNK, false },
		{ "\7", 1, FRAME_REFUSED, false },
		{ "\10", 1, FRAME_DELTA, true },
		{ "\11", 1, FRAME_DELTA_GONE, false },
		{ "\12", 1, 0, false },
		{ "\37", 1, 0, false }, { " ", 1, FRAME_HELLO, false },
		{ "%", 1, FRAME_ENROLL, false },
		{ "&", 1, FRAME_DELTA_REQ, false }, { "'", 1, 0, false },
		{ "\377", 1, 0, false },
	};
	struct bytes payload;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(frame_type(rows[i].frame, rows[i].len),
		    rows[i].type);
		assert_int_equal(frame_is_signed(rows[i].type),
		    rows[i].is_signed);
	}
	assert_int_equal(frame_payload("\43abc", 4, FRAME_ACK, &payload), 0);
	assert_int_equal(payload.n, 3);
	assert_memory_equal(payload.p, "abc", 3);
	assert_int_equal(frame_payload("\43abc", 4, FRAME_HELLO, &payload),
	    ERR_CORRUPT);
	assert_int_equal(frame_payload("", 0, FRAME_ACK, &payload),
	    ERR_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_with_any_flipped_bit_is_refused),
		cmocka_unit_test(
	frame_of_another_type_or_key_or_without_signature_is_refused),
		cmocka_unit_test(frame_signed_by_hand_opens),
		cmocka_unit_test(frame_types_signed_and_plain_are_told_apart),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
