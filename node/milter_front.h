/*
 * milter_front.h - the milter protocol as a front speaks it.
 */
#ifndef NODE_MILTER_FRONT_H
#define NODE_MILTER_FRONT_H

#include "node/front.h"

/* For front_open(); arg is a struct host. */
extern const struct front_protocol milter_protocol;

#endif
