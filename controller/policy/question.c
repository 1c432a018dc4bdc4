/*
 * question.c - texts to an envelope.
 */
#include "controller/policy/question.h"

#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"

static void
parse_sides(struct question_parsed *a, const struct question *q)
{
	a->env.sender_bad = addr_parse(&a->env.sender, q->from,
	    strlen(q->from), ADDR_SMTP, NULL) < 0;
	a->env.rcpt_bad = addr_parse(&a->env.rcpt, q->to, strlen(q->to),
	    ADDR_SMTP, NULL) < 0;
}

_Static_assert(FROM_MAX == DECIDE_HEADERS_MAX,
    "the decision takes what the reader keeps");

/* One line a field; what begins with white space belongs to the line before. */
static void
read_header(struct from *f, const char *text)
{
	const char *end;

	from_init(f);
	while (*text != '\0') {
		end = text + strcspn(text, "\n");
		while (*end == '\n' && (end[1] == ' ' || end[1] == '\t'))
			end += 1 + strcspn(end + 1, "\n");
		from_add(f, text, (size_t)(end - text));
		text = *end == '\n' ? end + 1 : end;
	}
	from_finish(f);
}

static void
parse_header(struct question_parsed *a, const struct question *q)
{
	const char *name = a->header.name;

	if (q->header_from != NULL)
		read_header(&a->header, q->header_from);
	else if (a->env.sender.kind != ADDR_NULL) {
		a->header.addr[0] = a->env.sender;
		a->header.n = 1;
	}
	if (q->header_name != NULL) {
		name = a->name;
		name_parse(a->name, q->header_name, strlen(q->header_name),
		    NULL);
	}
	a->env.header_name = name[0] == '\0' ? NULL : name;
	a->env.headers_n = a->header.n;
	a->env.headers_more = a->header.more;
	if (a->header.n > 0) {
		a->env.headers = a->header.addr;
		a->env.header_base = a->header_base;
	}
}

static int
parse_client(struct question_parsed *a, const struct question *q,
    struct diag *why)
{
	a->env.authenticated = q->auth_user != NULL &&
	    q->auth_user[0] != '\0';
	a->env.has_ip = q->ip != NULL && q->ip[0] != '\0';
	if (a->env.has_ip && ip_parse(q->ip, &a->env.ip) < 0)
		return diag_set(why, ERR_INVAL, "ip \"%s\" is no address",
		    q->ip);
	if (q->host == NULL || q->host[0] == '\0')
		return 0;
	if (addr_domain_parse(q->host, strlen(q->host), a->host, why) < 0)
		return diag_prefix(why, ERR_INVAL, "host \"%s\"", q->host);
	a->env.host = a->host;
	return 0;
}

void
question_stage(const struct question *q, const struct settings *s,
    struct question_parsed *a)
{
	bool rcpt = q->stage != NULL && strcmp(q->stage, "rcpt") == 0;

	a->stage = s->header_stage == HEADER_NO ? STAGE_ONLY :
	    rcpt ? STAGE_RCPT : STAGE_FULL;
}

static int
parse_stage(struct question_parsed *a, const struct question *q,
    const struct settings *s, struct diag *why)
{
	const char *grey = q->greylist == NULL ? "passed" : q->greylist;

	if (q->stage != NULL && strcmp(q->stage, "full") != 0 &&
	    strcmp(q->stage, "rcpt") != 0)
		return diag_set(why, ERR_INVAL, "stage is rcpt or full");
	question_stage(q, s, a);
	if (strcmp(grey, "new") == 0)
		a->env.greylist = GREYLIST_NEW;
	else if (strcmp(grey, "passed") != 0)
		return diag_set(why, ERR_INVAL, "greylist is new or passed");
	a->at_us = clock_wall_us();
	if (q->at != NULL && clock_parse(q->at, &a->at_us) < 0)
		return diag_set(why, ERR_INVAL, "at \"%s\" is no time such as "
		    "2026-06-15T12:00:00Z", q->at);
	return 0;
}

int
question_parse(const struct question *q, const struct settings *s,
    struct question_parsed *a, struct diag *why)
{
	int rc;

	memset(&a->env, 0, sizeof(a->env));
	from_init(&a->header);
	parse_sides(a, q);
	parse_header(a, q);
	if ((rc = parse_client(a, q, why)) < 0)
		return rc;
	return parse_stage(a, q, s, why);
}
