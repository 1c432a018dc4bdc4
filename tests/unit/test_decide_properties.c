/*
 * test_decide_properties.c - what holds of every policy and message, tried on
 * random ones: observation, order, finality at RCPT, remedies.
 *
 * POSTERN_SEED repeats a run; its number is printed.  What is never met is
 * not proved: a test goes on past MODELS until it met everything ENOUGH
 * times, and fails when LIMIT models do not do for that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/policy/document.h"
#include "controller/policy/remedy.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "tests/lib/oracle_impl.h"
#include "tests/lib/random_judge.h"

#if defined(__SANITIZE_ADDRESS__)
#define MODELS 60
#else
#define MODELS 400
#endif
#define MESSAGES 30			/* a model */
#define ENOUGH 20
#define LIMIT 6000			/* some 60 do for ENOUGH, 300 at most */

struct bench {
	struct random r;
	struct oracle_model m, other;
	struct oracle_message msg;
};

struct compiled { struct items items; struct records records; };

static int
setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	const char *seed = getenv("POSTERN_SEED");

	b->r.state = seed != NULL ? strtoull(seed, NULL, 0) :
	    (uint64_t)clock_wall_us();
	print_message("POSTERN_SEED=%llu\n", (unsigned long long)b->r.state);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static void
begin(const struct oracle_model *m, struct compiled *c)
{
	struct diag why;

	if (random_compile(m, &c->items, &c->records, &why) < 0)
		fail_msg("%s", why.text);
}

static void
end(struct compiled *c)
{
	records_fini(&c->records);
	items_fini(&c->items);
}

static void
fail_on(const struct bench *b, const struct oracle_model *m, const char *what)
{
	struct buf text;

	buf_init(&text, 0);
	random_document(m, &text);
	random_describe(&b->msg, &text);
	printf("%s\n", text.data);
	buf_fini(&text);
	fail_msg("%s", what);
}

static bool
goes_on(size_t models, size_t a, size_t b)
{
	return models < MODELS || ((a < ENOUGH || b < ENOUGH) &&
	    models < LIMIT);
}

/* b->other is b->m with something changed that must not matter. */
static void
same_but_for_would(struct bench *b, bool would)
{
	struct compiled one, two;
	int i;

	begin(&b->m, &one);
	begin(&b->other, &two);
	for (i = 0; i < MESSAGES; i++) {
		struct oracle_answer x, y;
		enum stage stage = (enum stage)random_below(&b->r, 3);

		random_message(&b->r, &b->m, &b->msg);
		random_judge(&one.records, &b->msg, stage, &x);
		random_judge(&two.records, &b->msg, stage, &y);
		if (!would) {
			x.has_would = y.has_would = false;
			x.would = y.would = REASON_ACCEPTED;
			memset(x.would_policy, 0, sizeof(x.would_policy));
			memset(y.would_policy, 0, sizeof(y.would_policy));
		}
		if (!random_same(&x, &y))
			fail_on(b, &b->m, "the verdict is another one");
	}
	end(&one);
	end(&two);
}

static void
monitored_policies_never_change_a_verdict(void **state)
{
	struct bench *b = *state;
	size_t n, i;

	for (n = 0; n < MODELS; n++) {
		random_model(&b->r, &b->m);
		b->other = b->m;
		b->other.policies_n = 0;
		for (i = 0; i < b->m.policies_n; i++) {
			b->m.policy[i].monitor = i % 2 == 0;
			if (!b->m.policy[i].monitor)
				b->other.policy[b->other.policies_n++] =
				    b->m.policy[i];
		}
		same_but_for_would(b, false);
	}
}

/* Turn an array around. */
static void
turn(void *array, size_t n, size_t size)
{
	char swap[sizeof(struct oracle_policy)], *a = array;
	size_t i;

	assert_true(size <= sizeof(swap));
	for (i = 0; i < n / 2; i++) {
		memcpy(swap, a + i * size, size);
		memcpy(a + i * size, a + (n - 1 - i) * size, size);
		memcpy(a + (n - 1 - i) * size, swap, size);
	}
}

static void
order_of_a_document_never_matters(void **state)
{
	struct bench *b = *state;
	struct oracle_model *o = &b->other;
	size_t n, i;

	for (n = 0; n < MODELS; n++) {
		random_model(&b->r, &b->m);
		*o = b->m;
		turn(o->policy, o->policies_n, sizeof(o->policy[0]));
		turn(o->domain, o->domains_n, sizeof(o->domain[0]));
		turn(o->person, o->people_n, sizeof(o->person[0]));
		turn(o->sender, o->senders_n, sizeof(o->sender[0]));
		for (i = 0; i < o->groups_n; i++)
			turn(o->group[i].entry, o->group[i].entries_n,
			    sizeof(o->group[i].entry[0]));
		same_but_for_would(b, true);
	}
}

