/*
 * check.c - whether items fit each other: groups that are named exist and do
 * not hold themselves, users' lists hold external senders.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/records_impl.h"
#include "controller/policy/subject.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"

struct parts { const char *kind, *a, *b; };

static bool
has(const struct items *items, const char *kind, const char *a)
{
	char *key = item_key(kind, a, NULL);
	bool there = items_get(items, key) != NULL;

	free(key);
	return there;
}

/* A group named by a policy, an edge or an entry must be there. */
static int
check_group(const struct records *r, const struct item *it, const char *name,
    struct diag *why)
{
	char text[600];

	if (has(r->items, "group", name))
		return 0;
	snprintf(text, sizeof(text), "group \"%.255s\" is not there: add it "
	    "under groups (it may be empty), or mend the name", name);
	return item_fail(it, ERR_INVAL, why, text);
}

/* The group on a side of a policy's JSON, or NULL. */
static const char *
side_group(const json_t *policy, const char *side)
{
	return json_string_value(json_object_get(json_object_get(policy,
	    side), "group"));
}

static int
check_policy_groups(const struct records *r, const struct item *it,
    struct diag *why)
{
	static const char *const sides[] = { "from", "to" };
	json_t *v = json_loads(it->value, 0, NULL);
	int i, rc = 0;

	for (i = 0; i < 2 && rc == 0; i++) {
		const char *name = side_group(v, sides[i]);

		if (name != NULL)
			rc = check_group(r, it, name, why);
	}
	json_decref(v);
	return rc;
}

/* Follow the parents up from a group: a cycle comes back to it. */
static int
check_cycle(const struct records *r, const struct item *it,
    const char *group, struct diag *why)
{
	struct items_cursor cur;
	const struct item *edge;
	struct items seen;
	char **queue = NULL, text[700];
	size_t n = 0, cap = 0, i, head = 0;
	int rc = 0;

	items_init(&seen);
	queue = xgrow(queue, &cap, 1, sizeof(*queue));
	queue[n++] = xstrdup(group);
	while (head < n && rc == 0) {
		char *prefix = item_key("nest", queue[head++], "");

		for (edge = items_first(&cur, r->items, prefix);
		    edge != NULL && rc == 0; edge = items_next(&cur)) {
			const char *parent = edge->key + strlen(prefix);

			if (strcmp(parent, group) == 0) {
				snprintf(text, sizeof(text), "group "
				    "\"%.255s\" holds itself, by way of "
				    "\"%.255s\": take one of the two out",
				    group, queue[head - 1]);
				rc = item_fail(it, ERR_INVAL, why, text);
			}
			if (rc < 0 || items_get(&seen, parent) != NULL)
				continue;
			items_put(&seen, parent, "", "");
			queue = xgrow(queue, &cap, n + 1, sizeof(*queue));
			queue[n++] = xstrdup(parent);
		}
		free(prefix);
	}
	for (i = 0; i < n; i++)
		free(queue[i]);
	free(queue);
	items_fini(&seen);
	return rc;
}

/* Is this domain internal, itself or by "*." of a parent? */
static bool
is_internal(const struct items *items, const char *domain)
{
	bool there = has(items, "domain", domain);
	const char *dot;

	for (dot = strchr(domain, '.'); dot != NULL && !there;
	    dot = strchr(dot + 1, '.')) {
		char wild[ADDR_DOMAIN_MAX + 3];

		snprintf(wild, sizeof(wild), "*%s", dot);
		there = has(items, "domain", wild);
	}
	return there;
}

/* Only external senders; no free-mail domain as a block. */
static int
check_sender(const struct items *items, const struct item *it,
    const char *entry, struct diag *why)
{
	const char *at = strrchr(entry, '@'), *manual;
	bool block = false;
	json_t *v;

	if (is_internal(items, at == NULL ? entry : at + 1))
		return item_fail(it, ERR_INVAL, why, "a user's list holds "
		    "external senders only; this one is internal");
	if (at != NULL || !has(items, "freemail", entry))
		return 0;
	v = json_loads(it->value, 0, NULL);
	manual = json_string_value(json_object_get(v, "manual"));
	block = manual != NULL && strcmp(manual, "block") == 0;
	json_decref(v);
	return block ? item_fail(it, ERR_INVAL, why, "a free-mail domain "
	    "cannot be blocked as a domain: block the address") : 0;
}

