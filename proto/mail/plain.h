/*
 * plain.h - addresses and domains as nearly all are: ASCII, a dot-atom at a
 * host name (RFC 5321 4.1.2, without quotes, literals, U-labels).
 *
 * One pass over the bytes, no call, no memory, nothing zeroed that is not
 * used.  What is not plain is left to the general way of addr.h, which also
 * says what is wrong with it.
 */
#ifndef MAIL_PLAIN_H
#define MAIL_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/mail/addr.h"

/* True for RFC 5321 atext, in ASCII. */
bool plain_is_atext(unsigned char c);

/*
 * The canonical form of local@domain or of a domain; false when it is not
 * plain or not well formed, and then out is not to be used.  Of out->text
 * only what stands before its NUL is written.
 */
bool plain_mailbox(const char *s, size_t len, struct addr *out);
/* *out_len: without the NUL, which is written. */
bool plain_domain(const char *s, size_t len, char out[ADDR_DOMAIN_MAX + 1],
    size_t *out_len);

#endif
