/*
 * test_policy_request.c - the policy protocol: what Postfix really sends, and
 * what it never should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/policy_request.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/mail/addr.h"

#define RECORDED "tests/fixtures/mta/policy-requests-postfix-3.7.11.txt"
#define HEAD "request=smtpd_access_policy\n"

static int
parse(const char *data, size_t len, struct policy_request *r, size_t *used)
{
	struct policy_parser p = { 0 };

	return policy_request_parse(&p, data, len, r, used, NULL);
}

/* The last recorded senders, as they came and as they are stored. */
static const struct { const char *raw, *canonical; } odd[] = {
	{ "b\xc3\xbc" "cher@b\xc3\xbc" "cher.example",
	    "b\xc3\xbc" "cher@xn--bcher-kva.example" },
	{ "a b\"c@x.example", "\"a b\\\"c\"@x.example" },
	{ "u@[192.0.2.1]", "u@[192.0.2.1]" },
	{ "u@x.example", "u@x.example" },
	{ "U@X.EXAMPLE.", "u@x.example" },
	{ "bare", "bare" },
};
#define RECORDED_N 21
#define ODD_N (sizeof(odd) / sizeof(odd[0]))

static void
check_recorded(const struct policy_request *r, size_t n)
{
	struct addr a;

	assert_int_equal(r->client_address.len, strlen("127.0.0.1"));
	assert_memory_equal(r->client_address.p, "127.0.0.1", 9);
	assert_int_equal(r->server_port.len, 4);
	assert_memory_equal(r->server_port.p, "2525", 4);
	/* sent, but empty: not the same as not sent */
	assert_non_null(r->sasl_username.p);
	assert_int_equal(r->sasl_username.len, 0);
	if (n < RECORDED_N - ODD_N)
		return;
	n -= RECORDED_N - ODD_N;
	assert_int_equal(r->sender.len, strlen(odd[n].raw));
	assert_memory_equal(r->sender.p, odd[n].raw, r->sender.len);
	assert_int_equal(addr_parse(&a, r->sender.p, r->sender.len,
	    ADDR_UNQUOTED, NULL), 0);
	assert_string_equal(a.text, odd[n].canonical);
}

static void
request_recorded_from_postfix_is_read(void **state)
{
	struct policy_request r;
	char *p, *end;
	size_t used, n = 0;
	struct buf text;
	struct diag why;

	(void)state;
	buf_init(&text, 1 << 20);
	assert_int_equal(file_read(RECORDED, 1 << 20, &text, &why), 0);
	for (p = strstr(text.data, "---\n"); p != NULL; p = end) {
		struct buf one;

		p += 4;
		end = strstr(p, "---\n");
		buf_init(&one, 0);
		buf_put(&one, p, end == NULL ? strlen(p) : (size_t)(end - p));
		while (one.len > 0 && one.data[one.len - 1] == '\n')
			one.len--;
		buf_puts(&one, "\n\n");
		if (strncmp(one.data, "request=", 8) == 0) {
			assert_int_equal(parse(one.data, one.len, &r, &used),
			    0);
			assert_int_equal(used, one.len);
			check_recorded(&r, n++);
		}
		buf_fini(&one);
	}
	assert_int_equal(n, RECORDED_N);
	buf_fini(&text);
}

static void
request_malformed_is_refused(void **state)
{
	static const struct { const char *in; size_t len; int want; } rows[] = {
#define ROW(s, want) { s, sizeof(s) - 1, want }
	    ROW(HEAD "\n", 0),
	    ROW(HEAD "sender=\nrecipient=a=b@c\nunknown=1\n\n", 0),
	    ROW(HEAD "sender=a\nsender=a\n\n", 0),
	    ROW(HEAD "sender=a\nsender=b\n\n", ERR_INVAL),
	    ROW(HEAD "sender=a\0b\n\n", ERR_INVAL),
	    ROW(HEAD "sender=a\r\n\n", ERR_INVAL),
	    ROW(HEAD "sender\n\n", ERR_INVAL),
	    ROW(HEAD "=x\n\n", ERR_INVAL),
	    ROW("sender=a\n\n", ERR_INVAL),
	    ROW("request=other\n\n", ERR_INVAL),
	    ROW("\n", ERR_INVAL),
	    ROW("", ERR_AGAIN),
	    ROW(HEAD, ERR_AGAIN),
	    ROW(HEAD "sender=a", ERR_AGAIN),
#undef ROW
	};
	struct policy_request r;
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(parse(rows[i].in, rows[i].len, &r, &used),
		    rows[i].want);
}

