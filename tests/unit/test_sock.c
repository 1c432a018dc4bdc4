/*
 * test_sock.c - sockets: who gets in, what is dropped, what never blocks.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/sock.h"
#include "tests/lib/wait.h"

/* A hostile client speaks ZeroMQ without our wrapper: just what it takes. */
void *zmq_ctx_new(void);
void *zmq_socket(void *ctx, int type);
int zmq_setsockopt(void *s, int option, const void *val, size_t len);
int zmq_connect(void *s, const char *endpoint);
int zmq_send(void *s, const void *data, size_t len, int flags);
int zmq_close(void *s);
int zmq_ctx_term(void *ctx);
enum { DEALER = 5, ROUTING_ID = 5, LINGER = 17, PUBLIC = 48, SECRET = 49,
    SERVER = 50, MORE = 2 };

#define QUIET_MS 700
#define MAX_MSG 65536
#define FLOOD_MSG 60000

struct keys { uint8_t pub[SOCK_KEY_LEN], sec[SOCK_KEY_LEN]; };

struct fixture {
	struct sock_ctx *ctx;
	struct sock *server;
	struct keys skey, good, other, stranger;
};

static bool
allow(void *arg, const char *domain, const uint8_t key[SOCK_KEY_LEN])
{
	struct fixture *f = arg;

	return strcmp(domain, "nodes") == 0 &&
	    (memcmp(key, f->good.pub, SOCK_KEY_LEN) == 0 ||
	    memcmp(key, f->other.pub, SOCK_KEY_LEN) == 0);
}

static int
serve(struct fixture *f, struct sock **out, const char *domain,
    const char *endpoint)
{
	struct sock_conf conf = { .endpoint = endpoint, .zap_domain = domain,
		.secret = f->skey.sec, .max_msg = MAX_MSG, .hwm = 4 };

	return sock_serve(out, f->ctx, &conf, NULL);
}

static struct sock *
client(struct fixture *f, const struct keys *keys, const char *endpoint)
{
	struct sock_conf conf = { .endpoint = endpoint, .secret = keys->sec,
		.server = f->skey.pub, .max_msg = MAX_MSG, .hwm = 4 };
	struct sock *s;

	assert_int_equal(sock_connect(&s, f->ctx, &conf, NULL), 0);
	return s;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->ctx = sock_ctx_new();
	sock_keypair(f->skey.pub, f->skey.sec);
	sock_keypair(f->good.pub, f->good.sec);
	sock_keypair(f->other.pub, f->other.sec);
	sock_keypair(f->stranger.pub, f->stranger.sec);
	*state = f;
	return sock_zap_start(f->ctx, allow, f, NULL) |
	    serve(f, &f->server, "nodes", "tcp://127.0.0.1:*");
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	sock_close(&f->server);
	sock_ctx_free(&f->ctx);
	assert_null(f->ctx);
	free(f);
	return 0;
}

/* The next message within ms. */
static int
recv_within(struct sock *s, struct sock_msg *m, uint64_t ms)
{
	uint64_t now, end = clock_mono_ms() + ms;
	struct sock_poll item = { .sock = s };

	while (sock_recv(s, m) < 0) {
		if ((now = clock_mono_ms()) >= end)
			return ERR_AGAIN;
		assert_int_equal(sock_poll(&item, 1, (int)(end - now)), 0);
	}
	return 0;
}

/* c asks, the server answers, c hears it. */
static void
assert_served(struct sock *server, struct sock *c, const struct keys *k)
{
	struct sock_msg m = { 0 };
	uint8_t id[SOCK_ID_LEN];

	sock_client_id(k->pub, id);
	buf_init(&m.data, MAX_MSG);
	assert_int_equal(sock_send(c, NULL, "hello", 5), 0);
	assert_int_equal(recv_within(server, &m, WAIT_MS), 0);
	assert_int_equal(m.data.len, 5);
	assert_memory_equal(m.data.data, "hello", 5);
	assert_memory_equal(m.peer, id, sizeof(id));
	assert_memory_equal(m.key, k->pub, SOCK_KEY_LEN);
	assert_string_equal(m.address, "127.0.0.1");
	assert_int_equal(sock_send(server, m.peer, "", 0), 0);
	assert_int_equal(recv_within(c, &m, WAIT_MS), 0);
	assert_int_equal(m.data.len, 0);
	buf_fini(&m.data);
}

static void
assert_quiet(struct sock *server)
{
	struct sock_msg m = { 0 };

	assert_int_equal(recv_within(server, &m, QUIET_MS), ERR_AGAIN);
	buf_fini(&m.data);
}

static void
client_with_a_known_key_is_served(void **state)
{
	struct fixture *f = *state;
	struct sock *c = client(f, &f->good, sock_endpoint(f->server));

	assert_served(f->server, c, &f->good);
	sock_close(&c);
	assert_null(c);
}

