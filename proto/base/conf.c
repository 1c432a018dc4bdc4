/*
 * conf.c - settings from a table: defaults, then the file, then the flags.
 *
 * The command line is read first, for the name of the file and for wrong
 * flags, but its values are set last.  A value in the file that a flag
 * replaces is still checked, so that a bad file does not wait for the day
 * when the flag goes.
 */
#include "proto/base/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/conf_value.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/near.h"
#include "proto/base/yaml.h"

#define VERSION "0.1.0"
#define FILE_MAX_BYTES ((size_t)1 << 20)
#define NAME_MAX_LEN 64
#define HELP_COLUMN 34

/* Flags that every program has, as they are spelt in a table. */
static const char *const own_names[] = { "help", "version", "config",
    "check_config" };
#define OWN_N (sizeof(own_names) / sizeof(own_names[0]))

struct load {
	const struct conf_program *prog;
	void *target;
	struct diag *why;
	const char *file;	/* of --config, or NULL */
	bool check_only;
	const char **names;	/* all known names, ours last; NULL ends */
	const char **flags;	/* by option: the value given, or NULL */
	struct place { int line, column; } *places;	/* by option: in file */
};

const char *
conf_version(void)
{
	return VERSION;
}

static size_t
count(const struct conf_option *options)
{
	size_t n = 0;

	while (options[n].name != NULL)
		n++;
	return n;
}

static const struct conf_option *
find(const struct conf_program *prog, const char *name)
{
	const struct conf_option *o;

	for (o = prog->options; o->name != NULL; o++) {
		if (strcmp(o->name, name) == 0)
			return o;
	}
	return NULL;
}

/* The first len bytes of from with each a as b; cut to fit. */
static void
respell(char out[NAME_MAX_LEN], const char *from, size_t len, char a, char b)
{
	size_t i;

	for (i = 0; i < len && i + 1 < NAME_MAX_LEN; i++)
		out[i] = from[i] == a ? b : from[i];
	out[i] = '\0';
}

static void
print_option(const char *name, const char *shape, const char *help,
    const char *def)
{
	char flag[NAME_MAX_LEN];
	int n;

	respell(flag, name, strlen(name), '_', '-');
	n = printf("  --%s%s%s", flag, *shape == '\0' ? "" : " ", shape);
	if (n >= HELP_COLUMN) {
		putchar('\n');
		n = 0;
	}
	printf("%*s%s", HELP_COLUMN - n, "", help == NULL ? "" : help);
	if (def != NULL)
		printf(" (default: %s)", def);
	putchar('\n');
}

static void
print_help(const struct conf_program *prog)
{
	const struct conf_option *o;
	struct buf shape;

	printf("Usage: %s [--config FILE] [--OPTION VALUE]...\n%s\n\n"
	    "A flag beats the file; in the file a name has \"_\" for "
	    "\"-\".\n\n",
	    prog->name, prog->summary);
	buf_init(&shape, 0);
	for (o = prog->options; o->name != NULL; o++) {
		buf_reset(&shape);
		if (o->type != CONF_BOOL)
			conf_value_shape(o, &shape);
		print_option(o->name, shape.data == NULL ? "" : shape.data,
		    o->help, o->def);
	}
	buf_fini(&shape);
	print_option("config", "FILE", "read settings from this YAML file",
	    NULL);
	print_option("check_config", "", "check the settings and end", NULL);
	print_option("help", "", "print this and end", NULL);
	print_option("version", "", "print the version and end", NULL);
}

static int
unknown_flag(const struct load *l, const char *flag, const char *name)
{
	const char *near = near_name(name, l->names);
	char hint[NAME_MAX_LEN];

	if (near == NULL)
		return diag_set(l->why, ERR_INVAL,
		    "%s: no such option; --help lists them", flag);
	respell(hint, near, strlen(near), '_', '-');
	return diag_set(l->why, ERR_INVAL,
	    "%s: no such option; did you mean --%s?", flag, hint);
}

/*
 * Take the flag at argv[*i], and its value from after "=" or from the next
 * argument.  *done is set when it was help or version, which are printed.
 */
