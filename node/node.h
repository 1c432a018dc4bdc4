/*
 * node.h - the node as a whole: its settings, and running it.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <stdint.h>

#include "proto/base/diag.h"

struct node_conf {
	char *dir;
	char *join, *join_file, *name;
	char *policy_tcp, *policy_unix, *milter_tcp, *milter_unix;
	char *health;
	int on_error, bootstrap;		/* enum fallback */
	int enforcement;			/* enum node_enforcement */
	int header_stage;			/* enum node_header */
	int decision_headers;			/* 1: set and protect them */
	uint64_t deadline_ms;
	int64_t max_connections;
	uint64_t spool_max;
	int log_format, log_level;
	char *ready_file;
};

/*
 * Lock the data folder, enrol when needed, listen, and serve until SIGTERM or
 * SIGINT.  0 after a clean end, else an error with why.
 */
int node_run(const struct node_conf *conf, struct diag *why);

#endif