static void
request_without_an_end_is_too_big_at_64_kilobytes(void **state)
{
	char *data = malloc(POLICY_REQUEST_MAX);
	struct policy_request r;
	size_t used;

	(void)state;
	memset(data, 'x', POLICY_REQUEST_MAX);
	assert_int_equal(parse(data, POLICY_REQUEST_MAX - 1, &r, &used),
	    ERR_AGAIN);
	assert_int_equal(parse(data, POLICY_REQUEST_MAX, &r, &used),
	    ERR_TOOBIG);
	free(data);
}

static void
request_one_byte_at_a_time_is_looked_through_once(void **state)
{
	static const char text[] = HEAD "sender=a@b\nrecipient=c@d\n\n";
	struct policy_parser p = { 0 };
	struct policy_request r;
	size_t n, used;

	(void)state;
	for (n = 0; n < sizeof(text) - 2; n++) {
		assert_int_equal(policy_request_parse(&p, text, n, &r, &used,
		    NULL), ERR_AGAIN);
		assert_int_equal(p.scanned, n);
	}
	assert_int_equal(policy_request_parse(&p, text, sizeof(text) - 1, &r,
	    &used, NULL), 0);
	assert_int_equal(used, sizeof(text) - 1);
	assert_int_equal(p.scanned, 0);
	assert_memory_equal(r.sender.p, "a@b", 3);
}

/* Each call begins where the last one ended, up to the limit. */
static void
request_of_64_kilobytes_byte_by_byte_ends_at_the_limit(void **state)
{
	char *data = malloc(POLICY_REQUEST_MAX);
	struct policy_parser p = { 0 };
	struct policy_request r;
	size_t n, used;

	(void)state;
	for (n = 0; n < POLICY_REQUEST_MAX; n++)
		data[n] = n % 8 == 7 ? '\n' : n % 8 == 3 ? '=' : 'x';
	for (n = 1; n < POLICY_REQUEST_MAX; n++) {
		assert_int_equal(policy_request_parse(&p, data, n, &r, &used,
		    NULL), ERR_AGAIN);
		assert_int_equal(p.scanned, n);
	}
	assert_int_equal(policy_request_parse(&p, data, n, &r, &used, NULL),
	    ERR_TOOBIG);
	free(data);
}

static void
request_behind_another_is_left_for_the_next_call(void **state)
{
	static const char text[] = HEAD "sender=a\n\n" HEAD "sender=b\n\n";
	struct policy_request r;
	size_t used, more;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &r, &used), 0);
	assert_memory_equal(r.sender.p, "a", 1);
	assert_int_equal(parse(text + used, sizeof(text) - 1 - used, &r,
	    &more), 0);
	assert_memory_equal(r.sender.p, "b", 1);
	assert_int_equal(used + more, sizeof(text) - 1);
}

/* The sender of a request, read line by line; ERR_INVAL, ERR_AGAIN. */
static int
read_slowly(const char *data, size_t len, struct value *sender, size_t *used)
{
	const char *at = data, *end = data + len, *nl, *eq;
	bool bad = false, is_request = false;

	memset(sender, 0, sizeof(*sender));
	for (; (nl = memchr(at, '\n', (size_t)(end - at))) != NULL;
	    at = nl + 1) {
		size_t n = (size_t)(nl - at);
		struct value v;

		if (n == 0) {
			*used = (size_t)(nl - data) + 1;
			return bad || !is_request ? ERR_INVAL : 0;
		}
		eq = memchr(at, '=', n);
		if (eq == NULL || eq == at || memchr(at, 0, n) != NULL ||
		    memchr(at, '\r', n) != NULL) {
			bad = true;
			continue;
		}
		v = (struct value){ eq + 1, (size_t)(nl - eq) - 1 };
		is_request |= n == sizeof(HEAD) - 2 &&
		    memcmp(at, HEAD, n) == 0;
		if (eq - at != 6 || memcmp(at, "sender", 6) != 0)
			continue;
		bad |= sender->p != NULL && (sender->len != v.len ||
		    memcmp(sender->p, v.p, v.len) != 0);
		*sender = v;
	}
	return ERR_AGAIN;
}

