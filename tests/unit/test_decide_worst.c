/*
 * test_decide_worst.c - the largest legal policies and messages stay below
 * half of the step budget; over it is `internal`; judging allocates nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/policy/decide.h"
#include "tests/lib/random_judge.h"

#define DEEP 60				/* groups in groups */

/* A sanitizer has its own malloc: there the count is not taken. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS 1
#define POLICIES MODEL_POLICIES_MAX
static size_t allocations;
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *
malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}
#else
#define COUNTS 0
#define POLICIES (MODEL_POLICIES_MAX / 10)
static size_t allocations;
#endif

static char *
text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void
put(struct tables *t, const struct buf *key, const struct buf *val)
{
	struct diag why;

	if (tables_put(t, bytes_of(key->data, key->len), bytes_of(
	    val->data == NULL ? "" : val->data, val->len), &why) < 0)
		fail_msg("%s", why.text);
}

static void
put_text(struct tables *t, uint8_t cls, const char *name, const char *val)
{
	struct buf k, v;

	buf_init(&k, 0);
	buf_init(&v, 0);
	record_key_text(&k, cls, name);
	buf_puts(&v, val);
	put(t, &k, &v);
	buf_fini(&k);
	buf_fini(&v);
}

/* Each group in the next one: all of them above the first. */
static void
put_groups(struct tables *t)
{
	struct buf k, v;
	char name[16];
	int i;

	buf_init(&k, 0);
	buf_init(&v, 0);
	for (i = 0; i < DEEP; i++) {
		uint64_t up;

		snprintf(name, sizeof(name), "g%d", i + 1);
		up = model_gid(name);
		snprintf(name, sizeof(name), "g%d", i);
		buf_reset(&k);
		buf_reset(&v);
		record_key_gid(&k, model_gid(name));
		record_group_encode(&v, name, &up, i + 1 < DEEP);
		put(t, &k, &v);
	}
	buf_fini(&k);
	buf_fini(&v);
}

/* What all policies of a run have in common. */
struct shape {
	const char *name;
	struct target from, to;
	bool bidirectional;
	size_t ips_n;
};

static struct tables *
make(const struct shape *s, size_t n)
{
	struct tables *t = tables_new(NULL);
	struct ip_prefix ips[8];
	struct diag why;
	struct buf k, v;
	char id[32];
	size_t i;

	buf_init(&k, 0);
	buf_init(&v, 0);
	put_text(t, RECORD_INTERNAL, "acme.ex", "\001");
	put_text(t, RECORD_SETTING, "recipient_delimiter", "+");
	put_text(t, RECORD_SETTING, "wildcard_depths", "1,2,3,4,5,6,7,8");
	put_text(t, RECORD_FREE_MAIL, "ex", "");
	put_groups(t);
	for (i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "203.0.%zu.0/24", i);
		assert_int_equal(ip_prefix_parse(id, &ips[i]), 0);
	}
	for (i = 0; i < n; i++) {
		/* Half are exceptions by header; all are asked whether they
		 * leave the block open, and the last does, so that both
		 * passes run.  One under observation: each stage twice. */
		struct policy p = { .id = id, .narrative = text("n"),
		    .type = POLICY_BLOCKED_SENDERS, .action = i % 2 == 0 ?
		    ACTION_BLOCK : ACTION_TAKE_NO_ACTION,
		    .based_on = BASED_BOTH, .from = s->from, .to = s->to,
		    .bidirectional = s->bidirectional, .enabled = true,
		    .monitor = i == 0, .override = i + 1 == n,
		    .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX,
		    .ips = ips, .ips_n = s->ips_n };

		snprintf(id, sizeof(id), "p%06zu", i);
		buf_reset(&k);
		buf_reset(&v);
		record_key_text(&k, RECORD_POLICY, id);
		policy_encode(&p, &v);
		put(t, &k, &v);
	}
	buf_fini(&k);
	buf_fini(&v);
	if (tables_finish(t, &why) < 0)
		fail_msg("%s", why.text);
	return t;
}

/* The longest message: 32 header Froms with extensions in deep domains. */
struct message {
	struct envelope e;
	struct addr header[DECIDE_HEADERS_MAX], base[DECIDE_HEADERS_MAX];
	struct want w;
	struct facts f;
};

static void
parse(struct addr *out, const char *s)
{
	assert_int_equal(addr_parse(out, s, strlen(s), ADDR_TEXT, NULL), 0);
}

