/*
 * test_join.c - a node joins a fleet by a token: once, in time, and only the
 * one whose root the token names.
 */
#include "tests/unit/fleet_fixture.h"

#include "node/join.h"

/* A token as text; change, if there is one, falsifies it first. */
static char *
token(struct fixture *f, uint64_t ttl_ms, void (*change)(struct join_token *))
{
	struct join_token t;
	int64_t expires;
	struct buf b;

	buf_init(&b, 0);
	assert_int_equal(fleet_token(f->f, ttl_ms, NULL, &b, &expires, NULL),
	    0);
	if (change != NULL) {
		assert_int_equal(token_parse(b.data, &t, NULL), 0);
		change(&t);
		buf_reset(&b);
		token_format(&t, &b);
	}
	return buf_steal(&b);
}

/* Try to join; a refusal must say so. */
static int
try(const char *text, const char *says)
{
	struct node_identity *id = identity_new();
	struct diag why = { "" };
	int rc = join(text, "mx1", id, &why);

	if (rc == 0)
		assert_int_equal(id->cert_len > 0, 1);
	if (says != NULL && strstr(why.text, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, says);
	identity_free(&id);
	return rc;
}

static void
token_serves_once(void **state)
{
	struct fixture *f = *state;
	char *text = token(f, 60000, NULL);
	struct node_info n;

	assert_int_equal(try(text, NULL), 0);
	assert_int_equal(fleet_node(f->f, "mx1", &n), 0);
	assert_int_equal(try(text, "used or expired"), ERR_AUTH);
	assert_int_equal(fleet_node(f->f, "mx1-2", &n), ERR_NOENT);
	free(text);
}

static void
token_that_has_expired_is_refused(void **state)
{
	struct fixture *f = *state;
	char *text = token(f, 0, NULL);

	assert_int_equal(try(text, "expired"), ERR_AUTH);
	free(text);
}

static void
of_another_root(struct join_token *t)
{
	t->root_hash[0] ^= 1;
}

static void
of_another_secret(struct join_token *t)
{
	t->secret[0] ^= 1;
}

static void
token_for_another_root_is_refused_by_the_node(void **state)
{
	struct fixture *f = *state;
	char *text = token(f, 60000, of_another_root);

	assert_int_equal(try(text, "root key is not the one"), ERR_AUTH);
	free(text);
}

static void
token_that_nobody_made_is_refused(void **state)
{
	struct fixture *f = *state;
	char *text = token(f, 60000, of_another_secret);
	struct node_info n;

	assert_int_equal(try(text, "unknown"), ERR_AUTH);
	assert_int_equal(fleet_node(f->f, "mx1", &n), ERR_NOENT);
	free(text);
}

/* A controller that shows the right root key, and a certificate that this
 * root never signed. */
static void
certificate_of_another_root_is_refused_by_the_node(void **state)
{
	struct publisher_cert c = { .serial = 1,
	    .not_after_us = INT64_MAX / 2 };
	struct fixture *f = *state;
	struct sign_key *stranger, *key;
	char *text;

	fleet_stop(&f->f);
	signer_unref(&f->signer);
	assert_int_equal(sign_key_new(&stranger), 0);
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(signer_make(&f->signer, stranger, &key, &c), 0);
	assert_int_equal(start(f), 0);
	text = token(f, 60000, NULL);
	assert_int_equal(try(text, "certificate"), ERR_AUTH);
	free(text);
	sign_key_free(&stranger);
}

static void
certificate_that_has_ended_is_refused_by_the_node(void **state)
{
	struct publisher_cert c = { .serial = 1, .not_after_us = 1 };
	struct fixture *f = *state;
	struct sign_key *key;
	char *text;

	fleet_stop(&f->f);
	signer_unref(&f->signer);
	assert_int_equal(sign_key_new(&key), 0);
	assert_int_equal(signer_make(&f->signer, f->root, &key, &c), 0);
	assert_int_equal(start(f), 0);
	text = token(f, 60000, NULL);
	assert_int_equal(try(text, "expired"), ERR_TIMEOUT);
	free(text);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(token_serves_once),
		T(token_that_has_expired_is_refused),
		T(token_for_another_root_is_refused_by_the_node),
		T(token_that_nobody_made_is_refused),
		T(certificate_of_another_root_is_refused_by_the_node),
		T(certificate_that_has_ended_is_refused_by_the_node),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
