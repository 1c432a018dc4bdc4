/*
 * test_sync.c - the sync thread against a controller in miniature: taking a
 * version, refusing others, delivering events.
 */
#include "tests/unit/sync_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static bool
has_delivered(struct fleet *f)
{
	return f->events_n >= 1200 && spool_events(f->spool) == 0;
}

static void
version_is_taken_and_acknowledged(void **state)
{
	(void)state;
	play(&fleet, enforces_7);
	assert_non_null(fleet.got);
	assert_int_equal(fleet.ack.accepted, 7);
	assert_memory_equal(fleet.ack.digest, fleet.x->head.digest,
	    DIGEST_LEN);
	assert_int_equal(fleet.metrics.head_version, 7);
}

static void
older_version_is_refused_as_rollback(void **state)
{
	(void)state;
	fixture_publish(fleet.x, 2);
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_ROLLBACK);
	assert_int_equal(fleet.ack.nack_version, 2);
	assert_null(fleet.got);
}

static void
version_of_a_stranger_is_refused_and_ours_taken_after(void **state)
{
	struct sign_key *ours = fleet.x->publisher, *other;

	(void)state;
	assert_int_equal(sign_key_new(&other), 0);
	fleet.x->publisher = other;
	fixture_publish(fleet.x, 9);
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_SIGNATURE);
	assert_null(fleet.got);
	fleet.x->publisher = ours;
	sign_key_free(&other);
	fixture_publish(fleet.x, 7);
	play(&fleet, enforces_7);
}

static void
chunk_changed_on_the_way_is_refused_and_tried_again(void **state)
{
	(void)state;
	fleet.x->chunk[0].data[12] ^= 1;
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_CORRUPT);
	fleet.x->chunk[0].data[12] ^= 1;
	play(&fleet, enforces_7);
}

static bool
has_asked_for_a_manifest(struct fleet *f)
{
	return f->manifest_reqs > 0;
}

/* The head moved on between the request and its answer, which comes late. */
static void
manifest_asked_for_before_the_head_moved_is_dropped(void **state)
{
	struct change c = { "Dnew@acme.example", "\1" };
	struct buf late;

	(void)state;
	fleet.no_manifests = true;
	play(&fleet, has_asked_for_a_manifest);
	buf_init(&late, 0);
	buf_put(&late, fleet.x->manifest_frame.data,
	    fleet.x->manifest_frame.len);
	fixture_do(fleet.x, &c);
	fixture_publish(fleet.x, 8);
	send_buf(&fleet, fleet.control, &fleet.x->head_frame);
	send_buf(&fleet, fleet.control, &late);
	buf_fini(&late);
	fleet.no_manifests = false;
	play(&fleet, is_at_head);
	assert_int_equal(fleet.manifest_reqs, 2);
	assert_int_equal(fleet.metrics.nacks, 0);
	fixture_agrees(fleet.x, fleet.got, NULL);
}

static int
setup_impatient(void **state)
{
	return setup_with(state, 0, 300);
}

/* Mix and match: what the head names never comes, another one does. */
static void
other_manifest_for_ever_is_told_and_ours_taken_after(void **state)
{
	struct buf ours;

	(void)state;
	buf_init(&ours, 0);
	buf_put(&ours, fleet.x->head_frame.data, fleet.x->head_frame.len);
	fixture_publish(fleet.x, 6);
	buf_reset(&fleet.x->head_frame);
	buf_put(&fleet.x->head_frame, ours.data, ours.len);
	buf_fini(&ours);
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_DIGEST);
	assert_int_equal(fleet.ack.nack_version, 7);
	assert_null(fleet.got);
	fixture_publish(fleet.x, 7);
	play(&fleet, enforces_7);
}

/* One that nobody signed does not stop what is under way. */
static void
manifest_with_a_bit_changed_is_refused_and_ours_taken_after(void **state)
{
	struct buf *m = &fleet.x->manifest_frame;

	(void)state;
	fleet.no_manifests = true;
	play(&fleet, has_asked_for_a_manifest);
	m->data[20] ^= 1;
	send_buf(&fleet, fleet.control, m);
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_SIGNATURE);
	m->data[20] ^= 1;
	send_buf(&fleet, fleet.control, m);
	play(&fleet, enforces_7);
	assert_int_equal(fleet.manifest_reqs, 1);
}

