/*
 * pb.h - protobuf-c behind limits: a byte limit before unpacking, a cap on
 * memory while unpacking, and checked fields after it.
 *
 * protobuf-c has no limits of its own and takes up to 41 bytes of heap for a
 * byte of unknown fields.  For message.c and event.c alone.
 */
#ifndef WIRE_PB_H
#define WIRE_PB_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

#define PB_MEMORY_MAX (4 * 1024 * 1024)

/*
 * Unpack in, of at most max bytes, as a message of type d.  The caller frees
 * it with pb_free().  NULL with the reason when it is over max, malformed,
 * or would take more than PB_MEMORY_MAX.
 */
void *pb_unpack(const ProtobufCMessageDescriptor *d, struct bytes in,
    size_t max, struct diag *why);
/* Frees what pb_unpack() gave; NULL is allowed. */
void pb_free(void *message);
/* Append the packed message to out; message is any generated struct. */
void pb_pack(const void *message, struct buf *out);

/* A field for packing that borrows p. */
ProtobufCBinaryData pb_field(const void *p, size_t len);
/* A text for packing that borrows s up to its NUL. */
ProtobufCBinaryData pb_text(const char *s);

/* Copy a field that must have exactly len bytes; false when it has not. */
bool pb_take(const ProtobufCBinaryData *f, void *out, size_t len);
/* What to do with a text of size bytes or more. */
enum pb_long { PB_REFUSE, PB_CUT };
/*
 * Copy a text into out of size bytes, with a NUL.  False when it holds a NUL
 * or is no UTF-8, or is too long and may not be cut; a cut never splits a
 * character.
 */
bool pb_take_text(const ProtobufCBinaryData *f, char *out, size_t size,
    enum pb_long how);
/* Make text fit for sending: each byte that is no UTF-8 becomes "?". */
void pb_scrub(char *text);

#endif