static void
fill(struct message *m)
{
	char s[128];
	size_t i;

	memset(&m->e, 0, sizeof(m->e));
	parse(&m->e.sender, "x+y@a.b.c.d.e.f.g.h.ex");
	parse(&m->e.rcpt, "al+z@acme.ex");
	m->e.has_ip = true;
	assert_int_equal(ip_parse("203.0.7.1", &m->e.ip), 0);
	m->e.headers = m->header;
	m->e.header_base = m->base;
	m->e.headers_n = DECIDE_HEADERS_MAX;
	m->e.header_name = "ceo";
	for (i = 0; i < DECIDE_HEADERS_MAX; i++) {
		snprintf(s, sizeof(s), "x%zu+y@n%zu.b.c.d.e.f.g.h.ex", i, i);
		parse(&m->header[i], s);
	}
}

/* Every key is found: each entry in the lowest group, each list a permit, in
 * a directory that has the attribute. */
static void
fetch(struct message *m, size_t from)
{
	static const uint8_t entry[] = "\001\000\001\001k\000\001v";
	static const uint8_t user[] = { USER_PERMIT, 0, 0, 0, 1 };
	uint8_t gid[8];
	uint64_t g = model_gid("g0");
	size_t i;

	for (i = 0; i < 8; i++)
		gid[i] = (uint8_t)(g >> (56 - 8 * i));
	for (i = from; i < m->w.n; i++) {
		switch (m->w.key[i].cls) {
		case RECORD_ENTRY:
			facts_set(&m->f, i, FACT_FOUND, gid, sizeof(gid));
			break;
		case RECORD_DIRECTORY:
			facts_set(&m->f, i, FACT_FOUND, entry,
			    sizeof(entry) - 1);
			break;
		case RECORD_ALIAS:
			facts_set(&m->f, i, FACT_FOUND, "bo@acme.ex", 10);
			break;
		default:
			facts_set(&m->f, i, FACT_FOUND, user, sizeof(user));
		}
	}
}

static void
judge_worst(const struct tables *t, struct message *m, struct verdict *v)
{
	size_t first;

	fill(m);
	facts_reset(&m->f);
	assert_int_equal(want_first(t, &m->e, &m->w, NULL, NULL), 0);
	fetch(m, 0);
	first = m->w.n;
	assert_int_equal(want_second(t, &m->e, &m->f, &m->w), 0);
	fetch(m, first);
	allocations = 0;
	judge(t, &m->e, &m->w, &m->f, 1, STAGE_FULL, v, NULL);
	if (COUNTS)
		assert_int_equal(allocations, 0);
}

static const struct shape shapes[] = {
	{ "everyone to everyone", { .kind = TARGET_EVERYONE },
	    { .kind = TARGET_EVERYONE }, false, 8 },
	{ "everyone to everyone, both ways", { .kind = TARGET_EVERYONE },
	    { .kind = TARGET_EVERYONE }, true, 8 },
	{ "attribute to attribute, both ways", { .kind = TARGET_ATTRIBUTE,
	    .text = (char *)(uintptr_t)"k", .value = (char *)(uintptr_t)"v" },
	    { .kind = TARGET_ATTRIBUTE, .text = (char *)(uintptr_t)"k",
	    .value = (char *)(uintptr_t)"v" }, true, 8 },
	{ "wildcard to everyone, both ways", { .kind = TARGET_DOMAIN,
	    .text = (char *)(uintptr_t)"*.ex" }, { .kind = TARGET_EVERYONE },
	    true, 8 },
	{ "display name", { .kind = TARGET_DISPLAY_NAME,
	    .text = (char *)(uintptr_t)"ceo" }, { .kind = TARGET_EVERYONE },
	    false, 8 },
	{ "group to everyone", { .kind = TARGET_GROUP },
	    { .kind = TARGET_EVERYONE }, true, 0 },
	{ "group to group", { .kind = TARGET_GROUP },
	    { .kind = TARGET_GROUP }, true, 0 },
};

static void
worst_legal_input_stays_below_half_of_the_budget(void **state)
{
	struct message *m = xcalloc(1, sizeof(*m));
	size_t i, most = 0;

	(void)state;
	facts_init(&m->f);
	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct shape s = shapes[i];
		char top[16];
		struct tables *t;
		struct verdict v;
		uint64_t began;

		snprintf(top, sizeof(top), "g%d", DEEP - 1);
		s.from.gid = s.to.gid = model_gid(top);
		if (s.from.kind == TARGET_GROUP)
			s.from.text = top;
		if (s.to.kind == TARGET_GROUP)
			s.to.text = top;
		t = make(&s, POLICIES);
		began = clock_mono_ms();
		judge_worst(t, m, &v);
		print_message("%-34s %9u steps, %llu ms\n", s.name, v.steps,
		    (unsigned long long)(clock_mono_ms() - began));
		most = v.steps > most ? v.steps : most;
		tables_free(&t);
		if (v.reason == REASON_INTERNAL)
			fail_msg("%s: over the budget", s.name);
	}
	print_message("%zu keys of %d\n", m->w.n, DECIDE_KEYS_MAX);
	assert_true(m->w.n > DECIDE_KEYS_MAX * 9 / 10 && !m->w.over);
	facts_fini(&m->f);
	free(m);
	assert_true(most < DECIDE_STEPS_MAX / 2);
}

