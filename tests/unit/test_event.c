/*
 * test_event.c - one event as bytes and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/err.h"
#include "proto/wire/event.h"
#include "proto/wire/pb.h"
#include "proto/wire/postern.pb-c.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct event
some_event(void)
{
	struct event e = { .id = "0123456789", .time_us = 1700000000000000,
	    .version = 12, .verdict = VERDICT_REJECT,
	    .enforcement = ENFORCE_SOFT, .reason = REASON_SPOOF_HEADER,
	    .level = LEVEL_SYSTEM, .has_would = true,
	    .would = REASON_INTERNAL, .reply_code = 450,
	    .reply_enhanced = "4.7.1", .reply_text = "No [0123456789]",
	    .policy = "p-1", .would_policy = "p-2", .entry = "*.x.example",
	    .sender = "al@x.example", .recipient = "bo+tag@y.example",
	    .primary = "bo@y.example", .header_from = "ceo@y.example",
	    .client_ip = "2001:db8::1", .client_name = "mail.x.example",
	    .helo = "[192.0.2.1]", .sasl_user = "bo",
	    .instance = "123.4f.0", .queue_id = "4Zq", .origin = "gateway",
	    .repeats = 3 };

	return e;
}

static void
event_comes_back_whole(void **state)
{
	struct event e = some_event(), got;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	event_encode(&e, &b);
	assert_int_equal(event_decode(&got, bytes_of(b.data, b.len), NULL),
	    0);
	assert_memory_equal(&got, &e, sizeof(e));
	buf_fini(&b);
}

/* The same by the library. */
static void
pack(const struct event *e, struct buf *out)
{
	Postern__Event m = POSTERN__EVENT__INIT;

#define TEXT(f) m.f = pb_text(e->f)
	TEXT(id); TEXT(reply_enhanced); TEXT(reply_text); TEXT(policy);
	TEXT(would_policy); TEXT(entry); TEXT(sender); TEXT(recipient);
	TEXT(primary); TEXT(header_from); TEXT(client_ip); TEXT(client_name);
	TEXT(helo); TEXT(sasl_user); TEXT(instance); TEXT(queue_id);
	TEXT(origin);
#undef TEXT
#define NUMBER(f) m.f = e->f
	NUMBER(time_us); NUMBER(version); NUMBER(verdict);
	NUMBER(enforcement); NUMBER(reason); NUMBER(level);
	NUMBER(has_would); NUMBER(would); NUMBER(reply_code);
	NUMBER(repeats); NUMBER(after_acceptance);
#undef NUMBER
	pb_pack(&m, out);
}

static void
event_is_encoded_as_the_library_packs_it(void **state)
{
	static const char *const helo[] = { "", "x", "1234567", "12345678",
	    "123456789", "\xc3\xa9", "1234567\xc3\xa9" };
	struct event e[5] = { some_event(), some_event(), some_event(),
	    some_event(), { .repeats = 1 } };
	struct buf want, got;
	size_t i, k;

	(void)state;
	buf_init(&want, 0);
	buf_init(&got, 0);
	e[1].version = UINT64_MAX;
	e[1].time_us = INT64_MAX;
	e[1].repeats = UINT32_MAX;
	e[1].after_acceptance = true;
	e[2].time_us = 127;
	e[2].version = 128;
	e[2].repeats = 16384;
	memset(e[3].helo, 'h', sizeof(e[3].helo) - 1);
	memset(e[3].recipient, 'r', 127);
	memset(e[3].sender, 's', 128);
	for (i = 0; i < N(e); i++) {
		for (k = 0; k < N(helo); k++) {
			if (i != 3)
				strcpy(e[i].helo, helo[k]);
			buf_reset(&want);
			buf_reset(&got);
			pack(&e[i], &want);
			event_encode(&e[i], &got);
			assert_int_equal(got.len, want.len);
			assert_memory_equal(got.data, want.data, want.len);
		}
	}
	buf_fini(&want);
	buf_fini(&got);
}

