/*
 * test_sync.c - the sync thread against a controller in miniature: taking a
 * version, refusing others, delivering events.
 */
#include "tests/unit/delta_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "node/sync.h"

#define DELTAS 20

struct fleet {
	struct fixture *x;
	struct buf delta[DELTAS];	/* kept ones, in order */
	uint64_t from[DELTAS];
	size_t deltas_n;
	bool no_deltas;			/* says that they are gone */
	unsigned delta_reqs, manifest_reqs;
	struct sock_ctx *ctx;
	struct sock *control, *events;
	uint8_t server_pub[32], server_sec[32], node_pub[32];
	struct spool *spool;
	struct metrics metrics;
	struct sync *sync;
	struct sentry *sentry;
	struct ruleset *_Atomic got;
	struct ack ack;
	uint64_t events_n;
	struct sock_msg m;
};

static struct fleet fleet;

static bool
admit(void *arg, const char *domain, const uint8_t key[SOCK_KEY_LEN])
{
	(void)domain;
	return memcmp(key, ((struct fleet *)arg)->node_pub, 32) == 0;
}

static void
on_ruleset(void *arg, struct ruleset *r)
{
	struct fleet *f = arg;

	struct ruleset *old = f->got;

	f->got = r;
	ruleset_unref(&old);
	sync_enforced(f->sync, ruleset_head(r));
}

static struct sock *
serve(struct fleet *f, char endpoint[128])
{
	struct sock_conf c = { .endpoint = "tcp://127.0.0.1:*",
	    .zap_domain = "fleet", .secret = f->server_sec,
	    .max_msg = FRAME_MAX, .hwm = 100 };
	struct sock *s = NULL;
	struct diag why;

	if (sock_serve(&s, f->ctx, &c, &why) < 0)
		fail_msg("%s", why.text);
	snprintf(endpoint, 128, "%s", sock_endpoint(s));
	return s;
}

static int
setup(void **state)
{
	struct fleet *f = &fleet;
	struct sync_conf conf = { .metrics = &f->metrics, .arg = f,
	    .on_ruleset = on_ruleset, .ratchet = 3 };
	struct spool_conf sc = { .max_bytes = 1 << 20 };
	struct diag why = { "" };
	char dir[512];

	fixture_setup(state);
	memset(f, 0, sizeof(*f));
	f->x = *state;
	buf_init(&f->m.data, 0);
	f->ctx = sock_ctx_new();
	sock_keypair(f->server_pub, f->server_sec);
	sock_keypair(f->node_pub, f->x->id->secret);
	memcpy(f->x->id->server_key, f->server_pub, 32);
	strcpy(f->x->id->id, "node-1");
	assert_int_equal(sock_zap_start(f->ctx, admit, f, NULL), 0);
	f->control = serve(f, f->x->id->control);
	f->events = serve(f, f->x->id->events);
	snprintf(dir, sizeof(dir), "%s/spool", f->x->dir);
	sc.dir = dir;
	assert_int_equal(spool_open(&f->spool, &sc, NULL), 0);
	conf.dir = f->x->dir;
	conf.id = f->x->id;
	conf.spool = f->spool;
	assert_int_equal(sentry_open(&f->sentry, f->x->dir, 1, NULL), 0);
	conf.sentry = f->sentry;
	if (sync_start(&f->sync, &conf, &why) < 0)
		fail_msg("%s", why.text);
	return 0;
}

static int
teardown(void **state)
{
	struct fleet *f = &fleet;
	struct ruleset *r = f->got;

	sync_stop(&f->sync);
	spool_close(&f->spool);
	sentry_close(&f->sentry);
	ruleset_unref(&r);
	sock_close(&f->control);
	sock_close(&f->events);
	sock_ctx_free(&f->ctx);
	buf_fini(&f->m.data);
	while (f->deltas_n > 0)
		buf_fini(&f->delta[--f->deltas_n]);
	return fixture_teardown(state);
}

static void
send_buf(struct fleet *f, struct sock *s, const struct buf *b)
{
	sock_send(s, f->m.peer, b->data, b->len);
}

static void
send_chunks(struct fleet *f, struct bytes in)
{
	struct chunk_req r;
	uint32_t i;

	assert_int_equal(chunk_req_decode(&r, in, NULL), 0);
	for (i = r.first; i < r.first + r.n; i++) {
		struct buf b;

		buf_init(&b, 0);
		frame_begin(&b, FRAME_CHUNK);
		buf_put_u32(&b, i);
		buf_put(&b, f->x->chunk[i].data, f->x->chunk[i].len);
		send_buf(f, f->control, &b);
		buf_fini(&b);
	}
}

