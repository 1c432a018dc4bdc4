/*
 * test_milter_order.c - milter commands in every order, negotiation, and
 * messages that are meant to hurt.
 */
#include "tests/unit/milter_peer.h"

/* A whole command of each kind, right in itself. */
static const struct command { char c; const char *data; size_t len; }
    commands[] = {
	{ 'O', PEER_OFFER, 12 }, { 'D', "Ri\0Q1\0", 6 },
	{ 'C', PEER_CLIENT, sizeof(PEER_CLIENT) }, { 'H', "a.test\0", 7 },
	{ 'M', "<x@far.example>\0", 16 }, { 'R', "<al@acme.example>\0", 18 },
	{ 'T', "", 0 }, { 'L', "From\0a@b.example\0", 17 }, { 'N', "", 0 },
	{ 'B', "text\r\n", 6 }, { 'E', "", 0 }, { 'A', "", 0 },
	{ 'Q', "", 0 }, { 'K', "", 0 }, { 'U', "NOOP\0", 5 }, { 'z', "", 0 },
	{ '\0', "", 0 },
};
#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

/* What leads into each state, and the commands that may follow. */
static const struct { const char *path, *next; } states[] = {
	{ "", "OQ" },
	{ "O", "DCQKA" },
	{ "OC", "DHMQKAU" },
	{ "OCH", "DHMQKAU" },
	{ "OCHM", "DHMRTLNBEQKAU" },
	{ "OCHMR", "DHMRTLNBEQKAU" },
	{ "OCHMRT", "DHMLNBEQKAU" },
	{ "OCHMRTL", "DHMLNBEQKAU" },
	{ "OCHMRTLN", "DHMBEQKAU" },
	{ "OCHMRTLNB", "DHMBEQKAU" },
	{ "OCHMRTLNBE", "DHMQKAU" },
	{ "OCHMRA", "DHMQKAU" },
	{ "OCHMRTLNK", "DCQKA" },
	{ "OCHMRTLNKC", "DHMQKAU" },
};

static int
say(struct peer *p, char c)
{
	size_t i;

	for (i = 0; commands[i].c != c; i++)
		continue;
	return peer_bytes(p, c, commands[i].data, commands[i].len);
}

static void
begin(struct peer *p, const char *path)
{
	milter_session_free(&p->s);
	p->s = milter_session_new(&p->host, "local");
	for (; *path != '\0'; path++) {
		if (say(p, *path) != 0)
			fail_msg("%s: %s", path, p->why.text);
	}
}

static void
command_in_each_state_is_taken_or_ends_it(void **state)
{
	struct peer *p = *state;
	size_t i, k;

	peer_enforce(p, 7);
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		for (k = 0; k < COMMANDS_N; k++) {
			char c = commands[k].c;
			bool fine = c != '\0' && strchr(states[i].next, c) !=
			    NULL;
			int rc;

			begin(p, states[i].path);
			rc = say(p, c);
			if (rc != (!fine ? ERR_INVAL : c == 'Q' ?
			    MILTER_END : 0))
				fail_msg("0x%02x after %s: %d", c,
				    states[i].path, rc);
		}
	}
}

/* Cut off in each state: what was taken is given back (under ASan). */
static void
command_cut_short_is_never_taken(void **state)
{
	struct peer *p = *state;
	size_t i, k, len;

	peer_enforce(p, 7);
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		for (k = 0; k < COMMANDS_N; k++) {
			/* any length of a body is one; a list of macros may
			 * end behind its command */
			if (strchr("BDE", commands[k].c) != NULL)
				continue;
			for (len = 0; len < commands[k].len; len++) {
				begin(p, states[i].path);
				assert_int_equal(peer_bytes(p, commands[k].c,
				    commands[k].data, len), ERR_INVAL);
			}
		}
	}
}

static void
negotiation_asks_for_what_is_needed(void **state)
{
	struct peer *p = *state;

	peer_enforce(p, 7);
	begin(p, "O");
	/* add, change headers, delete recipients, macros; no body, unknown,
	 * data; silent at headers, connect, HELO; refused recipients */
	assert_memory_equal(p->got, "O===\6==\001\031==\073\220", 13);
	p->host.decision_headers = false;
	begin(p, "O");
	assert_memory_equal(p->got, "O===\6==\001\010==\073\220", 13);
	peer_decider(p, &(struct decide_conf){
	    .header_stage = NODE_HEADER_NO });
	p->host.decision_headers = false;
	begin(p, "O");
	assert_memory_equal(p->got, "O===\6==\001===\073\360", 13);
	p->host.decision_headers = true;
	begin(p, "O");
	assert_memory_equal(p->got, "O===\6==\001\021==\073\320", 13);
}

