/*
 * test_attack_set.c - attacks by manifests, chunks and what stands on the
 * disk: none is fetched, none is opened.
 */
#include "tests/unit/node_fixture.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct room {
	struct fixture *x;
	struct fetch *f;
	struct buf frame, older;
	struct sign_key *other;
};

struct attack {
	const char *name;
	void (*make)(struct room *m);	/* of room.frame */
	int want;
};

static struct room room;

static int
setup(void **state)
{
	struct room *m = &room;
	void *x = NULL;

	(void)state;
	memset(m, 0, sizeof(*m));
	fixture_setup(&x);
	m->x = x;
	log_setup("test", LOG_TEXT, LOG_ERROR);
	assert_int_equal(sign_key_new(&m->other), 0);
	buf_init(&m->older, 0);
	buf_put(&m->older, m->x->manifest_frame.data,
	    m->x->manifest_frame.len);
	fixture_publish(m->x, 9);
	buf_init(&m->frame, 0);
	assert_int_equal(fetch_new(&m->f, m->x->dir, m->x->id, &m->x->head,
	    fixture_bytes(&m->x->head_frame), NULL), 0);
	return 0;
}

static int
teardown(void **state)
{
	struct room *m = &room;
	void *x = m->x;

	(void)state;
	fetch_free(&m->f);
	buf_fini(&m->frame);
	buf_fini(&m->older);
	sign_key_free(&m->other);
	return fixture_teardown(&x);
}

static void
put(struct room *m, const struct buf *b)
{
	buf_reset(&m->frame);
	buf_put(&m->frame, b->data, b->len);
}

/* --- manifests ------------------------------------------------------------ */

/* The published manifest with a change, signed; and a head that names it. */
static void
publish_changed(struct room *m, void (*change)(struct manifest *p))
{
	struct fixture *x = m->x;
	struct bytes payload;
	struct manifest p;
	struct buf b;

	assert_int_equal(frame_open(x->manifest_frame.data,
	    x->manifest_frame.len, FRAME_MANIFEST,
	    sign_key_public(x->publisher), &payload, NULL), 0);
	assert_int_equal(manifest_decode(&p, payload, NULL), 0);
	change(&p);
	buf_init(&b, 0);
	manifest_encode(&p, &b);
	buf_reset(&m->frame);
	assert_int_equal(frame_sign(&m->frame, FRAME_MANIFEST, x->publisher,
	    b.data, b.len), 0);
	crypto_generichash(x->head.manifest_id, HASH_LEN,
	    (uint8_t *)m->frame.data, m->frame.len, NULL, 0);
	buf_reset(&b);
	head_encode(&x->head, &b);
	buf_reset(&x->head_frame);
	assert_int_equal(frame_sign(&x->head_frame, FRAME_HEAD, x->publisher,
	    b.data, b.len), 0);
	fetch_free(&m->f);
	assert_int_equal(fetch_new(&m->f, x->dir, x->id, &x->head,
	    fixture_bytes(&x->head_frame), NULL), 0);
	manifest_fini(&p);
	buf_fini(&b);
}

static void to_10(struct manifest *p) { p->version = 10; }
static void other_digest(struct manifest *p) { p->digest[0] ^= 1; }
static void other_sums(struct manifest *p) { p->state[0] ^= 1; }
static void one_more(struct manifest *p) { p->count++; }
static void format_2(struct manifest *p) { p->record_format = 2; }
static void endless_chunk(struct manifest *p) { p->bytes += UINT32_MAX -
    p->chunks[0].len; p->chunks[0].len = UINT32_MAX; }
static void no_chunks(struct manifest *p) { p->chunks_n = 0; }

static void fast_forward(struct room *m) { publish_changed(m, to_10); }
static void digest_off(struct room *m) { publish_changed(m, other_digest); }
static void sums_off(struct room *m) { publish_changed(m, other_sums); }
static void count_off(struct room *m) { publish_changed(m, one_more); }
static void format_off(struct room *m) { publish_changed(m, format_2); }
static void endless(struct room *m) { publish_changed(m, endless_chunk); }
static void chunks_off(struct room *m) { publish_changed(m, no_chunks); }
static void older(struct room *m) { put(m, &m->older); }
static void head_instead(struct room *m) { put(m, &m->x->head_frame); }
static void cert_instead(struct room *m) { put(m, &m->x->cert); }
static void nothing(struct room *m) { buf_reset(&m->frame); }

static void
head_retyped(struct room *m)
{
	head_instead(m);
	m->frame.data[0] = FRAME_MANIFEST;
}

static void
stripped(struct room *m)
{
	put(m, &m->x->manifest_frame);
	buf_consume(&m->frame, FRAME_SIGNED_LEN - 1);
	m->frame.data[0] = FRAME_MANIFEST;
}

static void
wrong_key(struct room *m)
{
	const struct buf *b = &m->x->manifest_frame;

	buf_reset(&m->frame);
	assert_int_equal(frame_sign(&m->frame, FRAME_MANIFEST, m->other,
	    b->data + FRAME_SIGNED_LEN, b->len - FRAME_SIGNED_LEN), 0);
}

static void
longer(struct room *m)
{
	put(m, &m->x->manifest_frame);
	buf_putc(&m->frame, 0);
}

