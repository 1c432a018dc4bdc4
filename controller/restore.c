/*
 * restore.c - a backup put back, and the mark that holds it.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/audit.h"
#include "controller/backup_impl.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/wire/keys.h"

static const char *const parts[] = { "policy", "messages", "keys" };

#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* The version and digest that BACKUP says; the caller decrefs. */
static int
read_mark(const char *from, json_t **out, struct diag *why)
{
	char path[BACKUP_PATH];
	struct buf text;
	int rc;

	*out = NULL;
	snprintf(path, sizeof(path), "%s/BACKUP", from);
	buf_init(&text, 65536);
	rc = file_read(path, 65536, &text, why);
	if (rc == ERR_NOENT)
		diag_set(why, rc, "%s is no backup, or one that was not "
		    "finished: it has no file BACKUP", from);
	else if (rc == 0 && (*out = json_loads(text.data == NULL ? "" :
	    text.data, 0, NULL)) == NULL)
		rc = diag_set(why, ERR_CORRUPT, "%s is damaged", path);
	buf_fini(&text);
	return rc;
}

struct tokens { char (*key)[80]; size_t n, cap; };

static void
note_token(void *arg, const char *key, const char *json)
{
	struct tokens *t = arg;

	(void)json;
	t->key = xgrow(t->key, &t->cap, t->n + 1, sizeof(*t->key));
	snprintf(t->key[t->n++], sizeof(*t->key), "%s", key);
}

/* As one write: the mark; no join token, since one that was used after the
 * backup must not serve again; who did it. */
static int
mark_restored(struct store *s, const char *from, struct diag *why)
{
	const struct audit_entry e = { .actor = "restore", .role = "local",
	    .action = "restore", .object = from };
	struct tokens t = { .n = 0 };
	int rc = store_row_scan(s, "token", note_token, &t, why);
	struct store_row *row = xcalloc(t.n + 1, sizeof(*row));
	size_t i;

	for (i = 0; i < t.n; i++)
		row[i] = (struct store_row){ "token", t.key[i], NULL };
	row[t.n] = (struct store_row){ "state", "restored", "{}" };
	if (rc == 0)
		rc = store_rows_write(s, row, t.n + 1, &e, why);
	free(row);
	free(t.key);
	return rc;
}

/* Does what was put back open, and is it what the backup says? */
static int
verify(const char *from, const char *dir, const json_t *mark,
    struct diag *why)
{
	char hex[DIGEST_LEN * 2 + 1];
	struct store *s = NULL;
	struct store_view *v;
	struct head h;
	int rc;

	if ((rc = store_open(&s, dir, why)) < 0)
		return rc;
	store_head(s, &h, NULL);
	hex_format(h.digest, DIGEST_LEN, hex);
	v = store_view_new(s);
	rc = store_view_prove(v, NULL, why);
	store_view_free(&v);
	if (rc == 0 && ((json_int_t)h.version != json_integer_value(
	    json_object_get(mark, "version")) || strcmp(hex,
	    json_string_value(json_object_get(mark, "digest")) == NULL ? "" :
	    json_string_value(json_object_get(mark, "digest"))) != 0))
		rc = diag_set(why, ERR_CORRUPT, "the backup holds another "
		    "version than its file BACKUP says");
	if (rc == 0)
		rc = mark_restored(s, from, why);
	store_close(&s);
	return rc;
}

static int
copy_parts(const char *from, const char *dir, struct diag *why)
{
	char a[BACKUP_PATH], b[BACKUP_PATH];
	size_t i;
	int rc;

	for (i = 0; i < PARTS; i++) {
		snprintf(a, sizeof(a), "%s/%s", from, parts[i]);
		snprintf(b, sizeof(b), "%s/%s", dir, parts[i]);
		if ((rc = backup_copy_folder(a, b, why)) < 0)
			return rc;
	}
	snprintf(a, sizeof(a), "%s/ACKED", from);
	snprintf(b, sizeof(b), "%s/ACKED", dir);
	if ((rc = backup_copy_file(a, b, why)) < 0)
		return rc;
	return backup_copy_token(from, dir, why);
}

int
backup_restore(const char *from, const char *dir, struct diag *why)
{
	char path[BACKUP_PATH];
	struct stat st;
	json_t *mark;
	size_t i;
	int rc;

	if ((rc = read_mark(from, &mark, why)) < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/policy", dir);
	if (stat(path, &st) == 0)
		rc = diag_set(why, ERR_EXISTS, "%s holds a policy store "
		    "already: restore into a new folder", dir);
	else if ((rc = file_mkdirs(dir, 0700, why)) == 0) {
		rc = copy_parts(from, dir, why);
		if (rc == 0)
			rc = verify(from, dir, mark, why);
		for (i = 0; rc < 0 && i < PARTS; i++) {
			snprintf(path, sizeof(path), "%s/%s", dir, parts[i]);
			file_remove_tree(path, NULL);
		}
		snprintf(path, sizeof(path), "%s/ACKED", dir);
		if (rc < 0)
			unlink(path);
	}
	json_decref(mark);
	return rc;
}

int
backup_restore_main(int argc, char **argv)
{
	struct diag why;

	if (argc != 6 || strcmp(argv[2], "--from") != 0 ||
	    strcmp(argv[4], "--dir") != 0) {
		fputs("usage: postern-controller restore --from BACKUP "
		    "--dir DIR\n", stderr);
		return 2;
	}
	if (backup_restore(argv[3], argv[5], &why) == 0)
		return 0;
	fprintf(stderr, "postern-controller: %s\n", why.text);
	return 1;
}

static void
found(void *arg, const char *key, const char *json)
{
	(void)json;
	*(bool *)arg = *(bool *)arg || strcmp(key, "restored") == 0;
}

bool
backup_is_marked(struct store *s)
{
	bool marked = false;

	store_row_scan(s, "state", found, &marked, NULL);
	return marked;
}

int
backup_unmark(struct store *s, struct diag *why)
{
	return store_row_del(s, "state", "restored", why);
}
