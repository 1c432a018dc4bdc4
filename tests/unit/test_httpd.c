/*
 * test_httpd.c - the HTTP server, from raw sockets: what it refuses, what it
 * cuts, and what a handler sees.
 */
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "proto/base/httpd.h"
#include "tests/lib/wait.h"

#define MAX_BODY 1000
#define DEADLINE_MS 1000
#define PER_IP 20
#define REPLY_LEN 8192
#define BIG_REPLY ((size_t)32 << 20)
#define GET "GET /a HTTP/1.1\r\nHost: x\r\n"
#define POST "POST /a HTTP/1.1\r\nHost: x\r\n"
#define N(a) (sizeof(a) / sizeof(*(a)))

struct fixture { struct httpd *h; _Atomic int calls; };

static void
handler(void *arg, const struct httpd_request *r, struct httpd_reply *reply)
{
	struct fixture *f = arg;
	const char *q = httpd_query(r, "q"), *x = httpd_header(r, "X-Test");

	f->calls++;
	if (strcmp(r->path, "/500") == 0) {
		reply->status = 500;
		buf_puts(&reply->body, "the secret inside");
	} else if (strcmp(r->path, "/401") == 0) {
		reply->status = 401;
		reply->www_authenticate = true;
	} else if (strcmp(r->path, "/405") == 0) {
		reply->status = 405;
		reply->allow = "GET, POST";
	} else if (strcmp(r->path, "/big") == 0) {
		char *big = calloc(1, BIG_REPLY);

		buf_put(&reply->body, big, BIG_REPLY);
		free(big);
	} else {
		buf_printf(&reply->body, "[%s|%s|%s|%s|%s|%s|%s|%s|%zu]",
		    r->method, r->path, q ? q : "-", x ? x : "-",
		    r->authorization ? r->authorization : "-",
		    r->content_type ? r->content_type : "-", r->peer,
		    r->body, r->body_len);
	}
}

static int
start(void **state, uint64_t deadline_ms)
{
	struct httpd_conf conf = { .address = "127.0.0.1:0",
		.max_body = MAX_BODY, .deadline_ms = deadline_ms,
		.max_conns = 100, .max_conns_per_ip = PER_IP };
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return httpd_start(&f->h, &conf, handler, f, NULL);
}

static int
setup(void **state)
{
	return start(state, DEADLINE_MS);
}

/* Nobody is cut for being slow. */
static int
setup_patient(void **state)
{
	return start(state, 2 * WAIT_MS);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	httpd_stop(&f->h);
	assert_null(f->h);
	free(f);
	return 0;
}

static int
dial(const struct fixture *f)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_port = htons((uint16_t)atoi(strrchr(httpd_url(f->h), ':') + 1));
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

static void
say(int fd, const char *data, size_t len)
{
	(void)!send(fd, data, len, MSG_NOSIGNAL);
}

/* All that comes until the server closes; fails when it does not. */
static void
hear(int fd, char out[REPLY_LEN])
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < REPLY_LEN - 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		n = recv(fd, out + len, REPLY_LEN - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	out[len] = '\0';
	close(fd);
}

static void
ask_len(const struct fixture *f, const char *data, size_t len,
    char out[REPLY_LEN])
{
	int fd = dial(f);

	say(fd, data, len);
	hear(fd, out);
}

static void
ask(const struct fixture *f, const char *request, char out[REPLY_LEN])
{
	ask_len(f, request, strlen(request), out);
}

static int
status(const char *reply)
{
	return strncmp(reply, "HTTP/1.1 ", 9) == 0 ? atoi(reply + 9) : 0;
}

