/*
 * test_publish.c - a version of the store as frames that a node can check.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "controller/publish.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/frame.h"
#include "proto/wire/snapshot.h"

#define S ITEM_SEP_S

struct fixture { char dir[64]; struct store *s; struct sign_key *key; };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/postern-publish-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) == NULL || sign_key_new(&f->key) < 0 ? -1 :
	    store_open(&f->s, f->dir, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_close(&f->s);
	sign_key_free(&f->key);
	file_remove_tree(f->dir, NULL);
	free(f);
	return 0;
}

/* Commit entries from..to of a group, made with the first. */
static void
put_entries(struct store *s, int from, int to)
{
	struct commit info = { .actor = "test", .action = "apply" };
	struct change c = { 0 };
	struct diag why = { "" };
	uint64_t v;
	char key[64];
	int i;

	/* changes are sorted by key: "entry.." before "group.." */
	for (i = from; i < to; i++) {
		snprintf(key, sizeof(key), "entry" S "s%06d.example" S "g", i);
		change_add(&c, key, NULL, "{}", "cli");
	}
	if (from == 0)
		change_add(&c, "group" S "g", NULL, "{}", "cli");
	if (store_commit(s, &c, &info, &v, &why) < 0)
		fail_msg("%s", why.text);
	change_fini(&c);
}

static void
open_manifest(const struct fixture *f, const struct publication *p,
    struct manifest *m)
{
	struct bytes frame = publication_manifest(p), payload;

	assert_int_equal(frame_open(frame.p, frame.n, FRAME_MANIFEST,
	    sign_key_public(f->key), &payload, NULL), 0);
	assert_int_equal(manifest_decode(m, payload, NULL), 0);
}

static void
publish_before_the_first_version_finds_nothing(void **state)
{
	struct fixture *f = *state;
	struct publication *p;

	assert_int_equal(publish(&p, f->s, f->key, NULL, NULL), ERR_NOENT);
	assert_null(p);
	publication_free(&p);
}

static void
publish_signs_a_head_that_names_the_manifest(void **state)
{
	struct fixture *f = *state;
	struct publication *p;
	struct manifest m;
	struct bytes frame, payload;
	struct head h;
	struct buf beat;
	uint8_t id[HASH_LEN];

	put_entries(f->s, 0, 3);
	assert_int_equal(publish(&p, f->s, f->key, NULL, NULL), 0);
	buf_init(&beat, 0);
	assert_int_equal(publication_beat(p, f->key, 77, &beat), 0);
	assert_int_equal(frame_open(beat.data, beat.len, FRAME_HEAD,
	    sign_key_public(f->key), &payload, NULL), 0);
	assert_int_equal(head_decode(&h, payload, NULL), 0);
	frame = publication_manifest(p);
	crypto_generichash(id, sizeof(id), frame.p, frame.n, NULL, 0);
	assert_memory_equal(h.manifest_id, id, sizeof(id));
	assert_int_equal(h.version, 1);
	assert_int_equal(h.issued_us, 77);
	open_manifest(f, p, &m);
	assert_int_equal(m.version, 1);
	assert_int_equal(m.count, records_n(store_records(f->s)));
	assert_memory_equal(m.digest, h.digest, DIGEST_LEN);
	manifest_fini(&m);
	buf_fini(&beat);
	publication_free(&p);
}

static void
publish_chunks_hold_every_record_in_order(void **state)
{
	struct fixture *f = *state;
	struct records_cursor r;
	struct publication *p;
	struct manifest m;
	struct buf frame;
	size_t i;

	put_entries(f->s, 0, 9000);
	records_begin(&r, store_records(f->s));
	assert_int_equal(publish(&p, f->s, f->key, NULL, NULL), 0);
	open_manifest(f, p, &m);
	assert_true(m.chunks_n > 1);
	assert_int_equal(m.chunks_n, publication_chunks(p));
	buf_init(&frame, 0);
	for (i = 0; i < m.chunks_n; i++) {
		struct bytes c, key, val;

		buf_reset(&frame);
		assert_int_equal(publication_chunk(p, (uint32_t)i, &frame), 0);
		assert_int_equal(frame_payload(frame.data, frame.len,
		    FRAME_CHUNK, &c), 0);
		assert_int_equal(bytes_u32(&c), i);
		assert_int_equal(chunk_check(&m.chunks[i], c.p, c.n), 0);
		while (chunk_next(&c, &key, &val)) {
			assert_true(records_next(&r));
			assert_int_equal(key.n, r.key.len);
			assert_memory_equal(key.p, r.key.data, key.n);
		}
		assert_int_equal(c.err, 0);
	}
	assert_false(records_next(&r));
	records_end(&r);
	assert_int_equal(publication_chunk(p, (uint32_t)i, &frame), ERR_NOENT);
	buf_fini(&frame);
	manifest_fini(&m);
	publication_free(&p);
}

static void
publish_again_gives_the_same_manifest(void **state)
{
	struct fixture *f = *state;
	struct publication *a, *b;
	struct bytes x, y;

	put_entries(f->s, 0, 100);
	assert_int_equal(publish(&a, f->s, f->key, NULL, NULL), 0);
	assert_int_equal(publish(&b, f->s, f->key, NULL, NULL), 0);
	x = publication_manifest(a);
	y = publication_manifest(b);
	assert_int_equal(x.n, y.n);
	assert_memory_equal(x.p, y.p, x.n);
	publication_free(&a);
	publication_free(&b);
}

static void
publish_after_a_change_outlives_the_version_it_borrowed_from(void **state)
{
	struct fixture *f = *state;
	struct publication *a, *b;
	struct manifest m, old;
	struct buf frame;
	size_t i, j, shared = 0;

	put_entries(f->s, 0, 9000);
	assert_int_equal(publish(&a, f->s, f->key, NULL, NULL), 0);
	open_manifest(f, a, &old);
	put_entries(f->s, 9000, 9001);
	assert_int_equal(publish(&b, f->s, f->key, a, NULL), 0);
	publication_free(&a);
	open_manifest(f, b, &m);
	buf_init(&frame, 0);
	for (i = 0; i < m.chunks_n; i++) {
		buf_reset(&frame);
		assert_int_equal(publication_chunk(b, (uint32_t)i, &frame), 0);
		assert_int_equal(chunk_check(&m.chunks[i], frame.data + 5,
		    frame.len - 5), 0);
		for (j = 0; j < old.chunks_n; j++)
			shared += memcmp(old.chunks[j].hash, m.chunks[i].hash,
			    HASH_LEN) == 0;
	}
	assert_true(shared > 0 && shared < m.chunks_n);
	buf_fini(&frame);
	manifest_fini(&old);
	manifest_fini(&m);
	publication_free(&b);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(publish_before_the_first_version_finds_nothing),
		T(publish_signs_a_head_that_names_the_manifest),
		T(publish_chunks_hold_every_record_in_order),
		T(publish_again_gives_the_same_manifest),
		T(publish_after_a_change_outlives_the_version_it_borrowed_from),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
