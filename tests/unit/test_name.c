/*
 * test_name.c - display names to their canonical form, and encoded words.
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
#include "proto/mail/mime.h"
#include "proto/mail/name.h"

#define ROW(in, want) { in, sizeof(in) - 1, want }

struct row { const char *in; size_t len; const char *want; };

static void
check(const struct row *rows, size_t n)
{
	char got[NAME_TEXT_MAX];
	size_t i;

	for (i = 0; i < n; i++) {
		assert_int_equal(name_parse(got, rows[i].in, rows[i].len,
		    NULL), 0);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("\"%s\" gives \"%s\", not \"%s\"",
			    rows[i].in, got, rows[i].want);
	}
}

static void
name_plain_is_folded_and_collapsed(void **state)
{
	static const struct row rows[] = {
		ROW("", ""), ROW(" \t ", ""), ROW("\x01\x7f", ""),
		ROW("  Al \t\r\n  Doe  ", "al doe"),
		ROW("J\xc3\x96RG", "j\xc3\xb6rg"),
		/* decomposed and composed are one */
		ROW("Jo\xcc\x88rg", "j\xc3\xb6rg"),
		/* full case folding: sharp s, final sigma */
		ROW("STRA\xc3\x9f" "E", "strasse"),
		ROW("\xce\xa3\xcf\x82", "\xcf\x83\xcf\x83"),
		/* NFKC: full width, ligature, no-break and ideographic space */
		ROW("\xef\xbc\xa1\xef\xbd\x8c", "al"),
		ROW("\xef\xac\x81ve", "five"),
		ROW("Al\xc2\xa0\xe3\x80\x80" "Doe", "al doe"),
		ROW("\xe2\x84\x8b", "h"),
		ROW("A\0l\x07", "al"),
		ROW("J\xf6rg", "j\xef\xbf\xbdrg"),
		ROW("Al\xe2\x80\xa8" "Doe\xc2\x85", "al doe"),
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
name_encoded_word_is_decoded_in_its_charset(void **state)
{
	static const struct row rows[] = {
		ROW("=?utf-8?q?J=C3=B6rg_D?=", "j\xc3\xb6rg d"),
		ROW("=?UTF8?B?SsO2cmc=?=", "j\xc3\xb6rg"),
		ROW("=?iso-8859-1?Q?J=f6rg?=", "j\xc3\xb6rg"),
		ROW("=?ISO-8859-1*de?Q?J=f6rg?=", "j\xc3\xb6rg"),
		ROW("=?windows-1251?B?wOv8?=",
		    "\xd0\xb0\xd0\xbb\xd1\x8c"),
		ROW("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=",
		    "\xe6\x97\xa5\xe6\x9c\xac"),
		ROW("=?us-ascii?q?Al?= Doe", "al doe"),
		/* adjacent words join, a character may be cut between them */
		ROW("=?utf-8?b?5pel?= \r\n =?utf-8?q?=E6=9C?= "
		    "=?UTF-8?q?=AC?=", "\xe6\x97\xa5\xe6\x9c\xac"),
		ROW("=?utf-8?q?a?= =?iso-8859-1?q?=E4?=", "a\xc3\xa4"),
		ROW("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
		ROW("=?utf-8?q?a?= =?utf-8?x?b?=", "a =?utf-8?x?b?="),
		ROW("=?utf-8?q?a?=  ", "a"),
		ROW("(=?utf-8?q?a?=)", "(a)"),
		/* no text of the charset, no byte behind "=" */
		ROW("=?utf-8?q?=C3?=", "\xef\xbf\xbd"),
		ROW("=?us-ascii?q?a=E4?=", "a\xef\xbf\xbd"),
		ROW("=?iso-8859-3?q?a=A5?=", "a?"),
		ROW("=?utf-8?q?a=?=", "a="), ROW("=?utf-8?q?a=4?=", "a=4"),
		ROW("=?utf-8?q?a=4x=x4?=", "a=4x=x4"),
		ROW("=?utf-8?q?=3d=3D?=", "=="),
		ROW("=?utf-8?b?Q!W-w?=", "al"), ROW("=?utf-8?b?" "?=", ""),
		ROW("=?utf-8?q?A=00l?=", "al"),
		/* not ours: the word as it stands */
		ROW("=?x-own?q?A?=", "=?x-own?q?a?="),
		ROW("=?utf-8?q?A?= =?x-own?q?B?=", "a =?x-own?q?b?="),
		ROW("=?utf-8?q?A?= \0 =?utf-8?q?B?=", "a b"),
		ROW("=?cp37?q?A?=", "=?cp37?q?a?="),
		ROW("=?us-asciz?q?A?=", "=?us-asciz?q?a?="),
		ROW("=?us-ascix?q?A?=", "=?us-ascix?q?a?="),
		ROW("=?big5?b?pKQ=?=", "\xe4\xb8\xad"),
		ROW("=?utf-8?q?=4/=4:=4@=4G=4`=4g?=", "=4/=4:=4@=4g=4`=4g"),
		ROW("=?utf-7?q?A?=", "=?utf-7?q?a?="),
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Loading converters is the one dear thing that a sender could ask for. */
static void
name_of_many_charsets_is_converted_to_a_limit(void **state)
{
	char raw[NAME_RAW_MAX], out[NAME_TEXT_MAX];
	size_t i, n = 0, want = 0;

	(void)state;
	for (i = 0; i < NAME_CONVERSIONS_MAX + 2; i++)
		n += (size_t)snprintf(raw + n, sizeof(raw) - n,
		    "=?iso-8859-%d?q?=E9?= ", i % 2 == 0 ? 1 : 15);
	assert_int_equal(name_parse(out, raw, n, NULL), 0);
	for (i = 0; i < NAME_CONVERSIONS_MAX; i++, want += 2)
		assert_memory_equal(out + want, "\xc3\xa9", 2);
	assert_string_equal(out + want, "\xef\xbf\xbd\xef\xbf\xbd");
}

static void
name_too_long_is_refused_and_empty(void **state)
{
	static char raw[NAME_RAW_MAX + 1];
	char out[NAME_TEXT_MAX];
	struct diag why;
	size_t i;

	(void)state;
	memset(raw, 'a', sizeof(raw));
	assert_int_equal(name_parse(out, raw, NAME_TEXT_MAX - 1, &why), 0);
	assert_int_equal(strlen(out), NAME_TEXT_MAX - 1);
	assert_int_equal(name_parse(out, raw, NAME_TEXT_MAX, &why),
	    ERR_TOOBIG);
	assert_string_equal(out, "");
	assert_string_equal(why.text, "the name is too long");
	assert_int_equal(name_parse(out, raw, sizeof(raw), &why),
	    ERR_TOOBIG);
	memset(raw, ' ', sizeof(raw));
	assert_int_equal(name_parse(out, raw, NAME_RAW_MAX, &why), 0);
	/* each byte a replacement of three */
	memset(raw, 0xff, sizeof(raw));
	assert_int_equal(name_parse(out, raw, NAME_RAW_MAX, &why),
	    ERR_TOOBIG);
	assert_int_equal(name_parse(out, raw, 170, &why), 0);
	/* U+FDFA is eighteen characters in NFKC */
	for (i = 0; i + 3 <= NAME_RAW_MAX; i += 3)
		memcpy(raw + i, "\xef\xb7\xba", 3);
	assert_int_equal(name_parse(out, raw, i, &why), ERR_TOOBIG);
}

static void
mime_word_wants_its_whole_form(void **state)
{
	static const struct { const char *in; size_t len; } rows[] = {
		{ "=?utf-8?q?a?=", 13 }, { "=?utf-8?Q?" "?=x", 12 },
		{ "=?a?b?(<@>)?=", 13 }, { "=?utf-8?q?a b?=", 0 },
		{ "=?utf-8?q?a\x7f?=", 0 },
		{ "=?utf-8?q?a?", 0 }, { "=?utf-8?q?a", 0 },
		{ "=?utf-8?q?a?x=", 0 }, { "=?utf-8?x?a?=", 0 },
		{ "=?utf-8?qq?a?=", 0 }, { "=??q?aaaa?=", 0 },
		{ "=?utf-8", 0 }, { "=?utf-8?", 0 }, { "=?utf-88?q", 0 },
		{ "=?u?q?=", 0 }, { "?=utf-8?q?a?=", 0 }, { "", 0 },
		{ "==utf-8?q?a?=", 0 },
		{ "=?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?q?a?=",
		    0 },
	};
	struct mime_word w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is = mime_word(rows[i].in, strlen(rows[i].in), &w);

		if (is != (rows[i].len > 0) || (is && w.len != rows[i].len))
			fail_msg("%s", rows[i].in);
	}
	assert_false(mime_word("=?utf-8?\0?aaaa?=", 16, &w));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_plain_is_folded_and_collapsed),
		cmocka_unit_test(name_encoded_word_is_decoded_in_its_charset),
		cmocka_unit_test(
		    name_of_many_charsets_is_converted_to_a_limit),
		cmocka_unit_test(name_too_long_is_refused_and_empty),
		cmocka_unit_test(mime_word_wants_its_whole_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