/* A request whose lines lie anywhere; now and then something is wrong. */
static size_t
make_request(unsigned *seed, char *out)
{
	static const char *const wrong[] = { "sender\n", "=x\n", "a=\rb\n",
	    "sender=other\n", "\n", "requests=x\n", "senders=x\n" };
	size_t n = 0, lines = (size_t)(rand_r(seed) % 12), len;

	n += (size_t)sprintf(out, "%s", rand_r(seed) % 8 == 0 ? "" : HEAD);
	for (; lines > 0; lines--) {
		if (rand_r(seed) % 24 == 0) {
			n += (size_t)sprintf(out + n, "%s", wrong[rand_r(seed) %
			    (sizeof(wrong) / sizeof(wrong[0]))]);
			continue;
		}
		n += (size_t)sprintf(out + n, rand_r(seed) % 4 == 0 ?
		    "sender=a@b" : "other=");
		if (out[n - 1] == '=')
			for (len = (size_t)(rand_r(seed) % 130); len > 0; len--)
				out[n++] = rand_r(seed) % 9 == 0 ? '=' : 'v';
		if (rand_r(seed) % 40 == 0)
			out[n - 1] = '\0';
		out[n++] = '\n';
	}
	out[n++] = '\n';
	return n;
}

static void
request_is_read_as_line_by_line_wherever_its_lines_lie(void **state)
{
	static char text[4096];
	struct policy_parser p;
	struct policy_request r;
	unsigned seed = 1;
	int i;

	(void)state;
	for (i = 0; i < 200000; i++) {
		size_t len = make_request(&seed, text), used = 0, want_used = 0;
		size_t part = (size_t)rand_r(&seed) % (len + 1);
		struct value sender;
		int rc, want = read_slowly(text, len, &sender, &want_used);

		p.scanned = 0;
		rc = policy_request_parse(&p, text, part, &r, &used, NULL);
		if (rc == ERR_AGAIN) {
			assert_true(want_used > part);
			rc = policy_request_parse(&p, text, len, &r, &used,
			    NULL);
		}
		assert_int_equal(rc, want);
		if (rc < 0)
			continue;
		assert_int_equal(used, want_used);
		assert_ptr_equal(r.sender.p, sender.p);
		assert_int_equal(r.sender.len, sender.len);
	}
}

static void
request_attributes_each_have_their_place(void **state)
{
	struct policy_request r;
	size_t used;

	(void)state;
#define PUT(f) #f "=" #f "\n"
	static const char text[] = HEAD PUT(protocol_state) PUT(sender)
	    PUT(recipient) PUT(client_address) PUT(client_name)
	    PUT(reverse_client_name) PUT(helo_name) PUT(instance)
	    PUT(queue_id) PUT(sasl_username) PUT(sasl_method)
	    PUT(policy_context) PUT(size) PUT(server_port) "\n";
#undef PUT
	assert_int_equal(parse(text, sizeof(text) - 1, &r, &used), 0);
#define IS(f) assert_int_equal(r.f.len, strlen(#f)); \
	assert_memory_equal(r.f.p, #f, strlen(#f))
	IS(protocol_state);
	IS(sender);
	IS(recipient);
	IS(client_address);
	IS(client_name);
	IS(reverse_client_name);
	IS(helo_name);
	IS(instance);
	IS(queue_id);
	IS(sasl_username);
	IS(sasl_method);
	IS(policy_context);
	IS(size);
	IS(server_port);
#undef IS
}

static void
reply_is_one_line_whatever_the_action_holds(void **state)
{
	char out[POLICY_REPLY_MAX], longer[2000];
	size_t n = policy_reply_format(out, "550 5.7.1 no\naction=OK\r");

	(void)state;
	assert_int_equal(n, strlen("action=550 5.7.1 no?action=OK?") + 2);
	assert_memory_equal(out, "action=550 5.7.1 no?action=OK?\n\n", n);
	n = policy_reply_format(out, "550 5.7.1 k\xc3\xbc" "che closed");
	assert_memory_equal(out, "action=550 5.7.1 k??che closed\n\n", n);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	n = policy_reply_format(out, longer);
	assert_int_equal(n, POLICY_REPLY_MAX);
	assert_memory_equal(out + n - 2, "\n\n", 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_recorded_from_postfix_is_read),
		cmocka_unit_test(request_malformed_is_refused),
		cmocka_unit_test(
		    request_without_an_end_is_too_big_at_64_kilobytes),
		cmocka_unit_test(
		    request_one_byte_at_a_time_is_looked_through_once),
		cmocka_unit_test(
		    request_is_read_as_line_by_line_wherever_its_lines_lie),
		cmocka_unit_test(request_attributes_each_have_their_place),
		cmocka_unit_test(
		    request_of_64_kilobytes_byte_by_byte_ends_at_the_limit),
		cmocka_unit_test(
		    request_behind_another_is_left_for_the_next_call),
		cmocka_unit_test(reply_is_one_line_whatever_the_action_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
