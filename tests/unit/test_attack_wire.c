/*
 * test_attack_wire.c - attacks by whole frames over real sockets, named as in
 * the conformance suite of The Update Framework.
 *
 * The attacker speaks through the controller's connection: CURVE lets him in,
 * and nothing but signatures stands against him.  Each attack ends in its own
 * reason in the next acknowledgement, or in nothing at all; the version in
 * force stays, and the publisher's next one is taken.
 */
#include "tests/unit/sync_fixture.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define HOUR_US ((int64_t)3600 * 1000000)

/* want NACK_NONE: it is passed over without a word. */
struct attack {
	const char *name;
	void (*make)(struct fleet *f);
	enum nack want;
};

static const struct attack *now;

/* --- what an attacker can make ------------------------------------------ */

static struct buf frame;

static void
put(const struct buf *b)
{
	buf_reset(&frame);
	buf_put(&frame, b->data, b->len);
}

static void
sign(enum frame_type type, const struct sign_key *key, const struct buf *b)
{
	buf_reset(&frame);
	assert_int_equal(frame_sign(&frame, type, key, b->data, b->len), 0);
}

static void
sign_head(struct fleet *f, const struct head *h, const struct sign_key *key)
{
	struct buf b;

	buf_init(&b, 0);
	head_encode(h, &b);
	sign(FRAME_HEAD, key, &b);
	buf_fini(&b);
	(void)f;
}

/* The publisher's own head of the next version, which nothing leads to. */
static struct head
next_head(const struct fleet *f)
{
	struct head h = f->x->head;

	h.version++;
	h.issued_us = clock_wall_us();
	return h;
}

/* The next delta, legal, without moving on to it. */
static void
next_delta(struct fleet *f, struct delta *d)
{
	struct change c = { "Dattack@acme.example", "\1" };
	struct head was = f->x->head;

	fixture_delta(f->x, was.version + 1, &c, 1, d);
	c.val = NULL;
	fixture_do(f->x, &c);
	f->x->head = was;
}

static void
sign_delta(const struct delta *d, const struct sign_key *key)
{
	buf_reset(&frame);
	assert_int_equal(delta_sign(d, key, &frame), 0);
}

/* --- heads --------------------------------------------------------------- */

static void
head_of(struct fleet *f, void (*edit)(struct head *h))
{
	struct head h = next_head(f);

	edit(&h);
	sign_head(f, &h, f->x->publisher);
}

static void to_2(struct head *h) { h->version = 2; }
static void other_7(struct head *h) { h->version = 7; h->digest[0] ^= 1; }
static void format_2(struct head *h) { h->record_format = 2; }
static void engine_next(struct head *h) { h->engine = DECIDE_ENGINE + 1; }
static void in_two_hours(struct head *h) { h->issued_us += 2 * HOUR_US; }
static void to_the_end(struct head *h) { h->version = UINT64_MAX; }

static void rollback(struct fleet *f) { head_of(f, to_2); }
static void other_content(struct fleet *f) { head_of(f, other_7); }
static void other_format(struct fleet *f) { head_of(f, format_2); }
static void other_engine(struct fleet *f) { head_of(f, engine_next); }
static void issued_late(struct fleet *f) { head_of(f, in_two_hours); }
static void fast_forward(struct fleet *f) { head_of(f, to_the_end); }

static void
head_by_root(struct fleet *f)
{
	struct head h = next_head(f);

	sign_head(f, &h, f->x->root);
}

static void
head_by_stranger(struct fleet *f)
{
	struct head h = next_head(f);
	struct sign_key *other;

	assert_int_equal(sign_key_new(&other), 0);
	sign_head(f, &h, other);
	sign_key_free(&other);
}

/* A stranger's signature under the publisher's key id. */
static void
head_under_our_id(struct fleet *f)
{
	head_by_stranger(f);
	sign_key_id(sign_key_public(f->x->publisher),
	    (uint8_t *)frame.data + 1);
}