/* One that a process before this asked for, by another manifest. */
static void
chunk_asked_for_by_the_process_before_is_dropped(void **state)
{
	(void)state;
	fleet.odd_chunks = 1;
	play(&fleet, enforces_7);
	assert_int_equal(fleet.chunks_sent, 2);
	assert_int_equal(fleet.metrics.nacks, 0);
	fixture_agrees(fleet.x, fleet.got, NULL);
}

static void
pushed_delta_is_taken_without_a_question(void **state)
{
	(void)state;
	play(&fleet, enforces_7);
	change(&fleet, 8, "Dnew@acme.example", "\1");
	send_buf(&fleet, fleet.control, &fleet.delta[0]);
	play(&fleet, is_at_head);
	assert_int_equal(fleet.ack.accepted, 8);
	assert_int_equal(fleet.delta_reqs, 0);
	assert_int_equal(fleet.manifest_reqs, 1);
	fixture_agrees(fleet.x, fleet.got, NULL);
	/* once more: it came twice */
	send_buf(&fleet, fleet.control, &fleet.delta[0]);
	change(&fleet, 9, "Dnew@acme.example", NULL);
	send_buf(&fleet, fleet.control, &fleet.delta[1]);
	play(&fleet, is_at_head);
	assert_int_equal(fleet.ack.nack, NACK_NONE);
	assert_int_equal(fleet.metrics.deltas, 2);
}

static void
lost_deltas_are_asked_for_and_taken_in_turn(void **state)
{
	char key[32];
	uint64_t v;

	(void)state;
	play(&fleet, enforces_7);
	for (v = 8; v < 8 + 12; v++) {
		snprintf(key, sizeof(key), "Dn%u@acme.example", (unsigned)v);
		change(&fleet, v, key, "\1");
	}
	play(&fleet, is_at_head);
	assert_int_equal(fleet.delta_reqs, 2);	/* twelve, eight a time */
	assert_int_equal(fleet.manifest_reqs, 1);
	fixture_agrees(fleet.x, fleet.got, NULL);
}

static void
gone_deltas_lead_to_the_manifest(void **state)
{
	(void)state;
	play(&fleet, enforces_7);
	change(&fleet, 8, "Dnew@acme.example", "\1");
	fleet.no_deltas = true;
	fixture_publish(fleet.x, 8);
	play(&fleet, is_at_head);
	assert_int_equal(fleet.manifest_reqs, 2);
	fixture_agrees(fleet.x, fleet.got, NULL);
}

/* Told where they stop, it does not wait for more, nor ask again. */
static void
deltas_that_stop_on_the_way_lead_to_the_manifest_at_once(void **state)
{
	(void)state;
	play(&fleet, enforces_7);
	change(&fleet, 8, "Dnew@acme.example", "\1");
	change(&fleet, 9, "Dbo@acme.example", NULL);
	change(&fleet, 10, "Dnew2@acme.example", "\1");
	fleet.no_last_delta = true;
	fixture_publish(fleet.x, 10);
	play(&fleet, is_at_head);
	assert_int_equal(fleet.metrics.deltas, 2);
	assert_int_equal(fleet.delta_reqs, 1);
	assert_int_equal(fleet.manifest_reqs, 2);
	fixture_agrees(fleet.x, fleet.got, NULL);
}

/* Silence is no refusal: it asks again, though no manifest would help it. */
static void
lost_request_for_deltas_is_made_again(void **state)
{
	unsigned manifest_reqs;

	(void)state;
	play(&fleet, enforces_7);
	manifest_reqs = fleet.manifest_reqs;
	change(&fleet, 8, "Dnew@acme.example", "\1");
	fleet.loses_request = true;
	play(&fleet, is_at_head);
	assert_true(fleet.delta_reqs >= 2);
	assert_int_equal(fleet.manifest_reqs, manifest_reqs);
	assert_int_equal(fleet.ack.nack, NACK_NONE);
	assert_int_equal(fleet.ack.nack_version, 0);
}

