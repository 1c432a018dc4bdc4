/*
 * ballast.c - the file "ballast" in a data folder.
 */
#include "proto/base/ballast.h"

#include <stdio.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/log.h"

#define BALLAST_MAX ((size_t)16 << 20)	/* two write buffers of LevelDB */
#define BALLAST_MIN ((size_t)1 << 20)
#define PATH_LEN 4096

static void
ballast_path(const char *dir, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/ballast", dir);
}

void
ballast_use(const char *dir)
{
	char path[PATH_LEN];
	uint64_t room;

	ballast_path(dir, path);
	if (file_free_space(dir, &room, NULL) < 0 || room >= BALLAST_MIN)
		return;
	log_error("disk.full", F_S("dir", dir), F_U("free_bytes", room),
	    F_S("ballast", unlink(path) == 0 ? "given up" : "none is left"));
}

void
ballast_keep(const char *dir)
{
	size_t len = BALLAST_MAX;
	char path[PATH_LEN];

	ballast_path(dir, path);
	while (file_ballast(path, len, NULL) < 0) {
		if ((len /= 2) < BALLAST_MIN) {
			log_warning("disk.full", F_S("dir", dir),
			    F_S("ballast", "no room for it"));
			return;
		}
	}
}