static void
client_that_starts_again_takes_its_id(void **state)
{
	struct fixture *f = *state;
	const char *endpoint = sock_endpoint(f->server);
	struct sock *old = client(f, &f->good, endpoint), *c;

	assert_served(f->server, old, &f->good);
	c = client(f, &f->good, endpoint);	/* old still stands */
	assert_served(f->server, c, &f->good);
	sock_close(&c);
	sock_close(&old);
}

static void
client_with_a_strange_key_is_refused(void **state)
{
	struct fixture *f = *state;
	const char *endpoint = sock_endpoint(f->server);
	struct sock *c = client(f, &f->stranger, endpoint);
	struct sock *good = client(f, &f->good, endpoint);

	assert_int_equal(sock_send(c, NULL, "let me in", 9), 0);
	assert_served(f->server, good, &f->good);
	assert_quiet(f->server);
	sock_close(&c);
	sock_close(&good);
}

static void
client_that_expects_another_server_stays_out(void **state)
{
	struct fixture *f = *state;
	struct sock_conf conf = { .endpoint = sock_endpoint(f->server),
		.secret = f->good.sec, .server = f->stranger.pub,
		.max_msg = MAX_MSG, .hwm = 4 };
	struct sock *c;

	assert_int_equal(sock_connect(&c, f->ctx, &conf, NULL), 0);
	assert_int_equal(sock_send(c, NULL, "hello", 5), 0);
	assert_quiet(f->server);
	sock_close(&c);
}

static void
client_of_another_domain_is_refused(void **state)
{
	struct fixture *f = *state;
	struct sock *server, *c;

	assert_int_equal(serve(f, &server, "operators", "tcp://127.0.0.1:*"),
	    0);
	c = client(f, &f->good, sock_endpoint(server));
	assert_int_equal(sock_send(c, NULL, "hello", 5), 0);
	assert_quiet(server);
	sock_close(&c);
	sock_close(&server);
}

/* A DEALER with keys, but the routing id and the frames of its choice. */
static void
send_as(struct fixture *f, void *ctx, const uint8_t *id, bool two_frames,
    void **out)
{
	void *s = zmq_socket(ctx, DEALER);
	int linger = 0;

	assert_int_equal(0,
	    zmq_setsockopt(s, LINGER, &linger, sizeof(linger)) |
	    zmq_setsockopt(s, ROUTING_ID, id, SOCK_ID_LEN) |
	    zmq_setsockopt(s, SERVER, f->skey.pub, SOCK_KEY_LEN) |
	    zmq_setsockopt(s, PUBLIC, f->other.pub, SOCK_KEY_LEN) |
	    zmq_setsockopt(s, SECRET, f->other.sec, SOCK_KEY_LEN) |
	    zmq_connect(s, sock_endpoint(f->server)));
	if (two_frames)
		assert_int_equal(zmq_send(s, "one", 3, MORE), 3);
	assert_int_equal(zmq_send(s, "end", 3, 0), 3);
	*out = s;
}

/* Wait until the server dropped n, and it handed out nothing. */
static void
assert_dropped(struct sock *server, uint64_t n)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	struct sock_poll item = { .sock = server };
	struct sock_msg m = { 0 };

	while (sock_dropped(server) < n) {
		assert_int_equal(sock_recv(server, &m), ERR_AGAIN);
		assert_true(clock_mono_ms() < end);
		assert_int_equal(sock_poll(&item, 1, 100), 0);
	}
	assert_int_equal(sock_dropped(server), n);
}

static void
message_with_a_foreign_routing_id_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct sock *c = client(f, &f->good, sock_endpoint(f->server));
	void *ctx = zmq_ctx_new(), *thief;
	uint8_t id[SOCK_ID_LEN];

	assert_served(f->server, c, &f->good);
	sock_client_id(f->good.pub, id);
	send_as(f, ctx, id, false, &thief);
	assert_dropped(f->server, 1);
	zmq_close(thief);
	zmq_ctx_term(ctx);
	sock_close(&c);
	/* whose id it is comes back */
	c = client(f, &f->good, sock_endpoint(f->server));
	assert_served(f->server, c, &f->good);
	sock_close(&c);
}

static void
message_of_two_frames_is_dropped_whole(void **state)
{
	struct fixture *f = *state;
	void *ctx = zmq_ctx_new(), *s;
	struct sock_msg m = { 0 };
	uint8_t id[SOCK_ID_LEN];

	sock_client_id(f->other.pub, id);
	send_as(f, ctx, id, true, &s);
	assert_dropped(f->server, 1);
	assert_int_equal(zmq_send(s, "whole", 5, 0), 5);
	assert_int_equal(recv_within(f->server, &m, WAIT_MS), 0);
	assert_int_equal(m.data.len, 5);
	buf_fini(&m.data);
	zmq_close(s);
	zmq_ctx_term(ctx);
}

