/*
 * random_case.c - draws the models and messages.
 */
#include "tests/lib/random_case.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTANT INT64_C(1781524800000000)	/* 2026-06-15T12:00:00Z */
#define HOUR INT64_C(3600000000)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const internal_domains[] = { "acme.ex", "*.acme.ex",
    "corp.ex", "*.b.acme.ex", "b.acme.ex" };
static const char *const domains[] = { "acme.ex", "b.acme.ex", "c.b.acme.ex",
    "corp.ex", "bad.ex", "m.bad.ex", "x.m.bad.ex", "good.ex", "free.ex" };
static const char *const wildcards[] = { "*.ex", "*.bad.ex", "*.m.bad.ex",
    "*.acme.ex", "*.b.acme.ex" };
static const char *const locals[] = { "al", "bo", "al", "bo", "al+x", "bo+x",
    "al-y+x", "postmaster", "abuse+1", "srs0=q", "hm" };
static const char *const prefixes[] = { "192.0.2.10", "192.0.2.0/24",
    "203.0.113.0/24", "203.0.113.9", "2001:db8::/32", "::ffff:0:0/96",
    "198.51.100.0/25" };
static const char *const relays[] = { "203.0.113.0/24", "192.0.2.10",
    "198.51.100.0/25", "2001:db8::9", "::/64" };
static const char *const clients[] = { "198.51.100.7", "198.51.100.7",
    "192.0.2.10", "192.0.2.11", "203.0.113.9", "203.0.113.10",
    "2001:db8::9", "2001:db9::1", "::ffff:203.0.113.9" };
static const char *const hosts[] = { "mx.bad.ex", "*.bad.ex", "mx.good.ex",
    "bad.ex" };
static const char *const names[] = { "ceo", "help desk" };

uint32_t
random_below(struct random *r, uint32_t n)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) >> 32) % n;
}

bool
random_once_in(struct random *r, uint32_t n)
{
	return random_below(r, n) == 0;
}

#define PICK(r, list) ((list)[random_below(r, COUNT(list))])

static void
set(char out[ORACLE_TEXT], const char *text)
{
	snprintf(out, ORACLE_TEXT, "%s", text);
}

static void
address(struct random *r, char out[ORACLE_TEXT])
{
	const char *local = PICK(r, locals), *domain = PICK(r, domains);

	snprintf(out, ORACLE_TEXT, "%s@%s", local, domain);
}

void
random_address(struct random *r, char out[ORACLE_TEXT])
{
	address(r, out);
}

static void
entry(struct random *r, char out[ORACLE_TEXT])
{
	switch (random_below(r, 3)) {
	case 0:
		set(out, PICK(r, wildcards));
		break;
	case 1:
		set(out, PICK(r, domains));
		break;
	default:
		address(r, out);
	}
}

static struct ip_prefix
prefix(struct random *r)
{
	struct ip_prefix p;

	assert(ip_prefix_parse(PICK(r, prefixes), &p) == 0);
	return p;
}

static void
target(struct random *r, const struct oracle_model *m, bool from,
    struct oracle_target *t)
{
	memset(t, 0, sizeof(*t));
	do
		t->kind = (enum target_kind)random_below(r, TARGET_KINDS);
	while ((!from && (t->kind == TARGET_FREE_MAIL ||
	    t->kind == TARGET_DISPLAY_NAME)) ||
	    (t->kind == TARGET_GROUP && m->groups_n == 0));
	switch (t->kind) {
	case TARGET_DOMAIN:
		set(t->text, random_once_in(r, 2) ? PICK(r, domains) :
		    PICK(r, wildcards));
		break;
	case TARGET_GROUP:
		set(t->text, m->group[random_below(r,
		    (uint32_t)m->groups_n)].name);
		break;
	case TARGET_ATTRIBUTE:
		set(t->text, "dept");
		set(t->value, random_once_in(r, 2) ? "it" : "legal");
		break;
	case TARGET_DISPLAY_NAME:
		set(t->text, PICK(r, names));
		break;
	case TARGET_ADDRESS:
		address(r, t->text);
		break;
	default:
		break;
	}
}

