/*
 * listen.c - addresses as text, sockets that a dead process left, and the
 * two handles.
 */
#include "node/listen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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
remember_address(struct listen *l)
{
	struct sockaddr_storage sa;
	int len = sizeof(sa);
	char host[64] = "";

	uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&sa, &len);
	if (sa.ss_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;

		uv_ip6_name(in6, host, sizeof(host) - 20);
		snprintf(l->address, sizeof(l->address), "[%.46s]:%u", host,
		    ntohs(in6->sin6_port));
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&sa;

		uv_ip4_name(in, host, sizeof(host) - 20);
		snprintf(l->address, sizeof(l->address), "%.46s:%u", host,
		    ntohs(in->sin_port));
	}
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
open_tcp(struct listen *l, uv_loop_t *loop, const char *tcp,
    uv_connection_cb on_connection, void *data, struct diag *why)
{
	struct sockaddr_storage sa;
	int rc;

	memset(&sa, 0, sizeof(sa));
	if ((rc = parse_address(tcp, &sa, why)) < 0)
		return rc;
	if ((rc = uv_tcp_init(loop, &l->tcp)) == 0) {
		l->has_tcp = true;
		l->tcp.data = data;
		rc = uv_tcp_bind(&l->tcp, (struct sockaddr *)&sa, 0);
	}
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&l->tcp, BACKLOG,
		    on_connection);
	if (rc < 0)
		return diag_set(why, rc == UV_EADDRINUSE ? ERR_BUSY : ERR_IO,
		    "cannot listen on %s: %s", tcp, uv_strerror(rc));
	remember_address(l);
	return 0;
}

static int
open_unix(struct listen *l, uv_loop_t *loop, const char *path,
    uv_connection_cb on_connection, void *data, struct diag *why)
{
	int rc;

	if ((rc = clear_path(path, why)) < 0)
		return rc;
	if ((rc = uv_pipe_init(loop, &l->pipe, 0)) == 0) {
		l->has_pipe = true;
		l->pipe.data = data;
		rc = uv_pipe_bind(&l->pipe, path);
	}
	if (rc == 0)
		rc = uv_pipe_chmod(&l->pipe, UV_READABLE | UV_WRITABLE);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&l->pipe, BACKLOG,
		    on_connection);
	if (rc < 0)
		return diag_set(why, ERR_IO, "cannot listen on %s: %s",
		    path, uv_strerror(rc));
	return 0;
}

int
listen_open(struct listen *l, uv_loop_t *loop, const char *tcp,
    const char *unix_path, uv_connection_cb on_connection, void *data,
    struct diag *why)
{
	int rc = 0;

	memset(l, 0, sizeof(*l));
	if (tcp != NULL && tcp[0] != '\0')
		rc = open_tcp(l, loop, tcp, on_connection, data, why);
	if (rc == 0 && unix_path != NULL && unix_path[0] != '\0')
		rc = open_unix(l, loop, unix_path, on_connection, data, why);
	return rc;
}

void
listen_close(struct listen *l)
{
	if (l->has_tcp)
		uv_close((uv_handle_t *)&l->tcp, NULL);
	if (l->has_pipe)
		uv_close((uv_handle_t *)&l->pipe, NULL);
	l->has_tcp = l->has_pipe = false;
}
