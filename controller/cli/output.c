/*
 * output.c - prints answers in the format that was asked for.
 *
 * What others wrote (addresses, comments, helo names) reaches a terminal
 * here, so control bytes are shown as "?" in a table.
 */
#include "controller/cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"

#define COLUMNS_MAX 16

const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text == NULL ? "" : text;
}

static const json_t *
look_up(const json_t *o, const char *key)
{
	const char *dot = strchr(key, '.');
	char first[32];

	if (dot == NULL)
		return json_object_get(o, key);
	snprintf(first, sizeof(first), "%.*s", (int)(dot - key), key);
	return json_object_get(json_object_get(o, first), dot + 1);
}

/* One value as text; lists are joined with commas. */
static void
put_value(struct buf *out, const json_t *v)
{
	const json_t *item;
	size_t i;

	if (json_is_string(v))
		buf_puts(out, json_string_value(v));
	else if (json_is_array(v)) {
		json_array_foreach(v, i, item) {
			if (i > 0)
				buf_putc(out, ',');
			put_value(out, item);
		}
	} else if (v != NULL && !json_is_null(v)) {
		char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

		buf_puts(out, text == NULL ? "" : text);
		free(text);
	}
}

static char *
cell(const json_t *o, const char *key)
{
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	put_value(&b, look_up(o, key));
	for (i = 0; i < b.len; i++) {
		unsigned char c = (unsigned char)b.data[i];

		if (c < 0x20 || c == 0x7f)
			b.data[i] = '?';
	}
	return b.len == 0 ? xstrdup("") : buf_steal(&b);
}

/* Columns on a terminal, not bytes. */
static int
width(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void
put_padded(const char *text, int to, bool last)
{
	printf("%s%*s", text, last ? 0 : to - width(text) + 2, "");
	if (last)
		putchar('\n');
}

static void
print_table(const json_t *list, const struct column *col, size_t n)
{
	int wide[COLUMNS_MAX] = { 0 };
	const json_t *o;
	size_t i, k;

	for (k = 0; k < n; k++)
		wide[k] = width(col[k].title);
	json_array_foreach(list, i, o) {
		for (k = 0; k < n; k++) {
			char *text = cell(o, col[k].key);

			if (width(text) > wide[k])
				wide[k] = width(text);
			free(text);
		}
	}
	for (k = 0; k < n; k++)
		put_padded(col[k].title, wide[k], k + 1 == n);
	json_array_foreach(list, i, o) {
		for (k = 0; k < n; k++) {
			char *text = cell(o, col[k].key);

			put_padded(text, wide[k], k + 1 == n);
			free(text);
		}
	}
}

/* A field that a spreadsheet could take for a formula is made a text. */
static void
put_csv(const char *text)
{
	bool formula = *text != '\0' && strchr("=+-@", *text) != NULL;

	if (!formula && strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	if (formula)
		putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static void
print_csv(const json_t *list, const struct column *col, size_t n)
{
	const json_t *o;
	size_t i, k;

	for (k = 0; k < n; k++)
		printf("%s%s", col[k].key, k + 1 == n ? "\n" : ",");
	json_array_foreach(list, i, o) {
		for (k = 0; k < n; k++) {
			char *text = cell(o, col[k].key);

			put_csv(text);
			putchar(k + 1 == n ? '\n' : ',');
			free(text);
		}
	}
}

static void
print_yaml(const json_t *v, int depth)
{
	const char *key;
	json_t *item;
	size_t i;
	char *text;

	if (json_is_object(v) && json_object_size(v) > 0) {
		json_object_foreach((json_t *)v, key, item) {
			json_t *k = json_string(key);

			text = json_dumps(k, JSON_ENCODE_ANY);
			printf("\n%*s%s:", depth * 2, "", text);
			free(text);
			json_decref(k);
			print_yaml(item, depth + 1);
		}
	} else if (json_is_array(v) && json_array_size(v) > 0) {
		json_array_foreach(v, i, item) {
			printf("\n%*s-", depth * 2, "");
			print_yaml(item, depth + 1);
		}
	} else {
		text = json_dumps(v, JSON_ENCODE_ANY);
		printf(" %s", text);
		free(text);
	}
	if (depth == 0)
		putchar('\n');
}

bool
output_whole(const struct flags *f, const json_t *whole)
{
	if (f->format == FORMAT_JSON) {
		json_dumpf(whole, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (f->format == FORMAT_YAML) {
		fputs("---", stdout);
		print_yaml(whole, 0);
	} else
		return false;
	return true;
}

void
output_list(const struct flags *f, const json_t *whole, const json_t *list,
    const struct column *columns, size_t n)
{
	const json_t *o;
	size_t i;

	if (output_whole(f, whole))
		return;
	if (f->format == FORMAT_CSV)
		print_csv(list, columns, n);
	else if (f->format == FORMAT_NAME) {
		json_array_foreach(list, i, o) {
			char *text = cell(o, columns[0].key);

			puts(text);
			free(text);
		}
	} else
		print_table(list, columns, n);
}

void
output_object(const struct flags *f, const json_t *o,
    const struct column *columns, size_t n)
{
	int wide = 0;
	size_t k;

	if (output_whole(f, o))
		return;
	if (f->format != FORMAT_TABLE) {
		json_t *list = json_array();

		json_array_append(list, (json_t *)o);
		output_list(f, o, list, columns, n);
		json_decref(list);
		return;
	}
	for (k = 0; k < n; k++)
		wide = width(columns[k].title) > wide ?
		    width(columns[k].title) : wide;
	for (k = 0; k < n; k++) {
		char *text = cell(o, columns[k].key);

		if (*text != '\0') {
			put_padded(columns[k].title, wide, false);
			puts(text);
		}
		free(text);
	}
}
