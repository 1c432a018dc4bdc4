/*
 * host.h - what a front needs of the node around it.
 */
#ifndef NODE_HOST_H
#define NODE_HOST_H

#include <stdint.h>

#include "node/decide.h"

struct host {
	void *arg;
	/* The rule set in force, borrowed until the loop runs on; NULL: none
	 * yet. */
	struct ruleset *(*view)(void *arg);
	/* Hand an event to the spool; its ticket, 0 when it is lost. */
	uint64_t (*record)(void *arg, const struct event *e);
	struct decider *decider;
	struct metrics *metrics;
	bool decision_headers;	/* a message gets ours, and loses others' */
};

#endif
