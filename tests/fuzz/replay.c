/*
 * replay.c - feeds each file of a folder to a fuzzer's entry, so that what
 * was once found stays found without the fuzzing engine.
 *
 * Each file is handed over in an allocation of exactly its length: a read
 * past its end is then seen by the address sanitizer.  Prints one "ok" line
 * a file; a fault ends the process, and a folder without files is a failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"
#include "proto/base/file.h"
#include "tests/fuzz/target.h"

#define FILE_MAX_BYTES ((size_t)16 << 20)

static int
feed(const char *path)
{
	struct diag why;
	struct buf b;
	uint8_t *copy;

	buf_init(&b, FILE_MAX_BYTES);
	if (file_read(path, FILE_MAX_BYTES, &b, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		buf_fini(&b);
		return -1;
	}
	copy = xmalloc(b.len);
	if (b.len > 0)
		memcpy(copy, b.data, b.len);
	LLVMFuzzerTestOneInput(copy, b.len);
	free(copy);
	buf_fini(&b);
	printf("ok %s\n", path);
	return 0;
}

static int
is_file(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	struct dirent **names = NULL;
	char path[4096];
	int i, n, rc = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	n = scandir(argv[1], &names, is_file, alphasort);
	if (n <= 0) {
		fprintf(stderr, "no corpus in %s\n", argv[1]);
		return 1;
	}
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", argv[1],
		    names[i]->d_name);
		rc |= feed(path);
		free(names[i]);
	}
	free(names);
	return rc == 0 ? 0 : 1;
}
