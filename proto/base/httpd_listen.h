/*
 * httpd_listen.h - the address an HTTP server listens on, for httpd.c.
 */
#ifndef BASE_HTTPD_LISTEN_H
#define BASE_HTTPD_LISTEN_H

#include <netinet/in.h>
#include <stdbool.h>

#include "proto/base/diag.h"

#define HTTPD_ADDRESS_LEN 64

union httpd_address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Read "127.0.0.1:8025", "[::1]:8025" or "localhost:8025", without DNS.
 * 0 or ERR_INVAL. */
int httpd_resolve(const char *text, union httpd_address *out,
    struct diag *why);

/* Does nobody but this machine reach it? */
bool httpd_is_loopback(const union httpd_address *at);

/*
 * Listen there; *at then holds the port taken, and *fd a descriptor that
 * the caller closes, not blocking.  0, ERR_BUSY, ERR_INVAL (not an address
 * of this machine), ERR_IO.
 */
int httpd_listen(union httpd_address *at, int *fd, struct diag *why);

/* Write at as httpd_resolve() reads it. */
void httpd_address_text(const union httpd_address *at,
    char out[HTTPD_ADDRESS_LEN]);

#endif
