/*
 * question.h - a question about a message as people and scripts write it, and
 * as the decision takes it.
 */
#ifndef POLICY_QUESTION_H
#define POLICY_QUESTION_H

#include "proto/mail/from.h"
#include "proto/policy/decide.h"

/* A question as people ask it; NULL where nothing was said. */
struct question {
	const char *from, *to;		/* from "" is the null sender */
	const char *header_from;	/* what stands behind "From:", each
					 * field a line, a folded one goes on
					 * with white space; NULL: the
					 * envelope sender; "": none */
	const char *header_name;	/* NULL: as header_from has it */
	const char *ip, *host, *auth_user, *at;
	const char *greylist;		/* "new", "passed" */
	const char *stage;		/* "rcpt", "full" (default) */
};

/* The same parsed: the envelope and the room it points into. */
struct question_parsed {
	struct envelope env;
	struct from header;
	struct addr header_base[FROM_MAX];
	char name[NAME_TEXT_MAX];
	char host[ADDR_DOMAIN_MAX + 1];
	int64_t at_us;
	enum stage stage;
};

/*
 * Fill *a, which must stay where it is while it is used, under the settings
 * of a policy.  from and to must be there.  0, or ERR_INVAL when the question
 * itself is malformed (ip, host, at, stage, greylist); malformed addresses
 * are what they are in mail: in the envelope a verdict, in the header an
 * identity that is absent or ambiguous.
 */
int question_parse(const struct question *q, const struct settings *s,
    struct question_parsed *a, struct diag *why);
/* Set the stage alone, under the settings of another policy. */
void question_stage(const struct question *q, const struct settings *s,
    struct question_parsed *a);

#endif
