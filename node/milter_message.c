/*
 * milter_message.c - one message of a milter connection: who is refused when.
 *
 * Pass 2 at the end of the headers asks for each recipient and remembers the
 * answer alone.  Whose refusal is told, or who is taken out, is asked once
 * more then, for its event: events are large, and few messages need them.
 */
#include "node/milter_session_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/policy/reply.h"

#define SPLITS_MAX 3		/* recipients of one message sent away */
#define FORGED_MAX 10000	/* headers taken out of one message */

void
milter_message_begin(struct milter_session *s, struct value sender)
{
	struct ruleset *r = s->host->view(s->host->arg);

	s->view = r == NULL ? NULL : ruleset_ref(r);
	s->view_since_ms = clock_mono_ms();
	s->sender = xmalloc(sender.len + 1);
	memcpy(s->sender, sender.p, sender.len);
	s->sender_len = sender.len;
	from_init(&s->from);
}

void
milter_message_end(struct milter_session *s)
{
	size_t i;

	ruleset_unref(&s->view);
	free(s->sender);
	s->sender = NULL;
	for (i = 0; i < s->rcpts_n; i++)
		free(s->rcpt[i].text);
	s->rcpts_n = 0;
	s->splits = 0;
	s->header_set = 0;
	s->forged_decision = s->forged_bypass = 0;
	s->judged = false;
}

/* The view that the message began with, for a minute. */
static struct ruleset *
view(struct milter_session *s)
{
	uint64_t now = clock_mono_ms();
	struct ruleset *r;

	if (s->view != NULL && now - s->view_since_ms <= MILTER_VIEW_MS)
		return s->view;
	r = s->host->view(s->host->arg);
	ruleset_unref(&s->view);
	s->view = r == NULL ? NULL : ruleset_ref(r);
	s->view_since_ms = now;
	return s->view;
}

static struct value
value_of(const char *text)
{
	return (struct value){ text, strlen(text) };
}

static struct question
question(const struct milter_session *s, struct value rcpt)
{
	return (struct question){ .peer = s->peer, .form = ADDR_SMTP,
	    .sender = { s->sender, s->sender_len }, .recipient = rcpt,
	    .client_address = value_of(s->client_address),
	    .client_name = value_of(s->client_name),
	    .name_confirmed = s->name_confirmed,
	    .helo_name = value_of(s->helo),
	    .sasl_username = value_of(s->auth),
	    .queue_id = value_of(s->queue_id) };
}

static void
record(struct milter_session *s, const struct event *e)
{
	uint64_t ticket = s->host->record(s->host->arg, e);

	if (ticket != 0)
		s->ticket = ticket;
}

static void
put_reply(struct milter_session *s, const struct reply *r)
{
	milter_put_reply(s->out, r->code, r->enhanced, r->text);
}

/* Our own refusal on the policy front comes back as one of the mail server:
 * it ends with our id. */
static bool
is_ours(const char *text)
{
	const char *open = strrchr(text, '['), *close;
	char raw[32], id[REPLY_ID_LEN + 1];

	close = open == NULL ? NULL : strchr(open, ']');
	if (close == NULL || close - open != REPLY_ID_LEN + 1)
		return false;
	memcpy(raw, open + 1, REPLY_ID_LEN);
	raw[REPLY_ID_LEN] = '\0';
	return reply_id_parse(raw, id);
}

static void
refused_by_mta(struct milter_session *s, struct value rcpt)
{
	struct question q = question(s, rcpt);
	const char *host = s->rcpt_host;
	bool has_code = host[0] == '4' || host[0] == '5';
	const struct event *e;

	e = decide_refused_by_mta(s->host->decider, view(s), &q,
	    !has_code ? 0 : host[0] == '4' ? 450 : 550,
	    has_code ? host : "", s->rcpt_addr);
	if (!is_ours(s->rcpt_addr)) {
		s->host->metrics->mta_refused++;
		record(s, e);
	}
	milter_put_continue(s->out);
}

/* Does the recipient of the question just asked go to a message of its own? */
static bool
is_split(struct milter_session *s, struct ruleset *r,
    const struct question *q)
{
	struct decider *d = s->host->decider;
	uint64_t set;

	if (!s->header_stage || decide_mixed(r) != MIXED_SPLIT ||
	    decide_enforcement(d, r) == ENFORCE_OBSERVE)
		return false;
	set = decide_header_set(d, r, q);
	if (s->rcpts_n == 0)
		s->header_set = set;
	if (set == s->header_set) {
		decide_split_done(d);
		return false;
	}
	if (s->splits == SPLITS_MAX || !decide_may_split(d))
		return false;
	s->splits++;
	s->host->metrics->split++;
	return true;
}