/* Keys of records are made of the names: a byte below 0x20 would mix them. */
static bool
is_clean(const struct parts *p)
{
	const char *names[] = { p->a, p->b }, *c;
	size_t i;

	for (i = 0; i < 2; i++)
		for (c = names[i]; c != NULL && *c != '\0'; c++)
			if ((unsigned char)*c < 0x20)
				return false;
	return true;
}

int
check_item(const struct records *r, const struct item *it, struct diag *why)
{
	struct parts p;
	char *mem;
	uint8_t cls;
	int rc = 0;

	item_split(it->key, &mem, &p.kind, &p.a, &p.b);
	cls = subject_class(p.kind);
	if (cls == 0 || p.a == NULL || (p.b != NULL) !=
	    (cls == RECORD_ENTRY || cls == RECORD_USER ||
	    strcmp(p.kind, "nest") == 0))
		rc = item_fail(it, ERR_VERSION, why,
		    "an item of unknown kind");
	else if (!is_clean(&p))
		rc = item_fail(it, ERR_INVAL, why,
		    "a name holds a control byte");
	else if (strcmp(p.kind, "nest") == 0) {
		if ((rc = check_group(r, it, p.a, why)) == 0 &&
		    (rc = check_group(r, it, p.b, why)) == 0)
			rc = check_cycle(r, it, p.b, why);
	} else if (cls == RECORD_ENTRY)
		rc = check_group(r, it, p.b, why);
	else if (cls == RECORD_POLICY)
		rc = check_policy_groups(r, it, why);
	else if (cls == RECORD_USER)
		rc = check_sender(r->items, it, p.b, why);
	free(mem);
	return rc;
}

/* --- what a change does to others --- */

static bool
is_kind(const char *key, const char *kind)
{
	size_t n = strlen(kind);

	return strncmp(key, kind, n) == 0 && key[n] == ITEM_SEP;
}

static int
check_each(const struct records *r, const char *kind, struct diag *why)
{
	char *prefix = item_key(kind, "", NULL);
	struct items_cursor cur;
	const struct item *it;
	int rc = 0;

	for (it = items_first(&cur, r->items, prefix); it != NULL && rc == 0;
	    it = items_next(&cur))
		rc = check_item(r, it, why);
	free(prefix);
	return rc;
}

/* Users' lists may hold nothing that the items in `added` make wrong. */
static int
check_senders(const struct records *r, const struct items *added,
    struct diag *why)
{
	struct items_cursor cur;
	const struct item *it;
	int rc = 0;

	for (it = items_first(&cur, r->items, "sender" ITEM_SEP_S);
	    it != NULL && rc == 0; it = items_next(&cur)) {
		const char *user = strchr(it->key, ITEM_SEP) + 1;
		const char *entry = strchr(user, ITEM_SEP);

		if (entry != NULL)
			rc = check_sender(added, it, entry + 1, why);
	}
	return rc;
}

int
check_others(const struct records *r, const struct change *c,
    struct diag *why)
{
	bool group_gone = false;
	struct items added;
	size_t i;
	int rc = 0;

	items_init(&added);
	for (i = 0; i < c->n; i++) {
		const struct change_item *x = &c->c[i];

		if (x->after == NULL)
			group_gone = group_gone || is_kind(x->key, "group");
		else if (x->before == NULL && (is_kind(x->key, "domain") ||
		    is_kind(x->key, "freemail")))
			items_put(&added, x->key, "{}", "");
	}
	/* Rare, and the only steps that look at all items. */
	if (group_gone && ((rc = check_each(r, "policy", why)) < 0 ||
	    (rc = check_each(r, "nest", why)) < 0))
		goto out;
	if (group_gone)
		rc = check_each(r, "entry", why);
	if (rc == 0 && items_n(&added) > 0)
		rc = check_senders(r, &added, why);
out:
	items_fini(&added);
	return rc;
}
