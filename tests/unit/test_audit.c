/*
 * test_audit.c - the audit log: its lines and chain, a change and its entry
 * that never part, damage that is found and named, the oldest entries cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "controller/audit.h"
#include "controller/store.h"
#include "proto/base/clock.h"
#include "proto/base/db.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/keys.h"
#include "tests/unit/kill_calls.h"

#define S ITEM_SEP_S
#define CALLS_MAX 500

struct fixture { char dir[64]; struct store *s; };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-audit-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) == NULL ? -1 :
	    store_open(&f->s, f->dir, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_close(&f->s);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

static void
reopen(struct fixture *f)
{
	struct diag why;

	store_close(&f->s);
	if (store_open(&f->s, f->dir, &why) < 0)
		fail_msg("%s", why.text);
}

static struct bytes
bytes_of_text(const char *text)
{
	return bytes_of(text, strlen(text));
}

/* A change of one group, by al. */
static int
change(struct store *s, const char *group)
{
	const struct audit_entry e = { .role = "token", .peer = "192.0.2.1",
	    .action = "group.add", .object = group };
	const struct commit info = { .actor = "al", .action = "group",
	    .message = "ticket 4711", .audit = &e };
	struct change c = { 0 };
	struct diag why;
	char key[80];
	uint64_t v;
	int rc;

	snprintf(key, sizeof(key), "group" S "%s", group);
	change_add(&c, key, items_get(store_items(s), key), "{}", "cli");
	rc = store_commit(s, &c, &info, &v, &why);
	change_fini(&c);
	return rc;
}

/* An entry alone. */
static void
note(struct store *s, const char *action)
{
	const struct audit_entry e = { .actor = "al", .role = "token",
	    .action = action };

	assert_int_equal(store_audit(s, &e, NULL), 0);
}

static bool
collect(void *arg, uint64_t seq, const uint8_t hash[AUDIT_HASH_LEN],
    struct bytes line)
{
	struct buf *out = arg;

	(void)hash;
	buf_printf(out, "%llu:%.*s\n", (unsigned long long)seq, (int)line.n,
	    (const char *)line.p);
	return true;
}

/* The lines, the oldest first; the caller frees it. */
static char *
lines(struct store *s)
{
	struct buf out;

	buf_init(&out, 0);
	buf_puts(&out, "");
	assert_int_equal(store_audit_scan(s, 0, true, collect, &out, NULL),
	    0);
	return buf_steal(&out);
}

static void
says(struct store *s, const char *text)
{
	char *all = lines(s);

	if (strstr(all, text) == NULL)
		fail_msg("no %s in\n%s", text, all);
	free(all);
}

/* --- lines and chain --- */

static void
chain_is_the_one_of_the_header(void **state)
{
	uint8_t hash[AUDIT_HASH_LEN] = { 0 };
	char hex[AUDIT_HASH_LEN * 2 + 1];

	(void)state;
	/* made by another program */
	audit_chain(hash, bytes_of_text(
	    "{\"sequence\":1,\"time_us\":0,\"result\":\"ok\"}"));
	hex_format(hash, sizeof(hash), hex);
	assert_string_equal(hex, "2440ffb20a7d9c4fe4acf564b24c2d84"
	    "e21ec5d594b1a2112d197a134ae73998");
	audit_chain(hash, bytes_of_text("{\"sequence\":9,\"above\":8,"
	    "\"time_us\":1,\"result\":\"ok\"}"));
	hex_format(hash, sizeof(hash), hex);
	assert_string_equal(hex, "c1f6f94d8f3a58903d0756eae7c91ddf"
	    "e9f04d58b022d124afede5b29fceb78e");
}

