/*
 * test_api.c - the HTTP API: its description held against its routes, and
 * requests that are refused before a handler sees them.
 */
#include "tests/unit/api_fixture.h"

/* The operation of a route in the OpenAPI document, or NULL. */
static const json_t *
operation(const json_t *doc, const struct api_route *r)
{
	char method[8];
	size_t i;

	for (i = 0; r->method[i] != '\0'; i++)
		method[i] = (char)(r->method[i] | 0x20);
	method[i] = '\0';
	return json_object_get(json_object_get(json_object_get(doc, "paths"),
	    r->path), method);
}

/* Is a parameter of that name and place described? */
static bool
has_parameter(const json_t *op, const char *name, size_t len, const char *in)
{
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(op, "parameters"), i, p) {
		const char *n = json_string_value(json_object_get(p, "name"));

		if (strlen(n) == len && memcmp(n, name, len) == 0 &&
		    strcmp(json_string_value(json_object_get(p, "in")),
		    in) == 0)
			return true;
	}
	return false;
}

static void
openapi_every_route_is_described(void **state)
{
	struct fixture *f = *state;
	json_t *doc = ask(f, "GET", "/v1/openapi.json", NULL);
	const struct api_route *r;

	assert_int_equal(f->status, 200);
	for (r = api_routes(); r->method != NULL; r++) {
		const json_t *op = operation(doc, r);
		const json_t *answers = json_object_get(op, "responses");
		const char *open = strchr(r->path, '{'), *q = r->query;

		assert_non_null(op);
		assert_true(json_is_string(json_object_get(op, "summary")));
		assert_non_null(json_object_get(answers, "200"));
		assert_non_null(json_object_get(answers, "401"));
		if (open != NULL)
			assert_true(has_parameter(op, open + 1,
			    strcspn(open + 1, "}"), "path"));
		while (q != NULL && *(q += strspn(q, " ")) != '\0') {
			assert_true(has_parameter(op, q, strcspn(q, ":"),
			    "query"));
			q += strcspn(q, " ");
		}
		assert_int_equal(strcmp(r->method, "POST") == 0,
		    json_is_object(json_object_get(op, "requestBody")));
	}
	json_decref(doc);
}

static void
openapi_nothing_is_described_that_is_no_route(void **state)
{
	struct fixture *f = *state;
	json_t *doc = ask(f, "GET", "/v1/openapi.json", NULL), *path, *op;
	const char *name, *method;
	size_t described = 0, routes = 0;
	const struct api_route *r;

	json_object_foreach(json_object_get(doc, "paths"), name, path)
		json_object_foreach(path, method, op)
			described++;
	for (r = api_routes(); r->method != NULL; r++)
		routes += operation(doc, r) != NULL;
	assert_int_equal(described, routes);
	json_decref(doc);
}

static void
request_malformed_is_refused_with_the_reason(void **state)
{
	static const struct { const char *body, *says; } bad[] = {
		{ "[]", "must be a JSON object" },
		{ "{\"a\"", "must be a JSON object" },
		{ "{\"add\":[],\"add\":[]}", "must be a JSON object" },
		{ "{\"ad\":[]}", "is \"add\" meant?" },
		{ "{\"add\":\"x.example\"}", "must be a list of texts" },
		{ "{\"add\":[1]}", "must be a list of texts" },
		{ "{\"create\":1}", "must be true or false" },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		post(f, 400, bad[i].says, "/v1/groups/g/entries",
		    bad[i].body);
	post(f, 400, "\"documents\" is missing", "/v1/apply", "{}");
	asked(f, 404, "openapi.json", "GET", "/v1/nothing", NULL);
	asked(f, 405, "not for", "DELETE", "/v1/status", NULL);
	assert_int_equal(store_version(f->store), 0);
}

static void
request_without_the_token_is_denied(void **state)
{
	struct fixture *f = *state;

	strcpy(f->authorization, "Bearer postern-0123456789");
	asked(f, 401, "bearer token", "GET", "/v1/status", NULL);
	asked(f, 401, "bearer token", "GET", "/v1/nothing", NULL);
}

static void
address_denied_often_waits_but_a_right_token_passes(void **state)
{
	struct fixture *f = *state;
	char right[sizeof(f->authorization)];
	int i;

	strcpy(right, f->authorization);
	strcpy(f->authorization, "Bearer postern-0123456789");
	for (i = 0; i < AUTH_RATE_MAX; i++)
		asked(f, 401, NULL, "GET", "/v1/status", NULL);
	asked(f, 429, "wait a minute", "GET", "/v1/status", NULL);
	strcpy(f->authorization, right);
	asked(f, 200, NULL, "GET", "/v1/status", NULL);
}

static void
denials_are_counted_by_address_and_forgotten(void **state)
{
	struct auth_rate r = { 0 };
	char peer[32];
	int i;

	(void)state;
	assert_int_equal(auth_rate_denied(&r, "192.0.2.1", 1000), 1);
	assert_int_equal(auth_rate_denied(&r, "192.0.2.1", 2000), 2);
	assert_int_equal(auth_rate_denied(&r, "192.0.2.2", 2000), 1);
	assert_int_equal(auth_rate_denied(&r, "192.0.2.1",
	    1000 + AUTH_RATE_MS), 1);
	/* a table full of others: the oldest goes, none is counted wrong */
	for (i = 0; i < 2 * AUTH_RATE_PEERS; i++) {
		snprintf(peer, sizeof(peer), "198.51.100.%d", i);
		assert_int_equal(auth_rate_denied(&r, peer, 70000 +
		    (uint64_t)i), 1);
	}
	assert_int_equal(auth_rate_denied(&r, peer, 71000), 2);
	assert_int_equal(r.denied, 5 + 2 * AUTH_RATE_PEERS);
}

static void
status_has_nodes_and_messages(void **state)
{
	struct fixture *f = *state;
	json_t *o = ask(f, "GET", "/v1/status", NULL);

	assert_int_equal(f->status, 200);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(
	    o, "nodes"), "total")), 0);
	assert_true(json_is_integer(json_object_get(o, "messages")));
	assert_true(json_is_array(json_object_get(o, "stale")));
	json_decref(o);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(openapi_every_route_is_described),
		T(openapi_nothing_is_described_that_is_no_route),
		T(request_malformed_is_refused_with_the_reason),
		T(request_without_the_token_is_denied),
		T(address_denied_often_waits_but_a_right_token_passes),
		cmocka_unit_test(denials_are_counted_by_address_and_forgotten),
		T(status_has_nodes_and_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