/* What follows a version, at most the credit; or that it is gone. */
static void
answer_delta_req(struct fleet *f, struct bytes in)
{
	struct delta_req r;
	size_t i, sent = 0;

	f->delta_reqs++;
	assert_int_equal(delta_req_decode(&r, in, NULL), 0);
	for (i = 0; i < f->deltas_n && !f->no_deltas; i++) {
		if (f->from[i] >= r.version && sent++ < FRAME_CREDIT)
			send_buf(f, f->control, &f->delta[i]);
	}
	if (sent == 0 && r.version != f->x->head.version) {
		struct buf b;

		buf_init(&b, 0);
		frame_begin(&b, FRAME_DELTA_GONE);
		delta_req_encode(&r, &b);
		send_buf(f, f->control, &b);
		buf_fini(&b);
	}
}

/* Change one record; the delta is kept, the head says so from now on. */
static void
change(struct fleet *f, uint64_t to, const char *key, const char *val)
{
	struct change c = { key, val };
	struct buf b;

	assert_true(f->deltas_n < DELTAS);
	f->from[f->deltas_n] = f->x->head.version;
	buf_init(&f->delta[f->deltas_n], 0);
	fixture_change(f->x, to, &c, 1, &f->delta[f->deltas_n++]);
	buf_init(&b, 0);
	head_encode(&f->x->head, &b);
	buf_reset(&f->x->head_frame);
	assert_int_equal(frame_sign(&f->x->head_frame, FRAME_HEAD,
	    f->x->publisher, b.data, b.len), 0);
	buf_fini(&b);
}

static void
answer_control(struct fleet *f)
{
	struct bytes in = bytes_of(f->m.data.data, f->m.data.len);
	uint8_t type = frame_type(in.p, in.n);

	assert_int_equal(frame_payload(in.p, in.n, type, &in), 0);
	if (type == FRAME_HELLO) {
		send_buf(f, f->control, &f->x->cert);
		send_buf(f, f->control, &f->x->head_frame);
	} else if (type == FRAME_DELTA_REQ)
		answer_delta_req(f, in);
	else if (type == FRAME_MANIFEST_REQ && ++f->manifest_reqs > 0)
		send_buf(f, f->control, &f->x->manifest_frame);
	else if (type == FRAME_CHUNK_REQ)
		send_chunks(f, in);
	else if (type == FRAME_ACK) {
		assert_int_equal(ack_decode(&f->ack, in, NULL), 0);
		send_buf(f, f->control, &f->x->head_frame);
	}
}

static void
answer_events(struct fleet *f)
{
	struct bytes in = bytes_of(f->m.data.data, f->m.data.len);
	struct eack ack = { .upto_seq = 0 };
	struct events e;
	struct buf b;

	assert_int_equal(frame_payload(in.p, in.n, FRAME_EVENTS, &in), 0);
	assert_int_equal(events_decode(&e, in, NULL), 0);
	f->events_n += e.n;
	memcpy(ack.spool_id, e.spool_id, sizeof(ack.spool_id));
	ack.upto_seq = e.first_seq + e.n - 1;
	events_fini(&e);
	buf_init(&b, 0);
	frame_begin(&b, FRAME_EACK);
	eack_encode(&ack, &b);
	send_buf(f, f->events, &b);
	buf_fini(&b);
}

/* Be the controller until done says so, at most 20 s. */
static void
play(struct fleet *f, bool (*done)(struct fleet *f))
{
	uint64_t end = clock_mono_ms() + 20000;

	while (!done(f) && clock_mono_ms() < end) {
		struct sock_poll p[2] = { { .sock = f->control },
		    { .sock = f->events } };

		sock_poll(p, 2, 50);
		while (sock_recv(f->control, &f->m) == 0)
			answer_control(f);
		while (sock_recv(f->events, &f->m) == 0)
			answer_events(f);
	}
	assert_true(done(f));
}

static bool
enforces_7(struct fleet *f)
{
	return f->ack.enforced == 7 && f->ack.nack == NACK_NONE;
}

static bool
is_at_head(struct fleet *f)
{
	return f->ack.enforced == f->x->head.version && memcmp(f->ack.digest,
	    f->x->head.digest, DIGEST_LEN) == 0;
}

static bool
is_refused(struct fleet *f)
{
	return f->ack.nack != NACK_NONE;
}

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

static void
node_held_after_crashes_takes_nothing_until_the_head_moves(void **state)
{
	struct sentry *next;
	int i;

	(void)state;
	play(&fleet, enforces_7);
	sentry_heard(fleet.sentry, 8);
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
		T(pushed_delta_is_taken_without_a_question),
		T(lost_deltas_are_asked_for_and_taken_in_turn),
		T(gone_deltas_lead_to_the_manifest),
		T(older_manifest_is_caught_up_by_deltas),
		T(delta_of_another_content_is_refused_and_the_manifest_taken),
		T(node_held_after_crashes_takes_nothing_until_the_head_moves),
		T(damaged_set_is_fetched_anew_and_said_so),
		T(events_are_delivered_in_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