static void
negotiation_with_less_takes_less_or_fails(void **state)
{
	struct peer *p = *state;

	/* version 2, no silence, bodies and data come: all is answered */
	p->s = milter_session_new(&p->host, "local");
	assert_int_equal(peer_bytes(p, 'O', "\0\0\0\2\0\0\0\37\0\0\0\17",
	    12), 0);
	assert_string_equal(p->got, "O===\2===\031===|");
	assert_int_equal(say(p, 'C'), 0);
	assert_string_equal(p->got, "c|");
	assert_int_equal(say(p, 'H'), 0);
	assert_string_equal(p->got, "c|");
	assert_int_equal(say(p, 'M'), 0);
	assert_int_equal(say(p, 'L'), 0);
	assert_string_equal(p->got, "c|");
	assert_int_equal(say(p, 'N'), 0);
	assert_int_equal(say(p, 'B'), 0);
	assert_string_equal(p->got, "c|");
	milter_session_free(&p->s);
	/* no deletion of recipients */
	p->s = milter_session_new(&p->host, "local");
	assert_int_equal(peer_bytes(p, 'O', "\0\0\0\6\0\0\0\21\0\37\377\377",
	    12), ERR_INVAL);
	milter_session_free(&p->s);
	/* a version of the future is answered with ours */
	p->s = milter_session_new(&p->host, "local");
	assert_int_equal(peer_bytes(p, 'O', "\0\0\0\7\0\0\0\377\377\377\377"
	    "\377", 12), 0);
	assert_memory_equal(p->got, "O===\6", 5);
}

static void
ten_thousand_headers_are_bounded_work(void **state)
{
	struct peer *p = *state;
	char big[60000];
	size_t i;

	peer_enforce(p, 7);
	begin(p, "OCHMRT");
	memset(big, ',', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (i = 0; i < 10000; i++)
		peer_header(p, i % 3 == 0 ? "From" : "Received",
		    i % 3 == 0 ? "a@x.example, b@y.example" : big);
	peer_say(p, 'N', "");
	assert_string_equal(p->got, "c|");
	peer_say(p, 'E', "");
	assert_non_null(strstr(p->got, "c|"));
}

static void
many_forged_headers_defer_the_message(void **state)
{
	struct peer *p = *state;
	size_t i;

	peer_enforce(p, 7);
	begin(p, "OCHMRT");
	for (i = 0; i < 10001; i++)
		peer_header(p, "X-Postern-Bypass", "forged");
	peer_say(p, 'N', "");
	peer_say(p, 'E', "");
	assert_memory_equal(p->got, "y451", 4);
}

static void
cut_from_allows_nothing(void **state)
{
	struct peer *p = *state;
	struct policy q = { .id = fixture_str("ok"),
	    .narrative = fixture_str("n"), .type = POLICY_BLOCKED_SENDERS,
	    .action = ACTION_TAKE_NO_ACTION, .based_on = BASED_HEADER,
	    .override = true, .from = { .kind = TARGET_DOMAIN,
		.text = fixture_str("ok.example") },
	    .to = { .kind = TARGET_INTERNAL }, .enabled = true,
	    .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX };
	char *data = xcalloc(1, MILTER_KEEP_MAX);
	struct milter_frame f = { 'L', data, MILTER_KEEP_MAX - 1, true };

	fixture_policy(p->x, &q);
	peer_enforce(p, 8);
	strcpy(data, "From");
	memset(data + 5, ' ', MILTER_KEEP_MAX - 5);
	memcpy(data + 5, "a@ok.example,", 13);
	begin(p, "OCH");
	peer_say(p, 'M', "<x@bad.example>");
	peer_say(p, 'R', "<al@acme.example>");
	assert_string_equal(p->got, "c|");
	assert_int_equal(peer_frame(p, &f), 0);
	peer_say(p, 'N', "");
	assert_memory_equal(p->got, "y550", 4);
	/* the same, whole, lifts the block */
	peer_say(p, 'M', "<x@bad.example>");
	peer_say(p, 'R', "<al@acme.example>");
	peer_header(p, "From", "a@ok.example");
	peer_say(p, 'N', "");
	assert_string_equal(p->got, "c|");
	/* any other command that long is no command */
	f.command = 'R';
	assert_int_equal(peer_frame(p, &f), ERR_INVAL);
	free(data);
}

static void
thousandth_and_first_recipient_waits(void **state)
{
	struct peer *p = *state;
	int i;

	peer_enforce(p, 7);
	begin(p, "OCHM");
	for (i = 0; i < MILTER_RCPTS_MAX; i++) {
		assert_int_equal(say(p, 'R'), 0);
		assert_string_equal(p->got, "c|");
	}
	assert_int_equal(say(p, 'R'), 0);
	assert_memory_equal(p->got, "y452 4.5.3", 10);
}

static void
confirmed_name_is_known_by_its_macros(void **state)
{
	/* name, macros, is it confirmed */
	static const struct { const char *macros; size_t len; bool yes; }
	    row[] = {
		{ "C", 1, true },
		{ "C{client_resolve}\0OK\0", 21, true },
		{ "C{client_resolve}\0FAIL\0", 23, false },
		{ "C_\0mx.test [192.0.2.1] (may be forged)\0", 39, false },
		{ "C_\0mx.test [192.0.2.1]\0", 23, true },
	};
	struct policy q = { .id = fixture_str("host"),
	    .narrative = fixture_str("n"), .type = POLICY_BLOCKED_SENDERS,
	    .action = ACTION_BLOCK, .based_on = BASED_ENVELOPE,
	    .from = { .kind = TARGET_EXTERNAL },
	    .to = { .kind = TARGET_INTERNAL }, .enabled = true,
	    .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX };
	struct peer *p = *state;
	char *host = fixture_str("mx.test");
	size_t i;

	q.hosts = &host;
	q.hosts_n = 1;
	fixture_policy(p->x, &q);
	peer_enforce(p, 8);
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		begin(p, "O");
		assert_int_equal(peer_bytes(p, 'D', row[i].macros,
		    row[i].len), 0);
		assert_int_equal(say(p, 'C'), 0);
		peer_say(p, 'M', "<x@far.example>");
		peer_say(p, 'R', "<al@acme.example>");
		assert_int_equal(p->got[0], row[i].yes ? 'y' : 'c');
	}
}

