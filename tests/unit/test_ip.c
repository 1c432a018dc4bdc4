/*
 * test_ip.c - addresses and prefixes, v4, v6 and mapped.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/err.h"
#include "proto/mail/ip.h"

static void
prefix_parse_gives_the_canonical_text(void **state)
{
	static const struct { const char *in, *want; } rows[] = {
	    { "192.0.2.0/24", "192.0.2.0/24" },
	    { "192.0.2.1", "192.0.2.1/32" },
	    { "2001:DB8::/32", "2001:db8::/32" },
	    { "::1", "::1/128" },
	    { "0.0.0.0/0", "0.0.0.0/0" },
	    { "192.0.2.1/24", NULL },	/* bits behind the prefix */
	    { "192.0.2.0/33", NULL }, { "192.0.2.0/", NULL },
	    { "192.0.2.0/024", NULL }, { "192.0.2", NULL },
	    { "192.0.02.0/24", NULL }, { "2001:db8::/129", NULL },
	    { "fe80::1%eth0", NULL }, { "", NULL }, { "/24", NULL },
	};
	char text[IP_TEXT_LEN];
	struct ip_prefix p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = ip_prefix_parse(rows[i].in, &p);

		assert_int_equal(rc == 0, rows[i].want != NULL);
		if (rc < 0)
			continue;
		ip_prefix_format(&p, text);
		assert_string_equal(text, rows[i].want);
	}
}

/* As the system's own parser has it, which is strict as well. */
static void
address_v4_is_read_as_inet_pton_reads_it(void **state)
{
	static const char piece[] = "00112259....";
	struct in_addr want;
	unsigned seed = 1;
	char text[20];
	struct ip ip;
	int i, valid = 0;

	(void)state;
	for (i = 0; i < 1000000; i++) {
		size_t len = (size_t)rand_r(&seed) % 17, n;
		bool is;

		for (n = 0; n < len; n++)
			text[n] = piece[(size_t)rand_r(&seed) %
			    (sizeof(piece) - 1)];
		text[len] = '\0';
		is = inet_pton(AF_INET, text, &want) == 1;
		assert_int_equal(ip_parse(text, &ip) == 0, is);
		if (!is)
			continue;
		valid++;
		assert_true(ip_is_v4(&ip));
		assert_memory_equal(ip.b + 12, &want, 4);
	}
	assert_in_range(valid, 1000, 999000);
}

static void
address_in_prefix_is_told_for_both_families(void **state)
{
	static const struct { const char *ip, *prefix; bool want; } rows[] = {
	    { "192.0.2.255", "192.0.2.0/24", true },
	    { "192.0.3.0", "192.0.2.0/24", false },
	    { "192.0.2.129", "192.0.2.128/25", true },
	    { "192.0.2.127", "192.0.2.128/25", false },
	    { "::ffff:192.0.2.1", "192.0.2.0/24", true },
	    { "2001:db8:1::", "2001:db8::/32", true },
	    { "2001:db9::", "2001:db8::/32", false },
	    { "2001:db8::", "0.0.0.0/0", false },
	};
	struct ip_prefix p;
	struct ip ip;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ip_parse(rows[i].ip, &ip), 0);
		assert_int_equal(ip_prefix_parse(rows[i].prefix, &p), 0);
		assert_int_equal(ip_in_prefix(&ip, &p), rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefix_parse_gives_the_canonical_text),
		cmocka_unit_test(address_v4_is_read_as_inet_pton_reads_it),
		cmocka_unit_test(address_in_prefix_is_told_for_both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
