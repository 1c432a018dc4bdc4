/*
 * simulate.c - each message judged twice; what differs is counted by the
 * verdicts it goes between and by the policy that makes the difference.
 */
#include "controller/policy/simulate.h"

#include <stdlib.h>
#include <string.h>

#include "controller/policy/question.h"
#include "proto/base/err.h"
#include "proto/policy/reply.h"

#define TO_MAX 1000		/* recipients of one line */

/* The reasons, and accepted once more for when spam checks are bypassed. */
enum { OUTCOME_BYPASS = REASONS, OUTCOMES };

/* Why a verdict changed: the policy, and how. */
struct cause { const char *policy, *how; };

struct tally { char *policy; const char *how; uint64_t n; };

struct simulation {
	const struct records *before, *after;
	int64_t now_us;
	size_t list_max;
	json_t *list;
	uint64_t envelopes, changed;
	uint64_t between[OUTCOMES][OUTCOMES];
	struct tally *tally;	/* sorted by policy, then how */
	size_t tally_n, tally_cap;
	struct question_parsed q;
	struct trace trace;
};

struct simulation *
simulation_new(const struct records *before, const struct records *after,
    int64_t now_us, size_t list)
{
	struct simulation *s = xcalloc(1, sizeof(*s));

	s->before = before;
	s->after = after;
	s->now_us = now_us;
	s->list_max = list > SIMULATE_LIST_MAX ? SIMULATE_LIST_MAX : list;
	s->list = json_array();
	return s;
}

void
simulation_free(struct simulation **sp)
{
	struct simulation *s = *sp;
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->tally_n; i++)
		free(s->tally[i].policy);
	free(s->tally);
	json_decref(s->list);
	free(s);
	*sp = NULL;
}

static void
count_cause(struct simulation *s, const struct cause *c)
{
	const char *name = c->policy == NULL ? "" : c->policy;
	size_t lo = 0, hi = s->tally_n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(s->tally[mid].policy, name);

		if (d == 0)
			d = strcmp(s->tally[mid].how, c->how);
		if (d == 0) {
			s->tally[mid].n++;
			return;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	s->tally = xgrow(s->tally, &s->tally_cap, s->tally_n + 1,
	    sizeof(*s->tally));
	memmove(&s->tally[lo + 1], &s->tally[lo],
	    (s->tally_n - lo) * sizeof(*s->tally));
	s->tally_n++;
	s->tally[lo] = (struct tally){ xstrdup(name), c->how, 1 };
}

/* The policy that lifts now what was refused before: the exception that won
 * the stage, or a permit over a user's block or over spam checks. */
static const struct policy *
lifting_policy(const struct trace *t, enum reason was)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct stage_trace *st = &t->stage[i];
		bool blocked = was == REASON_BLOCKED_ENVELOPE ||
		    was == REASON_BLOCKED_HEADER;
		bool spoof = was == REASON_SPOOF_ENVELOPE ||
		    was == REASON_SPOOF_HEADER;
		bool user = was == REASON_USER_BLOCKED_ENVELOPE ||
		    was == REASON_USER_BLOCKED_HEADER;

		if (st->has_winner && ((blocked && st->id == ST_BLOCKED) ||
		    (spoof && st->id == ST_SPOOFING) ||
		    ((user || was == REASON_ACCEPTED) &&
		    st->id == ST_PERMITTED) ||
		    (was == REASON_GREYLISTED && st->id == ST_GREYLIST)))
			return st->winner.policy;
	}
	return NULL;
}

static struct cause
find_cause(const struct simulation *s, const struct verdict *before,
    const struct verdict *after)
{
	const struct policy *p;

	if (after->policy != NULL)
		return (struct cause){ after->policy->id, "refuses" };
	if (after->kind != VERDICT_ACCEPT)
		return (struct cause){ NULL, "refuses" };
	p = lifting_policy(&s->trace, before->reason);
	if (p != NULL)
		return (struct cause){ p->id, "lifts" };
	return (struct cause){ before->policy == NULL ? NULL :
	    before->policy->id, "gone" };
}

static json_t *
verdict_json(const struct verdict *v)
{
	return json_pack("{s:s, s:s, s:s?, s:s}", "verdict",
	    verdict_name(v->kind), "reason", reply_info(v->reason)->reason,
	    "policy", v->policy == NULL ? NULL : v->policy->id, "bypass",
	    granted_name(v->granted));
}

static int
outcome_of(const struct verdict *v)
{
	return v->kind == VERDICT_ACCEPT && v->granted != GRANTED_NONE ?
	    OUTCOME_BYPASS : (int)v->reason;
}

static const char *
outcome_name(size_t outcome)
{
	return outcome == OUTCOME_BYPASS ? "accepted, spam checks bypassed" :
	    reply_info((enum reason)outcome)->reason;
}

static int
one(struct simulation *s, uint64_t number, const struct question *q,
    struct diag *why)
{
	const struct settings *settings;
	struct verdict before, after;
	struct cause cause;
	int rc;

