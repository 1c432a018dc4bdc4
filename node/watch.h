/*
 * watch.h - descriptors of connections, watched by an epoll of their own
 * that is one descriptor of the loop.
 *
 * libuv watches by level: it hears of each descriptor once more after it was
 * read, to find nothing.  Here events are edges, and a connection that is not
 * read for a while costs no call to be left alone and to be taken up again.
 * What is done with a descriptor is its owner's: read it until it gives less
 * than was asked for, or until it says EAGAIN.
 */
#ifndef NODE_WATCH_H
#define NODE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <uv.h>

#include "proto/base/diag.h"

/* epoll's events have come for what was added with this pointer. */
typedef void (*watch_event_fn)(void *arg, void *what, uint32_t events);
/* All that had come is done. */
typedef void (*watch_done_fn)(void *arg);

struct watch {
	uv_poll_t poll;
	int fd;
	bool is_open;
	uint64_t now_ms;	/* when the events came, by clock.h */
	watch_event_fn on_event;
	watch_done_fn on_done;
	void *arg;
};

/* Of epoll(7); a listening socket is watched by level, EPOLLIN alone. */
#define WATCH_READ (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define WATCH_WRITE (WATCH_READ | EPOLLOUT)

/* 0 or ERR_IO.  w must stay where it is until the loop has closed it. */
int watch_open(struct watch *w, uv_loop_t *loop, watch_event_fn on_event,
    watch_done_fn on_done, void *arg, struct diag *why);
/* Stop; the loop must run once more. */
void watch_close(struct watch *w);

/* Watch fd.  Closing it ends that, but what came for it before may still be
 * told until on_done: what must live until then.  0 or ERR_IO. */
int watch_add(struct watch *w, int fd, void *what, uint32_t events);
/* Other events from now on; what is so already is told again. */
void watch_change(struct watch *w, int fd, void *what, uint32_t events);

#endif