static void
message_over_the_limit_never_arrives(void **state)
{
	struct fixture *f = *state;
	struct sock *c = client(f, &f->good, sock_endpoint(f->server));
	uint64_t end = clock_mono_ms() + WAIT_MS;
	char *big = calloc(1, MAX_MSG + 1);
	struct sock_msg m = { 0 };

	assert_served(f->server, c, &f->good);
	assert_int_equal(sock_send(c, NULL, big, MAX_MSG), 0);
	assert_int_equal(recv_within(f->server, &m, WAIT_MS), 0);
	assert_int_equal(m.data.len, MAX_MSG);
	assert_int_equal(sock_send(c, NULL, big, MAX_MSG + 1), 0);
	assert_quiet(f->server);
	/* it connects again by itself; what it says may be lost before */
	do
		sock_send(c, NULL, "hello", 5);
	while (recv_within(f->server, &m, 1000) < 0 &&
	    clock_mono_ms() < end);
	assert_int_equal(m.data.len, 5);
	free(big);
	buf_fini(&m.data);
	sock_close(&c);
}

static void
message_over_the_readers_buffer_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct sock *c = client(f, &f->good, sock_endpoint(f->server));
	struct sock_msg m = { 0 };

	buf_init(&m.data, 3);
	assert_int_equal(sock_send(c, NULL, "four", 4), 0);
	assert_int_equal(sock_send(c, NULL, "two", 3), 0);
	assert_int_equal(recv_within(f->server, &m, WAIT_MS), 0);
	assert_string_equal(m.data.data, "two");
	assert_int_equal(sock_dropped(f->server), 1);
	buf_fini(&m.data);
	sock_close(&c);
}

/* Connect to a "tcp://127.0.0.1:port" as anybody may. */
static int
raw_connect(const char *endpoint)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1));
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

static void
garbage_connections_do_not_stop_a_client(void **state)
{
	static const uint8_t greeting[10] = { 0xff, 0, 0, 0, 0, 0, 0, 0, 1,
		0x7f };
	struct fixture *f = *state;
	struct sock *c;
	int fd[200], i;
	uint8_t junk[100];
	size_t j;

	srand(1);
	for (i = 0; i < 200; i++) {
		fd[i] = raw_connect(sock_endpoint(f->server));
		for (j = 0; j < sizeof(junk); j++)
			junk[j] = (uint8_t)rand();
		if (i % 3 == 0)	/* a third gets past the greeting */
			memcpy(junk, greeting, sizeof(greeting));
		if (i % 4 != 0)	/* a quarter says nothing */
			(void)!send(fd[i], junk, sizeof(junk), MSG_NOSIGNAL);
	}
	c = client(f, &f->good, sock_endpoint(f->server));
	assert_served(f->server, c, &f->good);
	for (i = 0; i < 200; i++)
		close(fd[i]);
	assert_served(f->server, c, &f->good);
	sock_close(&c);
}

static void
sending_to_a_full_peer_does_not_block(void **state)
{
	struct fixture *f = *state;
	struct sock *deaf = client(f, &f->other, sock_endpoint(f->server));
	struct sock *c = client(f, &f->good, sock_endpoint(f->server));
	uint64_t begin;
	char *big = calloc(1, FLOOD_MSG);
	uint8_t id[SOCK_ID_LEN];
	int i, rc = 0, full = 0, slow = 0;

	assert_served(f->server, deaf, &f->other);
	sock_client_id(f->other.pub, id);
	/* some refusals pass while the kernel's buffers fill */
	for (i = 0; i < 100000 && full < 1000; i++) {
		begin = clock_mono_ms();
		rc = sock_send(f->server, id, big, FLOOD_MSG);
		begin = clock_mono_ms() - begin;
		slow += begin > 20;
		full = rc == 0 ? 0 : full + 1;
		if (rc != 0)
			assert_int_equal(rc, ERR_AGAIN);
	}
	assert_int_equal(full, 1000);
	/* one that blocks does so each time; we may be interrupted in some */
	assert_true(slow < full / 2);
	assert_served(f->server, c, &f->good);
	free(big);
	sock_close(&deaf);
	sock_close(&c);
}

static void
sending_to_nobody_is_unreachable(void **state)
{
	struct fixture *f = *state;
	uint8_t id[SOCK_ID_LEN];

	sock_client_id(f->good.pub, id);
	assert_int_equal(sock_send(f->server, id, "x", 1), ERR_UNREACH);
}

