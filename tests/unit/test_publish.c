/*
 * test_publish.c - a version of the store as frames that a node can check.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "controller/chunk_cache.h"
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

/* Cut the version in force into the fixture's folder. */
static int
cut(struct fixture *f, struct publication **out, struct diag *why)
{
	struct store_view *v = store_view_new(f->s);
	atomic_bool stop = false;
	char dir[96];
	int rc;

	snprintf(dir, sizeof(dir), "%s/published", f->dir);
	rc = publish(out, v, f->key, dir, &stop, why);
	store_view_free(&v);
	return rc;
}

static void
publish_signs_what_the_head_says_and_a_head_that_names_it(void **state)
{
	struct fixture *f = *state;
	struct publication *p;
	struct manifest m;
	struct bytes frame, payload;
	struct head h, got;
	struct buf beat;
	uint8_t id[HASH_LEN];

	put_entries(f->s, 0, 3);
	assert_int_equal(cut(f, &p, NULL), 0);
	store_head(f->s, &h, NULL);
	h.engine = 1;
	frame = publication_manifest(p);
	crypto_generichash(id, sizeof(id), frame.p, frame.n, NULL, 0);
	assert_memory_equal(publication_id(p), id, sizeof(id));
	memcpy(h.manifest_id, id, sizeof(id));
	buf_init(&beat, 0);
	assert_int_equal(publish_beat(&h, f->key, 77, &beat), 0);
	assert_int_equal(frame_open(beat.data, beat.len, FRAME_HEAD,
	    sign_key_public(f->key), &payload, NULL), 0);
	assert_int_equal(head_decode(&got, payload, NULL), 0);
	assert_int_equal(got.version, 1);
	assert_int_equal(got.issued_us, 77);
	open_manifest(f, p, &m);
	assert_int_equal(m.version, 1);
	assert_int_equal(m.count, records_n(store_records(f->s)));
	assert_memory_equal(m.digest, h.digest, DIGEST_LEN);
	manifest_fini(&m);
	buf_fini(&beat);
	publication_free(&p);
}

