/*
 * lint_sets.c - the organisation, profile groups and their entries.
 */
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/cover.h"
#include "controller/policy/lint_impl.h"
#include "proto/base/names.h"
#include "proto/mail/addr.h"
#include "proto/mail/ip.h"

/* The groups whose senders some live policy blocks, with all groups in
 * them. */
static void
blocking_groups(const struct lint *l, struct names *out)
{
	const struct item *it;
	struct items_cursor c;
	bool more = true;
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct policy *p = &l->policy[i].p;

		if (l->policy[i].live && p->action == ACTION_BLOCK &&
		    p->from.kind == TARGET_GROUP)
			names_add(out, p->from.text, NULL);
	}
	while (more) {
		more = false;
		for (it = items_first(&c, l->items, "nest" ITEM_SEP_S);
		    it != NULL; it = items_next(&c)) {
			const char *kind, *child, *parent;
			bool added = false;
			char *mem;

			item_split(it->key, &mem, &kind, &child, &parent);
			if (names_get(out, parent) != NULL)
				names_add(out, child, &added);
			more = more || added;
			free(mem);
		}
	}
}

/* Is the group named by a policy, or part of another group? */
static bool
is_referenced(const struct lint *l, const char *group)
{
	char *prefix = item_key("nest", group, "");
	struct items_cursor c;
	bool found = items_first(&c, l->items, prefix) != NULL;
	size_t i;

	free(prefix);
	for (i = 0; i < l->n && !found; i++) {
		const struct policy *p = &l->policy[i].p;

		found = (p->from.kind == TARGET_GROUP &&
		    strcmp(p->from.text, group) == 0) ||
		    (p->to.kind == TARGET_GROUP &&
		    strcmp(p->to.text, group) == 0);
	}
	return found || strcmp(group, "Relay") == 0;
}

static void
check_groups(struct lint *l)
{
	const struct item *it;
	struct items_cursor c;
	char subject[300];

	for (it = items_first(&c, l->items, "group" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		const char *name = strchr(it->key, ITEM_SEP) + 1;

		if (is_referenced(l, name))
			continue;
		snprintf(subject, sizeof(subject), "group \"%.255s\"", name);
		lint_add(l, LINT_WARNING, "unreferenced", it, subject,
		    "name it in a policy or another group, or delete it",
		    "no policy and no group names it");
	}
}

/* Local parts that name one message or one delivery: VERP, BATV, SRS. */
static bool
is_one_time(const char *address)
{
	const char *at = strrchr(address, '@'), *p;
	int digits = 0;

	if (at == NULL)
		return false;
	if (strncmp(address, "srs0=", 5) == 0 ||
	    strncmp(address, "srs1=", 5) == 0 ||
	    strncmp(address, "prvs=", 5) == 0)
		return true;
	for (p = address; p < at; p++) {
		if (*p == '=')
			return true;	/* VERP: the recipient inside */
		digits = *p >= '0' && *p <= '9' ? digits + 1 : 0;
		if (digits >= 8)
			return true;	/* a number of one delivery */
	}
	return false;
}

static void
check_entry(struct lint *l, const struct item *it, const char *entry,
    const char *group, bool blocks)
{
	const char *domain = strncmp(entry, "*.", 2) == 0 ? entry + 2 :
	    entry;
	const psl_ctx_t *psl = psl_builtin();
	char subject[300];

	snprintf(subject, sizeof(subject), "group \"%.255s\"", group);
	if (is_one_time(entry)) {
		lint_add(l, LINT_WARNING, "one_time", it, subject,
		    "enter the domain, or the header From address",
		    "%s is an address of one delivery: it will not come "
		    "again", entry);
		return;
	}
	if (!blocks || strchr(entry, '@') != NULL)
		return;
	if (cover_is_internal(l->items, domain))
		lint_add(l, LINT_WARNING, "blocks_internal", it, subject,
		    "take it out; use anti-spoofing against forged senders",
		    "%s is your own domain, and this group blocks", entry);
	else if (cover_is_free_mail(l->items, domain))
		lint_add(l, LINT_WARNING, "blocks_free_mail", it, subject,
		    "enter the address", "%s is a free-mail provider: this "
		    "blocks all of its users", entry);
	else if (psl != NULL && psl_is_public_suffix2(psl, domain,
	    PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE))
		lint_add(l, LINT_WARNING, "blocks_suffix", it, subject,
		    "enter the domains that are meant",
		    "%s is a public suffix: everybody may register below it",
		    entry);
}

static void
check_entries(struct lint *l)
{
	struct names blocking = { NULL, 0, 0 };
	struct items_cursor c;
	const struct item *it;
	size_t n = 0;

	blocking_groups(l, &blocking);
	for (it = items_first(&c, l->items, "entry" ITEM_SEP_S); it != NULL &&
	    n < LINT_ENTRIES_MAX; it = items_next(&c), n++) {
		const char *kind, *entry, *group;
		char *mem;

		item_split(it->key, &mem, &kind, &entry, &group);
		check_entry(l, it, entry, group,
		    names_get(&blocking, group) != NULL);
		free(mem);
	}
	l->cut = l->cut || it != NULL;
	names_fini(&blocking);
}

/* Prefixes as they stand in "range PREFIX". */
static void
check_ranges(struct lint *l)
{
	const struct item *it;
	struct items_cursor c;

	for (it = items_first(&c, l->items, "range" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		const char *text = strchr(it->key, ITEM_SEP) + 1;
		struct ip_prefix p;
		bool v4;

		if (ip_prefix_parse(text, &p) < 0)
			continue;
		v4 = ip_is_v4(&p.ip);
		if (v4 ? p.len >= 96 + 24 : p.len >= 48)
			continue;
		lint_add(l, p.len <= (v4 ? 96 : 0) ? LINT_REFUSED :
		    LINT_WARNING, "wide_range", it, "authorized_outbound",
		    "name the networks that are yours", "%s lets many "
		    "clients send anywhere through you: shorter than %s",
		    text, v4 ? "/24" : "/48");
	}
}

void
lint_sets(struct lint *l)
{
	check_ranges(l);
	check_groups(l);
	check_entries(l);
}
