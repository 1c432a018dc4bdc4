/*
 * policy_front.c - connections of mail servers on the loop.
 *
 * A connection is in one of three states: reading, waiting (its answer stands
 * in `out` until a ticket is done) or writing.  Only when reading is the next
 * request taken from its buffer.  A waiting connection is in a list in order
 * of tickets, which is also the order of time, so one timer serves all.
 */
#include "node/policy_front.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#define BACKLOG 511
#define READ_CHUNK 16384

struct conn {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} u;
	struct front *front;
	struct conn *prev, *next;		/* all */
	struct conn *wait_prev, *wait_next;	/* waiting */
	struct buf in;
	struct policy_parser parser;
	uint64_t ticket, waits_since_ms, read_at_ms;
	bool waiting, writing, eof, closing;
	uv_write_t write;
	char out[POLICY_REPLY_MAX];
	size_t out_len;
};

struct front {
	struct front_conf conf;
	uv_loop_t *loop;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
	uv_timer_t timer;
	bool has_tcp, has_pipe, has_timer, draining;
	char address[64];
	struct conn *conns;
	struct conn *wait_first, *wait_last;
	unsigned n;
	uint64_t said_full_ms, said_bad_ms;
};

static void work(struct conn *c);

/* At most one line of a kind every ten seconds. */
static bool
may_say(uint64_t *last_ms)
{
	uint64_t now = clock_mono_ms();

	if (*last_ms != 0 && now - *last_ms < 10000)
		return false;
	*last_ms = now;
	return true;
}

static void
stop_waiting(struct conn *c)
{
	struct front *f = c->front;

	if (!c->waiting)
		return;
	c->waiting = false;
	*(c->wait_prev != NULL ? &c->wait_prev->wait_next :
	    &f->wait_first) = c->wait_next;
	*(c->wait_next != NULL ? &c->wait_next->wait_prev :
	    &f->wait_last) = c->wait_prev;
	c->wait_prev = c->wait_next = NULL;
}

static void
on_closed(uv_handle_t *h)
{
	struct conn *c = h->data;
	struct front *f = c->front;

	*(c->prev != NULL ? &c->prev->next : &f->conns) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	f->n--;
	f->conf.metrics->connections = f->n;
	buf_fini(&c->in);
	free(c);
}

static void
end(struct conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	stop_waiting(c);
	uv_close(&c->u.handle, on_closed);
}

static void
on_written(uv_write_t *w, int status)
{
	struct conn *c = w->data;

	c->writing = false;
	if (c->closing)
		return;
	if (status < 0)
		end(c);
	else
		work(c);
}

/* Send the answer that stands in c->out, in one write where possible. */
static void
send_answer(struct conn *c)
{
	uv_buf_t b = uv_buf_init(c->out, (unsigned)c->out_len);
	int n = uv_try_write(&c->u.stream, &b, 1);

	if (n == (int)c->out_len)
		return;
	if (n < 0 && n != UV_EAGAIN) {
		end(c);
		return;
	}
	if (n > 0)
		b = uv_buf_init(c->out + n, (unsigned)c->out_len - (unsigned)n);
	c->write.data = c;
	c->writing = true;
	if (uv_write(&c->write, &c->u.stream, &b, 1, on_written) < 0) {
		c->writing = false;
		end(c);
	}
}

static void
on_timer(uv_timer_t *t)
{
	struct front *f = t->data;
	uint64_t now = clock_mono_ms();

	while (f->wait_first != NULL &&
	    now - f->wait_first->waits_since_ms >= FRONT_WAIT_MS) {
		struct conn *c = f->wait_first;

		stop_waiting(c);
		f->conf.metrics->late++;
		send_answer(c);
		work(c);
	}
	if (f->wait_first != NULL)
		uv_timer_start(t, on_timer, FRONT_WAIT_MS - (now -
		    f->wait_first->waits_since_ms) + 1, 0);
}

