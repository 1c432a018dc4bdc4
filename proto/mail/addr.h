/*
 * addr.h - the one canonical form of an address, a domain and a list entry.
 *
 * Domain: IDN to A-labels (IDNA 2008, UTS 46 non-transitional), lower case,
 * one trailing dot dropped; labels of letters, digits, "-" and "_", 1 to 63
 * bytes, 253 in all (RFC 5321 4.5.3.1.2); or an address literal
 * "[192.0.2.1]", "[ipv6:2001:db8::1]" in canonical text.  Local part: NFC,
 * compared without case (ASCII lower case; full case folding when UTF-8),
 * needless quoting removed: "al"@x = al@x; what needs quotes keeps them in
 * one minimal spelling; at most 64 bytes before folding and after.  The
 * canonical text is UTF-8 and is the key under which policies, groups and
 * users' lists store the address.
 */
#ifndef MAIL_ADDR_H
#define MAIL_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/diag.h"

#define ADDR_LOCAL_MAX 64	/* octets, RFC 5321 4.5.3.1.1, unquoted */
#define ADDR_DOMAIN_MAX 255
#define ADDR_TEXT_MAX 400	/* canonical text with quotes, and NUL */

enum addr_form {
	ADDR_UNQUOTED,	/* Postfix policy protocol: local part unquoted, raw
			 * UTF-8; the last "@" ends it */
	ADDR_SMTP,	/* milter, SMTP: "<...>" allowed, quoted-string local
			 * part, a source route is dropped (RFC 5321 App. C) */
	ADDR_TEXT,	/* what a person writes in a document or a command:
			 * as ADDR_SMTP without "<>" and route */
};

enum addr_kind {
	ADDR_NULL,	/* "" or "<>": the null sender */
	ADDR_MAILBOX,	/* local@domain */
	ADDR_LITERAL,	/* local@[ip] */
	ADDR_BARE,	/* no domain: fine for "postmaster" only */
};

struct addr {
	enum addr_kind kind;
	bool ambiguous;	/* two readings: may match a block, never an allow */
	char text[ADDR_TEXT_MAX];	/* canonical; "" for the null sender */
	size_t len;
	size_t domain_at;	/* offset of the domain in text, == len for
				 * ADDR_NULL and ADDR_BARE */
	size_t local_len;	/* of the canonical local part in text */
};

/*
 * Parse raw (len bytes; NUL, CR, LF inside are refused) in the given form.
 * Returns 0, or ERR_INVAL / ERR_TOOBIG with the reason; *out is then a zeroed
 * addr.  Behind the NUL of out->text stands nothing to rely on.  Does not
 * block; libidn2 may allocate, for what is not ASCII.
 */
int addr_parse(struct addr *out, const char *raw, size_t len,
    enum addr_form form, struct diag *why);

/*
 * The form without its extension ("al+x@d" -> "al@d" for delimiter "+";
 * each byte of delimiters counts, the first one met after the first byte of
 * the local part cuts, as Postfix's recipient_delimiter).  Never cuts a
 * quoted local part; what is left is canonical again ("a.+x@d" leaves
 * "\"a.\"@d").  True and *out, which is not a, filled when there was one.
 */
bool addr_strip_extension(const struct addr *a, const char *delimiters,
    struct addr *out);

/* The domain in a, NUL-terminated; "" when it has none. */
const char *addr_domain(const struct addr *a);

/* Canonical domain of text into out; a literal is refused.  ERR_INVAL. */
int addr_domain_parse(const char *text, size_t len,
    char out[ADDR_DOMAIN_MAX + 1], struct diag *why);

/* What may stand in a profile group. */
enum entry_kind { ENTRY_ADDRESS, ENTRY_DOMAIN, ENTRY_WILDCARD };

struct entry {
	enum entry_kind kind;
	char text[ADDR_TEXT_MAX];	/* canonical: "al@x", "x", "*.x" */
	size_t len;
};

/*
 * Read "al@x.example", "x.example" or "*.x.example" as a person writes it.
 * "@x.example" is refused with "write the domain without @".  A wildcard has
 * its star as the whole first label.  0, ERR_INVAL, ERR_TOOBIG.
 */
int entry_parse(struct entry *out, const char *text, size_t len,
    struct diag *why);

/* Labels in a domain: "a.b" is 2. */
int addr_labels(const char *domain);
/* The suffix of domain with n labels, or NULL when it has fewer. */
const char *addr_suffix(const char *domain, int n);

#endif
