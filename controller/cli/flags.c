/*
 * flags.c - reads the flags of the commands, and asks before destroying.
 */
#include "controller/cli/flags.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/cli/cli.h"

#define COMMON " addr= token-file= ca-file= output= help "
#define OPTIONS_MAX 40

struct table {
	struct option option[OPTIONS_MAX + 1];
	char name[OPTIONS_MAX][24];
	int n;
};

int
fail(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("postern: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

int
usage_error(const char *text)
{
	return fail(CLI_USAGE, "%s; \"--help\" says more", text);
}

/* Add the flags that a text names to the table that getopt wants. */
static void
add_options(struct table *t, const char *text)
{
	size_t len;

	for (text += strspn(text, " "); *text != '\0' && t->n < OPTIONS_MAX;
	    text += strspn(text, " ")) {
		struct option *o = &t->option[t->n];
		char last;

		len = strcspn(text, " ");
		last = text[len - 1];
		snprintf(t->name[t->n], sizeof(t->name[0]), "%.*s",
		    (int)(last == '=' || last == '?' ? len - 1 : len), text);
		o->name = t->name[t->n++];
		o->has_arg = last == '=' ? required_argument :
		    last == '?' ? optional_argument : no_argument;
		text += len;
	}
}

static int
set_flag(struct flags *f, const char *name, const char *value)
{
	if (f->n == FLAGS_MAX)
		return usage_error("too many flags");
	snprintf(f->set[f->n].name, sizeof(f->set[0].name), "%s", name);
	f->set[f->n++].value = value == NULL ? "" : value;
	return 0;
}

static int
set_format(struct flags *f, const char *value)
{
	static const char *const names[] = { "table", "json", "yaml", "csv",
	    "name" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]) == 0) {
			f->format = (enum format)i;
			return 0;
		}
	}
	return usage_error("-o is table, json, yaml, csv or name");
}

int
flags_parse(struct flags *f, int argc, char **argv, const char *accepts,
    const char *help)
{
	struct table t = { 0 };
	bool has_file = strstr(accepts, "file=") != NULL;
	int opt, at;

	memset(f, 0, sizeof(*f));
	add_options(&t, COMMON);
	add_options(&t, accepts);
	optind = 0;		/* also forgets an earlier permutation */
	for (;;) {
		at = 0;
		opt = getopt_long(argc, argv, has_file ? "f:o:" : "o:",
		    t.option, &at);
		if (opt == -1)
			break;
		if (opt == '?') {
			usage_error("that flag was not understood");
			return -1;
		}
		if (opt == 0 && set_flag(f, t.name[at], optarg) != 0)
			return -1;
		if (opt == 'f' && set_flag(f, "file", optarg) != 0)
			return -1;
		if (opt == 'o' && set_flag(f, "output", optarg) != 0)
			return -1;
	}
	f->args = argv + optind;
	f->args_n = argc - optind;
	if (flag(f, "help") != NULL) {
		fputs(help, stdout);
		fputs("\nFlags of every command: --addr URL (POSTERN_ADDR), "
		    "--token-file FILE\n(POSTERN_TOKEN_FILE), --ca-file FILE "
		    "(POSTERN_CA_FILE), -o\ntable|json|yaml|csv|name; the "
		    "first three may stand in the file\n"
		    "~/.config/postern/context.yaml as addr, token_file and "
		    "ca_file.\n", stdout);
		return 1;
	}
	if (flag(f, "output") != NULL && set_format(f, flag(f, "output")) != 0)
		return -1;
	return 0;
}

const char *
flag(const struct flags *f, const char *name)
{
	size_t i;

	for (i = f->n; i > 0; i--) {
		if (strcmp(f->set[i - 1].name, name) == 0)
			return f->set[i - 1].value;
	}
	return NULL;
}

const char *
flag_nth(const struct flags *f, const char *name, size_t i)
{
	size_t k;

	for (k = 0; k < f->n; k++) {
		if (strcmp(f->set[k].name, name) == 0 && i-- == 0)
			return f->set[k].value;
	}
	return NULL;
}

int
flag_number(const struct flags *f, const char *name, long long def,
    long long *out)
{
	const char *text = flag(f, name);
	char *end;

	*out = def;
	if (text == NULL)
		return 0;
	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *out < 0)
		return fail(CLI_USAGE, "--%s \"%s\" is no whole number from 0",
		    name, text);
	return 0;
}

bool
flags_confirm(const struct flags *f, const char *what)
{
	char line[16] = "";

	if (flag(f, "yes") != NULL)
		return true;
	if (!isatty(STDIN_FILENO)) {
		fail(CLI_USAGE, "%s: say --yes, for there is no terminal to "
		    "ask on", what);
		return false;
	}
	fprintf(stderr, "%s? [y/N] ", what);
	if (fgets(line, sizeof(line), stdin) != NULL &&
	    (line[0] == 'y' || line[0] == 'Y'))
		return true;
	fail(CLI_USAGE, "nothing was changed");
	return false;
}