static void
sending_without_a_server_fills_up(void **state)
{
	struct fixture *f = *state;
	struct sock *c = client(f, &f->good, "tcp://127.0.0.1:1");
	int i, rc = 0;

	for (i = 0; i < 100 && rc == 0; i++)
		rc = sock_send(c, NULL, "x", 1);
	assert_int_equal(rc, ERR_AGAIN);
	sock_close(&c);
}

static void
server_without_a_handler_is_refused(void **state)
{
	struct fixture *f = *state, bare = *f;
	struct sock *s;

	bare.ctx = sock_ctx_new();
	assert_int_equal(serve(&bare, &s, "nodes", "tcp://127.0.0.1:*"),
	    ERR_INVAL);
	assert_null(s);
	sock_ctx_free(&bare.ctx);
}

static void
server_on_a_bad_address_says_so(void **state)
{
	struct fixture *f = *state;
	const struct { const char *endpoint; int want; } cases[] = {
		{ sock_endpoint(f->server), ERR_BUSY },
		{ "inproc://door", ERR_INVAL },
		{ "tcp://127.0.0.1:port", ERR_INVAL },
		{ "tcp://192.0.2.1:*", ERR_INVAL },
		{ "", ERR_INVAL },
	};
	struct sock *s;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(serve(f, &s, "nodes", cases[i].endpoint),
		    cases[i].want);
		assert_null(s);
	}
}

static void
handler_started_twice_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sock_zap_start(f->ctx, allow, f, NULL), ERR_EXISTS);
}

static bool
leave(void *arg, const char *domain, const uint8_t key[SOCK_KEY_LEN])
{
	(void)arg, (void)domain, (void)key;
	pthread_exit(NULL);
}

/* In a process of its own: the handler's thread ends at the first client. */
static void
lose_the_handler(const struct fixture *keys)
{
	struct rlimit no_core = { 0, 0 };
	struct fixture f = *keys;
	struct sock_msg m = { 0 };
	struct sock *c;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGABRT, SIG_DFL);	/* cmocka's would go on */
	(void)!freopen("/dev/null", "w", stderr);
	f.ctx = sock_ctx_new();
	if (sock_zap_start(f.ctx, leave, NULL, NULL) < 0 ||
	    serve(&f, &f.server, "nodes", "tcp://127.0.0.1:*") < 0)
		_exit(2);
	c = client(&f, &f.stranger, sock_endpoint(f.server));
	sock_send(c, NULL, "x", 1);
	recv_within(f.server, &m, WAIT_MS);
	_exit(3);
}

static void
handler_that_ends_takes_the_process_with_it(void **state)
{
	struct fixture keys;
	int status;
	pid_t pid;

	(void)state;
	sock_keypair(keys.skey.pub, keys.skey.sec);
	sock_keypair(keys.stranger.pub, keys.stranger.sec);
	if ((pid = fork()) == 0)
		lose_the_handler(&keys);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
poll_over_a_socket_and_a_descriptor_tells_which(void **state)
{
	struct fixture *f = *state;
	struct sock_poll items[2] = { { .sock = f->server } };
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	items[1].fd = fd[0];
	assert_int_equal(sock_poll(items, 2, 0), 0);
	assert_false(items[0].ready || items[1].ready);
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(sock_poll(items, 2, WAIT_MS), 0);
	assert_false(items[0].ready);
	assert_true(items[1].ready);
	close(fd[0]);
	close(fd[1]);
}

static void
keys_have_one_public_half_and_one_id(void **state)
{
	struct fixture *f = *state;
	uint8_t pub[SOCK_KEY_LEN], a[SOCK_ID_LEN], b[SOCK_ID_LEN];

	sock_public(f->good.sec, pub);
	assert_memory_equal(pub, f->good.pub, sizeof(pub));
	sock_client_id(f->good.pub, a);
	sock_client_id(f->other.pub, b);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_not_equal(a[0], 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handler_that_ends_takes_the_process_with_it),
		T(client_with_a_known_key_is_served),
		T(client_that_starts_again_takes_its_id),
		T(client_with_a_strange_key_is_refused),
		T(client_that_expects_another_server_stays_out),
		T(client_of_another_domain_is_refused),
		T(message_with_a_foreign_routing_id_is_dropped),
		T(message_of_two_frames_is_dropped_whole),
		T(message_over_the_limit_never_arrives),
		T(message_over_the_readers_buffer_is_dropped),
		T(garbage_connections_do_not_stop_a_client),
		T(sending_to_a_full_peer_does_not_block),
		T(sending_to_nobody_is_unreachable),
		T(sending_without_a_server_fills_up),
		T(server_without_a_handler_is_refused),
		T(server_on_a_bad_address_says_so),
		T(handler_started_twice_is_refused),
		T(poll_over_a_socket_and_a_descriptor_tells_which),
		T(keys_have_one_public_half_and_one_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
