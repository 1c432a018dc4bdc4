/*
 * test_fleet_reads.c - what a node says it reads: kept over a start, and held
 * against what is published before a policy is applied.
 */
#include "tests/unit/fleet_fixture.h"

#include "controller/http/api.h"

static const char document[] = "organization: "
    "{internal_domains: [acme.example]}\n";

static void
send_hello(struct sock *s, const struct hello *h)
{
	struct buf b;

	buf_init(&b, 0);
	frame_begin(&b, FRAME_HELLO);
	hello_encode(h, &b);
	tell(s, &b);
	buf_fini(&b);
}

static struct hello
ours(void)
{
	struct hello h = { .proto_min = WIRE_PROTOCOL,
	    .proto_max = WIRE_PROTOCOL, .record_format_min = RECORD_FORMAT,
	    .record_format = RECORD_FORMAT, .engine_min = DECIDE_ENGINE,
	    .engine = DECIDE_ENGINE };

	return h;
}

/* Wait until the controller knows so; it must. */
static void
wait_able(struct fixture *f, bool able)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	struct node_info n;

	do {
		assert_int_equal(fleet_node(f->f, "mx1", &n), 0);
		if (fleet_can_take(&n) == able && n.reads.proto_max != 0)
			return;
		sock_poll(NULL, 0, 5);
	} while (clock_mono_ms() < end);
	fail_msg("it is not known whether the node can take the policy");
}

/* POST /v1/apply; the answer, to be decref'd, and its status. */
static json_t *
apply(struct fixture *f, struct auth *auth, const char *more, int *status)
{
	struct api api = { .store = f->s, .fleet = f->f, .auth = auth };
	char token[256], authorization[300];
	struct httpd_request req = { .method = "POST", .path = "/v1/apply",
	    .authorization = authorization, .peer = "127.0.0.1" };
	struct httpd_reply reply = { .status = 200 };
	char path[100], *body;
	struct buf text;
	json_t *o;

	snprintf(path, sizeof(path), "%s/" AUTH_TOKEN_FILE, f->dir);
	buf_init(&text, 0);
	assert_int_equal(file_read(path, 1000, &text, NULL), 0);
	snprintf(token, sizeof(token), "%.*s", AUTH_TOKEN_LEN, text.data);
	snprintf(authorization, sizeof(authorization), "Bearer %s", token);
	buf_fini(&text);
	o = json_pack("{s:[{s:s, s:s}]}", "documents", "name", "a.yaml",
	    "text", document);
	if (more != NULL)
		json_object_set_new(o, more, json_true());
	body = json_dumps(o, 0);
	json_decref(o);
	req.body = body;
	req.body_len = strlen(body);
	buf_init(&reply.body, 0);
	pthread_mutex_lock(&f->lock);	/* as the controller does */
	api_handle(&api, &req, &reply);
	pthread_mutex_unlock(&f->lock);
	*status = reply.status;
	o = json_loads(reply.body.data, 0, NULL);
	assert_non_null(o);
	buf_fini(&reply.body);
	free(body);
	return o;
}

static void
range_of_a_node_is_kept_over_a_start(void **state)
{
	struct fixture *f = *state;
	struct hello h = ours();
	struct node_info n;
	struct enrolled e;
	struct sock *s;

	enter(f, &e);
	assert_int_equal(fleet_node(f->f, "mx1", &n), 0);
	assert_true(fleet_can_take(&n));	/* it did not say */
	s = dial(f, FLEET_CONTROL);
	send_hello(s, &h);
	wait_able(f, true);
	h.engine_min = h.engine = DECIDE_ENGINE + 1;
	send_hello(s, &h);
	wait_able(f, false);
	sock_close(&s);
	fleet_stop(&f->f);
	assert_int_equal(start(f), 0);
	assert_int_equal(fleet_node(f->f, "mx1", &n), 0);
	assert_false(fleet_can_take(&n));
	assert_int_equal(n.reads.engine_max, DECIDE_ENGINE + 1);
	/* revoked, the row keeps it, and nobody waits for the node */
	assert_int_equal(fleet_revoke(f->f, "mx1", NULL, NULL), 0);
	assert_int_equal(fleet_node(f->f, "mx1", &n), ERR_NOENT);
}

static void
range_around_ours_is_able_and_any_beside_it_is_not(void **state)
{
	static const struct { int proto, format, engine; } beside[] = {
		{ 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 },
	};
	struct node_info n = { .id = "" };
	size_t i;

	(void)state;
	n.reads = (struct node_reads){ 1, 9, 1, 9, 1, 9 };
	assert_true(fleet_can_take(&n));
	for (i = 0; i < 3; i++) {
		n.reads = (struct node_reads){
		    WIRE_PROTOCOL + (uint32_t)beside[i].proto, 9,
		    RECORD_FORMAT + (uint32_t)beside[i].format, 9,
		    DECIDE_ENGINE + (uint32_t)beside[i].engine, 9 };
		assert_false(fleet_can_take(&n));
	}
}

static void
apply_names_the_node_and_sends_nothing(void **state)
{
	struct fixture *f = *state;
	struct hello h = ours();
	struct auth *auth;
	struct enrolled e;
	struct sock *s;
	int status;
	json_t *o;

	assert_int_equal(auth_open(&auth, f->s, f->dir, NULL), 0);
	enter(f, &e);
	s = dial(f, FLEET_CONTROL);
	h.record_format_min = h.record_format = RECORD_FORMAT + 7;
	send_hello(s, &h);
	wait_able(f, false);
	o = apply(f, auth, NULL, &status);
	assert_int_equal(status, 409);
	assert_non_null(strstr(json_string_value(json_object_get(
	    json_object_get(o, "error"), "message")), "mx1 takes protocol 1 "
	    "to 1, record format 8 to 8"));
	json_decref(o);
	assert_int_equal(store_version(f->s), 0);
	o = apply(f, auth, "dry_run", &status);
	assert_int_equal(status, 200);
	assert_string_equal(json_string_value(json_object_get(json_array_get(
	    json_object_get(o, "unable"), 0), "id")), "mx1");
	json_decref(o);
	assert_int_equal(store_version(f->s), 0);
	json_decref(apply(f, auth, "leave_behind", &status));
	assert_int_equal(status, 200);
	assert_int_equal(store_version(f->s), 1);
	/* upgraded, it is in nobody's way */
	h = ours();
	send_hello(s, &h);
	wait_able(f, true);
	o = apply(f, auth, NULL, &status);
	assert_int_equal(status, 200);
	assert_int_equal(json_array_size(json_object_get(o, "unable")), 0);
	json_decref(o);
	sock_close(&s);
	auth_close(&auth);
}

/* It is told so, and the controller remembers. */
static void
node_of_another_protocol_is_refused_and_noted(void **state)
{
	struct fixture *f = *state;
	struct hello h = ours();
	struct enrolled e;
	struct sock *s;

	enter(f, &e);
	s = dial(f, FLEET_CONTROL);
	h.proto_min = h.proto_max = WIRE_PROTOCOL + 1;
	send_hello(s, &h);
	assert_true(hear(f, s, FRAME_REFUSED, WAIT_MS));
	wait_able(f, false);
	sock_close(&s);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(range_of_a_node_is_kept_over_a_start),
		T(range_around_ours_is_able_and_any_beside_it_is_not),
		T(apply_names_the_node_and_sends_nothing),
		T(node_of_another_protocol_is_refused_and_noted),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
