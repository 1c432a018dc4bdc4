/*
 * test_compile.c - a change compiled by itself gives what compiling all of it
 * gives, and refuses the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/compile.h"
#include "proto/base/err.h"

#define S ITEM_SEP_S

/* Records as text, "key=value" in hex a line. */
static char *
dump(const struct records *r)
{
	struct records_cursor c;
	struct buf out;
	uint64_t n = 0;
	size_t i;

	buf_init(&out, 0);
	records_begin(&c, r);
	for (; records_next(&c); n++) {
		for (i = 0; i < c.key.len; i++)
			buf_printf(&out, "%02x", (uint8_t)c.key.data[i]);
		buf_putc(&out, '=');
		for (i = 0; i < c.val.len; i++)
			buf_printf(&out, "%02x", (uint8_t)c.val.data[i]);
		buf_putc(&out, '\n');
	}
	records_end(&c);
	assert_int_equal(n, records_n(r));
	return buf_steal(&out);
}

/* Every record of a differs from b's as diff says, and no other. */
static void
check_diff(const struct records *a, const struct records *b,
    const struct records_diff *diff)
{
	struct buf val;
	int64_t more = 0;
	size_t i;

	buf_init(&val, 0);
	for (i = 0; i < diff->n; i++) {
		const struct record_diff *d = &diff->d[i];

		if (i > 0)
			assert_true(memcmp(d[-1].key, d->key,
			    d[-1].key_len < d->key_len ? d[-1].key_len :
			    d->key_len) <= 0);
		buf_reset(&val);
		assert_int_equal(records_get(a, d->key, d->key_len, &val) ==
		    0, d->has_before);
		assert_int_equal(val.len, d->before_len);
		buf_reset(&val);
		assert_int_equal(records_get(b, d->key, d->key_len, &val) ==
		    0, d->has_after);
		assert_int_equal(val.len, d->after_len);
		if (val.len > 0)
			assert_memory_equal(val.data, d->after, val.len);
		more += d->has_after - d->has_before;
	}
	buf_fini(&val);
	assert_int_equal((int64_t)records_n(a) + more, records_n(b));
}