static void
line_has_its_members_in_order_and_only_what_is_there(void **state)
{
	const struct audit_entry all = { .actor = "al", .role = "token",
	    .peer = "::1", .action = "group.add", .object = "G\n\xff",
	    .reason = "why", .result = "ok", .more = 3, .seq = 12,
	    .before = 4, .after = 5, .changes = 1, .time_us = 77 };
	const struct audit_entry few = { .seq = 140, .adopts = true,
	    .above = 139 };
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	audit_line(&all, &out);
	assert_string_equal(out.data, "{\"sequence\":12,\"time_us\":77,"
	    "\"actor\":\"al\",\"role\":\"token\",\"peer\":\"::1\","
	    "\"action\":\"group.add\",\"object\":\"G\\n?\",\"before\":4,"
	    "\"after\":5,\"changes\":1,\"more\":3,\"reason\":\"why\","
	    "\"result\":\"ok\"}");
	buf_reset(&out);
	audit_line(&few, &out);
	assert_string_equal(out.data, "{\"sequence\":140,\"above\":139,"
	    "\"time_us\":0,\"result\":\"ok\"}");
	buf_fini(&out);
}

static void
longest_line_is_within_its_limit_and_cut_at_characters(void **state)
{
	char text[2000], euros[2000];
	struct audit_entry e = { .actor = text, .role = text, .peer = text,
	    .action = text, .object = text, .reason = text, .result = text,
	    .seq = UINT64_MAX / 4, .above = UINT64_MAX / 4, .adopts = true,
	    .before = UINT64_MAX / 4, .after = UINT64_MAX / 4, .changes =
	    UINT64_MAX / 4, .more = UINT64_MAX / 4, .time_us = INT64_MAX };
	struct buf out;
	size_t i;

	(void)state;
	memset(text, 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (i = 0; i + 3 < sizeof(euros); i += 3)
		memcpy(euros + i, "\xe2\x82\xac", 4);
	buf_init(&out, AUDIT_LINE_MAX);
	audit_line(&e, &out);
	assert_int_equal(out.err, 0);
	e = (struct audit_entry){ .actor = euros };
	buf_reset(&out);
	audit_line(&e, &out);
	assert_null(strchr(out.data, '?'));
	buf_fini(&out);
}

static void
entry_that_does_not_follow_is_refused(void **state)
{
	static const struct { const char *line; int want; } rows[] = {
		{ "{\"sequence\":6,\"time_us\":0}", 0 },
		{ "{\"sequence\":10,\"above\":9,\"time_us\":0}", 0 },
		{ "{\"sequence\":6,\"above\":5,\"time_us\":0}", 0 },
		{ "{\"sequence\":5,\"time_us\":0}", ERR_CORRUPT },
		{ "{\"sequence\":7,\"time_us\":0}", ERR_CORRUPT },
		{ "{\"sequence\":10,\"above\":8,\"time_us\":0}",
		    ERR_CORRUPT },
		{ "{\"sequence\":5,\"above\":4,\"time_us\":0}", ERR_CORRUPT },
		{ "{\"sequence\":\"6\",\"time_us\":0}", ERR_CORRUPT },
		{ "{\"sequence\":06,\"time_us\":0}", ERR_CORRUPT },
		{ "{\"sequence\":,\"time_us\":0}", ERR_CORRUPT },
		{ "{\"time_us\":0,\"sequence\":6}", ERR_CORRUPT },
		{ "{\"sequence\":6", ERR_CORRUPT },
		{ "", ERR_CORRUPT },
	};
	const struct audit_mark at = { .adopted = 2, .seq = 5,
	    .hash = { 9 } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes line = bytes_of_text(rows[i].line);
		struct audit_mark m = at;
		uint8_t hash[AUDIT_HASH_LEN] = { 9 };
		struct diag why;

		audit_chain(hash, line);
		assert_int_equal(audit_follow(&m, line, hash, &why),
		    rows[i].want);
		assert_true(audit_mark_same(&m, &at) ==
		    (rows[i].want != 0));
		hash[31] ^= 1;
		m = at;
		assert_int_equal(audit_follow(&m, line, hash, &why),
		    ERR_CORRUPT);
	}
}

/* --- in the store --- */

static void
change_leaves_its_entry_with_who_and_both_versions(void **state)
{
	struct fixture *f = *state;
	struct audit_mark before, after;

	assert_int_equal(change(f->s, "g"), 0);
	store_audit_mark(f->s, &before);
	assert_int_equal(before.seq, 1);
	says(f->s, "\"actor\":\"al\",\"role\":\"token\",\"peer\":"
	    "\"192.0.2.1\",\"action\":\"group.add\",\"object\":\"g\","
	    "\"after\":1,\"changes\":1,\"reason\":\"ticket 4711\","
	    "\"result\":\"ok\"}");
	reopen(f);
	store_audit_mark(f->s, &after);
	assert_true(audit_mark_same(&before, &after));
	assert_int_equal(change(f->s, "h"), 0);
	says(f->s, "\"object\":\"h\",\"before\":1,\"after\":2,");
	assert_int_equal(store_audit_prove(f->s, NULL), 0);
}

static void
rows_and_their_entry_are_one_write(void **state)
{
	const struct audit_entry e = { .actor = "mx1", .role = "node",
	    .action = "node.enroll", .object = "mx1" };
	const struct store_row rows[] = { { "token", "aa", NULL },
	    { "node", "mx1", "{}" } };
	struct fixture *f = *state;

	assert_int_equal(store_rows_write(f->s, rows, 2, &e, NULL), 0);
	says(f->s, "\"action\":\"node.enroll\"");
	assert_int_equal(store_audit_prove(f->s, NULL), 0);
}

static void
empty_log_ends_nowhere_and_is_whole(void **state)
{
	static const struct audit_mark none;
	struct fixture *f = *state;
	struct audit_mark m;

	store_audit_mark(f->s, &m);
	assert_true(audit_mark_same(&m, &none));
	assert_int_equal(store_audit_prove(f->s, NULL), 0);
}

static bool
first_only(void *arg, uint64_t seq, const uint8_t hash[AUDIT_HASH_LEN],
    struct bytes line)
{
	(void)hash;
	(void)line;
	*(uint64_t *)arg = seq;
	return false;
}

static void
scan_begins_where_it_is_told_either_way(void **state)
{
	static const struct { uint64_t from; bool up; uint64_t want; }
	    rows[] = { { 0, true, 1 }, { 3, true, 4 }, { 5, true, 0 },
	    { 0, false, 0 }, { 3, false, 3 }, { 9, false, 5 },
	    { UINT64_MAX, false, 5 }, { UINT64_MAX, true, 0 } };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < 5; i++)
		note(f->s, "x");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t seq = 0;

		assert_int_equal(store_audit_scan(f->s, rows[i].from,
		    rows[i].up, first_only, &seq, NULL), 0);
		assert_int_equal(seq, rows[i].want);
	}
}

