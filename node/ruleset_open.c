/*
 * ruleset_open.c - a set from its folder: frames verified, tables loaded,
 * the filter read, and the keys of all kept deltas added to it.
 *
 * The deltas must lead from base/ to what "state" says without a gap: a row
 * that got lost would be a key that the filter does not know.
 */
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/filter_make.h"
#include "node/ruleset_impl.h"
#include "node/sets.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/wire/frame.h"

#define STATE_LEN (3 * 8 + DIGEST_STATE_LEN)

struct opening {
	struct store *s;
	const uint8_t *root;
	struct buf b;			/* of the row at hand */
	uint64_t records, small;	/* as the complete row says */
	struct head head;		/* of the base, then of the newest */
	struct publisher_cert cert;
	struct shared_tables *tables;
};

static int
get_meta(struct opening *o, const void *name, size_t len, struct diag *why)
{
	buf_reset(&o->b);
	return db_get(o->s->db, NULL, name, len, true, &o->b, why);
}

/* A row with a hash behind it. */
static int
get_stamped(struct opening *o, const void *name, size_t len,
    struct bytes *value, struct diag *why)
{
	int rc = get_meta(o, name, len, why);

	if (rc == 0 && ruleset_check(o->s, name, len, bytes_of(o->b.data,
	    o->b.len), value) < 0)
		rc = diag_set(why, ERR_CORRUPT, "a row of the set's state is "
		    "damaged");
	return rc;
}

static int
load_complete(struct opening *o, struct diag *why)
{
	struct store *s = o->s;
	struct bytes in, value;
	int rc;

	rc = get_meta(o, META(RULESET_META_COMPLETE), why);
	if (rc < 0)
		return rc;
	in = bytes_of(o->b.data, o->b.len);
	if (in.n != RULESET_KEY_LEN + 16 + RULESET_HASH_LEN)
		return diag_set(why, ERR_CORRUPT, "the set's last row is "
		    "damaged");
	crypto_generichash(s->name, sizeof(s->name), in.p, in.n, NULL, 0);
	memcpy(s->key, in.p, RULESET_KEY_LEN);
	if (ruleset_check(s, META(RULESET_META_COMPLETE), in, &value) < 0)
		return diag_set(why, ERR_CORRUPT, "the set's last row is "
		    "damaged");
	bytes_take(&value, RULESET_KEY_LEN);
	o->records = bytes_u64(&value);
	o->small = bytes_u64(&value);
	return 0;
}

/* Is it of a format and engine that this program speaks? */
static int
check_kind(uint32_t format, uint32_t engine, struct diag *why)
{
	if (format == RECORD_FORMAT && engine == DECIDE_ENGINE)
		return 0;
	return diag_set(why, ERR_VERSION, "the set is of record format %u, "
	    "engine %u", (unsigned)format, (unsigned)engine);
}

/* The head, verified: root signed the publisher, who signed the head. */
static int
load_head(struct opening *o, struct diag *why)
{
	struct bytes payload;
	int rc;

	if ((rc = get_meta(o, META(RULESET_META_CERT), why)) < 0 ||
	    (rc = cert_open(o->root, o->b.data, o->b.len, INT64_MIN,
	    &o->cert, why)) < 0)
		return rc;
	if ((rc = get_meta(o, META(RULESET_META_HEAD), why)) < 0 ||
	    (rc = frame_open(o->b.data, o->b.len, FRAME_HEAD, o->cert.key,
	    &payload, why)) < 0 ||
	    (rc = head_decode(&o->head, payload, why)) < 0)
		return rc;
	if (o->head.issued_us > o->cert.not_after_us)
		return diag_set(why, ERR_AUTH, "the head was signed after the "
		    "end of its certificate");
	return check_kind(o->head.record_format, o->head.engine, why);
}

/* The manifest that the head names says what the base holds; when it is of an
 * older version than the head, so is the base. */
static int
load_manifest(struct opening *o, struct diag *why)
{
	struct store *s = o->s;
	struct bytes payload;
	struct manifest m;
	int rc;

	if ((rc = get_meta(o, META(RULESET_META_MANIFEST), why)) < 0 ||
	    (rc = frame_open(o->b.data, o->b.len, FRAME_MANIFEST,
	    o->cert.key, &payload, why)) < 0)
		return rc;
	crypto_generichash(s->manifest_id, HASH_LEN, (uint8_t *)o->b.data,
	    o->b.len, NULL, 0);
	if (memcmp(s->manifest_id, o->head.manifest_id, HASH_LEN) != 0)
		return diag_set(why, ERR_CORRUPT, "not the manifest that the "
		    "head names");
	if ((rc = manifest_decode(&m, payload, why)) < 0)
		return rc;
	if (m.count != o->records)
		rc = diag_set(why, ERR_CORRUPT, "the set holds %llu records "
		    "and its manifest says %llu",
		    (unsigned long long)o->records,
		    (unsigned long long)m.count);
	s->version = s->base_version = o->head.version = m.version;
	o->head.count = m.count;
	memcpy(o->head.digest, m.digest, DIGEST_LEN);
	s->small = o->small;
	digest_load(&s->digest, m.state, m.count);
	manifest_fini(&m);
	return rc;
}

