/*
 * test_message.c - payloads come back as they were, and what is out of range
 * is refused with *out zeroed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/err.h"
#include "proto/wire/event.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"
#include "proto/wire/pb.h"
#include "proto/wire/postern.pb-c.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct bytes
all(const struct buf *b)
{
	return bytes_of(b->data, b->len);
}

static struct head
some_head(void)
{
	struct head h = { .version = 9, .count = 1000000, .prev_version = 7,
	    .record_format = 1, .engine = 1, .issued_us = 1234567890123456,
	    .audit = { .adopted = 40, .seq = 77, .hash = { 8 } } };

	memset(h.digest, 1, sizeof(h.digest));
	memset(h.manifest_id, 2, sizeof(h.manifest_id));
	memset(h.prev_digest, 3, sizeof(h.prev_digest));
	return h;
}

static void
head_comes_back(void **state)
{
	struct head h = some_head(), got;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	head_encode(&h, &b);
	assert_int_equal(head_decode(&got, all(&b), NULL), 0);
	assert_memory_equal(&got, &h, sizeof(h));
	buf_fini(&b);
}

static void
head_out_of_range_is_refused_and_zeroed(void **state)
{
	static const struct head zero;
	struct head bad[5], got;
	struct diag why;
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < N(bad); i++)
		bad[i] = some_head();
	bad[0].version = bad[0].prev_version = 0;
	bad[1].prev_version = bad[1].version;
	bad[2].record_format = 0;
	bad[3].engine = 0;
	bad[4].issued_us = -1;
	buf_init(&b, 0);
	for (i = 0; i < N(bad); i++) {
		buf_reset(&b);
		head_encode(&bad[i], &b);
		assert_int_equal(head_decode(&got, all(&b), &why),
		    ERR_CORRUPT);
		assert_memory_equal(&got, &zero, sizeof(got));
		assert_non_null(strstr(why.text, "head"));
	}
	buf_fini(&b);
}

static void
head_cut_anywhere_is_refused(void **state)
{
	struct head h = some_head(), got;
	struct buf b;
	size_t n, taken = 0;

	(void)state;
	buf_init(&b, 0);
	head_encode(&h, &b);
	for (n = 0; n < b.len; n++)
		taken += head_decode(&got, bytes_of(b.data, n), NULL) == 0;
	/* only where the last fields, from the time on, are missing as a
	 * whole: such a payload is a legal one of time 0, or with less of the
	 * audit log; the signature guards its end */
	assert_int_equal(taken, 4);
	buf_fini(&b);
}

static void
digest_of_a_wrong_length_is_refused(void **state)
{
	static const size_t lens[] = { 0, 1, 31, 33, 64 };
	static const uint8_t raw[64];
	struct head got;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < N(lens); i++) {
		Postern__Head m = POSTERN__HEAD__INIT;

		m.version = m.record_format = m.engine = 1;
		m.digest = pb_field(raw, lens[i]);
		m.manifest_id = m.prev_digest = pb_field(raw, 32);
		buf_reset(&b);
		pb_pack(&m, &b);
		assert_int_equal(head_decode(&got, all(&b), NULL),
		    ERR_CORRUPT);
	}
	buf_fini(&b);
}

/* 2 bytes of an unknown field take 41 of heap and more: a frame full of them
 * would take tens of megabytes. */
static void
unknown_fields_cannot_take_much_memory(void **state)
{
	struct manifest m;
	struct diag why;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < FRAME_MAX / 2; i++)
		buf_put(&b, "\x78\1", 2);	/* field 15, varint 1 */
	assert_int_equal(manifest_decode(&m, all(&b), &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, "memory"));
	buf_fini(&b);
}

static void
unknown_fields_few_are_ignored(void **state)
{
	struct head h = some_head(), got;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	head_encode(&h, &b);
	buf_put(&b, "\x78\1", 2);
	assert_int_equal(head_decode(&got, all(&b), NULL), 0);
	assert_memory_equal(&got, &h, sizeof(h));
	buf_fini(&b);
}

