/*
 * reply.h - the reply catalogue: for each reason its SMTP code, enhanced
 * code (RFC 3463), text, and what the message center calls it; and the
 * correlation ids that stand in replies.
 */
#ifndef POLICY_REPLY_H
#define POLICY_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/policy/decide.h"

#define REPLY_ID_LEN 10		/* Crockford base32, the last a check */
#define REPLY_ID_RANDOM 9	/* bytes of chance in it */
#define REPLY_TEXT_MAX 200	/* octets of a whole line, help URL included */

struct reply {
	int code;		/* 250 for accept */
	char enhanced[8];	/* "5.7.1" */
	char text[REPLY_TEXT_MAX + 1];	/* with [id] and help URL */
	bool continues;		/* the MTA is told to go on (accept, observe) */
};

struct reply_info {
	const char *reason;	/* "blocked_envelope" */
	int code;
	const char *enhanced;
	const char *text;	/* "{id}" stands for the id */
	const char *type;	/* message center: "Envelope Rejected" */
	const char *info;	/* or "" */
};

/* The row of the catalogue; never NULL. */
const struct reply_info *reply_info(enum reason r);
/* 0 or ERR_INVAL. */
int reason_parse(const char *name, enum reason *out);

/*
 * The answer for v under e, with id (NUL-terminated) in it.  `soft` turns 5xx
 * to 4xx with the same id, `observe` continues.  A user's block answers with
 * the text of the policy level unless s->reply_detail is detailed.
 */
void reply_make(const struct settings *s, enum enforcement e,
    const struct verdict *v, const char *id, struct reply *out);

/* Nine random characters and their check character, of fresh bytes or of
 * those that the caller drew. */
void reply_id_new(char out[REPLY_ID_LEN + 1]);
void reply_id_of(const uint8_t random[REPLY_ID_RANDOM],
    char out[REPLY_ID_LEN + 1]);
/* Upper case, I L O as 1 1 0, "-" and space dropped; false when the check
 * character is wrong.  out may be text. */
bool reply_id_parse(const char *text, char out[REPLY_ID_LEN + 1]);

#endif
