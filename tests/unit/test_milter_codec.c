/*
 * test_milter_codec.c - milter frames of every length, and what each command
 * may hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/milter_codec.h"
#include "proto/base/err.h"

#define TEXT(s) (s), sizeof(s) - 1

static struct milter_frame
frame(char command, const char *data, size_t len)
{
	return (struct milter_frame){ (uint8_t)command, data, len, false };
}

static void
frame_cut_anywhere_asks_for_more(void **state)
{
	static const char wire[] = "\0\0\0\7Ha.test\0\0\0\1Q";
	const char *at = wire + 4 + 7;
	struct milter_parser p = { 0 };
	struct milter_frame f;
	size_t used, len;

	(void)state;
	for (len = 0; len < 11; len++) {
		assert_int_equal(milter_parse(&p, wire, len, &f, &used, NULL),
		    ERR_AGAIN);
		assert_int_equal(used, 0);
	}
	assert_int_equal(milter_parse(&p, wire, sizeof(wire) - 1, &f, &used,
	    NULL), 0);
	assert_int_equal(used, 11);
	assert_int_equal(f.command, 'H');
	assert_int_equal(f.len, 6);
	assert_memory_equal(f.data, "a.test", 6);
	assert_int_equal(milter_parse(&p, at, 5, &f, &used, NULL), 0);
	assert_int_equal(f.command, 'Q');
	assert_int_equal(f.len, 0);
}

static void
frame_of_no_milter_is_refused(void **state)
{
	static const struct { const char *p; size_t n; int rc; } bad[] = {
		{ TEXT("\0\0\0\0Q"), ERR_INVAL },
		{ TEXT("\377\377\377\377Q"), ERR_TOOBIG },
		{ TEXT("\200\0\0\0Q"), ERR_TOOBIG },
		{ TEXT("GET / HTTP/1.1\r\n"), ERR_TOOBIG },
		{ TEXT("EHLO x\r\n"), ERR_TOOBIG },
	};
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct milter_parser p = { 0 };
		struct milter_frame f;
		struct diag why;

		assert_int_equal(milter_parse(&p, bad[i].p, bad[i].n, &f,
		    &used, &why), bad[i].rc);
	}
}

static void
long_frame_is_cut_and_passed_over(void **state)
{
	enum { N = 10 * 1024 * 1024 };
	char *wire = malloc(4 + N + 5);
	struct milter_parser p = { 0 };
	struct milter_frame f;
	size_t used, at;

	(void)state;
	memset(wire, 'x', 4 + N);
	memcpy(wire, "\0\240\0\0L", 5);
	memcpy(wire + 4 + N, "\0\0\0\1N", 5);
	assert_int_equal(milter_parse(&p, wire, 4 + N + 5, &f, &used, NULL),
	    0);
	assert_true(f.cut);
	assert_int_equal(f.len, MILTER_KEEP_MAX - 1);
	at = used;
	/* the rest comes in pieces */
	assert_int_equal(milter_parse(&p, wire + at, 1000, &f, &used, NULL),
	    ERR_AGAIN);
	assert_int_equal(used, 1000);
	at += used;
	assert_int_equal(milter_parse(&p, wire + at, 4 + N + 5 - at, &f,
	    &used, NULL), 0);
	assert_int_equal(f.command, 'N');
	assert_int_equal(at + used, 4 + N + 5);
	free(wire);
}

static void
on_macro(void *arg, struct value name, struct value text)
{
	char *out = arg;

	strncat(out, name.p, name.len);
	strcat(out, "=");
	strncat(out, text.p, text.len);
	strcat(out, ";");
}

