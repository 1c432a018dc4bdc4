/*
 * sets.c - which version's folder to use, make and remove.
 */
#include "node/sets.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

static int
falling(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x > y ? -1 : x < y;
}

/* All versions that have a folder, the newest first; the caller frees. */
static uint64_t *
list(const char *dir, size_t *n)
{
	char path[SETS_PATH_LEN];
	uint64_t *v = NULL;
	size_t cap = 0;
	struct dirent *e;
	DIR *d;

	*n = 0;
	snprintf(path, sizeof(path), "%s/sets", dir);
	if ((d = opendir(path)) == NULL)
		return NULL;
	while ((e = readdir(d)) != NULL) {
		char *end;
		unsigned long long x = strtoull(e->d_name, &end, 10);

		if (e->d_name[0] < '0' || e->d_name[0] > '9' || *end != '\0')
			continue;
		v = xgrow(v, &cap, *n + 1, sizeof(*v));
		v[(*n)++] = x;
	}
	closedir(d);
	if (*n > 0)
		qsort(v, *n, sizeof(*v), falling);
	return v;
}

static void
path_of(const char *dir, uint64_t version, char path[SETS_PATH_LEN])
{
	snprintf(path, SETS_PATH_LEN, "%s/sets/%llu", dir,
	    (unsigned long long)version);
}

int
sets_open_newest(const char *dir, const uint8_t root[SIGN_PUBLIC_LEN],
    struct ruleset **out, struct diag *why)
{
	size_t n, i;
	uint64_t *v = list(dir, &n);
	int rc = ERR_NOENT;

	for (i = 0; i < n && rc < 0; i++) {
		char path[SETS_PATH_LEN];
		struct diag reason = { "" };

		path_of(dir, v[i], path);
		rc = ruleset_open(out, path, root, &reason);
		if (rc == 0 && ruleset_head(*out)->version != v[i]) {
			ruleset_unref(out);
			rc = diag_set(&reason, ERR_CORRUPT, "%s holds another "
			    "version", path);
		}
		if (rc < 0)
			log_error("ruleset.damaged", F_U("version", v[i]),
			    F_S("reason", reason.text),
			    F_S("next", "an older one, and fetched anew"));
	}
	free(v);
	return rc == 0 ? 0 : diag_set(why, ERR_NOENT,
	    "no policy set under %s/sets can be used", dir);
}

int
sets_prepare(const char *dir, char path[SETS_PATH_LEN], struct diag *why)
{
	int rc;

	snprintf(path, SETS_PATH_LEN, "%s/sets", dir);
	if ((rc = file_mkdirs(path, 0700, why)) < 0)
		return rc;
	snprintf(path, SETS_PATH_LEN, "%s/sets/new", dir);
	return file_remove_tree(path, why);
}

int
sets_install(const char *dir, uint64_t version, char path[SETS_PATH_LEN],
    struct diag *why)
{
	char from[SETS_PATH_LEN], parent[SETS_PATH_LEN];
	int rc;

	snprintf(parent, sizeof(parent), "%s/sets", dir);
	snprintf(from, sizeof(from), "%s/sets/new", dir);
	path_of(dir, version, path);
	if ((rc = file_sync_dir(from, why)) < 0 ||
	    (rc = file_remove_tree(path, why)) < 0)
		return rc;
	if (rename(from, path) < 0)
		return diag_set(why, err_from_errno(errno), "%s: %s", path,
		    strerror(errno));
	return file_sync_dir(parent, why);
}

void
sets_prune(const char *dir, uint64_t enforced)
{
	size_t n, i;
	uint64_t *v = list(dir, &n);

	for (i = SETS_KEPT; i < n; i++) {
		char path[SETS_PATH_LEN];

		path_of(dir, v[i], path);
		if (v[i] != enforced)
			file_remove_tree(path, NULL);
	}
	free(v);
}
