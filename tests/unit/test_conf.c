/*
 * test_conf.c - defaults, file and flags; who wins and what is refused.
 */
#include "proto/base/conf.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define ARGS_MAX 8

struct settings {
	char *data_dir, *tcp, *note;
	int64_t nodes, any;
	bool quiet;
	uint64_t step_ms, ballast;
	int on_error;
};

static const char *const actions[] = { "defer", "dunno", NULL };

#define AT(m) offsetof(struct settings, m)
static const struct conf_option options[] = {
	{ .name = "data_dir", .type = CONF_TEXT, .offset = AT(data_dir),
	  .def = "/var/lib/t", .help = "where it keeps things" },
	{ .name = "policy.tcp", .type = CONF_TEXT, .offset = AT(tcp),
	  .help = "address of the policy protocol" },
	{ .name = "policy.note", .type = CONF_TEXT, .offset = AT(note) },
	{ .name = "nodes", .type = CONF_INT, .offset = AT(nodes), .min = 1,
	  .max = 99, .def = "5", .help = "how many" },
	{ .name = "any", .type = CONF_INT, .offset = AT(any), .def = "0" },
	{ .name = "quiet", .type = CONF_BOOL, .offset = AT(quiet),
	  .def = "false" },
	{ .name = "step", .type = CONF_MS, .offset = AT(step_ms), .min = 10,
	  .max = 60000, .def = "250ms" },
	{ .name = "ballast", .type = CONF_BYTES, .offset = AT(ballast),
	  .def = "16M" },
	{ .name = "on_error", .type = CONF_ENUM, .offset = AT(on_error),
	  .def = "defer", .choices = actions },
	{ .name = NULL }
};

static int
check(const void *target, struct diag *why)
{
	const struct settings *s = target;

	if (s->any == 13)
		return diag_set(why, ERR_INVAL, "thirteen will not do");
	return 0;
}

static const struct conf_program prog = { .name = "postern-test",
	.summary = "A program for tests.", .options = options,
	.check = check };

/* A new empty file's path. */
static void
temp_file(char path[256])
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	snprintf(path, 256, "%s/test_conf.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
}

/* Split args at spaces and load; "FILE" in them is a file with that text. */
static int
load(struct settings *s, const char *text, const char *args,
    enum conf_result *result, struct diag *why)
{
	char path[256], joined[300], line[512];
	char *argv[ARGS_MAX + 2] = { NULL }, *save = NULL, *word;
	int argc = 0, rc;

	temp_file(path);
	snprintf(joined, sizeof(joined), "--config=%s", path);
	if (text != NULL)
		assert_int_equal(file_write(path, text, strlen(text), 0600,
		    why), 0);
	snprintf(line, sizeof(line), "postern-test %s", args);
	for (word = strtok_r(line, " ", &save); word != NULL &&
	    argc < ARGS_MAX; word = strtok_r(NULL, " ", &save))
		argv[argc++] = strcmp(word, "FILE") == 0 ? path :
		    strcmp(word, "--config=FILE") == 0 ? joined : word;
	memset(s, 0xa5, sizeof(*s));
	rc = conf_load(&prog, s, argc, argv, result, why);
	unlink(path);
	return rc;
}