static void
payload_over_its_byte_limit_is_not_unpacked(void **state)
{
	struct hello got;
	struct diag why;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	while (b.len <= 4096)
		buf_putc(&b, '\0');
	assert_int_equal(hello_decode(&got, all(&b), &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, "limit"));
	buf_fini(&b);
}

static struct manifest
some_manifest(size_t n)
{
	struct manifest m = { .version = 4, .record_format = 1,
	    .chunks_n = n };
	size_t i;

	m.chunks = calloc(n + 1, sizeof(*m.chunks));
	assert_non_null(m.chunks);
	memset(m.digest, 7, sizeof(m.digest));
	memset(m.state, 8, sizeof(m.state));
	for (i = 0; i < n; i++) {
		memset(m.chunks[i].hash, (int)i, HASH_LEN);
		m.chunks[i].len = (uint32_t)(70000 + i);
		m.chunks[i].count = (uint32_t)(1 + i % 1000);
		m.bytes += m.chunks[i].len;
		m.count += m.chunks[i].count;
	}
	return m;
}

static void
manifest_of_any_legal_size_comes_back_and_fits_a_frame(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 1000, MANIFEST_CHUNKS_MAX };
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < N(sizes); i++) {
		struct manifest m = some_manifest(sizes[i]), got;

		buf_reset(&b);
		manifest_encode(&m, &b);
		assert_int_equal(b.err, 0);
		assert_true(b.len + 73 <= FRAME_MAX);
		assert_int_equal(manifest_decode(&got, all(&b), NULL), 0);
		assert_int_equal(got.chunks_n, m.chunks_n);
		assert_memory_equal(got.chunks, m.chunks,
		    m.chunks_n * sizeof(*m.chunks));
		assert_int_equal(got.bytes, m.bytes);
		assert_int_equal(got.count, m.count);
		assert_int_equal(got.version, 4);
		assert_memory_equal(got.digest, m.digest, DIGEST_LEN);
		assert_memory_equal(got.state, m.state, DIGEST_STATE_LEN);
		manifest_fini(&m);
		manifest_fini(&got);
	}
	buf_fini(&b);
}

static void
manifest_that_does_not_add_up_is_refused(void **state)
{
	static const struct {
		const char *want;
		int64_t count, bytes;		/* added to the sums */
		uint32_t len, n;		/* of chunk 1, 0: as it is */
		bool no_version;
	} rows[] = {
		{ "add up", 1, 0, 0, 0, false },
		{ "add up", 0, -1, 0, 0, false },
		{ "out of range", 0, 0, 1024 * 1024 + 1, 0, false },
		{ "out of range", 0, 0, 13, 2, false },
		{ "add up", 0, 0, 14, 2, false },
		{ "out of range", 0, 0, 0, UINT32_MAX, false },
		{ "missing", 0, 0, 0, 0, true },
	};
	struct diag why;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < N(rows); i++) {
		struct manifest m = some_manifest(3), got;

		m.count += (uint64_t)rows[i].count;
		m.bytes += (uint64_t)rows[i].bytes;
		if (rows[i].len != 0)
			m.chunks[1].len = rows[i].len;
		if (rows[i].n != 0)
			m.chunks[1].count = rows[i].n;
		if (rows[i].no_version)
			m.version = 0;
		buf_reset(&b);
		manifest_encode(&m, &b);
		assert_int_equal(manifest_decode(&got, all(&b), &why),
		    ERR_CORRUPT);
		assert_non_null(strstr(why.text, rows[i].want));
		assert_null(got.chunks);
		assert_int_equal(got.chunks_n, 0);
		manifest_fini(&m);
	}
	buf_fini(&b);
}

static void
manifest_with_a_cut_table_is_refused(void **state)
{
	static const uint8_t raw[DIGEST_STATE_LEN];
	Postern__Manifest m = POSTERN__MANIFEST__INIT;
	struct manifest got;
	struct diag why;
	struct buf b;

	(void)state;
	m.version = m.record_format = 1;
	m.digest = pb_field(raw, DIGEST_LEN);
	m.state = pb_field(raw, DIGEST_STATE_LEN);
	m.chunks = pb_field(raw, 39);
	buf_init(&b, 0);
	pb_pack(&m, &b);
	assert_int_equal(manifest_decode(&got, all(&b), &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, "cut off"));
	buf_fini(&b);
}

