/*
 * api_fixture.h - a store, a token and messages in a folder, and one call of
 * the HTTP API after the other on them.
 */
#ifndef UNIT_API_FIXTURE_H
#define UNIT_API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/http/api.h"
#include "controller/messages/messages.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

struct fixture {
	char dir[64], authorization[128];
	struct api api;
	struct store *store;
	struct auth *auth;
	struct messages *messages;
	int status;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[128];
	struct buf token;

	strcpy(f->dir, "/tmp/postern-api-XXXXXX");
	*state = f;
	if (mkdtemp(f->dir) == NULL ||
	    store_open(&f->store, f->dir, NULL) < 0 ||
	    auth_open(&f->auth, f->store, f->dir, NULL) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/messages", f->dir);
	if (messages_open(&f->messages, path, NULL) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/" AUTH_TOKEN_FILE, f->dir);
	buf_init(&token, 0);
	if (file_read(path, 1000, &token, NULL) < 0)
		return -1;
	snprintf(f->authorization, sizeof(f->authorization), "Bearer %.*s",
	    AUTH_TOKEN_LEN, token.data);
	buf_fini(&token);
	f->api = (struct api){ .store = f->store, .auth = f->auth,
	    .messages = f->messages };
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	messages_close(&f->messages);
	auth_close(&f->auth);
	store_close(&f->store);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

/* Ask; the answer, to be decref'd, and f->status. */
static inline json_t *
ask(struct fixture *f, const char *method, const char *path, const char *body)
{
	const struct httpd_request req = { .method = method, .path = path,
	    .authorization = f->authorization, .peer = "127.0.0.1",
	    .body = body == NULL ? "" : body,
	    .body_len = body == NULL ? 0 : strlen(body) };
	struct httpd_reply reply = { .status = 200 };
	json_t *o;

	buf_init(&reply.body, 0);
	api_handle(&f->api, &req, &reply);
	f->status = reply.status;
	o = json_loads(reply.body.data, 0, NULL);
	assert_non_null(o);
	buf_fini(&reply.body);
	return o;
}

/* Ask for what must have this status; the text of its error holds says. */
static inline void
asked(struct fixture *f, int status, const char *says, const char *method,
    const char *path, const char *body)
{
	json_t *o = ask(f, method, path, body);
	const char *text = json_string_value(json_object_get(
	    json_object_get(o, "error"), "message"));

	assert_int_equal(f->status, status);
	if (says != NULL) {
		assert_non_null(text);
		assert_non_null(strstr(text, says));
	}
	json_decref(o);
}

static inline void
post(struct fixture *f, int status, const char *says, const char *path,
    const char *body)
{
	asked(f, status, says, "POST", path, body);
}

/* Put one item into the policy, as a manager. */
static inline void
put_item(struct fixture *f, const char *key, const char *value,
    const char *managers)
{
	const struct commit info = { .actor = "test", .action = "test" };
	struct change c = { 0 };
	struct diag why;
	uint64_t v;

	change_add(&c, key, items_get(store_items(f->store), key), value,
	    managers);
	assert_int_equal(store_commit(f->store, &c, &info, &v, &why), 0);
	change_fini(&c);
}

static inline const struct item *
get_item(struct fixture *f, const char *key)
{
	return items_get(store_items(f->store), key);
}

#endif