/* Change a row of the log behind the store's back: op 'x' flips a byte of the
 * line, 'd' deletes it, 'w' writes a whole other line with its right hash. */
static void
tamper(struct fixture *f, uint64_t seq, char op)
{
	static const char other[] = "{\"sequence\":4,\"time_us\":1}";
	uint8_t hash[AUDIT_HASH_LEN];
	struct db_batch *b = db_batch_new();
	struct buf key, val;
	char path[96];
	struct db *db;

	assert_int_equal(store_audit_at(f->s, seq - 1, hash, NULL), 0);
	store_close(&f->s);
	snprintf(path, sizeof(path), "%s/policy", f->dir);
	assert_int_equal(db_open(&db, path, 0, NULL), 0);
	buf_init(&key, 0);
	buf_init(&val, 0);
	buf_putc(&key, 'a');
	buf_put_u64(&key, seq);
	assert_int_equal(db_get(db, NULL, key.data, key.len, true, &val,
	    NULL), 0);
	if (op == 'w') {
		audit_chain(hash, bytes_of_text(other));
		buf_reset(&val);
		buf_put(&val, hash, sizeof(hash));
		buf_puts(&val, other);
	} else
		val.data[val.len - 3] ^= 1;
	if (op == 'd')
		db_batch_del(b, key.data, key.len);
	else
		db_batch_put(b, key.data, key.len, val.data, val.len);
	assert_int_equal(db_write(db, b, true, NULL), 0);
	db_batch_free(&b);
	buf_fini(&key);
	buf_fini(&val);
	db_close(&db);
	assert_int_equal(store_open(&f->s, f->dir, NULL), 0);
}