static void
request_with_all_parts_reaches_the_handler(void **state)
{
	static const struct { const char *in, *want; } cases[] = {
		{ GET "\r\n", "[GET|/a|-|-|-|-|127.0.0.1||0]" },
		{ "GET /a%20b?p=1&q=x%26y HTTP/1.1\r\nHost: x\r\n\r\n",
		    "[GET|/a b|x&y|-|-|-|127.0.0.1||0]" },
		{ "DELETE / HTTP/1.0\r\nhost: x\r\nx-test: t\r\n\r\n",
		    "[DELETE|/|-|t|-|-|127.0.0.1||0]" },
		{ POST "Content-Length: 5\r\nContent-Type: text/x\r\n"
		    "Authorization: Bearer b\r\n\r\nhello",
		    "[POST|/a|-|-|Bearer b|text/x|127.0.0.1|hello|5]" },
		{ POST "Transfer-Encoding: chunked\r\n\r\n"
		    "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
		    "[POST|/a|-|-|-|-|127.0.0.1|hello|5]" },
	};
	char out[REPLY_LEN];
	size_t i;

	for (i = 0; i < N(cases); i++) {
		ask(*state, cases[i].in, out);
		assert_int_equal(status(out), 200);
		assert_string_equal(strstr(out, "\r\n\r\n") + 4,
		    cases[i].want);
		assert_non_null(strstr(out, "\r\nConnection: close\r\n"));
		assert_non_null(strstr(out, "\r\nCache-Control: no-store\r\n"));
		assert_non_null(strstr(out,
		    "\r\nX-Content-Type-Options: nosniff\r\n"));
		assert_non_null(strstr(out,
		    "\r\nContent-Type: application/json\r\n"));
	}
}

