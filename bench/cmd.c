/*
 * cmd.c - what the commands share: settings, the folder of the set.
 */
#include "bench/cmd.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/set_make.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

const char *const cmd_forms[] = { "table", "json", NULL };

bool
cmd_load(const struct conf_program *p, void *target, int argc, char **argv,
    int *status)
{
	enum conf_result what;
	struct diag why = { "" };

	*status = 0;
	if (conf_load(p, target, argc, argv, &what, &why) < 0) {
		fprintf(stderr, "%s: %s\n", p->name, why.text);
		*status = EXIT_USAGE;
		return false;
	}
	return what == CONF_RUN;
}

int
cmd_failed(const struct conf_program *p, int rc, const struct diag *why)
{
	fprintf(stderr, "%s: %s\n", p->name, why->text[0] == '\0' ?
	    err_text(rc) : why->text);
	return EXIT_FAILED;
}

int
cmd_set(const struct cmd_common *c, struct set *out)
{
	char *end;
	double scale = strtod(c->scale, &end);

	if (*end != '\0' || !(scale > 0 && scale <= 1))
		return ERR_INVAL;
	set_init(out, (uint64_t)c->seed, scale, (uint32_t)c->policies);
	return 0;
}

int
cmd_folder(const struct cmd_common *c, const struct set *s, char dir[1024],
    struct diag *why)
{
	const char *tmp = getenv("TMPDIR");
	struct set_times t;
	int rc;

	if (c->dir != NULL)
		snprintf(dir, 1024, "%s", c->dir);
	else {
		snprintf(dir, 1024, "%s/postern-bench-XXXXXX",
		    tmp == NULL ? "/tmp" : tmp);
		if (mkdtemp(dir) == NULL)
			return diag_set(why, ERR_IO, "no folder in %s", dir);
	}
	rc = set_make(s, dir, &t, why);
	if (rc == 0 && t.build > 0)
		fprintf(stderr, "set: %llu records made in %.1f s, published "
		    "in %.1f s, built in %.1f s\n",
		    (unsigned long long)set_count(s), t.generate, t.publish,
		    t.build);
	return rc;
}

void
cmd_folder_end(const struct cmd_common *c, const char *dir)
{
	if (c->dir == NULL && dir[0] != '\0')
		file_remove_tree(dir, NULL);
}

int
cmd_run(const struct conf_program *p, void *conf, int argc, char **argv,
    int (*run)(void *conf, struct cmd_work *w))
{
	const struct cmd_common *common = conf;
	struct cmd_work w = { .dir = "" };
	int status, rc;

	if (!cmd_load(p, conf, argc, argv, &status))
		return status;
	/* the command's name stands behind the program's */
	w.report = report_new((enum report_form)common->output,
	    strrchr(p->name, ' ') + 1);
	rc = run(conf, &w);
	cmd_folder_end(common, w.dir);
	if (rc == 0)
		report_end(w.report);
	report_free(&w.report);
	conf_fini(p, conf);
	return rc < 0 ? cmd_failed(p, rc, &w.why) : 0;
}
