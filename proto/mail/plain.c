/*
 * plain.c - one pass over the bytes of an address: 16 at a time where that
 * does, else one by one, by a table of their kinds.
 *
 * The table says what is plain.  The quick way only knows most of it: what it
 * does not take the table has the last word on.
 */
#include "proto/mail/plain.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include <string.h>

enum { ATEXT = 1, LABEL = 2, UPPER = 4 };

#define BOTH (ATEXT | LABEL)
#define CAPITAL (ATEXT | LABEL | UPPER)

/* What a byte may stand in, and whether it has a lower case. */
static const uint8_t kind[256] = {
	['!'] = ATEXT, ['#'] = ATEXT, ['$'] = ATEXT, ['%'] = ATEXT,
	['&'] = ATEXT, ['\''] = ATEXT, ['*'] = ATEXT, ['+'] = ATEXT,
	['-'] = BOTH, ['/'] = ATEXT, ['='] = ATEXT, ['?'] = ATEXT,
	['^'] = ATEXT, ['_'] = BOTH, ['`'] = ATEXT, ['{'] = ATEXT,
	['|'] = ATEXT, ['}'] = ATEXT, ['~'] = ATEXT,
	['0' ... '9'] = BOTH, ['A' ... 'Z'] = CAPITAL, ['a' ... 'z'] = BOTH,
};

static char
lower(unsigned char c)
{
	/* 'A' + 32 = 'a' */
	return (char)(c | (kind[c] & UPPER) << 3);
}

bool
plain_is_atext(unsigned char c)
{
	return (kind[c] & ATEXT) != 0;
}

#if defined(__SSE2__)
#define QUICK_MIN 8
#define QUICK_MAX 63		/* bytes; so no label is too long */

/* Which of up to 64 bytes are what: bit n is byte n. */
struct kinds {
	uint64_t label;		/* letters, digits, "-", "_" */
	uint64_t local;		/* "+", "=" */
	uint64_t hyphen, dot, at;
};

static __m128i
within(__m128i c, char first, char last)
{
	/* signed: bytes from 0x80 on are below all others */
	return _mm_and_si128(_mm_cmpgt_epi8(c, _mm_set1_epi8(first - 1)),
	    _mm_cmplt_epi8(c, _mm_set1_epi8(last + 1)));
}

/* The lower case of 16 bytes, which stand at byte `at`. */
static __m128i
look(__m128i c, size_t at, struct kinds *k)
{
	__m128i hyphen = _mm_cmpeq_epi8(c, _mm_set1_epi8('-'));

	c = _mm_or_si128(c, _mm_and_si128(within(c, 'A', 'Z'),
	    _mm_set1_epi8('a' - 'A')));
#define BITS(v) ((uint64_t)(uint32_t)_mm_movemask_epi8(v) << at)
#define IS(b) _mm_cmpeq_epi8(c, _mm_set1_epi8(b))
	k->label |= BITS(_mm_or_si128(_mm_or_si128(within(c, 'a', 'z'),
	    within(c, '0', '9')), _mm_or_si128(hyphen, IS('_'))));
	k->local |= BITS(_mm_or_si128(IS('+'), IS('=')));
	k->hyphen |= BITS(hyphen);
	k->dot |= BITS(IS('.'));
	k->at |= BITS(IS('@'));
#undef IS
#undef BITS
	return c;
}

static void
look_8(const char *s, size_t at, char *out, struct kinds *k)
{
	__m128i c = _mm_loadl_epi64((const void *)(s + at));

	_mm_storel_epi64((void *)(out + at), look(c, at, k));
}

static void
look_16(const char *s, size_t at, char *out, struct kinds *k)
{
	__m128i c = _mm_loadu_si128((const void *)(s + at));

	_mm_storeu_si128((void *)(out + at), look(c, at, k));
}

/* QUICK_MIN to QUICK_MAX bytes in lower case; some are looked at twice. */
static void
look_all(const char *s, size_t len, char *out, struct kinds *k)
{
	size_t at;

	memset(k, 0, sizeof(*k));
	if (len < 16) {
		look_8(s, 0, out, k);
		look_8(s, len - 8, out, k);
		return;
	}
	for (at = 0; at + 16 < len; at += 16)
		look_16(s, at, out, k);
	look_16(s, len - 16, out, k);
}