static void
too_many(struct milter_session *s)
{
	const struct reply_info *info = reply_info(REASON_SPLIT);
	struct verdict v = { .kind = VERDICT_DEFER, .reason = REASON_SPLIT };
	char id[REPLY_ID_LEN + 1];
	struct settings defaults;
	struct reply reply;

	settings_default(&defaults);
	reply_id_new(id);
	reply_make(&defaults, ENFORCE, &v, id, &reply);
	milter_put_reply(s->out, info->code, info->enhanced, reply.text);
}

static void
keep_rcpt(struct milter_session *s, struct value rcpt,
    const struct answer *a, enum reason noted)
{
	struct milter_rcpt *r;

	s->rcpt = xgrow(s->rcpt, &s->rcpts_cap, s->rcpts_n + 1,
	    sizeof(*s->rcpt));
	r = &s->rcpt[s->rcpts_n++];
	memset(r, 0, sizeof(*r));
	r->text = xmalloc(rcpt.len + 1);
	memcpy(r->text, rcpt.p, rcpt.len);
	r->len = rcpt.len;
	r->granted = a->granted;
	r->noted = noted;
}

void
milter_message_rcpt(struct milter_session *s, struct value rcpt)
{
	struct question q = question(s, rcpt);
	struct decider *d = s->host->decider;
	struct ruleset *r = view(s);
	enum reason noted = REASON_ACCEPTED;
	struct answer a;

	if (strcmp(s->rcpt_mailer, "error") == 0) {
		refused_by_mta(s, rcpt);
		return;
	}
	if (s->late)
		decide_shed(d, &a);
	else {
		decide(d, r, &q, s->header_stage ? STAGE_RCPT : STAGE_ONLY,
		    &a);
		noted = decide_settle(d);
	}
	if (a.event != NULL && !(a.reply.continues && noted == a.told)) {
		record(s, a.event);
		noted = a.told;
	}
	if (!a.reply.continues) {
		put_reply(s, &a.reply);
		return;
	}
	if (s->rcpts_n == MILTER_RCPTS_MAX || (!s->late &&
	    is_split(s, r, &q))) {
		too_many(s);
		return;
	}
	keep_rcpt(s, rcpt, &a, noted);
	milter_put_continue(s->out);
}

/* Ask pass 2 of recipient i. */
static void
ask(struct milter_session *s, size_t i, bool again, struct answer *out)
{
	struct milter_rcpt *p = &s->rcpt[i];
	struct question q = question(s, (struct value){ p->text, p->len });

	q.from = &s->from;
	q.again = again;
	decide(s->host->decider, view(s), &q, STAGE_FULL, out);
}

/*
 * Pass 2 of everybody.  *refused counts who is not to get the message, *first
 * is the first of these.  True: one could not be decided, and *fault says so
 * to the whole message.
 */
static bool
judge_all(struct milter_session *s, size_t *refused, size_t *first,
    struct answer *fault)
{
	struct answer a;
	size_t i;

	*refused = 0;
	for (i = 0; i < s->rcpts_n; i++) {
		struct milter_rcpt *p = &s->rcpt[i];

		ask(s, i, false, &a);
		p->granted = a.granted;
		p->refused = !a.reply.continues;
		if (p->refused && a.kind == VERDICT_DEFER) {
			*fault = a;
			return true;
		}
		if (p->refused && (*refused)++ == 0)
			*first = i;
		if (!p->refused && a.event != NULL && a.told != p->noted) {
			record(s, a.event);
			p->noted = a.told;
		}
	}
	return false;
}

/*
 * Refuse the whole message with the answer to recipient `first`; each
 * recipient's event tells it, also of one who is refused only because of
 * another.  False when the refusal has run out since it was found.
 */
static bool
refuse_message(struct milter_session *s, size_t first)
{
	struct event *told = xmalloc(sizeof(*told));
	struct reply reply;
	struct answer a;
	size_t i;

	ask(s, first, true, &a);
	if (a.reply.continues) {
		free(told);
		return false;
	}
	reply = a.reply;
	if (a.event != NULL) {
		*told = *a.event;
		record(s, told);
	}
	for (i = 0; i < s->rcpts_n && a.event != NULL; i++) {
		struct event e;
		struct answer other;

		if (i == first)
			continue;
		ask(s, i, true, &other);
		if (s->rcpt[i].refused && other.event != NULL)
			e = *other.event;
		else {
			e = *told;
			reply_id_new(e.id);
			decide_recipient(s->host->decider, &e);
		}
		memcpy(e.reply_text, told->reply_text, sizeof(e.reply_text));
		record(s, &e);
	}
	free(told);
	put_reply(s, &reply);
	return true;
}

