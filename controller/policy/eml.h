/*
 * eml.h - the header From fields of a message file.
 */
#ifndef POLICY_EML_H
#define POLICY_EML_H

#include <stddef.h>

#include "proto/base/buf.h"

#define EML_MAX ((size_t)64 << 20)	/* of a message file */

/*
 * Append what stands behind "From:" in each such field of the message's
 * header, which ends at the first empty line, in the form that a question's
 * header_from has: text, a line each.  Lines end with LF or CRLF; an mbox
 * line "From " before the header is no field.  So that it can travel in JSON
 * a NUL becomes 0x01 and a byte that is no UTF-8 U+FFFD; either makes an
 * address ambiguous as the byte itself does.  Returns how many fields.
 */
size_t eml_from(const void *message, size_t len, struct buf *out);

#endif
