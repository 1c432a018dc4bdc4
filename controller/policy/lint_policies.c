/*
 * lint_policies.c - each policy by itself: what it opens, what it refuses
 * that nobody meant, and whether it still does anything.
 */
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/cover.h"
#include "controller/policy/lint_impl.h"
#include "proto/base/clock.h"
#include "proto/mail/addr.h"

#define UNUSED_DAYS 90
#define DAY_US ((int64_t)86400 * 1000000)

static bool
is_blocking(const struct policy *p)
{
	return p->type == POLICY_BLOCKED_SENDERS && p->action == ACTION_BLOCK;
}

static bool
is_bare(const struct policy *p)
{
	return p->ips_n == 0 && p->hosts_n == 0;
}

/* What a target names when it is an address or a domain, "" else. */
static const char *
named(const struct target *t)
{
	return t->kind == TARGET_ADDRESS || t->kind == TARGET_DOMAIN ?
	    t->text : "";
}

static void
check_scope(struct lint *l, const struct lint_policy *lp, const char *who)
{
	const struct policy *p = &lp->p;
	bool wide = p->from.kind == TARGET_EVERYONE ||
	    p->from.kind == TARGET_EXTERNAL;

	if (p->override && p->from.kind == TARGET_EVERYONE)
		lint_add(l, LINT_WARNING, "override_everyone", lp->item, who,
		    "name the senders, or take override away",
		    "override on From Everyone beats every other policy of "
		    "its type, whatever it names");
	if (is_blocking(p) && wide && is_bare(p) &&
	    (p->based_on & BASED_ENVELOPE) != 0)
		lint_add(l, LINT_WARNING, "blocks_bounces", lp->item, who,
		    "say source_ips, or block {group: ..} of the senders "
		    "that are meant", "it also refuses bounces and callouts: "
		    "the null sender %s", p->from.kind == TARGET_EVERYONE ?
		    "matches Everyone" : "is external");
	if (p->action == ACTION_PERMIT && (p->from.kind == TARGET_INTERNAL ||
	    (named(&p->from)[0] != '\0' && cover_is_internal(l->items,
	    strchr(named(&p->from), '@') == NULL ? named(&p->from) :
	    strrchr(named(&p->from), '@') + 1))))
		lint_add(l, LINT_WARNING, "permits_internal", lp->item, who,
		    "delete it: mail from your own clients is not checked "
		    "for this", "it permits an internal domain: whoever "
		    "forges that domain skips the spam checks");
	if ((p->action == ACTION_TAKE_NO_ACTION ||
	    p->action == ACTION_PERMIT) &&
	    (p->based_on & BASED_HEADER) != 0 && is_bare(p))
		lint_add(l, LINT_WARNING, "forgeable", lp->item, who,
		    "say source_ips or hostnames, or base it on the envelope",
		    "it can match by the header From alone, which anybody "
		    "can write");
}

/* A block of a public suffix or a free-mail domain, as such. */
static void
check_reach(struct lint *l, const struct lint_policy *lp, const char *who)
{
	const char *domain = lp->p.from.text;
	const psl_ctx_t *psl = psl_builtin();

	if (!is_blocking(&lp->p) || lp->p.from.kind != TARGET_DOMAIN)
		return;
	if (strncmp(domain, "*.", 2) == 0)
		domain += 2;
	if (psl != NULL && psl_is_public_suffix2(psl, domain,
	    PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE))
		lint_add(l, LINT_WARNING, "blocks_suffix", lp->item, who,
		    "name the domains that are meant",
		    "%s is a public suffix: everybody may register below it",
		    domain);
	else if (cover_is_free_mail(l->items, domain))
		lint_add(l, LINT_WARNING, "blocks_free_mail", lp->item, who,
		    "block the address", "%s is a free-mail provider: this "
		    "blocks all of its users", domain);
}

static bool
is_protected(const struct lint *l, const char *address)
{
	const char *at = strrchr(address, '@');
	char local[65];
	size_t n;
	bool there;
	char *key;

	if (at == NULL || !cover_is_internal(l->items, at + 1))
		return false;
	n = strcspn(address, "+@");
	if (n >= sizeof(local))
		return false;
	memcpy(local, address, n);
	local[n] = '\0';
	key = item_key("protected", local, NULL);
	there = items_get(l->items, key) != NULL;
	free(key);
	return there || strcmp(local, "postmaster") == 0 ||
	    strcmp(local, "abuse") == 0;
}