static void
request_with_two_readings_is_refused_and_closed(void **state)
{
	static const struct { const char *in; int want; } cases[] = {
		{ GET "Host: y\r\n\r\n", 400 },
		{ GET "hOST: x\r\n\r\n", 400 },
		{ "GET /a HTTP/1.1\r\n\r\n", 400 },
		{ "GET /a HTTP/1.0\r\n\r\n", 400 },
		{ POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400 },
		{ POST "Content-Length: 1\r\ncontent-length: 2\r\n\r\nxy",
		    400 },
		{ POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
		    "\r\n0\r\n\r\n", 400 },
		{ POST "Transfer-Encoding: chunked\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
		{ POST "Transfer-Encoding: chunked\r\n"
		    "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400 },
		{ POST "Transfer-Encoding: gzip, chunked\r\n\r\n"
		    "0\r\n\r\n", 400 },
		{ POST "Content-Length: +1\r\n\r\nx", 400 },
		{ POST "Content-Length: 1, 1\r\n\r\nx", 400 },
		{ POST "Content-Length : 1\r\n\r\nx", 400 },
		{ GET "Authorization: a\r\nAuthorization: b\r\n\r\n", 400 },
		{ "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
		{ "GET /a?q=%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
		{ "GET /a%0ab HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
		{ "GET /a\x01" "b HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
		{ "GET /a%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
		{ "GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
		{ "BREW /a HTTP/1.1\r\nHost: x\r\n\r\n", 501 },
		{ "get /a HTTP/1.1\r\nHost: x\r\n\r\n", 501 },
		{ "OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n", 501 },
		{ POST "Content-Length: 1001\r\n\r\n", 413 },
		{ POST "Content-Length: 99999999999999999999\r\n\r\n", 413 },
	};
	struct fixture *f = *state;
	char out[REPLY_LEN];
	size_t i;

	for (i = 0; i < N(cases); i++) {
		ask(f, cases[i].in, out);
		if (status(out) != cases[i].want)
			fail_msg("%s: %d, not %d", cases[i].in, status(out),
			    cases[i].want);
	}
	assert_int_equal(f->calls, 0);
}

static void
nul_byte_in_a_target_does_not_reach_the_handler(void **state)
{
	static const char in[] = "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n";
	struct fixture *f = *state;
	char out[REPLY_LEN];

	ask_len(f, in, sizeof(in) - 1, out);
	assert_int_equal(f->calls, 0);
}

static void
pipelined_second_request_is_never_answered(void **state)
{
	struct fixture *f = *state;
	char out[REPLY_LEN];

	ask(f, GET "\r\n" GET "\r\n", out);
	assert_int_equal(status(out), 200);
	assert_null(strstr(out + 1, "HTTP/1.1"));
	assert_int_equal(f->calls, 1);
	ask(f, POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "0\r\n\r\n" GET "\r\n", out);
	assert_int_equal(status(out), 400);
	assert_null(strstr(out + 1, "HTTP/1.1"));
	assert_int_equal(f->calls, 1);
}

static void
body_at_the_limit_passes_and_over_it_does_not(void **state)
{
	struct fixture *f = *state;
	char body[MAX_BODY + 2], in[2 * MAX_BODY], out[REPLY_LEN];
	int i;

	memset(body, 'x', sizeof(body));
	for (i = 0; i < 2; i++) {
		snprintf(in, sizeof(in), POST "Content-Length: %d\r\n\r\n"
		    "%.*s", MAX_BODY + i, MAX_BODY + i, body);
		ask(f, in, out);
		assert_int_equal(status(out), i == 0 ? 200 : 413);
		snprintf(in, sizeof(in), POST "Transfer-Encoding: chunked\r\n"
		    "\r\n%x\r\n%.*s\r\n0\r\n\r\n", MAX_BODY + i,
		    MAX_BODY + i, body);
		ask(f, in, out);
		assert_int_equal(status(out), i == 0 ? 200 : 413);
	}
	assert_int_equal(f->calls, 2);
}

static void
head_over_the_limit_is_refused(void **state)
{
	static const size_t sizes[] = { 17 << 10, 100 << 10 };
	struct fixture *f = *state;
	char *in, out[REPLY_LEN];
	size_t i;

	for (i = 0; i < N(sizes); i++) {
		in = malloc(sizes[i] + 1);
		memset(in, 'x', sizes[i]);
		memcpy(in, GET "X: ", strlen(GET "X: "));
		memcpy(in + sizes[i] - 4, "\r\n\r\n", 5);
		ask(f, in, out);
		/* where it never fits, the connection may just be reset */
		assert_true(status(out) == 431 || (i == 1 &&
		    (status(out) == 413 || status(out) == 0)));
		free(in);
	}
	assert_int_equal(f->calls, 0);
}

/* As the API says its own errors, so that its clients can show them. */
static void
refusal_says_why_in_the_form_of_the_api(void **state)
{
	static const struct { const char *in, *want; } cases[] = {
		{ POST "Content-Length: 1001\r\n\r\n", "\"too_large\","
		    "\"message\":\"the body has 1001 bytes, at most 1000 are "
		    "read here: send it in parts\"}}" },
		{ POST "Transfer-Encoding: chunked\r\n\r\n3e9\r\n%01001d"
		    "\r\n0\r\n\r\n", "\"too_large\",\"message\":\"the body "
		    "has more than the 1000 bytes that are read here: send "
		    "it in parts\"}}" },
		{ "GET /a%%0ab HTTP/1.1\r\nHost: x\r\n\r\n", "\"usage\","
		    "\"message\":\"the request is not well-formed\"}}" },
		{ "BREW /a HTTP/1.1\r\nHost: x\r\n\r\n", "\"usage\","
		    "\"message\":\"the method is not known\"}}" },
	};
	char out[REPLY_LEN], in[2000];
	size_t i;

	for (i = 0; i < N(cases); i++) {
		snprintf(in, sizeof(in), cases[i].in, 0);
		ask(*state, in, out);
		assert_non_null(strstr(out, "{\"error\":{\"code\":"));
		assert_non_null(strstr(out, cases[i].want));
	}
}

static void
head_request_has_the_headers_alone(void **state)
{
	char out[REPLY_LEN];

	ask(*state, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", out);
	assert_int_equal(status(out), 200);
	assert_non_null(strstr(out, "\r\nContent-Length: 29\r\n"));
	assert_string_equal(strstr(out, "\r\n\r\n") + 4, "");
}

static void
reply_fields_become_headers(void **state)
{
	static const struct { const char *in, *want; int status; } cases[] = {
		{ "GET /401 HTTP/1.1\r\nHost: x\r\n\r\n",
		    "\r\nWWW-Authenticate: Bearer\r\n", 401 },
		{ "GET /405 HTTP/1.1\r\nHost: x\r\n\r\n",
		    "\r\nAllow: GET, POST\r\n", 405 },
		{ "GET /500 HTTP/1.1\r\nHost: x\r\n\r\n",
		    "{\"error\":{\"code\":\"internal\",\"message\":"
		    "\"a fault on our side; see the log\"}}", 500 },
	};
	char out[REPLY_LEN];
	size_t i;

	for (i = 0; i < N(cases); i++) {
		ask(*state, cases[i].in, out);
		assert_int_equal(status(out), cases[i].status);
		assert_non_null(strstr(out, cases[i].want));
		assert_null(strstr(out, "secret"));
	}
}

static void
assert_served(const struct fixture *f)
{
	char out[REPLY_LEN];

	ask(f, GET "\r\n", out);
	assert_int_equal(status(out), 200);
}

static bool
is_closed(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, wait_ms) == 1 &&
	    recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) <= 0;
}

static void
slow_clients_are_cut_while_others_are_served(void **state)
{
	static const char *const slow[] = { "", GET "X: ",
		POST "Content-Length: 900\r\n\r\n",
		POST "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" };
	struct fixture *f = *state;
	uint64_t begin = clock_mono_ms(), at[N(slow)] = { 0 };
	size_t i, open = N(slow);
	int fd[N(slow)];

	for (i = 0; i < N(slow); i++) {
		fd[i] = dial(f);
		say(fd[i], slow[i], strlen(slow[i]));
	}
	while (open > 0 && clock_mono_ms() - begin < WAIT_MS) {
		for (i = 0; i < N(slow); i++) {
			if (at[i] != 0 || !is_closed(fd[i], 25)) {
				/* never silent, but never done */
				if (at[i] == 0 && i > 0 && i < 3)
					say(fd[i], "x", 1);
				continue;
			}
			at[i] = clock_mono_ms() - begin;
			open--;
		}
		assert_served(f);
	}
	for (i = 0; i < N(slow); i++) {
		close(fd[i]);
		assert_in_range(at[i], DEADLINE_MS, WAIT_MS);
	}
}

static void
client_that_does_not_read_its_reply_is_cut(void **state)
{
	struct fixture *f = *state;
	static const char big[] = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
	static char junk[65536];
	struct pollfd p;
	uint64_t begin = clock_mono_ms();
	size_t len = 0;
	ssize_t n;

	p = (struct pollfd){ .fd = dial(f), .events = POLLRDHUP };
	say(p.fd, big, strlen(big));
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_in_range(clock_mono_ms() - begin, DEADLINE_MS, WAIT_MS);
	while ((n = recv(p.fd, junk, sizeof(junk), 0)) > 0)
		len += (size_t)n;
	assert_true(len < BIG_REPLY);
	close(p.fd);
	assert_served(f);
}

static void
connections_of_one_address_are_limited(void **state)
{
	struct fixture *f = *state;
	uint64_t end = clock_mono_ms() + WAIT_MS;
	int fd[100], i, open;

	for (i = 0; i < 100; i++)
		fd[i] = dial(f);
	do {
		for (i = 0, open = 0; i < 100; i++)
			open += !is_closed(fd[i], 0);
	} while (open > PER_IP && clock_mono_ms() < end);
	assert_int_equal(open, PER_IP);
	for (i = 0; i < 100; i++)
		close(fd[i]);
	/* once they are gone there is room again */
	end = clock_mono_ms() + WAIT_MS;
	for (i = 0; f->calls == 0 && clock_mono_ms() < end; i++) {
		char out[REPLY_LEN];

		ask(f, GET "\r\n", out);
	}
	assert_int_equal(f->calls, 1);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(request_with_all_parts_reaches_the_handler),
		T(request_with_two_readings_is_refused_and_closed),
		T(nul_byte_in_a_target_does_not_reach_the_handler),
		T(pipelined_second_request_is_never_answered),
		T(body_at_the_limit_passes_and_over_it_does_not),
		T(head_over_the_limit_is_refused),
		T(refusal_says_why_in_the_form_of_the_api),
		T(head_request_has_the_headers_alone),
		T(reply_fields_become_headers),
		T(slow_clients_are_cut_while_others_are_served),
		T(client_that_does_not_read_its_reply_is_cut),
		cmocka_unit_test_setup_teardown(
		    connections_of_one_address_are_limited, setup_patient,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