static void
hello_comes_back(void **state)
{
	struct hello h = { .proto_min = 1, .proto_max = 3,
	    .record_format_min = 1, .record_format = 4, .engine_min = 1,
	    .engine = 2, .version = 5, .build = "1.0.0",
	    .audit = { .seq = 12, .hash = { 9 } } }, got;
	struct buf b;

	(void)state;
	memset(h.boot_id, 6, sizeof(h.boot_id));
	memset(h.digest, 7, sizeof(h.digest));
	buf_init(&b, 0);
	hello_encode(&h, &b);
	assert_int_equal(hello_decode(&got, all(&b), NULL), 0);
	assert_memory_equal(&got, &h, sizeof(h));
	/* one number for both ends */
	h.record_format_min = h.engine_min = 0;
	buf_reset(&b);
	hello_encode(&h, &b);
	assert_int_equal(hello_decode(&got, all(&b), NULL), 0);
	assert_int_equal(got.record_format_min, 4);
	assert_int_equal(got.engine_min, 2);
	h.engine_min = 3;
	buf_reset(&b);
	hello_encode(&h, &b);
	assert_int_equal(hello_decode(&got, all(&b), NULL), ERR_CORRUPT);
	h.engine_min = 1;
	h.proto_min = 4;
	buf_reset(&b);
	hello_encode(&h, &b);
	assert_int_equal(hello_decode(&got, all(&b), NULL), ERR_CORRUPT);
	buf_fini(&b);
}

static void
ack_comes_back_with_its_text_made_fit(void **state)
{
	struct ack a = { .accepted = 9, .enforced = 8, .proved = true,
	    .engine = 1, .nack = NACK_ENGINE, .nack_version = 10,
	    .decisions = UINT64_MAX, .refusals = 2, .spool_n = 3,
	    .events_lost = 4, .state = ACK_HELD, .enforced_us = 5,
	    .repairs = 6, .audit = { .adopted = 3, .seq = 12, .hash = { 9 } },
	    .audit_state = AUDIT_FORKED }, got;
	struct buf b;

	(void)state;
	strcpy(a.detail, "disk \xff\xc3(full) \xc3\xa9");
	buf_init(&b, 0);
	ack_encode(&a, &b);
	assert_int_equal(ack_decode(&got, all(&b), NULL), 0);
	assert_string_equal(got.detail, "disk \?\?(full) \xc3\xa9");
	strcpy(a.detail, got.detail);
	assert_memory_equal(&got, &a, sizeof(a));
	a.enforced = a.accepted + 1;
	buf_reset(&b);
	ack_encode(&a, &b);
	assert_int_equal(ack_decode(&got, all(&b), NULL), ERR_CORRUPT);
	a.enforced = 8;
	a.nack = (enum nack)(NACK_LAST + 1);
	buf_reset(&b);
	ack_encode(&a, &b);
	assert_int_equal(ack_decode(&got, all(&b), NULL), ERR_CORRUPT);
	a.nack = NACK_NONE;
	a.audit_state = (enum audit_state)(AUDIT_STATE_LAST + 1);
	buf_reset(&b);
	ack_encode(&a, &b);
	assert_int_equal(ack_decode(&got, all(&b), NULL), 0);
	assert_int_equal(got.audit_state, AUDIT_UNTOLD);
	a.state = (enum ack_state)(ACK_STATE_LAST + 1);
	buf_reset(&b);
	ack_encode(&a, &b);
	assert_int_equal(ack_decode(&got, all(&b), NULL), ERR_CORRUPT);
	buf_fini(&b);
}