static void
older_manifest_is_caught_up_by_deltas(void **state)
{
	(void)state;
	change(&fleet, 9, "Dnew@acme.example", "\1");
	change(&fleet, 11, "Dbo@acme.example", NULL);
	play(&fleet, is_at_head);
	assert_int_equal(fleet.manifest_reqs, 1);
	assert_int_equal(fleet.ack.accepted, 11);
	fixture_agrees(fleet.x, fleet.got, NULL);
}

static void
delta_of_another_content_is_refused_and_the_manifest_taken(void **state)
{
	struct change c = { "Dx@acme.example", "\1" };
	struct head was;
	struct buf b;

	(void)state;
	play(&fleet, enforces_7);
	was = fleet.x->head;
	fleet.x->head.digest[0] ^= 1;
	buf_init(&b, 0);
	fixture_change(fleet.x, 8, &c, 1, &b);
	send_buf(&fleet, fleet.control, &b);
	buf_fini(&b);
	fleet.x->head = was;
	play(&fleet, is_refused);
	assert_int_equal(fleet.ack.nack, NACK_CHAIN);
	assert_int_equal(fleet.ack.nack_version, 8);
	assert_int_equal(fleet.ack.enforced, 7);
	fixture_publish(fleet.x, 9);
	play(&fleet, is_at_head);
	fixture_agrees(fleet.x, fleet.got, NULL);
}

static bool
is_held(struct fleet *f)
{
	return f->ack.state == ACK_HELD && f->ack.nack == NACK_CRASH;
}

