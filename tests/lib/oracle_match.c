/*
 * oracle_match.c - the oracle's half of matching: identities, targets, keys,
 * and which policy wins.
 */
#include "tests/lib/oracle_impl.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

const char *
oracle_domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at == NULL ? "" : at + 1;
}

static int
labels(const char *domain)
{
	int n = 1;

	for (; *domain != '\0'; domain++)
		n += *domain == '.';
	return n;
}

/* Precision with which a list entry or domain target covers a domain. */
static int
domain_covers(const char *entry, const char *domain)
{
	size_t e = strlen(entry), d = strlen(domain);

	if (domain[0] == '[' || d == 0)
		return -1;
	if (strncmp(entry, "*.", 2) != 0)
		return strcmp(entry, domain) == 0 ? 2000 : -1;
	/* ".bad.example" must end it, with something before */
	if (d > e - 1 && strcmp(domain + d - (e - 1), entry + 1) == 0)
		return 1000 + labels(entry + 2);
	return -1;
}

static int
entry_covers(const char *entry, const char *address)
{
	if (strchr(entry, '@') != NULL)
		return strcmp(entry, address) == 0 ? 3000 : -1;
	return domain_covers(entry, oracle_domain_of(address));
}

bool
oracle_is_internal(const struct oracle_model *m, const char *address)
{
	size_t i;

	for (i = 0; i < m->domains_n; i++) {
		if (domain_covers(m->domain[i].name,
		    oracle_domain_of(address)) > 0)
			return true;
	}
	return false;
}

bool
oracle_strip(const char *address, const char *delimiters,
    char out[ORACLE_TEXT])
{
	const char *at = strrchr(address, '@'), *p;

	if (at == NULL || address[0] == '"')
		return false;
	for (p = address + 1; p < at; p++) {
		if (strchr(delimiters, *p) != NULL) {
			snprintf(out, ORACLE_TEXT, "%.*s%s",
			    (int)(p - address), address, at);
			return true;
		}
	}
	return false;
}

static bool
is_v4(const struct ip *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip->b, mapped, sizeof(mapped)) == 0;
}

/* Bit by bit: the length of the longest prefix that holds ip, or -1.  An IPv4
 * address, mapped or not, is in no IPv6 prefix. */
static int
longest(const struct ip_prefix *p, size_t n, bool has_ip, const struct ip *ip)
{
	int best = -1;
	size_t i;
	int bit;

	for (i = 0; has_ip && i < n; i++) {
		if (is_v4(ip) && p[i].len < 96)
			continue;
		for (bit = 0; bit < p[i].len; bit++) {
			int mask = 0x80 >> (bit % 8);

			if ((ip->b[bit / 8] & mask) !=
			    (p[i].ip.b[bit / 8] & mask))
				break;
		}
		if (bit == p[i].len && bit > best)
			best = bit;
	}
	return best;
}

bool
oracle_in_prefixes(const struct ip_prefix *p, size_t n, bool has_ip,
    const struct ip *ip)
{
	return longest(p, n, has_ip, ip) >= 0;
}

bool
oracle_authorised(const struct oracle_model *m,
    const struct oracle_message *msg)
{
	return msg->authenticated || oracle_in_prefixes(m->authorized,
	    m->authorized_n, msg->has_ip, &msg->ip);
}

bool
oracle_trusted(const struct oracle_model *m, const struct oracle_message *msg)
{
	return oracle_in_prefixes(m->trusted, m->trusted_n, msg->has_ip,
	    &msg->ip);
}

static const struct oracle_person *
person_of(const struct oracle_model *m, const char *address)
{
	size_t i, k;

	for (i = 0; i < m->people_n; i++) {
		if (strcmp(m->person[i].address, address) == 0)
			return &m->person[i];
	}
	for (i = 0; i < m->people_n; i++) {
		for (k = 0; k < m->person[i].aliases_n; k++) {
			if (strcmp(m->person[i].alias[k], address) == 0)
				return &m->person[i];
		}
	}
	return NULL;
}

