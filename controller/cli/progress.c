/*
 * progress.c - a bar of 24 columns, drawn over itself.
 */
#include "controller/cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"

#define AFTER_MS 1000
#define EACH_MS 100
#define WIDE 24

void
progress_init(struct progress *p)
{
	const char *term = getenv("TERM");

	memset(p, 0, sizeof(*p));
	p->began_ms = clock_mono_ms();
	p->live = isatty(STDERR_FILENO) && term != NULL &&
	    strcmp(term, "dumb") != 0;
}

void
progress_show(struct progress *p, uint64_t done, uint64_t total,
    const char *text)
{
	uint64_t now = clock_mono_ms(), at;
	char bar[WIDE + 1];
	size_t i;

	if (!p->live || now - p->began_ms < AFTER_MS ||
	    now - p->drawn_ms < EACH_MS)
		return;
	at = total > 0 ? done * WIDE / total :
	    (now - p->began_ms) / EACH_MS % WIDE;
	for (i = 0; i < WIDE; i++)
		bar[i] = (total > 0 ? i < at : i == at) ? '#' : '.';
	bar[WIDE] = '\0';
	fprintf(stderr, "\r[%s] %.100s, %llu s\033[K", bar, text,
	    (unsigned long long)((now - p->began_ms) / 1000));
	fflush(stderr);
	p->drawn_ms = now;
	p->shown = true;
}

void
progress_end(struct progress *p)
{
	if (!p->shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	p->shown = false;
}
