/*
 * test_keeper.c - the controller's slow chores, done by their thread.
 */
#include <poll.h>
#include <pthread.h>

#include "controller/keeper.h"
#include "proto/base/clock.h"
#include "tests/lib/wait.h"
#include "tests/unit/api_fixture.h"

#define S ITEM_SEP_S
#define DAY_US ((int64_t)86400 * 1000000)

struct told { int n; };

static void
on_commit(void *arg)
{
	((struct told *)arg)->n++;
}

static void
put_message(struct messages *m, int64_t time_us, uint64_t seq)
{
	struct event e = { .time_us = time_us, .verdict = VERDICT_REJECT,
	    .reason = REASON_BLOCKED_ENVELOPE, .level = LEVEL_POLICY,
	    .reply_code = 550, .repeats = 1 };
	struct events batch = { .first_seq = seq, .n = 1 };
	struct bytes raw;
	struct buf b;
	uint64_t upto;

	snprintf(e.id, sizeof(e.id), "ID%08d", (int)seq);
	strcpy(e.sender, "x@bad.example");
	strcpy(e.recipient, "al@acme.example");
	memcpy(batch.spool_id, "spool--1", 8);
	buf_init(&b, 0);
	event_encode(&e, &b);
	raw = bytes_of(b.data, b.len);
	batch.event = &raw;
	assert_int_equal(messages_put(m, "mx1", &batch, clock_wall_us(),
	    &upto, NULL, NULL), 0);
	buf_fini(&b);
}

/* Wait until the policy has that version and the messages are so many. */
static bool
comes_to(struct fixture *f, pthread_mutex_t *lock, uint64_t version,
    uint64_t messages)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	bool is = false;

	while (!is && clock_mono_ms() < end) {
		poll(NULL, 0, 10);
		pthread_mutex_lock(lock);
		is = store_version(f->store) == version &&
		    messages_count(f->messages) == messages;
		pthread_mutex_unlock(lock);
	}
	return is;
}

static void
keeper_takes_out_what_is_over_and_leaves_the_rest(void **state)
{
	struct fixture *f = *state;
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct told told = { 0 };
	const struct keeper_conf conf = { .lock = &lock, .store = f->store,
	    .messages = f->messages, .message_days = 90,
	    .on_commit = on_commit, .arg = &told };
	int64_t now = clock_wall_us();
	struct keeper *k;
	struct diag why;

	put_item(f, "group" S "g", "{}", "cli");
	put_item(f, "entry" S "over.example" S "g",
	    "{\"until\":\"2020-01-01T00:00:00Z\"}", "cli");
	put_item(f, "entry" S "later.example" S "g",
	    "{\"until\":\"2999-01-01T00:00:00Z\"}", "cli");
	put_item(f, "entry" S "odd.example" S "g",
	    "{\"comment\":\"x\",\"until\":\"never\"}", "cli");
	put_message(f->messages, now - 91 * DAY_US, 1);
	put_message(f->messages, now - 89 * DAY_US, 2);
	assert_int_equal(keeper_start(&k, &conf, &why), 0);
	assert_true(comes_to(f, &lock, 5, 1));
	keeper_stop(&k);
	assert_null(k);
	assert_int_equal(told.n, 1);
	assert_null(get_item(f, "entry" S "over.example" S "g"));
	assert_non_null(get_item(f, "entry" S "later.example" S "g"));
	assert_non_null(get_item(f, "entry" S "odd.example" S "g"));
}

static void
keeper_walks_a_large_set_in_steps(void **state)
{
	struct fixture *f = *state;
	const struct commit info = { .actor = "test", .action = "test" };
	struct change c = { 0 };
	char key[64], *from = NULL;
	size_t ended, i, steps = 0, all = 0;
	struct diag why;
	uint64_t v;

	change_add(&c, "group" S "g", NULL, "{}", "cli");
	for (i = 0; i < 2 * KEEPER_WALK + 10; i++) {
		snprintf(key, sizeof(key), "entry" S "d%06zu.example" S "g",
		    i);
		change_add(&c, key, NULL, i % 20000 == 0 ?
		    "{\"until\":\"2020-01-01T00:00:00Z\"}" : "{}", "cli");
	}
	assert_int_equal(store_commit(f->store, &c, &info, &v, &why), 0);
	change_fini(&c);
	do {
		assert_int_equal(keeper_expire_entries(f->store,
		    clock_wall_us(), &from, &ended, &why), 0);
		all += ended;
		steps++;
	} while (from != NULL && steps < 10);
	assert_int_equal(steps, 3);
	assert_int_equal(all, 3);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(keeper_takes_out_what_is_over_and_leaves_the_rest),
		T(keeper_walks_a_large_set_in_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