/* Does any header From of the alphabet let an exception win? */
static bool
some_header_lifts(struct bench *b, enum policy_type type)
{
	static const char *const names[] = { "", "ceo", "help desk" };
	struct oracle_rcpt rcpt;
	size_t k;
	int i;

	oracle_recipient(&b->m, &b->msg, &rcpt);
	b->msg.has_header = true;
	b->msg.headers_n = 1;
	b->msg.header[0].ambiguous = false;
	for (i = 0; i < 600; i++) {
		struct oracle_winner w;

		random_address(&b->r, b->msg.header[0].text);
		for (k = 0; k < 3; k++) {
			snprintf(b->msg.header_name, ORACLE_TEXT, "%s",
			    names[k]);
			oracle_winner(&b->m, &b->msg, &rcpt, type,
			    LOOK_ENVELOPE | LOOK_HEADER, false, &w);
			if (w.is && w.policy->action == ACTION_TAKE_NO_ACTION)
				return true;
		}
	}
	return false;
}

static void
refusal_at_rcpt_is_one_that_no_header_lifts(void **state)
{
	struct bench *b = *state;
	size_t n, refused = 0, open = 0, lifted = 0;
	int i;

	for (n = 0; goes_on(n, refused, lifted); n++) {
		struct compiled c;

		random_model(&b->r, &b->m);
		begin(&b->m, &c);
		for (i = 0; i < MESSAGES; i++) {
			struct oracle_answer a;

			random_message(&b->r, &b->m, &b->msg);
			random_judge(&c.records, &b->msg, STAGE_RCPT, &a);
			if (a.reason == REASON_BLOCKED_ENVELOPE ||
			    a.reason == REASON_SPOOF_ENVELOPE) {
				refused++;
				if (some_header_lifts(b, a.reason ==
				    REASON_BLOCKED_ENVELOPE ?
				    POLICY_BLOCKED_SENDERS :
				    POLICY_ANTI_SPOOFING))
					fail_on(b, &b->m, "refused at RCPT, "
					    "but this header lifts it");
			}
			if (!a.open)
				continue;
			open++;
			lifted += some_header_lifts(b,
			    POLICY_BLOCKED_SENDERS) || some_header_lifts(b,
			    POLICY_ANTI_SPOOFING);
		}
		end(&c);
	}
	/* the others: a group that could hold more, a header block besides */
	print_message("%zu models: %zu refused at RCPT; %zu left open, %zu "
	    "of them lifted by a header of the alphabet\n", n, refused, open,
	    lifted);
	assert_true(refused >= ENOUGH && lifted >= ENOUGH);
}

/* What the verdict is with this policy in the document besides. */
static void
judge_with_policy(struct bench *b, const json_t *policy,
    struct oracle_answer *out)
{
	char *row = json_dumps(policy, JSON_COMPACT);
	struct document doc = { .name = "remedy.yaml" };
	struct compiled c;
	struct diag why;
	struct buf text;

	buf_init(&text, 0);
	random_document(&b->m, &text);
	buf_printf(&text, "%s  - %s\n", b->m.policies_n == 0 ? "policies:\n" :
	    "", row);
	free(row);
	doc.text = text.data;
	doc.len = text.len;
	items_init(&c.items);
	if (document_read(&doc, 1, NULL, NULL, &c.items, &why) < 0 ||
	    compile(&c.items, &c.records, &why) < 0)
		fail_msg("%s\n%s", why.text, text.data);
	random_judge(&c.records, &b->msg, STAGE_FULL, out);
	end(&c);
	buf_fini(&text);
}

/* What the oracle says once the user's entry has gone. */
static void
oracle_without_entry(struct bench *b, const json_t *remedy,
    struct oracle_answer *out)
{
	const char *user = json_string_value(json_object_get(remedy, "user"));
	const char *entry = json_string_value(json_object_get(remedy,
	    "entry"));
	size_t i;

	assert_true(user != NULL && entry != NULL);
	b->other = b->m;
	for (i = 0; i < b->other.senders_n; i++) {
		struct oracle_sender *s = &b->other.sender[i];

		if (strcmp(s->user, user) == 0 && strcmp(s->entry, entry) == 0)
			*s = b->other.sender[--b->other.senders_n];
	}
	assert_true(b->other.senders_n + 1 == b->m.senders_n);
	oracle_decide(&b->other, &b->msg, STAGE_FULL, out);
}

/* 1 when the remedy was carried out here, and it must flip the verdict. */
static size_t
carry_out(struct bench *b, const json_t *remedy)
{
	const char *kind = json_string_value(json_object_get(remedy, "kind"));
	struct oracle_answer after;

	assert_true(kind != NULL &&
	    json_is_true(json_object_get(remedy, "flips")));
	if (strcmp(kind, "take_no_action") == 0)
		judge_with_policy(b, json_object_get(remedy, "policy"),
		    &after);
	else if (strcmp(kind, "remove_user_entry") == 0)
		oracle_without_entry(b, remedy, &after);
	else
		return 0;
	if (after.kind != VERDICT_ACCEPT)
		fail_on(b, &b->m, "a remedy that does not flip the verdict");
	return 1;
}