void
oracle_recipient(const struct oracle_model *m,
    const struct oracle_message *msg, struct oracle_rcpt *out)
{
	const char *given = msg->rcpt.text;
	size_t i;

	memset(out, 0, sizeof(*out));
	snprintf(out->form[out->n++], ORACLE_TEXT, "%s", given);
	if (oracle_is_internal(m, given) &&
	    oracle_strip(given, m->delimiters, out->form[out->n]))
		out->n++;
	for (i = 0; i < out->n && out->person == NULL; i++)
		out->person = person_of(m, out->form[i]);
	snprintf(out->user, ORACLE_TEXT, "%s", out->person != NULL ?
	    out->person->address : out->form[out->n - 1]);
	if (out->person != NULL)
		snprintf(out->form[out->n++], ORACLE_TEXT, "%s",
		    out->person->address);
}

int
oracle_group_holds(const struct oracle_model *m, const char *name,
    const char *address)
{
	bool in[ORACLE_GROUPS] = { false }, grown = true;
	int best = -1;
	size_t i, k;

	for (i = 0; i < m->groups_n; i++)
		in[i] = strcmp(m->group[i].name, name) == 0;
	while (grown) {
		grown = false;
		for (i = 0; i < m->groups_n; i++) {
			for (k = 0; in[i] && k < m->group[i].children_n; k++) {
				size_t child = m->group[i].child[k];

				grown |= !in[child];
				in[child] = true;
			}
		}
	}
	for (i = 0; i < m->groups_n; i++) {
		for (k = 0; in[i] && k < m->group[i].entries_n; k++) {
			int p = entry_covers(m->group[i].entry[k], address);

			if (p > best)
				best = p;
		}
	}
	return best;
}

static bool
has_attribute(const struct oracle_model *m, const struct oracle_target *t,
    const char *address)
{
	size_t i;

	for (i = 0; i < m->people_n; i++) {
		const struct oracle_person *p = &m->person[i];

		if (strcmp(p->address, address) == 0 &&
		    p->attribute[0] != '\0' &&
		    strcmp(p->attribute, t->text) == 0 &&
		    strcmp(p->value, t->value) == 0)
			return true;
	}
	return false;
}

/* One address against one target: precision, or -1. */
static int
address_matches(const struct oracle_model *m, const struct oracle_target *t,
    const char *address, bool internal)
{
	bool null = address[0] == '\0';
	size_t i;

	switch (t->kind) {
	case TARGET_EVERYONE:
		return 0;
	case TARGET_INTERNAL:
		return internal ? 0 : -1;
	case TARGET_EXTERNAL:
		return internal ? -1 : 0;
	case TARGET_FREE_MAIL:
		for (i = 0; i < m->free_mail_n; i++) {
			if (strcmp(m->free_mail[i],
			    oracle_domain_of(address)) == 0)
				return 0;
		}
		return -1;
	case TARGET_DOMAIN:
		return null ? -1 : domain_covers(t->text,
		    oracle_domain_of(address));
	case TARGET_GROUP:
		return null ? -1 : oracle_group_holds(m, t->text, address);
	case TARGET_ATTRIBUTE:
		return has_attribute(m, t, address) ? 0 : -1;
	case TARGET_ADDRESS:
		return strcmp(address, t->text) == 0 ? 3000 : -1;
	default:
		return -1;
	}
}

static bool
is_allow(const struct oracle_policy *p)
{
	return p->action == ACTION_PERMIT ||
	    p->action == ACTION_TAKE_NO_ACTION;
}

static int
recipient_matches(const struct oracle_model *m,
    const struct oracle_message *msg, const struct oracle_rcpt *r,
    const struct oracle_target *t, bool allow)
{
	int best = -1;
	size_t i;

	if (allow && msg->rcpt.ambiguous)
		return -1;
	for (i = 0; i < r->n; i++) {
		/* bare postmaster is ours */
		bool internal = strchr(r->form[i], '@') == NULL ||
		    oracle_is_internal(m, r->form[i]);
		int p = address_matches(m, t, r->form[i], internal);

		if (p > best)
			best = p;
	}
	return best;
}

/* An address that sends: a block of an external one holds for the form
 * without its extension too. */
static int
sender_matches(const struct oracle_model *m, const struct oracle_address *a,
    const struct oracle_target *t, bool internal,
    const struct oracle_policy *policy)
{
	char base[ORACLE_TEXT];
	int best, p;

	if (is_allow(policy) && a->ambiguous)
		return -1;
	best = address_matches(m, t, a->text, internal);
	if (policy->action == ACTION_BLOCK && !internal &&
	    oracle_strip(a->text, m->delimiters, base)) {
		p = address_matches(m, t, base, internal);
		if (p > best)
			best = p;
	}
	return best;
}