static void
names_of_refusals_and_states_are_all_there(void **state)
{
	int i;

	(void)state;
	for (i = NACK_NONE; i <= NACK_LAST; i++)
		assert_string_not_equal(nack_name((enum nack)i), "unknown");
	assert_string_equal(nack_name(NACK_CRASH), "crash");
	assert_string_equal(nack_name(NACK_ROLLBACK), "rollback");
	assert_string_equal(nack_name((enum nack)99), "unknown");
}

static void
chunk_req_stays_within_credit_and_table(void **state)
{
	static const struct {
		uint32_t first, n;
		int want;
	} rows[] = {
		{ 0, 1, 0 }, { 0, FRAME_CREDIT, 0 },
		{ MANIFEST_CHUNKS_MAX - 1, 1, 0 },
		{ 0, 0, ERR_CORRUPT }, { 0, FRAME_CREDIT + 1, ERR_CORRUPT },
		{ MANIFEST_CHUNKS_MAX - 1, 2, ERR_CORRUPT },
		{ MANIFEST_CHUNKS_MAX, 1, ERR_CORRUPT },
		{ UINT32_MAX, 1, ERR_CORRUPT },
	};
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < N(rows); i++) {
		struct chunk_req r = { .first = rows[i].first,
		    .n = rows[i].n }, got;

		buf_reset(&b);
		chunk_req_encode(&r, &b);
		assert_int_equal(chunk_req_decode(&got, all(&b), NULL),
		    rows[i].want);
		assert_int_equal(got.n, rows[i].want == 0 ? rows[i].n : 0);
	}
	buf_fini(&b);
}

static void
enroll_and_its_answer_come_back(void **state)
{
	struct enroll e = { .name = "mx1.example" }, e2;
	struct enrolled d = { .node_id = "mx1", .control = "tcp://[::1]:1",
	    .events = "tcp://[::1]:2", .cert = "cert", .cert_len = 4 }, d2;
	struct buf b;

	(void)state;
	memset(e.secret, 9, sizeof(e.secret));
	memset(d.server_key, 1, sizeof(d.server_key));
	memset(d.root_key, 2, sizeof(d.root_key));
	buf_init(&b, 0);
	enroll_encode(&e, &b);
	assert_true(b.len < FRAME_ENROLL_MAX);
	assert_int_equal(enroll_decode(&e2, all(&b), NULL), 0);
	assert_memory_equal(&e, &e2, sizeof(e));
	buf_reset(&b);
	enrolled_encode(&d, &b);
	assert_int_equal(enrolled_decode(&d2, all(&b), NULL), 0);
	assert_memory_equal(&d, &d2, sizeof(d));
	d.cert_len = 0;
	buf_reset(&b);
	enrolled_encode(&d, &b);
	assert_int_equal(enrolled_decode(&d2, all(&b), NULL), ERR_CORRUPT);
	assert_int_equal(d2.node_id[0], 0);
	buf_fini(&b);
}

static void
node_name_that_is_no_text_is_refused(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		int want;
	} rows[] = {
		{ "mx1", 3, 0 }, { "\xc3\xa9", 2, 0 }, { "", 0, ERR_CORRUPT },
		{ "mx\0x", 4, ERR_CORRUPT }, { "mx\xff", 3, ERR_CORRUPT },
		{ "\xed\xa0\x80", 3, ERR_CORRUPT },
		{ "0123456789012345678901234567890123456789"
		    "01234567890123456789012", 63, 0 },
		{ "0123456789012345678901234567890123456789"
		    "012345678901234567890123", 64, ERR_CORRUPT },
	};
	static const uint8_t secret[16];
	struct enroll got;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < N(rows); i++) {
		Postern__Enroll m = POSTERN__ENROLL__INIT;

		m.secret = pb_field(secret, sizeof(secret));
		m.name = pb_field(rows[i].name, rows[i].len);
		buf_reset(&b);
		pb_pack(&m, &b);
		assert_int_equal(enroll_decode(&got, all(&b), NULL),
		    rows[i].want);
		if (rows[i].want == 0)
			assert_string_equal(got.name, rows[i].name);
	}
	buf_fini(&b);
}

