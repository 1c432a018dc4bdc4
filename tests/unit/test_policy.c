/*
 * test_policy.c - records and back, tables, ids, replies, failed look-ups.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/err.h"
#include "proto/policy/decide.h"
#include "proto/policy/reply.h"
#include "proto/policy/tables.h"

static struct policy
sample(void)
{
	static struct ip_prefix ip = { .len = 120 };
	static char *hosts[] = { (char *)(uintptr_t)"mail.b.example" };

	ip_prefix_parse("203.0.113.0/24", &ip);
	return (struct policy){
	    .id = (char *)(uintptr_t)"bulk",
	    .narrative = (char *)(uintptr_t)"Bulk mailers",
	    .type = POLICY_BLOCKED_SENDERS, .action = ACTION_BLOCK,
	    .based_on = BASED_BOTH,
	    .from = { .kind = TARGET_DOMAIN,
		.text = (char *)(uintptr_t)"b.example" },
	    .to = { .kind = TARGET_INTERNAL }, .override = true,
	    .enabled = true, .valid_from_us = INT64_MIN,
	    .valid_until_us = 1234, .ips = &ip, .ips_n = 1, .hosts = hosts,
	    .hosts_n = 1 };
}

static void
policy_record_comes_back_as_it_went(void **state)
{
	struct policy in = sample(), out;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	policy_encode(&in, &b);
	assert_int_equal(policy_decode(&out, "bulk", bytes_of(b.data, b.len),
	    NULL), 0);
	assert_string_equal(out.narrative, in.narrative);
	assert_null(out.comment);
	assert_int_equal(out.from.kind, TARGET_DOMAIN);
	assert_string_equal(out.from.text, "b.example");
	assert_true(out.override && out.enabled && !out.monitor);
	assert_int_equal(out.valid_until_us, 1234);
	assert_int_equal(out.ips_n, 1);
	assert_memory_equal(&out.ips[0], &in.ips[0], sizeof(out.ips[0]));
	assert_string_equal(out.hosts[0], "mail.b.example");
	policy_fini(&out);
	buf_fini(&b);
}

static void
policy_record_cut_anywhere_is_corrupt(void **state)
{
	struct policy in = sample(), out;
	struct buf b;
	size_t n;

	(void)state;
	buf_init(&b, 0);
	policy_encode(&in, &b);
	for (n = 0; n < b.len; n++)
		assert_int_equal(policy_decode(&out, "bulk",
		    bytes_of(b.data, n), NULL), ERR_CORRUPT);
	buf_putc(&b, 'x');
	assert_int_equal(policy_decode(&out, "bulk", bytes_of(b.data, b.len),
	    NULL), ERR_CORRUPT);
	b.data[0] = 99;
	assert_int_equal(policy_decode(&out, "bulk", bytes_of(b.data, b.len),
	    NULL), ERR_VERSION);
	buf_fini(&b);
}

static void
policy_record_with_any_flipped_bit_never_crashes(void **state)
{
	struct policy in = sample(), out;
	struct buf b;
	size_t i;
	int refused = 0;

	(void)state;
	buf_init(&b, 0);
	policy_encode(&in, &b);
	for (i = 0; i < b.len * 8; i++) {
		b.data[i / 8] ^= (char)(1 << i % 8);
		if (policy_decode(&out, "bulk", bytes_of(b.data, b.len),
		    NULL) == 0)
			policy_fini(&out);
		else
			refused++;
		b.data[i / 8] ^= (char)(1 << i % 8);
	}
	assert_true(refused > 100);
	buf_fini(&b);
}

static int
put_group(struct tables *t, const char *name, const char *parent)
{
	uint64_t gid = parent == NULL ? 0 : model_gid(parent);
	struct buf key, val;
	int rc;

	buf_init(&key, 0);
	buf_init(&val, 0);
	record_key_gid(&key, model_gid(name));
	record_group_encode(&val, name, &gid, parent != NULL);
	rc = tables_put(t, bytes_of(key.data, key.len),
	    bytes_of(val.data, val.len), NULL);
	buf_fini(&key);
	buf_fini(&val);
	return rc;
}

static void
tables_cut_a_cycle_of_groups(void **state)
{
	struct tables *t = tables_new(NULL);
	const char *path[4];

	(void)state;
	assert_int_equal(put_group(t, "a", "b"), 0);
	assert_int_equal(put_group(t, "b", "a"), 0);
	assert_int_equal(put_group(t, "c", "a"), 0);
	assert_int_equal(tables_finish(t, NULL), 0);
	assert_int_equal(tables_group_path(t, model_gid("c"), model_gid("b"),
	    path, 4), 3);
	assert_string_equal(path[0], "c");
	assert_string_equal(path[1], "a");
	assert_string_equal(path[2], "b");
	assert_int_equal(tables_group_path(t, model_gid("a"), model_gid("c"),
	    path, 4), 0);
	tables_free(&t);
}

static void
tables_refuse_what_they_do_not_know(void **state)
{
	struct tables *t = tables_new(NULL);
	struct diag why;

	(void)state;
	assert_int_equal(tables_put(t, bytes_of("Zx", 2), bytes_of("", 0),
	    &why), ERR_VERSION);
	assert_int_equal(tables_put(t, bytes_of("Scolor", 6),
	    bytes_of("red", 3), &why), ERR_VERSION);
	assert_int_equal(tables_put(t, bytes_of("", 0), bytes_of("", 0),
	    &why), ERR_CORRUPT);
	assert_int_equal(put_group(t, "a", "gone"), 0);
	assert_int_equal(tables_finish(t, &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, "\"a\""));
	tables_free(&t);
}

static void
judge_with_a_failed_look_up_is_internal_and_no_5xx(void **state)
{
	struct tables *t = tables_new(NULL);
	struct envelope env = { 0 };
	struct facts *f = malloc(sizeof(*f));
	struct want w;
	struct verdict v;
	size_t i;

	(void)state;
	assert_int_equal(tables_put(t, bytes_of("Iacme.example", 13),
	    bytes_of("\0", 1), NULL), 0);
	assert_int_equal(tables_finish(t, NULL), 0);
	addr_parse(&env.sender, "x@b.example", 11, ADDR_TEXT, NULL);
	addr_parse(&env.rcpt, "al@acme.example", 15, ADDR_TEXT, NULL);
	facts_init(f);
	assert_int_equal(want_first(t, &env, &w, NULL, NULL), 0);
	for (i = 0; i < w.n; i++)
		facts_set(f, i, FACT_ABSENT, NULL, 0);
	judge(t, &env, &w, f, 0, STAGE_ONLY, &v, NULL);
	assert_int_equal(v.reason, REASON_ACCEPTED);
	facts_set(f, w.n - 1, FACT_ERROR, NULL, 0);
	judge(t, &env, &w, f, 0, STAGE_ONLY, &v, NULL);
	assert_int_equal(v.reason, REASON_INTERNAL);
	assert_int_equal(v.kind, VERDICT_DEFER);
	facts_fini(f);
	free(f);
	tables_free(&t);
}

static void
reply_id_wrong_character_or_exchange_is_noticed(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	char id[REPLY_ID_LEN + 1], bad[REPLY_ID_LEN + 1];
	char out[REPLY_ID_LEN + 1];
	size_t i, k;

	(void)state;
	reply_id_new(id);
	assert_true(reply_id_parse(id, out));
	assert_string_equal(id, out);
	for (i = 0; i < REPLY_ID_LEN; i++) {
		for (k = 0; k < 32; k++) {
			memcpy(bad, id, sizeof(bad));
			bad[i] = digits[k];
			assert_int_equal(reply_id_parse(bad, out),
			    bad[i] == id[i]);
		}
		if (i + 1 == REPLY_ID_LEN)
			break;
		memcpy(bad, id, sizeof(bad));
		bad[i] = id[i + 1];
		bad[i + 1] = id[i];
		if (id[i] != id[i + 1])
			assert_false(reply_id_parse(bad, out));
	}
	assert_false(reply_id_parse("", out));
	assert_false(reply_id_parse("!!!!!!!!!!", out));
}

static void
reply_id_is_read_as_people_write_it(void **state)
{
	char id[REPLY_ID_LEN + 1], text[32], out[REPLY_ID_LEN + 1];
	size_t i;

	(void)state;
	do
		reply_id_new(id);
	while (strchr(id, '0') == NULL || strchr(id, '1') == NULL);
	for (i = 0; id[i] != '\0'; i++)
		text[i] = id[i] == '0' ? 'o' : id[i] == '1' ? 'l' :
		    id[i] >= 'A' ? (char)(id[i] + 32) : id[i];
	memcpy(text + i, " -", 3);
	assert_true(reply_id_parse(text, out));
	assert_string_equal(out, id);
}

static void
reply_follows_enforcement_detail_and_length(void **state)
{
	struct settings s;
	struct verdict v = { .kind = VERDICT_REJECT,
	    .reason = REASON_USER_BLOCKED_ENVELOPE, .level = LEVEL_USER };
	struct reply r;
	int i;

	(void)state;
	settings_default(&s);
	reply_make(&s, ENFORCE, &v, "0123456789", &r);
	assert_int_equal(r.code, 550);
	assert_string_equal(r.text, "Administrative prohibition - envelope "
	    "blocked [0123456789]");
	s.reply_detail = REPLY_DETAILED;
	v.user_domain = true;
	reply_make(&s, ENFORCE_SOFT, &v, "0123456789", &r);
	assert_int_equal(r.code, 450);
	assert_string_equal(r.enhanced, "4.7.1");
	assert_string_equal(r.text,
	    "Envelope blocked - User Domain Entry [0123456789]");
	reply_make(&s, ENFORCE_OBSERVE, &v, "0123456789", &r);
	assert_true(r.continues);
	memset(s.reply_help, 'x', sizeof(s.reply_help) - 1);
	for (i = 1; i < REASONS; i++) {
		const struct reply_info *info = reply_info((enum reason)i);

		v.reason = (enum reason)i;
		reply_make(&s, ENFORCE, &v, "0123456789", &r);
		assert_true(4 + strlen(r.enhanced) + 1 + strlen(r.text) <=
		    REPLY_TEXT_MAX);
		assert_null(strpbrk(r.text, "\r\n"));
		assert_int_equal(r.enhanced[0] - '0', r.code / 100);
		assert_true(info->code != 421 && info->code != 521);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy_record_comes_back_as_it_went),
		cmocka_unit_test(policy_record_cut_anywhere_is_corrupt),
		cmocka_unit_test(
		    policy_record_with_any_flipped_bit_never_crashes),
		cmocka_unit_test(tables_cut_a_cycle_of_groups),
		cmocka_unit_test(tables_refuse_what_they_do_not_know),
		cmocka_unit_test(
		    judge_with_a_failed_look_up_is_internal_and_no_5xx),
		cmocka_unit_test(
		    reply_id_wrong_character_or_exchange_is_noticed),
		cmocka_unit_test(reply_id_is_read_as_people_write_it),
		cmocka_unit_test(reply_follows_enforcement_detail_and_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
