/*
 * test_attack_delta.c - attacks by deltas, named as in the conformance suite
 * of The Update Framework: each is refused with its own reason, and the last
 * good version stays.
 */
#include "tests/unit/delta_fixture.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct attack;

struct room {
	struct fixture *x;
	struct ruleset *r;
	struct delta d;			/* the legal next one, 8 to 9 */
	struct buf frame, taken, payload;
	struct sign_key *other;
};

/* Changes room.d before it is signed, or room.frame after it; SIGNED: the
 * publisher signs what the first part made. */
struct attack {
	const char *name;
	void (*before)(struct room *m);
	void (*after)(struct room *m);
	enum nack want;
};

static struct room room;

static int
setup(void **state)
{
	struct attack *row = *state;
	struct change first[] = { { "Dnew@acme.example", "\1" } };
	struct change next[] = { { "Dnew@acme.example", "\2" },
	    { "Dbo@acme.example", NULL } };
	struct ruleset_refusal refusal;
	struct diag why = { "" };
	struct room *m = &room;
	char path[512];
	void *x = NULL;

	memset(m, 0, sizeof(*m));
	fixture_setup(&x);
	*state = row;
	m->x = x;
	log_setup("test", LOG_TEXT, LOG_ERROR);
	snprintf(path, sizeof(path), "%s/set", m->x->dir);
	if (fixture_build(m->x, path, &why) < 0 ||
	    ruleset_open(&m->r, path, m->x->id->root, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(sign_key_new(&m->other), 0);
	buf_init(&m->frame, 0);
	buf_init(&m->taken, 0);
	buf_init(&m->payload, 0);
	fixture_change(m->x, 8, first, 1, &m->taken);
	assert_int_equal(fixture_apply(m->x, &m->r, &m->taken, &refusal,
	    &why), 0);
	fixture_delta(m->x, 9, next, 2, &m->d);
	return 0;
}

static int
teardown(void **state)
{
	struct room *m = &room;
	void *x = m->x;

	(void)state;
	ruleset_unref(&m->r);
	delta_fini(&m->d);
	buf_fini(&m->frame);
	buf_fini(&m->taken);
	buf_fini(&m->payload);
	sign_key_free(&m->other);
	return fixture_teardown(&x);
}

static void
sign_as(struct room *m, enum frame_type type, const struct sign_key *key)
{
	buf_reset(&m->payload);
	delta_encode(&m->d, &m->payload);
	buf_reset(&m->frame);
	assert_int_equal(frame_sign(&m->frame, type, key, m->payload.data,
	    m->payload.len), 0);
}

static void
attack_is_refused(void **state)
{
	const struct attack *a = *state;
	struct ruleset_refusal refusal = { NACK_NONE, 0 };
	struct diag why = { "" };
	struct room *m = &room;
	struct head was = *ruleset_head(m->r);
	uint8_t value = 0;
	struct buf scratch;
	struct bytes v;
	int rc;

	if (a->before != NULL)
		a->before(m);
	sign_as(m, FRAME_DELTA, m->x->publisher);
	if (a->after != NULL)
		a->after(m);
	rc = fixture_apply(m->x, &m->r, &m->frame, &refusal, &why);
	assert_true(rc < 0);
	assert_string_equal(nack_name(refusal.nack), nack_name(a->want));
	assert_true(strlen(why.text) > 0);
	/* the last good version, in all that the attack was to change */
	assert_memory_equal(ruleset_head(m->r), &was, sizeof(was));
	buf_init(&scratch, 0);
	assert_int_equal(ruleset_get(m->r, "Dnew@acme.example", 17, &scratch,
	    &v), 0);
	value = v.p[0];
	assert_int_equal(value, 1);
	assert_int_equal(ruleset_get(m->r, "Dbo@acme.example", 16, &scratch,
	    &v), 0);
	assert_false(ruleset_is_damaged(m->r));
	buf_fini(&scratch);
}

/* What the rows are made of: the same delta without an attack is taken. */
static void
legal_delta_is_taken(void **state)
{
	struct ruleset_refusal refusal;
	struct diag why = { "" };
	struct room *m = &room;

	(void)state;
	sign_as(m, FRAME_DELTA, m->x->publisher);
	if (fixture_apply(m->x, &m->r, &m->frame, &refusal, &why) < 0)
		fail_msg("%s", why.text);
	fixture_agrees(m->x, m->r, NULL);
}

/* --- before it is signed --------------------------------------------- */

static void to_below(struct room *m) { m->d.from_version = 1;
    m->d.to_version = 7; }
static void to_same(struct room *m) { m->d.from_version = 7;
    m->d.to_version = 8; }
static void from_ahead(struct room *m) { m->d.from_version = 20;
    m->d.to_version = 21; }
static void from_behind(struct room *m) { m->d.from_version = 7; }
static void from_far(struct room *m) { m->d.from_version = UINT64_MAX - 1;
    m->d.to_version = UINT64_MAX; }
static void from_zero(struct room *m) { m->d.from_version = 0; }
static void to_not_above(struct room *m) { m->d.to_version = 8; }
static void other_content(struct room *m) { m->d.from_digest[31] ^= 0x80; }
static void no_content(struct room *m) { memset(m->d.from_digest, 0,
    DIGEST_LEN); }
static void other_end(struct room *m) { m->d.to_digest[0] ^= 1; }
static void end_is_begin(struct room *m) { memcpy(m->d.to_digest,
    m->d.from_digest, DIGEST_LEN); }
static void one_more(struct room *m) { m->d.to_count++; }
static void endless_count(struct room *m) { m->d.to_count = UINT64_MAX; }
static void format_2(struct room *m) { m->d.record_format = 2; }
static void format_0(struct room *m) { m->d.record_format = 0; }
static void engine_2(struct room *m) { m->d.engine = DECIDE_ENGINE + 1; }
static void time_negative(struct room *m) { m->d.issued_us = -1; }
static void issued_late(struct room *m) { m->d.issued_us = clock_wall_us() +
    (int64_t)7200 * 1000000; }

static void
rows(struct room *m, const void *p, size_t n)
{
	buf_reset(&m->d.ops);
	buf_put(&m->d.ops, p, n);
}

static void no_rows(struct room *m) { rows(m, "", 0); }
static void del_absent(struct room *m) { rows(m, "\2\0\2\0\0\0\0Fx", 9); }
static void class_unknown(struct room *m) { rows(m, "\1\0\2\0\0\0\0zx",
    9); }
static void key_empty(struct room *m) { rows(m, "\1\0\0\0\0\0\0", 7); }
static void op_3(struct room *m) { rows(m, "\3\0\2\0\0\0\0Fx", 9); }
static void del_value(struct room *m) { rows(m, "\2\0\2\0\0\0\1Fxy", 10); }
static void falling(struct room *m) { rows(m,
    "\1\0\2\0\0\0\0Fb\1\0\2\0\0\0\0Fa", 18); }
static void twice(struct room *m) { rows(m,
    "\1\0\2\0\0\0\0Fa\2\0\2\0\0\0\0Fa", 18); }
static void cut(struct room *m) { m->d.ops.len--; }
static void value_4g(struct room *m) { rows(m,
    "\1\0\2\377\377\377\377Fx", 9); }
static void key_64k(struct room *m) { rows(m, "\1\377\377\0\0\0\0Fx", 9); }

/* The rows of the set's own state must be out of reach. */
static void
state_row(struct room *m)
{
	rows(m, "\1\0\11\0\0\0\0\0complete", 16);
}

static void
row_of(struct room *m, const char *key, const void *val, size_t len)
{
	struct digest d;
	size_t i;

	/* arithmetic right, content wrong: 8's records with this one more */
	digest_init(&d);
	for (i = 0; i < m->x->n; i++) {
		const struct fixture_record *r = &m->x->r[i];

		digest_add(&d, r->key.data, r->key.len, r->val.data,
		    r->val.len);
	}
	delta_fini(&m->d);
	fixture_delta(m->x, 9, (struct change[]){ { "Dnew@acme.example",
	    "\2" } }, 1, &m->d);
	memcpy(m->d.from_digest, ruleset_head(m->r)->digest, DIGEST_LEN);
	m->d.from_version = 8;
	buf_reset(&m->d.ops);
	m->d.ops_n = 0;
	/* the same changes as the legal one, and the record */
	assert_int_equal(delta_del(&m->d, "Dbo@acme.example", 16), 0);
	assert_int_equal(delta_put(&m->d, "Dnew@acme.example", 17, "\2", 1),
	    0);
	assert_int_equal(delta_put(&m->d, key, strlen(key), val, len), 0);
	digest_add(&d, key, strlen(key), val, len);
	m->d.to_count = d.count;
	digest_final(&d, m->d.to_digest);
}

static void policy_torn(struct room *m) { row_of(m, "Pnew", "\1\1\1", 3); }
static void setting_unknown(struct room *m) { row_of(m, "Snew", "x", 1); }
static void domain_torn(struct room *m) { row_of(m, "Inew.example", "xyz",
    3); }

static void
policy_without_its_group(struct room *m)
{
	struct policy p = { .id = fixture_str("new"),
	    .narrative = fixture_str("n"), .type = POLICY_BLOCKED_SENDERS,
	    .action = ACTION_BLOCK, .based_on = BASED_ENVELOPE,
	    .from = { .kind = TARGET_GROUP, .gid = 77 },
	    .to = { .kind = TARGET_INTERNAL }, .enabled = true,
	    .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX };
	struct buf b;

	buf_init(&b, 0);
	policy_encode(&p, &b);
	row_of(m, "Pnew", b.data, b.len);
	buf_fini(&b);
}

static void
rows_10001(struct room *m)
{
	char row[32];
	int i;

	buf_reset(&m->d.ops);
	for (i = 0; i <= DELTA_OPS_MAX; i++) {
		snprintf(row, sizeof(row), "F%06d", i);
		buf_put(&m->d.ops, "\1\0\7\0\0\0\0", 7);
		buf_put(&m->d.ops, row, 7);
	}
}

static void
rows_endless(struct room *m)
{
	m->d.ops.max = 2 * DELTA_OPS_BYTES_MAX;
	while (m->d.ops.len <= DELTA_OPS_BYTES_MAX)
		buf_put(&m->d.ops, "\1\0\7\0\0\0\0Fendless", 14);
}

/* --- after it is signed ---------------------------------------------- */

static void replay_last(struct room *m) { buf_reset(&m->frame);
    buf_put(&m->frame, m->taken.data, m->taken.len); }
static void other_key(struct room *m) { sign_as(m, FRAME_DELTA, m->other); }
static void root_key(struct room *m) { sign_as(m, FRAME_DELTA, m->x->root); }
static void as_head(struct room *m) { sign_as(m, FRAME_HEAD,
    m->x->publisher); }
static void as_head_retyped(struct room *m) { as_head(m);
    m->frame.data[0] = FRAME_DELTA; }
static void as_manifest_retyped(struct room *m) { sign_as(m, FRAME_MANIFEST,
    m->x->publisher); m->frame.data[0] = FRAME_DELTA; }
static void as_cert_retyped(struct room *m) { sign_as(m, FRAME_CERT,
    m->x->publisher); m->frame.data[0] = FRAME_DELTA; }
static void no_frame(struct room *m) { buf_reset(&m->frame); }
static void type_alone(struct room *m) { m->frame.len = 1; }
static void head_alone(struct room *m) { m->frame.len = FRAME_SIGNED_LEN; }
static void no_signature(struct room *m) { memset(m->frame.data + 9, 0,
    64); }
static void no_key_id(struct room *m) { memset(m->frame.data + 1, 0, 8); }
static void last_byte_less(struct room *m) { m->frame.len--; }
static void one_byte_more(struct room *m) { buf_putc(&m->frame, 0); }

static void
stripped(struct room *m)
{
	buf_consume(&m->frame, FRAME_SIGNED_LEN - 1);
	m->frame.data[0] = FRAME_DELTA;
}

static void
their_signature_our_key_id(struct room *m)
{
	uint8_t id[SIGN_KEYID_LEN];

	other_key(m);
	sign_key_id(sign_key_public(m->x->publisher), id);
	memcpy(m->frame.data + 1, id, sizeof(id));
}

static void
spliced(struct room *m)
{
	/* the signature of the one before, over this payload */
	memcpy(m->frame.data, m->taken.data, FRAME_SIGNED_LEN);
}

static void
payloads_joined(struct room *m)
{
	buf_put(&m->frame, m->taken.data + FRAME_SIGNED_LEN,
	    m->taken.len - FRAME_SIGNED_LEN);
}

static void
published_instead(struct room *m, const struct buf *b)
{
	buf_reset(&m->frame);
	buf_put(&m->frame, b->data, b->len);
	m->frame.data[0] = FRAME_DELTA;
}

static void head_instead(struct room *m) { published_instead(m,
    &m->x->head_frame); }
static void manifest_instead(struct room *m) { published_instead(m,
    &m->x->manifest_frame); }
static void cert_instead(struct room *m) { published_instead(m,
    &m->x->cert); }

/* Signed by the publisher over something else than a delta. */
static void
signed_payload(struct room *m, const void *p, size_t n)
{
	buf_reset(&m->frame);
	assert_int_equal(frame_sign(&m->frame, FRAME_DELTA,
	    m->x->publisher, p, n), 0);
}

static void signed_nothing(struct room *m) { signed_payload(m, "", 0); }
static void signed_noise(struct room *m) { signed_payload(m,
    "\377\377\377\377noise", 9); }

static void
unknown_fields(struct room *m)
{
	size_t i;

	buf_reset(&m->payload);
	for (i = 0; i < FRAME_MAX / 2 - 100; i++)
		buf_put(&m->payload, "\370\7\1" + (i > 0), 2);
	signed_payload(m, m->payload.data, m->payload.len);
}

static void
certificate_ended(struct room *m)
{
	struct publisher_cert c = { .serial = 1, .not_after_us = 1000 };

	memcpy(c.key, sign_key_public(m->x->publisher), SIGN_PUBLIC_LEN);
	buf_reset(&m->x->cert);
	assert_int_equal(cert_make(m->x->root, &c, &m->x->cert), 0);
}

#define B(name, fn, nack) { name, fn, NULL, nack }
#define A(name, fn, nack) { name, NULL, fn, nack }

static const struct attack attacks[] = {
	B("rollback_to_a_version_below", to_below, NACK_ROLLBACK),
	B("rollback_to_the_same_version", to_same, NACK_ROLLBACK),
	A("rollback_by_replay_of_the_last_delta", replay_last, NACK_ROLLBACK),
	B("fast_forward_from_a_version_to_come", from_ahead, NACK_CHAIN),
	B("fast_forward_to_the_end_of_numbers", from_far, NACK_CHAIN),
	B("fork_from_a_version_behind", from_behind, NACK_CHAIN),
	B("mix_and_match_from_another_content", other_content, NACK_CHAIN),
	B("mix_and_match_from_no_content", no_content, NACK_CHAIN),
	B("mix_and_match_to_another_digest", other_end, NACK_DIGEST),
	B("mix_and_match_records_kept_back", no_rows, NACK_DIGEST),
	B("freeze_by_a_delta_that_changes_nothing", end_is_begin,
	    NACK_DIGEST),
	B("digest_count_one_off", one_more, NACK_DIGEST),
	B("digest_count_endless", endless_count, NACK_DIGEST),
	B("digest_record_taken_away_that_is_not_there", del_absent,
	    NACK_DIGEST),
	B("format_of_records_unknown", format_2, NACK_FORMAT),
	B("format_of_a_class_unknown", class_unknown, NACK_FORMAT),
	B("format_of_the_set_s_own_rows", state_row, NACK_FORMAT),
	B("format_of_a_setting_unknown", setting_unknown, NACK_FORMAT),
	B("engine_unknown", engine_2, NACK_ENGINE),
	B("malformed_from_version_0", from_zero, NACK_CORRUPT),
	B("malformed_to_not_above_from", to_not_above, NACK_CORRUPT),
	B("malformed_format_0", format_0, NACK_CORRUPT),
	B("malformed_time", time_negative, NACK_CORRUPT),
	B("malformed_empty_key", key_empty, NACK_CORRUPT),
	B("malformed_op", op_3, NACK_CORRUPT),
	B("malformed_del_with_a_value", del_value, NACK_CORRUPT),
	B("malformed_keys_falling", falling, NACK_CORRUPT),
	B("malformed_key_twice", twice, NACK_CORRUPT),
	B("malformed_rows_cut", cut, NACK_CORRUPT),
	B("malformed_policy", policy_torn, NACK_CORRUPT),
	B("malformed_domain", domain_torn, NACK_CORRUPT),
	B("malformed_policy_of_a_missing_group", policy_without_its_group,
	    NACK_CORRUPT),
	B("endless_data_value_of_4_gib", value_4g, NACK_CORRUPT),
	B("endless_data_key_of_64_kib", key_64k, NACK_CORRUPT),
	B("endless_data_10001_rows", rows_10001, NACK_LIMIT),
	B("endless_data_rows_over_their_bytes", rows_endless, NACK_LIMIT),
	A("endless_data_in_unknown_fields", unknown_fields, NACK_CORRUPT),
	A("malformed_payload_empty", signed_nothing, NACK_CORRUPT),
	A("malformed_payload_noise", signed_noise, NACK_CORRUPT),
	A("expired_certificate", certificate_ended, NACK_EXPIRED),
	B("expired_before_it_was_issued", issued_late, NACK_EXPIRED),
	A("wrong_key", other_key, NACK_SIGNATURE),
	A("wrong_key_root_signs_no_deltas", root_key, NACK_SIGNATURE),
	A("wrong_key_under_our_key_id", their_signature_our_key_id,
	    NACK_SIGNATURE),
	A("stripped_signature", stripped, NACK_SIGNATURE),
	A("stripped_signature_zeros", no_signature, NACK_SIGNATURE),
	A("stripped_key_id", no_key_id, NACK_SIGNATURE),
	A("stripped_all", no_frame, NACK_SIGNATURE),
	A("stripped_to_its_type", type_alone, NACK_SIGNATURE),
	A("stripped_of_its_payload", head_alone, NACK_SIGNATURE),
	A("cut_last_byte", last_byte_less, NACK_SIGNATURE),
	A("longer_by_a_byte", one_byte_more, NACK_SIGNATURE),
	A("splice_signature_of_another_delta", spliced, NACK_SIGNATURE),
	A("splice_two_payloads", payloads_joined, NACK_SIGNATURE),
	A("cross_type_signed_as_head", as_head, NACK_SIGNATURE),
	A("cross_type_signed_as_head_retyped", as_head_retyped,
	    NACK_SIGNATURE),
	A("cross_type_signed_as_manifest_retyped", as_manifest_retyped,
	    NACK_SIGNATURE),
	A("cross_type_signed_as_cert_retyped", as_cert_retyped,
	    NACK_SIGNATURE),
	A("cross_type_replay_of_the_head", head_instead, NACK_SIGNATURE),
	A("cross_type_replay_of_the_manifest", manifest_instead,
	    NACK_SIGNATURE),
	A("cross_type_replay_of_the_certificate", cert_instead,
	    NACK_SIGNATURE),
};

int
main(void)
{
	static struct attack own[N(attacks)];
	struct CMUnitTest tests[N(attacks) + 1];
	size_t i;

	for (i = 0; i < N(attacks); i++) {
		own[i] = attacks[i];
		tests[i] = (struct CMUnitTest){ attacks[i].name,
		    attack_is_refused, setup, teardown, &own[i] };
	}
	tests[i] = (struct CMUnitTest){ "legal_delta_is_taken",
	    legal_delta_is_taken, setup, teardown, NULL };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
