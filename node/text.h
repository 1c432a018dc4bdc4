/*
 * text.h - text of mail servers and their clients, copied eight bytes at a
 * time and made fit to be shown.
 */
#ifndef NODE_TEXT_H
#define NODE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TEXT_EACH UINT64_C(0x0101010101010101)	/* 1 in each byte */
#define TEXT_HIGH (0x80 * TEXT_EACH)

/* Are all eight bytes printable ASCII? */
static inline bool
text_is_plain(uint64_t w)
{
	return (((w - 0x20 * TEXT_EACH) | (w + TEXT_EACH)) & TEXT_HIGH) == 0;
}

/*
 * Copy n bytes, controls (below 0x20, and 0x7f) as "?".  True when a byte from
 * 0x80 on is among them.  out and s do not overlap.
 */
static inline bool
text_put(char *out, const char *s, size_t n)
{
	uint64_t w;
	unsigned char any = 0, c;
	size_t i = 0;

	for (; i + sizeof(w) <= n; i += sizeof(w)) {
		memcpy(&w, s + i, sizeof(w));
		if (!text_is_plain(w))
			break;
		memcpy(out + i, &w, sizeof(w));
	}
	if (i > 0 && i < n && n - i < sizeof(w)) {
		/* the end, with bytes that were copied before */
		memcpy(&w, s + n - sizeof(w), sizeof(w));
		if (text_is_plain(w)) {
			memcpy(out + n - sizeof(w), &w, sizeof(w));
			return false;
		}
	}
	for (; i < n; i++) {
		any |= c = (unsigned char)s[i];
		out[i] = (char)(c < ' ' || c == 127 ? '?' : c);
	}
	return (any & 0x80) != 0;
}

#endif
