/*
 * domain.c - the canonical form of a domain: A-labels, lower case, no dot at
 * the end; and counting its labels.
 */
#include "proto/mail/addr.h"

#include <idn2.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/mail/plain.h"

static bool
is_label_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_';
}

/* Labels of 1 to 63 bytes that neither begin nor end with "-". */
static int
check_labels(const char *d, struct diag *why)
{
	size_t len = strlen(d), start = 0, i;

	if (len == 0)
		return diag_set(why, ERR_INVAL, "the domain is empty");
	if (len > 253)
		return diag_set(why, ERR_TOOBIG,
		    "the domain is over 253 bytes");
	for (i = 0; i <= len; i++) {
		if (i < len && d[i] != '.') {
			if (!is_label_byte((unsigned char)d[i]))
				return diag_set(why, ERR_INVAL,
				    "the domain holds a byte that no domain "
				    "may have");
			continue;
		}
		if (i == start)
			return diag_set(why, ERR_INVAL,
			    "the domain has an empty label");
		if (i - start > 63)
			return diag_set(why, ERR_TOOBIG,
			    "a label of the domain is over 63 bytes");
		if (d[start] == '-' || d[i - 1] == '-')
			return diag_set(why, ERR_INVAL,
			    "a label of the domain begins or ends with \"-\"");
		start = i + 1;
	}
	return 0;
}

static bool
is_ascii(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((unsigned char)text[i] >= 0x80)
			return false;
	}
	return true;
}

static int
to_ascii(const char *text, size_t len, char *out, size_t cap,
    struct diag *why)
{
	char in[ADDR_DOMAIN_MAX * 4 + 1], *ascii = NULL;
	int rc;

	if (len >= sizeof(in))
		return diag_set(why, ERR_TOOBIG, "the domain is too long");
	memcpy(in, text, len);
	in[len] = '\0';
	rc = idn2_to_ascii_8z(in, &ascii,
	    IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (rc != IDN2_OK)
		return diag_set(why, ERR_INVAL,
		    "the domain is no international name: %s",
		    idn2_strerror(rc));
	if (strlen(ascii) >= cap)
		rc = diag_set(why, ERR_TOOBIG, "the domain is too long");
	else {
		memcpy(out, ascii, strlen(ascii) + 1);
		rc = 0;
	}
	idn2_free(ascii);
	return rc;
}

int
addr_domain_parse(const char *text, size_t len,
    char out[ADDR_DOMAIN_MAX + 1], struct diag *why)
{
	size_t i;
	int rc;

	if (plain_domain(text, len, out, &i))
		return 0;
	if (memchr(text, 0, len) != NULL)
		return diag_set(why, ERR_INVAL, "the domain holds a NUL");
	if (!is_ascii(text, len)) {
		rc = to_ascii(text, len, out, ADDR_DOMAIN_MAX + 1, why);
		if (rc < 0)
			return rc;
	} else {
		if (len > ADDR_DOMAIN_MAX)
			return diag_set(why, ERR_TOOBIG,
			    "the domain is too long");
		memcpy(out, text, len);
		out[len] = '\0';
	}
	len = strlen(out);
	if (len > 0 && out[len - 1] == '.')
		out[--len] = '\0';
	for (i = 0; i < len; i++) {
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] += 'a' - 'A';
	}
	return check_labels(out, why);
}

int
addr_labels(const char *domain)
{
	int n = domain[0] != '\0';

	for (; *domain != '\0'; domain++)
		n += *domain == '.';
	return n;
}

const char *
addr_suffix(const char *domain, int n)
{
	int skip = addr_labels(domain) - n;

	if (skip < 0 || n <= 0)
		return NULL;
	for (; skip > 0; skip--)
		domain = strchr(domain, '.') + 1;
	return domain;
}
