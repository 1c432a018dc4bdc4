/*
 * test_text.c - text copied by words is what it would be byte for byte, and
 * nothing beside it is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/text.h"

#define TRIES 200000

/* Mostly plain; else any byte. */
static char
byte(unsigned *seed, int spoilt)
{
	return (char)(rand_r(seed) % 100 < spoilt ? rand_r(seed) % 256 :
	    'a' + rand_r(seed) % 26);
}

static void
text_by_words_is_what_it_is_by_bytes(void **state)
{
	char in[64], out[64 + 2], want[64 + 2];
	unsigned seed = 1;
	int n, spoilt;
	size_t len, i;
	bool high;

	(void)state;
	for (n = 0; n < TRIES; n++) {
		len = (size_t)rand_r(&seed) % (sizeof(in) + 1);
		spoilt = n % 3 == 0 ? 0 : n % 3 == 1 ? 3 : 100;
		memset(out, '#', sizeof(out));
		memset(want, '#', sizeof(want));
		for (i = 0, high = false; i < len; i++) {
			unsigned char c = (unsigned char)(in[i] =
			    byte(&seed, spoilt));

			high |= c >= 0x80;
			want[i + 1] = c < 0x20 || c == 0x7f ? '?' : (char)c;
		}
		assert_int_equal(text_put(out + 1, in, len), high);
		assert_memory_equal(out, want, sizeof(out));
	}
}

/* Each byte at each place among plain ones. */
static void
word_is_plain_exactly_when_all_its_bytes_are(void **state)
{
	unsigned char in[8];
	uint64_t w;
	int c, at;

	(void)state;
	for (at = 0; at < 8; at++) {
		for (c = 0; c < 256; c++) {
			memset(in, at % 2 == 0 ? ' ' : '~', sizeof(in));
			in[at] = (unsigned char)c;
			memcpy(&w, in, sizeof(w));
			assert_int_equal(text_is_plain(w), c >= 0x20 &&
			    c < 0x7f);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_by_words_is_what_it_is_by_bytes),
		cmocka_unit_test(
		    word_is_plain_exactly_when_all_its_bytes_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
