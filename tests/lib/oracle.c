/*
 * oracle.c - the order of evaluation, E2 to E9 and E12, as the rules say it.
 */
#include "tests/lib/oracle.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/oracle_impl.h"

struct run {
	const struct oracle_model *m;
	const struct oracle_message *msg;
	enum stage stage;
	struct oracle_rcpt rcpt;
	struct oracle_answer *out;
	bool authorised, trusted, internal_rcpt;
	bool bypass;			/* of greylisting, by the envelope */
	bool envelope_permit;		/* E7 permitted by the envelope */
	bool would_of_greylisting;
};

static bool
refuse(struct run *r, enum verdict_kind kind, enum reason reason,
    enum level level, const struct oracle_policy *p)
{
	r->out->kind = kind;
	r->out->reason = reason;
	r->out->level = level;
	r->out->granted = GRANTED_NONE;
	r->out->open = false;
	snprintf(r->out->policy, sizeof(r->out->policy), "%s",
	    p == NULL ? "" : p->id);
	return true;
}

/* A stage would have ended otherwise: the first such one is told. */
static void
would(struct run *r, enum reason reason, const struct oracle_policy *p)
{
	if (r->out->has_would && !r->would_of_greylisting)
		return;
	r->would_of_greylisting = false;
	r->out->has_would = true;
	r->out->would = reason;
	snprintf(r->out->would_policy, sizeof(r->out->would_policy), "%s",
	    p == NULL ? "" : p->id);
}

static bool
has_local(const char *address, const char *local)
{
	size_t n = strlen(local);

	return strncmp(address, local, n) == 0 && address[n] == '@';
}

/* E2 */
static bool
syntax(struct run *r)
{
	const char *to = r->msg->rcpt.text;

	if (r->msg->sender_bad)
		return refuse(r, VERDICT_REJECT, REASON_SENDER_SYNTAX,
		    LEVEL_SYSTEM, NULL);
	if (r->msg->rcpt_bad || to[0] == '\0' ||
	    (strchr(to, '@') == NULL && strcmp(to, "postmaster") != 0))
		return refuse(r, VERDICT_REJECT, REASON_RECIPIENT_SYNTAX,
		    LEVEL_SYSTEM, NULL);
	return false;
}

/* E3 */
static bool
relay_guard(struct run *r)
{
	const char *from = r->msg->sender.text;
	bool internal_sender = from[0] == '\0' ? r->authorised :
	    oracle_is_internal(r->m, from);

	if (r->internal_rcpt)
		return false;
	if (!r->authorised)
		return refuse(r, VERDICT_REJECT, REASON_RELAY_UNAUTHORIZED,
		    LEVEL_SYSTEM, NULL);
	if (internal_sender || (!r->msg->rcpt.ambiguous &&
	    oracle_group_holds(r->m, "Relay", r->msg->rcpt.text) >= 0))
		return false;
	return refuse(r, VERDICT_REJECT, REASON_RELAY_EXTERNAL, LEVEL_SYSTEM,
	    NULL);
}

static bool
is_protected(const struct run *r)
{
	const char *to = r->msg->rcpt.text;
	const char *delimiters = r->m->delimiters[0] == '\0' ? "+" :
	    r->m->delimiters;
	char base[ORACLE_TEXT];
	size_t i;

	if (strcmp(to, "postmaster") == 0)
		return true;
	if (!r->internal_rcpt)
		return false;
	if (!oracle_strip(to, delimiters, base))
		snprintf(base, sizeof(base), "%s", to);
	if (has_local(base, "postmaster") || has_local(base, "abuse"))
		return true;
	for (i = 0; i < r->m->protect_n; i++) {
		if (has_local(base, r->m->protect[i]))
			return true;
	}
	return false;
}

/* What a winner of E4 or E5 means: 0 is no refusal. */
static enum reason
refusal_of(const struct oracle_winner *w)
{
	bool header = w->identity == LOOK_HEADER;

	if (!w->is || w->policy->action == ACTION_TAKE_NO_ACTION)
		return REASON_ACCEPTED;
	if (w->policy->type == POLICY_BLOCKED_SENDERS)
		return header ? REASON_BLOCKED_HEADER :
		    REASON_BLOCKED_ENVELOPE;
	return header ? REASON_SPOOF_HEADER : REASON_SPOOF_ENVELOPE;
}

/* E4 and E5, in either pass. */
static bool
refusing_stage(struct run *r, enum policy_type type, int look)
{
	struct oracle_winner w, with;
	enum reason reason;

	oracle_winner(r->m, r->msg, &r->rcpt, type, look, false, &w);
	oracle_winner(r->m, r->msg, &r->rcpt, type, look, true, &with);
	reason = refusal_of(&w);
	if (refusal_of(&with) != reason)
		would(r, refusal_of(&with), with.policy);
	if (reason == REASON_ACCEPTED)
		return false;
	if (look == LOOK_ENVELOPE && r->stage != STAGE_ONLY &&
	    oracle_could_lift(r->m, r->msg, &r->rcpt, &w)) {
		r->out->open = true;
		return false;
	}
	return refuse(r, VERDICT_REJECT, reason, LEVEL_POLICY, w.policy);
}

