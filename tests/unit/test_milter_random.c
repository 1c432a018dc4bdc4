/*
 * test_milter_random.c - what a mail server is told live, at RCPT and after
 * the headers, over random policies and messages: the two passes of the
 * oracle, no more and no less.
 *
 * A refusal at RCPT is what both passes together say, whatever the header
 * holds; what passes RCPT gets their verdict at the end of the headers; with
 * no header stage pass 1 is all.  POSTERN_SEED repeats a run; its number is
 * printed.
 *
 * What is never met is not proved: it goes on past MODELS until each end was
 * met ENOUGH times, and fails when LIMIT models do not do for that.
 */
#include "tests/unit/milter_peer.h"

#include "tests/lib/random_judge.h"
#include "tests/unit/model_fixture.h"

#if defined(__SANITIZE_ADDRESS__)
#define MODELS 10
#else
#define MODELS 100
#endif
#define MESSAGES 200			/* a model */
#define ENOUGH 10
#define LIMIT 2000			/* models */

struct tally { size_t rcpt, headers, lifted, passed; };

/* A message that can be said over SMTP: one reading of each address. */
static void
speakable(struct random *r, const struct oracle_model *m,
    struct oracle_message *msg)
{
	size_t i;

	do {
		random_message(r, m, msg);
		for (i = 0; i < msg->headers_n && i < 3; i++) {
			if (strchr(msg->header[i].text, '@') == NULL)
				break;
		}
	} while (msg->sender_bad || msg->rcpt_bad ||
	    (i < msg->headers_n && i < 3));
	msg->sender.ambiguous = msg->rcpt.ambiguous = false;
	if (msg->headers_n > 3)
		msg->headers_n = 3;
	for (i = 0; i < msg->headers_n; i++)
		msg->header[i].ambiguous = false;
	if (msg->headers_n == 0)
		msg->header_name[0] = '\0';
	msg->greylist_new = false;
	msg->now_us = clock_wall_us();
}

/* What RCPT leaves open, half of the time with a header that lifts it: drawn
 * blindly they seldom meet. */
static void
seek_lift(struct random *r, const struct oracle_model *m,
    struct oracle_message *msg)
{
	struct oracle_answer a;
	int i;

	oracle_decide(m, msg, STAGE_RCPT, &a);
	if (!a.open || random_once_in(r, 2))
		return;
	msg->has_header = true;
	msg->headers_n = 1;
	for (i = 0; i < 50; i++) {
		random_address(r, msg->header[0].text);
		oracle_decide(m, msg, STAGE_FULL, &a);
		if (a.kind == VERDICT_ACCEPT)
			break;
	}
}

static void
say_client(struct peer *p, const struct oracle_message *msg)
{
	const char *name = msg->host[0] == '\0' ? "unknown" : msg->host;
	char ip[IP_TEXT_LEN];
	struct buf b;

	ip_format(&msg->ip, ip);
	buf_init(&b, 0);
	buf_put(&b, name, strlen(name) + 1);
	if (msg->has_ip) {
		buf_put(&b, strchr(ip, ':') != NULL ? "6\0\31" : "4\0\31", 3);
		buf_put(&b, ip, strlen(ip) + 1);
	} else
		buf_put(&b, "U", 1);
	assert_int_equal(peer_bytes(p, 'C', b.data, b.len), 0);
	buf_fini(&b);
}

static void
say_envelope(struct peer *p, const struct oracle_message *msg)
{
	static const char auth[] = "M{auth_authen}\0somebody\0";
	char text[ORACLE_TEXT + 3];

	if (msg->authenticated)
		assert_int_equal(peer_bytes(p, 'D', auth, sizeof(auth) - 1),
		    0);
	snprintf(text, sizeof(text), "<%s>", msg->sender.text);
	peer_say(p, 'M', text);
	snprintf(text, sizeof(text), "<%s>", msg->rcpt.text);
	peer_say(p, 'R', text);
}

static void
say_headers(struct peer *p, const struct oracle_message *msg)
{
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	for (i = 0; i < msg->headers_n; i++) {
		if (i > 0)
			buf_puts(&b, ", ");
		if (i == 0 && msg->header_name[0] != '\0')
			buf_printf(&b, "\"%s\" ", msg->header_name);
		buf_printf(&b, "<%s>", msg->header[i].text);
	}
	if (msg->headers_n > 0)
		peer_header(p, "From", b.data);
	peer_say(p, 'N', "");
	buf_fini(&b);
}

