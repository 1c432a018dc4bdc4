/*
 * ip.h - client addresses and prefixes, v4 and v6, in one 16-byte form.
 *
 * An IPv4 address is kept as ::ffff:a.b.c.d and a v4 prefix /n as /(96+n), so
 * an IPv4-mapped IPv6 client equals its IPv4 form.  (RFC 4291 2.5.5.2)
 */
#ifndef MAIL_IP_H
#define MAIL_IP_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ip { uint8_t b[16]; };
struct ip_prefix { struct ip ip; uint8_t len; };	/* len 0..128 */

#define IP_TEXT_LEN 52		/* longest text, "/128" and NUL included */

/* Strict forms only: no leading zeros, no zone, no port.  0 or ERR_INVAL. */
int ip_parse(const char *text, struct ip *out);
/* "192.0.2.0/24", "2001:db8::/32", or an address (all its bits).  Bits after
 * the prefix must be 0.  0 or ERR_INVAL. */
int ip_prefix_parse(const char *text, struct ip_prefix *out);
void ip_format(const struct ip *ip, char out[IP_TEXT_LEN]);
void ip_prefix_format(const struct ip_prefix *p, char out[IP_TEXT_LEN]);
/* The address as two numbers; addresses sort as they do. */
static inline void
ip_halves(const struct ip *ip, uint64_t half[2])
{
	memcpy(half, ip->b, sizeof(ip->b));
	half[0] = be64toh(half[0]);
	half[1] = be64toh(half[1]);
}

static inline bool
ip_is_v4(const struct ip *ip)
{
	uint64_t half[2];

	ip_halves(ip, half);
	return half[0] == 0 && half[1] >> 32 == 0xffff;
}

/* A v4 address, mapped or not, is in no v6 prefix: not in ::/0 either. */
static inline bool
ip_in_prefix(const struct ip *ip, const struct ip_prefix *p)
{
	uint64_t a[2], b[2];

	if (p->len < 96 && ip_is_v4(ip))
		return false;
	ip_halves(ip, a);
	ip_halves(&p->ip, b);
	if (p->len <= 64)
		return p->len == 0 || (a[0] ^ b[0]) >> (64 - p->len) == 0;
	return a[0] == b[0] && (a[1] ^ b[1]) >> (128 - p->len) == 0;
}

/* The length as its family writes it: /24, not /120. */
int ip_prefix_shown_len(const struct ip_prefix *p);

#endif
