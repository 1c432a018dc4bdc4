/*
 * milter_session.h - one connection of a mail server that speaks milter: its
 * commands in their order, its messages, and what is answered.
 *
 * Pure but for the host's decider and spool: bytes in, bytes out.
 *
 *	RCPT            pass 1; a refusal is told at once
 *	header          From is read, headers that look like ours are counted
 *	end of headers  pass 2 for who is left; all refused, or one under
 *	                reject_all: the message is refused
 *	end of message  refused recipients are taken out; our headers go in
 */
#ifndef NODE_MILTER_SESSION_H
#define NODE_MILTER_SESSION_H

#include "node/host.h"
#include "node/milter_codec.h"

#define MILTER_END 1		/* see milter_session_take() */
#define MILTER_RCPTS_MAX 1000	/* of one message; more get 452 4.5.3 */
#define MILTER_VIEW_MS 60000	/* a message keeps its view so long */
#define MILTER_DECISION "X-Postern-Decision"
#define MILTER_BYPASS "X-Postern-Bypass"

struct milter_session;

/* host is borrowed; peer is copied. */
struct milter_session *milter_session_new(struct host *host,
    const char *peer);
void milter_session_free(struct milter_session **s);

/* Between MAIL and the end of a message. */
bool milter_session_in_message(const struct milter_session *s);

/*
 * Take one command and append the answer, if it has one, to out.  late: it
 * waited longer than the deadline, answer without a decision.  *ticket, when
 * not 0, must be done before the answer goes out.  0; MILTER_END after QUIT;
 * ERR_INVAL: malformed or out of order, why says how: close the connection.
 */
int milter_session_take(struct milter_session *s,
    const struct milter_frame *f, bool late, struct buf *out,
    uint64_t *ticket, struct diag *why);

#endif