static void
head_without_signature(struct fleet *f)
{
	struct head h = next_head(f);

	sign_head(f, &h, f->x->publisher);
	memset(frame.data + 9, 0, 64);
}

static void
head_stripped(struct fleet *f)
{
	struct head h = next_head(f);

	sign_head(f, &h, f->x->publisher);
	buf_consume(&frame, FRAME_SIGNED_LEN - 1);
	frame.data[0] = FRAME_HEAD;
}

static void
head_cut(struct fleet *f)
{
	head_of(f, to_the_end);
	frame.len--;
}

static void
head_longer(struct fleet *f)
{
	head_of(f, to_the_end);
	buf_put(&frame, "\0\0", 2);
}

/* The signature of the head in force over another payload. */
static void
head_spliced(struct fleet *f)
{
	head_of(f, to_the_end);
	memcpy(frame.data, f->x->head_frame.data, FRAME_SIGNED_LEN);
}

static void
manifest_as_head(struct fleet *f)
{
	put(&f->x->manifest_frame);
	frame.data[0] = FRAME_HEAD;
}

static void
cert_as_head(struct fleet *f)
{
	put(&f->x->cert);
	frame.data[0] = FRAME_HEAD;
}

/* Signed as a head, of the form of a delta. */
static void
delta_signed_as_head(struct fleet *f)
{
	struct delta d;
	struct buf b;

	next_delta(f, &d);
	buf_init(&b, 0);
	delta_encode(&d, &b);
	sign(FRAME_HEAD, f->x->publisher, &b);
	buf_fini(&b);
	delta_fini(&d);
}

/* --- deltas -------------------------------------------------------------- */

static void
delta_of(struct fleet *f, void (*edit)(struct delta *d))
{
	struct delta d;

	next_delta(f, &d);
	edit(&d);
	sign_delta(&d, f->x->publisher);
	delta_fini(&d);
}

static void other_end(struct delta *d) { d->to_digest[0] ^= 1; }
static void one_more(struct delta *d) { d->to_count++; }
static void other_begin(struct delta *d) { d->from_digest[0] ^= 1; }
static void from_below(struct delta *d) { d->from_version = 5;
    d->to_version = 6; }
static void from_above(struct delta *d) { d->from_version = 70;
    d->to_version = 71; }
static void delta_late(struct delta *d) { d->issued_us += 2 * HOUR_US; }
static void delta_engine(struct delta *d) { d->engine++; }
static void class_z(struct delta *d) { buf_reset(&d->ops);
    buf_put(&d->ops, "\1\0\2\0\0\0\0zx", 9); }

static void
endless_rows(struct delta *d)
{
	int i;

	d->ops.max = 0;
	buf_reset(&d->ops);
	for (i = 0; i <= DELTA_OPS_MAX; i++)
		buf_printf(&d->ops, "\1%c\7%c%c%c%cF%06d", 0, 0, 0, 0, 0, i);
}

static void delta_to_another(struct fleet *f) { delta_of(f, other_end); }
static void delta_too_many(struct fleet *f) { delta_of(f, one_more); }
static void delta_elsewhere(struct fleet *f) { delta_of(f, other_begin); }
static void delta_rollback(struct fleet *f) { delta_of(f, from_below); }
static void delta_ahead(struct fleet *f) { delta_of(f, from_above); }
static void delta_expired(struct fleet *f) { delta_of(f, delta_late); }
static void delta_other_engine(struct fleet *f) { delta_of(f, delta_engine); }
static void delta_class(struct fleet *f) { delta_of(f, class_z); }
static void delta_endless(struct fleet *f) { delta_of(f, endless_rows); }

static void
delta_by_root(struct fleet *f)
{
	struct delta d;

	next_delta(f, &d);
	sign_delta(&d, f->x->root);
	delta_fini(&d);
}

static void
head_as_delta(struct fleet *f)
{
	put(&f->x->head_frame);
	frame.data[0] = FRAME_DELTA;
}

