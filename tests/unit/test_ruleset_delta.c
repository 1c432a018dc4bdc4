/*
 * test_ruleset_delta.c - a set goes on by deltas, comes back after a restart,
 * goes back, and refuses what does not follow.
 */
#include "tests/unit/delta_fixture.h"

#include <dirent.h>
#include <sys/stat.h>

#include "node/sets.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const gone[] = { "Dbo@acme.example", "Uno", NULL };

struct set { struct fixture *x; char path[512]; struct ruleset *r; };

static void
open_set(struct set *s, void **state)
{
	struct diag why = { "" };

	s->x = *state;
	s->r = NULL;
	snprintf(s->path, sizeof(s->path), "%s/set", s->x->dir);
	if (fixture_build(s->x, s->path, &why) < 0 ||
	    ruleset_open(&s->r, s->path, s->x->id->root, &why) < 0)
		fail_msg("%s", why.text);
}

static void
reopen(struct set *s)
{
	struct diag why = { "" };

	ruleset_unref(&s->r);
	if (ruleset_open(&s->r, s->path, s->x->id->root, &why) < 0)
		fail_msg("%s", why.text);
}

static void
go(struct set *s, uint64_t to, struct change *c, size_t n)
{
	struct ruleset_refusal refusal;
	struct diag why = { "" };
	struct buf frame;

	buf_init(&frame, 0);
	fixture_change(s->x, to, c, n, &frame);
	if (fixture_apply(s->x, &s->r, &frame, &refusal, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(ruleset_head(s->r)->version, to);
	buf_fini(&frame);
}

static void
go_three(struct set *s)
{
	struct change a[] = { { "Dnew@acme.example", "\1" },
	    { "Dbo@acme.example", NULL } };
	struct change b[] = { { "Eodd.example", "01234567" } };
	struct change c[] = { { "Dnew@acme.example", "\2" } };

	go(s, 8, a, N(a));
	go(s, 10, b, N(b));
	go(s, 11, c, N(c));
}

static void
delta_changes_what_it_says_and_old_views_stay(void **state)
{
	struct ruleset *old;
	struct buf scratch;
	struct bytes v;
	struct set s;

	open_set(&s, state);
	old = ruleset_ref(s.r);
	go_three(&s);
	fixture_agrees(s.x, s.r, gone);
	buf_init(&scratch, 0);
	assert_int_equal(ruleset_get(old, "Dbo@acme.example", 16, &scratch,
	    &v), 0);
	assert_int_equal(ruleset_get(old, "Dnew@acme.example", 17, &scratch,
	    &v), ERR_NOENT);
	assert_int_equal(ruleset_head(old)->version, 7);
	buf_fini(&scratch);
	ruleset_unref(&old);
	ruleset_unref(&s.r);
}

static void
deltas_are_there_after_a_restart(void **state)
{
	struct set s;

	open_set(&s, state);
	go_three(&s);
	reopen(&s);
	assert_int_equal(ruleset_head(s.r)->version, 11);
	fixture_agrees(s.x, s.r, gone);
	go(&s, 12, (struct change[]){ { "Dnew@acme.example", NULL } }, 1);
	reopen(&s);
	fixture_agrees(s.x, s.r, gone);
	ruleset_unref(&s.r);
}

static void
lost_filter_is_made_anew_with_all_keys(void **state)
{
	char path[600];
	struct set s;

	open_set(&s, state);
	go_three(&s);
	ruleset_unref(&s.r);
	snprintf(path, sizeof(path), "%s/filter", s.path);
	assert_int_equal(unlink(path), 0);
	reopen(&s);
	fixture_agrees(s.x, s.r, gone);
	assert_int_equal(access(path, F_OK), 0);
	ruleset_unref(&s.r);
}

static void
small_records_change_the_tables_of_the_new_view_alone(void **state)
{
	struct ruleset *old;
	struct set s;

	open_set(&s, state);
	old = ruleset_ref(s.r);
	go(&s, 8, (struct change[]){ { "Fmail.example", "" },
	    { "Sreply_help", "https://help" }, { "Podd", NULL } }, 3);
	assert_int_equal(tables_policies_n(ruleset_tables(old)), 2);
	assert_int_equal(tables_policies_n(ruleset_tables(s.r)), 1);
	assert_string_equal(tables_settings(ruleset_tables(s.r))->reply_help,
	    "https://help");
	ruleset_unref(&old);
	/* nothing small: the tables are the same ones */
	old = ruleset_ref(s.r);
	go(&s, 9, (struct change[]){ { "Ea@b.example", "01234567" } }, 1);
	assert_ptr_equal(ruleset_tables(old), ruleset_tables(s.r));
	ruleset_unref(&old);
	reopen(&s);
	assert_int_equal(tables_policies_n(ruleset_tables(s.r)), 1);
	fixture_agrees(s.x, s.r, NULL);
	ruleset_unref(&s.r);
}

/* The policies are shared, and held against the groups all the same. */
static void
group_that_a_kept_policy_names_cannot_go(void **state)
{
	struct change c = { NULL, NULL };
	struct ruleset_refusal refusal;
	struct fixture_record *group;
	struct policy p = { .id = fixture_str("of-group"),
	    .narrative = fixture_str("Of a group"),
	    .type = POLICY_BLOCKED_SENDERS, .action = ACTION_BLOCK,
	    .based_on = BASED_ENVELOPE, .from = { .kind = TARGET_GROUP,
		.text = fixture_str("sinners"), .gid = model_gid("sinners") },
	    .to = { .kind = TARGET_INTERNAL }, .enabled = true,
	    .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX };
	struct fixture *x = *state;
	struct buf frame;
	struct diag why;
	char key[16];
	struct set s;

	group = fixture_add(x);
	record_key_gid(&group->key, model_gid("sinners"));
	record_group_encode(&group->val, "sinners", NULL, 0);
	memcpy(key, group->key.data, group->key.len);
	key[group->key.len] = '\0';
	assert_null(memchr(key, 0, group->key.len));
	fixture_policy(x, &p);
	fixture_publish(x, 7);
	open_set(&s, state);
	c.key = key;
	buf_init(&frame, 0);
	fixture_change(x, 8, &c, 1, &frame);
	assert_int_equal(fixture_apply(x, &s.r, &frame, &refusal, &why),
	    ERR_CORRUPT);
	assert_int_equal(refusal.nack, NACK_CORRUPT);
	assert_non_null(strstr(why.text, "sinners"));
	assert_int_equal(ruleset_head(s.r)->version, 7);
	buf_fini(&frame);
	ruleset_unref(&s.r);
}

/* Classes that a delta does not name are the same rows in memory, whichever
 * view goes first; those that it names are not. */
static void
unchanged_classes_are_shared_by_views(void **state)
{
	const struct policy *policy;
	struct ruleset *old;
	struct set s;

	open_set(&s, state);
	old = ruleset_ref(s.r);
	policy = tables_policy(ruleset_tables(old), "bad");
	go(&s, 8, (struct change[]){ { "Fmail.example", "" },
	    { "Sreply_help", "https://help" } }, 2);
	assert_ptr_equal(tables_policy(ruleset_tables(s.r), "bad"), policy);
	assert_string_equal(tables_settings(ruleset_tables(old))->reply_help,
	    "");
	ruleset_unref(&old);
	assert_string_equal(policy->narrative, "Bad");
	old = ruleset_ref(s.r);
	go(&s, 9, (struct change[]){ { "Podd", NULL } }, 1);
	assert_ptr_not_equal(tables_policy(ruleset_tables(s.r), "bad"),
	    policy);
	assert_string_equal(tables_settings(ruleset_tables(s.r))->reply_help,
	    "https://help");
	ruleset_unref(&s.r);
	assert_string_equal(policy->narrative, "Bad");
	assert_non_null(tables_policy(ruleset_tables(old), "odd"));
	ruleset_unref(&old);
}

static void
rewound_set_is_at_each_version_it_had(void **state)
{
	static const struct { uint64_t upto, at; } rows[] = {
		{ 11, 11 }, { 10, 10 }, { 9, 8 }, { 7, 7 } };
	struct fixture *x = *state;
	struct head want[16];
	struct set s;
	size_t i;

	open_set(&s, state);
	want[7] = x->head;
	go(&s, 8, (struct change[]){ { "Dnew@acme.example", "\1" } }, 1);
	want[8] = x->head;
	go(&s, 10, (struct change[]){ { "Fmail.example", "" } }, 1);
	want[10] = x->head;
	go(&s, 11, (struct change[]){ { "Dnew@acme.example", NULL } }, 1);
	want[11] = x->head;
	for (i = 0; i < N(rows); i++) {
		struct diag why = { "" };

		ruleset_unref(&s.r);
		if (ruleset_rewind(s.path, fixture_trust(x), rows[i].upto, &s.r,
		    &why) < 0)
			fail_msg("%s", why.text);
		assert_int_equal(ruleset_head(s.r)->version, rows[i].at);
		assert_memory_equal(ruleset_head(s.r)->digest,
		    want[rows[i].at].digest, DIGEST_LEN);
	}
	ruleset_unref(&s.r);
	assert_int_equal(ruleset_rewind(s.path, fixture_trust(x), 6, &s.r,
	    NULL), ERR_NOENT);
}

/* A sum over all files in a folder; 0: none. */
static uint64_t
sum_folder(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	uint64_t sum = 1;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		char path[800];
		struct buf b;
		size_t i;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		buf_init(&b, 0);
		assert_int_equal(file_read(path, 1 << 24, &b, NULL), 0);
		for (i = 0; i < b.len; i++)
			sum = sum * 31 + (uint8_t)b.data[i];
		buf_fini(&b);
	}
	closedir(d);
	return sum;
}

static void
base_is_never_written_again(void **state)
{
	char base[600];
	struct set s;
	uint64_t before;

	open_set(&s, state);
	snprintf(base, sizeof(base), "%s/base", s.path);
	before = sum_folder(base);
	go_three(&s);
	reopen(&s);
	go(&s, 12, (struct change[]){ { "Dnew@acme.example", NULL } }, 1);
	ruleset_unref(&s.r);
	assert_true(before > 1 && sum_folder(base) == before);
}

static void
set_goes_on_in_the_folder_of_its_base(void **state)
{
	struct fixture *x = *state;
	struct ruleset *r = NULL;
	char path[SETS_PATH_LEN];
	struct set s = { .x = x };
	struct diag why = { "" };

	assert_int_equal(sets_prepare(x->dir, path, NULL), 0);
	assert_int_equal(fixture_build(x, path, NULL), 0);
	assert_int_equal(sets_install(x->dir, 7, path, NULL), 0);
	assert_int_equal(ruleset_open(&s.r, path, x->id->root, NULL), 0);
	go_three(&s);
	ruleset_unref(&s.r);
	assert_int_equal(sets_open_newest(x->dir, fixture_trust(x), &r,
	    NULL), 0);
	assert_int_equal(ruleset_head(r)->version, 11);
	ruleset_unref(&r);
	if (sets_open_upto(x->dir, fixture_trust(x), 10, &r, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(ruleset_head(r)->version, 10);
	ruleset_unref(&r);
	assert_int_equal(sets_open_upto(x->dir, fixture_trust(x), 3, &r, NULL),
	    ERR_NOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, \
	fixture_teardown)
		T(delta_changes_what_it_says_and_old_views_stay),
		T(deltas_are_there_after_a_restart),
		T(lost_filter_is_made_anew_with_all_keys),
		T(small_records_change_the_tables_of_the_new_view_alone),
		T(unchanged_classes_are_shared_by_views),
		T(group_that_a_kept_policy_names_cannot_go),
		T(rewound_set_is_at_each_version_it_had),
		T(base_is_never_written_again),
		T(set_goes_on_in_the_folder_of_its_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