/* A process that dies while deciding. */
static void
die_deciding(struct fleet *f, uint64_t version)
{
	struct sentry *s;
	pid_t pid = fork();
	int status;
	uint64_t ms;

	if (pid == 0) {
		if (sentry_open(&s, f->x->dir, clock_wall_us(), NULL) < 0)
			_exit(1);
		for (ms = 0; ms <= 2 * SENTRY_RAN_MS; ms += 60000)
			sentry_runs(s, version, ms);
		sentry_enter(s, SENTRY_DECIDE, version);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static int
setup_heard_8(void **state)
{
	return setup_with(state, 8, 2 * WAIT_MS);
}

static void
node_held_after_crashes_takes_nothing_until_the_head_moves(void **state)
{
	struct sentry *next;
	int i;

	(void)state;
	play(&fleet, enforces_7);
	for (i = 0; i < SENTRY_CRASHES; i++)
		die_deciding(&fleet, 7);
	assert_int_equal(sentry_open(&next, fleet.x->dir, clock_wall_us(),
	    NULL), 0);
	sentry_close(&next);
	change(&fleet, 8, "Dnew@acme.example", "\1");
	send_buf(&fleet, fleet.control, &fleet.delta[0]);
	play(&fleet, is_held);
	assert_int_equal(fleet.ack.enforced, 7);
	assert_int_equal(fleet.delta_reqs, 0);
	change(&fleet, 9, "Dnew@acme.example", "\2");
	play(&fleet, is_at_head);
	assert_int_equal(fleet.ack.state, ACK_CURRENT);
	assert_int_equal(fleet.ack.nack, NACK_NONE);
}

static bool
is_repaired(struct fleet *f)
{
	return f->ack.repairs == 1 && f->ack.state == ACK_CURRENT &&
	    strstr(ruleset_dir(f->got), "/7.1") != NULL;
}

static bool
is_proved(struct fleet *f)
{
	return f->ack.proved;
}

/* Flip a bit of each byte of the values in the only table. */
static void
damage(const char *dir)
{
	char path[600];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/live", dir);
	d = opendir(path);
	while ((e = readdir(d)) != NULL) {
		uint8_t b[256];
		ssize_t n;
		int fd, i;

		if (strstr(e->d_name, ".ldb") == NULL)
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDWR);
		n = pread(fd, b, sizeof(b), 0);
		assert_true(n > 100);
		for (i = 0; i < n; i++)
			b[i] ^= 1;
		assert_int_equal(pwrite(fd, b, (size_t)n, 0), n);
		close(fd);
	}
	closedir(d);
}

static void
damaged_set_is_fetched_anew_and_said_so(void **state)
{
	struct buf scratch;
	struct bytes v;
	size_t i, wrong = 0;

	(void)state;
	play(&fleet, enforces_7);
	play(&fleet, is_proved);
	damage(ruleset_dir(fleet.got));
	buf_init(&scratch, 0);
	for (i = 0; i < fleet.x->n; i++)
		wrong += ruleset_get(fleet.got, fleet.x->r[i].key.data,
		    fleet.x->r[i].key.len, &scratch, &v) != 0;
	buf_fini(&scratch);
	assert_true(wrong > 0);
	play(&fleet, is_repaired);
	fixture_agrees(fleet.x, fleet.got, NULL);
}

/* The head tells this end of the audit log from now on. */
static void
tell_audit(struct fleet *f, uint64_t seq, int hash)
{
	struct buf b;

	f->x->head.issued_us = clock_wall_us();
	f->x->head.audit.seq = seq;
	memset(f->x->head.audit.hash, hash, AUDIT_HASH_LEN);
	buf_init(&b, 0);
	head_encode(&f->x->head, &b);
	buf_reset(&f->x->head_frame);
	assert_int_equal(frame_sign(&f->x->head_frame, FRAME_HEAD,
	    f->x->publisher, b.data, b.len), 0);
	buf_fini(&b);
}

static bool
says_behind(struct fleet *f)
{
	return f->ack.audit_state == AUDIT_BEHIND;
}

static bool
saw_12(struct fleet *f)
{
	return f->ack.audit.seq == 12 && enforces_7(f);
}

static void
audit_log_that_goes_back_is_told_and_refuses_nothing(void **state)
{
	struct fleet *f = &fleet;

	(void)state;
	tell_audit(f, 12, 1);
	play(f, saw_12);
	assert_int_equal(f->ack.audit_state, AUDIT_OK);
	assert_int_equal(f->ack.audit.hash[31], 1);
	assert_int_equal(f->metrics.audit_seq, 12);
	tell_audit(f, 11, 2);
	play(f, says_behind);
	assert_int_equal(f->ack.audit.seq, 12);
	assert_int_equal(f->metrics.audit_behind, 1);
	/* a change under such a log is taken all the same */
	change(f, 8, "Fmail.example", "");
	play(f, is_at_head);
	assert_int_equal(f->ack.nack, NACK_NONE);
	assert_int_equal(f->ack.audit_state, AUDIT_BEHIND);
}

static void
events_are_delivered_in_batches(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 1200; i++)
		spool_put(fleet.spool, "event", 5);
	play(&fleet, has_delivered);
	assert_int_equal(fleet.events_n, 1200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(version_is_taken_and_acknowledged),
		T(older_version_is_refused_as_rollback),
		T(version_of_a_stranger_is_refused_and_ours_taken_after),
		T(chunk_changed_on_the_way_is_refused_and_tried_again),
		T(chunk_asked_for_by_the_process_before_is_dropped),
		T(manifest_asked_for_before_the_head_moved_is_dropped),
		cmocka_unit_test_setup_teardown(
		    other_manifest_for_ever_is_told_and_ours_taken_after,
		    setup_impatient, teardown),
		T(manifest_with_a_bit_changed_is_refused_and_ours_taken_after),
		T(pushed_delta_is_taken_without_a_question),
		T(lost_deltas_are_asked_for_and_taken_in_turn),
		T(gone_deltas_lead_to_the_manifest),
		T(deltas_that_stop_on_the_way_lead_to_the_manifest_at_once),
		cmocka_unit_test_setup_teardown(
		    lost_request_for_deltas_is_made_again, setup_impatient,
		    teardown),
		T(older_manifest_is_caught_up_by_deltas),
		T(delta_of_another_content_is_refused_and_the_manifest_taken),
		cmocka_unit_test_setup_teardown(
		    node_held_after_crashes_takes_nothing_until_the_head_moves,
		    setup_heard_8, teardown),
		T(damaged_set_is_fetched_anew_and_said_so),
		T(audit_log_that_goes_back_is_told_and_refuses_nothing),
		T(events_are_delivered_in_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
