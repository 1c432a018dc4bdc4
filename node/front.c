/*
 * front.c - connections of mail servers on the loop.
 *
 * A connection is in one of three states: reading, waiting (its answer stands
 * in `out` until a ticket is done) or writing.  Only when reading is the next
 * unit taken from its bytes.  A waiting connection is in a list in order of
 * tickets, which is also the order of time, so one timer serves all.
 *
 * Bytes are read into one chunk of the front and taken from there; what is
 * left of them, mostly nothing, goes into the connection's own buffer.  Edges
 * tell that there is something to read (watch.h): until a read gives less
 * than was asked for, `readable` keeps that in mind.  Answers to requests that
 * came together go out together.
 */
#include "node/front.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/listen.h"
#include "node/watch.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#define READ_CHUNK 16384
#define READS_MAX 8	/* of one connection before others have their turn */
#define ACCEPTS_MAX 64	/* as many at once */
#define READY_MAX 16	/* answers that are sent in one go */
#define OUT_MAX (4 * 1024 * 1024)	/* bytes of one answer */

_Static_assert(LISTEN_PEER_LEN == FRONT_PEER_LEN, "one name of a peer");

struct conn {
	struct front *front;
	void *state;			/* the protocol's */
	const char *fresh;		/* in the chunk, not yet taken */
	size_t fresh_len;
	struct buf in, out;		/* in comes before fresh */
	size_t sent;			/* of out */
	int fd;
	bool readable;		/* a read may give something */
	bool hung_up;		/* read to the end, there is no other edge */
	bool just_read;		/* and nothing taken since */
	bool waiting, writing, eof, last, closing;
	bool unsent;		/* an answer in out may go */
	uint64_t read_at_ms;
	uint64_t ticket, waits_since_ms;
	struct conn *prev, *next;		/* all; or dead */
	struct conn *wait_prev, *wait_next;	/* waiting */
	struct conn *next_ready;		/* in ready */
	bool in_ready;
};

struct front {
	struct front_conf conf;
	struct listen listen;
	struct watch watch;
	uv_timer_t timer;
	bool has_timer, draining;
	struct conn *conns, *dead;
	struct conn *wait_first, *wait_last;
	struct conn *ready, **ready_end;	/* have an answer to send */
	unsigned ready_n;
	unsigned n;
	uint64_t said_full_ms, said_bad_ms;
	char chunk[READ_CHUNK];
};

static void work(struct conn *c);
static void on_done(void *arg);

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

/* Events of it may be on their way: its memory stays until reap(). */
static void
end(struct conn *c)
{
	struct front *f = c->front;

	if (c->closing)
		return;
	c->closing = true;
	stop_waiting(c);
	close(c->fd);
	*(c->prev != NULL ? &c->prev->next : &f->conns) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->next = f->dead;
	f->dead = c;
	f->n--;
	*f->conf.connections = f->n;
}

static void
reap(struct front *f)
{
	struct conn *c;

	while ((c = f->dead) != NULL) {
		f->dead = c->next;
		f->conf.protocol->close(c->state);
		buf_fini(&c->in);
		buf_fini(&c->out);
		free(c);
	}
}

/* Send what is left of c->out; false when it has to wait, or has ended. */
static bool
send_rest(struct conn *c)
{
	ssize_t n;

	while (c->sent < c->out.len) {
		n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				end(c);
			return false;
		}
		c->sent += (size_t)n;
	}
	buf_reset(&c->out);
	c->sent = 0;
	return true;
}

/* Send the answer that stands in c->out, in one write where possible. */
static void
send_answer(struct conn *c)
{
	c->unsent = false;
	if (c->out.len == 0 || send_rest(c) || c->closing)
		return;
	c->writing = true;
	watch_change(&c->front->watch, c->fd, c, WATCH_WRITE);
}

static void
send_ready(struct front *f)
{
	struct conn *c;

	while ((c = f->ready) != NULL) {
		f->ready = c->next_ready;
		c->in_ready = false;
		if (!c->closing && c->unsent)
			send_answer(c);
	}
	f->ready_end = &f->ready;
	f->ready_n = 0;
}

/*
 * Send it with those of the others whose requests came with it: a mail server
 * that was asleep is woken once, not for each.
 */
static void
send_soon(struct conn *c)
{
	struct front *f = c->front;

	if (c->in_ready)
		return;
	c->in_ready = true;
	c->next_ready = NULL;
	*f->ready_end = c;
	f->ready_end = &c->next_ready;
	if (++f->ready_n >= READY_MAX)
		send_ready(f);
}

