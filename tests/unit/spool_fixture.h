/*
 * spool_fixture.h - a spool in a folder of its own, filled and drained.
 */
#ifndef TESTS_UNIT_SPOOL_FIXTURE_H
#define TESTS_UNIT_SPOOL_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/spool.h"
#include "node/spool_file.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "tests/lib/wait.h"

static struct spool_batch batch;

struct place {
	char dir[256];
	struct spool *spool;
	struct spool_conf conf;
	uint64_t lost_at_commit;
};

static void
reopen(struct place *p)
{
	struct diag why = { "" };

	spool_close(&p->spool);
	if (spool_open(&p->spool, &p->conf, &why) < 0)
		fail_msg("%s", why.text);
}

static int
setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	const char *tmp = getenv("TMPDIR");

	log_setup("test", LOG_TEXT, LOG_ERROR);
	snprintf(p->dir, sizeof(p->dir), "%s/spoolXXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(p->dir));
	p->conf = (struct spool_conf){ .dir = p->dir,
	    .max_bytes = 1024 * 1024, .segment_bytes = 256 };
	buf_init(&batch.data, 0);
	reopen(p);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	spool_close(&p->spool);
	file_remove_tree(p->dir, NULL);
	buf_fini(&batch.data);
	free(p);
	return 0;
}

static void
wait_done(struct spool *s, uint64_t ticket)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;

	while (spool_done(s) < ticket && clock_mono_ms() < end)
		poll(NULL, 0, 1);
	assert_true(spool_done(s) >= ticket);
}

/* Put n events "event-<i>" one by one, each durable before the next. */
static void
put(struct spool *s, int from, int n)
{
	char text[32];
	int i;

	for (i = from; i < from + n; i++) {
		snprintf(text, sizeof(text), "event-%d", i);
		wait_done(s, spool_put(s, text, strlen(text)));
	}
}

static const char *
text_of(size_t i)
{
	static char text[64];
	size_t at = i == 0 ? 0 : batch.end[i - 1];

	snprintf(text, sizeof(text), "%.*s", (int)(batch.end[i] - at),
	    batch.data.data + at);
	return text;
}

/* Read and acknowledge everything; how many there were, the last in *last. */
static inline int
drain(struct spool *s, char last[64])
{
	int n = 0;

	while (spool_peek(s, 1000, 1 << 20, &batch) == 0) {
		n += (int)batch.n;
		strcpy(last, text_of(batch.n - 1));
		spool_ack(s, batch.first_seq + batch.n - 1);
	}
	return n;
}

static inline int
segments(const struct place *p, char newest[512])
{
	DIR *d = opendir(p->dir);
	struct dirent *e;
	int n = 0;

	newest[0] = '\0';
	while ((e = readdir(d)) != NULL) {
		char path[512];

		if (strstr(e->d_name, ".seg") == NULL)
			continue;
		n++;
		snprintf(path, sizeof(path), "%s/%.200s", p->dir, e->d_name);
		if (strcmp(path, newest) > 0)
			strcpy(newest, path);
	}
	closedir(d);
	return n;
}

#endif