static void
tampering_in_the_middle_is_found_and_named(void **state)
{
	static const struct { uint64_t seq; char op; const char *says; }
	    rows[] = { { 4, 'x', "entry 4 does not have its hash" },
	    { 4, 'd', "entry 5 stands behind entry 3" },
	    { 4, 'w', "entry 5 does not have its hash" },
	    { 7, 'd', "ends with entry 6, and should with entry 7" },
	    { 7, 'x', "entry 7 does not have its hash" } };
	struct fixture *f = *state;
	struct diag why;
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		teardown(state);
		assert_int_equal(setup(state), 0);
		f = *state;
		for (k = 0; k < 7; k++)
			note(f->s, "x");
		assert_int_equal(store_audit_prove(f->s, NULL), 0);
		tamper(f, rows[i].seq, rows[i].op);
		assert_int_equal(store_audit_prove(f->s, &why), ERR_CORRUPT);
		if (strstr(why.text, rows[i].says) == NULL)
			fail_msg("%s, and not %s", why.text, rows[i].says);
		/* it is no reason to stand still */
		assert_int_equal(change(f->s, "g"), 0);
	}
}

static void
adoption_goes_on_above_what_others_have_seen(void **state)
{
	struct audit_entry e = { .action = "adopt", .adopts = true,
	    .above = 130 };
	struct fixture *f = *state;
	struct audit_mark m;

	note(f->s, "x");
	assert_int_equal(store_audit(f->s, &e, NULL), 0);
	store_audit_mark(f->s, &m);
	assert_int_equal(m.seq, 131);
	assert_int_equal(m.adopted, 131);
	note(f->s, "x");
	/* nobody is ahead: it only says so */
	e.above = 7;
	assert_int_equal(store_audit(f->s, &e, NULL), 0);
	reopen(f);
	store_audit_mark(f->s, &m);
	assert_int_equal(m.seq, 133);
	assert_int_equal(m.adopted, 133);
	says(f->s, "131:{\"sequence\":131,\"above\":130,");
	says(f->s, "133:{\"sequence\":133,\"above\":132,");
	assert_int_equal(store_audit_prove(f->s, NULL), 0);
}