static void
delta_spliced(struct fleet *f)
{
	struct buf other;

	delta_of(f, one_more);
	buf_init(&other, 0);
	buf_put(&other, frame.data, FRAME_SIGNED_LEN);
	delta_of(f, other_end);
	memcpy(frame.data, other.data, FRAME_SIGNED_LEN);
	buf_fini(&other);
}

/* --- certificates -------------------------------------------------------- */

static void
make_cert(struct fleet *f, const struct sign_key *key, uint64_t serial,
    int64_t not_after_us)
{
	struct publisher_cert c = { .serial = serial,
	    .not_after_us = not_after_us };

	memcpy(c.key, sign_key_public(f->x->publisher), SIGN_PUBLIC_LEN);
	buf_reset(&frame);
	assert_int_equal(cert_make(key, &c, &frame), 0);
}

static void cert_by_publisher(struct fleet *f) { make_cert(f,
    f->x->publisher, 9, clock_wall_us() + HOUR_US); }
static void cert_ended(struct fleet *f) { make_cert(f, f->x->root, 9,
    clock_wall_us() - 1); }
static void cert_rollback(struct fleet *f) { make_cert(f, f->x->root, 1,
    clock_wall_us() + 2 * HOUR_US); }

static void
head_as_cert(struct fleet *f)
{
	put(&f->x->head_frame);
	frame.data[0] = FRAME_CERT;
}

/* --- what is not asked for, or nothing at all ---------------------------- */

static void unasked_manifest(struct fleet *f) { put(&f->x->manifest_frame); }
static void empty(struct fleet *f) { (void)f; buf_reset(&frame); }
static void replayed_head(struct fleet *f) { put(&f->x->head_frame); }

static void
unasked_chunk(struct fleet *f)
{
	buf_reset(&frame);
	frame_begin(&frame, FRAME_CHUNK);
	buf_put_u32(&frame, UINT32_MAX);
	buf_put(&frame, f->x->chunk[0].data, f->x->chunk[0].len);
}

static void
of_a_node(struct fleet *f)
{
	(void)f;
	buf_reset(&frame);
	frame_begin(&frame, FRAME_ACK);
	buf_put(&frame, "\377\377\377\377", 4);
}

static void
gone_torn(struct fleet *f)
{
	(void)f;
	buf_reset(&frame);
	frame_begin(&frame, FRAME_DELTA_GONE);
	buf_put(&frame, "\0\0", 2);
}

/* As large as a frame may be, and nothing in it. */
static void
endless_head(struct fleet *f)
{
	(void)f;
	frame.max = FRAME_MAX;
	buf_reset(&frame);
	frame_begin(&frame, FRAME_HEAD);
	while (frame.len + 4096 <= FRAME_MAX) {
		static const char zeros[4096];

		buf_put(&frame, zeros, sizeof(zeros));
	}
}

