/*
 * test_message_audit.c - the audit log's end in a head: whole, or none; never
 * a reason to refuse the head.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/wire/message.h"
#include "proto/wire/pb.h"
#include "proto/wire/postern.pb-c.h"

static void
mark_of_the_audit_log_comes_back_or_counts_as_none(void **state)
{
	static const struct { uint64_t seq, adopted; size_t len; bool good; }
	    rows[] = { { 12, 0, 32, true }, { 12, 12, 32, true },
	    { 12, 13, 32, false }, { 0, 0, 32, false }, { 12, 0, 31, false },
	    { 12, 0, 0, false }, { UINT64_MAX, 0, 32, false } };
	static const uint8_t raw[HASH_LEN] = { 7 };
	static const struct audit_mark none;
	struct audit_mark want = none;
	Postern__Head m = POSTERN__HEAD__INIT;
	struct head got;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	m.version = m.record_format = m.engine = 1;
	m.digest = m.manifest_id = m.prev_digest = pb_field(raw, HASH_LEN);
	memcpy(want.hash, raw, sizeof(raw));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		want.seq = m.audit_seq = rows[i].seq;
		want.adopted = m.audit_adopted = rows[i].adopted;
		m.audit_hash = pb_field(raw, rows[i].len);
		buf_reset(&b);
		pb_pack(&m, &b);
		assert_int_equal(head_decode(&got, bytes_of(b.data, b.len),
		    NULL), 0);
		assert_true(audit_mark_same(&got.audit, rows[i].good ? &want :
		    &none));
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    mark_of_the_audit_log_comes_back_or_counts_as_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
