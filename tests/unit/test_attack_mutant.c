/*
 * test_attack_mutant.c - 12,000 mutants of all frames that a node takes:
 * each is refused for a reason and the last good version stays.
 *
 * A mutant is a legal frame with bits flipped, bytes set, a part cut, moved,
 * doubled or taken from another frame.  A third of the deltas are signed
 * anew, as by a publisher gone wrong: what is then taken must still be what
 * its own digest says.  The same mutants in every run, but for MUTANT_SEED.
 */
#include "tests/unit/delta_fixture.h"

#include "node/ruleset_scrub.h"

#define MUTANTS 12000
#define REASONS_MIN 5		/* that a signed mutant is refused for */
#define LIMIT (10 * MUTANTS)	/* mutants that must do for that */

struct lab {
	struct fixture *x;
	char path[512];
	struct ruleset *r;
	struct publisher_cert cert;
	struct buf delta, delta_payload, mutant;
	struct head head;		/* of what is enforced */
	long by_nack[NACK_LAST + 1], taken;
};

static uint64_t seed = 7;

static uint64_t
random_below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

static void
open_lab(struct lab *l, struct fixture *x)
{
	struct diag why = { "" };
	struct change c[] = { { "Dnew@acme.example", "\1" },
	    { "Dbo@acme.example", NULL }, { "Fmail.example", "" } };
	struct delta d;

	memset(l, 0, sizeof(*l));
	l->x = x;
	log_setup("test", LOG_TEXT, LOG_ERROR);
	snprintf(l->path, sizeof(l->path), "%s/set", x->dir);
	if (fixture_build(x, l->path, &why) < 0 ||
	    ruleset_open(&l->r, l->path, x->id->root, &why) < 0 ||
	    cert_open(x->id->root, x->cert.data, x->cert.len, 0, &l->cert,
	    &why) < 0)
		fail_msg("%s", why.text);
	l->head = *ruleset_head(l->r);
	buf_init(&l->delta, 0);
	buf_init(&l->delta_payload, 0);
	buf_init(&l->mutant, 0);
	fixture_delta(x, 8, c, 3, &d);
	delta_encode(&d, &l->delta_payload);
	assert_int_equal(delta_sign(&d, x->publisher, &l->delta), 0);
	delta_fini(&d);
}

static void
close_lab(struct lab *l)
{
	ruleset_unref(&l->r);
	buf_fini(&l->delta);
	buf_fini(&l->delta_payload);
	buf_fini(&l->mutant);
}

/* One change of b, which has bytes; other is what parts are taken from. */
static void
mutate_once(struct buf *b, const struct buf *other)
{
	size_t at = random_below(b->len), n = random_below(b->len - at) + 1;
	uint8_t part[256];
	size_t from;

	switch (random_below(7)) {
	case 0:
		b->data[at] ^= (char)(1 << random_below(8));
		break;
	case 1:
		b->data[at] = (char)random_below(256);
		break;
	case 2:
		b->len = at;
		break;
	case 3:
		n = n < sizeof(part) ? n : sizeof(part);
		memcpy(part, b->data + at, n);
		buf_put(b, part, n);
		break;
	case 4:
		memmove(b->data + at, b->data + at + n, b->len - at - n);
		b->len -= n;
		break;
	case 5:
		from = random_below(other->len);
		n = n < other->len - from ? n : other->len - from;
		memcpy(b->data + at, other->data + from, n);
		break;
	default:
		memset(b->data + at, (int)random_below(256), n);
	}
}

static void
mutate(struct lab *l, const struct buf *whole, const struct buf *other)
{
	uint64_t times = random_below(3) + 1;

	do {
		uint64_t i;

		buf_reset(&l->mutant);
		buf_put(&l->mutant, whole->data, whole->len);
		for (i = 0; i < times && l->mutant.len > 0; i++)
			mutate_once(&l->mutant, other);
	} while (l->mutant.len == whole->len && memcmp(l->mutant.data,
	    whole->data, whole->len) == 0);
}

static void
stays(struct lab *l)
{
	assert_memory_equal(ruleset_head(l->r), &l->head, sizeof(l->head));
	assert_false(ruleset_is_damaged(l->r));
}

static bool
go_on(void *arg, uint64_t records)
{
	(void)arg;
	(void)records;
	return false;
}

/* Signed and arithmetically right: the whole set must be what its new head
 * says.  Then back to the version before. */
static void
check_taken(struct lab *l)
{
	struct diag why = { "" };

	l->taken++;
	if (ruleset_scrub(l->r, go_on, NULL, &why) < 0)
		fail_msg("%s", why.text);
	ruleset_unref(&l->r);
	if (ruleset_rewind(l->path, fixture_trust(l->x), l->head.version, &l->r,
	    &why) < 0)
		fail_msg("%s", why.text);
}

