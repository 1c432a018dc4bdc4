/*
 * milter_session_impl.h - what milter_session.c and milter_message.c share;
 * nobody else.
 */
#ifndef NODE_MILTER_SESSION_IMPL_H
#define NODE_MILTER_SESSION_IMPL_H

#include "node/front.h"
#include "node/milter_session.h"

struct milter_rcpt {
	char *text;		/* as it came, "<al@acme.example>" */
	size_t len;
	enum granted granted;
	enum reason noted;	/* an event tells of it already */
	bool refused;		/* by pass 2 */
};

enum milter_state { MILTER_NEW, MILTER_READY, MILTER_CONNECTED,
    MILTER_IN_MAIL, MILTER_IN_RCPT, MILTER_IN_DATA, MILTER_IN_HEADERS,
    MILTER_IN_BODY };

struct milter_session {
	struct host *host;
	char peer[FRONT_PEER_LEN];
	enum milter_state state;
	uint32_t steps;			/* as negotiated */
	bool header_stage;		/* the headers come, and their end */
	/* the client */
	char client_address[64], client_name[256], helo[256];
	bool name_confirmed;
	/* macros; see forget_macros() for how long they hold */
	bool not_forward, may_be_forged;
	char queue_id[64], auth[256];
	char rcpt_mailer[64], rcpt_host[64], rcpt_addr[512];
	/* the message */
	struct ruleset *view;
	uint64_t view_since_ms;
	char *sender;
	size_t sender_len;
	struct milter_rcpt *rcpt;
	size_t rcpts_n, rcpts_cap;
	uint64_t header_set;		/* of the first recipient */
	unsigned splits;
	uint32_t forged_decision, forged_bypass;
	bool judged;			/* pass 2 is done */
	struct from from;
	/* of the command at hand */
	bool late;
	struct buf *out;
	uint64_t ticket;
};

/* The message begins; ends, however it does. */
void milter_message_begin(struct milter_session *s, struct value sender);
void milter_message_end(struct milter_session *s);

/* Each answers the command at hand. */
void milter_message_rcpt(struct milter_session *s, struct value rcpt);
/* True: the message is refused, and over. */
bool milter_message_end_of_headers(struct milter_session *s);
void milter_message_end_of_message(struct milter_session *s);

#endif