static void
on_writable(struct conn *c)
{
	if (!send_rest(c))
		return;
	c->writing = false;
	watch_change(&c->front->watch, c->fd, c, WATCH_READ);
}

static void
on_timer(uv_timer_t *t)
{
	struct front *f = t->data;
	uint64_t now = f->watch.now_ms = clock_mono_ms();

	while (f->wait_first != NULL &&
	    now - f->wait_first->waits_since_ms >= f->conf.wait_ms) {
		struct conn *c = f->wait_first;

		stop_waiting(c);
		f->conf.metrics->late++;
		send_answer(c);
		work(c);
	}
	if (f->wait_first != NULL)
		uv_timer_start(t, on_timer, f->conf.wait_ms - (now -
		    f->wait_first->waits_since_ms) + 1, 0);
	on_done(f);
}

static void
start_waiting(struct conn *c, uint64_t ticket)
{
	struct front *f = c->front;

	c->waiting = true;
	c->ticket = ticket;
	c->waits_since_ms = f->watch.now_ms;	/* when its bytes came */
	c->wait_prev = f->wait_last;
	*(f->wait_last != NULL ? &f->wait_last->wait_next :
	    &f->wait_first) = c;
	f->wait_last = c;
	if (!uv_is_active((uv_handle_t *)&f->timer))
		uv_timer_start(&f->timer, on_timer, f->conf.wait_ms, 0);
}

void
front_release(struct front *f, uint64_t done)
{
	if (f->wait_first == NULL)
		return;
	f->watch.now_ms = clock_mono_ms();
	while (f->wait_first != NULL && f->wait_first->ticket <= done) {
		struct conn *c = f->wait_first;

		stop_waiting(c);
		send_answer(c);
		work(c);
	}
	on_done(f);
}

static bool
is_busy(const struct conn *c)
{
	return c->waiting || c->writing;
}

static bool
has_bytes(const struct conn *c)
{
	return c->in.len > 0 || c->fresh_len > 0;
}

/* The bytes that were taken are done with. */
static void
consume(struct conn *c, size_t n)
{
	if (c->in.len > 0)
		buf_consume(&c->in, n);
	else {
		c->fresh += n;
		c->fresh_len -= n;
	}
	c->just_read = false;
}

/* Take one unit from the bytes; false when there is none to take. */
static bool
take_unit(struct conn *c)
{
	struct front *f = c->front;
	struct front_take t = { .data = c->fresh_len == 0 ? "" : c->fresh,
	    .len = c->fresh_len, .out = &c->out };
	struct diag why __attribute__((uninitialized));
	int rc;

	if (c->in.len > 0) {
		t.data = c->in.data;
		t.len = c->in.len;
	}
	t.late = !c->just_read && f->conf.deadline_ms != 0 &&
	    clock_mono_ms() - c->read_at_ms > f->conf.deadline_ms;
	rc = f->conf.protocol->take(c->state, &t, &why);
	if (rc >= 0 && c->out.err != 0)
		rc = diag_set(&why, c->out.err, "an answer of more than %d "
		    "bytes", OUT_MAX);
	if (rc >= 0 || rc == ERR_AGAIN)
		consume(c, t.used);
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
		c->unsent = c->out.len > 0;
	return !c->last;
}

/* Keep what was not taken from the chunk, which the next read needs. */
static void
keep_fresh(struct conn *c)
{
	if (c->fresh_len > 0)
		buf_put(&c->in, c->fresh, c->fresh_len);
	c->fresh_len = 0;
	if (c->in.err != 0)
		end(c);
}

