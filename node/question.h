/*
 * question.h - what a mail server wants decided, whatever it asked with.
 */
#ifndef NODE_QUESTION_H
#define NODE_QUESTION_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/mail/addr.h"
#include "proto/mail/from.h"

/* Borrowed text, not terminated; p is NULL when it did not come. */
struct value { const char *p; size_t len; };

/* One recipient of one message. */
struct question {
	const char *peer;	/* the mail server, see front.h */
	enum addr_form form;	/* of the next two */
	struct value sender, recipient;
	struct value client_address;
	struct value client_name;	/* as it came, for the event */
	bool name_confirmed;	/* it resolves forward to the address */
	struct value helo_name, sasl_username, instance, queue_id;
	const struct from *from;	/* after the headers; NULL: before */
	bool again;		/* asked once more for its event: not counted */
};

#endif
