/*
 * listen.h - one TCP address and one Unix socket that mail servers connect
 * to.
 */
#ifndef NODE_LISTEN_H
#define NODE_LISTEN_H

#include "proto/base/diag.h"

#define LISTEN_PEER_LEN 64
#define LISTEN_N 2

struct listen {
	int fd[LISTEN_N];	/* TCP, Unix; -1: none */
	int spare;		/* see listen_accept() */
	char address[64];	/* "127.0.0.1:41234" as taken; "" for none */
	char path[108];		/* of the socket; "" for none */
};

/*
 * Listen on tcp ("127.0.0.1:10031", "[::1]:10031", port 0 takes a free one)
 * and on the socket unix_path, made with mode 0666; NULL or "" for none.  No
 * descriptor blocks.  0, ERR_BUSY (address in use), ERR_INVAL, ERR_IO; close
 * what was opened in any case.
 */
int listen_open(struct listen *l, const char *tcp, const char *unix_path,
    struct diag *why);

/*
 * The next connection of l->fd[i], which does not block, with TCP_NODELAY;
 * peer says who it is: an address, or "local" for all of this host.  ERR_AGAIN:
 * there is none, or it could not be had.  When the process has no descriptor
 * left, the spare one takes it and closes it: nobody waits in vain.
 */
int listen_accept(struct listen *l, int i, char peer[LISTEN_PEER_LEN]);

/* Stop listening and remove the socket; NULL members are allowed. */
void listen_close(struct listen *l);

#endif
