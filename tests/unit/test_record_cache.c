/*
 * test_record_cache.c - a cache answers with what it was given for this key
 * under this view, and with nothing else; a reader's changes no answer.
 */
#include "tests/unit/delta_fixture.h"

#include <fcntl.h>

#include "node/record_cache.h"
#include "proto/base/file.h"

#define VIEW 7

static struct bytes
text(const char *s)
{
	return bytes_of(s, strlen(s));
}

static struct record_hash
hash_of(uint64_t slot)
{
	return (struct record_hash){ 1, slot << 32 | 5 };
}

/* What it has for key, or "-". */
static const char *
got(struct record_cache *c, uint64_t view, struct record_hash h,
    const char *key)
{
	static char out[RECORD_CACHE_ROOM + 1];
	struct bytes v;

	if (!record_cache_get(c, view, h, text(key), &v))
		return "-";
	memcpy(out, v.p, v.n);
	out[v.n] = '\0';
	return out;
}

static void
cache_answers_for_its_key_and_view_alone(void **state)
{
	struct record_cache *c = record_cache_new();
	struct record_hash h = hash_of(3);

	(void)state;
	assert_string_equal(got(c, VIEW, h, "Ebad.example"), "-");
	record_cache_put(c, VIEW, h, text("Ebad.example"), text("value"));
	record_cache_put(c, VIEW, hash_of(4), text("Dal@x"), text(""));
	assert_string_equal(got(c, VIEW, h, "Ebad.example"), "value");
	assert_string_equal(got(c, VIEW, hash_of(4), "Dal@x"), "");
	assert_string_equal(got(c, VIEW + 1, h, "Ebad.example"), "-");
	/* the same hash does not do, nor a part of the key */
	assert_string_equal(got(c, VIEW, h, "Ebad.examplf"), "-");
	assert_string_equal(got(c, VIEW, h, "Ebad.exampl"), "-");
	assert_string_equal(got(c, VIEW, h, "Ebad.examplev"), "-");
	record_cache_free(&c);
	assert_null(c);
}

static void
newer_record_takes_the_slot(void **state)
{
	struct record_cache *c = record_cache_new();
	struct record_hash same = hash_of(3), more = hash_of(3);

	(void)state;
	more.own++;				/* the same slot */
	record_cache_put(c, VIEW, same, text("Ea.example"), text("1"));
	record_cache_put(c, VIEW, hash_of(4), text("Ec.example"), text("3"));
	record_cache_put(c, VIEW, same, text("Eb.example"), text("22"));
	assert_string_equal(got(c, VIEW, same, "Ea.example"), "-");
	assert_string_equal(got(c, VIEW, same, "Eb.example"), "22");
	record_cache_put(c, VIEW, more, text("Ea.example"), text("1"));
	assert_string_equal(got(c, VIEW, same, "Eb.example"), "-");
	assert_string_equal(got(c, VIEW, more, "Ea.example"), "1");
	record_cache_put(c, VIEW + 1, more, text("Ea.example"), text("2"));
	assert_string_equal(got(c, VIEW + 1, more, "Ea.example"), "2");
	assert_string_equal(got(c, VIEW, more, "Ea.example"), "-");
	/* of another slot */
	assert_string_equal(got(c, VIEW, hash_of(4), "Ec.example"), "3");
	record_cache_free(&c);
}

static void
record_without_room_is_not_kept(void **state)
{
	struct record_cache *c = record_cache_new();
	char val[RECORD_CACHE_ROOM + 1], key[RECORD_CACHE_ROOM + 2];
	struct record_hash h = hash_of(RECORD_CACHE_SLOTS - 1);
	size_t i;

	(void)state;
	memset(val, 'v', sizeof(val));
	memset(key, 'k', sizeof(key));
	val[RECORD_CACHE_ROOM - 3] = '\0';
	record_cache_put(c, VIEW, h, text("key"), text(val));
	assert_string_equal(got(c, VIEW, h, "key"), val);
	record_cache_put(c, VIEW, h, text("kez"), bytes_of(val,
	    RECORD_CACHE_ROOM - 2));
	for (i = RECORD_CACHE_ROOM + 1; i < sizeof(key); i++) {
		key[i] = '\0';
		record_cache_put(c, VIEW, h, text(key), text(""));
		assert_string_equal(got(c, VIEW, h, key), "-");
	}
	assert_string_equal(got(c, VIEW, h, "kez"), "-");
	assert_string_equal(got(c, VIEW, h, "key"), val);
	record_cache_free(&c);
}

/* --- a reader's ----------------------------------------------------------- */

#define KEY "Eodd.example"

