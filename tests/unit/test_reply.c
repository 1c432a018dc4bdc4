/*
 * test_reply.c - the corners of the reply catalogue and of correlation ids.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/err.h"
#include "proto/policy/reply.h"

static void
reason_names_are_read_back_and_others_refused(void **state)
{
	enum reason r;
	int i;

	(void)state;
	for (i = 0; i < REASONS; i++) {
		assert_int_equal(reason_parse(reply_info(
		    (enum reason)i)->reason, &r), 0);
		assert_int_equal(r, i);
	}
	assert_int_equal(reason_parse("blocked", &r), ERR_INVAL);
}

static void
reply_says_what_detail_and_enforcement_allow(void **state)
{
	static const struct {
		enum reason reason;
		enum reply_detail detail;
		bool domain;
		enum enforcement e;
		int code;
		const char *text;
	} t[] = {
		{ REASON_USER_BLOCKED_ENVELOPE, REPLY_UNIFORM, true, ENFORCE,
		    550, "Administrative prohibition - envelope blocked" },
		{ REASON_USER_BLOCKED_HEADER, REPLY_UNIFORM, true, ENFORCE,
		    550, "Rejected by header based Blocked Senders policy" },
		{ REASON_USER_BLOCKED_ENVELOPE, REPLY_DETAILED, true, ENFORCE,
		    550, "Envelope blocked - User Domain Entry" },
		{ REASON_USER_BLOCKED_ENVELOPE, REPLY_DETAILED, false,
		    ENFORCE, 550, "Envelope blocked - User Entry" },
		{ REASON_USER_BLOCKED_HEADER, REPLY_DETAILED, true, ENFORCE,
		    550, "Rejected by header based manually Blocked" },
		{ REASON_BLOCKED_ENVELOPE, REPLY_DETAILED, false,
		    ENFORCE_SOFT, 450, "Administrative prohibition" },
		{ REASON_GREYLISTED, REPLY_UNIFORM, false, ENFORCE_SOFT, 451,
		    "Temporarily deferred" },
		{ REASON_BLOCKED_ENVELOPE, REPLY_UNIFORM, false,
		    ENFORCE_OBSERVE, 550, "Administrative prohibition" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct settings s = { .reply_detail = t[i].detail };
		struct verdict v = { .kind = t[i].code < 500 && t[i].reason ==
		    REASON_GREYLISTED ? VERDICT_DEFER : VERDICT_REJECT,
		    .reason = t[i].reason, .user_domain = t[i].domain,
		    .level = t[i].reason <= REASON_BLOCKED_HEADER ?
		    LEVEL_POLICY : t[i].reason == REASON_GREYLISTED ?
		    LEVEL_POLICY : LEVEL_USER };
		struct reply r;

		reply_make(&s, t[i].e, &v, "0123456789", &r);
		assert_int_equal(r.code, t[i].code);
		assert_int_equal(strncmp(r.text, t[i].text,
		    strlen(t[i].text)), 0);
		assert_non_null(strstr(r.text, "[0123456789]"));
		assert_int_equal(r.continues, t[i].e == ENFORCE_OBSERVE);
	}
}

static void
help_url_stands_behind_what_has_room_for_it(void **state)
{
	struct verdict v = { .kind = VERDICT_REJECT,
	    .reason = REASON_RELAY_EXTERNAL, .level = LEVEL_SYSTEM };
	struct settings s = { .reply_help = "https://help.example/" };
	struct reply r;

	(void)state;
	reply_make(&s, ENFORCE, &v, "0123456789", &r);
	assert_non_null(strstr(r.text, "] https://help.example/"));
	memset(s.reply_help, 'x', sizeof(s.reply_help) - 1);
	reply_make(&s, ENFORCE, &v, "0123456789", &r);
	assert_null(strstr(r.text, "xxx"));
	v.kind = VERDICT_ACCEPT;
	v.reason = REASON_ACCEPTED;
	reply_make(&s, ENFORCE, &v, "0123456789", &r);
	assert_string_equal(r.text, "Accepted");
}

/* Ids that were given out before must stay readable. */
static void
id_of_given_bytes_is_always_the_same(void **state)
{
	static const struct { uint8_t in[REPLY_ID_RANDOM]; const char *want; }
	    t[] = {
		{ { 0 }, "0000000000" },
		{ { 5, 8, 27, 14, 24, 20, 5, 0, 13 }, "58VERM50D4" },
		{ { 32 + 5, 40, 59, 46, 56, 52, 37, 32, 255 - 18 },
		    "58VERM50D4" },
	};
	char id[REPLY_ID_LEN + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		reply_id_of(t[i].in, id);
		assert_string_equal(id, t[i].want);
	}
}

static void
id_is_read_as_a_person_says_it(void **state)
{
	char id[REPLY_ID_LEN + 1], out[REPLY_ID_LEN + 1], said[40];
	int i, n, k;

	(void)state;
	for (i = 0; i < 200; i++) {
		reply_id_new(id);
		for (k = 0, n = 0; k < REPLY_ID_LEN; k++) {
			char c = id[k];

			if (k == 3)
				said[n++] = '-';
			if (k == 6)
				said[n++] = ' ';
			said[n++] = (char)(c == '1' ? (k % 2 == 0 ? 'I' :
			    'l') : c == '0' ? 'o' : c >= 'A' ? c + 32 : c);
		}
		said[n] = '\0';
		assert_true(reply_id_parse(said, out));
		assert_string_equal(out, id);
		said[n++] = '1';
		said[n] = '\0';
		assert_false(reply_id_parse(said, out));
	}
	assert_false(reply_id_parse("U123456789", out));
	assert_false(reply_id_parse("~123456789", out));
	assert_false(reply_id_parse("", out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    reason_names_are_read_back_and_others_refused),
		cmocka_unit_test(reply_says_what_detail_and_enforcement_allow),
		cmocka_unit_test(help_url_stands_behind_what_has_room_for_it),
		cmocka_unit_test(id_of_given_bytes_is_always_the_same),
		cmocka_unit_test(id_is_read_as_a_person_says_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