static void
cut_log_is_whole_from_a_mark_that_was_remembered(void **state)
{
	const struct audit_entry adopt = { .action = "adopt",
	    .adopts = true };
	struct fixture *f = *state;
	struct audit_mark at[13], base;
	uint8_t hash[AUDIT_HASH_LEN];
	uint64_t n;
	int i;

	for (i = 1; i <= 12; i++) {
		if (i == 3)
			assert_int_equal(store_audit(f->s, &adopt, NULL), 0);
		else
			note(f->s, "x");
		store_audit_mark(f->s, &at[i]);
	}
	assert_int_equal(store_audit_cut(f->s, 1, 100, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(store_audit_cut(f->s, INT64_MAX, 8, &n, NULL), 0);
	assert_int_equal(n, 8);
	for (i = 0; i < 2; i++) {
		store_audit_base(f->s, &base);
		assert_true(audit_mark_same(&base, &at[8]));
		assert_int_equal(base.adopted, 3);
		assert_int_equal(store_audit_prove(f->s, NULL), 0);
		assert_int_equal(store_audit_at(f->s, 7, hash, NULL),
		    ERR_NOENT);
		assert_int_equal(store_audit_at(f->s, 8, hash, NULL), 0);
		assert_memory_equal(hash, at[8].hash, AUDIT_HASH_LEN);
		assert_int_equal(store_audit_at(f->s, 12, hash, NULL), 0);
		assert_memory_equal(hash, at[12].hash, AUDIT_HASH_LEN);
		says(f->s, "\"action\":\"audit.cut\",\"object\":\"up to "
		    "entry 8\",\"changes\":8");
		reopen(f);
	}
	/* all of them: the entry that says so is left */
	assert_int_equal(store_audit_cut(f->s, INT64_MAX, 100, &n, NULL), 0);
	assert_int_equal(n, 5);
	assert_int_equal(store_audit_prove(f->s, NULL), 0);
}

static void
flood_gets_a_burst_then_one_at_a_time_and_is_counted(void **state)
{
	struct audit_limit l = { 0 };
	uint64_t now = 5000000, more, n = 0;
	int i;

	(void)state;
	for (i = 0; i < 100000; i++)
		n += audit_allows(&l, now, &more);
	assert_int_equal(n, AUDIT_BURST);
	assert_false(audit_allows(&l, now + AUDIT_EACH_MS - 1, &more));
	assert_true(audit_allows(&l, now + AUDIT_EACH_MS, &more));
	assert_int_equal(more, 100000 - AUDIT_BURST + 1);
	/* a day of it */
	for (n = 0, i = 0; i < 86400; i++)
		n += audit_allows(&l, now + 1000 * (uint64_t)i, &more);
	assert_in_range(n, 2870, 2880);
	/* quiet for long: the burst is there again, and no more */
	now += (uint64_t)7 * 86400000;
	for (n = 0, i = 0; i < 1000; i++)
		n += audit_allows(&l, now, &more);
	assert_int_equal(n, AUDIT_BURST);
}

/* --- killed at each write --- */

#define STEPS 3

/* Changes and enrolments, each with its entry. */
static bool
work(const char *dir)
{
	const struct audit_entry e = { .action = "node.enroll" };
	struct store_row row = { "node", "", "{}" };
	struct store *s;
	char name[16];
	int i;

	if (store_open(&s, dir, NULL) < 0)
		return false;
	for (i = 0; i < STEPS; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		row.key = name;
		if (change(s, name) < 0 ||
		    store_rows_write(s, &row, 1, &e, NULL) < 0)
			return false;
	}
	store_close(&s);
	return true;
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static void
count_row(void *arg, const char *key, const char *json)
{
	(void)key;
	(void)json;
	++*(size_t *)arg;
}

static void
killed_at_any_write_a_change_and_its_entry_do_not_part(
    void **state)
{
	struct fixture *f = *state;
	bool whole = false;
	int n, status, parts = 0;

	for (n = 1; !whole && n < CALLS_MAX; n++) {
		size_t nodes = 0;
		char *all;
		pid_t pid;

		store_close(&f->s);
		assert_int_equal(file_remove_tree(f->dir, NULL), 0);
		if ((pid = fork()) == 0) {
			kill_at = n;
			_exit(work(f->dir) ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		whole = !WIFSIGNALED(status);
		if (whole)
			assert_int_equal(WEXITSTATUS(status), 0);
		if (store_open(&f->s, f->dir, NULL) < 0)
			continue;	/* killed while it was made */
		all = lines(f->s);
		assert_int_equal(store_row_scan(f->s, "node", count_row,
		    &nodes, NULL), 0);
		assert_int_equal(count(all, "node.enroll"), nodes);
		assert_int_equal(count(all, "group.add"),
		    store_version(f->s));
		assert_int_equal(store_audit_prove(f->s, NULL), 0);
		parts += nodes > 0 && nodes < STEPS;
		free(all);
	}
	assert_true(whole);
	assert_true(parts > 5);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chain_is_the_one_of_the_header),
		TEST(line_has_its_members_in_order_and_only_what_is_there),
		TEST(longest_line_is_within_its_limit_and_cut_at_characters),
		TEST(entry_that_does_not_follow_is_refused),
		TEST(change_leaves_its_entry_with_who_and_both_versions),
		TEST(rows_and_their_entry_are_one_write),
		TEST(empty_log_ends_nowhere_and_is_whole),
		TEST(scan_begins_where_it_is_told_either_way),
		TEST(tampering_in_the_middle_is_found_and_named),
		TEST(adoption_goes_on_above_what_others_have_seen),
		TEST(cut_log_is_whole_from_a_mark_that_was_remembered),
		TEST(flood_gets_a_burst_then_one_at_a_time_and_is_counted),
		TEST(killed_at_any_write_a_change_and_its_entry_do_not_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
