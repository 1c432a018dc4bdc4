/*
 * test_ruleset.c - sets from records: built, verified, read, damaged.
 */
#include "tests/unit/node_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "node/sets.h"

static void
path_of(const struct fixture *x, const char *name, char path[512])
{
	snprintf(path, 512, "%s/%s", x->dir, name);
}

static struct ruleset *
open_built(struct fixture *x, char path[512])
{
	struct ruleset *r = NULL;
	struct diag why = { "" };

	path_of(x, "set", path);
	if (fixture_build(x, path, &why) < 0 || ruleset_open(&r, path,
	    x->id->root, &why) < 0)
		fail_msg("%s", why.text);
	return r;
}

static void
set_gives_back_each_record_and_no_other(void **state)
{
	struct fixture *x = *state;
	char path[512];
	struct ruleset *r = open_built(x, path);
	struct buf scratch;
	struct bytes v;
	size_t i;

	buf_init(&scratch, 0);
	for (i = 0; i < x->n; i++) {
		assert_int_equal(ruleset_get(r, x->r[i].key.data,
		    x->r[i].key.len, &scratch, &v), 0);
		assert_int_equal(v.n, x->r[i].val.len);
		assert_memory_equal(v.p, x->r[i].val.data, v.n);
	}
	assert_int_equal(ruleset_get(r, "Dno@acme.example", 16, &scratch,
	    &v), ERR_NOENT);
	assert_int_equal(ruleset_head(r)->version, 7);
	assert_int_equal(tables_policies_n(ruleset_tables(r)), 2);
	ruleset_unref(&r);
	buf_fini(&scratch);
}

static void
set_under_another_root_is_refused(void **state)
{
	struct fixture *x = *state;
	char path[512];
	struct ruleset *r = open_built(x, path);
	struct sign_key *other;

	ruleset_unref(&r);
	assert_int_equal(sign_key_new(&other), 0);
	assert_int_equal(ruleset_open(&r, path, sign_key_public(other),
	    NULL), ERR_AUTH);
	assert_null(r);
	sign_key_free(&other);
}

static void
set_with_a_record_less_is_refused(void **state)
{
	struct fixture *x = *state;
	char path[512];

	path_of(x, "less", path);
	x->n--;
	assert_int_equal(fixture_build(x, path, NULL), ERR_CONFLICT);
	x->n++;
}

static void
set_never_completed_is_none(void **state)
{
	struct fixture *x = *state;
	struct ruleset_build *b;
	struct ruleset *r = NULL;
	char path[512];

	path_of(x, "half", path);
	assert_int_equal(ruleset_build_begin(&b, path, 1, NULL), 0);
	assert_int_equal(ruleset_build_put(b, bytes_of("Ia", 2),
	    bytes_of("\0", 1), NULL), 0);
	assert_int_equal(ruleset_build_put(b, bytes_of("Ia", 2),
	    bytes_of("\0", 1), NULL), ERR_CORRUPT);
	assert_int_equal(ruleset_build_put(b, bytes_of("zz", 2),
	    bytes_of("\0", 1), NULL), ERR_VERSION);
	ruleset_build_free(&b);
	assert_int_equal(ruleset_open(&r, path, x->id->root, NULL),
	    ERR_NOENT);
}

/* The first table or log of a folder that holds data; its size. */
static off_t
largest_file(const char *dir, char path[600])
{
	DIR *d = opendir(dir);
	struct dirent *e;
	off_t best = 0;

	while ((e = readdir(d)) != NULL) {
		char p[600];
		int fd;
		off_t size;

		snprintf(p, sizeof(p), "%s/%.80s", dir, e->d_name);
		if (strstr(p, ".ldb") == NULL ||
		    (fd = open(p, O_RDONLY)) < 0)
			continue;
		size = lseek(fd, 0, SEEK_END);
		close(fd);
		if (size > best) {
			best = size;
			strcpy(path, p);
		}
	}
	closedir(d);
	return best;
}