static void
read_chunk(struct conn *c)
{
	char *chunk = c->front->chunk;
	ssize_t n;

	do
		n = recv(c->fd, chunk, READ_CHUNK, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	/* What may still come after a short read comes with an edge, except
	 * the end that was told with this one. */
	c->readable = n == READ_CHUNK || (n > 0 && c->hung_up);
	if (n == 0)
		c->eof = true;
	if (n < 0 && errno != EAGAIN)
		end(c);
	if (n <= 0)
		return;
	if (c->in.len > 0)
		buf_put(&c->in, chunk, (size_t)n);
	else {
		c->fresh = chunk;
		c->fresh_len = (size_t)n;
	}
	c->just_read = !is_busy(c);
	c->read_at_ms = c->front->watch.now_ms;
}

/* May a connection be closed while the node ends? */
static bool
is_idle(const struct conn *c)
{
	const struct front_protocol *p = c->front->conf.protocol;

	return c->in.len == 0 && (p->is_idle == NULL ||
	    p->is_idle(c->state));
}

/* Send what is left, and close once that is done. */
static void
finish(struct conn *c)
{
	if (c->unsent)
		send_answer(c);
	if (!c->writing)
		end(c);
}

/* Do what can be done: answer, read on, or close. */
static void
work(struct conn *c)
{
	int reads = 0;

	for (;;) {
		while (!c->closing && !is_busy(c) && !c->last &&
		    has_bytes(c) && take_unit(c)) {
			if (c->unsent && has_bytes(c))
				send_answer(c);
		}
		if (c->closing)
			return;
		keep_fresh(c);
		if (c->closing)
			return;
		/* Bounds the buffer: what is not read stays with the peer. */
		if (is_busy(c) && c->in.len >= READ_CHUNK)
			return;
		if (!is_busy(c) && (c->eof || c->last ||
		    (c->front->draining && is_idle(c)))) {
			finish(c);
			return;
		}
		if (!c->readable || c->eof) {
			if (c->unsent)
				send_soon(c);
			return;
		}
		if (c->unsent)
			send_answer(c);
		if (c->closing)
			return;
		if (reads++ == READS_MAX) {
			/* told again with the next events */
			watch_change(&c->front->watch, c->fd, c,
			    c->writing ? WATCH_WRITE : WATCH_READ);
			return;
		}
		read_chunk(c);
	}
}

static void
begin(struct front *f, int fd, const char *peer)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->front = f;
	c->fd = fd;
	if (watch_add(&f->watch, fd, c, WATCH_READ) < 0) {
		close(fd);
		free(c);
		return;
	}
	c->state = f->conf.protocol->open(f->conf.arg, peer);
	/* One read beyond a whole unit may stand in the buffer. */
	buf_init(&c->in, f->conf.protocol->unit_max + READ_CHUNK);
	buf_init(&c->out, OUT_MAX);
	c->next = f->conns;
	if (c->next != NULL)
		c->next->prev = c;
	f->conns = c;
	*f->conf.connections = ++f->n;
}

static void
accept_some(struct front *f, int i)
{
	char peer[FRONT_PEER_LEN];
	int n, fd;

	for (n = 0; n < ACCEPTS_MAX; n++) {
		fd = listen_accept(&f->listen, i, peer);
		if (fd < 0)
			return;
		if (f->n < f->conf.max_connections) {
			begin(f, fd, peer);
			continue;
		}
		f->conf.metrics->refused_connections++;
		if (may_say(&f->said_full_ms))
			log_warning(f->conf.protocol->full,
			    F_U("connections", f->n));
		close(fd);
	}
}

static void
on_event(void *arg, void *what, uint32_t events)
{
	struct front *f = arg;
	struct conn *c = what;
	int i;

	for (i = 0; i < LISTEN_N; i++) {
		if (what == &f->listen.fd[i]) {
			accept_some(f, i);
			return;
		}
	}
	if (c->closing)
		return;
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		c->readable = true;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		c->hung_up = true;
	if (c->writing && (events & EPOLLOUT) != 0)
		on_writable(c);
	work(c);
}

static void
on_done(void *arg)
{
	struct front *f = arg;

	send_ready(f);
	reap(f);
}

int
front_open(struct front **out, uv_loop_t *loop,
    const struct front_conf *conf, struct diag *why)
{
	struct front *f = xcalloc(1, sizeof(*f));
	int i, rc;

	f->conf = *conf;
	f->ready_end = &f->ready;
	if (f->conf.wait_ms == 0)
		f->conf.wait_ms = FRONT_WAIT_MS;
	*out = f;
	uv_timer_init(loop, &f->timer);
	f->timer.data = f;
	f->has_timer = true;
	rc = listen_open(&f->listen, conf->tcp, conf->unix_path, why);
	if (rc == 0)
		rc = watch_open(&f->watch, loop, on_event, on_done, f, why);
	for (i = 0; i < LISTEN_N && rc == 0; i++) {
		if (f->listen.fd[i] >= 0 && watch_add(&f->watch,
		    f->listen.fd[i], &f->listen.fd[i], EPOLLIN) < 0)
			rc = diag_set(why, ERR_IO, "cannot watch a listening "
			    "socket");
	}
	return rc;
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
	f->watch.now_ms = clock_mono_ms();
	listen_close(&f->listen);
	for (c = f->conns; c != NULL; c = next) {
		next = c->next;
		work(c);
	}
	on_done(f);
}

void
front_stop(struct front *f)
{
	listen_close(&f->listen);
	while (f->conns != NULL)
		end(f->conns);
	on_done(f);
	watch_close(&f->watch);
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