static void
publish_that_is_told_to_stop_leaves_no_manifest(void **state)
{
	struct fixture *f = *state;
	struct store_view *v;
	struct publication *p;
	atomic_bool stop = true;
	char dir[96];

	put_entries(f->s, 0, 3);
	snprintf(dir, sizeof(dir), "%s/published", f->dir);
	v = store_view_new(f->s);
	assert_int_equal(publish(&p, v, f->key, dir, &stop, NULL),
	    ERR_TIMEOUT);
	assert_null(p);
	store_view_free(&v);
	assert_int_equal(publication_load(&p, dir, sign_key_public(f->key),
	    NULL), ERR_NOENT);
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
	assert_int_equal(cut(f, &p, NULL), 0);
	open_manifest(f, p, &m);
	assert_true(m.chunks_n > 1);
	assert_int_equal(m.chunks_n, publication_about(p)->chunks_n);
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
publish_again_or_loaded_gives_the_same_manifest(void **state)
{
	struct fixture *f = *state;
	struct publication *a, *b, *c;
	struct sign_key *other;
	char dir[96];

	put_entries(f->s, 0, 9000);
	assert_int_equal(cut(f, &a, NULL), 0);
	assert_int_equal(cut(f, &b, NULL), 0);
	assert_memory_equal(publication_id(a), publication_id(b), HASH_LEN);
	snprintf(dir, sizeof(dir), "%s/published", f->dir);
	assert_int_equal(publication_load(&c, dir, sign_key_public(f->key),
	    NULL), 0);
	assert_memory_equal(publication_id(a), publication_id(c), HASH_LEN);
	publication_free(&c);
	assert_int_equal(sign_key_new(&other), 0);
	assert_int_equal(publication_load(&c, dir, sign_key_public(other),
	    NULL), ERR_AUTH);
	assert_null(c);
	sign_key_free(&other);
	publication_free(&a);
	publication_free(&b);
}

/* How many chunk files there are. */
static size_t
files(const struct fixture *f)
{
	char dir[96];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/published", f->dir);
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.' && strcmp(e->d_name, "MANIFEST") != 0;
	closedir(d);
	return n;
}

static void
publish_after_a_change_writes_the_chunks_that_changed(void **state)
{
	struct fixture *f = *state;
	struct publication *a, *b;
	struct buf frame;
	size_t n, more;
	uint32_t i;

	put_entries(f->s, 0, 9000);
	assert_int_equal(cut(f, &a, NULL), 0);
	n = publication_about(a)->chunks_n;
	assert_true(n > 1);
	assert_int_equal(files(f), n);
	put_entries(f->s, 9000, 9001);
	assert_int_equal(cut(f, &b, NULL), 0);
	more = files(f) - n;
	assert_true(more > 0 && more < n);
	publication_sweep(b, a);	/* both are served */
	assert_int_equal(files(f), n + more);
	publication_free(&a);
	publication_sweep(b, NULL);
	assert_int_equal(files(f), publication_about(b)->chunks_n);
	buf_init(&frame, 0);
	for (i = 0; i < publication_about(b)->chunks_n; i++) {
		buf_reset(&frame);
		assert_int_equal(publication_chunk(b, i, &frame), 0);
	}
	buf_fini(&frame);
	publication_free(&b);
}

static void
chunk_that_was_damaged_is_not_sent_and_is_cut_anew(void **state)
{
	struct fixture *f = *state;
	char hex[HASH_LEN * 2 + 1], path[200];
	struct publication *p;
	struct buf frame;
	FILE *file;

	put_entries(f->s, 0, 9000);
	assert_int_equal(cut(f, &p, NULL), 0);
	hex_format(publication_about(p)->chunks[1].hash, HASH_LEN, hex);
	snprintf(path, sizeof(path), "%s/published/%s", f->dir, hex);
	assert_non_null(file = fopen(path, "r+"));
	assert_int_equal(fseek(file, 100, SEEK_SET), 0);
	assert_int_equal(fputs("damage", file) >= 0, 1);
	fclose(file);
	buf_init(&frame, 0);
	assert_int_equal(publication_chunk(p, 1, &frame), ERR_CORRUPT);
	publication_free(&p);
	assert_int_equal(cut(f, &p, NULL), 0);
	buf_reset(&frame);
	assert_int_equal(publication_chunk(p, 1, &frame), 0);
	buf_fini(&frame);
	publication_free(&p);
}

static void
chunk_cache_reads_a_chunk_once_until_others_push_it_out(void **state)
{
	static const uint8_t other[HASH_LEN] = { 1 };
	struct fixture *f = *state;
	struct chunk_cache *cache = chunk_cache_new();
	uint8_t id[HASH_LEN] = { 0 };
	char dir[200];
	struct publication *p;
	struct sock_blob *frame;
	struct buf want;
	uint8_t k;

	put_entries(f->s, 0, 9000);
	assert_int_equal(cut(f, &p, NULL), 0);
	assert_int_equal(chunk_cache_get(cache, p, id, 1, &frame), 0);
	assert_int_equal(chunk_cache_get(cache, p, id, 99999, &frame),
	    ERR_NOENT);
	buf_init(&want, 0);
	assert_int_equal(publication_chunk(p, 1, &want), 0);
	snprintf(dir, sizeof(dir), "%s/published", f->dir);
	file_remove_tree(dir, NULL);
	assert_int_equal(chunk_cache_get(cache, p, id, 1, &frame), 0);
	assert_int_equal(sock_blob_len(frame), want.len);
	assert_memory_equal(sock_blob_data(frame), want.data, want.len);
	/* another manifest's chunk of that number is another one */
	assert_int_equal(chunk_cache_get(cache, p, other, 1, &frame), ERR_IO);
	publication_free(&p);
	assert_int_equal(cut(f, &p, NULL), 0);
	for (k = 1; k <= CHUNK_CACHE_N; k++) {
		id[0] = k;
		assert_int_equal(chunk_cache_get(cache, p, id, 1, &frame), 0);
	}
	file_remove_tree(dir, NULL);
	id[0] = 0;
	assert_int_equal(chunk_cache_get(cache, p, id, 1, &frame), ERR_IO);
	buf_fini(&want);
	publication_free(&p);
	chunk_cache_free(&cache);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(publish_signs_what_the_head_says_and_a_head_that_names_it),
		T(publish_that_is_told_to_stop_leaves_no_manifest),
		T(publish_chunks_hold_every_record_in_order),
		T(publish_again_or_loaded_gives_the_same_manifest),
		T(publish_after_a_change_writes_the_chunks_that_changed),
		T(chunk_that_was_damaged_is_not_sent_and_is_cut_anew),
		T(chunk_cache_reads_a_chunk_once_until_others_push_it_out),
	};

	return sodium_init() < 0 ? 1 :
	    cmocka_run_group_tests(tests, NULL, NULL);
}