static bool
spoofing(struct run *r, int look)
{
	if (r->authorised || r->trusted || !r->internal_rcpt)
		return false;
	return refusing_stage(r, POLICY_ANTI_SPOOFING, look);
}

static enum validation
mode_of(const struct oracle_model *m, const char *address)
{
	const char *domain = oracle_domain_of(address);
	enum validation mode = VALIDATE_DEFAULT;
	size_t i, best = 0;
	bool exact = false;

	for (i = 0; i < m->domains_n; i++) {
		const char *name = m->domain[i].name;
		size_t n = strlen(name), d = strlen(domain);

		if (strcmp(name, domain) == 0) {
			mode = m->domain[i].mode;
			exact = true;
		} else if (!exact && name[0] == '*' && d > n - 1 &&
		    strcmp(domain + d - (n - 1), name + 1) == 0 && n > best) {
			best = n;
			mode = m->domain[i].mode;
		}
	}
	return mode == VALIDATE_DEFAULT ? m->validation : mode;
}

static bool
is_return_path(const struct oracle_model *m, const char *address)
{
	static const char *const standard[] = { "srs0=", "srs1=", "prvs=" };
	size_t i;

	for (i = 0; !m->own_paths && i < 3; i++) {
		if (strncmp(address, standard[i], 5) == 0)
			return true;
	}
	for (i = 0; m->own_paths && i < m->paths_n; i++) {
		if (strncmp(address, m->path[i], strlen(m->path[i])) == 0)
			return true;
	}
	return false;
}

/* E6 */
static bool
validation(struct run *r)
{
	enum validation mode = mode_of(r->m, r->msg->rcpt.text);

	if (!r->internal_rcpt || mode == VALIDATE_ANY ||
	    is_return_path(r->m, r->msg->rcpt.text))
		return false;
	if (r->rcpt.person != NULL)
		return r->rcpt.person->disabled && refuse(r, VERDICT_REJECT,
		    REASON_RECIPIENT_DISABLED, LEVEL_SYSTEM, NULL);
	if (mode == VALIDATE_KNOWN)
		return refuse(r, VERDICT_REJECT, REASON_RECIPIENT_INVALID,
		    LEVEL_SYSTEM, NULL);
	return refuse(r, VERDICT_DEFER, REASON_RECIPIENT_UNKNOWN,
	    LEVEL_SYSTEM, NULL);
}

/* E7: in pass 2 for the bypass alone. */
static void
permitted(struct run *r, int look)
{
	struct oracle_winner w, with;
	bool is, would_be;

	oracle_winner(r->m, r->msg, &r->rcpt, POLICY_PERMITTED_SENDERS, look,
	    false, &w);
	oracle_winner(r->m, r->msg, &r->rcpt, POLICY_PERMITTED_SENDERS, look,
	    true, &with);
	is = w.is && w.policy->action == ACTION_PERMIT;
	would_be = with.is && with.policy->action == ACTION_PERMIT;
	if (is != would_be)
		would(r, REASON_ACCEPTED, with.policy);
	r->out->granted = is ? GRANTED_ADMIN : GRANTED_NONE;
	if (look == LOOK_ENVELOPE) {
		r->bypass = is;
		r->envelope_permit = is;
	}
}

/* An entry that speaks: which is better is a number, so that manual counts
 * before address, address before block, block before envelope. */
struct word { int value; bool block, automatic; };

static void
speak(struct word *best, bool manual, bool address, bool block, bool envelope)
{
	int value = 1 + 8 * manual + 4 * address + 2 * block + envelope;

	if (value > best->value)
		*best = (struct word){ value, block, !manual };
}

/* Does this entry of a user's list name the address?  2 address, 1 domain. */
static int
names(const struct run *r, const char *entry, const char *address, bool block)
{
	char base[ORACLE_TEXT];

	if (address[0] == '\0')
		return 0;
	if (strchr(entry, '@') == NULL)
		return strcmp(entry, oracle_domain_of(address)) == 0;
	if (strcmp(entry, address) == 0)
		return 2;
	return block && !oracle_is_internal(r->m, address) &&
	    oracle_strip(address, r->m->delimiters, base) &&
	    strcmp(entry, base) == 0 ? 2 : 0;
}

static void
envelope_words(const struct run *r, struct word *best)
{
	const struct oracle_address *a = &r->msg->sender;
	size_t i;

	for (i = 0; i < r->m->senders_n; i++) {
		const struct oracle_sender *s = &r->m->sender[i];
		int allowed = a->ambiguous || r->msg->rcpt.ambiguous ? 0 :
		    names(r, s->entry, a->text, false);
		int blocked = names(r, s->entry, a->text, true);

		if (strcmp(s->user, r->rcpt.user) != 0)
			continue;
		if (s->block && blocked)
			speak(best, true, blocked == 2, true, true);
		if (s->permit && allowed)
			speak(best, true, allowed == 2, false, true);
		if (s->automatic && allowed)
			speak(best, false, allowed == 2, false, true);
	}
}

