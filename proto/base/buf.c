/*
 * buf.c - growable buffers, bounded readers, and small allocations.
 */
#include "proto/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/base/err.h"

#define BUF_MAX ((size_t)1 << 30)

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
	b->err = 0;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

/* Room for len more and a NUL, or err set. */
static int
reserve(struct buf *b, size_t len)
{
	size_t max = b->max == 0 ? BUF_MAX : b->max;
	size_t cap = b->cap == 0 ? 64 : b->cap;
	char *p;

	if (b->err != 0)
		return b->err;
	if (len > max || b->len > max - len)
		return b->err = ERR_TOOBIG;
	while (cap < b->len + len + 1)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	if ((p = realloc(b->data, cap)) == NULL)
		return b->err = ERR_NOMEM;
	b->data = p;
	b->cap = cap;
	return 0;
}

void
buf_put(struct buf *b, const void *data, size_t len)
{
	if (reserve(b, len) < 0)
		return;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
buf_puts(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

void
buf_putc(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || reserve(b, (size_t)n) < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

static void
put_number(struct buf *b, uint64_t v, int bytes)
{
	uint8_t out[8];
	int i;

	for (i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	buf_put(b, out, (size_t)bytes);
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
	put_number(b, v, 1);
}

void
buf_put_u16(struct buf *b, uint16_t v)
{
	put_number(b, v, 2);
}

void
buf_put_u32(struct buf *b, uint32_t v)
{
	put_number(b, v, 4);
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	put_number(b, v, 8);
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = '\0';
}

char *
buf_steal(struct buf *b)
{
	char *p;

	if (b->data == NULL)
		reserve(b, 0);
	if (b->err != 0) {
		buf_fini(b);
		return NULL;
	}
	p = b->data;
	p[b->len] = '\0';
	b->data = NULL;
	b->len = b->cap = 0;
	return p;
}

struct bytes
bytes_of(const void *data, size_t len)
{
	return (struct bytes){ .p = data, .n = len };
}

const uint8_t *
bytes_take(struct bytes *b, size_t len)
{
	const uint8_t *p = b->p;

	if (b->err != 0 || len > b->n) {
		b->err = ERR_CORRUPT;
		return NULL;
	}
	b->p += len;
	b->n -= len;
	return p;
}

static uint64_t
take_number(struct bytes *b, size_t bytes)
{
	const uint8_t *p = bytes_take(b, bytes);
	uint64_t v = 0;
	size_t i;

	for (i = 0; p != NULL && i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
bytes_u8(struct bytes *b)
{
	return (uint8_t)take_number(b, 1);
}

uint16_t
bytes_u16(struct bytes *b)
{
	return (uint16_t)take_number(b, 2);
}

uint32_t
bytes_u32(struct bytes *b)
{
	return (uint32_t)take_number(b, 4);
}

uint64_t
bytes_u64(struct bytes *b)
{
	return take_number(b, 8);
}

static void *
or_end(void *p)
{
	if (p == NULL) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return p;
}

void *
xmalloc(size_t len)
{
	return or_end(malloc(len == 0 ? 1 : len));
}

void *
xcalloc(size_t n, size_t size)
{
	return or_end(calloc(n == 0 ? 1 : n, size));
}

void *
xcalloc_pages(size_t n, size_t size)
{
	const size_t line = 64, huge = (size_t)2 << 20;
	size_t unit = n * size < huge ? line : huge;
	size_t len = (n * size + unit - 1) / unit * unit;
	void *p = or_end(aligned_alloc(unit, len == 0 ? unit : len));

	if (unit == huge)
		madvise(p, len, MADV_HUGEPAGE);	/* may fail */
	return memset(p, 0, len);
}

char *
xstrdup(const char *text)
{
	return or_end(strdup(text));
}

void *
xgrow(void *array, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap;

	if (n <= want && array != NULL)
		return array;
	if (want == 0)
		want = 8;
	while (want < n)
		want *= 2;
	*cap = want;
	return or_end(reallocarray(array, want, size));
}