static const struct attack attacks[] = {
	{ "rollback_head", rollback, NACK_ROLLBACK },
	{ "mix_and_match_head_of_other_content", other_content,
	    NACK_ROLLBACK },
	{ "arbitrary_format", other_format, NACK_FORMAT },
	{ "arbitrary_engine", other_engine, NACK_ENGINE },
	{ "expired_head", issued_late, NACK_EXPIRED },
	{ "fast_forward_head", fast_forward, NACK_NONE },
	{ "freeze_by_the_head_of_before", replayed_head, NACK_NONE },
	{ "wrong_key_root_signs_a_head", head_by_root, NACK_SIGNATURE },
	{ "wrong_key_stranger_signs_a_head", head_by_stranger,
	    NACK_SIGNATURE },
	{ "wrong_key_under_our_key_id", head_under_our_id, NACK_SIGNATURE },
	{ "stripped_signature_zeroed", head_without_signature,
	    NACK_SIGNATURE },
	{ "stripped_signature_cut_off", head_stripped,
	    NACK_SIGNATURE },
	{ "truncated_head", head_cut, NACK_SIGNATURE },
	{ "lengthened_head", head_longer, NACK_SIGNATURE },
	{ "splice_of_two_heads", head_spliced, NACK_SIGNATURE },
	{ "cross_type_manifest_as_head", manifest_as_head, NACK_SIGNATURE },
	{ "cross_type_certificate_as_head", cert_as_head, NACK_SIGNATURE },
	{ "cross_type_delta_signed_as_head", delta_signed_as_head,
	    NACK_CORRUPT },
	{ "delta_to_another_digest", delta_to_another, NACK_DIGEST },
	{ "delta_to_another_count", delta_too_many, NACK_DIGEST },
	{ "delta_from_another_digest", delta_elsewhere, NACK_CHAIN },
	{ "rollback_delta", delta_rollback, NACK_NONE },
	{ "fast_forward_delta", delta_ahead, NACK_NONE },
	{ "expired_delta", delta_expired, NACK_EXPIRED },
	{ "delta_of_another_engine", delta_other_engine, NACK_ENGINE },
	{ "delta_of_an_unknown_class", delta_class, NACK_FORMAT },
	{ "endless_data_in_a_delta", delta_endless, NACK_LIMIT },
	{ "wrong_key_root_signs_a_delta", delta_by_root, NACK_SIGNATURE },
	{ "cross_type_head_as_delta", head_as_delta, NACK_SIGNATURE },
	{ "splice_of_two_deltas", delta_spliced, NACK_SIGNATURE },
	{ "wrong_key_publisher_signs_a_certificate", cert_by_publisher,
	    NACK_SIGNATURE },
	{ "expired_certificate", cert_ended, NACK_EXPIRED },
	{ "rollback_certificate", cert_rollback, NACK_SIGNATURE },
	{ "cross_type_head_as_certificate", head_as_cert, NACK_SIGNATURE },
	{ "manifest_that_nobody_asked_for", unasked_manifest, NACK_NONE },
	{ "chunk_that_nobody_asked_for", unasked_chunk, NACK_NONE },
	{ "empty_frame", empty, NACK_NONE },
	{ "frame_that_only_nodes_send", of_a_node, NACK_NONE },
	{ "torn_answer", gone_torn, NACK_NONE },
	{ "endless_data_in_a_head", endless_head, NACK_SIGNATURE },
};

static bool
has_refused(struct fleet *f)
{
	return f->ack.nack == now->want;
}

/* In force is what was, whatever came. */
static void
holds_7(const struct fleet *f)
{
	assert_int_equal(f->ack.enforced, 7);
	assert_int_equal(f->ack.accepted, 7);
	assert_memory_equal(f->ack.digest, f->x->head.digest, DIGEST_LEN);
}

static void
attack_fails(void **state)
{
	struct fleet *f = &fleet;
	struct head honest;

	(void)state;
	play(f, enforces_7);
	honest = f->x->head;
	f->no_beats = true;
	buf_init(&frame, 0);
	now->make(f);
	assert_memory_equal(&honest, &f->x->head, sizeof(honest));
	send_buf(f, f->control, &frame);
	if (now->want != NACK_NONE) {
		play(f, has_refused);
		holds_7(f);
	}
	f->no_beats = false;
	change(f, 8, "Dnew@acme.example", "\1");
	send_buf(f, f->control, &f->delta[0]);
	play(f, is_at_head);
	fixture_agrees(f->x, f->got, NULL);
	buf_fini(&frame);
}

static int
setup_attack(void **state)
{
	now = *state;
	return setup_with(state, 0, 0);
}

int
main(void)
{
	static struct CMUnitTest tests[N(attacks)];
	size_t i;

	for (i = 0; i < N(attacks); i++)
		tests[i] = (struct CMUnitTest){ attacks[i].name,
		    attack_fails, setup_attack, teardown,
		    (void *)(uintptr_t)&attacks[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
