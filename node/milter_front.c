/*
 * milter_front.c - frames of a connection, handed to its session.
 */
#include "node/milter_front.h"

#include <stdlib.h>

#include "node/milter_session.h"
#include "proto/base/err.h"

struct milter_conn {
	struct milter_parser parser;
	struct milter_session *session;
};

static void *
milter_open(void *arg, const char *peer)
{
	struct milter_conn *c = xcalloc(1, sizeof(*c));

	c->session = milter_session_new(arg, peer);
	return c;
}

static void
milter_close(void *conn)
{
	struct milter_conn *c = conn;

	milter_session_free(&c->session);
	free(c);
}

static int
milter_take(void *conn, struct front_take *t, struct diag *why)
{
	struct milter_conn *c = conn;
	struct milter_frame f;
	int rc;

	rc = milter_parse(&c->parser, t->data, t->len, &f, &t->used, why);
	if (rc < 0)
		return rc;
	rc = milter_session_take(c->session, &f, t->late, t->out, &t->ticket,
	    why);
	return rc == MILTER_END ? FRONT_END : rc;
}

static bool
milter_is_idle(const void *conn)
{
	const struct milter_conn *c = conn;

	return !milter_session_in_message(c->session);
}

const struct front_protocol milter_protocol = {
	.malformed = "milter.malformed", .full = "milter.full",
	.unit_max = 4 + MILTER_KEEP_MAX, .open = milter_open,
	.close = milter_close, .take = milter_take,
	.is_idle = milter_is_idle,
};