/* An entry in far more groups than may be: the budget ends it. */
static void
input_over_the_budget_is_internal_and_never_a_5xx(void **state)
{
	struct message *m = xcalloc(1, sizeof(*m));
	struct shape s = shapes[0];
	struct tables *t = make(&s, 2);
	uint8_t gids[8192 * 8];
	uint64_t g = model_gid("g0");
	struct verdict v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(gids); i++)
		gids[i] = (uint8_t)(g >> (56 - 8 * (i % 8)));
	facts_init(&m->f);
	fill(m);
	m->f.values.max = 64 * 1024 * 1024;
	assert_int_equal(want_first(t, &m->e, &m->w, NULL, NULL), 0);
	for (i = 0; i < m->w.n; i++)
		facts_set(&m->f, i, m->w.key[i].cls == RECORD_ENTRY ?
		    FACT_FOUND : FACT_ABSENT, gids, sizeof(gids));
	judge(t, &m->e, &m->w, &m->f, 1, STAGE_FULL, &v, NULL);
	assert_int_equal(v.reason, REASON_INTERNAL);
	assert_int_equal(v.kind, VERDICT_DEFER);
	assert_true(v.steps > DECIDE_STEPS_MAX);
	assert_false(v.has_would);
	facts_fini(&m->f);
	tables_free(&t);
	free(m);
}

static void
lookup_that_failed_is_internal_and_never_a_5xx(void **state)
{
	struct message *m = xcalloc(1, sizeof(*m));
	struct shape s = shapes[0];
	struct tables *t = make(&s, 2);
	struct verdict v;
	size_t i;

	(void)state;
	facts_init(&m->f);
	fill(m);
	assert_int_equal(want_first(t, &m->e, &m->w, NULL, NULL), 0);
	fetch(m, 0);
	for (i = 0; i < m->w.n; i++) {
		enum fact_state was = m->f.state[i];

		m->f.state[i] = FACT_ERROR;
		judge(t, &m->e, &m->w, &m->f, 1, STAGE_FULL, &v, NULL);
		assert_int_equal(v.reason, REASON_INTERNAL);
		assert_int_equal(v.kind, VERDICT_DEFER);
		m->f.state[i] = was;
	}
	facts_fini(&m->f);
	tables_free(&t);
	free(m);
}

static void
trace_keeps_the_best_sixteen_and_counts_the_rest(void **state)
{
	struct message *m = xcalloc(1, sizeof(*m));
	struct trace *trace = xcalloc(1, sizeof(*trace));
	struct shape s = shapes[1];
	struct tables *t = make(&s, 40);
	const struct stage_trace *st = NULL;
	struct verdict v;
	size_t i, first;

	(void)state;
	facts_init(&m->f);
	fill(m);
	assert_int_equal(want_first(t, &m->e, &m->w, NULL, NULL), 0);
	fetch(m, 0);
	first = m->w.n;
	assert_int_equal(want_second(t, &m->e, &m->f, &m->w), 0);
	fetch(m, first);
	judge(t, &m->e, &m->w, &m->f, 1, STAGE_FULL, &v, trace);
	for (i = 0; i < trace->n; i++) {
		if (trace->stage[i].id == ST_BLOCKED)
			st = &trace->stage[i];
	}
	assert_non_null(st);
	assert_int_equal(st->pass, 2);
	assert_true(st->has_winner && st->candidates_n > 16);
	assert_ptr_equal(st->winner.policy, st->candidates[0].policy);
	for (i = 1; i < DECIDE_TRACE_CANDIDATES; i++)
		assert_true(memcmp(st->candidates[i - 1].policy->id,
		    st->candidates[i].policy->id, 7) != 0);
	facts_fini(&m->f);
	tables_free(&t);
	free(trace);
	free(m);
}

static void
too_many_header_addresses_are_an_error(void **state)
{
	struct message *m = xcalloc(1, sizeof(*m));
	struct shape s = shapes[0];
	struct tables *t = make(&s, 2);

	(void)state;
	fill(m);
	m->e.headers_n = DECIDE_HEADERS_MAX + 1;
	assert_int_equal(want_first(t, &m->e, &m->w, NULL, NULL),
	    ERR_TOOBIG);
	tables_free(&t);
	free(m);
}

