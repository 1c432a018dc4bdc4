/*
 * pb.c - protobuf-c with a capped allocator, and its fields checked.
 *
 * The cap counts what was ever asked for, freed or not: unpacking frees
 * little before its end, and a sum needs no table of sizes.
 */
#include "proto/wire/pb.h"

#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "proto/base/err.h"

/* What malloc adds to a small allocation, for the sum. */
#define MALLOC_HEAD 16

static void *
capped_alloc(void *arg, size_t size)
{
	size_t *left = arg;

	if (size > *left || *left - size < MALLOC_HEAD) {
		*left = 0;
		return NULL;
	}
	*left -= size + MALLOC_HEAD;
	return malloc(size == 0 ? 1 : size);
}

static void
capped_free(void *arg, void *p)
{
	(void)arg;
	free(p);
}

void *
pb_unpack(const ProtobufCMessageDescriptor *d, struct bytes in, size_t max,
    struct diag *why)
{
	size_t left = PB_MEMORY_MAX;
	ProtobufCAllocator a = { capped_alloc, capped_free, &left };
	static const uint8_t nothing[1];
	void *m;

	if (in.n > max) {
		diag_set(why, ERR_CORRUPT, "%s: %zu bytes where %zu are the "
		    "limit", d->short_name, in.n, max);
		return NULL;
	}
	m = protobuf_c_message_unpack(d, &a, in.n,
	    in.p == NULL ? nothing : in.p);
	if (m == NULL)
		diag_set(why, ERR_CORRUPT, "%s: %s", d->short_name,
		    left == 0 ? "takes too much memory" : "malformed");
	return m;
}

void
pb_free(void *message)
{
	/* capped_alloc() is malloc(), so the library's own free() fits */
	if (message != NULL)
		protobuf_c_message_free_unpacked(message, NULL);
}

struct sink {
	ProtobufCBuffer base;	/* first: the library hands this back */
	struct buf *out;
};

static void
append(ProtobufCBuffer *base, size_t len, const uint8_t *data)
{
	buf_put(((struct sink *)base)->out, data, len);
}

void
pb_pack(const void *message, struct buf *out)
{
	struct sink s = { .base.append = append, .out = out };

	protobuf_c_message_pack_to_buffer(message, &s.base);
}

ProtobufCBinaryData
pb_field(const void *p, size_t len)
{
	/* the library's struct has no const; packing only reads */
	ProtobufCBinaryData f = { .len = len, .data = (uint8_t *)p };

	return f;
}

ProtobufCBinaryData
pb_text(const char *s)
{
	return pb_field(s, strlen(s));
}

bool
pb_take(const ProtobufCBinaryData *f, void *out, size_t len)
{
	if (f->len != len)
		return false;
	memcpy(out, f->data, len);
	return true;
}

bool
pb_take_text(const ProtobufCBinaryData *f, char *out, size_t size,
    enum pb_long how)
{
	size_t len = f->len;

	out[0] = '\0';
	if (len == 0)
		return true;
	if (memchr(f->data, '\0', len) != NULL ||
	    u8_check(f->data, len) != NULL || (len >= size && how != PB_CUT))
		return false;
	if (len >= size)
		for (len = size - 1; len > 0 &&
		    (f->data[len] & 0xc0) == 0x80; len--)
			;
	memcpy(out, f->data, len);
	out[len] = '\0';
	return true;
}

void
pb_scrub(char *text)
{
	uint8_t *p = (uint8_t *)text, *end = p + strlen(text);
	const uint8_t *bad;

	while ((bad = u8_check(p, (size_t)(end - p))) != NULL) {
		p += bad - p;
		*p++ = '?';
	}
}
