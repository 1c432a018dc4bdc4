/*
 * context.c - looks a setting up: flag, then environment, then file.
 */
#include "controller/cli/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/near.h"
#include "proto/base/yaml.h"

#define FILE_BYTES_MAX 65536

static const struct { const char *flag, *env, *key; } settings[] = {
	{ "addr", "POSTERN_ADDR", "addr" },
	{ "token-file", "POSTERN_TOKEN_FILE", "token_file" },
	{ "ca-file", "POSTERN_CA_FILE", "ca_file" },
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static bool
file_path(char *out, size_t cap)
{
	const char *given = getenv("POSTERN_CONTEXT");
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (given != NULL && *given != '\0')
		snprintf(out, cap, "%s", given);
	else if (xdg != NULL && *xdg != '\0')
		snprintf(out, cap, "%s/postern/context.yaml", xdg);
	else if (home != NULL && *home != '\0')
		snprintf(out, cap, "%s/.config/postern/context.yaml", home);
	else
		return false;
	return true;
}

static int
check(const struct yaml *y, const char *path, struct diag *why)
{
	const char *names[SETTINGS + 1] = { 0 }, *near;
	size_t i, k;

	if (y->type == YAML_NULL)
		return 0;
	if (y->type != YAML_MAP)
		return diag_set(why, ERR_INVAL, "%s: it must be a mapping of "
		    "addr, token_file and ca_file", path);
	for (k = 0; k < SETTINGS; k++)
		names[k] = settings[k].key;
	for (i = 0; i < y->n; i++) {
		for (k = 0; k < SETTINGS && strcmp(y->keys[i]->text,
		    names[k]) != 0; k++)
			;
		if (k < SETTINGS && y->items[i]->type == YAML_SCALAR)
			continue;
		near = k < SETTINGS ? NULL : near_name(y->keys[i]->text,
		    names);
		return diag_set(why, ERR_INVAL, "%s:%d:%d: \"%s\" %s%s%s",
		    path, y->keys[i]->line, y->keys[i]->column,
		    y->keys[i]->text, k < SETTINGS ? "must be a text" :
		    "is not known; addr, token_file and ca_file are",
		    near == NULL ? "" : "; nearest is ",
		    near == NULL ? "" : near);
	}
	return 0;
}

static int
from_file(const char *key, struct buf *out)
{
	const struct yaml *value;
	struct yaml *y = NULL;
	char path[4096];
	struct buf text;
	struct diag why;
	int rc;

	if (!file_path(path, sizeof(path)))
		return CLI_OK;
	buf_init(&text, FILE_BYTES_MAX);
	rc = file_read(path, FILE_BYTES_MAX, &text, &why);
	if (rc == ERR_NOENT && getenv("POSTERN_CONTEXT") == NULL) {
		buf_fini(&text);
		return CLI_OK;
	}
	if (rc == 0)
		rc = yaml_tree_parse(&y, path, text.len == 0 ? "" : text.data,
		    text.len, FILE_BYTES_MAX, &why);
	if (rc == 0)
		rc = check(y, path, &why);
	if (rc == 0 && y->type == YAML_MAP &&
	    (value = yaml_get(y, key)) != NULL)
		buf_puts(out, value->text);
	yaml_tree_free(&y);
	buf_fini(&text);
	return rc < 0 ? fail(CLI_USAGE, "%s", why.text) : CLI_OK;
}

int
context_get(const struct flags *f, const char *name, struct buf *out)
{
	const char *value = flag(f, name);
	size_t i;

	for (i = 0; strcmp(settings[i].flag, name) != 0; i++)
		;
	if (value == NULL)
		value = getenv(settings[i].env);
	if (value == NULL)
		return from_file(settings[i].key, out);
	buf_puts(out, value);
	return CLI_OK;
}