static void
macros_come_in_pairs(void **state)
{
	static const struct { const char *p; size_t n; const char *want; }
	    row[] = {
		{ TEXT("R"), "" },
		{ TEXT("H\0"), "" },
		{ TEXT("Ri\0ABC\0"), "i=ABC;" },
		{ TEXT("R{rcpt_addr}\0a@b\0i\0Q\0\0"), "rcpt_addr=a@b;i=Q;" },
		{ TEXT("Ri\0\0j\0x\0"), "i=;j=x;" },
		{ TEXT("R{}\0x\0"), "{}=x;" },
		{ TEXT(""), NULL },
		{ TEXT("Ri"), NULL },
		{ TEXT("Ri\0"), NULL },
		{ TEXT("Ri\0ABC"), NULL },
		{ TEXT("Ri\0ABC\0j"), NULL },
		{ TEXT("Ri\0ABC\0j\0"), NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct milter_frame f = frame('D', row[i].p, row[i].n);
		char got[256] = "";
		struct diag why;
		int rc = milter_macros_read(&f, on_macro, got, &why);

		assert_int_equal(rc, row[i].want == NULL ? ERR_INVAL : 0);
		if (rc == 0)
			assert_string_equal(got, row[i].want);
	}
}

static void
connect_has_name_family_and_address(void **state)
{
	static const struct { const char *p; size_t n; const char *want; }
	    row[] = {
		{ TEXT("a.test\0" "4\0\31" "192.0.2.1\0"), "192.0.2.1" },
		{ TEXT("a.test\0" "6\0\31" "IPv6:2001:db8::1\0"),
		    "2001:db8::1" },
		{ TEXT("a.test\0" "6\0\31" "2001:db8::1\0"), "2001:db8::1" },
		{ TEXT("localhost\0L\0\0/run/x\0"), "" },
		{ TEXT("x\0U"), "" },
		{ TEXT(""), NULL },
		{ TEXT("a.test"), NULL },
		{ TEXT("a.test\0"), NULL },
		{ TEXT("a.test\0" "4"), NULL },
		{ TEXT("a.test\0" "4\0"), NULL },
		{ TEXT("a.test\0" "4\0\31"), NULL },
		{ TEXT("a.test\0" "4\0\31" "192.0.2.1"), NULL },
		{ TEXT("a.test\0" "4\0\31" "192.0.2.1\0x"), NULL },
		{ TEXT("a.test\0" "5\0\31" "192.0.2.1\0"), NULL },
		{ TEXT("a.test\0\0\0\31" "192.0.2.1\0"), NULL },
		{ TEXT("x\0U\0"), NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct milter_frame f = frame('C', row[i].p, row[i].n);
		struct milter_connect c;
		struct diag why;
		int rc = milter_connect_read(&f, &c, &why);

		assert_int_equal(rc, row[i].want == NULL ? ERR_INVAL : 0);
		if (rc < 0)
			continue;
		assert_int_equal(c.address.len, strlen(row[i].want));
		assert_memory_equal(c.address.p == NULL ? "" : c.address.p,
		    row[i].want, c.address.len);
	}
}

static void
other_commands_keep_their_lengths(void **state)
{
	struct milter_frame f;
	struct milter_options o;
	struct milter_header h;
	struct milter_args a;
	struct value v;
	struct diag why;
	char many[2 * MILTER_ARGS_MAX + 2];
	size_t n;

	(void)state;
	for (n = 0; n < 12; n++) {
		f = frame('O', "\0\0\0\6\0\0\1\377\0\37\377\377", n);
		assert_int_equal(milter_options_read(&f, &o, &why),
		    ERR_INVAL);
	}
	f.len = 12;
	assert_int_equal(milter_options_read(&f, &o, &why), 0);
	assert_int_equal(o.version, 6);
	assert_int_equal(o.actions, 0x1ff);
	assert_int_equal(o.steps, 0x1fffff);
	f = frame('O', "\0\0\0\1\0\0\1\377\0\37\377\377", 12);
	assert_int_equal(milter_options_read(&f, &o, &why), ERR_INVAL);

	f = frame('L', TEXT("From\0a@b.test\0"));
	for (n = 0; n < f.len; n++) {
		struct milter_frame part = frame('L', f.data, n);

		assert_int_equal(milter_header_read(&part, &h, &why),
		    ERR_INVAL);
	}
	assert_int_equal(milter_header_read(&f, &h, &why), 0);
	assert_int_equal(h.value.len, 8);
	f = frame('L', TEXT("From\0a@b.test\0x"));
	assert_int_equal(milter_header_read(&f, &h, &why), ERR_INVAL);

	f = frame('M', TEXT("<a@b>\0SIZE=1\0"));
	assert_int_equal(milter_args_read(&f, &a, &why), 0);
	assert_int_equal(a.n, 2);
	f = frame('M', TEXT("<a@b>"));
	assert_int_equal(milter_args_read(&f, &a, &why), ERR_INVAL);
	f = frame('M', TEXT(""));
	assert_int_equal(milter_args_read(&f, &a, &why), ERR_INVAL);
	memset(many, 0, sizeof(many));
	f = frame('M', many, MILTER_ARGS_MAX);
	assert_int_equal(milter_args_read(&f, &a, &why), 0);
	f = frame('M', many, MILTER_ARGS_MAX + 1);
	assert_int_equal(milter_args_read(&f, &a, &why), ERR_INVAL);

	f = frame('H', TEXT("a\0b\0"));
	assert_int_equal(milter_text_read(&f, &v, &why), ERR_INVAL);
	f = frame('A', TEXT("x"));
	assert_int_equal(milter_nothing_read(&f, &why), ERR_INVAL);
}

static void
answers_are_written_byte_by_byte(void **state)
{
	struct milter_options o = { 6, 0x19, 0x50 };
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	milter_put_continue(&b);
	assert_memory_equal(b.data, "\0\0\0\1c", 5);
	buf_reset(&b);
	milter_put_reply(&b, 550, "5.7.1", "100% [X]");
	assert_int_equal(b.len, 4 + 1 + 10 + 9 + 1);
	assert_memory_equal(b.data, "\0\0\0\25y550 5.7.1 100%% [X]\0", b.len);
	buf_reset(&b);
	milter_put_delete_rcpt(&b, (struct value){ "<a@>", 4 });
	milter_put_add_header(&b, "X-A", "b");
	milter_put_delete_header(&b, "X-A", 2);
	assert_int_equal(b.len, 10 + 11 + 14);
	assert_memory_equal(b.data, "\0\0\0\6-<a@>\0"
	    "\0\0\0\7hX-A\0b\0" "\0\0\0\12m\0\0\0\2X-A\0\0", b.len);
	buf_reset(&b);
	milter_put_options(&b, &o);
	assert_int_equal(b.len, 17);
	assert_memory_equal(b.data, "\0\0\0\15O\0\0\0\6\0\0\0\31\0\0\0\120",
	    17);
	buf_reset(&b);
	o.actions |= MILTER_SET_MACROS;
	milter_put_options(&b, &o);
	assert_true(b.len > 17 && (size_t)(uint8_t)b.data[3] == b.len - 4);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_cut_anywhere_asks_for_more),
		cmocka_unit_test(frame_of_no_milter_is_refused),
		cmocka_unit_test(long_frame_is_cut_and_passed_over),
		cmocka_unit_test(macros_come_in_pairs),
		cmocka_unit_test(connect_has_name_family_and_address),
		cmocka_unit_test(other_commands_keep_their_lengths),
		cmocka_unit_test(answers_are_written_byte_by_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
