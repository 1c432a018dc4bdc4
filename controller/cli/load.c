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

int
load_items(const char *path, struct items *out, struct files *names,
    struct diag *why)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct files f = { 0 };
	struct document *docs = NULL;
	struct buf *texts = NULL;
	struct stat st;
	size_t i;
	int rc = 0;

	if (!is_stdin && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		rc = list_folder(path, &f, why);
	else
		add_file(&f, is_stdin ? "/dev/stdin" : path);
	docs = xcalloc(f.n, sizeof(*docs));
	texts = xcalloc(f.n, sizeof(*texts));
	for (i = 0; i < f.n && rc == 0; i++) {
		buf_init(&texts[i], DOCUMENT_MAX);
		rc = file_read(f.name[i], DOCUMENT_MAX, &texts[i], why);
		docs[i].name = f.name[i];
		docs[i].text = texts[i].data == NULL ? "" : texts[i].data;
		docs[i].len = texts[i].len;
	}
	if (rc == 0)
		rc = document_read(docs, f.n, read_list, NULL, out, why);
	for (i = 0; i < f.n; i++)
		buf_fini(&texts[i]);
	*names = f;
	free(docs);
	free(texts);
	return rc;
}