static const struct { const char *key; const char *value[3]; } rows[] = {
	{ "setting" S "time_zone", { "\"UTC\"", "\"Europe/Berlin\"", NULL } },
	{ "setting" S "free_mail_domains", { "\"x\"", NULL, NULL } },
	{ "setting" S "return_paths", { "\"x\"", NULL, NULL } },
	{ "setting" S "recipient_delimiter", { "\"+\"", "\"-\"", NULL } },
	{ "domain" S "acme.example", { "{}", "{\"recipient_validation\":"
	    "\"known\"}", NULL } },
	{ "domain" S "*.acme.example", { "{}", NULL, NULL } },
	{ "freemail" S "gmail.com", { "{}", NULL, NULL } },
	{ "freemail" S "mine.example", { "{}", NULL, NULL } },
	{ "protected" S "abuse", { "{}", NULL, NULL } },
	{ "protected" S "security", { "{}", NULL, NULL } },
	{ "return_path" S "prvs=", { "{}", NULL, NULL } },
	{ "range" S "192.0.2.0/24", { "{}", NULL, NULL } },
	{ "trusted" S "2001:db8::/32", { "{}", NULL, NULL } },
	{ "group" S "g", { "{}", NULL, NULL } },
	{ "group" S "h", { "{}", NULL, NULL } },
	{ "group" S "i", { "{}", NULL, NULL } },
	{ "nest" S "g" S "h", { "{}", NULL, NULL } },
	{ "nest" S "h" S "i", { "{}", NULL, NULL } },
	{ "nest" S "i" S "g", { "{}", NULL, NULL } },
	{ "entry" S "a.example" S "g", { "{}", "{\"comment\":\"x\"}", NULL } },
	{ "entry" S "a.example" S "h", { "{}", NULL, NULL } },
	{ "entry" S "*.b.example" S "g", { "{}", NULL, NULL } },
	{ "entry" S "*.c.d.example" S "h", { "{}", NULL, NULL } },
	{ "entry" S "al@a.example" S "i", { "{}", NULL, NULL } },
	{ "directory" S "al@acme.example", { "{\"aliases\":"
	    "[\"x@acme.example\"]}", "{\"aliases\":[\"y@acme.example\","
	    "\"z@acme.example\"],\"enabled\":false}", NULL } },
	{ "directory" S "bo@acme.example", { "{\"aliases\":"
	    "[\"y@acme.example\"]}", "{\"attributes\":{\"dept\":\"law\"}}",
	    NULL } },
	{ "sender" S "al@acme.example" S "x@bad.example", {
	    "{\"manual\":\"block\"}", "{\"auto\":true,\"last_used\":"
	    "\"2026-05-01\"}", NULL } },
	{ "sender" S "al@acme.example" S "acme.example", {
	    "{\"manual\":\"permit\"}", NULL, NULL } },
	{ "sender" S "al@acme.example" S "mine.example", {
	    "{\"manual\":\"block\"}", NULL, NULL } },
	{ "policy" S "p", { "{\"action\":\"block_sender\","
	    "\"addresses_based_on\":\"envelope\",\"bidirectional\":false,"
	    "\"enabled\":true,\"from\":{\"group\":\"g\"},\"monitor\":false,"
	    "\"narrative\":\"n\",\"override\":false,\"to\":\"internal\","
	    "\"type\":\"blocked_senders\",\"valid\":{\"from\":\"2026-01-01\"}}",
	    NULL, NULL } },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
random_change(const struct items *items, struct change *c)
{
	size_t i, n = 1 + (size_t)(rand() % 4);

	memset(c, 0, sizeof(*c));
	while (n-- > 0) {
		const char *key = rows[i = (size_t)rand() % ROWS].key;
		const struct item *old = items_get(items, key);
		const char *value = rows[i].value[rand() % 3];
		size_t k;

		if (old == NULL && value == NULL)
			continue;
		for (k = 0; k < c->n && strcmp(c->c[k].key, key) != 0; k++)
			;
		if (k == c->n)
			change_add(c, key, old, value,
			    value == NULL ? NULL : "cli");
	}
}

static void
change_compiled_alone_is_as_compiling_everything(void **state)
{
	unsigned good = 0, bad = 0, round;
	struct records base;
	struct items items;
	struct diag why;

	(void)state;
	srand(4711);
	items_init(&items);
	assert_int_equal(compile(&items, &base, &why), 0);
	for (round = 0; round < 6000; round++) {
		struct records over, whole;
		struct records_diff diff;
		struct items trial;
		struct change c;
		char *x, *y;
		int rc;

		random_change(&items, &c);
		items_over(&trial, &items);
		apply_change(&trial, &c);
		rc = compile_change(&base, &trial, &c, &over, &diff, &why);
		if (compile(&trial, &whole, &why) < 0) {
			if (rc == 0)
				fail_msg("taken alone, refused: %s",
				    why.text);
			bad++;
		} else {
			if (rc < 0)
				fail_msg("refused alone: %s", why.text);
			x = dump(&over);
			y = dump(&whole);
			assert_string_equal(x, y);
			check_diff(&base, &over, &diff);
			free(x);
			free(y);
			records_diff_fini(&diff);
			records_fini(&whole);
			items_merge(&items, &trial);
			records_merge(&base, &over);
			base.items = &items;
			good++;
		}
		change_fini(&c);
		items_fini(&trial);
	}
	assert_true(good > 1000 && bad > 500);
	records_fini(&base);
	items_fini(&items);
}

static void
entry_added_to_a_large_set_is_one_record(void **state)
{
	struct records base, over;
	struct records_diff diff;
	struct change c = { 0 };
	struct items items, trial;
	char key[64];
	int i;

	(void)state;
	items_init(&items);
	items_put(&items, "group" S "g", "{}", "cli");
	for (i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "entry" S "s%06d.example" S "g", i);
		items_put(&items, key, "{}", "cli");
	}
	assert_int_equal(compile(&items, &base, NULL), 0);
	items_over(&trial, &items);
	change_add(&c, "entry" S "s5.example" S "g", NULL, "{}", "cli");
	apply_change(&trial, &c);
	assert_int_equal(compile_change(&base, &trial, &c, &over, &diff,
	    NULL), 0);
	assert_int_equal(diff.n, 1);
	assert_memory_equal(diff.d[0].key, "Es5.example", 11);
	assert_ptr_equal(over.small, base.small);
	records_diff_fini(&diff);
	records_fini(&over);
	records_fini(&base);
	change_fini(&c);
	items_fini(&trial);
	items_fini(&items);
}

static void
item_with_a_control_byte_in_a_name_is_refused(void **state)
{
	struct records r;
	struct items items;
	struct diag why;

	(void)state;
	items_init(&items);
	items_put(&items, "group" S "g\x01h", "{}", "cli");
	assert_int_equal(compile(&items, &r, &why), ERR_INVAL);
	assert_non_null(strstr(why.text, "control byte"));
	items_fini(&items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    change_compiled_alone_is_as_compiling_everything),
		cmocka_unit_test(entry_added_to_a_large_set_is_one_record),
		cmocka_unit_test(
		    item_with_a_control_byte_in_a_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
