/*
 * entry.c - what may stand in a profile group: an address, a domain, or a
 * wildcard for the subdomains of one.
 */
#include "proto/mail/addr.h"

#include <string.h>

#include "proto/base/err.h"

static int
parse_address(struct entry *out, const char *text, size_t len,
    struct diag *why)
{
	struct addr a;
	int rc = addr_parse(&a, text, len, ADDR_TEXT, why);

	if (rc < 0)
		return rc;
	if (a.kind != ADDR_MAILBOX && a.kind != ADDR_LITERAL)
		return diag_set(why, ERR_INVAL, "the address has no domain");
	out->kind = ENTRY_ADDRESS;
	memcpy(out->text, a.text, a.len + 1);
	out->len = a.len;
	return 0;
}

int
entry_parse(struct entry *out, const char *text, size_t len,
    struct diag *why)
{
	bool wild = len > 2 && text[0] == '*' && text[1] == '.';
	char domain[ADDR_DOMAIN_MAX + 1];
	int rc;

	memset(out, 0, sizeof(*out));
	if (len == 0)
		return diag_set(why, ERR_INVAL, "the entry is empty");
	if (text[0] == '@')
		return diag_set(why, ERR_INVAL,
		    "write the domain without @");
	if (memchr(text, '@', len) != NULL)
		return parse_address(out, text, len, why);
	if (!wild && memchr(text, '*', len) != NULL)
		return diag_set(why, ERR_INVAL, "a star stands only as the "
		    "whole first label: \"*.example\"");
	if (wild) {
		text += 2;
		len -= 2;
	}
	if ((rc = addr_domain_parse(text, len, domain, why)) < 0)
		return rc;
	out->kind = wild ? ENTRY_WILDCARD : ENTRY_DOMAIN;
	memcpy(out->text, "*.", 2);
	memcpy(out->text + (wild ? 2 : 0), domain, strlen(domain) + 1);
	out->len = strlen(out->text);
	return 0;
}
