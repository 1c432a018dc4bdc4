/*
 * name.h - the canonical form of a display name, as policies compare it.
 *
 * MIME words decoded (RFC 2047, in quotes too, as readers do), NFKC, full
 * case folding, each run of white space one space and none at the ends,
 * control bytes dropped: "=?utf-8?q?J=C3=96RG?=  Doe" is "jörg doe".  Policy
 * documents, questions and messages all come through here, so that equality
 * of bytes is equality of names.
 */
#ifndef MAIL_NAME_H
#define MAIL_NAME_H

#include <stddef.h>

#include "proto/base/diag.h"

#define NAME_RAW_MAX 4096	/* octets read */
#define NAME_TEXT_MAX 512	/* canonical text and NUL */
#define NAME_CONVERSIONS_MAX 8	/* runs of words in other charsets than UTF-8:
				 * each may load a converter, 0.2 ms */

/*
 * Make the canonical form of raw: a name as written, without the quotes of a
 * header.  Adjacent encoded words join before their charset is decoded, so
 * that a character may be cut between them.  A word in a charset we do not
 * know stands as it is; bytes that are no text of UTF-8 become U+FFFD, those
 * of another charset "?".  Beyond NAME_CONVERSIONS_MAX words are taken as
 * UTF-8.  An empty name is fine.  Returns 0, or ERR_TOOBIG
 * when raw or the result is longer than the limits (out is then ""): such a
 * name equals no other.  Time is linear in len.  libunistring allocates, and
 * the C library reads a charset's converter from disk when first met.
 */
int name_parse(char out[NAME_TEXT_MAX], const char *raw, size_t len,
    struct diag *why);

#endif
