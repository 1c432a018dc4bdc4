/*
 * health.c - three pages over httpd, and a small client for one of them.
 */
#include "node/health.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "proto/base/err.h"
#include "proto/base/httpd.h"

struct health {
	struct httpd *httpd;
	struct metrics *m;
	struct spool *spool;
};

static void
put_metrics(struct health *h, struct buf *out)
{
	metrics_text(h->m, out);
	metrics_one(out, "postern_spool_events", "gauge",
	    "Durable events not yet with the controller.",
	    spool_events(h->spool));
	metrics_one(out, "postern_spool_bytes", "gauge",
	    "Bytes of the spool's segments.", spool_bytes(h->spool));
	buf_printf(out, "# HELP postern_spool_fill_ratio Of the room for "
	    "events, in use.\n# TYPE postern_spool_fill_ratio gauge\n"
	    "postern_spool_fill_ratio %.3f\n",
	    (double)spool_fill(h->spool) / 1000);
	metrics_one(out, "postern_events_lost_total", "counter",
	    "Events that could not be stored, since the folder was made.",
	    spool_lost(h->spool));
}

static void
put_ready(struct health *h, struct httpd_reply *reply)
{
	uint64_t version = h->m->version;

	if (version == 0) {
		reply->status = 503;
		buf_puts(&reply->body, "{\"ready\":false,\"reason\":"
		    "\"no policy version is enforced yet\"}\n");
		return;
	}
	buf_printf(&reply->body, "{\"ready\":true,\"version\":%llu,"
	    "\"stale\":%s}\n", (unsigned long long)version,
	    h->m->stale != 0 ? "true" : "false");
}

static void
answer(void *arg, const struct httpd_request *req, struct httpd_reply *reply)
{
	struct health *h = arg;

	if (strcmp(req->method, "GET") != 0 &&
	    strcmp(req->method, "HEAD") != 0) {
		reply->status = 405;
		reply->allow = "GET, HEAD";
	} else if (strcmp(req->path, "/livez") == 0)
		buf_puts(&reply->body, "{\"alive\":true}\n");
	else if (strcmp(req->path, "/readyz") == 0)
		put_ready(h, reply);
	else if (strcmp(req->path, "/metrics") == 0) {
		reply->type = "text/plain; version=0.0.4";
		put_metrics(h, &reply->body);
	} else {
		reply->status = 404;
		buf_puts(&reply->body, "{\"error\":\"no such page\"}\n");
	}
}

int
health_start(struct health **out, const char *address, struct metrics *m,
    struct spool *spool, struct diag *why)
{
	struct httpd_conf conf = { .address = address, .max_body = 1024,
	    .deadline_ms = 5000, .max_conns = 100, .max_conns_per_ip = 50 };
	struct health *h = xcalloc(1, sizeof(*h));
	int rc;

	h->m = m;
	h->spool = spool;
	rc = httpd_start(&h->httpd, &conf, answer, h, why);
	if (rc < 0)
		free(h);
	else
		*out = h;
	return rc;
}

void
health_stop(struct health **h)
{
	if (*h == NULL)
		return;
	httpd_stop(&(*h)->httpd);
	free(*h);
	*h = NULL;
}

const char *
health_url(const struct health *h)
{
	return httpd_url(h->httpd);
}

/* Split "http://host:port[/...]" ("[::1]" too). */
static int
split_url(const char *url, char host[128], char port[8])
{
	int n = 0;

	if (sscanf(url, "http://[%127[0-9a-fA-F:]]:%7[0-9]%n", host, port,
	    &n) == 2 && n > 0)
		return 0;
	n = 0;
	return sscanf(url, "http://%127[^:/]:%7[0-9]%n", host, port,
	    &n) == 2 && n > 0 ? 0 : ERR_INVAL;
}

static int
dial(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	struct timeval limit = { .tv_sec = 5 };
	int fd;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -1;
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
		    sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
		    sizeof(limit));
		if (connect(fd, list->ai_addr, list->ai_addrlen) < 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

int
health_ask(const char *url, struct diag *why)
{
	static const char ask[] = "GET /readyz HTTP/1.1\r\n"
	    "Host: localhost\r\nConnection: close\r\n\r\n";
	char host[128], port[8], got[1024];
	size_t len = 0;
	ssize_t n;
	int fd, status = 0;

	if (split_url(url, host, port) < 0)
		return diag_set(why, ERR_INVAL, "\"%s\" is no URL such as "
		    "http://127.0.0.1:9100", url);
	if ((fd = dial(host, port)) < 0)
		return diag_set(why, ERR_UNREACH, "%s: %s", url,
		    strerror(errno));
	if (send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) ==
	    (ssize_t)sizeof(ask) - 1) {
		while (len < sizeof(got) - 1 && (n = recv(fd, got + len,
		    sizeof(got) - 1 - len, 0)) > 0)
			len += (size_t)n;
	}
	close(fd);
	got[len] = '\0';
	if (sscanf(got, "HTTP/1.%*1[01] %3d", &status) != 1)
		return diag_set(why, ERR_UNREACH, "%s: no answer", url);
	return status == 200 ? 0 : diag_set(why, ERR_AGAIN, "not ready: "
	    "status %d", status);
}