/* --- deltas ------------------------------------------------------------- */

void
ruleset_delta_key(uint64_t version, uint8_t out[RULESET_DELTA_KEY_LEN])
{
	int i;

	memcpy(out, META(RULESET_META_DELTA));
	for (i = 0; i < 8; i++)
		out[RULESET_DELTA_KEY_LEN - 1 - i] =
		    (uint8_t)(version >> (8 * i));
}

bool
ruleset_is_delta_key(struct bytes key)
{
	return key.n == RULESET_DELTA_KEY_LEN &&
	    memcmp(key.p, META(RULESET_META_DELTA)) == 0;
}

int
ruleset_delta_split(struct bytes value, struct bytes *cert,
    struct bytes *frame)
{
	uint16_t len = bytes_u16(&value);

	*cert = bytes_of(bytes_take(&value, len), len);
	*frame = bytes_of(value.p, value.n);
	return value.err != 0 || value.n < FRAME_SIGNED_LEN ? ERR_CORRUPT : 0;
}

void
ruleset_filter_delta(struct store *s, const struct delta *d)
{
	struct bytes rows = delta_rows(d);
	struct delta_op op;

	while (delta_next(&rows, &op)) {
		struct record_hash hash = filter_hash(s->filter, op.key.p,
		    op.key.n);

		filter_add(s->changed, hash);
		if (op.kind == DELTA_PUT && !record_is_small(op.key.p[0]))
			filter_add(s->filter, hash);
	}
}

/* One kept delta: it follows `at`, and its keys go into the filters.  Its
 * signature was verified when it was taken; its row's hash guards it since,
 * and the newest is verified again. */
static int
add_delta(struct opening *o, struct bytes key, struct bytes stored,
    struct delta *d, uint64_t at, struct diag *why)
{
	struct bytes value, cert, frame;
	int rc;

	if (ruleset_check(o->s, key.p, key.n, stored, &value) < 0 ||
	    ruleset_delta_split(value, &cert, &frame) < 0)
		return diag_set(why, ERR_CORRUPT, "a kept delta is damaged");
	bytes_take(&frame, FRAME_SIGNED_LEN);
	if ((rc = delta_decode(d, frame, why)) < 0)
		return rc;
	if (d->from_version != at) {
		delta_fini(d);
		return diag_set(why, ERR_CORRUPT, "the kept deltas have a gap "
		    "behind version %llu", (unsigned long long)at);
	}
	o->s->delta_bytes += stored.n;
	ruleset_filter_delta(o->s, d);
	return 0;
}

/* All kept deltas, from the base's version on; *at is where they lead. */
static int
add_deltas(struct opening *o, uint64_t *at, struct diag *why)
{
	struct db_iter *it = db_iter_new(o->s->db, NULL);
	struct delta d;
	int rc = 0;

	for (db_iter_seek(it, META(RULESET_META_DELTA)); rc == 0 &&
	    db_iter_valid(it); db_iter_next(it)) {
		struct bytes key = db_iter_key(it);

		if (!ruleset_is_delta_key(key))
			break;
		rc = add_delta(o, key, db_iter_value(it), &d, *at, why);
		if (rc == 0) {
			*at = d.to_version;
			delta_fini(&d);
		}
	}
	if (rc == 0)
		rc = db_iter_error(it, why);
	db_iter_free(&it);
	return rc;
}

static int
load_sums(struct opening *o, struct diag *why)
{
	struct store *s = o->s;
	struct bytes in;
	uint64_t count;
	int rc;

	rc = get_stamped(o, META(RULESET_META_STATE), &in, why);
	if (rc < 0)
		return rc;
	s->version = bytes_u64(&in);
	count = bytes_u64(&in);
	s->small = bytes_u64(&in);
	if (in.err != 0 || in.n != DIGEST_STATE_LEN)
		return diag_set(why, ERR_CORRUPT, "the set's state is of "
		    "another form");
	digest_load(&s->digest, in.p, count);
	return 0;
}

