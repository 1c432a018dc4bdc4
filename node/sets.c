/*
 * sets.c - which set's folder to use, make and remove.
 */
#include "node/sets.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

#define SMALL_FILE_MAX (64 * 1024 * 1024)

/* A folder of sets/: <version> or <version>.<again>. */
struct row { uint64_t version; unsigned long again; };

static int
falling(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->version != y->version)
		return x->version > y->version ? -1 : 1;
	return x->again > y->again ? -1 : x->again < y->again;
}

static bool
parse_name(const char *name, struct row *out)
{
	char *end;

	if (name[0] < '0' || name[0] > '9')
		return false;
	out->version = strtoull(name, &end, 10);
	out->again = 0;
	if (*end == '.' && end[1] >= '0' && end[1] <= '9')
		out->again = strtoul(end + 1, &end, 10);
	return *end == '\0';
}

/* All sets that have a folder, the newest first; the caller frees. */
static struct row *
list(const char *dir, size_t *n)
{
	char path[SETS_PATH_LEN];
	struct row *v = NULL, row;
	size_t cap = 0;
	struct dirent *e;
	DIR *d;

	*n = 0;
	snprintf(path, sizeof(path), "%s/sets", dir);
	if ((d = opendir(path)) == NULL)
		return NULL;
	while ((e = readdir(d)) != NULL) {
		if (!parse_name(e->d_name, &row))
			continue;
		v = xgrow(v, &cap, *n + 1, sizeof(*v));
		v[(*n)++] = row;
	}
	closedir(d);
	if (*n > 0)
		qsort(v, *n, sizeof(*v), falling);
	return v;
}

static void
path_of(const char *dir, struct row row, char path[SETS_PATH_LEN])
{
	int len = snprintf(path, SETS_PATH_LEN, "%s/sets/%llu", dir,
	    (unsigned long long)row.version);

	if (row.again > 0 && len > 0 && len < SETS_PATH_LEN)
		snprintf(path + len, SETS_PATH_LEN - (size_t)len, ".%lu",
		    row.again);
}

static void
log_refused(const char *path, int rc, const char *reason)
{
	log_error(rc == ERR_AUTH ? "ruleset.untrusted" : "ruleset.lost",
	    F_S("set", path), F_S("reason", reason),
	    F_S("next", "an older one, and fetched anew"));
}

/* Open it as it is, else with live/ made anew. */
static int
open_one(const char *path, const struct ruleset_trust *trust, bool newest,
    struct ruleset **out)
{
	struct diag reason = { "" };
	int rc = ERR_CORRUPT;

	if (ruleset_is_half_rewound(path))
		diag_set(&reason, rc, "going back was cut off");
	else
		rc = ruleset_open(out, path, trust->root, &reason);
	if (rc == 0 && (newest || ruleset_is_trusted(*out, trust)))
		return 0;
	if (rc == 0) {
		log_refused(path, ERR_AUTH, "who signed it was revoked");
		ruleset_unref(out);
		return ERR_AUTH;
	}
	log_error("ruleset.damaged", F_S("set", path),
	    F_S("reason", reason.text),
	    F_S("next", "made anew from its base"));
	if (rc == ERR_NOENT || rc == ERR_BUSY)
		return rc;
	rc = ruleset_rewind(path, trust, UINT64_MAX, out, &reason);
	if (rc < 0)
		log_refused(path, rc, reason.text);
	return rc;
}

int
sets_open_newest(const char *dir, const struct ruleset_trust *trust,
    struct ruleset **out, struct diag *why)
{
	char path[SETS_PATH_LEN];
	size_t n, i;
	struct row *v = list(dir, &n);
	int rc = ERR_NOENT;

	for (i = 0; i < n && rc < 0; i++) {
		path_of(dir, v[i], path);
		rc = open_one(path, trust, i == 0, out);
	}
	free(v);
	return rc == 0 ? 0 : diag_set(why, ERR_NOENT,
	    "no policy set under %s/sets can be used", dir);
}

int
sets_open_upto(const char *dir, const struct ruleset_trust *trust,
    uint64_t upto, struct ruleset **out, struct diag *why)
{
	char path[SETS_PATH_LEN];
	size_t n, i;
	struct row *v = list(dir, &n);
	int rc = ERR_NOENT;

	for (i = 0; i < n && rc < 0; i++) {
		path_of(dir, v[i], path);
		if (v[i].version <= upto)
			rc = ruleset_rewind(path, trust, upto, out, why);
		if (rc == ERR_AUTH)
			log_refused(path, rc, why->text);
	}
	free(v);
	return rc == 0 ? 0 : diag_set(why, ERR_NOENT, "no policy set under "
	    "%s/sets goes back to version %llu", dir,
	    (unsigned long long)upto);
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
	struct row row = { version, 0 };
	int rc;

	snprintf(parent, sizeof(parent), "%s/sets", dir);
	snprintf(from, sizeof(from), "%s/sets/new", dir);
	/* Beside what is there: it may be open, or all that is left. */
	path_of(dir, row, path);
	while (access(path, F_OK) == 0) {
		row.again++;
		path_of(dir, row, path);
	}
	if ((rc = file_sync_dir(from, why)) < 0)
		return rc;
	if (rename(from, path) < 0)
		return diag_set(why, err_from_errno(errno), "%s: %s", path,
		    strerror(errno));
	return file_sync_dir(parent, why);
}