static void
header_words(const struct run *r, struct word *best)
{
	const struct oracle_message *msg = r->msg;
	bool all = msg->headers_n <= DECIDE_HEADERS_MAX;
	int best_permit = 0;
	size_t i, k;

	if (!msg->has_header || msg->headers_n == 0)
		return;
	for (k = 0; k < msg->headers_n && k < DECIDE_HEADERS_MAX; k++) {
		const struct oracle_address *a = &msg->header[k];
		int permit = 0;

		for (i = 0; i < r->m->senders_n; i++) {
			const struct oracle_sender *s = &r->m->sender[i];
			int n = names(r, s->entry, a->text, s->block);

			if (n == 0 || strcmp(s->user, r->rcpt.user) != 0)
				continue;
			if (s->block)
				speak(best, true, n == 2, true, false);
			if (s->permit && !a->ambiguous &&
			    !msg->rcpt.ambiguous && n > permit)
				permit = n;
		}
		all &= permit > 0;	/* a permit only if all have one */
		if (permit > best_permit)
			best_permit = permit;
	}
	if (all)
		speak(best, true, best_permit == 2, false, false);
}

/* E8 */
static bool
managed(struct run *r, int look)
{
	struct word best = { 0, false, false };
	enum reason reason = REASON_USER_BLOCKED_ENVELOPE;

	envelope_words(r, &best);
	if (!best.block && (look & LOOK_HEADER)) {
		header_words(r, &best);
		reason = REASON_USER_BLOCKED_HEADER;
	}
	if (best.value == 0)
		return false;
	if (best.block)
		return !r->envelope_permit && refuse(r, VERDICT_REJECT,
		    reason, LEVEL_USER, NULL);
	if (r->out->granted == GRANTED_NONE)
		r->out->granted = best.automatic ? GRANTED_AUTO :
		    GRANTED_USER;
	if (look == LOOK_ENVELOPE)
		r->bypass = true;
	return false;
}

/* E9: the envelope decides. */
static bool
greylisting(struct run *r)
{
	struct oracle_winner w, with;
	bool is, would_be;

	if (r->bypass || r->authorised || r->trusted)
		return false;
	oracle_winner(r->m, r->msg, &r->rcpt, POLICY_GREYLISTING,
	    LOOK_ENVELOPE, false, &w);
	oracle_winner(r->m, r->msg, &r->rcpt, POLICY_GREYLISTING,
	    LOOK_ENVELOPE, true, &with);
	is = w.is && w.policy->action == ACTION_APPLY &&
	    r->msg->greylist_new;
	would_be = with.is && with.policy->action == ACTION_APPLY &&
	    r->msg->greylist_new;
	if (is != would_be && !r->out->has_would) {
		would(r, would_be ? REASON_GREYLISTED : REASON_ACCEPTED,
		    with.policy);
		r->would_of_greylisting = true;
	}
	return is && refuse(r, VERDICT_DEFER, REASON_GREYLISTED, LEVEL_POLICY,
	    w.policy);
}

static bool
pass_one(struct run *r)
{
	if (refusing_stage(r, POLICY_BLOCKED_SENDERS, LOOK_ENVELOPE) ||
	    spoofing(r, LOOK_ENVELOPE) || validation(r))
		return true;
	permitted(r, LOOK_ENVELOPE);
	return managed(r, LOOK_ENVELOPE) || greylisting(r);
}

static bool
pass_two(struct run *r)
{
	const int both = LOOK_ENVELOPE | LOOK_HEADER;

	r->out->open = false;
	if (!r->would_of_greylisting) {	/* these stages run again */
		r->out->has_would = false;
		r->out->would = REASON_ACCEPTED;
		r->out->would_policy[0] = '\0';
	}
	if (refusing_stage(r, POLICY_BLOCKED_SENDERS, both) ||
	    spoofing(r, both))
		return true;
	permitted(r, both);
	return managed(r, both);
}

void
oracle_decide(const struct oracle_model *m, const struct oracle_message *msg,
    enum stage stage, struct oracle_answer *out)
{
	struct run r = { .m = m, .msg = msg, .stage = stage, .out = out };

	memset(out, 0, sizeof(*out));
	out->kind = VERDICT_ACCEPT;
	out->reason = REASON_ACCEPTED;
	if (syntax(&r))
		return;
	r.authorised = oracle_authorised(m, msg);
	r.trusted = oracle_trusted(m, msg);
	r.internal_rcpt = strchr(msg->rcpt.text, '@') == NULL ||
	    oracle_is_internal(m, msg->rcpt.text);
	oracle_recipient(m, msg, &r.rcpt);
	if (relay_guard(&r) || is_protected(&r) || pass_one(&r))
		return;
	if (stage == STAGE_FULL)
		pass_two(&r);
}
