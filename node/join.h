/*
 * join.h - enrolment: a join token becomes an identity.
 */
#ifndef NODE_JOIN_H
#define NODE_JOIN_H

#include "node/identity.h"

/*
 * Make a CURVE key, present the token and fill *out, but do not save it.
 * Blocks for at most 15 s.  0; ERR_INVAL: no token; ERR_UNREACH: no answer;
 * ERR_AUTH: refused (why has the controller's reason), or the root key is not
 * the one the token names.
 */
int join(const char *token, const char *name, struct node_identity *out,
    struct diag *why);

#endif
