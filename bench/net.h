/*
 * net.h - stream sockets by the addresses that the harness takes:
 * "unix:/path" or "host:port".
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include "proto/base/diag.h"

/* A connected socket, not blocking when told so.  A descriptor, or
 * ERR_INVAL, ERR_UNREACH. */
int net_connect(const char *address, int nonblock, struct diag *why);
/* A listening socket that does not block; a socket file there is replaced.  A
 * descriptor, or ERR_INVAL, ERR_BUSY. */
int net_listen(const char *address, struct diag *why);

#endif
