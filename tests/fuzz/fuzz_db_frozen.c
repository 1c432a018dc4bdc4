/*
 * fuzz_db_frozen.c - any bytes as a table (u8 key length, key, table): a look
 * into it is refused or ends, and what it finds stands in it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/db_frozen.h"
#include "proto/base/file.h"
#include "tests/fuzz/target.h"

static char dir[] = "/tmp/fuzz-frozen.XXXXXX";

static void
remove_dir(void)
{
	file_remove_tree(dir, NULL);
}

/* What is found are bytes of the table, found again the same. */
static void
look(const struct db_frozen *f, struct bytes table, struct bytes key)
{
	struct bytes v, again;

	if (!db_frozen_get(f, key, &v))
		return;
	fuzz_assert(v.n <= table.n &&
	    memmem(table.p, table.n, v.p, v.n) != NULL);
	fuzz_assert(db_frozen_get(f, key, &again) && again.p == v.p &&
	    again.n == v.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool made;
	struct bytes in = bytes_of(data, len);
	uint8_t key_len = bytes_u8(&in);
	const uint8_t *key = bytes_take(&in, key_len);
	struct db_frozen *f;
	char path[64];

	if (key == NULL)
		return 0;
	if (!made) {
		if (mkdtemp(dir) == NULL)
			abort();
		atexit(remove_dir);
		made = true;
	}
	snprintf(path, sizeof(path), "%s/000003.ldb", dir);
	if (file_write(path, in.p, in.n, 0600, NULL) < 0)
		abort();
	if (db_frozen_open(&f, dir, NULL) < 0)
		return 0;
	look(f, in, bytes_of(key, key_len));
	look(f, in, bytes_of("", 0));
	look(f, in, bytes_of("\377\377\377", 3));
	look(f, in, in.n < 40 ? in : bytes_of(in.p + in.n / 3, 9));
	db_frozen_close(&f);
	return 0;
}