static int
envelope_matches(const struct oracle_model *m,
    const struct oracle_message *msg, const struct oracle_target *t,
    const struct oracle_policy *policy)
{
	bool internal = msg->sender.text[0] == '\0' ?
	    oracle_authorised(m, msg) :
	    oracle_is_internal(m, msg->sender.text);

	return sender_matches(m, &msg->sender, t, internal, policy);
}

/* All header addresses for an allow, any for the rest. */
static int
header_matches(const struct oracle_model *m,
    const struct oracle_message *msg, const struct oracle_target *t,
    const struct oracle_policy *policy)
{
	bool allow = is_allow(policy);
	int best = -1, worst = INT_MAX;
	size_t i;

	if (!msg->has_header || msg->headers_n == 0)
		return -1;
	if (allow && msg->headers_n > DECIDE_HEADERS_MAX)
		return -1;
	for (i = 0; i < msg->headers_n && i < DECIDE_HEADERS_MAX; i++) {
		const struct oracle_address *a = &msg->header[i];
		int p;

		if (t->kind == TARGET_DISPLAY_NAME)
			p = msg->header_name[0] != '\0' &&
			    strcmp(msg->header_name, t->text) == 0 &&
			    !(allow && a->ambiguous) ? 0 : -1;
		else
			p = sender_matches(m, a, t,
			    oracle_is_internal(m, a->text), policy);
		if (p > best)
			best = p;
		if (p < worst)
			worst = p;
	}
	return allow ? worst : best;
}

bool
oracle_key_above(const struct oracle_key *a, const struct oracle_key *b)
{
	if (a->override != b->override)
		return a->override > b->override;
	if (a->rank_from != b->rank_from)
		return a->rank_from > b->rank_from;
	if (a->rank_to != b->rank_to)
		return a->rank_to > b->rank_to;
	if (a->precision_from != b->precision_from)
		return a->precision_from > b->precision_from;
	if (a->precision_to != b->precision_to)
		return a->precision_to > b->precision_to;
	if (a->ip != b->ip)
		return a->ip > b->ip;
	return a->action > b->action;
}

static int
rank(enum target_kind k)
{
	switch (k) {
	case TARGET_EVERYONE: return 10;
	case TARGET_INTERNAL: return 20;
	case TARGET_EXTERNAL: return 30;
	case TARGET_FREE_MAIL: return 35;
	case TARGET_DOMAIN: return 40;
	case TARGET_GROUP: return 50;
	case TARGET_ATTRIBUTE: return 60;
	case TARGET_DISPLAY_NAME: return 65;
	case TARGET_ADDRESS: return 70;
	default: return 0;
	}
}

/* Block over take no action, apply over it, but it over permit. */
static int
action_value(enum policy_action a)
{
	return a == ACTION_PERMIT ? 0 : a == ACTION_TAKE_NO_ACTION ? 1 : 2;
}

static bool
in_force(const struct oracle_policy *p, int64_t now)
{
	return p->enabled && (!p->has_from || now >= p->from_us) &&
	    (!p->has_until || now < p->until_us);
}

static bool
conditions_met(const struct oracle_model *m, const struct oracle_message *msg,
    const struct oracle_policy *p)
{
	size_t i;

	if (p->ips_n == 0 && p->hosts_n == 0)
		return true;
	if (oracle_trusted(m, msg))
		return false;
	if (p->ips_n > 0 && longest(p->ips, p->ips_n, msg->has_ip,
	    &msg->ip) < 0)
		return false;
	if (p->hosts_n == 0)
		return true;
	for (i = 0; i < p->hosts_n; i++) {
		if (msg->host[0] != '\0' &&
		    domain_covers(p->hosts[i], msg->host) > 0)
			return true;
	}
	return false;
}

/* Fill the key of one orientation; false when the recipient is no match or a
 * condition is not met.  precision_from is left to the caller. */
static bool
key_begin(const struct oracle_model *m, const struct oracle_message *msg,
    const struct oracle_rcpt *r, const struct oracle_policy *p, bool reverse,
    struct oracle_key *key)
{
	const struct oracle_target *s = reverse ? &p->to : &p->from;
	const struct oracle_target *t = reverse ? &p->from : &p->to;
	int to = recipient_matches(m, msg, r, t, is_allow(p));