	settings = tables_settings(records_tables(s->before));
	if ((rc = question_parse(q, settings, &s->q, why)) < 0)
		return rc;
	if (q->at == NULL)
		s->q.at_us = s->now_us;
	records_decide(s->before, &s->q.env, s->q.at_us, s->q.stage, &before,
	    NULL);
	/* a draft may say otherwise whether there is a header stage */
	settings = tables_settings(records_tables(s->after));
	question_stage(q, settings, &s->q);
	records_decide(s->after, &s->q.env, s->q.at_us, s->q.stage, &after,
	    &s->trace);
	s->envelopes++;
	if (outcome_of(&before) == outcome_of(&after))
		return 0;
	s->changed++;
	s->between[outcome_of(&before)][outcome_of(&after)]++;
	cause = find_cause(s, &before, &after);
	count_cause(s, &cause);
	if (json_array_size(s->list) < s->list_max)
		json_array_append_new(s->list, json_pack("{s:I, s:s, s:s, "
		    "s:o, s:o, s:s?, s:s}", "line", (json_int_t)number,
		    "from", q->from, "to", q->to, "before",
		    verdict_json(&before), "after", verdict_json(&after),
		    "policy", cause.policy, "cause", cause.how));
	return 0;
}

/* Read o's keys into q; one that is unknown is likely a slip. */
static int
read_question(const json_t *o, struct question *q, struct diag *why)
{
	const struct { const char *name; const char **at; } keys[] = {
	    { "from", &q->from }, { "to", &q->to },
	    { "header_from", &q->header_from },
	    { "header_name", &q->header_name }, { "ip", &q->ip },
	    { "host", &q->host }, { "auth_user", &q->auth_user },
	    { "at", &q->at }, { "greylist", &q->greylist },
	    { "stage", &q->stage } };
	const char *name;
	json_t *v;
	size_t i;

	memset(q, 0, sizeof(*q));
	json_object_foreach((json_t *)(uintptr_t)o, name, v) {
		for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			if (strcmp(keys[i].name, name) == 0)
				break;
		}
		if (i == sizeof(keys) / sizeof(keys[0]))
			return diag_set(why, ERR_INVAL, "unknown key "
			    "\"%.100s\"", name);
		if (json_is_string(v))
			*keys[i].at = json_string_value(v);
		else if (!json_is_null(v) && !(json_is_array(v) && i == 1))
			return diag_set(why, ERR_INVAL,
			    "\"%s\" must be a text", name);
	}
	if (q->from == NULL)
		return diag_set(why, ERR_INVAL, "\"from\" is missing");
	return 0;
}

static int
all_recipients(struct simulation *s, uint64_t number, const json_t *o,
    struct diag *why)
{
	const json_t *to = json_object_get(o, "to"), *each;
	struct question q;
	size_t i;
	int rc;

	if ((rc = read_question(o, &q, why)) < 0)
		return rc;
	if (json_is_string(to))
		return one(s, number, &q, why);
	if (json_array_size(to) == 0 || json_array_size(to) > TO_MAX)
		return diag_set(why, ERR_INVAL, "\"to\" must be a text or a "
		    "list of up to %d", TO_MAX);
	json_array_foreach(to, i, each) {
		if ((q.to = json_string_value(each)) == NULL)
			return diag_set(why, ERR_INVAL,
			    "\"to\" holds what is no text");
		if ((rc = one(s, number, &q, why)) < 0)
			return rc;
	}
	return 0;
}

int
simulation_line(struct simulation *s, uint64_t number, const char *line,
    size_t len, struct diag *why)
{
	json_error_t e;
	json_t *o;
	int rc;

	if (strspn(line, " \t\r\n") >= len)
		return 0;
	o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	if (json_is_object(o))
		rc = all_recipients(s, number, o, why);
	else
		rc = diag_set(why, ERR_INVAL, "no JSON object: %s",
		    o == NULL ? e.text : "it is something else");
	json_decref(o);
	return rc;
}

static int
by_count(const void *a, const void *b)
{
	json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a,
	    "count"));
	json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b,
	    "count"));

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The rows of list, most first. */
static json_t *
most_first(json_t *list)
{
	size_t n = json_array_size(list), i;
	json_t **row = xcalloc(n + 1, sizeof(*row));
	json_t *sorted = json_array();

	for (i = 0; i < n; i++)
		row[i] = json_array_get(list, i);
	qsort(row, n, sizeof(*row), by_count);
	for (i = 0; i < n; i++)
		json_array_append(sorted, row[i]);
	free(row);
	json_decref(list);
	return sorted;
}

json_t *
simulation_report(const struct simulation *s)
{
	json_t *transitions = json_array(), *policies = json_array();
	size_t a, b, i;

	for (a = 0; a < OUTCOMES; a++) {
		for (b = 0; b < OUTCOMES; b++) {
			if (s->between[a][b] == 0)
				continue;
			json_array_append_new(transitions, json_pack(
			    "{s:s, s:s, s:I}", "before", outcome_name(a),
			    "after", outcome_name(b), "count",
			    (json_int_t)s->between[a][b]));
		}
	}
	for (i = 0; i < s->tally_n; i++)
		json_array_append_new(policies, json_pack("{s:s?, s:s, s:I}",
		    "policy", s->tally[i].policy[0] == '\0' ? NULL :
		    s->tally[i].policy, "cause", s->tally[i].how, "count",
		    (json_int_t)s->tally[i].n));
	return json_pack("{s:I, s:I, s:o, s:o, s:O}", "envelopes",
	    (json_int_t)s->envelopes, "changed", (json_int_t)s->changed,
	    "transitions", most_first(transitions), "policies",
	    most_first(policies), "list", s->list);
}