static const struct attack manifests[] = {
	{ "fast_forward_manifest_above_its_head", fast_forward,
	    ERR_CONFLICT },
	{ "mix_and_match_manifest_of_another_digest", digest_off,
	    ERR_CONFLICT },
	{ "mix_and_match_sums_of_another_digest", sums_off, ERR_CONFLICT },
	{ "mix_and_match_an_older_manifest", older, ERR_AGAIN },
	{ "count_that_chunks_do_not_add_up_to", count_off, ERR_CORRUPT },
	{ "chunks_kept_back", chunks_off, ERR_CORRUPT },
	{ "endless_data_in_a_chunk", endless, ERR_CORRUPT },
	{ "format_of_another_set", format_off, ERR_CONFLICT },
	{ "cross_type_head_as_manifest", head_instead, ERR_AUTH },
	{ "cross_type_head_retyped", head_retyped, ERR_AUTH },
	{ "cross_type_certificate_as_manifest", cert_instead, ERR_AUTH },
	{ "stripped_signature_of_a_manifest", stripped, ERR_AUTH },
	{ "stripped_manifest", nothing, ERR_CORRUPT },
	{ "wrong_key_of_a_manifest", wrong_key, ERR_AUTH },
	{ "longer_manifest", longer, ERR_AUTH },
};

static void
manifest_is_refused(void **state)
{
	const struct attack *a = *state;
	struct diag why = { "" };
	int rc;

	a->make(&room);
	rc = fetch_manifest(room.f, fixture_bytes(&room.frame), &why);
	/* cut below a signature's length it is refused as such */
	if (rc == ERR_CORRUPT && a->want == ERR_AUTH)
		assert_true(room.frame.len < FRAME_SIGNED_LEN);
	else
		assert_int_equal(rc, a->want);
	assert_false(fetch_has_manifest(room.f));
	assert_true(strlen(why.text) > 0);
}

/* --- on the disk ------------------------------------------------------- */

/* A set whose frames are not the ones that prove it is never opened. */
static void
disk_is_refused(struct room *m, struct ruleset_frames *f, int want)
{
	struct fixture *x = m->x;
	struct ruleset_build *b = NULL;
	struct ruleset *r = NULL;
	struct diag why = { "" };
	char path[512];
	size_t i;

	snprintf(path, sizeof(path), "%s/set", x->dir);
	assert_int_equal(ruleset_build_begin(&b, path, x->n, &why), 0);
	for (i = 0; i < x->n; i++)
		assert_int_equal(ruleset_build_put(b,
		    fixture_bytes(&x->r[i].key), fixture_bytes(&x->r[i].val),
		    &why), 0);
	assert_int_equal(ruleset_build_finish(b, x->n, f, &why), 0);
	ruleset_build_free(&b);
	assert_int_equal(ruleset_open(&r, path, x->id->root, &why), want);
	assert_null(r);
}

static struct ruleset_frames
frames(struct room *m)
{
	return (struct ruleset_frames){ fixture_bytes(&m->x->head_frame),
	    fixture_bytes(&m->x->manifest_frame),
	    fixture_bytes(&m->x->cert) };
}

static void
splice_on_disk_older_manifest_under_a_head(void **state)
{
	struct ruleset_frames f = frames(&room);

	(void)state;
	f.manifest = fixture_bytes(&room.older);
	disk_is_refused(&room, &f, ERR_CORRUPT);
}

static void
stripped_on_disk_head(void **state)
{
	struct ruleset_frames f = frames(&room);

	(void)state;
	f.head = bytes_of(f.head.p + FRAME_SIGNED_LEN,
	    f.head.n - FRAME_SIGNED_LEN);
	disk_is_refused(&room, &f, ERR_AUTH);
}

static void
wrong_root_on_disk(void **state)
{
	struct publisher_cert c = { .serial = 9, .not_after_us = INT64_MAX };
	struct ruleset_frames f = frames(&room);

	(void)state;
	memcpy(c.key, sign_key_public(room.x->publisher), SIGN_PUBLIC_LEN);
	assert_int_equal(cert_make(room.other, &c, &room.frame), 0);
	f.cert = fixture_bytes(&room.frame);
	disk_is_refused(&room, &f, ERR_AUTH);
}

static void
expired_on_disk_before_the_head_was_signed(void **state)
{
	struct publisher_cert c = { .serial = 1, .not_after_us = 1000 };
	struct ruleset_frames f = frames(&room);

	(void)state;
	memcpy(c.key, sign_key_public(room.x->publisher), SIGN_PUBLIC_LEN);
	assert_int_equal(cert_make(room.x->root, &c, &room.frame), 0);
	f.cert = fixture_bytes(&room.frame);
	disk_is_refused(&room, &f, ERR_AUTH);
}

int
main(void)
{
	static struct attack own[N(manifests)];
	struct CMUnitTest tests[N(manifests) + 4];
	size_t i;

	for (i = 0; i < N(manifests); i++) {
		own[i] = manifests[i];
		tests[i] = (struct CMUnitTest){ own[i].name,
		    manifest_is_refused, setup, teardown, &own[i] };
	}
#define T(f) (struct CMUnitTest)cmocka_unit_test_setup_teardown(f, setup, \
	teardown)
	tests[i++] = T(splice_on_disk_older_manifest_under_a_head);
	tests[i++] = T(stripped_on_disk_head);
	tests[i++] = T(wrong_root_on_disk);
	tests[i++] = T(expired_on_disk_before_the_head_was_signed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
