/*
 * sock_zap.h - the ZAP handler of one context, for sock.c alone.
 */
#ifndef BASE_SOCK_ZAP_H
#define BASE_SOCK_ZAP_H

#include "proto/base/diag.h"
#include "proto/base/sock.h"

struct sock_zap;

/*
 * Start the handler thread of the libzmq context zmq.  It asks fn for each
 * handshake; who is let in carries the hex of its key as "User-Id".
 * 0, ERR_EXISTS when the context has a handler, or ERR_IO.
 */
int sock_zap_open(struct sock_zap **out, void *zmq, sock_zap_fn fn,
    void *arg, struct diag *why);

/*
 * Shut the context down, which ends the handler as it should end, and wait
 * for its thread.  *z may be NULL.
 */
void sock_zap_close(struct sock_zap **z);

#endif