/* What pass 2 means for the message; true: it is over. */
static bool
end_of_headers(struct milter_session *s)
{
	size_t refused, first = 0;
	struct answer fault;

	s->judged = true;
	from_finish(&s->from);
	if (s->late) {
		decide_shed(s->host->decider, &fault);
		if (fault.reply.continues)
			return false;
		put_reply(s, &fault.reply);
		return true;
	}
	if (judge_all(s, &refused, &first, &fault)) {
		if (fault.event != NULL)
			record(s, fault.event);
		put_reply(s, &fault.reply);
		return true;
	}
	if (refused == 0 || (refused < s->rcpts_n &&
	    decide_mixed(s->view) != MIXED_REJECT_ALL))
		return false;
	return refuse_message(s, first);
}

bool
milter_message_end_of_headers(struct milter_session *s)
{
	if (s->header_stage && end_of_headers(s))
		return true;
	milter_put_continue(s->out);
	return false;
}

/*
 * Take out who was refused.  `soft` refuses for a time only, which cannot be
 * said of one recipient here: they keep the message, and the event tells it.
 */
static void
remove_refused(struct milter_session *s)
{
	bool soft = decide_enforcement(s->host->decider, view(s)) ==
	    ENFORCE_SOFT;
	size_t i;

	for (i = 0; i < s->rcpts_n; i++) {
		struct milter_rcpt *p = &s->rcpt[i];
		struct answer a;
		struct event e;

		if (!p->refused)
			continue;
		ask(s, i, true, &a);
		p->refused = !a.reply.continues && !soft &&
		    a.kind == VERDICT_REJECT;
		if (a.event != NULL) {
			e = *a.event;
			e.after_acceptance = p->refused;
			if (!p->refused)
				e.reply_code = 0;
			record(s, &e);
		}
		if (!p->refused)
			continue;
		s->host->metrics->after_acceptance++;
		milter_put_delete_rcpt(s->out, (struct value){ p->text,
		    p->len });
	}
}

/* What a scanner behind us may leave out, when all recipients agree. */
static void
put_bypass(struct milter_session *s)
{
	bool by[GRANTED_AUTO + 1] = { false };
	char text[96] = "spam, greylist, reputation; granted-by=";
	const char *comma = "";
	int g;
	size_t i;

	for (i = 0; i < s->rcpts_n; i++) {
		if (!s->rcpt[i].refused)
			by[s->rcpt[i].granted] = true;
	}
	if (by[GRANTED_NONE])
		return;
	for (g = GRANTED_ADMIN; g <= GRANTED_AUTO; g++) {
		if (!by[g])
			continue;
		strcat(text, comma);
		strcat(text, granted_name((enum granted)g));
		comma = ",";
	}
	if (comma[0] != '\0')
		milter_put_add_header(s->out, MILTER_BYPASS, text);
}

static void
put_headers(struct milter_session *s)
{
	struct ruleset *r = view(s);
	char text[64];
	uint32_t i;

	/* from the last one back: a deletion does not renumber the others */
	for (i = s->forged_decision; i > 0; i--)
		milter_put_delete_header(s->out, MILTER_DECISION, i);
	for (i = s->forged_bypass; i > 0; i--)
		milter_put_delete_header(s->out, MILTER_BYPASS, i);
	if (r == NULL || decide_enforcement(s->host->decider, r) ==
	    ENFORCE_OBSERVE)
		return;
	snprintf(text, sizeof(text), "accepted; policy-version=%llu",
	    (unsigned long long)ruleset_head(r)->version);
	milter_put_add_header(s->out, MILTER_DECISION, text);
	put_bypass(s);
}

void
milter_message_end_of_message(struct milter_session *s)
{
	if (s->header_stage && !s->judged && end_of_headers(s))
		return;
	if (s->forged_decision + s->forged_bypass > FORGED_MAX) {
		struct answer a;

		decide_shed(s->host->decider, &a);
		if (!a.reply.continues) {
			put_reply(s, &a.reply);
			return;
		}
		s->forged_decision = s->forged_bypass = 0;
	}
	remove_refused(s);
	if (s->host->decision_headers)
		put_headers(s);
	milter_put_continue(s->out);
}