static void
flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t b;

	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= 0x04;
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
	close(fd);
}

/* Whatever bit is wrong on the disk: refused, an error, or the right answer;
 * never another value. */
static void
set_with_a_flipped_bit_never_gives_another_value(void **state)
{
	struct fixture *x = *state;
	char path[512], file[600];
	struct ruleset *r = open_built(x, path);
	struct buf scratch;
	int refused = 0, errors = 0;
	off_t size, at;

	ruleset_unref(&r);
	buf_init(&scratch, 0);
	strcat(path, "/live");
	size = largest_file(path, file);
	path_of(x, "set", path);
	assert_true(size > 500);
	for (at = 0; at < size; at += 7) {
		size_t i;

		flip(file, at);
		if (ruleset_open(&r, path, x->id->root, NULL) < 0)
			refused++;
		for (i = 0; r != NULL && i < x->n; i++) {
			struct bytes v;
			int rc = ruleset_get(r, x->r[i].key.data,
			    x->r[i].key.len, &scratch, &v);

			errors += rc != 0;
			if (rc == 0) {
				assert_int_equal(v.n, x->r[i].val.len);
				assert_memory_equal(v.p, x->r[i].val.data,
				    v.n);
			}
		}
		ruleset_unref(&r);
		flip(file, at);
	}
	assert_true(refused + errors > 20);
	buf_fini(&scratch);
}

static int
fetch_all(struct fixture *x, struct ruleset **out, size_t *asked,
    struct diag *why)
{
	struct fetch *f;
	struct chunk_req q;
	int rc;

	*asked = 0;
	assert_int_equal(fetch_new(&f, x->dir, x->id, &x->head,
	    fixture_bytes(&x->head_frame), why), 0);
	rc = fetch_manifest(f, fixture_bytes(&x->manifest_frame), why);
	while (rc == 0 && fetch_next(f, FRAME_CREDIT, &q)) {
		uint32_t i;

		for (i = q.first; i < q.first + q.n; i++, (*asked)++) {
			struct buf b;

			buf_init(&b, 0);
			buf_put_u32(&b, i);
			buf_put(&b, x->chunk[i].data, x->chunk[i].len);
			rc = fetch_chunk(f, fixture_bytes(&b), why);
			buf_fini(&b);
		}
	}
	if (rc == 0) {
		assert_true(fetch_is_complete(f));
		rc = fetch_build(f, out, why);
	}
	fetch_free(&f);
	return rc;
}