static void
text_too_long_is_cut_between_characters(void **state)
{
	ProtobufCBinaryData f = pb_text("ab\xc3\xa9z");
	char out[4];

	(void)state;
	assert_true(pb_take_text(&f, out, sizeof(out), PB_CUT));
	assert_string_equal(out, "ab");
	assert_false(pb_take_text(&f, out, sizeof(out), PB_REFUSE));
}

static void
eack_comes_back(void **state)
{
	struct eack e = { .spool_id = "abcdefg", .upto_seq = 77 }, got;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	eack_encode(&e, &b);
	assert_int_equal(eack_decode(&got, all(&b), NULL), 0);
	assert_memory_equal(&e, &got, sizeof(e));
	assert_int_equal(eack_decode(&got, bytes_of(b.data, 0), NULL),
	    ERR_CORRUPT);
	buf_fini(&b);
}

static void
events_come_back_borrowed(void **state)
{
	struct bytes rows[2] = { bytes_of("one", 3), bytes_of("second", 6) };
	struct events e = { .spool_id = "spoolid", .first_seq = 40, .n = 2,
	    .event = rows }, got;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	events_encode(&e, &b);
	assert_int_equal(events_decode(&got, all(&b), NULL), 0);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.first_seq, 40);
	assert_memory_equal(got.spool_id, e.spool_id, 8);
	assert_memory_equal(got.event[1].p, "second", 6);
	assert_ptr_equal(got.event[1].p, b.data + b.len - 6);
	events_fini(&got);
	buf_fini(&b);
}

static void
events_cut_anywhere_or_too_many_are_refused(void **state)
{
	struct bytes rows[EVENTS_MAX + 1];
	struct events e = { .n = 3, .event = rows }, got;
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < N(rows); i++)
		rows[i] = bytes_of("event", 5);
	buf_init(&b, 0);
	events_encode(&e, &b);
	for (i = 0; i < b.len; i++) {
		assert_int_equal(events_decode(&got, bytes_of(b.data, i),
		    NULL), ERR_CORRUPT);
		assert_null(got.event);
	}
	buf_putc(&b, 'x');
	assert_int_equal(events_decode(&got, all(&b), NULL), ERR_CORRUPT);
	buf_reset(&b);
	e.n = EVENTS_MAX + 1;
	events_encode(&e, &b);
	assert_int_equal(b.err, ERR_TOOBIG);
	buf_reset(&b);
	e.n = 1;
	e.first_seq = UINT64_MAX;
	events_encode(&e, &b);
	assert_int_equal(events_decode(&got, all(&b), NULL), ERR_CORRUPT);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_comes_back),
		cmocka_unit_test(head_out_of_range_is_refused_and_zeroed),
		cmocka_unit_test(head_cut_anywhere_is_refused),
		cmocka_unit_test(digest_of_a_wrong_length_is_refused),
		cmocka_unit_test(unknown_fields_cannot_take_much_memory),
		cmocka_unit_test(unknown_fields_few_are_ignored),
		cmocka_unit_test(payload_over_its_byte_limit_is_not_unpacked),
		cmocka_unit_test(
		    manifest_of_any_legal_size_comes_back_and_fits_a_frame),
		cmocka_unit_test(manifest_that_does_not_add_up_is_refused),
		cmocka_unit_test(manifest_with_a_cut_table_is_refused),
		cmocka_unit_test(hello_comes_back),
		cmocka_unit_test(ack_comes_back_with_its_text_made_fit),
		cmocka_unit_test(names_of_refusals_and_states_are_all_there),
		cmocka_unit_test(chunk_req_stays_within_credit_and_table),
		cmocka_unit_test(enroll_and_its_answer_come_back),
		cmocka_unit_test(node_name_that_is_no_text_is_refused),
		cmocka_unit_test(text_too_long_is_cut_between_characters),
		cmocka_unit_test(eack_comes_back),
		cmocka_unit_test(events_come_back_borrowed),
		cmocka_unit_test(events_cut_anywhere_or_too_many_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