static void
event_with_every_text_full_fits_its_limit(void **state)
{
	struct event e, got;
	struct buf b;

	(void)state;
	memset(&e, 'x', sizeof(e));
	e.verdict = VERDICT_ACCEPT;
	e.enforcement = ENFORCE;
	e.reason = e.would = REASON_ACCEPTED;
	e.level = LEVEL_NONE;
	e.has_would = true;
	e.after_acceptance = true;
	e.reply_code = 599;
	buf_init(&b, 0);
	event_encode(&e, &b);
	assert_true(b.len <= EVENT_MAX);
	assert_int_equal(event_decode(&got, bytes_of(b.data, b.len), NULL),
	    0);
	assert_int_equal(strlen(got.helo), sizeof(got.helo) - 1);
	assert_int_equal(strlen(got.id), REPLY_ID_LEN);
	assert_int_equal(strlen(got.origin), sizeof(got.origin) - 1);
	buf_fini(&b);
}

/* What a client said must not make the controller refuse the report. */
static void
event_with_bytes_that_are_no_text_is_made_fit(void **state)
{
	static const struct { const char *in, *want; } rows[] = {
		{ "plain", "plain" }, { "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\xff\xfe", "??" }, { "a\xc3", "a?" },
		{ "\xe2\x82(", "?\?(" }, { "\xed\xa0\x80", "???" },
		{ "\xc0\xaf", "??" }, { "\xf4\x90\x80\x80", "????" },
	};
	struct event got;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < N(rows); i++) {
		struct event e = some_event();

		strcpy(e.helo, rows[i].in);
		buf_reset(&b);
		event_encode(&e, &b);
		assert_int_equal(event_decode(&got, bytes_of(b.data, b.len),
		    NULL), 0);
		assert_string_equal(got.helo, rows[i].want);
	}
	buf_fini(&b);
}

static void
event_of_no_repeats_is_one(void **state)
{
	struct event e = some_event(), got;
	struct buf b;

	(void)state;
	e.repeats = 0;
	buf_init(&b, 0);
	event_encode(&e, &b);
	assert_int_equal(event_decode(&got, bytes_of(b.data, b.len), NULL),
	    0);
	assert_int_equal(got.repeats, 1);
	buf_fini(&b);
}

static void
event_out_of_range_is_refused_and_zeroed(void **state)
{
	static const struct event zero;
	struct event bad[9], got;
	struct diag why;
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < N(bad); i++)
		bad[i] = some_event();
	bad[0].verdict = (enum verdict_kind)(VERDICT_HOLD + 1);
	bad[1].enforcement = (enum enforcement)(ENFORCE_OBSERVE + 1);
	bad[2].reason = REASONS;
	bad[3].level = (enum level)(LEVEL_SYSTEM + 1);
	bad[4].would = REASONS;
	bad[5].reply_code = 199;
	bad[6].reply_code = 600;
	bad[7].reply_code = -1;
	bad[8].time_us = -1;
	buf_init(&b, 0);
	for (i = 0; i < N(bad); i++) {
		buf_reset(&b);
		event_encode(&bad[i], &b);
		assert_int_equal(event_decode(&got, bytes_of(b.data, b.len),
		    &why), ERR_CORRUPT);
		assert_memory_equal(&got, &zero, sizeof(got));
	}
	buf_fini(&b);
}

static void
event_texts_from_outside_are_checked_and_cut(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *want;	/* NULL: refused */
	} rows[] = {
		{ "gateway", 7, "gateway" }, { "gateways", 8, "gateway" },
		{ "gatewa\xc3\xa9", 8, "gatewa" }, { "", 0, "" },
		{ "g\0w", 3, NULL }, { "g\xff", 2, NULL },
	};
	struct event got;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < N(rows); i++) {
		Postern__Event m = POSTERN__EVENT__INIT;
		int rc;

		m.repeats = 1;
		m.origin = pb_field(rows[i].text, rows[i].len);
		buf_reset(&b);
		pb_pack(&m, &b);
		rc = event_decode(&got, bytes_of(b.data, b.len), NULL);
		assert_int_equal(rc, rows[i].want == NULL ? ERR_CORRUPT : 0);
		if (rows[i].want != NULL)
			assert_string_equal(got.origin, rows[i].want);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_comes_back_whole),
		cmocka_unit_test(event_is_encoded_as_the_library_packs_it),
		cmocka_unit_test(event_with_every_text_full_fits_its_limit),
		cmocka_unit_test(
		    event_with_bytes_that_are_no_text_is_made_fit),
		cmocka_unit_test(event_of_no_repeats_is_one),
		cmocka_unit_test(event_out_of_range_is_refused_and_zeroed),
		cmocka_unit_test(
		    event_texts_from_outside_are_checked_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
