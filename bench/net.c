/*
 * net.c - Unix and TCP sockets.
 */
#include "bench/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/err.h"

#define BACKLOG 4096

/* The socket address of a text and a fresh socket for it. */
static int
resolve(const char *text, struct sockaddr_storage *sa, socklen_t *len,
    struct diag *why)
{
	struct sockaddr_un *un = (struct sockaddr_un *)sa;
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	const char *colon = strrchr(text, ':');
	char host[256];

	memset(sa, 0, sizeof(*sa));
	if (strncmp(text, "unix:", 5) == 0) {
		if (strlen(text + 5) >= sizeof(un->sun_path))
			return diag_set(why, ERR_INVAL, "%s is too long",
			    text);
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, text + 5);
		*len = sizeof(*un);
		return 0;
	}
	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		return diag_set(why, ERR_INVAL, "\"%s\" is neither unix:PATH "
		    "nor HOST:PORT", text);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (getaddrinfo(host, colon + 1, &hint, &found) != 0)
		return diag_set(why, ERR_INVAL, "no address %s", text);
	memcpy(sa, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

int
net_connect(const char *address, int nonblock, struct diag *why)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, one = 1, rc;

	if ((rc = resolve(address, &sa, &len, why)) < 0)
		return rc;
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, len) < 0) {
		rc = diag_set(why, ERR_UNREACH, "%s: %s", address,
		    strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	if (sa.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (nonblock)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

int
net_listen(const char *address, struct diag *why)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, one = 1, rc;

	if ((rc = resolve(address, &sa, &len, why)) < 0)
		return rc;
	if (sa.ss_family == AF_UNIX)
		unlink(((struct sockaddr_un *)&sa)->sun_path);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		rc = diag_set(why, ERR_BUSY, "%s: %s", address,
		    strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	return fd;
}
