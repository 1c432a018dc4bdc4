/*
 * plain.c - one pass over the bytes of an address, by a table of their kinds.
 */
#include "proto/mail/plain.h"

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

bool
plain_domain(const char *s, size_t len, char out[ADDR_DOMAIN_MAX + 1],
    size_t *out_len)
{
	size_t i, start = 0;

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

bool
plain_mailbox(const char *s, size_t len, struct addr *out)
{
	size_t most = len < ADDR_LOCAL_MAX + 1 ? len : ADDR_LOCAL_MAX + 1;
	size_t i, n;

	for (i = 0; i < most; i++) {
		unsigned char c = (unsigned char)s[i];

		out->text[i] = lower(c);
		if ((kind[c] & ATEXT) != 0)
			continue;
		if (c == '@')
			break;
		if (c != '.' || i == 0 || s[i - 1] == '.')
			return false;
	}
	if (i == most || i == 0 || s[i - 1] == '.' ||
	    !plain_domain(s + i + 1, len - i - 1, out->text + i + 1, &n))
		return false;
	out->kind = ADDR_MAILBOX;
	out->ambiguous = false;
	out->local_len = i;
	out->domain_at = i + 1;
	out->len = i + 1 + n;
	return true;
}
