/*
 * test_front.c - connections of a front over real sockets: order, waiting,
 * slow and hostile peers, limits, the end.
 */
#include "tests/unit/front_fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

static void
requests_are_answered_in_order_however_they_come(void **state)
{
	static const char text[] = "one\ntwo\nthree\n";
	struct room *r = open_room(10, 0);
	int fd[2] = { dial(r), dial_tcp(r) }, i;
	size_t n;

	(void)state;
	for (i = 0; i < 2; i++) {
		say(fd[i], text);
		hear(r, fd[i], text);
		for (n = 0; text[n] != '\0'; n++) {
			assert_int_equal(send(fd[i], text + n, 1, 0), 1);
			turn(r);
		}
		hear(r, fd[i], text);
		assert_string_equal(r->peer, "local");
	}
	assert_int_equal(r->m.connections, 2);
	close(fd[0]);
	close(fd[1]);
	turn(r);
	assert_int_equal(r->m.connections, 0);
	close_room(r);
}

static void
answer_that_waits_holds_back_what_was_asked_behind_it(void **state)
{
	struct room *r = open_room(10, 0);
	int fd = dial(r), other = dial(r);

	(void)state;
	say(fd, "wait1\ntwo\nwait3\nfour\n");
	hear_nothing(r, fd);
	say(fd, "five\n");
	say(other, "other\n");
	hear(r, other, "other\n");
	hear_nothing(r, fd);
	front_release(r->front, 0);
	hear_nothing(r, fd);
	front_release(r->front, 1);
	hear(r, fd, "wait1\ntwo\n");
	hear_nothing(r, fd);
	front_release(r->front, 2);
	hear(r, fd, "wait3\nfour\nfive\n");
	assert_int_equal(r->m.late, 0);
	close(fd);
	close(other);
	close_room(r);
}

static void
answer_whose_ticket_never_comes_goes_out_all_the_same(void **state)
{
	struct room *r = open_room_waiting(10, 0, 0);
	uint64_t begin = clock_mono_ms();
	int fd = dial(r);

	(void)state;
	say(fd, "wait\nnext\n");
	hear(r, fd, "wait\nnext\n");
	assert_true(clock_mono_ms() - begin >= FRONT_WAIT_MS);
	assert_int_equal(r->m.late, 1);
	close(fd);
	close_room(r);
}

static void
peer_that_shut_its_side_gets_its_answers_first(void **state)
{
	struct room *r = open_room(10, 0);
	int fd = dial(r), tcp = dial_tcp(r), late = dial(r);

	(void)state;
	say(fd, "one\ntwo\npart");
	shutdown(fd, SHUT_WR);
	hear(r, fd, "one\ntwo\n.");
	say(tcp, "wait\ntwo\n");
	shutdown(tcp, SHUT_WR);
	hear_nothing(r, tcp);
	front_release(r->front, 1);
	hear(r, tcp, "wait\ntwo\n.");
	/* the end comes by itself, with nothing before it */
	say(late, "one\n");
	hear(r, late, "one\n");
	shutdown(late, SHUT_WR);
	hear(r, late, ".");
	close(fd);
	close(tcp);
	close(late);
	assert_int_equal(r->m.connections, 0);
	close_room(r);
}

static void
peer_that_is_gone_while_it_waits_is_let_go(void **state)
{
	struct room *r = open_room(10, 0);
	struct linger rst = { 1, 0 };
	int fd = dial(r), tcp = dial_tcp(r);

	(void)state;
	say(fd, "wait\n");
	say(tcp, "wait\n");
	turn(r);
	assert_int_equal(r->tickets, 2);
	setsockopt(tcp, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	close(fd);
	close(tcp);
	turn(r);
	front_release(r->front, 2);
	turn(r);
	assert_int_equal(r->m.connections, 0);
	close_room(r);
}

static void
answer_too_big_for_the_socket_arrives_whole(void **state)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;
	struct room *r = open_room(10, 0);
	int fd = dial(r), other = dial(r);
	static char got[BIG + 10];
	size_t n = 0;
	ssize_t k;

	(void)state;
	say(fd, "big\nnext\n");
	turn(r);
	say(other, "other\n");
	hear(r, other, "other\n");
	while (n < BIG + 5) {
		assert_true(clock_mono_ms() < end);
		uv_run(&r->loop, UV_RUN_NOWAIT);
		k = recv(fd, got + n, sizeof(got) - n < 70000 ?
		    sizeof(got) - n : 70000, MSG_DONTWAIT);
		if (k > 0)
			n += (size_t)k;
		else
			assert_int_equal(errno, EAGAIN);
	}
	assert_memory_equal(got + BIG - 2, "b\nnext\n", 7);
	say(fd, "more\n");
	hear(r, fd, "more\n");
	say(other, "big\n");
	turn(r);
	close(other);		/* with most of it unread */
	turn(r);
	assert_int_equal(r->m.connections, 1);
	close(fd);
	close_room(r);
}

