/*
 * null.c - an epoll loop, and a thread that syncs.
 */
#include "bench/null.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/net.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

#define EVENTS 256
#define REQUEST_MAX 4096
#define EVENT_LEN 300

static const char pass[] = "action=DUNNO\n\n";
static const char refuse[] = "action=550 5.7.1 Administrative prohibition - "
    "envelope blocked [0123456789]\n\n";

struct null_conn {
	int fd;
	size_t len;
	char text[REQUEST_MAX];
};

/* Descriptors whose answers wait for the disk. */
struct waiting { int *fd; size_t n, cap; };

struct null {
	int epoll, listener, signals;
	bool durable, ended;
	int file, done;			/* done: an eventfd */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct waiting round;		/* asked in this round of the loop */
	struct waiting in, out;		/* asked; synced */
};

static void
push(struct waiting *w, int fd)
{
	w->fd = xgrow(w->fd, &w->cap, w->n + 1, sizeof(*w->fd));
	w->fd[w->n++] = fd;
}

static void
answer(int fd, const char *text, size_t len)
{
	/* An answer always fits; a peer that went away is seen when read. */
	if (write(fd, text, len) < 0)
		return;
}

/* Append and sync what waits, as long as there is something. */
static void *
sync_thread(void *arg)
{
	struct null *s = arg;
	struct waiting mine = { NULL, 0, 0 };
	uint64_t one = 1;
	size_t i, cap = 0;
	char *zeros = NULL;

	pthread_mutex_lock(&s->lock);
	while (!s->ended) {
		struct waiting swap = mine;

		if (s->in.n == 0) {
			pthread_cond_wait(&s->more, &s->lock);
			continue;
		}
		mine = s->in;
		swap.n = 0;
		s->in = swap;
		pthread_mutex_unlock(&s->lock);
		if (mine.n > cap) {
			free(zeros);
			zeros = xcalloc(cap = 2 * mine.n, EVENT_LEN);
		}
		if (write(s->file, zeros, mine.n * EVENT_LEN) < 0 ||
		    fdatasync(s->file) < 0)
			abort();
		pthread_mutex_lock(&s->lock);
		for (i = 0; i < mine.n; i++)
			push(&s->out, mine.fd[i]);
		if (write(s->done, &one, sizeof(one)) < 0)
			abort();
	}
	pthread_mutex_unlock(&s->lock);
	free(mine.fd);
	free(zeros);
	return NULL;
}

static void
release(struct null *s)
{
	uint64_t n;
	size_t i;

	if (read(s->done, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->out.n; i++)
		answer(s->out.fd[i], refuse, sizeof(refuse) - 1);
	s->out.n = 0;
	pthread_mutex_unlock(&s->lock);
}

static void
answer_request(struct null *s, struct null_conn *c)
{
	if (!s->durable || memmem(c->text, c->len, "\nsender=hit.", 12) ==
	    NULL) {
		answer(c->fd, pass, sizeof(pass) - 1);
		return;
	}
	push(&s->round, c->fd);
}

/* What this round asked goes to the disk in one group. */
static void
hand_over(struct null *s)
{
	size_t i;

	if (s->round.n == 0)
		return;
	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->round.n; i++)
		push(&s->in, s->round.fd[i]);
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->more);
	s->round.n = 0;
}

static void
on_readable(struct null *s, struct null_conn *c)
{
	ssize_t n = read(c->fd, c->text + c->len, sizeof(c->text) - c->len);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || c->len + (size_t)n == sizeof(c->text)) {
		close(c->fd);
		free(c);
		return;
	}
	c->len += (size_t)n;
	if (c->len < 2 || memcmp(c->text + c->len - 2, "\n\n", 2) != 0)
		return;
	answer_request(s, c);
	c->len = 0;
}

static void
accept_all(struct null *s)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct null_conn *c;
	int fd, one = 1;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK |
	    SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c = xcalloc(1, sizeof(*c));
		c->fd = fd;
		ev.data.ptr = c;
		epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev);
	}
}

static void
serve(struct null *s)
{
	struct epoll_event ev[EVENTS];
	int i, n;

	for (;;) {
		n = epoll_wait(s->epoll, ev, EVENTS, -1);
		for (i = 0; i < n; i++) {
			if (ev[i].data.ptr == &s->signals)
				return;
			if (ev[i].data.ptr == &s->listener)
				accept_all(s);
			else if (ev[i].data.ptr == &s->done)
				release(s);
			else
				on_readable(s, ev[i].data.ptr);
		}
		hand_over(s);
	}
}

static void
watch(struct null *s, int *fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = fd };

	epoll_ctl(s->epoll, EPOLL_CTL_ADD, *fd, &ev);
}

static void
end_thread(struct null *s)
{
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
}

int
null_serve(const char *address, const char *durable, struct diag *why)
{
	struct null s = { .durable = durable != NULL, .file = -1 };
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (s.durable && (s.file = open(durable, O_WRONLY | O_CREAT |
	    O_APPEND | O_CLOEXEC, 0600)) < 0)
		return diag_set(why, err_from_errno(errno), "%s: %s", durable,
		    strerror(errno));
	if ((s.listener = net_listen(address, why)) < 0)
		return s.listener;
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	s.done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s.signals = signalfd(-1, &stop, SFD_CLOEXEC);
	watch(&s, &s.listener);
	watch(&s, &s.done);
	watch(&s, &s.signals);
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.more, NULL);
	if (s.durable)
		pthread_create(&s.thread, NULL, sync_thread, &s);
	serve(&s);
	if (s.durable)
		end_thread(&s);
	return 0;
}
