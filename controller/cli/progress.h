/*
 * progress.h - one living line on stderr for what takes longer than a second;
 * only on a terminal, and wiped when it is done.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress { uint64_t began_ms, drawn_ms; bool live, shown; };

void progress_init(struct progress *p);
/* Draw a bar of done among total (0: how much there is, is not known) and
 * the text, at most ten times a second. */
void progress_show(struct progress *p, uint64_t done, uint64_t total,
    const char *text);
/* Wipe the line. */
void progress_end(struct progress *p);

#endif