static void
alias_of_no_address_is_corrupt(void **state)
{
	static const char *const bad[] = { "", "@", "al", "a@[192.0.2.1]" };
	struct message *m = xcalloc(1, sizeof(*m));
	struct shape s = shapes[0];
	struct tables *t = make(&s, 2);
	size_t i;

	(void)state;
	facts_init(&m->f);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fill(m);
		assert_int_equal(want_first(t, &m->e, &m->w, NULL, NULL), 0);
		fetch(m, 0);
		facts_set(&m->f, 0, FACT_FOUND, bad[i], strlen(bad[i]));
		assert_int_equal(m->w.key[0].cls, RECORD_ALIAS);
		assert_int_equal(want_second(t, &m->e, &m->f, &m->w),
		    ERR_CORRUPT);
	}
	facts_fini(&m->f);
	tables_free(&t);
	free(m);
}

/* What is held in memory wrong must end in some verdict, nothing worse. */
static void
damaged_facts_end_in_a_verdict(void **state)
{
	static const uint8_t entry[] =
	    "\001\000\003\002kk\000\001v\001k\000\002vv\001k\000\001w";
	static const uint8_t nobody[8] = { 1, 2, 3 };
	struct message *m = xcalloc(1, sizeof(*m));
	struct tables *t[2];
	struct shape s = shapes[2];
	struct verdict v;
	size_t len, i, k;

	(void)state;
	t[0] = make(&s, 4);
	s.from.kind = TARGET_GROUP;
	s.from.text = text("g1");
	s.from.gid = model_gid("g1");
	s.from.value = NULL;
	t[1] = make(&s, 4);
	facts_init(&m->f);
	for (len = 0; len < sizeof(entry); len++) {
		for (k = 0; k < 2; k++) {
			fill(m);
			assert_int_equal(want_first(t[k], &m->e, &m->w, NULL,
			    NULL), 0);
			for (i = 0; i < m->w.n; i++) {
				if (m->w.key[i].cls == RECORD_ENTRY)
					facts_set(&m->f, i, FACT_FOUND,
					    nobody, len % 9);
				else
					facts_set(&m->f, i, m->w.key[i].cls ==
					    RECORD_DIRECTORY ? FACT_FOUND :
					    FACT_ABSENT, entry, len);
			}
			judge(t[k], &m->e, &m->w, &m->f, 1, STAGE_FULL, &v,
			    NULL);
			assert_int_equal(v.kind, VERDICT_ACCEPT);
		}
	}
	facts_fini(&m->f);
	buf_init(&m->f.values, 4);
	facts_set(&m->f, 0, FACT_FOUND, entry, 5);
	assert_int_equal(m->f.state[0], FACT_ERROR);
	facts_fini(&m->f);
	tables_free(&t[0]);
	tables_free(&t[1]);
	free(m);
}

static void
conditions_over_the_limit_are_refused(void **state)
{
	static struct ip_prefix ips[MODEL_IPS_MAX];
	struct policy p = { .narrative = text("n"), .enabled = true,
	    .action = ACTION_BLOCK, .based_on = BASED_ENVELOPE, .ips = ips,
	    .ips_n = MODEL_IPS_MAX };
	struct tables *t = tables_new(NULL);
	struct diag why;
	struct buf k, v;
	char id[32];
	size_t i;
	int rc;

	(void)state;
	buf_init(&k, 0);
	buf_init(&v, 0);
	policy_encode(&p, &v);
	for (i = 0; i <= MODEL_CONDITIONS_MAX / MODEL_IPS_MAX; i++) {
		snprintf(id, sizeof(id), "p%zu", i);
		buf_reset(&k);
		record_key_text(&k, RECORD_POLICY, id);
		rc = tables_put(t, bytes_of(k.data, k.len),
		    bytes_of(v.data, v.len), &why);
		assert_int_equal(rc, i * MODEL_IPS_MAX <
		    MODEL_CONDITIONS_MAX ? 0 : ERR_TOOBIG);
	}
	buf_fini(&k);
	buf_fini(&v);
	tables_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    input_over_the_budget_is_internal_and_never_a_5xx),
		cmocka_unit_test(conditions_over_the_limit_are_refused),
		cmocka_unit_test(
		    trace_keeps_the_best_sixteen_and_counts_the_rest),
		cmocka_unit_test(too_many_header_addresses_are_an_error),
		cmocka_unit_test(alias_of_no_address_is_corrupt),
		cmocka_unit_test(damaged_facts_end_in_a_verdict),
		cmocka_unit_test(
		    lookup_that_failed_is_internal_and_never_a_5xx),
		cmocka_unit_test(
		    worst_legal_input_stays_below_half_of_the_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