static bool
ends(const char *name, const char *tail)
{
	size_t n = strlen(name), m = strlen(tail);

	return n > m && strcmp(name + n - m, tail) == 0;
}

static int
copy_file(const char *from, const char *to, struct diag *why)
{
	struct buf b;
	int rc;

	buf_init(&b, SMALL_FILE_MAX);
	rc = file_read(from, SMALL_FILE_MAX, &b, why);
	if (rc == 0)
		rc = file_write(to, b.data == NULL ? "" : b.data, b.len, 0600,
		    why);
	buf_fini(&b);
	return rc;
}

/* Tables are never written again; the rest is LevelDB's to go on with.  Its
 * lock and its own log of words are not taken. */
static int
link_one(const char *base, const char *live, const char *name,
    struct diag *why)
{
	char from[SETS_PATH_LEN + 300], to[SETS_PATH_LEN + 300];

	if (name[0] == '.' || strcmp(name, "LOCK") == 0 ||
	    strncmp(name, "LOG", 3) == 0)
		return 0;
	snprintf(from, sizeof(from), "%s/%s", base, name);
	snprintf(to, sizeof(to), "%s/%s", live, name);
	if (!ends(name, ".ldb") && !ends(name, ".sst"))
		return copy_file(from, to, why);
	if (link(from, to) < 0)
		return diag_set(why, err_from_errno(errno), "%s: %s", to,
		    strerror(errno));
	return 0;
}

int
sets_link_live(const char *path, struct diag *why)
{
	char base[SETS_PATH_LEN], live[SETS_PATH_LEN], aside[SETS_PATH_LEN];
	struct dirent *e;
	DIR *d;
	int rc;

	snprintf(base, sizeof(base), "%s/base", path);
	snprintf(live, sizeof(live), "%s/live", path);
	snprintf(aside, sizeof(aside), "%s/live.new", path);
	if ((d = opendir(base)) == NULL)
		return diag_set(why, ERR_NOENT, "%s: %s", base,
		    strerror(errno));
	if ((rc = file_remove_tree(aside, why)) == 0)
		rc = file_mkdirs(aside, 0700, why);
	while (rc == 0 && (e = readdir(d)) != NULL)
		rc = link_one(base, aside, e->d_name, why);
	closedir(d);
	if (rc == 0)
		rc = file_sync_dir(aside, why);
	if (rc == 0 && rename(aside, live) < 0)
		rc = diag_set(why, err_from_errno(errno), "%s: %s", live,
		    strerror(errno));
	return rc < 0 ? rc : file_sync_dir(path, why);
}

/* --- what is kept --------------------------------------------------------- */

/* nftw() hands nothing on. */
static _Thread_local uint64_t tree_sum;

/* A table of base/ that live/ has too is one file: it counts in base/. */
static int
add_size(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)at;
	if (type == FTW_F && (st->st_nlink == 1 ||
	    strstr(path, "/base/") != NULL))
		tree_sum += (uint64_t)st->st_blocks * 512;
	return 0;
}

static uint64_t
bytes_of_set(const char *path)
{
	tree_sum = 0;
	nftw(path, add_size, 16, FTW_PHYS);
	return tree_sum;
}

/* When the set of this folder was made, which ended the one before. */
static int64_t
made_us(const char *path)
{
	char file[SETS_PATH_LEN + 8];
	struct stat st;

	snprintf(file, sizeof(file), "%s/filter", path);
	return stat(file, &st) < 0 ? 0 : (int64_t)st.st_mtim.tv_sec *
	    1000000 + st.st_mtim.tv_nsec / 1000;
}

void
sets_prune(const char *dir, const char *in_use, uint64_t good,
    int64_t now_us)
{
	char path[SETS_PATH_LEN];
	size_t n, i;
	struct row *v = list(dir, &n);
	bool has_good = false;
	uint64_t more = 0;
	int64_t ended = 0;		/* when the set at hand was replaced */

	for (i = 0; i < n; i++) {
		bool is_good = !has_good && v[i].version <= good;
		int64_t made;

		path_of(dir, v[i], path);
		made = made_us(path);
		has_good |= is_good;
		if (i >= SETS_KEPT)
			more += bytes_of_set(path);
		if (i >= SETS_KEPT && !is_good && strcmp(path, in_use) != 0 &&
		    (i >= SETS_KEPT_MAX || more > SETS_MORE_BYTES ||
		    now_us - ended > SETS_KEPT_US))
			file_remove_tree(path, NULL);
		ended = made;
	}
	free(v);
}