	if (to < 0 || (!reverse && !conditions_met(m, msg, p)))
		return false;
	key->override = p->override;
	key->rank_from = rank(s->kind);
	key->rank_to = rank(t->kind);
	key->precision_to = to;
	key->ip = reverse ? -1 : longest(p->ips, p->ips_n, msg->has_ip,
	    &msg->ip);
	key->action = action_value(p->action);
	return true;
}

static void
consider(struct oracle_winner *best, const struct oracle_policy *p,
    const struct oracle_key *key, int identity)
{
	bool better;

	if (!best->is || oracle_key_above(key, &best->key))
		better = true;
	else if (oracle_key_above(&best->key, key))
		better = false;
	else if (best->policy == p)	/* equal keys: the envelope */
		better = identity < best->identity;
	else
		better = strcmp(p->id, best->policy->id) < 0;
	if (better)
		*best = (struct oracle_winner){ true, p, *key, identity };
}

void
oracle_winner(const struct oracle_model *m, const struct oracle_message *msg,
    const struct oracle_rcpt *r, enum policy_type type, int look,
    bool monitored, struct oracle_winner *out)
{
	size_t i;
	int reverse;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < m->policies_n; i++) {
		const struct oracle_policy *p = &m->policy[i];

		if (p->type != type || !in_force(p, msg->now_us) ||
		    (p->monitor && !monitored))
			continue;
		for (reverse = 0; reverse <= p->bidirectional; reverse++) {
			const struct oracle_target *s = reverse ? &p->to :
			    &p->from;
			struct oracle_key key;

			if (!key_begin(m, msg, r, p, reverse, &key))
				continue;
			key.precision_from = (p->based_on & BASED_ENVELOPE) &&
			    (look & LOOK_ENVELOPE) ? envelope_matches(m, msg,
			    s, p) : -1;
			if (key.precision_from >= 0)
				consider(out, p, &key, LOOK_ENVELOPE);
			key.precision_from = (p->based_on & BASED_HEADER) &&
			    (look & LOOK_HEADER) ? header_matches(m, msg, s,
			    p) : -1;
			if (key.precision_from >= 0)
				consider(out, p, &key, LOOK_HEADER);
		}
	}
}

/* The highest precision that a target can reach with any sender at all. */
static int
reach(const struct oracle_target *t)
{
	if (t->kind == TARGET_ADDRESS || t->kind == TARGET_GROUP)
		return 3000;
	if (t->kind != TARGET_DOMAIN)
		return 0;
	return strncmp(t->text, "*.", 2) == 0 ?
	    1000 + labels(t->text + 2) : 2000;
}

bool
oracle_could_lift(const struct oracle_model *m,
    const struct oracle_message *msg, const struct oracle_rcpt *r,
    const struct oracle_winner *block)
{
	size_t i;
	int reverse;

	for (i = 0; i < m->policies_n; i++) {
		const struct oracle_policy *p = &m->policy[i];

		if (p->type != block->policy->type || p->monitor ||
		    !in_force(p, msg->now_us) ||
		    p->action != ACTION_TAKE_NO_ACTION ||
		    !(p->based_on & BASED_HEADER))
			continue;
		for (reverse = 0; reverse <= p->bidirectional; reverse++) {
			struct oracle_key key;

			if (!key_begin(m, msg, r, p, reverse, &key))
				continue;
			key.precision_from = reach(reverse ? &p->to :
			    &p->from);
			if (oracle_key_above(&key, &block->key))
				return true;
		}
	}
	return false;
}

uint32_t
oracle_header_rules(const struct oracle_model *m,
    const struct oracle_message *msg)
{
	struct oracle_rcpt r;
	struct oracle_key key;
	uint32_t rules = 0;
	size_t i;

	oracle_recipient(m, msg, &r);
	for (i = 0; i < m->policies_n; i++) {
		const struct oracle_policy *p = &m->policy[i];

		if ((p->type != POLICY_BLOCKED_SENDERS &&
		    p->type != POLICY_ANTI_SPOOFING) || p->monitor ||
		    !(p->based_on & BASED_HEADER) ||
		    !in_force(p, msg->now_us))
			continue;
		if (key_begin(m, msg, &r, p, false, &key) ||
		    (p->bidirectional && key_begin(m, msg, &r, p, true,
		    &key)))
			rules |= UINT32_C(1) << i;
	}
	return rules;
}
