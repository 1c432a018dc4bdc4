/*
 * test_keys.c - key files, certificates, join tokens, hex.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/base/err.h"
#include "proto/wire/keys.h"

static void
cert_opens_under_its_root_until_its_end(void **state)
{
	struct publisher_cert c = { .serial = 7, .not_after_us = 1000 }, got;
	struct sign_key *root, *other;
	struct buf out;

	(void)state;
	memset(c.key, 5, sizeof(c.key));
	assert_int_equal(sign_key_new(&root), 0);
	assert_int_equal(sign_key_new(&other), 0);
	buf_init(&out, 0);
	assert_int_equal(cert_make(root, &c, &out), 0);
	assert_int_equal(cert_open(sign_key_public(root), out.data, out.len,
	    999, &got, NULL), 0);
	assert_int_equal(got.serial, 7);
	assert_memory_equal(got.key, c.key, sizeof(c.key));
	assert_int_equal(cert_open(sign_key_public(root), out.data, out.len,
	    1000, &got, NULL), ERR_TIMEOUT);
	assert_int_equal(cert_open(sign_key_public(other), out.data, out.len,
	    999, &got, NULL), ERR_AUTH);
	buf_fini(&out);
	sign_key_free(&root);
	sign_key_free(&other);
}

static void
key_file_is_private_and_never_overwritten(void **state)
{
	char dir[] = "/tmp/postern-keys-XXXXXX", path[64];
	struct sign_key *key, *got;
	struct diag why;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/root.key", dir);
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(sign_key_save(key, path, &why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(sign_key_save(key, path, &why), ERR_EXISTS);
	assert_int_equal(sign_key_load(&got, path, &why), 0);
	assert_memory_equal(sign_key_public(key), sign_key_public(got),
	    SIGN_PUBLIC_LEN);
	sign_key_free(&got);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(sign_key_load(&got, path, &why), ERR_AUTH);
	assert_null(got);
	unlink(path);
	rmdir(dir);
	sign_key_free(&key);
}

static void
token_comes_back_and_a_damaged_one_is_told(void **state)
{
	struct join_token t = { .endpoint = "tcp://127.0.0.1:4001",
	    .expires_us = 99 }, got;
	struct diag why;
	struct buf out;
	char last;

	(void)state;
	memset(t.secret, 3, sizeof(t.secret));
	buf_init(&out, 0);
	token_format(&t, &out);
	assert_int_equal(token_parse(out.data, &got, &why), 0);
	assert_string_equal(got.endpoint, t.endpoint);
	assert_memory_equal(got.secret, t.secret, sizeof(t.secret));
	assert_int_equal(got.expires_us, 99);
	last = out.data[30];
	out.data[30] = last == 'A' ? 'B' : 'A';
	assert_int_equal(token_parse(out.data, &got, &why), ERR_INVAL);
	out.data[30] = last;
	out.data[out.len - 5] = '\0';
	assert_int_equal(token_parse(out.data, &got, &why), ERR_INVAL);
	assert_non_null(strstr(why.text, "copy it again"));
	assert_int_equal(token_parse("nonsense", &got, &why), ERR_INVAL);
	buf_fini(&out);
}

/* Each prefix of a token is refused: a paste that lost its end. */
static void
token_cut_anywhere_is_refused(void **state)
{
	struct join_token t = { .endpoint = "tcp://[::1]:1" }, got;
	struct buf out;
	size_t n;

	(void)state;
	memset(t.endpoint, 'e', sizeof(t.endpoint) - 1);
	buf_init(&out, 0);
	token_format(&t, &out);
	assert_int_equal(token_parse(out.data, &got, NULL), 0);
	assert_string_equal(got.endpoint, t.endpoint);
	for (n = out.len; n-- > 0;) {
		out.data[n] = '\0';
		assert_int_equal(token_parse(out.data, &got, NULL),
		    ERR_INVAL);
	}
	buf_fini(&out);
}

static void
hex_of_any_other_length_or_letter_is_refused(void **state)
{
	static const char *const bad[] = { "", "00", "00010", "0001020",
	    "00010g", "0001 2", "000102 ", "00:01:02" };
	uint8_t raw[3] = { 0, 0xab, 0xff };
	char text[7];
	size_t i;

	(void)state;
	hex_format(raw, sizeof(raw), text);
	assert_string_equal(text, "00abff");
	memset(raw, 0, sizeof(raw));
	assert_int_equal(hex_parse(text, raw, sizeof(raw)), 0);
	assert_memory_equal(raw, "\0\xab\xff", 3);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hex_parse(bad[i], raw, sizeof(raw)),
		    ERR_INVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cert_opens_under_its_root_until_its_end),
		cmocka_unit_test(key_file_is_private_and_never_overwritten),
		cmocka_unit_test(token_comes_back_and_a_damaged_one_is_told),
		cmocka_unit_test(token_cut_anywhere_is_refused),
		cmocka_unit_test(hex_of_any_other_length_or_letter_is_refused),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