static void
check_life(struct lint *l, const struct lint_policy *lp, const char *who)
{
	const struct policy *p = &lp->p;
	char until[CLOCK_TEXT_LEN];
	int64_t last;

	if (p->to.kind == TARGET_ADDRESS && is_protected(l, p->to.text))
		lint_add(l, LINT_WARNING, "protected", lp->item, who,
		    "delete it", "it never has an effect: %s is a protected "
		    "recipient (RFC 5321 section 4.5.1)", p->to.text);
	if (p->enabled && p->valid_until_us <= l->o->now_us) {
		clock_format(p->valid_until_us, until);
		lint_add(l, LINT_WARNING, "expired", lp->item, who,
		    "delete it, or give it a new end",
		    "it ended at %s", until);
		return;
	}
	if (!lp->live || l->o->last_used_us == NULL)
		return;
	last = l->o->last_used_us(l->o->arg, p->id);
	if (last >= 0 && last < l->o->now_us - UNUSED_DAYS * DAY_US)
		lint_add(l, LINT_WARNING, "unused", lp->item, who,
		    "delete it if nobody knows what it was for",
		    "it decided nothing for %d days", UNUSED_DAYS);
}

/* Is an anti-spoofing policy in force for this internal domain? */
static bool
has_anti_spoofing(const struct lint *l, const char *domain)
{
	struct target t = { .kind = TARGET_DOMAIN };
	bool found = false;
	size_t i;

	t.text = strdup(domain);
	for (i = 0; i < l->n && !found; i++) {
		const struct lint_policy *lp = &l->policy[i];

		found = lp->live && lp->p.type == POLICY_ANTI_SPOOFING &&
		    lp->p.action == ACTION_APPLY && is_bare(&lp->p) &&
		    lp->p.valid_from_us <= l->o->now_us &&
		    (lp->p.from.kind == TARGET_INTERNAL ||
		    cover_target(l->items, &lp->p.from, &t));
	}
	free(t.text);
	return found;
}

/* The first policy that trusts "internal" or "external" as a sender. */
static const struct lint_policy *
trusting_policy(const struct lint *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (l->policy[i].live &&
		    l->policy[i].p.type != POLICY_ANTI_SPOOFING &&
		    (l->policy[i].p.from.kind == TARGET_INTERNAL ||
		    l->policy[i].p.from.kind == TARGET_EXTERNAL))
			return &l->policy[i];
	}
	return NULL;
}

static void
check_spoofing(struct lint *l)
{
	const struct lint_policy *lp = trusting_policy(l);
	const struct item *it;
	struct items_cursor c;
	char who[80];

	if (lp == NULL)
		return;
	lint_subject(&lp->p, who);
	for (it = items_first(&c, l->items, "domain" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		const char *domain = strchr(it->key, ITEM_SEP) + 1;

		if (has_anti_spoofing(l, domain))
			continue;
		lint_add(l, LINT_WARNING, "spoofable", lp->item, who,
		    "add an anti_spoofing policy {from: internal, to: "
		    "internal, action: apply}", "it tells internal from "
		    "external senders, but no anti-spoofing policy is in "
		    "force for %s: anybody may write it as a sender", domain);
		return;
	}
}

void
lint_policies(struct lint *l)
{
	char *key = item_key("setting", "header_stage", NULL);
	const struct item *stage = items_get(l->items, key);
	bool no_headers = stage != NULL && strcmp(stage->value,
	    "\"no\"") == 0;
	size_t i;

	free(key);
	for (i = 0; i < l->n; i++) {
		const struct lint_policy *lp = &l->policy[i];
		char who[80];

		lint_subject(&lp->p, who);
		check_life(l, lp, who);
		if (!lp->p.enabled || lp->p.valid_until_us <= l->o->now_us)
			continue;
		check_scope(l, lp, who);
		check_reach(l, lp, who);
		if (no_headers && (lp->p.based_on & BASED_HEADER) != 0)
			lint_add(l, LINT_WARNING, "no_header_stage",
			    lp->item, who, "set header_stage to auto and "
			    "connect the mail servers by milter, or base it "
			    "on the envelope", "it asks for the header From, "
			    "but header_stage is \"no\": headers are never "
			    "seen");
	}
	check_spoofing(l);
}
