/*
 * test_auth.c - bearer tokens: made once, kept hashed, told apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "controller/auth.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

struct fixture { char dir[64]; struct store *s; struct auth *a; };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-auth-XXXXXX");
	*state = f;
	if (mkdtemp(f->dir) == NULL || store_open(&f->s, f->dir, NULL) != 0)
		return -1;
	return auth_open(&f->a, f->s, f->dir, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	auth_close(&f->a);
	store_close(&f->s);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

/* The token in the file, without its end of line. */
static void
admin_token(struct fixture *f, char out[AUTH_TOKEN_LEN + 1])
{
	char path[96];
	struct buf b;

	snprintf(path, sizeof(path), "%s/%s", f->dir, AUTH_TOKEN_FILE);
	buf_init(&b, 0);
	assert_int_equal(file_read_secret(path, 4096, &b, NULL), 0);
	assert_int_equal(b.len, AUTH_TOKEN_LEN + 1);
	assert_int_equal(b.data[AUTH_TOKEN_LEN], '\n');
	memcpy(out, b.data, AUTH_TOKEN_LEN);
	out[AUTH_TOKEN_LEN] = '\0';
	buf_fini(&b);
}

static void
first_start_writes_a_token_that_opens(void **state)
{
	struct fixture *f = *state;
	char token[AUTH_TOKEN_LEN + 1], header[128];
	const char *name;

	admin_token(f, token);
	snprintf(header, sizeof(header), "Bearer %s", token);
	assert_int_equal(auth_check(f->a, header, &name, NULL), 0);
	assert_string_equal(name, "admin");
	snprintf(header, sizeof(header), "bearer   %s", token);
	assert_int_equal(auth_check(f->a, header, &name, NULL), 0);
}

static void
second_start_keeps_the_token_and_writes_none(void **state)
{
	struct fixture *f = *state;
	char token[AUTH_TOKEN_LEN + 1], header[128], path[96];
	const char *name;
	struct stat st;

	admin_token(f, token);
	snprintf(path, sizeof(path), "%s/%s", f->dir, AUTH_TOKEN_FILE);
	assert_int_equal(remove(path), 0);
	auth_close(&f->a);
	assert_int_equal(auth_open(&f->a, f->s, f->dir, NULL), 0);
	assert_int_equal(stat(path, &st), -1);
	snprintf(header, sizeof(header), "Bearer %s", token);
	assert_int_equal(auth_check(f->a, header, &name, NULL), 0);
}

static void
header_without_the_token_is_refused(void **state)
{
	struct fixture *f = *state;
	char token[AUTH_TOKEN_LEN + 1], t[4][128];
	const char *name;
	size_t i;

	admin_token(f, token);
	snprintf(t[0], sizeof(t[0]), "Basic %s", token);
	snprintf(t[1], sizeof(t[1]), "Bearer %sA", token);
	snprintf(t[2], sizeof(t[2]), "Bearer %.*s", AUTH_TOKEN_LEN - 1, token);
	snprintf(t[3], sizeof(t[3]), "Bearer %s", token);
	t[3][20] ^= 1;
	for (i = 0; i < 4; i++) {
		assert_int_equal(auth_check(f->a, t[i], &name, NULL),
		    ERR_AUTH);
		assert_null(name);
	}
	assert_int_equal(auth_check(f->a, NULL, &name, NULL), ERR_AUTH);
	assert_int_equal(auth_check(f->a, "", &name, NULL), ERR_AUTH);
	assert_int_equal(auth_check(f->a, "Bearer", &name, NULL), ERR_AUTH);
	assert_int_equal(auth_check(f->a, "Bearer ", &name, NULL), ERR_AUTH);
	assert_int_equal(auth_check(f->a, token, &name, NULL), ERR_AUTH);
}

static void
on_row(void *arg, const char *key, const char *json)
{
	char token[AUTH_TOKEN_LEN + 1];

	admin_token(arg, token);
	assert_string_equal(key, "admin");
	assert_null(strstr(json, token));
	assert_null(strstr(json, token + strlen("postern-")));
}

static void
store_holds_no_token_in_the_clear(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_row_scan(f->s, "api_token", on_row, f, NULL),
	    0);
}

static void
damaged_row_is_an_error_and_no_open_door(void **state)
{
	static const char *const rows[] = {
		"{}", "[", "{\"hash\":\"\"}", "{\"hash\":\"00\"}",
		"{\"hash\":17}",
	};
	struct fixture *f = *state;
	size_t i;

	auth_close(&f->a);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(store_row_put(f->s, "api_token", "x",
		    rows[i], NULL), 0);
		assert_int_equal(auth_open(&f->a, f->s, f->dir, NULL),
		    ERR_CORRUPT);
		assert_null(f->a);
	}
}

static void
tokens_made_twice_differ_and_so_do_their_hashes(void **state)
{
	char a[AUTH_TOKEN_LEN + 1], b[AUTH_TOKEN_LEN + 1];
	uint8_t ha[AUTH_HASH_LEN], hb[AUTH_HASH_LEN];

	(void)state;
	auth_token_new(a);
	auth_token_new(b);
	assert_int_equal(strlen(a), AUTH_TOKEN_LEN);
	assert_string_not_equal(a, b);
	auth_token_hash(a, ha);
	auth_token_hash(b, hb);
	assert_memory_not_equal(ha, hb, sizeof(ha));
	auth_token_hash(a, hb);
	assert_memory_equal(ha, hb, sizeof(ha));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_start_writes_a_token_that_opens),
		TEST(second_start_keeps_the_token_and_writes_none),
		TEST(header_without_the_token_is_refused),
		TEST(store_holds_no_token_in_the_clear),
		TEST(damaged_row_is_an_error_and_no_open_door),
		TEST(tokens_made_twice_differ_and_so_do_their_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
