/*
 * buf.h - a growable byte buffer, and a reader that cannot run past the end.
 *
 * A buf has a limit; a put that would pass it, or an allocation that fails,
 * sets buf.err, keeps what was there, and makes each later put a no-op, so
 * that a chain of puts needs one check at its end.  The content is always
 * followed by a NUL that len does not count.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;		/* NULL while empty */
	size_t len, cap;
	size_t max;		/* limit in bytes; 0: 1 GiB */
	int err;		/* 0, ERR_TOOBIG or ERR_NOMEM; sticky */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);		/* frees; b may be used again */
void buf_reset(struct buf *b);		/* len = 0, err = 0; keeps memory */
void buf_put(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);	/* big-endian, as all here */
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
/* Drop the first n bytes (n <= len), moving the rest down. */
void buf_consume(struct buf *b, size_t n);
/*
 * Take the data out; the caller frees it with free().  NUL-terminated.
 * NULL when b.err is set; b is empty afterwards.
 */
char *buf_steal(struct buf *b);

/* Borrowed bytes; the reader's functions move p forward. */
struct bytes {
	const uint8_t *p;
	size_t n;		/* bytes left */
	int err;		/* ERR_CORRUPT once a read ran short; sticky */
};

/* A reader over len bytes, which must outlive it. */
struct bytes bytes_of(const void *data, size_t len);
uint8_t bytes_u8(struct bytes *b);	/* 0 when short, as all below */
uint16_t bytes_u16(struct bytes *b);
uint32_t bytes_u32(struct bytes *b);
uint64_t bytes_u64(struct bytes *b);
/* The next len bytes, or NULL when short. */
const uint8_t *bytes_take(struct bytes *b, size_t len);

/* malloc/calloc/strdup that end the process when memory is out: for
 * fixed-size allocations only, never for a size from outside. */
void *xmalloc(size_t len);
void *xcalloc(size_t n, size_t size);
/* Zeroed, at the start of a cache line; from 2 MB on in huge pages, where the
 * kernel has some: what is looked into here and there needs few of them. */
void *xcalloc_pages(size_t n, size_t size);
char *xstrdup(const char *text);
/* Grow *array to hold at least n of size bytes; doubles.  Same rule. */
void *xgrow(void *array, size_t *cap, size_t n, size_t size);

#endif