static void
start_waiting(struct conn *c, uint64_t ticket)
{
	struct front *f = c->front;

	c->waiting = true;
	c->ticket = ticket;
	c->waits_since_ms = clock_mono_ms();
	c->wait_prev = f->wait_last;
	*(f->wait_last != NULL ? &f->wait_last->wait_next :
	    &f->wait_first) = c;
	f->wait_last = c;
	if (!uv_is_active((uv_handle_t *)&f->timer))
		uv_timer_start(&f->timer, on_timer, FRONT_WAIT_MS, 0);
}

void
front_release(struct front *f, uint64_t done)
{
	while (f->wait_first != NULL && f->wait_first->ticket <= done) {
		struct conn *c = f->wait_first;

		stop_waiting(c);
		send_answer(c);
		work(c);
	}
}

/* Take one request from the buffer; false when there is none to take. */
static bool
take_request(struct conn *c)
{
	struct front *f = c->front;
	char action[POLICY_REPLY_MAX];
	struct policy_request q;
	struct diag why = { "" };
	uint64_t ticket;
	size_t used;
	bool late;
	int rc = policy_request_parse(&c->parser, c->in.data == NULL ? "" :
	    c->in.data, c->in.len, &q, &used, &why);

	if (rc == ERR_AGAIN)
		return false;
	if (rc < 0) {
		f->conf.metrics->malformed++;
		if (may_say(&f->said_bad_ms))
			log_warning("policy.malformed",
			    F_S("reason", why.text));
		end(c);
		return false;
	}
	late = f->conf.deadline_ms != 0 &&
	    clock_mono_ms() - c->read_at_ms > f->conf.deadline_ms;
	ticket = f->conf.fn(f->conf.arg, &q, late, action);
	c->out_len = policy_reply_format(c->out, action);
	buf_consume(&c->in, used);
	c->parser = (struct policy_parser){ 0 };
	if (ticket != 0)
		start_waiting(c, ticket);
	else
		send_answer(c);
	return true;
}

static void
on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
	struct conn *c = h->data;
	static _Thread_local char chunk[READ_CHUNK];

	(void)c;
	(void)hint;
	*out = uv_buf_init(chunk, sizeof(chunk));
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = s->data;

	if (n == 0)
		return;
	if (n < 0) {
		uv_read_stop(s);
		c->eof = true;
		if (n != UV_EOF)
			end(c);
		else
			work(c);
		return;
	}
	buf_put(&c->in, b->base, (size_t)n);
	if (c->in.err != 0) {
		end(c);
		return;
	}
	c->read_at_ms = clock_mono_ms();
	work(c);
}

/* Do what can be done: answer, read on, or close. */
static void
work(struct conn *c)
{
	while (!c->closing && !c->waiting && !c->writing && take_request(c))
		;
	if (c->closing)
		return;
	if (c->waiting || c->writing) {
		/* Bounds the buffer: what is not read stays with the peer. */
		uv_read_stop(&c->u.stream);
		return;
	}
	if (c->eof || (c->front->draining && c->in.len == 0))
		end(c);
	else
		uv_read_start(&c->u.stream, on_alloc, on_read);
}

static void
on_refused(uv_handle_t *h)
{
	free(h->data);
}

static void
on_connection(uv_stream_t *server, int status)
{
	struct front *f = server->data;
	struct conn *c;
	int rc;

	if (status < 0)
		return;
	c = xcalloc(1, sizeof(*c));
	rc = server->type == UV_TCP ? uv_tcp_init(f->loop, &c->u.tcp) :
	    uv_pipe_init(f->loop, &c->u.pipe, 0);
	if (rc < 0) {
		free(c);
		return;
	}
	c->u.handle.data = c;
	c->front = f;
	if (uv_accept(server, &c->u.stream) < 0 ||
	    f->n >= f->conf.max_connections) {
		f->conf.metrics->refused_connections++;
		if (may_say(&f->said_full_ms))
			log_warning("policy.full",
			    F_U("connections", f->n));
		uv_close(&c->u.handle, on_refused);
		return;
	}
	if (server->type == UV_TCP)
		uv_tcp_nodelay(&c->u.tcp, 1);
	/* One read beyond a whole request may stand in the buffer. */
	buf_init(&c->in, POLICY_REQUEST_MAX + READ_CHUNK);
	c->next = f->conns;
	if (c->next != NULL)
		c->next->prev = c;
	f->conns = c;
	f->conf.metrics->connections = ++f->n;
	work(c);
}

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
remember_address(struct front *f)
{
	struct sockaddr_storage sa;
	int len = sizeof(sa);
	char host[64] = "";

	uv_tcp_getsockname(&f->tcp, (struct sockaddr *)&sa, &len);
	if (sa.ss_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;

		uv_ip6_name(in6, host, sizeof(host) - 20);
		snprintf(f->address, sizeof(f->address), "[%.46s]:%u", host,
		    ntohs(in6->sin6_port));
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&sa;

		uv_ip4_name(in, host, sizeof(host) - 20);
		snprintf(f->address, sizeof(f->address), "%.46s:%u", host,
		    ntohs(in->sin_port));
	}
}

