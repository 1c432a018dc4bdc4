/*
 * listen.c - addresses as text, sockets that a dead process left, and who
 * connects.
 */
#include "node/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "proto/base/err.h"

#define BACKLOG 511

/* "127.0.0.1:10031" or "[::1]:10031" into an address. */
static int
parse_address(const char *text, struct sockaddr_storage *out,
    struct diag *why)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	char *rest;
	long port;
	size_t len;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		goto bad;
	len = (size_t)(colon - text);
	memcpy(host, text, len);
	host[len] = '\0';
	port = strtol(colon + 1, &rest, 10);
	if (colon[1] == '\0' || *rest != '\0' || port < 0 || port > 65535)
		goto bad;
	if (host[0] == '[' && len > 2 && host[len - 1] == ']') {
		host[len - 1] = '\0';
		if (uv_ip6_addr(host + 1, (int)port,
		    (struct sockaddr_in6 *)out) == 0)
			return 0;
	} else if (uv_ip4_addr(host, (int)port,
	    (struct sockaddr_in *)out) == 0)
		return 0;
bad:
	return diag_set(why, ERR_INVAL, "\"%s\" is no address such as "
	    "127.0.0.1:10031", text);
}

static void
format_address(const struct sockaddr_storage *sa, char host[64], int *port)
{
	if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, 64);
		*port = ntohs(in6->sin6_port);
	} else {
		const struct sockaddr_in *in = (const void *)sa;

		inet_ntop(AF_INET, &in->sin_addr, host, 64);
		*port = ntohs(in->sin_port);
	}
}

static void
remember_address(struct listen *l)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char host[64] = "";
	int port = 0;

	getsockname(l->fd[0], (struct sockaddr *)&sa, &len);
	format_address(&sa, host, &port);
	snprintf(l->address, sizeof(l->address), sa.ss_family == AF_INET6 ?
	    "[%.46s]:%d" : "%.46s:%d", host, port);
}

/* Remove a socket that a dead process left; ERR_BUSY when one answers. */
static int
clear_path(const char *path, struct diag *why)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, rc;

	if (strlen(path) >= sizeof(sa.sun_path))
		return diag_set(why, ERR_INVAL, "%s: too long for a socket",
		    path);
	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return diag_set(why, ERR_BUSY, "%s is there and is no socket",
		    path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		return diag_set(why, ERR_BUSY, "%s: another process answers "
		    "there", path);
	unlink(path);
	return 0;
}

static int
open_socket(int *fd, const struct sockaddr *sa, socklen_t len,
    const char *name, struct diag *why)
{
	int one = 1;

	*fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	if (*fd >= 0 && sa->sa_family != AF_UNIX)
		setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (*fd < 0 || bind(*fd, sa, len) < 0 || listen(*fd, BACKLOG) < 0)
		return diag_set(why, errno == EADDRINUSE ? ERR_BUSY : ERR_IO,
		    "cannot listen on %s: %s", name, strerror(errno));
	return 0;
}

static int
open_tcp(struct listen *l, const char *tcp, struct diag *why)
{
	struct sockaddr_storage sa;
	int rc;

	memset(&sa, 0, sizeof(sa));
	if ((rc = parse_address(tcp, &sa, why)) < 0 ||
	    (rc = open_socket(&l->fd[0], (struct sockaddr *)&sa,
	    sa.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
	    sizeof(struct sockaddr_in), tcp, why)) < 0)
		return rc;
	remember_address(l);
	return 0;
}

static int
open_unix(struct listen *l, const char *path, struct diag *why)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int rc;

	if ((rc = clear_path(path, why)) < 0)
		return rc;
	strcpy(sa.sun_path, path);
	if ((rc = open_socket(&l->fd[1], (struct sockaddr *)&sa, sizeof(sa),
	    path, why)) < 0)
		return rc;
	strcpy(l->path, path);
	if (chmod(path, 0666) < 0)
		return diag_set(why, ERR_IO, "cannot listen on %s: %s", path,
		    strerror(errno));
	return 0;
}

static int
open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int
listen_open(struct listen *l, const char *tcp, const char *unix_path,
    struct diag *why)
{
	int rc = 0;

	memset(l, 0, sizeof(*l));
	l->fd[0] = l->fd[1] = -1;
	l->spare = open_spare();
	if (tcp != NULL && tcp[0] != '\0')
		rc = open_tcp(l, tcp, why);
	if (rc == 0 && unix_path != NULL && unix_path[0] != '\0')
		rc = open_unix(l, unix_path, why);
	return rc;
}

/* All of this host count as one mail server. */
static void
name_peer(const struct sockaddr_storage *sa, char peer[LISTEN_PEER_LEN])
{
	int port;

	strcpy(peer, "local");
	if (sa->ss_family != AF_INET && sa->ss_family != AF_INET6)
		return;
	format_address(sa, peer, &port);
	if (strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0)
		strcpy(peer, "local");
}

int
listen_accept(struct listen *l, int i, char peer[LISTEN_PEER_LEN])
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int one = 1, fd;

	memset(&sa, 0, sizeof(sa));
	fd = accept4(l->fd[i], (struct sockaddr *)&sa, &len, SOCK_NONBLOCK |
	    SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && l->spare >= 0) {
		close(l->spare);
		fd = accept4(l->fd[i], NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
		l->spare = open_spare();
		return ERR_AGAIN;
	}
	if (fd < 0)
		return ERR_AGAIN;
	if (i == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	name_peer(&sa, peer);
	return fd;
}

void
listen_close(struct listen *l)
{
	int i;

	for (i = 0; i < LISTEN_N; i++) {
		if (l->fd[i] >= 0)
			close(l->fd[i]);
		l->fd[i] = -1;
	}
	if (l->spare >= 0)
		close(l->spare);
	l->spare = -1;
	if (l->path[0] != '\0')
		unlink(l->path);
	l->path[0] = '\0';
}
