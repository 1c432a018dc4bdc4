/*
 * load.c - reads documents for what works without a controller.
 */
#include "controller/cli/load.h"

#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/policy/document.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

static void
add_file(struct files *f, const char *name)
{
	f->name = xgrow(f->name, &f->cap, f->n + 1, sizeof(*f->name));
	f->name[f->n++] = xstrdup(name);
}

static bool
is_yaml(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot != NULL &&
	    (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
list_folder(const char *path, struct files *f, struct diag *why)
{
	struct dirent *e;
	DIR *d = opendir(path);

	if (d == NULL)
		return diag_set(why, ERR_IO, "cannot open folder %s", path);
	while ((e = readdir(d)) != NULL) {
		char full[4096];

		if (!is_yaml(e->d_name))
			continue;
		snprintf(full, sizeof(full), "%s/%s", path, e->d_name);
		add_file(f, full);
	}
	closedir(d);
	if (f->n == 0)
		return diag_set(why, ERR_NOENT,
		    "folder %s holds no *.yaml or *.yml", path);
	qsort(f->name, f->n, sizeof(*f->name), by_name);
	return 0;
}

/* A list file lies beside the document that names it. */
static int
read_list(void *arg, const char *document, const char *path, struct buf *out,
    struct diag *why)
{
	char *copy = xstrdup(document), full[8192];

	(void)arg;
	if (path[0] == '/')
		snprintf(full, sizeof(full), "%s", path);
	else
		snprintf(full, sizeof(full), "%s/%s", dirname(copy), path);
	free(copy);
	return file_read(full, DOCUMENT_LIST_MAX, out, why);
}

void
files_fini(struct files *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free(f->name[i]);
	free(f->name);
	memset(f, 0, sizeof(*f));
}

/* Add the file of path, or those of the folder that it is. */
static int
add_path(const char *path, struct files *f, struct diag *why)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		add_file(f, "/dev/stdin");
	else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return list_folder(path, f, why);
	else
		add_file(f, path);
	return 0;
}

/* Documents as read: f->n of each. */
struct loaded {
	struct document *docs;
	struct buf *texts;
};

static int
read_documents(const struct files *f, struct loaded *l, struct diag *why)
{
	size_t i;
	int rc = 0;

	l->docs = xcalloc(f->n + 1, sizeof(*l->docs));
	l->texts = xcalloc(f->n + 1, sizeof(*l->texts));
	for (i = 0; i < f->n && rc == 0; i++) {
		struct buf *t = &l->texts[i];

		buf_init(t, DOCUMENT_MAX);
		rc = file_read(f->name[i], DOCUMENT_MAX, t, why);
		l->docs[i].name = f->name[i];
		l->docs[i].text = t->data == NULL ? "" : t->data;
		l->docs[i].len = t->len;
	}
	return rc;
}

static void
loaded_fini(struct loaded *l, size_t n)
{
	size_t i;

	for (i = 0; i < n && l->texts != NULL; i++)
		buf_fini(&l->texts[i]);
	free(l->texts);
	free(l->docs);
}

int
load_items(const char *path, struct items *out, struct files *names,
    struct diag *why)
{
	struct loaded l = { 0 };
	int rc;

	memset(names, 0, sizeof(*names));
	rc = add_path(path, names, why);
	if (rc == 0)
		rc = read_documents(names, &l, why);
	if (rc == 0)
		rc = document_read(l.docs, names->n, read_list, NULL, out,
		    why);
	loaded_fini(&l, names->n);
	return rc;
}

/* Read a list file and keep its text for the controller. */
static int
keep_list(void *arg, const char *document, const char *path, struct buf *out,
    struct diag *why)
{
	json_t *lists = arg;
	size_t at = out->len;
	struct buf key;
	int rc = read_list(NULL, document, path, out, why);

	if (rc < 0)
		return rc;
	buf_init(&key, 0);
	buf_printf(&key, "%s\x1f%s", document, path);
	if (json_object_set_new(lists, key.data, json_stringn(out->len == at ?
	    "" : out->data + at, out->len - at)) < 0)
		rc = diag_set(why, ERR_INVAL, "%s, or its name, is not UTF-8",
		    path);
	buf_fini(&key);
	return rc;
}

static int
pack_documents(const struct loaded *l, size_t n, json_t *out,
    struct diag *why)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct document *d = &l->docs[i];
		json_t *o = json_object();

		if (json_object_set_new(o, "name", json_string(d->name)) < 0 ||
		    json_object_set_new(o, "text", json_stringn(d->text,
		    d->len)) < 0) {
			json_decref(o);
			return diag_set(why, ERR_INVAL, "%s is not UTF-8",
			    d->name);
		}
		json_array_append_new(out, o);
	}
	return 0;
}

int
load_texts(const char *const *paths, size_t n, json_t **documents,
    json_t **lists, struct diag *why)
{
	struct files names = { 0 };
	struct loaded l = { 0 };
	struct items items;
	size_t i;
	int rc = 0;

	items_init(&items);
	*documents = json_array();
	*lists = json_object();
	for (i = 0; i < n && rc == 0; i++)
		rc = add_path(paths[i], &names, why);
	if (rc == 0)
		rc = read_documents(&names, &l, why);
	if (rc == 0)
		rc = document_read(l.docs, names.n, keep_list, *lists, &items,
		    why);
	if (rc == 0)
		rc = pack_documents(&l, names.n, *documents, why);
	if (rc < 0) {
		json_decref(*documents);
		json_decref(*lists);
		*documents = *lists = NULL;
	}
	items_fini(&items);
	loaded_fini(&l, names.n);
	files_fini(&names);
	return rc;
}
