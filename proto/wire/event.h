/*
 * event.h - what a node reports of one refusal: one row of the message
 * center.  Strings are NUL-terminated, UTF-8 checked, cut to their size.
 */
#ifndef WIRE_EVENT_H
#define WIRE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"
#include "proto/policy/decide.h"
#include "proto/policy/reply.h"

struct event {
	char id[REPLY_ID_LEN + 1];
	int64_t time_us;
	uint64_t version;		/* policy version decided on; 0 none */
	enum verdict_kind verdict;	/* as decided */
	enum enforcement enforcement;	/* what was done with it */
	enum reason reason;
	enum level level;
	bool has_would;
	enum reason would;
	int reply_code;			/* as sent; 0: the MTA went on */
	char reply_enhanced[8];
	char reply_text[REPLY_TEXT_MAX + 1];
	char policy[MODEL_ID_MAX + 1], would_policy[MODEL_ID_MAX + 1];
	char entry[ADDR_TEXT_MAX];	/* matched entry */
	char sender[ADDR_TEXT_MAX], recipient[ADDR_TEXT_MAX];	/* canonical,
				 * or as given when they did not parse */
	char primary[ADDR_TEXT_MAX];	/* the recipient's directory address */
	char header_from[ADDR_TEXT_MAX];
	char client_ip[52], client_name[256], helo[256], sasl_user[256];
	char instance[128], queue_id[64];
	char origin[8];			/* "gateway"; "mta": its own refusal */
	bool after_acceptance;		/* taken out of a message that the
					 * client was told is accepted: the
					 * reply is what it would have been */
	uint32_t repeats;		/* equal ones folded into this; 1 */
};

#define EVENT_MAX 8192		/* bytes encoded */

void event_encode(const struct event *e, struct buf *out);
int event_decode(struct event *out, struct bytes in, struct diag *why);

#endif
