/*
 * test_wide.c - policies that name neither side, many of one type: each is
 * found by its source IPs and where the sides stand, and by nothing else; and
 * which clients are authorised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/policy/decide.h"
#include "proto/policy/tables.h"

#define POLICIES 61		/* more than one block of guards, and odd */

static void
put(struct tables *t, struct buf *key, struct buf *val)
{
	assert_int_equal(tables_put(t, bytes_of(key->data, key->len),
	    bytes_of(val->data, val->len), NULL), 0);
	buf_fini(key);
	buf_fini(val);
}

static void
put_domain(struct tables *t, const char *name)
{
	struct buf key, val;

	buf_init(&key, 0);
	buf_init(&val, 0);
	record_key_text(&key, RECORD_INTERNAL, name);
	buf_put_u8(&val, VALIDATE_ANY);
	put(t, &key, &val);
}

/* Every third is of a v6 network; odd ones are from inside; the order of the
 * addresses is not that of the ids. */
static void
network(int i, bool inside, char *out, size_t len)
{
	if (i % 3 == 0)
		snprintf(out, len, inside ? "2001:db8:%x::%s" :
		    "2001:db8:%x::/48%s", (i * 37) % 61, inside ? "9" : "");
	else
		snprintf(out, len, inside ? "%d.%d.1.%s" : "%d.%d.0.0/16%s",
		    (i * 37) % 61 + 11, i, inside ? "9" : "");
}

static void
put_policy(struct tables *t, int i)
{
	struct policy p = { .narrative = (char *)(uintptr_t)"wide",
	    .type = POLICY_BLOCKED_SENDERS, .action = ACTION_BLOCK,
	    .based_on = BASED_ENVELOPE, .enabled = true,
	    .from = { .kind = i % 2 == 0 ? TARGET_EXTERNAL :
		TARGET_INTERNAL }, .to = { .kind = TARGET_INTERNAL },
	    .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX };
	struct ip_prefix ip;
	struct buf key, val;
	char id[16], text[64];

	network(i, false, text, sizeof(text));
	assert_int_equal(ip_prefix_parse(text, &ip), 0);
	p.ips = &ip;
	p.ips_n = 1;
	snprintf(id, sizeof(id), "p%02d", i);
	p.id = id;
	buf_init(&key, 0);
	buf_init(&val, 0);
	record_key_text(&key, RECORD_POLICY, id);
	policy_encode(&p, &val);
	put(t, &key, &val);
}

/* The policy that refuses this client, or "". */
static const char *
refused_by(struct tables *t, const char *from, const char *client)
{
	static struct facts f;
	static struct want w;
	static struct verdict v;
	struct envelope env = { 0 };
	size_t i;

	addr_parse(&env.sender, from, strlen(from), ADDR_TEXT, NULL);
	addr_parse(&env.rcpt, "al@acme.example", 15, ADDR_TEXT, NULL);
	env.has_ip = client != NULL && ip_parse(client, &env.ip) == 0;
	facts_init(&f);
	assert_int_equal(want_first(t, &env, &w, NULL, NULL), 0);
	assert_int_equal(want_second(t, &env, &f, &w), 0);
	for (i = 0; i < w.n; i++)
		facts_set_absent(&f, i);
	judge(t, &env, &w, &f, 0, STAGE_ONLY, &v, NULL);
	facts_fini(&f);
	return v.kind == VERDICT_REJECT && v.policy != NULL ? v.policy->id :
	    "";
}

static void
each_is_found_by_its_network_and_standing_alone(void **state)
{
	struct tables *t = tables_new(NULL);
	char client[64], id[16];
	int i;

	(void)state;
	put_domain(t, "acme.example");
	for (i = 0; i < POLICIES; i++)
		put_policy(t, i);
	assert_int_equal(tables_finish(t, NULL), 0);
	for (i = 0; i < POLICIES; i++) {
		network(i, true, client, sizeof(client));
		snprintf(id, sizeof(id), "p%02d", i);
		assert_string_equal(refused_by(t, "x@far.example", client),
		    i % 2 == 0 ? id : "");
		assert_string_equal(refused_by(t, "x@acme.example", client),
		    i % 2 == 0 ? "" : id);
	}
	assert_string_equal(refused_by(t, "x@far.example", "9.9.9.9"), "");
	assert_string_equal(refused_by(t, "x@far.example", NULL), "");
	tables_free(&t);
}

static void
put_authorized(struct tables *t, const char *text)
{
	struct ip_prefix ip;
	struct buf key, val;

	assert_int_equal(ip_prefix_parse(text, &ip), 0);
	buf_init(&key, 0);
	buf_init(&val, 0);
	record_key_prefix(&key, RECORD_AUTHORIZED, &ip);
	put(t, &key, &val);
}

/* Is a message to a stranger relayed for this client? */
static bool
relays(struct tables *t, const char *client)
{
	static struct facts f;
	static struct want w;
	static struct verdict v;
	struct envelope env = { 0 };
	size_t i;

	addr_parse(&env.sender, "x@acme.example", 14, ADDR_TEXT, NULL);
	addr_parse(&env.rcpt, "y@far.example", 13, ADDR_TEXT, NULL);
	env.has_ip = ip_parse(client, &env.ip) == 0;
	facts_init(&f);
	assert_int_equal(want_first(t, &env, &w, NULL, NULL), 0);
	for (i = 0; i < w.n; i++)
		facts_set_absent(&f, i);
	judge(t, &env, &w, &f, 0, STAGE_ONLY, &v, NULL);
	facts_fini(&f);
	return v.kind == VERDICT_ACCEPT;
}

static void
clients_are_authorised_by_prefixes_of_any_length(void **state)
{
	static const struct { const char *prefix, *in, *out; } row[] = {
		{ "192.0.2.7/32", "192.0.2.7", "192.0.2.8" },
		{ "192.0.0.0/8", "192.255.2.7", "193.0.2.8" },
		{ "96.0.0.0/3", "127.255.255.255", "128.0.0.0" },
		{ "96.0.0.0/3", "96.0.0.0", "95.255.255.255" },
		{ "128.0.0.0/1", "255.0.0.1", "127.0.0.1" },
		{ "0.0.0.0/0", "9.9.9.9", "2001:db8::1" },
		{ "::/0", "2001:db8::1", "9.9.9.9" },
		{ "2001:db8::/32", "2001:db8:1::1", "2001:db9::1" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct tables *t = tables_new(NULL);

		put_domain(t, "acme.example");
		put_authorized(t, row[i].prefix);
		assert_int_equal(tables_finish(t, NULL), 0);
		assert_true(relays(t, row[i].in));
		assert_false(relays(t, row[i].out));
		tables_free(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_is_found_by_its_network_and_standing_alone),
		cmocka_unit_test(
		    clients_are_authorised_by_prefixes_of_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