static void
conditions(struct random *r, struct oracle_policy *p)
{
	size_t i;

	if (random_once_in(r, 4)) {
		p->ips_n = 1 + random_below(r, ORACLE_PREFIXES);
		for (i = 0; i < p->ips_n; i++)
			p->ips[i] = prefix(r);
	}
	if (random_once_in(r, 8)) {
		p->hosts_n = 1 + random_below(r, 2);
		for (i = 0; i < p->hosts_n; i++)
			set(p->hosts[i], PICK(r, hosts));
	}
	if (random_once_in(r, 6)) {
		p->has_from = random_once_in(r, 2);
		p->has_until = !p->has_from || random_once_in(r, 2);
		p->from_us = INSTANT + HOUR * random_below(r, 3);
		p->until_us = p->from_us + HOUR * (1 + random_below(r, 2));
	}
}

static void
policy(struct random *r, const struct oracle_model *m, size_t i,
    enum policy_type usual, struct oracle_policy *p)
{
	static const enum policy_action refusing[] = { ACTION_BLOCK,
	    ACTION_PERMIT, ACTION_APPLY, ACTION_APPLY };

	memset(p, 0, sizeof(*p));
	snprintf(p->id, sizeof(p->id), "p%zu", i);
	/* half of them of one type, so that they meet */
	p->type = random_once_in(r, 2) ? usual :
	    (enum policy_type)random_below(r, POLICY_TYPES);
	p->action = random_once_in(r, 2) ? refusing[p->type] :
	    ACTION_TAKE_NO_ACTION;
	p->based_on = (enum identity)(1 + random_below(r, 3));
	p->override = random_once_in(r, 5);
	p->bidirectional = random_once_in(r, 4);
	p->enabled = !random_once_in(r, 12);
	p->monitor = random_once_in(r, 8);
	do {
		target(r, m, true, &p->from);
		target(r, m, false, &p->to);
		if (random_once_in(r, 2))
			p->to = (struct oracle_target){
			    .kind = random_once_in(r, 2) ? TARGET_EVERYONE :
			    TARGET_INTERNAL };
	} while ((p->from.kind == TARGET_DISPLAY_NAME && p->bidirectional) ||
	    (p->from.kind == TARGET_EXTERNAL &&
	    p->to.kind == TARGET_EXTERNAL));
	conditions(r, p);
}

static void
groups(struct random *r, struct oracle_model *m)
{
	size_t i, k;

	m->groups_n = random_below(r, ORACLE_GROUPS + 1);
	for (i = 0; i < m->groups_n; i++) {
		struct oracle_group *g = &m->group[i];

		snprintf(g->name, sizeof(g->name), i == 1 ? "Relay" : "g%zu",
		    i);
		g->entries_n = random_below(r, ORACLE_ENTRIES);
		for (k = 0; k < g->entries_n; k++)
			entry(r, g->entry[k]);
		g->children_n = random_once_in(r, 2) ? 0 :
		    random_below(r, 3);
		for (k = 0; k < g->children_n; k++)
			g->child[k] = random_below(r, (uint32_t)m->groups_n);
		/* upwards makes cycles; those are rare */
		for (k = 0; k < g->children_n; k++) {
			if (g->child[k] <= i && !random_once_in(r, 4))
				g->child[k--] = g->child[--g->children_n];
		}
		if (g->children_n == 2 && g->child[0] == g->child[1])
			g->children_n = 1;
	}
}

static bool
is_ours(const struct oracle_model *m, const char *domain)
{
	size_t i;

	for (i = 0; i < m->domains_n; i++) {
		const char *name = m->domain[i].name;
		size_t n = strlen(name), d = strlen(domain);

		if (strcmp(name, domain) == 0 || (name[0] == '*' &&
		    d > n - 1 && strcmp(domain + d - n + 1, name + 1) == 0))
			return true;
	}
	return false;
}

static bool
in_directory(const struct oracle_model *m, const char *text)
{
	size_t i, k;

	for (i = 0; i < m->people_n; i++) {
		if (strcmp(m->person[i].address, text) == 0)
			return true;
		for (k = 0; k < m->person[i].aliases_n; k++) {
			if (strcmp(m->person[i].alias[k], text) == 0)
				return true;
		}
	}
	return false;
}

