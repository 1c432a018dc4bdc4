/*
 * front.c - connections of mail servers on the loop.
 *
 * A connection is in one of three states: reading, waiting (its answer stands
 * in `out` until a ticket is done) or writing.  Only when reading is the next
 * unit taken from its buffer.  A waiting connection is in a list in order
 * of tickets, which is also the order of time, so one timer serves all.
 */
#include "node/front.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "node/listen.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#define READ_CHUNK 16384
#define OUT_MAX (4 * 1024 * 1024)	/* bytes of one answer */

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
	struct buf in, out;
	void *state;				/* the protocol's */
	uint64_t ticket, waits_since_ms, read_at_ms;
	bool waiting, writing, eof, last, closing;
	uv_write_t write;
};

struct front {
	struct front_conf conf;
	uv_loop_t *loop;
	struct listen listen;
	uv_timer_t timer;
	bool has_timer, draining;
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
	*f->conf.connections = f->n;
	f->conf.protocol->close(c->state);
	buf_fini(&c->in);
	buf_fini(&c->out);
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
	buf_reset(&c->out);
	if (status < 0)
		end(c);
	else
		work(c);
}

/* Send the answer that stands in c->out, in one write where possible. */
static void
send_answer(struct conn *c)
{
	uv_buf_t b = uv_buf_init(c->out.data, (unsigned)c->out.len);
	int n;

	if (c->out.len == 0)
		return;
	n = uv_try_write(&c->u.stream, &b, 1);
	if (n == (int)c->out.len) {
		buf_reset(&c->out);
		return;
	}
	if (n < 0 && n != UV_EAGAIN) {
		end(c);
		return;
	}
	if (n > 0)
		b = uv_buf_init(c->out.data + n, (unsigned)c->out.len -
		    (unsigned)n);
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

/* Take one unit from the buffer; false when there is none to take. */
static bool
take_unit(struct conn *c)
{
	struct front *f = c->front;
	struct front_take t = { .data = c->in.data == NULL ? "" : c->in.data,
	    .len = c->in.len, .out = &c->out };
	struct diag why;
	int rc;

	t.late = f->conf.deadline_ms != 0 &&
	    clock_mono_ms() - c->read_at_ms > f->conf.deadline_ms;
	rc = f->conf.protocol->take(c->state, &t, &why);
	if (rc >= 0 && c->out.err != 0)
		rc = diag_set(&why, c->out.err, "an answer of more than %d "
		    "bytes", OUT_MAX);
	if (rc >= 0 || rc == ERR_AGAIN)
		buf_consume(&c->in, t.used);
	if (rc == ERR_AGAIN)
		return false;
	if (rc < 0) {
		f->conf.metrics->malformed++;
		if (may_say(&f->said_bad_ms))
			log_warning(f->conf.protocol->malformed,
			    F_S("reason", why.text));
		end(c);
		return false;
	}
	c->last = rc == FRONT_END;
	if (t.ticket != 0)
		start_waiting(c, t.ticket);
	else
		send_answer(c);
	return !c->last;
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

/* May a connection be closed while the node ends? */
static bool
is_idle(const struct conn *c)
{
	const struct front_protocol *p = c->front->conf.protocol;

	return c->in.len == 0 && (p->is_idle == NULL ||
	    p->is_idle(c->state));
}

/* Do what can be done: answer, read on, or close. */
static void
work(struct conn *c)
{
	while (!c->closing && !c->waiting && !c->writing && !c->last &&
	    take_unit(c))
		;
	if (c->closing)
		return;
	if (c->waiting || c->writing) {
		/* Bounds the buffer: what is not read stays with the peer.
		 * A peer that waits too sends nothing, and stopping for it
		 * would cost two system calls an answer. */
		if (c->in.len >= READ_CHUNK)
			uv_read_stop(&c->u.stream);
		return;
	}
	if (c->eof || c->last || (c->front->draining && is_idle(c)))
		end(c);
	else
		uv_read_start(&c->u.stream, on_alloc, on_read);
}

static void
on_refused(uv_handle_t *h)
{
	free(h->data);
}

/* Who connected; all of this host count as one mail server. */
static void
name_peer(struct conn *c, bool is_tcp, char out[FRONT_PEER_LEN])
{
	struct sockaddr_storage sa;
	int len = sizeof(sa);

	strcpy(out, "local");
	if (!is_tcp || uv_tcp_getpeername(&c->u.tcp, (struct sockaddr *)&sa,
	    &len) < 0)
		return;
	if (sa.ss_family == AF_INET6)
		uv_ip6_name((struct sockaddr_in6 *)&sa, out, FRONT_PEER_LEN);
	else
		uv_ip4_name((struct sockaddr_in *)&sa, out, FRONT_PEER_LEN);
	if (strncmp(out, "127.", 4) == 0 || strcmp(out, "::1") == 0)
		strcpy(out, "local");
}

static void
begin(struct front *f, struct conn *c, bool is_tcp)
{
	char peer[FRONT_PEER_LEN];

	if (is_tcp)
		uv_tcp_nodelay(&c->u.tcp, 1);
	name_peer(c, is_tcp, peer);
	c->state = f->conf.protocol->open(f->conf.arg, peer);
	/* One read beyond a whole unit may stand in the buffer. */
	buf_init(&c->in, f->conf.protocol->unit_max + READ_CHUNK);
	buf_init(&c->out, OUT_MAX);
	c->next = f->conns;
	if (c->next != NULL)
		c->next->prev = c;
	f->conns = c;
	*f->conf.connections = ++f->n;
	work(c);
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
			log_warning(f->conf.protocol->full,
			    F_U("connections", f->n));
		uv_close(&c->u.handle, on_refused);
		return;
	}
	begin(f, c, server->type == UV_TCP);
}

int
front_open(struct front **out, uv_loop_t *loop,
    const struct front_conf *conf, struct diag *why)
{
	struct front *f = xcalloc(1, sizeof(*f));

	f->conf = *conf;
	f->loop = loop;
	*out = f;
	uv_timer_init(loop, &f->timer);
	f->timer.data = f;
	f->has_timer = true;
	return listen_open(&f->listen, loop, conf->tcp, conf->unix_path,
	    on_connection, f, why);
}

const char *
front_tcp(const struct front *f)
{
	return f->listen.address;
}

unsigned
front_connections(const struct front *f)
{
	return f->n;
}

void
front_drain(struct front *f)
{
	struct conn *c, *next;

	f->draining = true;
	listen_close(&f->listen);
	for (c = f->conns; c != NULL; c = next) {
		next = c->next;
		work(c);
	}
}

void
front_stop(struct front *f)
{
	struct conn *c;

	listen_close(&f->listen);
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
