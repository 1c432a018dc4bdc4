/*
 * child.h - servers that the harness starts, measures and stops.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <sys/types.h>

#include "bench/set.h"
#include "proto/base/diag.h"

struct child {
	pid_t pid;
	char name[32];
	char unix_address[256], tcp_address[64];	/* "unix:...", "h:p" */
};

/*
 * Start a null server (durable: the file it appends to, or NULL) on a Unix
 * socket in dir, or on a free TCP port, and wait until it listens.  0,
 * ERR_TIMEOUT, ERR_IO.
 */
int child_null(struct child *out, const char *dir, bool tcp,
    const char *durable, struct diag *why);

/* Start the node that lies beside this program, on the folder that set_make()
 * made, on both kinds of sockets, and wait until it is ready; its log goes to
 * log.  seconds (or NULL) gets how long that took.  0, ERR_TIMEOUT, ERR_IO. */
int child_node(struct child *out, const char *dir, const char *log,
    double *seconds, struct diag *why);

/* Wait until the node that writes this log has read its set through: until
 * then it works at that, too.  0, or ERR_TIMEOUT after that many seconds. */
int child_settle(const char *log, double seconds);

/* Ends it and waits; one that was never started is fine. */
void child_stop(struct child *c);

#endif
