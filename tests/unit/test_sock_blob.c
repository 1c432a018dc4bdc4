/*
 * test_sock_blob.c - bytes that many messages share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/sock.h"

#define WAIT_MS 10000
#define LEN 5000

static bool
allow(void *arg, const char *domain, const uint8_t key[SOCK_KEY_LEN])
{
	(void)arg;
	(void)domain;
	(void)key;
	return true;
}

static void
receive(struct sock *s, struct sock_msg *m)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	struct sock_poll item = { .sock = s };

	while (sock_recv(s, m) < 0) {
		assert_true(clock_mono_ms() < end);
		assert_int_equal(sock_poll(&item, 1, 100), 0);
	}
}

static void
blob_is_sent_whole_to_each_after_its_maker_let_go(void **state)
{
	uint8_t pub[SOCK_KEY_LEN], sec[SOCK_KEY_LEN], cpub[SOCK_KEY_LEN],
	    csec[SOCK_KEY_LEN], id[SOCK_ID_LEN];
	struct sock_ctx *ctx = sock_ctx_new();
	struct sock_blob *b = sock_blob_new(LEN);
	struct sock_conf conf = { .endpoint = "tcp://127.0.0.1:*",
	    .zap_domain = "nodes", .secret = sec, .max_msg = 65536,
	    .hwm = 4 };
	struct sock *server, *client;
	struct sock_msg m = { 0 };
	int i;

	(void)state;
	buf_init(&m.data, 65536);
	sock_keypair(pub, sec);
	sock_keypair(cpub, csec);
	sock_client_id(cpub, id);
	assert_int_equal(sock_zap_start(ctx, allow, NULL, NULL), 0);
	assert_int_equal(sock_serve(&server, ctx, &conf, NULL), 0);
	memset(sock_blob_data(b), 'x', sock_blob_len(b));
	assert_int_equal(sock_send_blob(server, id, b), ERR_UNREACH);
	conf = (struct sock_conf){ .endpoint = sock_endpoint(server),
	    .secret = csec, .server = pub, .max_msg = 65536, .hwm = 4 };
	assert_int_equal(sock_connect(&client, ctx, &conf, NULL), 0);
	assert_int_equal(sock_send(client, NULL, "here", 4), 0);
	receive(server, &m);
	for (i = 0; i < 3; i++)
		assert_int_equal(sock_send_blob(server, id, b), 0);
	sock_blob_unref(&b);
	assert_null(b);
	for (i = 0; i < 3; i++) {
		receive(client, &m);
		assert_int_equal(m.data.len, LEN);
		assert_int_equal(m.data.data[0], 'x');
		assert_int_equal(m.data.data[LEN - 1], 'x');
	}
	buf_fini(&m.data);
	sock_close(&client);
	sock_close(&server);
	sock_ctx_free(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    blob_is_sent_whole_to_each_after_its_maker_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