static void
try_delta(struct lab *l, bool may_be_taken)
{
	struct ruleset_refusal refusal = { NACK_NONE, 0 };
	struct diag why = { "" };
	int rc = fixture_apply(l->x, &l->r, &l->mutant, &refusal, &why);

	if (rc == 0) {
		assert_true(may_be_taken);
		check_taken(l);
	} else {
		assert_in_range(refusal.nack, NACK_SIGNATURE, NACK_LAST);
		assert_true(strlen(why.text) > 0);
		l->by_nack[refusal.nack]++;
	}
	stays(l);
}

static void
mutants_of_signed_frames_are_refused(void **state)
{
	struct fixture *x = *state;
	struct lab l;
	int i;

	open_lab(&l, x);
	for (i = 0; i < MUTANTS / 3; i++) {
		struct publisher_cert cert;
		struct bytes payload;

		mutate(&l, &l.delta, i % 2 ? &x->head_frame :
		    &x->manifest_frame);
		try_delta(&l, false);
		mutate(&l, &x->head_frame, &l.delta);
		assert_true(frame_open(l.mutant.data, l.mutant.len,
		    FRAME_HEAD, l.cert.key, &payload, NULL) < 0);
		mutate(&l, &x->cert, &l.delta);
		assert_true(cert_open(x->id->root, l.mutant.data,
		    l.mutant.len, 0, &cert, NULL) < 0);
	}
	assert_int_equal(l.by_nack[NACK_SIGNATURE], MUTANTS / 3);
	/* nothing of it stuck: the legal one goes on from here */
	buf_reset(&l.mutant);
	buf_put(&l.mutant, l.delta.data, l.delta.len);
	try_delta(&l, true);
	assert_int_equal(l.taken, 1);
	close_lab(&l);
}

static int
reasons(const struct lab *l)
{
	int i, n = 0;

	for (i = NACK_SIGNATURE; i <= NACK_LAST; i++)
		n += l->by_nack[i] > 0;
	return n;
}

static void
mutants_signed_by_the_publisher_are_refused_or_what_they_say(void **state)
{
	struct fixture *x = *state;
	struct buf payload;
	struct lab l;
	int i;

	open_lab(&l, x);
	buf_init(&payload, 0);
	for (i = 0; i < MUTANTS / 3 || (reasons(&l) < REASONS_MIN &&
	    i < LIMIT); i++) {
		mutate(&l, &l.delta_payload, &x->chunk[0]);
		buf_reset(&payload);
		buf_put(&payload, l.mutant.data, l.mutant.len);
		buf_reset(&l.mutant);
		assert_int_equal(frame_sign(&l.mutant, FRAME_DELTA,
		    x->publisher, payload.data, payload.len), 0);
		try_delta(&l, true);
	}
	print_message("%ld taken as what they say, the others refused for %d "
	    "reasons:", l.taken, reasons(&l));
	for (i = NACK_SIGNATURE; i <= NACK_LAST; i++)
		print_message(" %ld", l.by_nack[i]);
	print_message("\n");
	assert_true(reasons(&l) >= REASONS_MIN);
	assert_int_equal(l.by_nack[NACK_SIGNATURE], 0);
	buf_fini(&payload);
	close_lab(&l);
}

static void
mutants_of_manifest_and_chunks_are_refused(void **state)
{
	struct fixture *x = *state;
	struct fetch *f = NULL;
	struct diag why;
	struct lab l;
	int i;

	fixture_publish(x, 7);
	open_lab(&l, x);
	fixture_publish(x, 9);
	assert_int_equal(fetch_new(&f, x->dir, x->id, &x->head,
	    fixture_bytes(&x->head_frame), &why), 0);
	for (i = 0; i < MUTANTS / 6; i++) {
		mutate(&l, &x->manifest_frame, &x->head_frame);
		assert_true(fetch_manifest(f, fixture_bytes(&l.mutant),
		    &why) < 0);
	}
	assert_false(fetch_has_manifest(f));
	assert_int_equal(fetch_manifest(f, fixture_bytes(&x->manifest_frame),
	    &why), 0);
	for (i = 0; i < MUTANTS / 6; i++) {
		struct buf payload;

		mutate(&l, &x->chunk[0], &x->manifest_frame);
		buf_init(&payload, 0);
		buf_put_u32(&payload, i % 3 == 0 ? (uint32_t)i : 0);
		buf_put(&payload, l.mutant.data, l.mutant.len);
		assert_true(fetch_chunk(f, fixture_bytes(&payload), &why) <
		    0);
		buf_fini(&payload);
	}
	assert_false(fetch_is_complete(f));
	stays(&l);
	fetch_free(&f);
	close_lab(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, \
	fixture_teardown)
		T(mutants_of_signed_frames_are_refused),
		T(mutants_signed_by_the_publisher_are_refused_or_what_they_say),
		T(mutants_of_manifest_and_chunks_are_refused),
	};
	const char *s = getenv("MUTANT_SEED");

	if (s != NULL)
		seed = strtoull(s, NULL, 10) | 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