static int
listen_tcp(struct front *f, struct diag *why)
{
	struct sockaddr_storage sa;
	int rc;

	memset(&sa, 0, sizeof(sa));
	if ((rc = parse_address(f->conf.tcp, &sa, why)) < 0)
		return rc;
	if ((rc = uv_tcp_init(f->loop, &f->tcp)) == 0) {
		f->has_tcp = true;
		f->tcp.data = f;
		rc = uv_tcp_bind(&f->tcp, (struct sockaddr *)&sa, 0);
	}
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&f->tcp, BACKLOG,
		    on_connection);
	if (rc < 0)
		return diag_set(why, rc == UV_EADDRINUSE ? ERR_BUSY : ERR_IO,
		    "cannot listen on %s: %s", f->conf.tcp, uv_strerror(rc));
	remember_address(f);
	return 0;
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
listen_unix(struct front *f, struct diag *why)
{
	int rc;

	if ((rc = clear_path(f->conf.unix_path, why)) < 0)
		return rc;
	if ((rc = uv_pipe_init(f->loop, &f->pipe, 0)) == 0) {
		f->has_pipe = true;
		f->pipe.data = f;
		rc = uv_pipe_bind(&f->pipe, f->conf.unix_path);
	}
	if (rc == 0)
		rc = uv_pipe_chmod(&f->pipe, UV_READABLE | UV_WRITABLE);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&f->pipe, BACKLOG,
		    on_connection);
	if (rc < 0)
		return diag_set(why, ERR_IO, "cannot listen on %s: %s",
		    f->conf.unix_path, uv_strerror(rc));
	return 0;
}

int
front_open(struct front **out, uv_loop_t *loop,
    const struct front_conf *conf, struct diag *why)
{
	struct front *f = xcalloc(1, sizeof(*f));
	int rc = 0;

	f->conf = *conf;
	f->loop = loop;
	*out = f;
	uv_timer_init(loop, &f->timer);
	f->timer.data = f;
	f->has_timer = true;
	if (conf->tcp != NULL && conf->tcp[0] != '\0')
		rc = listen_tcp(f, why);
	if (rc == 0 && conf->unix_path != NULL && conf->unix_path[0] != '\0')
		rc = listen_unix(f, why);
	return rc;
}

const char *
front_tcp(const struct front *f)
{
	return f->address;
}

unsigned
front_connections(const struct front *f)
{
	return f->n;
}

static void
close_listeners(struct front *f)
{
	if (f->has_tcp)
		uv_close((uv_handle_t *)&f->tcp, NULL);
	if (f->has_pipe)
		uv_close((uv_handle_t *)&f->pipe, NULL);
	f->has_tcp = f->has_pipe = false;
}

void
front_drain(struct front *f)
{
	struct conn *c, *next;

	f->draining = true;
	close_listeners(f);
	for (c = f->conns; c != NULL; c = next) {
		next = c->next;
		work(c);
	}
}

void
front_stop(struct front *f)
{
	struct conn *c;

	close_listeners(f);
	for (c = f->conns; c != NULL; c = c->next)
		end(c);
	if (f->has_timer)
		uv_close((uv_handle_t *)&f->timer, NULL);
	f->has_timer = false;
}

void
front_free(struct front **f)
{
	free(*f);
	*f = NULL;
}