static int
take_flag(struct load *l, int argc, char **argv, int *i, bool *done)
{
	const char *flag = argv[*i], *value = strchr(flag, '=');
	const struct conf_option *o;
	char name[NAME_MAX_LEN];
	size_t len = value == NULL ? strlen(flag) : (size_t)(value - flag);
	bool bare;

	if (strncmp(flag, "--", 2) != 0 || len < 3)
		return diag_set(l->why, ERR_INVAL, "\"%s\" is no option; "
		    "--help lists them", flag);
	respell(name, flag + 2, len - 2, '-', '_');
	if (value != NULL)
		value++;
	o = len - 2 < NAME_MAX_LEN ? find(l->prog, name) : NULL;
	bare = strcmp(name, "help") == 0 || strcmp(name, "version") == 0 ||
	    strcmp(name, "check_config") == 0;
	if (o == NULL && !bare && strcmp(name, "config") != 0)
		return unknown_flag(l, flag, name);
	if (bare && value != NULL)
		return diag_set(l->why, ERR_INVAL, "%.*s takes no value",
		    (int)len, flag);
	if (!bare && value == NULL && o != NULL && o->type == CONF_BOOL)
		value = "true";
	else if (!bare && value == NULL) {
		if (*i + 1 >= argc)
			return diag_set(l->why, ERR_INVAL, "%s needs a value",
			    flag);
		value = argv[++*i];
	}
	if (o != NULL)
		l->flags[o - l->prog->options] = value;
	else if (!bare)
		l->file = value;
	else if (name[0] == 'c')
		l->check_only = true;
	else {
		if (name[0] == 'h')
			print_help(l->prog);
		else
			printf("%s %s\n", l->prog->name, VERSION);
		*i = argc;
		*done = true;
	}
	return 0;
}

static int
set_from_file(struct load *l, const struct conf_option *o,
    const struct yaml *y)
{
	struct place *was = &l->places[o - l->prog->options];

	if (was->line != 0)
		return diag_set(l->why, ERR_INVAL,
		    "%s:%d:%d: %s stands twice, first in line %d", l->file,
		    y->line, y->column, o->name, was->line);
	*was = (struct place){ y->line, y->column };
	if (y->type == YAML_NULL)
		return diag_set(l->why, ERR_INVAL, "%s:%d:%d: %s has no value",
		    l->file, y->line, y->column, o->name);
	if (y->type != YAML_SCALAR)
		return diag_set(l->why, ERR_INVAL,
		    "%s:%d:%d: %s takes one value", l->file, y->line,
		    y->column, o->name);
	if (conf_value_set(o, l->target, y->text, l->why) < 0)
		return diag_prefix(l->why, ERR_INVAL, "%s:%d:%d: %s", l->file,
		    y->line, y->column, o->name);
	return 0;
}

/* Is there an option whose name goes on after "name."? */
static bool
is_group(const struct conf_program *prog, const char *name)
{
	const struct conf_option *o;
	size_t len = strlen(name);

	for (o = prog->options; o->name != NULL; o++) {
		if (strncmp(o->name, name, len) == 0 && o->name[len] == '.')
			return true;
	}
	return false;
}

static int
unknown_name(const struct load *l, const struct yaml *key, const char *name)
{
	const char *near = near_name(name, l->names);

	if (near != NULL && find(l->prog, near) == NULL)
		near = NULL;	/* a flag of ours, of no use in the file */
	return diag_set(l->why, ERR_INVAL,
	    "%s:%d:%d: unknown name \"%s\"%s%s%s", l->file, key->line,
	    key->column, name, near == NULL ? "" : "; did you mean \"",
	    near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

/* Set all of map, whose names continue prefix ("" or "policy."). */
static int
take_map(struct load *l, const char *prefix, const struct yaml *map)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < map->n && rc == 0; i++) {
		const struct yaml *key = map->keys[i], *y = map->items[i];
		const struct conf_option *o;
		char name[NAME_MAX_LEN], deeper[NAME_MAX_LEN + 1];
		int n = snprintf(name, sizeof(name), "%s%s", prefix,
		    key->text);

		if (n < 0 || (size_t)n >= sizeof(name))
			return unknown_name(l, key, key->text);
		o = find(l->prog, name);
		if (o != NULL)
			rc = set_from_file(l, o, y);
		else if (y->type == YAML_MAP && is_group(l->prog, name)) {
			snprintf(deeper, sizeof(deeper), "%s.", name);
			rc = take_map(l, deeper, y);
		} else if (y->type != YAML_NULL || !is_group(l->prog, name))
			rc = unknown_name(l, key, name);
	}
	return rc;
}

