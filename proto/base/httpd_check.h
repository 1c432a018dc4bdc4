/*
 * httpd_check.h - which HTTP requests are refused by their head alone.
 *
 * Strict where two programs may read the same bytes in two ways.  For
 * httpd.c; no state, no I/O.
 */
#ifndef BASE_HTTPD_CHECK_H
#define BASE_HTTPD_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTPD_HEAD_MAX ((size_t)16 << 10)

/* The headers that may stand there once at most, in this order: Host,
 * Content-Length, Transfer-Encoding, Authorization, Content-Type. */
#define HTTPD_SINGLES 5

struct httpd_head {
	unsigned seen[HTTPD_SINGLES];
	uint64_t body_len;	/* of Content-Length, or 0 */
	size_t len;		/* bytes of the whole head */
	bool bad;		/* breaks a rule */
};

/* May this stand in the request line, as it was sent?  It begins with "/",
 * has no control byte, and each "%" is a whole escape but "%00". */
bool httpd_is_target(const char *raw);

/* Add a header, in any case; val may be NULL for an empty one.  Both are
 * NUL-terminated at their len. */
void httpd_head_add(struct httpd_head *head, const char *name,
    size_t name_len, const char *val, size_t val_len);

/*
 * 0 when the request may go on, or the status to refuse it with: 400, 413
 * (a body over max_body), 431, 501 or 505.  path is the decoded one.
 */
int httpd_head_status(const struct httpd_head *head, const char *path,
    const char *method, const char *version, size_t max_body);

#endif
