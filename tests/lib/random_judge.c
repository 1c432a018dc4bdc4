/*
 * random_judge.c - what judge() says, in the shape of the oracle's answer.
 */
#include "tests/lib/random_judge.h"

#include <stdio.h>
#include <string.h>

#include "proto/policy/reply.h"

void
random_answer(const struct verdict *v, struct oracle_answer *out)
{
	memset(out, 0, sizeof(*out));
	out->kind = v->kind;
	out->reason = v->reason;
	out->level = v->level;
	snprintf(out->policy, sizeof(out->policy), "%s", v->policy == NULL ?
	    "" : v->policy->id);
	out->granted = v->granted;
	out->open = v->open;
	out->has_would = v->has_would;
	if (!v->has_would)
		return;
	out->would = v->would;
	snprintf(out->would_policy, sizeof(out->would_policy), "%s",
	    v->would_policy == NULL ? "" : v->would_policy->id);
}

bool
random_same(const struct oracle_answer *a, const struct oracle_answer *b)
{
	return a->kind == b->kind && a->reason == b->reason &&
	    a->level == b->level && strcmp(a->policy, b->policy) == 0 &&
	    a->granted == b->granted && a->open == b->open &&
	    a->has_would == b->has_would && a->would == b->would &&
	    strcmp(a->would_policy, b->would_policy) == 0;
}

void
random_tell(const char *who, const struct oracle_answer *a, struct buf *out)
{
	buf_printf(out, "%s: %s %s level %s policy \"%s\" granted %s%s", who,
	    verdict_name(a->kind), reply_info(a->reason)->reason,
	    level_name(a->level), a->policy, granted_name(a->granted),
	    a->open ? " open" : "");
	if (a->has_would)
		buf_printf(out, " would %s by \"%s\"",
		    reply_info(a->would)->reason, a->would_policy);
	buf_puts(out, "\n");
}

void
random_judge(const struct records *records, const struct oracle_message *msg,
    enum stage stage, struct oracle_answer *out)
{
	struct random_envelope e;
	struct verdict v;

	random_fill(msg, &e);
	records_decide(records, &e.env, msg->now_us, stage, &v, NULL);
	random_answer(&v, out);
}
