/*
 * ip.c - reads, writes and compares client addresses and prefixes.
 */
#include "proto/mail/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255 };

/* "192.0.2.1": four numbers up to 255, no zero before another digit. */
static bool
parse_v4(const char *p, uint8_t out[4])
{
	unsigned v;
	int i;

	for (i = 0; i < 4; i++) {
		if (*p < '0' || *p > '9')
			return false;
		v = (unsigned)(*p++ - '0');
		while (v != 0 && *p >= '0' && *p <= '9') {
			v = v * 10 + (unsigned)(*p++ - '0');
			if (v > 255)
				return false;
		}
		if (*p++ != (i < 3 ? '.' : '\0'))
			return false;
		out[i] = (uint8_t)v;
	}
	return true;
}

int
ip_parse(const char *text, struct ip *out)
{
	struct in6_addr v6;
	uint8_t v4[4];

	if (parse_v4(text, v4)) {
		memcpy(out->b, mapped, 12);
		memcpy(out->b + 12, v4, 4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return ERR_INVAL;
	memcpy(out->b, &v6, 16);
	return 0;
}

/* Are all bits of ip behind the first len 0? */
static bool
rest_is_zero(const struct ip *ip, int len)
{
	int i;

	for (i = len; i < 128; i++) {
		if ((ip->b[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	}
	return true;
}

int
ip_prefix_parse(const char *text, struct ip_prefix *out)
{
	const char *slash = strchr(text, '/'), *p;
	char addr[IP_TEXT_LEN];
	size_t n = slash == NULL ? strlen(text) : (size_t)(slash - text);
	int len = 0, most;

	if (n >= sizeof(addr))
		return ERR_INVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (ip_parse(addr, &out->ip) < 0)
		return ERR_INVAL;
	most = strchr(addr, ':') == NULL ? 32 : 128;
	if (slash == NULL) {
		out->len = 128;
		return 0;
	}
	p = slash + 1;
	if (*p == '\0' || (p[0] == '0' && p[1] != '\0'))
		return ERR_INVAL;
	for (; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || (len = len * 10 + *p - '0') > most)
			return ERR_INVAL;
	}
	out->len = (uint8_t)(most == 32 ? 96 + len : len);
	return rest_is_zero(&out->ip, out->len) ? 0 : ERR_INVAL;
}

void
ip_format(const struct ip *ip, char out[IP_TEXT_LEN])
{
	if (ip_is_v4(ip))
		inet_ntop(AF_INET, ip->b + 12, out, IP_TEXT_LEN);
	else
		inet_ntop(AF_INET6, ip->b, out, IP_TEXT_LEN);
}

int
ip_prefix_shown_len(const struct ip_prefix *p)
{
	return p->len >= 96 && ip_is_v4(&p->ip) ? p->len - 96 : p->len;
}

void
ip_prefix_format(const struct ip_prefix *p, char out[IP_TEXT_LEN])
{
	size_t n;

	ip_format(&p->ip, out);
	n = strlen(out);
	snprintf(out + n, IP_TEXT_LEN - n, "/%d", ip_prefix_shown_len(p));
}