static void
authentication_ends_with_its_message(void **state)
{
	static const char macros[] = "M{auth_authen}\0al\0";
	struct peer *p = *state;

	peer_enforce(p, 7);
	begin(p, "OCH");
	assert_int_equal(peer_bytes(p, 'D', macros, sizeof(macros) - 1), 0);
	peer_say(p, 'M', "<al@acme.example>");
	peer_say(p, 'R', "<y@else.example>");
	assert_string_equal(p->got, "c|");
	peer_say(p, 'A', "");
	peer_say(p, 'M', "<al@acme.example>");
	peer_say(p, 'R', "<y@else.example>");
	assert_memory_equal(p->got, "y554 5.7.1 Relay", 16);
}

/* What a real mail server said, frame for frame. */
static void
recording_is_taken_whole(void **state)
{
	static const char *const files[] = { "tests/fuzz/corpus/milter/"
	    "postfix", "tests/fuzz/corpus/milter/sendmail" };
	struct peer *p = *state;
	size_t i;

	peer_enforce(p, 7);
	for (i = 0; i < 2; i++) {
		struct milter_parser parser = { 0 };
		struct milter_frame f;
		struct diag why = { "" };
		size_t at = 2, used, n = 0;	/* behind the fuzzer's own */
		struct buf b;

		buf_init(&b, 0);
		assert_int_equal(file_read(files[i], 1 << 20, &b, &why), 0);
		milter_session_free(&p->s);
		p->s = milter_session_new(&p->host, "local");
		for (; milter_parse(&parser, b.data + at, b.len - at, &f,
		    &used, &why) == 0; at += used, n++) {
			if (peer_frame(p, &f) < 0)
				fail_msg("%s at %zu: %s", files[i], at,
				    p->why.text);
		}
		assert_int_equal(at, b.len);
		assert_true(n > 20);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, peer_setup, peer_teardown)
		T(command_in_each_state_is_taken_or_ends_it),
		T(command_cut_short_is_never_taken),
		T(negotiation_asks_for_what_is_needed),
		T(negotiation_with_less_takes_less_or_fails),
		T(ten_thousand_headers_are_bounded_work),
		T(many_forged_headers_defer_the_message),
		T(cut_from_allows_nothing),
		T(thousandth_and_first_recipient_waits),
		T(confirmed_name_is_known_by_its_macros),
		T(authentication_ends_with_its_message),
		T(recording_is_taken_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
