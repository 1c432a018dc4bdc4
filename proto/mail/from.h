/*
 * from.h - the header From of a message: its addresses and its display name.
 *
 *	from_init(&f);
 *	for each header field From, in order:
 *		from_add(&f, value, len);
 *	from_finish(&f);
 *
 * RFC 5322 mailbox-list and group syntax with what is obsolete of it:
 * comments, quoted strings, routes, white space around dots.  An encoded
 * word is text of a display name; it makes no address and hides none.
 *
 * What has one reading gives plain addresses.  What has more, or is outside
 * the grammar, sets malformed: then each address found in any reading is in
 * the list, all of them ambiguous, so that they may match a block and never
 * an allow.  An address whose domain can be read and whose local part cannot
 * stands as "?@domain".
 *
 * Work is linear in the bytes read and those are bounded, see from_add(); no
 * recursion, nothing is allocated but inside libidn2 and libunistring.
 */
#ifndef MAIL_FROM_H
#define MAIL_FROM_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/mail/addr.h"
#include "proto/mail/name.h"

#define FROM_MAX 32		/* addresses kept */
#define FROM_BYTES_MAX 131072	/* read of all fields together; Postfix lets
				 * a header field have 102,400 */
#define FROM_TRIES_MAX 256	/* address-like pieces looked at */

struct from {
	struct addr addr[FROM_MAX];	/* ADDR_MAILBOX or ADDR_LITERAL */
	size_t n;			/* 0: the identity is absent */
	bool more;	/* there were more than the limits: no allow */
	bool malformed;	/* more than one reading, or none */
	size_t fields;	/* From fields seen; RFC 5322 wants exactly one */
	char name[NAME_TEXT_MAX];	/* canonical, see below; "": none */
	/* the reader's own */
	char raw[NAME_RAW_MAX];
	size_t raw_len, bytes, tries;
	bool named, raw_cut;
};

void from_init(struct from *f);

/*
 * Read one field: what stands after "From:", folded or not, any bytes.
 * Beyond FROM_MAX addresses, FROM_BYTES_MAX or FROM_TRIES_MAX of the message
 * nothing more is read and more is set.
 */
void from_add(struct from *f, const char *value, size_t len);

/*
 * After the last field.  Sets name to the display name of the first mailbox
 * that has an address: its phrase; without one the name of its group, else
 * the comment beside it, as readers show it ("a@x.example (Al)").  Marks the
 * addresses ambiguous when malformed is set.
 */
void from_finish(struct from *f);

#endif
