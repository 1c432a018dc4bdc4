/*
 * test_httpd_start.c - where an HTTP server may listen and with what, and
 * which heads of requests it lets pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/httpd.h"
#include "proto/base/httpd_check.h"
#include "proto/base/httpd_listen.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

static void
handler(void *arg, const struct httpd_request *r, struct httpd_reply *reply)
{
	(void)arg;
	buf_printf(&reply->body, "[%s|%s]", r->method, r->path);
}

static int
start(struct httpd **h, const char *address, const char *cert,
    const char *key, struct diag *why)
{
	struct httpd_conf conf = { .address = address, .tls_cert = cert,
		.tls_key = key, .max_body = 1000, .deadline_ms = 10000,
		.max_conns = 10, .max_conns_per_ip = 10 };

	return httpd_start(h, &conf, handler, NULL, why);
}

static void
address_that_cannot_be_is_refused_with_a_reason(void **state)
{
	struct httpd *first, *h;
	struct diag why;
	size_t i;

	(void)state;
	assert_int_equal(start(&first, "127.0.0.1:0", NULL, NULL, &why), 0);
	const struct { const char *address, *cert; int want; } cases[] = {
		{ httpd_url(first) + strlen("http://"), NULL, ERR_BUSY },
		{ "0.0.0.0:0", NULL, ERR_INVAL },
		{ "192.0.2.1:80", NULL, ERR_INVAL },
		{ "[::]:0", NULL, ERR_INVAL },
		{ "127.0.0.1", NULL, ERR_INVAL },
		{ "127.0.0.1:", NULL, ERR_INVAL },
		{ "127.0.0.1:65536", NULL, ERR_INVAL },
		{ "::1:80", NULL, ERR_INVAL },
		{ "example.org:80", NULL, ERR_INVAL },
		{ "", NULL, ERR_INVAL },
		{ "127.0.0.1:0", "/nonexistent/cert.pem", ERR_INVAL },
	};
	for (i = 0; i < N(cases); i++) {
		why.text[0] = '\0';
		assert_int_equal(start(&h, cases[i].address, cases[i].cert,
		    NULL, &why), cases[i].want);
		assert_null(h);
		assert_string_not_equal(why.text, "");
	}
	httpd_stop(&first);
}

static int
lowest_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void
tls_with_files_that_are_not_pem_is_refused(void **state)
{
	struct httpd *h;
	struct diag why = { "" };
	char dir[] = "/tmp/postern-httpd-XXXXXX", cert[64], key[64];
	int i, fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	snprintf(key, sizeof(key), "%s/key.pem", dir);
	assert_int_equal(start(&h, "127.0.0.1:0", cert, key, &why), ERR_NOENT);
	assert_int_equal(file_write(cert, "x", 1, 0644, NULL), 0);
	assert_int_equal(file_write(key, "x", 1, 0644, NULL), 0);
	assert_int_equal(start(&h, "127.0.0.1:0", cert, key, &why), ERR_AUTH);
	assert_int_equal(chmod(key, 0600), 0);
	fd = lowest_fd();
	for (i = 0; i < 5; i++)
		assert_int_equal(start(&h, "127.0.0.1:0", cert, key, &why),
		    ERR_INVAL);
	assert_int_equal(lowest_fd(), fd);
	assert_int_equal(file_remove_tree(dir, NULL), 0);
}

static void
tls_with_a_certificate_is_served(void **state)
{
	struct httpd *h;
	char dir[] = "/tmp/postern-httpd-XXXXXX", cert[64], key[64], cmd[400];
	struct diag why = { "" };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	snprintf(key, sizeof(key), "%s/key.pem", dir);
	snprintf(cmd, sizeof(cmd), "umask 077; openssl req -x509 -newkey "
	    "ec:/dev/stdin -nodes -keyout %s -out %s -days 2 -subj "
	    "/CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null "
	    "<<EOF\n$(openssl ecparam -name prime256v1)\nEOF", key, cert);
	if (system(cmd) != 0) {
		file_remove_tree(dir, NULL);
		skip();
	}
	if (start(&h, "127.0.0.1:0", cert, key, &why) < 0)
		fail_msg("%s", why.text);
	snprintf(cmd, sizeof(cmd), "curl -sS --noproxy '*' --max-time 10 "
	    "--cacert %s %s/a | grep -q '^.GET./a'", cert, httpd_url(h));
	assert_int_equal(strncmp(httpd_url(h), "https://127.0.0.1:", 18), 0);
	assert_int_equal(system(cmd), 0);
	httpd_stop(&h);
	file_remove_tree(dir, NULL);
}

static void
address_is_read_and_written_alike(void **state)
{
	static const struct {
		const char *in, *want;
		bool loopback;
	} cases[] = {
		{ "127.0.0.1:80", "127.0.0.1:80", true },
		{ "127.9.9.9:1", "127.9.9.9:1", true },
		{ "localhost:0", "127.0.0.1:0", true },
		{ "[::1]:443", "[::1]:443", true },
		{ "[2001:db8::1]:65535", "[2001:db8::1]:65535", false },
		{ "0.0.0.0:8025", "0.0.0.0:8025", false },
		{ "128.0.0.1:1", "128.0.0.1:1", false },
	};
	union httpd_address at;
	char out[HTTPD_ADDRESS_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		assert_int_equal(httpd_resolve(cases[i].in, &at, NULL), 0);
		httpd_address_text(&at, out);
		assert_string_equal(out, cases[i].want);
		assert_int_equal(httpd_is_loopback(&at), cases[i].loopback);
	}
}

static void
target_is_judged_as_it_was_sent(void **state)
{
	static const struct { const char *in; bool want; } cases[] = {
		{ "/", true }, { "/a?b=%41", true }, { "/%c3%a9", true },
		{ "", false }, { "*", false }, { "/%", false },
		{ "/%0", false }, { "/%00", false }, { "/?%00", false },
		{ "/%4g", false }, { "/a\tb", false }, { "/\x7f", false },
		{ "/%2500", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++)
		if (httpd_is_target(cases[i].in) != cases[i].want)
			fail_msg("%s", cases[i].in);
}

static void
head_is_judged_by_what_stands_there_once(void **state)
{
	static const struct {
		const char *name[3], *val[3], *method, *version;
		int want;
	} cases[] = {
		{ { "Host" }, { "x" }, "GET", "HTTP/1.1", 0 },
		{ { "HOST" }, { "x" }, "PUT", "HTTP/1.0", 0 },
		{ { "Host" }, { NULL }, "GET", "HTTP/1.1", 400 },
		{ { "X" }, { "x" }, "GET", "HTTP/1.1", 400 },
		{ { "Host", "Host" }, { "x", "x" }, "GET", "HTTP/1.1", 400 },
		{ { "Host", "X" }, { "x", "a\tb" }, "GET", "HTTP/1.1", 0 },
		{ { "Host", "X" }, { "x", "a\x01" }, "GET", "HTTP/1.1", 400 },
		{ { "Host", "X Y" }, { "x", "" }, "GET", "HTTP/1.1", 400 },
		{ { "Host", "" }, { "x", "" }, "GET", "HTTP/1.1", 400 },
		{ { "Host", "Content-Length" }, { "x", "10" }, "POST",
		    "HTTP/1.1", 0 },
		{ { "Host", "Content-Length" }, { "x", "11" }, "POST",
		    "HTTP/1.1", 413 },
		{ { "Host", "Content-Length" }, { "x", "-1" }, "POST",
		    "HTTP/1.1", 400 },
		{ { "Host", "Content-Length", "Transfer-Encoding" },
		    { "x", "1", "chunked" }, "POST", "HTTP/1.1", 400 },
		{ { "Host", "Transfer-Encoding" }, { "x", "Chunked" }, "POST",
		    "HTTP/1.1", 0 },
		{ { "Host", "Transfer-Encoding" }, { "x", "chunked" }, "POST",
		    "HTTP/1.0", 400 },
		{ { "Host" }, { "x" }, "TRACE", "HTTP/1.1", 501 },
		{ { "Host" }, { "x" }, "GET", "HTTP/1.2", 505 },
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct httpd_head head = { .len = HTTPD_HEAD_MAX };

		for (j = 0; j < 3 && cases[i].name[j] != NULL; j++)
			httpd_head_add(&head, cases[i].name[j],
			    strlen(cases[i].name[j]), cases[i].val[j],
			    cases[i].val[j] ? strlen(cases[i].val[j]) : 0);
		assert_int_equal(httpd_head_status(&head, "/",
		    cases[i].method, cases[i].version, 10), cases[i].want);
		head.len++;
		assert_int_equal(httpd_head_status(&head, "/",
		    cases[i].method, cases[i].version, 10), 431);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    address_that_cannot_be_is_refused_with_a_reason),
		cmocka_unit_test(tls_with_files_that_are_not_pem_is_refused),
		cmocka_unit_test(tls_with_a_certificate_is_served),
		cmocka_unit_test(address_is_read_and_written_alike),
		cmocka_unit_test(target_is_judged_as_it_was_sent),
		cmocka_unit_test(head_is_judged_by_what_stands_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
