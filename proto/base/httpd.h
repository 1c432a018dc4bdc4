/*
 * httpd.h - a small strict HTTP/1.1 server over libmicrohttpd.
 *
 * Every response closes its connection, so a smuggled second request is never
 * read.  Refused before the handler sees them: duplicate Host, Content-Length,
 * Transfer-Encoding, Authorization or Content-Type, Content-Length with
 * Transfer-Encoding, a coding other than chunked, a missing Host, a "%00" or
 * a control byte in the path (400), an unknown method (501), headers over
 * 16 KiB (431), a body over the limit (413); without a reply, a request not
 * whole within the deadline (the connection is cut) and connections from one
 * address beyond the allowed.  The handler runs on the server's one thread.
 * The body of a refusal, and of every 500, is from here, in the form of the
 * API's errors: {"error":{"code":"too_large","message":"..."}}; code is usage,
 * too_large or internal, and the message to a large body has both sizes.
 */
#ifndef BASE_HTTPD_H
#define BASE_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

struct httpd;

struct httpd_request {
	const char *method;	/* GET POST PUT PATCH DELETE; HEAD comes as
				 * GET, and its reply goes without body */
	const char *path;	/* decoded, begins with "/", no query */
	const char *authorization;	/* header, or NULL */
	const char *content_type;	/* header, or NULL */
	const char *peer;	/* client address as text */
	const char *body;	/* NUL-terminated; "" when none */
	size_t body_len;
	const void *impl;	/* for httpd_query() and httpd_header() */
};

struct httpd_reply {
	int status;		/* 200 unless set */
	const char *type;	/* "application/json" unless set; borrowed */
	struct buf body;	/* made by httpd, filled by the handler */
	const char *allow;	/* for 405: "GET, POST"; borrowed */
	bool www_authenticate;	/* for 401: adds "WWW-Authenticate: Bearer" */
};

/* A query parameter, decoded, or NULL.  Borrowed for the request. */
const char *httpd_query(const struct httpd_request *r, const char *name);
const char *httpd_header(const struct httpd_request *r, const char *name);

typedef void (*httpd_fn)(void *arg, const struct httpd_request *req,
    struct httpd_reply *reply);

struct httpd_conf {
	const char *address;	/* "127.0.0.1:8025"; port 0 takes a free one */
	const char *tls_cert, *tls_key;	/* PEM files, or NULL: then address
					 * must be loopback */
	size_t max_body;
	uint64_t deadline_ms;	/* from the connection to the last byte of the
				 * request; then again to that of the reply */
	unsigned max_conns, max_conns_per_ip;
};

/* Starts the server thread.  0, ERR_BUSY (in use), ERR_INVAL, ERR_IO, or for
 * the PEM files what file_read() and file_read_secret() say. */
int httpd_start(struct httpd **out, const struct httpd_conf *conf,
    httpd_fn fn, void *arg, struct diag *why);
/* Waits for the request in hand; no handler runs afterwards. */
void httpd_stop(struct httpd **h);
/* "http://127.0.0.1:8025" or https. */
const char *httpd_url(const struct httpd *h);

#endif