static void
run(struct settings *s, const char *text, const char *args)
{
	enum conf_result result;
	struct diag why = { "" };

	if (load(s, text, args, &result, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(result, CONF_RUN);
}

static void
nothing_given_leaves_the_defaults(void **state)
{
	struct settings s;

	(void)state;
	run(&s, NULL, "");
	assert_string_equal(s.data_dir, "/var/lib/t");
	assert_null(s.tcp);
	assert_int_equal(s.nodes, 5);
	assert_false(s.quiet);
	assert_int_equal(s.step_ms, 250);
	assert_int_equal(s.ballast, 16 << 20);
	assert_int_equal(s.on_error, 0);
	conf_fini(&prog, &s);
	assert_null(s.data_dir);
	conf_fini(&prog, &s);
}

static void
file_sets_what_it_names_nested_or_dotted(void **state)
{
	struct settings s;

	(void)state;
	run(&s, "data_dir: /srv\npolicy:\n  tcp: 127.0.0.1:1\n"
	    "policy.note: hm\nquiet: true\nstep: 1s\nballast: 64k\n"
	    "on_error: dunno\nnodes: 7\n", "--config FILE");
	assert_string_equal(s.data_dir, "/srv");
	assert_string_equal(s.tcp, "127.0.0.1:1");
	assert_string_equal(s.note, "hm");
	assert_int_equal(s.nodes, 7);
	assert_true(s.quiet);
	assert_int_equal(s.step_ms, 1000);
	assert_int_equal(s.ballast, 65536);
	assert_int_equal(s.on_error, 1);
	conf_fini(&prog, &s);
	run(&s, "# nothing\n", "--config FILE");
	conf_fini(&prog, &s);
	run(&s, "policy:\n", "--config FILE");
	conf_fini(&prog, &s);
}

static void
flag_beats_the_file_wherever_it_stands(void **state)
{
	static const char *const orders[] = {
		"--nodes 9 --data-dir=/flag --quiet --config FILE",
		"--config=FILE --quiet=true --nodes=3 --nodes=9 "
		    "--data-dir /flag",
	};
	struct settings s;
	size_t i;

	(void)state;
	for (i = 0; i < N(orders); i++) {
		run(&s, "nodes: 7\ndata_dir: /file\nany: 4\n", orders[i]);
		assert_int_equal(s.nodes, 9);
		assert_int_equal(s.any, 4);
		assert_string_equal(s.data_dir, "/flag");
		assert_true(s.quiet);
		conf_fini(&prog, &s);
	}
	run(&s, "quiet: true\n", "--config FILE --quiet=false --policy.tcp=");
	assert_false(s.quiet);
	assert_string_equal(s.tcp, "");
	conf_fini(&prog, &s);
}

static void
wrong_flag_is_answered_with_what_would_do(void **state)
{
	static const struct { const char *args, *says; } cases[] = {
		{ "--node 3", "--node: no such option; did you mean --nodes?" },
		{ "--datadir=x", "did you mean --data-dir?" },
		{ "--check-confg", "did you mean --check-config?" },
		{ "--wholly-other", "--wholly-other: no such option; --help" },
		{ "stray", "\"stray\" is no option" },
		{ "-v", "\"-v\" is no option" }, { "--", "\"--\" is no" },
		{ "--nodes", "--nodes needs a value" },
		{ "--config", "--config needs a value" },
		{ "--help=1", "--help takes no value" },
		{ "--nodes x", "--nodes: \"x\" is not a whole number" },
		{ "--nodes 5x", "\"5x\" is not a whole number" },
		{ "--nodes=", "\"\" is not a whole number" },
		{ "--nodes 0", "--nodes: 0 is not between 1 and 99" },
		{ "--nodes 100", "100 is not between 1 and 99" },
		{ "--any 99999999999999999999", "is not a whole number" },
		{ "--quiet=yes", "\"yes\" is neither true nor false" },
		{ "--step 5", "is not a duration such as 250ms" },
		{ "--step 9ms", "9ms is not between 10ms and 60000ms" },
		{ "--step 61s", "61s is not between" },
		{ "--ballast 5x", "is not a size such as" },
		{ "--ballast 5kk", "is not a size such as" },
		{ "--ballast k", "is not a size such as" },
		{ "--ballast 99999999999G", "is not a size such as" },
		{ "--on-error reject", "--on-error: \"reject\" is none of "
		    "defer|dunno" },
		{ "--any 13", "thirteen will not do" },
		{ "--config /nonexistent/f", "/nonexistent/f" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		enum conf_result result;
		struct diag why = { "" };
		struct settings s;

		assert_int_equal(load(&s, NULL, cases[i].args, &result, &why),
		    ERR_INVAL);
		if (strstr(why.text, cases[i].says) == NULL)
			fail_msg("%s\n gave: %s", cases[i].args, why.text);
		assert_null(s.data_dir);	/* nothing left to free */
	}
}

static void
wrong_line_in_the_file_is_named_with_its_place(void **state)
{
	static const struct { const char *text, *says; } cases[] = {
		{ "any: 1\nnode: 3\n", ":2:1: unknown name \"node\"; did you "
		    "mean \"nodes\"?" },
		{ "on-error: defer\n", "did you mean \"on_error\"?" },
		{ "policy:\n  tpc: x\n", ":2:3: unknown name \"policy.tpc\"; "
		    "did you mean \"policy.tcp\"?" },
		{ "wholly: x\n", ":1:1: unknown name \"wholly\"" },
		{ "halp: x\n", ":1:1: unknown name \"halp\"" },
		{ "policy: x\n", ":1:1: unknown name \"policy\"" },
		{ "nodes: 0\n", ":1:8: nodes: 0 is not between 1 and 99" },
		{ "nodes: [1]\n", ":1:8: nodes takes one value" },
		{ "nodes:\n", "nodes has no value" },
		{ "data_dir: {a: 1}\n", "data_dir takes one value" },
		{ "policy.tcp: a\npolicy:\n  tcp: b\n", ":3:8: policy.tcp "
		    "stands twice, first in line 1" },
		{ "- nodes\n", ":1:1: settings are" },
		{ "nodes: 1\nnodes: 2\n", ":2:1: key \"nodes\" stands twice" },
		{ "nodes: &a 1\n", "anchors" },
		{ "a0123456789012345678901234567890123456789012345678901234567"
		    "8901234567890: 1\n", ":1:1: unknown name" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		enum conf_result result;
		struct diag why = { "" };
		struct settings s;

		/* a flag that replaces the value does not hide the fault */
		assert_int_equal(load(&s, cases[i].text,
		    "--config FILE --nodes 3", &result, &why), ERR_INVAL);
		if (strstr(why.text, cases[i].says) == NULL ||
		    strstr(why.text, "/test_conf.") == NULL)
			fail_msg("%s\n gave: %s", cases[i].text, why.text);
		if (strstr(cases[i].says, "\"halp\"") != NULL)
			assert_null(strstr(why.text, "did you mean"));
	}
}

/* What load() prints on standard output. */
static void
printed(const char *args, struct buf *out)
{
	char path[256];
	enum conf_result result = CONF_RUN;
	struct diag why = { "" };
	struct settings s;
	int fd, saved, rc;

	temp_file(path);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(fd, STDOUT_FILENO);
	rc = load(&s, "nodes: 3\n", args, &result, &why);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	assert_int_equal(rc, 0);
	assert_int_equal(result, CONF_EXIT_OK);
	conf_fini(&prog, &s);
	assert_int_equal(file_read(path, 1 << 16, out, &why), 0);
	unlink(path);
}

static void
help_version_and_check_print_and_end(void **state)
{
	struct buf b;
	const char *line;

	(void)state;
	buf_init(&b, 0);
	printed("--nodes 4 --help --unread", &b);
	assert_int_equal(strncmp(b.data, "Usage: postern-test ", 20), 0);
	assert_non_null(strstr(b.data, "A program for tests.\n"));
	line = strstr(b.data, "\n  --data-dir TEXT ");
	assert_non_null(line);
	assert_non_null(strstr(line, "where it keeps things (default: "
	    "/var/lib/t)\n"));
	assert_non_null(strstr(b.data, "\n  --on-error defer|dunno "));
	assert_non_null(strstr(b.data, "\n  --quiet  "));
	assert_non_null(strstr(b.data, "\n  --check-config  "));
	buf_reset(&b);
	printed("--version", &b);
	assert_string_equal(b.data, "postern-test 0.1.0\n");
	assert_string_equal(conf_version(), "0.1.0");
	buf_reset(&b);
	printed("--check-config --config FILE", &b);
	assert_string_equal(b.data, "postern-test: the settings are good\n");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_leaves_the_defaults),
		cmocka_unit_test(file_sets_what_it_names_nested_or_dotted),
		cmocka_unit_test(flag_beats_the_file_wherever_it_stands),
		cmocka_unit_test(wrong_flag_is_answered_with_what_would_do),
		cmocka_unit_test(
		    wrong_line_in_the_file_is_named_with_its_place),
		cmocka_unit_test(help_version_and_check_print_and_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
