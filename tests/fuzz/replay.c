/*
 * replay.c - feeds every file of a folder to a fuzz target, without a fuzzer:
 * what was found once stays found.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/base/buf.h"
#include "proto/base/file.h"
#include "tests/fuzz/target.h"

int
main(int argc, char **argv)
{
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	if (argc != 2 || (d = opendir(argv[1])) == NULL) {
		fprintf(stderr, "usage: replay FOLDER\n");
		return 2;
	}
	while ((e = readdir(d)) != NULL) {
		char path[4096];
		struct diag why;
		struct buf b;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		buf_init(&b, 0);
		if (file_read(path, 1 << 20, &b, &why) < 0) {
			fprintf(stderr, "%s\n", why.text);
			return 1;
		}
		LLVMFuzzerTestOneInput((const uint8_t *)
		    (b.data == NULL ? "" : b.data), b.len);
		buf_fini(&b);
		n++;
	}
	closedir(d);
	printf("%zu inputs\n", n);
	return n == 0;		/* an empty corpus tests nothing */
}
