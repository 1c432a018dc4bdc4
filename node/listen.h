/*
 * listen.h - one TCP address and one Unix socket that mail servers connect
 * to.
 */
#ifndef NODE_LISTEN_H
#define NODE_LISTEN_H

#include <stdbool.h>
#include <uv.h>

#include "proto/base/diag.h"

struct listen {
	uv_tcp_t tcp;
	uv_pipe_t pipe;
	bool has_tcp, has_pipe;
	char address[64];	/* "127.0.0.1:41234" as taken; "" for none */
};

/*
 * Listen on tcp ("127.0.0.1:10031", "[::1]:10031", port 0 takes a free one)
 * and on the socket unix_path, made with mode 0666; NULL or "" for none.
 * data becomes both handles' data.  0, ERR_BUSY (address in use), ERR_INVAL,
 * ERR_IO; close what was opened in any case.
 */
int listen_open(struct listen *l, uv_loop_t *loop, const char *tcp,
    const char *unix_path, uv_connection_cb on_connection, void *data,
    struct diag *why);

/* Stop listening; the loop closes the handles. */
void listen_close(struct listen *l);

#endif