static void
fetch_installs_and_next_version_asks_for_what_changed(void **state)
{
	struct fixture *x = *state;
	struct ruleset *r = NULL;
	struct diag why = { "" };
	size_t asked;

	if (fetch_all(x, &r, &asked, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(asked, x->chunks_n);
	assert_int_equal(ruleset_head(r)->version, 7);
	ruleset_unref(&r);
	fixture_publish(x, 8);
	assert_int_equal(fetch_all(x, &r, &asked, NULL), 0);
	assert_int_equal(asked, 0);
	ruleset_unref(&r);
	assert_int_equal(sets_open_newest(x->dir, fixture_trust(x), &r,
	    NULL), 0);
	assert_int_equal(ruleset_head(r)->version, 8);
	ruleset_unref(&r);
}

static void
fetch_refuses_foreign_manifest_and_changed_chunk(void **state)
{
	struct fixture *x = *state;
	struct fetch *f;
	struct buf b;

	assert_int_equal(fetch_new(&f, x->dir, x->id, &x->head,
	    fixture_bytes(&x->head_frame), NULL), 0);
	x->manifest_frame.data[x->manifest_frame.len - 1] ^= 1;
	assert_int_equal(fetch_manifest(f, fixture_bytes(&x->manifest_frame),
	    NULL), ERR_AUTH);
	fixture_publish(x, 9);
	assert_int_equal(fetch_manifest(f, fixture_bytes(&x->manifest_frame),
	    NULL), ERR_AGAIN);
	fetch_free(&f);
	assert_int_equal(fetch_new(&f, x->dir, x->id, &x->head,
	    fixture_bytes(&x->head_frame), NULL), 0);
	assert_int_equal(fetch_manifest(f, fixture_bytes(&x->manifest_frame),
	    NULL), 0);
	buf_init(&b, 0);
	buf_put_u32(&b, 0);
	buf_put(&b, x->chunk[0].data, x->chunk[0].len);
	b.data[10] ^= 1;
	assert_int_equal(fetch_chunk(f, fixture_bytes(&b), NULL),
	    ERR_CORRUPT);
	b.data[10] ^= 1;
	assert_int_equal(fetch_chunk(f, fixture_bytes(&b), NULL), 0);
	assert_int_equal(fetch_chunk(f, fixture_bytes(&b), NULL),
	    ERR_EXISTS);
	buf_reset(&b);
	buf_put_u32(&b, 99);
	assert_int_equal(fetch_chunk(f, fixture_bytes(&b), NULL),
	    ERR_CORRUPT);
	buf_fini(&b);
	fetch_free(&f);
}

static void
newest_damaged_set_gives_way_to_an_older_one(void **state)
{
	struct fixture *x = *state;
	struct ruleset *r = NULL;
	char path[512], file[600];
	uint64_t v;
	size_t asked;
	off_t at, size;

	for (v = 1; v <= 5; v++) {
		fixture_publish(x, v);
		assert_int_equal(fetch_all(x, &r, &asked, NULL), 0);
		ruleset_unref(&r);
		sets_prune(x->dir, "", 0, clock_wall_us() + 2 * SETS_KEPT_US);
	}
	path_of(x, "sets/2", path);
	assert_int_not_equal(access(path, F_OK), 0);
	path_of(x, "sets/3", path);
	assert_int_equal(access(path, F_OK), 0);
	path_of(x, "sets/5/base", path);
	size = largest_file(path, file);
	for (at = 0; at < size; at += 3)
		flip(file, at);
	assert_int_equal(sets_open_newest(x->dir, fixture_trust(x), &r,
	    NULL), 0);
	assert_int_equal(ruleset_head(r)->version, 4);
	ruleset_unref(&r);
}

static void
identity_comes_back_and_is_ours_alone(void **state)
{
	struct fixture *x = *state;
	struct node_identity *in = identity_new();
	char path[512];

	assert_int_equal(identity_load(in, x->dir, NULL), ERR_NOENT);
	strcpy(x->id->id, "node-1");
	strcpy(x->id->control, "tcp://127.0.0.1:1");
	strcpy(x->id->events, "tcp://127.0.0.1:2");
	randombytes_buf(x->id->secret, sizeof(x->id->secret));
	assert_int_equal(identity_save(x->id, x->dir, NULL), 0);
	assert_int_equal(identity_load(in, x->dir, NULL), 0);
	assert_memory_equal(in, x->id, sizeof(*in));
	path_of(x, "identity.json", path);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(identity_load(in, x->dir, NULL), ERR_AUTH);
	assert_int_equal(file_write(path, "{\"id\":1}", 8, 0600, NULL), 0);
	assert_int_equal(identity_load(in, x->dir, NULL), ERR_CORRUPT);
	identity_free(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, \
	fixture_teardown)
		T(set_gives_back_each_record_and_no_other),
		T(set_under_another_root_is_refused),
		T(set_with_a_record_less_is_refused),
		T(set_never_completed_is_none),
		T(set_with_a_flipped_bit_never_gives_another_value),
		T(fetch_installs_and_next_version_asks_for_what_changed),
		T(fetch_refuses_foreign_manifest_and_changed_chunk),
		T(newest_damaged_set_gives_way_to_an_older_one),
		T(identity_comes_back_and_is_ours_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
