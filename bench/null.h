/*
 * null.h - policy servers that decide nothing: what a node is measured
 * against.
 */
#ifndef BENCH_NULL_H
#define BENCH_NULL_H

#include "proto/base/diag.h"

/*
 * Answer DUNNO once what was read ends in a blank line, nothing parsed, until
 * SIGTERM or SIGINT: one epoll loop.  A client asks one thing at a time.  With
 * durable (a file, appended to) a request of a sender that begins with "hit."
 * is refused, once 300 bytes for it are in the file and synced: what waits
 * shares one fdatasync, on a thread of its own.  0, or ERR_INVAL, ERR_BUSY,
 * ERR_IO.
 */
int null_serve(const char *address, const char *durable, struct diag *why);

#endif