static void
internal_address(struct random *r, const struct oracle_model *m,
    char out[ORACLE_TEXT])
{
	do
		address(r, out);
	while (!is_ours(m, strrchr(out, '@') + 1));
}

static void
directory(struct random *r, struct oracle_model *m)
{
	size_t n = random_below(r, ORACLE_PEOPLE + 1), tries;

	for (tries = 0; tries < n; tries++) {
		struct oracle_person *p = &m->person[m->people_n];

		memset(p, 0, sizeof(*p));
		internal_address(r, m, p->address);
		if (in_directory(m, p->address))
			continue;
		p->disabled = random_once_in(r, 4);
		if (random_once_in(r, 2)) {
			set(p->attribute, "dept");
			set(p->value, random_once_in(r, 2) ? "it" : "legal");
		}
		m->people_n++;
		for (int k = 0; k < 2 && random_once_in(r, 2); k++) {
			char alias[ORACLE_TEXT];

			internal_address(r, m, alias);
			if (!in_directory(m, alias))
				set(p->alias[p->aliases_n++], alias);
		}
	}
}

static bool
may_be_listed(const struct oracle_model *m, const struct oracle_sender *s)
{
	const char *at = strrchr(s->entry, '@');
	size_t i;

	if (strchr(s->entry, '*') != NULL ||
	    is_ours(m, at == NULL ? s->entry : at + 1))
		return false;
	for (i = 0; at == NULL && i < m->free_mail_n; i++) {
		if (s->block && strcmp(m->free_mail[i], s->entry) == 0)
			return false;
	}
	for (i = 0; i < m->senders_n; i++) {
		if (strcmp(m->sender[i].user, s->user) == 0 &&
		    strcmp(m->sender[i].entry, s->entry) == 0)
			return false;
	}
	return true;
}

static void
senders(struct random *r, struct oracle_model *m)
{
	size_t n = random_below(r, ORACLE_SENDERS + 1), tries;

	for (tries = 0; tries < n; tries++) {
		struct oracle_sender s = { .block = random_once_in(r, 2) };

		if (m->people_n > 0 && random_once_in(r, 2))
			set(s.user, m->person[random_below(r,
			    (uint32_t)m->people_n)].address);
		else
			internal_address(r, m, s.user);
		s.permit = !s.block && random_once_in(r, 2);
		s.automatic = !s.block && !s.permit;
		entry(r, s.entry);
		if (may_be_listed(m, &s))
			m->sender[m->senders_n++] = s;
	}
}

static void
organisation(struct random *r, struct oracle_model *m)
{
	static const char *const delimiters[] = { "", "+", "+", "+-" };
	size_t i, n = 1 + random_below(r, ORACLE_DOMAINS);

	for (i = 0; i < n; i++) {
		set(m->domain[i].name, i == 0 ? "acme.ex" :
		    internal_domains[i]);
		m->domain[i].mode = random_once_in(r, 2) ? VALIDATE_DEFAULT :
		    (enum validation)random_below(r, 4);
	}
	m->domains_n = n;
	m->validation = (enum validation)(1 + random_below(r, 3));
	if (!random_once_in(r, 3))
		m->validation = VALIDATE_ANY;
	snprintf(m->delimiters, sizeof(m->delimiters), "%s",
	    PICK(r, delimiters));
	m->authorized_n = random_below(r, 2);
	for (i = 0; i < m->authorized_n; i++)
		assert(ip_prefix_parse("192.0.2.0/24", &m->authorized[i]) ==
		    0);
	m->trusted_n = random_once_in(r, 3);
	for (i = 0; i < m->trusted_n; i++)
		assert(ip_prefix_parse(PICK(r, relays), &m->trusted[i]) == 0);
	m->free_mail_n = random_below(r, 2);
	set(m->free_mail[0], "free.ex");
	m->protect_n = random_once_in(r, 4);
	set(m->protect[0], "hm");
	m->own_paths = random_once_in(r, 4);
	m->paths_n = m->own_paths && random_once_in(r, 2);
	set(m->path[0], "hm");
}