static int
take_file(struct load *l)
{
	struct yaml *y = NULL;
	struct buf text;
	int rc;

	buf_init(&text, FILE_MAX_BYTES);
	rc = file_read(l->file, FILE_MAX_BYTES, &text, l->why);
	if (rc == 0)
		rc = yaml_tree_parse(&y, l->file, text.data == NULL ? "" :
		    text.data, text.len, FILE_MAX_BYTES, l->why);
	if (rc == 0 && y->type == YAML_MAP)
		rc = take_map(l, "", y);
	else if (rc == 0 && y->type != YAML_NULL)
		rc = diag_set(l->why, ERR_INVAL,
		    "%s:%d:%d: settings are \"name: value\" lines", l->file,
		    y->line, y->column);
	yaml_tree_free(&y);
	buf_fini(&text);
	return rc;
}

static int
take_defaults(struct load *l)
{
	const struct conf_option *o;

	for (o = l->prog->options; o->name != NULL; o++) {
		if (o->def != NULL &&
		    conf_value_set(o, l->target, o->def, l->why) < 0)
			return diag_prefix(l->why, ERR_INTERNAL,
			    "default of %s", o->name);
	}
	return 0;
}

static int
take_flags(struct load *l)
{
	const struct conf_option *o;
	char flag[NAME_MAX_LEN];

	for (o = l->prog->options; o->name != NULL; o++) {
		const char *value = l->flags[o - l->prog->options];

		if (value != NULL &&
		    conf_value_set(o, l->target, value, l->why) < 0) {
			respell(flag, o->name, strlen(o->name), '_', '-');
			return diag_prefix(l->why, ERR_INVAL, "--%s", flag);
		}
	}
	return 0;
}

static void
load_init(struct load *l, size_t n)
{
	size_t i;

	l->flags = xcalloc(n, sizeof(*l->flags));
	l->places = xcalloc(n, sizeof(*l->places));
	l->names = xcalloc(n + OWN_N + 1, sizeof(*l->names));
	for (i = 0; i < n; i++) {
		const struct conf_option *o = &l->prog->options[i];
		char *none = NULL;

		l->names[i] = o->name;
		if (o->type == CONF_TEXT)
			memcpy((char *)l->target + o->offset, &none,
			    sizeof(none));
	}
	memcpy(&l->names[n], own_names, sizeof(own_names));
}

int
conf_load(const struct conf_program *prog, void *target, int argc,
    char **argv, enum conf_result *result, struct diag *why)
{
	struct load l = { .prog = prog, .target = target, .why = why };
	bool done = false;
	int i, rc = 0;

	load_init(&l, count(prog->options));
	*result = CONF_EXIT_OK;
	for (i = 1; i < argc && rc == 0; i++)
		rc = take_flag(&l, argc, argv, &i, &done);
	if (rc < 0 || done)
		goto out;
	if ((rc = take_defaults(&l)) < 0 ||
	    (l.file != NULL && (rc = take_file(&l)) < 0) ||
	    (rc = take_flags(&l)) < 0 ||
	    (prog->check != NULL && (rc = prog->check(target, why)) < 0))
		goto out;
	if (l.check_only)
		printf("%s: the settings are good\n", prog->name);
	else
		*result = CONF_RUN;
out:
	free(l.flags);
	free(l.places);
	free(l.names);
	if (rc < 0)
		conf_fini(prog, target);
	return rc < 0 ? ERR_INVAL : 0;
}

void
conf_fini(const struct conf_program *prog, void *target)
{
	const struct conf_option *o;

	for (o = prog->options; o->name != NULL; o++)
		conf_value_clear(o, target);
}
