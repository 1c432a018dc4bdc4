/*
 * report.c - rows to a table or to JSON.
 */
#include "bench/report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/stat.h"
#include "proto/base/clock.h"
#include "proto/base/buf.h"
#include "proto/base/conf.h"

#define COLUMNS_MAX 24

struct report {
	enum report_form form;
	json_t *root, *sections;
	char *section;			/* of the rows not printed yet */
};

static void
read_model(char *out, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256], *at;

	snprintf(out, size, "unknown");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "model name", 10) != 0 ||
		    (at = strchr(line, ':')) == NULL)
			continue;
		at[strcspn(at, "\n")] = '\0';
		snprintf(out, size, "%s", at + 2);
		break;
	}
	if (f != NULL)
		fclose(f);
}

static json_t *
machine(void)
{
	struct utsname u;
	char model[256];

	read_model(model, sizeof(model));
	uname(&u);
	return json_pack("{s:s, s:I, s:I, s:s}", "cpu", model, "cores",
	    (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_mb",
	    (json_int_t)(sysconf(_SC_PHYS_PAGES) / 1024 *
	    (sysconf(_SC_PAGESIZE) / 1024)), "kernel", u.release);
}

/* How this program was called. */
static void
read_command(char *out, size_t size)
{
	FILE *f = fopen("/proc/self/cmdline", "r");
	size_t n = f == NULL ? 0 : fread(out, 1, size - 1, f), i;

	for (i = 0; i + 1 < n; i++) {
		if (out[i] == '\0')
			out[i] = ' ';
	}
	out[n] = '\0';
	if (f != NULL)
		fclose(f);
}

struct report *
report_new(enum report_form form, const char *name)
{
	struct report *r = xcalloc(1, sizeof(*r));
	const char *step = getenv("BENCH_STEP");
	char now[CLOCK_TEXT_LEN], command[4096];

	r->form = form;
	clock_format(clock_wall_us(), now);
	read_command(command, sizeof(command));
	r->sections = json_object();
	r->root = json_pack("{s:s, s:s, s:s, s:s, s:o, s:O}", "version",
	    conf_version(), "date", now, "name", name, "command", command,
	    "machine", machine(), "results", r->sections);
	if (step != NULL && step[0] != '\0')
		json_object_set_new(r->root, "step", json_string(step));
	return r;
}

void
report_free(struct report **rp)
{
	struct report *r = *rp;

	if (r == NULL)
		return;
	json_decref(r->root);
	json_decref(r->sections);
	free(r->section);
	free(r);
	*rp = NULL;
}

double
report_value(const json_t *cell)
{
	if (json_is_object(cell))
		cell = json_object_get(cell, "median");
	return json_is_number(cell) ? json_number_value(cell) : NAN;
}

static void
put_spread(const json_t *v, char out[REPORT_CELL_LEN])
{
	double m = report_value(v);
	int digits = m >= 100 ? 0 : m >= 10 ? 1 : 2;

	snprintf(out, REPORT_CELL_LEN, "%.*f (%.*f-%.*f)", digits, m, digits,
	    report_value(json_object_get(v, "least")), digits,
	    report_value(json_object_get(v, "greatest")));
}

void
report_cell(const json_t *v, char out[REPORT_CELL_LEN])
{
	if (json_is_string(v))
		snprintf(out, REPORT_CELL_LEN, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(out, REPORT_CELL_LEN, "%lld",
		    (long long)json_integer_value(v));
	else if (json_is_real(v))
		snprintf(out, REPORT_CELL_LEN, "%.6g", json_real_value(v));
	else if (json_is_object(v))
		put_spread(v, out);
	else
		snprintf(out, REPORT_CELL_LEN, "-");
}

static void
put_line(const json_t *row, const char *const *column, const int *width,
    size_t n, bool head)
{
	char cell[REPORT_CELL_LEN];
	size_t i;

	for (i = 0; i < n; i++) {
		const json_t *v = json_object_get(row, column[i]);

		if (head)
			snprintf(cell, sizeof(cell), "%s", column[i]);
		else
			report_cell(v, cell);
		printf(json_is_string(v) || json_is_object(v) ?
		    "%-*s" : "%*s", width[i], cell);
		fputs(i + 1 < n ? "  " : "\n", stdout);
	}
}

static void
print_section(const char *name, json_t *rows)
{
	const char *column[COLUMNS_MAX], *key;
	int width[COLUMNS_MAX];
	char cell[REPORT_CELL_LEN];
	json_t *row, *v;
	size_t n = 0, i, k;

	json_object_foreach(json_array_get(rows, 0), key, v) {
		if (n == COLUMNS_MAX)
			break;
		width[n] = (int)strlen(key);
		column[n++] = key;
	}
	json_array_foreach(rows, i, row) {
		for (k = 0; k < n; k++) {
			report_cell(json_object_get(row, column[k]), cell);
			if ((int)strlen(cell) > width[k])
				width[k] = (int)strlen(cell);
		}
	}
	printf("\n%s\n", name);
	put_line(json_array_get(rows, 0), column, width, n, true);
	json_array_foreach(rows, i, row)
		put_line(row, column, width, n, false);
	fflush(stdout);
}

static void
end_section(struct report *r)
{
	if (r->section != NULL && r->form == REPORT_TABLE)
		print_section(r->section, json_object_get(r->sections,
		    r->section));
	free(r->section);
	r->section = NULL;
}

void
report_detail(struct report *r, const char *section, json_t *row)
{
	if (json_object_get(r->sections, section) == NULL)
		json_object_set_new(r->sections, section, json_array());
	json_array_append_new(json_object_get(r->sections, section), row);
}

void
report_row(struct report *r, const char *section, json_t *row)
{
	if (r->section == NULL || strcmp(r->section, section) != 0) {
		end_section(r);
		r->section = xstrdup(section);
	}
	report_detail(r, section, row);
}

void
report_attach(struct report *r, const char *name, json_t *value)
{
	json_object_set_new(r->root, name, value);
}

static void
save(const struct report *r)
{
	const char *path = getenv("BENCH_SAVE");
	FILE *f;

	if (path == NULL || path[0] == '\0')
		return;
	if ((f = fopen(path, "a")) == NULL) {
		fprintf(stderr, "postern-bench: %s: %s\n", path,
		    strerror(errno));
		return;
	}
	json_dumpf(r->root, f, JSON_COMPACT | JSON_REAL_PRECISION(6));
	fputc('\n', f);
	fclose(f);
}

void
report_end(struct report *r)
{
	end_section(r);
	save(r);
	if (r->form != REPORT_JSON)
		return;
	json_dumpf(r->root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
}

json_t *
report_number(double v)
{
	double unit;

	if (v == 0 || !isfinite(v))
		return json_real(0);
	unit = pow(10, 2 - floor(log10(fabs(v))));
	return json_real(unit > 1 ? round(v * unit) / unit : round(v));
}

json_t *
report_spread(const struct samples *s)
{
	return json_pack("{s:o, s:o, s:o}", "median", report_number(
	    samples_median(s)), "least", report_number(samples_min(s)),
	    "greatest", report_number(samples_max(s)));
}