void
random_model(struct random *r, struct oracle_model *m)
{
	enum policy_type usual = random_once_in(r, 4) ?
	    POLICY_BLOCKED_SENDERS :
	    (enum policy_type)random_below(r, POLICY_TYPES);
	size_t i;

	memset(m, 0, sizeof(*m));
	organisation(r, m);
	groups(r, m);
	directory(r, m);
	senders(r, m);
	m->policies_n = random_below(r, ORACLE_POLICIES + 1);
	if (!random_once_in(r, 4))	/* few leave most messages alone */
		m->policies_n = ORACLE_POLICIES - m->policies_n / 2;
	for (i = 0; i < m->policies_n; i++)
		policy(r, m, i, usual, &m->policy[i]);
}

/* Somebody that a user's list names, or anybody. */
static void
sender(struct random *r, const struct oracle_model *m, char out[ORACLE_TEXT])
{
	const char *entry;

	if (m->senders_n == 0 || !random_once_in(r, 3)) {
		address(r, out);
		return;
	}
	entry = m->sender[random_below(r, (uint32_t)m->senders_n)].entry;
	snprintf(out, ORACLE_TEXT, "%s%s", strchr(entry, '@') == NULL ?
	    "al@" : "", entry);
}

/* Somebody of the directory or with a list, or anybody, mostly internal. */
static void
recipient(struct random *r, const struct oracle_model *m,
    char out[ORACLE_TEXT])
{
	uint32_t which = random_below(r, 4);

	if (which == 0 && m->senders_n > 0)
		set(out, m->sender[random_below(r,
		    (uint32_t)m->senders_n)].user);
	else if (which == 1 && m->people_n > 0)
		set(out, m->person[random_below(r,
		    (uint32_t)m->people_n)].address);
	else if (!random_once_in(r, 6))
		internal_address(r, m, out);
	else
		address(r, out);
}

static void
headers(struct random *r, const struct oracle_model *m,
    struct oracle_message *msg)
{
	size_t i;

	msg->has_header = !random_once_in(r, 8);
	if (!msg->has_header)
		return;
	msg->headers_n = 1;
	if (random_once_in(r, 5))
		msg->headers_n = 2 + random_below(r, 2);
	if (random_once_in(r, 100))
		msg->headers_n = DECIDE_HEADERS_MAX - 1 + random_below(r, 4);
	for (i = 0; i < msg->headers_n; i++) {
		if (i > 3)	/* many of the same, so that all may match */
			msg->header[i] = msg->header[i % 2];
		else if (msg->sender.text[0] != '\0' && random_once_in(r, 3))
			msg->header[i] = msg->sender;
		else
			sender(r, m, msg->header[i].text);
		if (random_once_in(r, 40))
			msg->header[i].ambiguous = true;
	}
	if (random_once_in(r, 3))
		set(msg->header_name, PICK(r, names));
}

void
random_message(struct random *r, const struct oracle_model *m,
    struct oracle_message *msg)
{
	memset(msg, 0, sizeof(*msg));
	sender(r, m, msg->sender.text);
	if (random_once_in(r, 12))
		msg->sender.text[0] = '\0';
	else if (random_once_in(r, 40))
		set(msg->sender.text, "al@[192.0.2.99]");
	msg->sender.ambiguous = random_once_in(r, 30);
	msg->sender_bad = random_once_in(r, 50);
	recipient(r, m, msg->rcpt.text);
	if (random_once_in(r, 100))
		set(msg->rcpt.text, random_once_in(r, 2) ? "postmaster" :
		    "al");
	msg->rcpt.ambiguous = random_once_in(r, 40);
	msg->rcpt_bad = random_once_in(r, 100);
	msg->has_ip = !random_once_in(r, 20);
	assert(ip_parse(PICK(r, clients), &msg->ip) == 0);
	if (random_once_in(r, 2))
		set(msg->host, random_once_in(r, 2) ? "mx.bad.ex" :
		    "a.mx.bad.ex");
	msg->authenticated = random_once_in(r, 8);
	msg->greylist_new = random_once_in(r, 2);
	msg->now_us = INSTANT + HOUR * random_below(r, 4) -
	    random_below(r, 2);
	headers(r, m, msg);
}
