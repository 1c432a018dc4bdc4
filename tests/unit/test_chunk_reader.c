/*
 * test_chunk_reader.c - chunks read ahead: all, in order, and only good ones.
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

#include "node/chunk_reader.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/keys.h"

#define CHUNKS 20
#define LEN 3000

struct fixture { char dir[64]; struct manifest m; };

static void
fill(uint8_t data[LEN], size_t i)
{
	memset(data, (int)i + 1, LEN);
}

static void
path_of(const struct fixture *f, size_t i, char path[200])
{
	char hex[HASH_LEN * 2 + 1];

	hex_format(f->m.chunks[i].hash, HASH_LEN, hex);
	snprintf(path, 200, "%s/%s", f->dir, hex);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint8_t data[LEN];
	char path[200];
	size_t i;

	strcpy(f->dir, "/tmp/postern-reader-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	f->m.chunks = calloc(CHUNKS, sizeof(*f->m.chunks));
	f->m.chunks_n = CHUNKS;
	for (i = 0; i < CHUNKS; i++) {
		fill(data, i);
		f->m.chunks[i].len = LEN;
		crypto_generichash(f->m.chunks[i].hash, HASH_LEN, data, LEN,
		    NULL, 0);
		path_of(f, i, path);
		if (file_write(path, data, LEN, 0600, NULL) < 0)
			return -1;
	}
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	file_remove_tree(f->dir, NULL);
	free(f->m.chunks);
	free(f);
	return 0;
}

/* The next n chunks, those of number `from` on. */
static void
assert_next(struct chunk_reader *r, size_t from, size_t n)
{
	uint8_t data[LEN];
	struct bytes c;
	size_t i;

	for (i = from; i < from + n; i++) {
		assert_int_equal(chunk_reader_next(r, &c, NULL), 0);
		fill(data, i);
		assert_int_equal(c.n, LEN);
		assert_memory_equal(c.p, data, LEN);
	}
}

static void
all_come_in_order(void **state)
{
	struct fixture *f = *state;
	struct chunk_reader *r = chunk_reader_new(f->dir, &f->m);

	assert_next(r, 0, CHUNKS);
	chunk_reader_free(&r);
	assert_null(r);
}

static void
single_one_comes_too(void **state)
{
	struct fixture *f = *state;
	struct chunk_reader *r;

	f->m.chunks_n = 1;
	r = chunk_reader_new(f->dir, &f->m);
	assert_next(r, 0, 1);
	chunk_reader_free(&r);
}

static void
damaged_one_is_refused_and_removed(void **state)
{
	struct fixture *f = *state;
	struct chunk_reader *r;
	uint8_t data[LEN];
	struct diag why = { "" };
	struct bytes c;
	char path[200];

	fill(data, 7);
	data[100] ^= 1;
	path_of(f, 7, path);
	assert_int_equal(file_write(path, data, LEN, 0600, NULL), 0);
	r = chunk_reader_new(f->dir, &f->m);
	assert_next(r, 0, 7);
	assert_int_equal(chunk_reader_next(r, &c, &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, "damaged"));
	assert_true(access(path, F_OK) < 0);
	chunk_reader_free(&r);
}

static void
missing_one_is_told(void **state)
{
	struct fixture *f = *state;
	struct chunk_reader *r;
	struct bytes c;
	char path[200];

	path_of(f, 3, path);
	assert_int_equal(unlink(path), 0);
	r = chunk_reader_new(f->dir, &f->m);
	assert_next(r, 0, 3);
	assert_int_equal(chunk_reader_next(r, &c, NULL), ERR_NOENT);
	chunk_reader_free(&r);
}

static void
reader_ends_while_it_is_ahead(void **state)
{
	struct fixture *f = *state;
	struct chunk_reader *r = chunk_reader_new(f->dir, &f->m);

	chunk_reader_free(&r);
	r = chunk_reader_new(f->dir, &f->m);
	assert_next(r, 0, 2);
	chunk_reader_free(&r);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_come_in_order),
		T(single_one_comes_too),
		T(damaged_one_is_refused_and_removed),
		T(missing_one_is_told),
		T(reader_ends_while_it_is_ahead),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