/* What r says of KEY to one who decides with rd; "-": absent, "!": error. */
static const char *
fetched(struct ruleset *r, struct ruleset_reader *rd)
{
	static const char from[] = "x@odd.example", to[] = "al@acme.example";
	static struct want w;
	static struct facts f;
	static char out[16];
	uint8_t key[RECORD_KEY_MAX];
	struct envelope e;
	size_t i;

	memset(&e, 0, sizeof(e));
	assert_int_equal(addr_parse(&e.sender, from, sizeof(from) - 1,
	    ADDR_TEXT, NULL), 0);
	assert_int_equal(addr_parse(&e.rcpt, to, sizeof(to) - 1, ADDR_TEXT,
	    NULL), 0);
	assert_int_equal(want_first(ruleset_tables(r), &e, &w, NULL, NULL),
	    0);
	facts_init(&f);
	ruleset_fetch(r, &w, 0, &f, rd);
	for (i = 0; want_key_write(&w.key[i], key) != strlen(KEY) ||
	    memcmp(key, KEY, strlen(KEY)) != 0; i++)
		assert_in_range(i, 0, w.n);
	strcpy(out, f.state[i] == FACT_ABSENT ? "-" : "!");
	if (f.state[i] == FACT_FOUND) {
		assert_int_equal(f.len[i], 8);
		memcpy(out, f.values.data + f.at[i], 8);
		out[8] = '\0';
	}
	facts_fini(&f);
	return out;
}

static struct ruleset *
open_with(struct fixture *x, const char *val, char path[512])
{
	struct ruleset *r = NULL;
	struct diag why = { "" };

	fixture_do(x, &(struct change){ KEY, val });
	fixture_publish(x, 7);
	snprintf(path, 512, "%s/set", x->dir);
	if (fixture_build(x, path, &why) < 0 ||
	    ruleset_open(&r, path, x->id->root, &why) < 0)
		fail_msg("%s", why.text);
	return r;
}

static void
go(struct fixture *x, struct ruleset **r, uint64_t to, const char *val)
{
	struct ruleset_refusal refusal;
	struct diag why = { "" };
	struct buf frame;

	buf_init(&frame, 0);
	fixture_change(x, to, &(struct change){ KEY, val }, 1, &frame);
	if (fixture_apply(x, r, &frame, &refusal, &why) < 0)
		fail_msg("%s", why.text);
	buf_fini(&frame);
}

static void
sees_each_view_as_it_is(struct fixture *x, const char *at_first)
{
	struct ruleset_reader rd;
	struct ruleset *r, *old, *first;
	char path[512];
	int i;

	r = open_with(x, at_first, path);
	first = ruleset_ref(r);
	ruleset_reader_init(&rd);
	if (at_first == NULL)
		at_first = "-";
	assert_string_equal(fetched(r, &rd), at_first);
	go(x, &r, 8, "8 8 8 8 ");
	old = ruleset_ref(r);
	assert_string_equal(fetched(r, &rd), "8 8 8 8 ");
	go(x, &r, 9, "9 9 9 9 ");
	for (i = 0; i < 3; i++) {
		assert_string_equal(fetched(r, &rd), "9 9 9 9 ");
		assert_string_equal(fetched(old, &rd), "8 8 8 8 ");
		assert_string_equal(fetched(first, &rd), at_first);
	}
	go(x, &r, 10, NULL);
	assert_string_equal(fetched(r, &rd), "-");
	assert_string_equal(fetched(old, &rd), "8 8 8 8 ");
	go(x, &r, 11, "11 11 11");
	assert_string_equal(fetched(r, &rd), "11 11 11");
	ruleset_unref(&first);
	ruleset_unref(&old);
	ruleset_unref(&r);
	ruleset_reader_fini(&rd);
}

static void
reader_sees_each_view_as_it_is(void **state)
{
	sees_each_view_as_it_is(*state, NULL);
}

static void
reader_sees_changes_of_what_the_base_has(void **state)
{
	sees_each_view_as_it_is(*state, "abcdefgh");
}

/* Flip a bit of the value on the disk. */
static void
flip_value(const char *set, const char *val)
{
	struct buf data;
	char path[600], *at;
	int fd;

	buf_init(&data, 0);
	snprintf(path, sizeof(path), "%s/live/000003.ldb", set);
	assert_int_equal(file_read(path, 1 << 20, &data, NULL), 0);
	at = memmem(data.data, data.len, val, strlen(val));
	assert_non_null(at);
	fd = open(path, O_WRONLY);
	at[0] ^= 1;
	assert_int_equal(pwrite(fd, at, 1, at - data.data), 1);
	close(fd);
	buf_fini(&data);
}

static void
damaged_record_is_not_kept_and_a_kept_one_not_read_again(void **state)
{
	struct fixture *x = *state;
	struct ruleset_reader rd;
	struct ruleset *r;
	char path[512];

	r = open_with(x, "abcdefgh", path);
	ruleset_reader_init(&rd);
	flip_value(path, "abcdefgh");
	assert_string_equal(fetched(r, &rd), "!");
	assert_true(ruleset_is_damaged(r));
	flip_value(path, "`bcdefgh");
	assert_string_equal(fetched(r, &rd), "abcdefgh");
	flip_value(path, "abcdefgh");
	assert_string_equal(fetched(r, &rd), "abcdefgh");
	/* one who has kept nothing reads it */
	ruleset_reader_fini(&rd);
	ruleset_reader_init(&rd);
	assert_string_equal(fetched(r, &rd), "!");
	ruleset_unref(&r);
	ruleset_reader_fini(&rd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cache_answers_for_its_key_and_view_alone),
		cmocka_unit_test(newer_record_takes_the_slot),
		cmocka_unit_test(record_without_room_is_not_kept),
		cmocka_unit_test_setup_teardown(
		    reader_sees_each_view_as_it_is, fixture_setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    reader_sees_changes_of_what_the_base_has, fixture_setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    damaged_record_is_not_kept_and_a_kept_one_not_read_again,
		    fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