static void
differ(const struct oracle_model *m, const struct oracle_message *msg,
    const struct oracle_answer *want, const struct peer *p, const char *when)
{
	struct buf text;

	buf_init(&text, 0);
	random_document(m, &text);
	random_describe(msg, &text);
	random_tell("oracle", want, &text);
	printf("%slive %s: %s\n", text.data, when, p->got);
	buf_fini(&text);
	fail_msg("the live verdict and the oracle differ");
}

/* Is the answer that of want, and the event its event? */
static bool
is_answer(const struct peer *p, const struct oracle_answer *want)
{
	const struct reply_info *info = reply_info(want->reason);
	const struct event *e = p->event;
	char head[32];

	if (want->kind == VERDICT_ACCEPT)
		return strcmp(p->got, "c|") == 0;
	/* one recipient: the last event is his */
	if (p->events_n == 0 || p->events_n > PEER_EVENTS)
		return false;
	e += p->events_n - 1;
	snprintf(head, sizeof(head), "y%d %s ", info->code, info->enhanced);
	return strncmp(p->got, head, strlen(head)) == 0 &&
	    e->reason == want->reason &&
	    e->level == want->level && strcmp(e->policy, want->policy) == 0;
}

static void
one(struct peer *p, const struct oracle_model *m,
    const struct oracle_message *msg, bool header_stage, struct tally *t)
{
	struct oracle_answer rcpt, full;

	oracle_decide(m, msg, header_stage ? STAGE_RCPT : STAGE_ONLY, &rcpt);
	oracle_decide(m, msg, STAGE_FULL, &full);
	milter_session_free(&p->s);
	p->s = milter_session_new(&p->host, "local");
	p->events_n = 0;
	assert_int_equal(peer_bytes(p, 'O', PEER_OFFER, 12), 0);
	say_client(p, msg);
	say_envelope(p, msg);
	if (!is_answer(p, &rcpt))
		differ(m, msg, &rcpt, p, "at RCPT");
	if (rcpt.kind != VERDICT_ACCEPT) {
		t->rcpt++;
		/* final: both passes say the same, whatever the header */
		if (header_stage && (full.reason != rcpt.reason ||
		    strcmp(full.policy, rcpt.policy) != 0))
			differ(m, msg, &full, p, "at RCPT, and final");
		return;
	}
	say_headers(p, msg);
	if (!header_stage)
		full = rcpt;
	if (!is_answer(p, &full))
		differ(m, msg, &full, p, "after the headers");
	t->headers += full.kind != VERDICT_ACCEPT;
	t->passed += full.kind == VERDICT_ACCEPT;
	t->lifted += rcpt.open && full.kind == VERDICT_ACCEPT;
}

static bool
is_enough(const struct tally *t)
{
	return t->rcpt >= ENOUGH && t->headers >= ENOUGH &&
	    t->lifted >= ENOUGH && t->passed >= ENOUGH;
}

static void
live_verdict_is_that_of_both_passes(void **state)
{
	struct oracle_model *m = xcalloc(1, sizeof(*m));
	struct oracle_message *msg = xcalloc(1, sizeof(*msg));
	const char *seed = getenv("POSTERN_SEED");
	struct peer *p = *state;
	struct tally t = { 0 };
	struct random r;
	int n, i;

	r.state = seed != NULL ? strtoull(seed, NULL, 0) :
	    (uint64_t)clock_wall_us();
	print_message("POSTERN_SEED=%llu\n", (unsigned long long)r.state);
	for (n = 0; n < MODELS || (!is_enough(&t) && n < LIMIT); n++) {
		bool header_stage = n % 4 != 3;

		random_model(&r, m);
		model_fixture(p->x, m);
		peer_enforce(p, (uint64_t)n + 1);
		peer_decider(p, &(struct decide_conf){ .header_stage =
		    header_stage ? NODE_HEADER_YES : NODE_HEADER_NO });
		for (i = 0; i < MESSAGES; i++) {
			speakable(&r, m, msg);
			seek_lift(&r, m, msg);
			one(p, m, msg, header_stage, &t);
		}
	}
	print_message("%d models: refused at RCPT %zu, after the headers %zu; "
	    "a header lifted %zu; passed %zu\n", n, t.rcpt, t.headers,
	    t.lifted, t.passed);
	assert_true(is_enough(&t));
	free(m);
	free(msg);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    live_verdict_is_that_of_both_passes, peer_setup,
		    peer_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
