/*
 * front_fixture.h - a front over real sockets, with a protocol of lines, and
 * its clients.
 */
#ifndef TESTS_FRONT_FIXTURE_H
#define TESTS_FRONT_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/front.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "tests/lib/wait.h"

#define PATIENCE_MS WAIT_MS
#define BIG 3000000		/* bytes of an answer */
#define LINE_MAX_LEN 20000

struct room {
	char dir[64], path[100], peer[FRONT_PEER_LEN];
	uv_loop_t loop;
	struct front *front;
	struct front_conf conf;
	struct metrics m;
	uint64_t tickets;
	unsigned opened, closed, takes;
	size_t silent;
};

/*
 * Each line is answered with itself, but: "wait" waits for a ticket first,
 * "big" is answered with BIG bytes, "slow" takes 30 ms, "quit" ends, "bad" is
 * malformed, what begins with "#" gets no answer; when late, the answer is
 * "late".
 */

/* Busy, as a disk that does not answer keeps the loop. */
static inline void
pass_time(uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end)
		continue;
}

static inline void *
lines_open(void *arg, const char *peer)
{
	struct room *r = arg;

	r->opened++;
	strcpy(r->peer, peer);
	return r;
}

static inline void
lines_close(void *conn)
{
	struct room *r = conn;

	r->closed++;
}

static inline int
lines_take(void *conn, struct front_take *t, struct diag *why)
{
	struct room *r = conn;
	const char *nl = memchr(t->data, '\n', t->len);
	size_t len = nl == NULL ? 0 : (size_t)(nl - t->data);
	static char big[BIG];

	r->takes++;
	if (nl == NULL)
		return t->len < LINE_MAX_LEN ? ERR_AGAIN :
		    diag_set(why, ERR_TOOBIG, "too long");
	t->used = len + 1;
	if (t->late) {
		buf_puts(t->out, "late\n");
		return 0;
	}
	if (t->data[0] == '#') {
		r->silent++;
		return 0;
	}
	if (strncmp(t->data, "bad\n", 4) == 0)
		return diag_set(why, ERR_INVAL, "bad");
	if (strncmp(t->data, "big\n", 4) == 0) {
		memset(big, 'b', BIG - 1);
		big[BIG - 1] = '\n';
		buf_put(t->out, big, BIG);
		return 0;
	}
	if (strncmp(t->data, "slow\n", 5) == 0)
		pass_time(30);
	if (strncmp(t->data, "wait", 4) == 0)
		t->ticket = ++r->tickets;
	buf_put(t->out, t->data, len + 1);
	return strncmp(t->data, "quit\n", 5) == 0 ? FRONT_END : 0;
}

static const struct front_protocol lines = {
	.malformed = "test.malformed", .full = "test.full",
	.unit_max = LINE_MAX_LEN, .open = lines_open, .close = lines_close,
	.take = lines_take,
};

/* Answers that wait do so for wait_ms at most; 0: as usual. */
static inline struct room *
open_room_waiting(unsigned max, uint64_t deadline_ms, uint64_t wait_ms)
{
	struct room *r = xcalloc(1, sizeof(*r));
	struct diag why = { "" };

	snprintf(r->dir, sizeof(r->dir), "%s/postern-front-XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%.60s/front", r->dir);
	r->conf = (struct front_conf){ .tcp = "127.0.0.1:0",
	    .unix_path = r->path, .max_connections = max,
	    .deadline_ms = deadline_ms, .wait_ms = wait_ms,
	    .protocol = &lines, .arg = r, .metrics = &r->m,
	    .connections = &r->m.connections };
	uv_loop_init(&r->loop);
	if (front_open(&r->front, &r->loop, &r->conf, &why) < 0)
		fail_msg("%s", why.text);
	return r;
}

/* However busy this machine is, no answer goes out for having waited. */
static inline struct room *
open_room(unsigned max, uint64_t deadline_ms)
{
	return open_room_waiting(max, deadline_ms, 2 * WAIT_MS);
}

static inline void
close_room(struct room *r)
{
	front_stop(r->front);
	assert_int_equal(r->m.connections, 0);
	assert_int_equal(r->opened, r->closed);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	front_free(&r->front);
	assert_int_equal(access(r->path, F_OK), -1);
	assert_int_equal(rmdir(r->dir), 0);
	free(r);
}

/* --- clients -------------------------------------------------------------- */

static inline int
dial(const struct room *r)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);

	memcpy(sa.sun_path, r->path, sizeof(r->path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static inline int
dial_tcp(const struct room *r)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)atoi(strchr(front_tcp(r->front),
	    ':') + 1)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static inline void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
	    strlen(text));
}

/* Let the front do all that it can. */
static inline void
turn(struct room *r)
{
	int i;

	for (i = 0; i < 20; i++)
		uv_run(&r->loop, UV_RUN_NOWAIT);
}

/* What comes within the patience, until it is want or the end ("."). */
static inline void
hear(struct room *r, int fd, const char *want)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;
	bool to_end = want[strlen(want) - 1] == '.';
	size_t want_len = strlen(want) - to_end, n = 0;
	char got[4096];
	ssize_t k = -1;

	while (n < want_len || (to_end && k != 0)) {
		uv_run(&r->loop, UV_RUN_NOWAIT);
		k = recv(fd, got + n, sizeof(got) - 1 - n, MSG_DONTWAIT);
		n += k > 0 ? (size_t)k : 0;
		if (k == 0 && !to_end)
			fail_msg("closed after \"%.*s\"", (int)n, got);
		if (k == 0 || (k < 0 && errno != EAGAIN))
			break;
		if (clock_mono_ms() > end)
			fail_msg("no more than \"%.*s\"", (int)n, got);
	}
	got[n] = '\0';
	assert_int_equal(n, want_len);
	assert_memory_equal(got, want, want_len);
}

/* Nothing comes, and it is not closed. */
static inline void
hear_nothing(struct room *r, int fd)
{
	char c;

	turn(r);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

#endif
