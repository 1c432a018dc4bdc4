/*
 * watch.c - an epoll in the loop.
 *
 * Under load there is mostly more by the time a batch is done.  It is asked
 * for at once, without a turn of the whole loop, a bounded number of times.
 */
#include "node/watch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"

#define BATCH 128
#define BATCHES_MAX 4		/* a turn of the loop */
#define WORTH_ASKING 4		/* events; of fewer the next ones are waited
				 * for in the loop */

static void
on_poll(uv_poll_t *p, int status, int events)
{
	struct watch *w = p->data;
	struct epoll_event ev[BATCH] __attribute__((uninitialized));
	int i, n, turn;

	(void)status;
	(void)events;
	for (turn = 0; turn < BATCHES_MAX; turn++) {
		n = epoll_wait(w->fd, ev, BATCH, 0);
		w->now_ms = clock_mono_ms();
		for (i = 0; i < n; i++)
			w->on_event(w->arg, ev[i].data.ptr, ev[i].events);
		w->on_done(w->arg);
		if (n < WORTH_ASKING || !w->is_open)
			break;
	}
}

int
watch_open(struct watch *w, uv_loop_t *loop, watch_event_fn on_event,
    watch_done_fn on_done, void *arg, struct diag *why)
{
	int rc;

	w->on_event = on_event;
	w->on_done = on_done;
	w->arg = arg;
	w->fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->fd < 0)
		return diag_set(why, ERR_IO, "epoll: %s", strerror(errno));
	rc = uv_poll_init(loop, &w->poll, w->fd);
	if (rc < 0) {
		close(w->fd);
		return diag_set(why, ERR_IO, "epoll: %s", uv_strerror(rc));
	}
	w->is_open = true;
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, on_poll);
	return 0;
}

static void
on_closed(uv_handle_t *h)
{
	struct watch *w = h->data;

	close(w->fd);
}

void
watch_close(struct watch *w)
{
	if (!w->is_open)
		return;
	w->is_open = false;
	uv_close((uv_handle_t *)&w->poll, on_closed);
}

int
watch_add(struct watch *w, int fd, void *what, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = what };

	return epoll_ctl(w->fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? ERR_IO : 0;
}

void
watch_change(struct watch *w, int fd, void *what, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = what };

	epoll_ctl(w->fd, EPOLL_CTL_MOD, fd, &ev);
}