/* A document holds no cycles; here the document is what counts. */
static void
cut_cycles(struct oracle_model *m)
{
	size_t i, k;

	for (i = 0; i < m->groups_n; i++) {
		struct oracle_group *g = &m->group[i];

		for (k = g->children_n; k-- > 0;) {
			if (g->child[k] <= i)
				g->child[k] = g->child[--g->children_n];
		}
	}
}

static void
remedies_flip_the_verdict_when_carried_out(void **state)
{
	struct bench *b = *state;
	size_t n, done = 0, k;
	int i;

	for (n = 0; goes_on(n, done, done); n++) {
		struct compiled c;

		random_model(&b->r, &b->m);
		cut_cycles(&b->m);
		begin(&b->m, &c);
		for (i = 0; i < MESSAGES / 3; i++) {
			struct random_envelope e;
			struct verdict v;
			json_t *list;

			random_message(&b->r, &b->m, &b->msg);
			random_fill(&b->msg, &e);
			records_decide(&c.records, &e.env, b->msg.now_us,
			    STAGE_FULL, &v, NULL);
			list = remedies(&c.records, &e.env, b->msg.now_us,
			    STAGE_FULL, &v);
			assert_true(v.kind != VERDICT_ACCEPT ||
			    json_array_size(list) == 0);
			for (k = 0; k < json_array_size(list); k++)
				done += carry_out(b, json_array_get(list, k));
			json_decref(list);
		}
		end(&c);
	}
	print_message("%zu models: %zu remedies carried out\n", n, done);
	assert_true(done >= ENOUGH);
}

/* A filter knows a key as it is stored by the hash that a decision asks for. */
static void
check_hash(const struct want_key *k, const uint8_t *key, size_t len)
{
	static const uint8_t secret[HASH_SECRET_LEN];
	struct hash_key hk;
	struct record_hash h;

	hash_key_init(&hk, secret);
	h = record_hash_key(&hk, key, len);
	if (h.near != k->hash.near || h.own != k->hash.own)
		fail_msg("hash of %.*s differs", (int)len, key);
}

static uint64_t
header_set(const struct records *records, const struct oracle_message *msg)
{
	const struct tables *t = records_tables(records);
	struct random_envelope e;
	struct want *w = xmalloc(sizeof(*w));
	struct facts f;
	struct buf val;
	uint8_t key[RECORD_KEY_MAX];
	uint64_t set;
	size_t from = 0, i, round;

	random_fill(msg, &e);
	facts_init(&f);
	buf_init(&val, 0);
	for (round = 0; round < 2; round++) {
		assert_int_equal(round == 0 ?
		    want_first(t, &e.env, w, NULL, NULL) :
		    want_second(t, &e.env, &f, w), 0);
		for (i = from; i < w->n; i++) {
			size_t len = want_key_write(&w->key[i], key);
			bool found;

			check_hash(&w->key[i], key, len);
			buf_reset(&val);
			found = records_get(records, key, len, &val) == 0;
			facts_set(&f, i, found ? FACT_FOUND : FACT_ABSENT,
			    val.data, found ? val.len : 0);
		}
		from = w->n;
	}
	set = judge_header_set(t, &e.env, w, &f,
	    msg->now_us);
	facts_fini(&f);
	buf_fini(&val);
	free(w);
	return set;
}

static void
recipients_split_exactly_when_their_header_policies_differ(void **state)
{
	struct bench *b = *state;
	size_t n, equal = 0, unequal = 0;
	int i;

	for (n = 0; goes_on(n, equal, unequal); n++) {
		struct compiled c;

		random_model(&b->r, &b->m);
		begin(&b->m, &c);
		for (i = 0; i < MESSAGES; i++) {
			struct oracle_message one, two;
			bool same;

			random_message(&b->r, &b->m, &one);
			one.sender_bad = one.rcpt_bad = false;
			random_message(&b->r, &b->m, &two);
			b->msg = one;
			b->msg.rcpt = two.rcpt;
			/* without a domain it never comes to policies */
			if (strchr(one.rcpt.text, '@') == NULL ||
			    strchr(two.rcpt.text, '@') == NULL)
				continue;
			same = oracle_header_rules(&b->m, &one) ==
			    oracle_header_rules(&b->m, &b->msg);
			if (same != (header_set(&c.records, &one) ==
			    header_set(&c.records, &b->msg)))
				fail_on(b, &b->m, "split differs");
			equal += same;
			unequal += !same;
		}
		end(&c);
	}
	print_message("%zu models: %zu pairs of recipients together, %zu "
	    "split\n", n, equal, unequal);
	assert_true(equal >= ENOUGH && unequal >= ENOUGH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(monitored_policies_never_change_a_verdict),
		T(order_of_a_document_never_matters),
		T(refusal_at_rcpt_is_one_that_no_header_lifts),
		T(recipients_split_exactly_when_their_header_policies_differ),
		T(remedies_flip_the_verdict_when_carried_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