/* May these be labels and dots, from bit `first` to the last before `end`? */
static bool
are_labels(const struct kinds *k, uint64_t first, uint64_t end)
{
	uint64_t all = end - first, dot = k->dot & all,
	    edge = first | end >> 1 | dot << 1 | dot >> 1;

	return all != 0 && ((k->label | k->dot) & all) == all &&
	    (dot & (first | end >> 1 | dot << 1)) == 0 &&
	    (k->hyphen & all & edge) == 0;
}

/* A local part and its "@", up to bit `at`? */
static bool
is_local(const struct kinds *k, uint64_t at)
{
	uint64_t all = at - 1, dot = k->dot & all;

	return all != 0 && ((k->label | k->dot | k->local) & all) == all &&
	    (dot & (1 | at >> 1 | dot << 1)) == 0;
}

static bool
quick_domain(const char *s, size_t len, char *out)
{
	struct kinds k __attribute__((uninitialized));

	if (len < QUICK_MIN || len > QUICK_MAX)
		return false;
	look_all(s, len, out, &k);
	out[len] = '\0';
	return are_labels(&k, 1, (uint64_t)1 << len);
}

/* Up to its "@", at *at. */
static bool
quick_mailbox(const char *s, size_t len, char *out, size_t *at)
{
	struct kinds k __attribute__((uninitialized));
	uint64_t bit;

	if (len < QUICK_MIN || len > QUICK_MAX)
		return false;
	look_all(s, len, out, &k);
	out[len] = '\0';
	bit = k.at & -k.at;
	*at = bit == 0 ? 0 : (size_t)__builtin_ctzll(bit);
	return bit != 0 && is_local(&k, bit) &&
	    are_labels(&k, bit << 1, (uint64_t)1 << len);
}
#else
static bool
quick_domain(const char *s, size_t len, char *out)
{
	(void)s;
	(void)len;
	(void)out;
	return false;
}

static bool
quick_mailbox(const char *s, size_t len, char *out, size_t *at)
{
	(void)s;
	(void)len;
	(void)out;
	(void)at;
	return false;
}
#endif

bool
plain_domain(const char *s, size_t len, char out[ADDR_DOMAIN_MAX + 1],
    size_t *out_len)
{
	size_t i, start = 0;

	if (quick_domain(s, len, out)) {
		*out_len = len;
		return true;
	}
	if (len > 0 && s[len - 1] == '.')
		len--;
	if (len == 0 || len > 253)
		return false;
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		out[i] = lower(c);
		if ((kind[c] & LABEL) != 0)
			continue;
		if (c != '.' || i == start || i - start > 63 ||
		    s[start] == '-' || s[i - 1] == '-')
			return false;
		start = i + 1;
	}
	if (i == start || i - start > 63 || s[start] == '-' ||
	    s[i - 1] == '-')
		return false;
	out[len] = '\0';
	*out_len = len;
	return true;
}

/* The same by the table, byte for byte. */
static bool
slow_mailbox(const char *s, size_t len, char *out, size_t *at, size_t *out_len)
{
	size_t most = len < ADDR_LOCAL_MAX + 1 ? len : ADDR_LOCAL_MAX + 1;
	size_t i, n;

	for (i = 0; i < most; i++) {
		unsigned char c = (unsigned char)s[i];

		out[i] = lower(c);
		if ((kind[c] & ATEXT) != 0)
			continue;
		if (c == '@')
			break;
		if (c != '.' || i == 0 || s[i - 1] == '.')
			return false;
	}
	if (i == most || i == 0 || s[i - 1] == '.' ||
	    !plain_domain(s + i + 1, len - i - 1, out + i + 1, &n))
		return false;
	*at = i;
	*out_len = i + 1 + n;
	return true;
}

bool
plain_mailbox(const char *s, size_t len, struct addr *out)
{
	size_t at;

	if (quick_mailbox(s, len, out->text, &at))
		out->len = len;
	else if (!slow_mailbox(s, len, out->text, &at, &out->len))
		return false;
	out->kind = ADDR_MAILBOX;
	out->ambiguous = false;
	out->local_len = at;
	out->domain_at = at + 1;
	return true;
}