/* The newest delta, verified again, makes the head. */
static int
load_last(struct opening *o, struct diag *why)
{
	uint8_t key[RULESET_DELTA_KEY_LEN], digest[DIGEST_LEN];
	struct bytes in, cert, frame;
	struct store *s = o->s;
	struct delta d;
	int rc;

	ruleset_delta_key(s->version, key);
	if ((rc = get_stamped(o, key, sizeof(key), &in, why)) < 0 ||
	    (rc = ruleset_delta_split(in, &cert, &frame)) < 0 ||
	    (rc = cert_open(o->root, cert.p, cert.n, INT64_MIN, &o->cert,
	    why)) < 0 ||
	    (rc = delta_open(&d, frame, o->cert.key, why)) < 0)
		return rc;
	digest_final(&s->digest, digest);
	if (d.to_version != s->version || d.to_count != s->digest.count ||
	    memcmp(d.to_digest, digest, DIGEST_LEN) != 0)
		rc = diag_set(why, ERR_CORRUPT, "the set's sums are not where "
		    "its newest delta leads");
	else if (d.issued_us > o->cert.not_after_us)
		rc = diag_set(why, ERR_AUTH, "the newest delta was signed "
		    "after the end of its certificate");
	else
		rc = check_kind(d.record_format, d.engine, why);
	ruleset_delta_head(&d, &o->head);
	delta_fini(&d);
	return rc;
}

static int
load_deltas(struct opening *o, struct diag *why)
{
	uint64_t at = o->s->version;
	int rc;

	if ((rc = add_deltas(o, &at, why)) < 0)
		return rc;
	rc = load_sums(o, why);
	if (rc == ERR_NOENT && at == o->s->version)
		return 0;
	if (rc == 0 && at != o->s->version)
		rc = diag_set(why, ERR_CORRUPT, "the kept deltas lead to "
		    "version %llu and the set is of %llu",
		    (unsigned long long)at,
		    (unsigned long long)o->s->version);
	else if (rc == ERR_NOENT)
		rc = diag_set(why, ERR_CORRUPT, "the set's state is missing");
	return rc < 0 ? rc : load_last(o, why);
}

/* --- the filter ---------------------------------------------------------- */

static int
load_filter(struct opening *o, struct diag *why)
{
	struct store *s = o->s;
	struct diag reason = { "" };
	char path[SETS_PATH_LEN];
	int rc;

	snprintf(path, sizeof(path), "%s/filter", s->dir);
	s->changed = filter_new(RULESET_CHANGED_KEYS, s->key);
	if (filter_load(&s->filter, path, s->name, s->key, &reason) == 0)
		return 0;
	log_info("filter.made", F_S("set", s->dir),
	    F_S("reason", reason.text));
	s->filter = filter_new(o->records + o->records / 4 + 65536, s->key);
	if ((rc = filter_make(s->filter, s->db, o->records, why)) < 0)
		return rc;
	if (filter_save(s->filter, path, s->name, &reason) < 0)
		log_warning("filter.unsaved", F_S("reason", reason.text));
	return 0;
}

/* Without it reads cost more, and nothing else changes. */
static void
open_base(struct store *s)
{
	struct diag reason = { "" };
	char path[SETS_PATH_LEN];

	snprintf(path, sizeof(path), "%s/base", s->dir);
	if (db_frozen_open(&s->base, path, &reason) < 0)
		log_info("ruleset.base_unread", F_S("set", s->dir),
		    F_S("reason", reason.text));
}

static int
load_all(struct opening *o, struct diag *why)
{
	char path[SETS_PATH_LEN];
	uint64_t small;
	int rc;

	snprintf(path, sizeof(path), "%s/live", o->s->dir);
	if (access(path, F_OK) < 0 &&
	    (rc = sets_link_live(o->s->dir, why)) < 0)
		return rc;
	if ((rc = db_open(&o->s->db, path, DB_PARANOID | DB_LARGE,
	    why)) < 0 || (rc = load_complete(o, why)) < 0 ||
	    (rc = load_head(o, why)) < 0 ||
	    (rc = load_manifest(o, why)) < 0 ||
	    (rc = load_filter(o, why)) < 0 ||
	    (rc = load_deltas(o, why)) < 0 ||
	    (rc = ruleset_load_tables(o->s, &o->tables, why)) < 0)
		return rc;
	open_base(o->s);
	small = tables_records_n(o->tables->t);
	if (small != o->s->small)
		return diag_set(why, ERR_CORRUPT, "%llu small records where "
		    "%llu should be", (unsigned long long)small,
		    (unsigned long long)o->s->small);
	return 0;
}

int
ruleset_open(struct ruleset **out, const char *dir,
    const uint8_t root[SIGN_PUBLIC_LEN], struct diag *why)
{
	struct opening o = { .root = root };
	int rc;

	o.s = xcalloc(1, sizeof(*o.s));
	atomic_init(&o.s->refs, 1);
	snprintf(o.s->dir, sizeof(o.s->dir), "%s", dir);
	buf_init(&o.b, FRAME_MAX + RULESET_HASH_LEN);
	if ((rc = load_all(&o, why)) < 0) {
		diag_prefix(why, rc, "%s", dir);
		ruleset_tables_unref(&o.tables);
	} else
		*out = ruleset_view(o.s, o.tables, &o.head, o.cert.serial);
	ruleset_store_unref(&o.s);
	buf_fini(&o.b);
	return rc;
}
