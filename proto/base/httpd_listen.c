/*
 * httpd_listen.c - the address an HTTP server listens on.
 */
#include "proto/base/httpd_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/err.h"

#define BACKLOG 256

/* Cut text, a copy, into host and port; false when it is not one. */
static bool
split(char *text, const char **host, const char **port)
{
	char *colon = strrchr(text, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);

	if (len == 0 || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    colon[1] == '\0' || strlen(colon + 1) > 5 ||
	    atoi(colon + 1) > 65535)
		return false;
	*colon = '\0';
	*port = colon + 1;
	*host = text;
	if (text[0] == '[' && text[len - 1] == ']') {
		text[len - 1] = '\0';
		*host = text + 1;
		return strchr(*host, ':') != NULL;
	}
	if (strcmp(text, "localhost") == 0)
		*host = "127.0.0.1";
	return strchr(text, ':') == NULL;
}

int
httpd_resolve(const char *text, union httpd_address *out, struct diag *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *ai;
	char copy[HTTPD_ADDRESS_LEN];
	const char *host, *port;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy) ||
	    !split(copy, &host, &port) ||
	    getaddrinfo(host, port, &hints, &ai) != 0)
		return diag_set(why, ERR_INVAL, "\"%s\" is not an address "
		    "with a port, such as 127.0.0.1:8025 or [::1]:8025",
		    text);
	memset(out, 0, sizeof(*out));
	memcpy(out, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	return 0;
}

bool
httpd_is_loopback(const union httpd_address *at)
{
	if (at->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&at->v6.sin6_addr);
	return ntohl(at->v4.sin_addr.s_addr) >> 24 == 127;
}

static socklen_t
length(const union httpd_address *at)
{
	return at->sa.sa_family == AF_INET6 ? sizeof(at->v6) : sizeof(at->v4);
}

static bool
bind_to(int fd, union httpd_address *at)
{
	socklen_t len = length(at);
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (at->sa.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, &on, sizeof(on)) < 0))
		return false;
	return bind(fd, &at->sa, len) == 0 && listen(fd, BACKLOG) == 0 &&
	    getsockname(fd, &at->sa, &len) == 0;
}

int
httpd_listen(union httpd_address *at, int *fd, struct diag *why)
{
	char text[HTTPD_ADDRESS_LEN];
	int saved;

	*fd = socket(at->sa.sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd >= 0 && bind_to(*fd, at))
		return 0;
	saved = errno;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	httpd_address_text(at, text);
	return diag_set(why, saved == EADDRINUSE ? ERR_BUSY :
	    saved == EADDRNOTAVAIL ? ERR_INVAL : ERR_IO,
	    "cannot listen on %s: %s", text, strerror(saved));
}

void
httpd_address_text(const union httpd_address *at,
    char out[HTTPD_ADDRESS_LEN])
{
	char host[INET6_ADDRSTRLEN];
	bool v6 = at->sa.sa_family == AF_INET6;

	inet_ntop(at->sa.sa_family, v6 ? (const void *)&at->v6.sin6_addr :
	    (const void *)&at->v4.sin_addr, host, sizeof(host));
	snprintf(out, HTTPD_ADDRESS_LEN, v6 ? "[%s]:%u" : "%s:%u", host,
	    (unsigned)ntohs(v6 ? at->v6.sin6_port : at->v4.sin_port));
}
