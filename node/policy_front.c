/*
 * policy_front.c - a policy request becomes a question, its answer an action.
 */
#include "node/policy_front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"

struct policy_conn {
	struct host *host;
	struct policy_parser parser;
	char peer[FRONT_PEER_LEN];
};

static bool
is(const struct value *v, const char *text)
{
	return v->p != NULL && v->len == strlen(text) &&
	    memcmp(v->p, text, v->len) == 0;
}

static void
put_action(char out[POLICY_REPLY_MAX], const struct answer *a)
{
	char *at = out;

	_Static_assert(POLICY_REPLY_MAX > 3 + 1 + sizeof(a->reply.enhanced) +
	    1 + sizeof(a->reply.text), "all of a reply fits");
	if (a->reply.continues) {
		strcpy(out, "DUNNO");
		return;
	}
	*at++ = (char)('0' + a->reply.code / 100 % 10);
	*at++ = (char)('0' + a->reply.code / 10 % 10);
	*at++ = (char)('0' + a->reply.code % 10);
	*at++ = ' ';
	at = stpcpy(at, a->reply.enhanced);
	*at++ = ' ';
	strcpy(at, a->reply.text);
}

void
policy_answer(struct decider *d, struct ruleset *r,
    const struct policy_request *q, const char *peer,
    struct policy_answered *out)
{
	struct question question = { .peer = peer, .form = ADDR_UNQUOTED,
	    .sender = q->sender, .recipient = q->recipient,
	    .client_address = q->client_address,
	    .client_name = q->client_name,
	    /* Postfix says "unknown" unless the name was confirmed. */
	    .name_confirmed = !is(&q->client_name, "unknown"),
	    .helo_name = q->helo_name, .sasl_username = q->sasl_username,
	    .instance = q->instance, .queue_id = q->queue_id };
	struct answer a __attribute__((uninitialized));

	strcpy(out->action, "DUNNO");
	out->event = NULL;
	if (!is(&q->protocol_state, "RCPT"))
		return;
	decide(d, r, &question, decide_stage(d, r, peer), &a);
	if (a.reply.continues)
		decide_passed(d, &a);
	else
		put_action(out->action, &a);
	out->event = a.event;
}

static void *
policy_open(void *arg, const char *peer)
{
	struct policy_conn *c = xcalloc(1, sizeof(*c));

	c->host = arg;
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	return c;
}

static void
put_reply(struct buf *out, const char *action)
{
	static const char pass[] = "action=DUNNO\n\n";
	char text[POLICY_REPLY_MAX] __attribute__((uninitialized));

	if (strcmp(action, "DUNNO") == 0)
		buf_put(out, pass, sizeof(pass) - 1);
	else
		buf_put(out, text, policy_reply_format(text, action));
}

static int
policy_take(void *conn, struct front_take *t, struct diag *why)
{
	struct policy_conn *c = conn;
	struct host *h = c->host;
	/* zeroing these would cost as much as reading a request does */
	struct policy_answered a __attribute__((uninitialized));
	struct policy_request q __attribute__((uninitialized));
	int rc;

	rc = policy_request_parse(&c->parser, t->data, t->len, &q, &t->used,
	    why);
	if (rc < 0)
		return rc;
	if (t->late) {
		struct answer shed;

		decide_shed(h->decider, &shed);
		put_action(a.action, &shed);
		a.event = NULL;
	} else
		policy_answer(h->decider, h->view(h->arg), &q, c->peer, &a);
	if (a.event != NULL)
		t->ticket = h->record(h->arg, a.event);
	put_reply(t->out, a.action);
	return 0;
}

const struct front_protocol policy_protocol = {
	.malformed = "policy.malformed", .full = "policy.full",
	.unit_max = POLICY_REQUEST_MAX, .open = policy_open, .close = free,
	.take = policy_take,
};
