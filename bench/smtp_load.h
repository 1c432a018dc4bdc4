/*
 * smtp_load.h - recipients through a mail server: pipelined transactions of
 * MAIL, some RCPT, and RSET or a message over connections that stay.
 */
#ifndef BENCH_SMTP_LOAD_H
#define BENCH_SMTP_LOAD_H

#include <sys/types.h>

#include "bench/set.h"
#include "proto/base/diag.h"

struct smtp_load {
	const char *target;	/* HOST:PORT */
	pid_t pid;		/* whose CPU to count; 0: nobody's */
	pid_t server;		/* of the mail server itself; 0: unknown */
	unsigned connections, recipients;	/* of one transaction */
	unsigned bytes;		/* of the message; 0: RSET in its place */
	double seconds;
	const struct set *set;
	uint64_t first;		/* number of the first sender */
};

struct smtp_result {
	uint64_t recipients;	/* answered */
	uint64_t refused;	/* of them, with 4xx or 5xx; in place of
				 * a message, with all its recipients */
	double per_second, p50_us, p99_us;	/* times: of a transaction */
	double cpu_us;		/* of pid, a recipient */
	double all_cpu_us;	/* of pid and server with its children */
};

/* Run it: blocks for its seconds.  0; ERR_UNREACH: nobody there, or it ended
 * a connection; ERR_TIMEOUT: silent for 30 s. */
int smtp_load_run(const struct smtp_load *conf, struct smtp_result *out,
    struct diag *why);

#endif
