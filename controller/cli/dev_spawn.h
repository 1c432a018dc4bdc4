/*
 * dev_spawn.h - a program that postern dev runs: started, ready, stopped.
 *
 * It stands beside the running program, has a folder of its own, tells that
 * it is ready by a JSON file in there, and dies with its parent.
 */
#ifndef CLI_DEV_SPAWN_H
#define CLI_DEV_SPAWN_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define DEV_ARGS_MAX 32

struct dev_child {
	char dir[640];
	char program[4096];		/* path */
	char log[700], ready_file[700];
	char *argv[DEV_ARGS_MAX + 1];	/* ours */
	int argc;
	pid_t pid;			/* 0 while it does not run */
	bool was_ready;			/* an earlier start left ready.json */
	json_t *ready;			/* what it said when ready */
};

/* A listener that keeps its address over restarts: the key of ready.json, the
 * flag, and what the flag says at the first start (NULL: no flag). */
struct dev_keep { const char *key, *flag, *first; };

/*
 * Prepare the program of that name in parent/name, which is made.  0, or the
 * exit status with the error printed.  dev_child_stop() gives it up.
 */
int dev_child_init(struct dev_child *c, const char *parent, const char *name,
    const char *program);
/* Add the flags for n listeners, with the addresses of the earlier start
 * where they are free.  0 always. */
int dev_child_keep(struct dev_child *c, const struct dev_keep *keep,
    size_t n);
/* Add a flag and its value. */
void dev_child_arg(struct dev_child *c, const char *name, const char *value);
/* Start it.  0, or the exit status with the error printed. */
int dev_child_start(struct dev_child *c);
/* Has it said that it is ready?  Then c->ready holds what. */
bool dev_child_ready(struct dev_child *c);
/* Has it ended by itself?  Reaps it. */
bool dev_child_ended(struct dev_child *c);
/* Ask it to stop, wait, kill what does not; frees what c holds. */
void dev_child_stop(struct dev_child *c);

#endif
