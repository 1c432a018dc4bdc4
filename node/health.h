/*
 * health.h - the node's own HTTP: /livez, /readyz, /metrics; and the question
 * that a container's check asks it.
 */
#ifndef NODE_HEALTH_H
#define NODE_HEALTH_H

#include "node/metrics.h"
#include "node/spool.h"
#include "proto/base/diag.h"

struct health;

/* Both borrowed until health_stop().  Errors as httpd_start(). */
int health_start(struct health **out, const char *address,
    struct metrics *m, struct spool *spool, struct diag *why);
void health_stop(struct health **h);

/* "http://127.0.0.1:41235" */
const char *health_url(const struct health *h);

/* Ask url (as above) for /readyz; 0 when it answers 200, else ERR_UNREACH or
 * ERR_AGAIN (not ready) with why.  Blocks for at most 5 s. */
int health_ask(const char *url, struct diag *why);

#endif