/* A peer that never stops to ask is read no further than a bounded buffer
 * while its answer waits, and loses nothing. */
static void
flood_behind_a_waiting_answer_stays_with_the_peer(void **state)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;
	struct room *r = open_room(10, 0);
	int fd = dial(r), room = 1000000;
	size_t sent = 0, i;
	static char text[20001];
	ssize_t k;

	(void)state;
	/* as much as the system lets us: more than one turn's reads */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	for (i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 10 == 9 ? '\n' : '#';
	say(fd, "wait\n");
	turn(r);
	for (i = 0; i < 100; i++) {
		while ((k = send(fd, text + sent % 10, sizeof(text) - 11,
		    MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
			sent += (size_t)k;
		turn(r);
	}
	assert_int_equal(r->takes, 1);
	assert_int_equal(r->m.connections, 1);
	/* the socket's own buffer is 400 KB; ours is two chunks */
	assert_in_range(sent, 150000, 2000000);
	front_release(r->front, 1);
	hear(r, fd, "wait\n");
	while (r->silent < sent / 10) {
		turn(r);
		assert_true(clock_mono_ms() < end);
	}
	say(fd, text + sent % 10 + sizeof(text) - 11);
	say(fd, "one\n");
	hear(r, fd, "one\n");
	close(fd);
	close_room(r);
}

static void
malformed_closes_without_an_answer_and_nobody_else(void **state)
{
	struct room *r = open_room(10, 0);
	int fd = dial(r), other = dial(r), i;

	(void)state;
	say(fd, "one\nbad\ntwo\n");
	hear(r, fd, "one\n.");
	assert_int_equal(r->m.malformed, 1);
	say(other, "one\n");
	hear(r, other, "one\n");
	for (i = 0; i < 2 * LINE_MAX_LEN / 1000; i++) {
		char text[1000];

		memset(text, 'x', sizeof(text));
		if (send(other, text, sizeof(text), MSG_NOSIGNAL) < 0)
			break;
		turn(r);
	}
	assert_int_equal(r->m.malformed, 2);
	assert_int_equal(r->m.connections, 0);
	close(fd);
	close(other);
	fd = dial(r);
	say(fd, "quit\nmore\n");
	hear(r, fd, "quit\n.");
	close(fd);
	close_room(r);
}

static void
connection_beyond_the_limit_is_closed_at_once(void **state)
{
	struct room *r = open_room(2, 0);
	int a = dial(r), b = dial_tcp(r), c, d;

	(void)state;
	turn(r);
	c = dial(r);
	hear(r, c, ".");
	assert_int_equal(r->m.refused_connections, 1);
	close(a);
	turn(r);
	d = dial(r);
	say(d, "one\n");
	hear(r, d, "one\n");
	say(b, "one\n");
	hear(r, b, "one\n");
	close(b);
	close(c);
	close(d);
	close_room(r);
}

static void
connection_without_a_descriptor_left_is_closed(void **state)
{
	struct room *r = open_room(100, 0);
	struct rlimit old, low;
	int fd, more;

	(void)state;
	turn(r);
	fd = dial(r);
	more = dial(r);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)more + 1;	/* none beyond what is open */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	hear(r, fd, ".");
	hear(r, more, ".");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(fd);
	close(more);
	fd = dial(r);
	say(fd, "one\n");
	hear(r, fd, "one\n");
	close(fd);
	close_room(r);
}

static void
request_that_waited_beyond_the_deadline_is_told_so(void **state)
{
	struct room *r = open_room(10, 10);
	int fd = dial(r);

	(void)state;
	say(fd, "slow\none\ntwo\n");
	hear(r, fd, "slow\nlate\nlate\n");
	say(fd, "three\n");
	hear(r, fd, "three\n");
	say(fd, "wait\nfour\n");
	turn(r);
	pass_time(30);
	front_release(r->front, 1);
	hear(r, fd, "wait\nlate\n");
	close(fd);
	close_room(r);
}

static void
drain_ends_idle_connections_and_answers_the_others(void **state)
{
	struct room *r = open_room(10, 0);
	int idle = dial(r), waits = dial(r);

	(void)state;
	say(idle, "one\n");
	hear(r, idle, "one\n");
	say(waits, "wait\ntwo\n");
	turn(r);
	front_drain(r->front);
	hear(r, idle, ".");
	hear_nothing(r, waits);
	assert_int_equal(front_connections(r->front), 1);
	front_release(r->front, 1);
	hear(r, waits, "wait\ntwo\n.");
	assert_int_equal(front_connections(r->front), 0);
	close(idle);
	close(waits);
	close_room(r);
}

/* Many peers at once, pieces of any size, answers that wait, slow readers:
 * each gets its own lines back in order. */
#define PEERS 24
#define SAID 200000

static void
peers_at_random_each_get_their_own_answers(void **state)
{
	struct room *r = open_room(PEERS, 0);
	static char text[PEERS][SAID + 100];
	size_t len[PEERS], sent[PEERS] = { 0 }, got[PEERS] = { 0 }, all = 0;
	uint64_t end = clock_mono_ms() + 3 * PATIENCE_MS;
	static char in[100000];
	unsigned seed = 7;
	int fd[PEERS], i;

	(void)state;
	for (i = 0; i < PEERS; i++) {
		fd[i] = i % 2 == 0 ? dial(r) : dial_tcp(r);
		for (len[i] = 0; len[i] < SAID; )
			len[i] += (size_t)sprintf(text[i] + len[i],
			    "%s%d %0*d\n", rand_r(&seed) % 50 == 0 ?
			    "wait" : "line", i, rand_r(&seed) % 90 + 1,
			    rand_r(&seed) % 1000);
	}
	while (all < PEERS) {
		size_t most = (size_t)rand_r(&seed) % (rand_r(&seed) % 8 == 0 ?
		    100000 : 900) + 1;
		ssize_t k;

		i = rand_r(&seed) % PEERS;
		if (most > len[i] - sent[i])
			most = len[i] - sent[i];
		k = most == 0 ? 0 : send(fd[i], text[i] + sent[i], most, 0);
		sent[i] += k > 0 ? (size_t)k : 0;
		if (rand_r(&seed) % 3 == 0)
			uv_run(&r->loop, UV_RUN_NOWAIT);
		if (rand_r(&seed) % 5 == 0)
			front_release(r->front, r->tickets);
		i = rand_r(&seed) % PEERS;
		most = (size_t)rand_r(&seed) % sizeof(in) + 1;
		k = got[i] == len[i] ? 0 : recv(fd[i], in, most,
		    MSG_DONTWAIT);
		if (k > 0) {
			assert_memory_equal(in, text[i] + got[i], (size_t)k);
			got[i] += (size_t)k;
			all += got[i] == len[i];
		} else
			assert_true(got[i] == len[i] || errno == EAGAIN);
		assert_true(clock_mono_ms() < end);
	}
	for (i = 0; i < PEERS; i++)
		close(fd[i]);
	close_room(r);
}

static void
socket_is_open_to_every_user_of_the_host(void **state)
{
	struct room *r = open_room(2, 0);
	struct diag why = { "" };
	struct front *again = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(stat(r->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	/* and taken: another front does not take it away */
	assert_int_equal(front_open(&again, &r->loop, &r->conf, &why),
	    ERR_BUSY);
	front_stop(again);
	uv_run(&r->loop, UV_RUN_NOWAIT);
	front_free(&again);
	assert_int_equal(access(r->path, F_OK), 0);
	close_room(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    requests_are_answered_in_order_however_they_come),
		cmocka_unit_test(
		    answer_that_waits_holds_back_what_was_asked_behind_it),
		cmocka_unit_test(
		    answer_whose_ticket_never_comes_goes_out_all_the_same),
		cmocka_unit_test(
		    peer_that_shut_its_side_gets_its_answers_first),
		cmocka_unit_test(peer_that_is_gone_while_it_waits_is_let_go),
		cmocka_unit_test(answer_too_big_for_the_socket_arrives_whole),
		cmocka_unit_test(
		    flood_behind_a_waiting_answer_stays_with_the_peer),
		cmocka_unit_test(
		    malformed_closes_without_an_answer_and_nobody_else),
		cmocka_unit_test(
		    connection_beyond_the_limit_is_closed_at_once),
		cmocka_unit_test(
		    connection_without_a_descriptor_left_is_closed),
		cmocka_unit_test(
		    request_that_waited_beyond_the_deadline_is_told_so),
		cmocka_unit_test(
		    drain_ends_idle_connections_and_answers_the_others),
		cmocka_unit_test(peers_at_random_each_get_their_own_answers),
		cmocka_unit_test(socket_is_open_to_every_user_of_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
