/*
 * cover.c - targets held against targets, from the items alone.
 */
#include "controller/policy/cover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/free_mail.h"
#include "proto/base/buf.h"
#include "proto/mail/addr.h"

#define DEPTH_MAX 64		/* groups in groups looked through */

static bool
has(const struct items *items, const char *kind, const char *a,
    const char *b)
{
	char *key = item_key(kind, a, b);
	bool there = items_get(items, key) != NULL;

	free(key);
	return there;
}

/* Does kind hold "*." and a proper suffix of domain? */
static bool
has_wild(const struct items *items, const char *kind, const char *domain,
    const char *b)
{
	char wild[ADDR_DOMAIN_MAX + 3];
	const char *dot;

	for (dot = strchr(domain, '.'); dot != NULL;
	    dot = strchr(dot + 1, '.')) {
		snprintf(wild, sizeof(wild), "*%s", dot);
		if (has(items, kind, wild, b))
			return true;
	}
	return false;
}

bool
cover_is_internal(const struct items *items, const char *domain)
{
	return has(items, "domain", domain, NULL) ||
	    has_wild(items, "domain", domain, NULL);
}

bool
cover_is_free_mail(const struct items *items, const char *domain)
{
	const char *const *p;

	if (has(items, "setting", "free_mail_domains", NULL))
		return has(items, "freemail", domain, NULL);
	for (p = free_mail_builtin(); *p != NULL; p++) {
		if (strcmp(*p, domain) == 0)
			return true;
	}
	return false;
}

/* Does this group itself hold the entry, or one that is wider? */
static bool
holds_directly(const struct items *items, const char *group,
    const char *entry)
{
	const char *at = strrchr(entry, '@');
	const char *domain = at == NULL ? entry : at + 1;

	if (has(items, "entry", entry, group))
		return true;
	if (strncmp(domain, "*.", 2) == 0)
		return has_wild(items, "entry", domain + 2, group);
	return (at != NULL && has(items, "entry", domain, group)) ||
	    has_wild(items, "entry", domain, group);
}

/* Groups still to be looked through, each once. */
struct below { char *name[DEPTH_MAX]; size_t n; };

static void
push(struct below *b, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		if (strlen(b->name[i]) == len &&
		    memcmp(b->name[i], name, len) == 0)
			return;
	}
	if (b->n < DEPTH_MAX)
		b->name[b->n++] = strndup(name, len);
}

/* Put the groups that stand directly in `group` on the list. */
static void
push_children(const struct items *items, const char *group,
    struct below *b)
{
	struct items_cursor c;
	const struct item *it;

	for (it = items_first(&c, items, "nest" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		const char *child = it->key + strlen("nest" ITEM_SEP_S);
		const char *parent = strchr(child, ITEM_SEP) + 1;

		if (strcmp(parent, group) == 0)
			push(b, child, (size_t)(parent - child) - 1);
	}
}

/* Is group `inner` the same as `outer`, or in it? */
static bool
group_in(const struct items *items, const char *outer, const char *inner)
{
	struct below b = { .n = 0 };
	bool found = false;
	size_t i;

	push(&b, outer, strlen(outer));
	for (i = 0; i < b.n; i++) {
		found = found || strcmp(b.name[i], inner) == 0;
		if (!found)
			push_children(items, b.name[i], &b);
	}
	for (i = 0; i < b.n; i++)
		free(b.name[i]);
	return found;
}

bool
cover_group_holds(const struct items *items, const char *group,
    const char *entry)
{
	struct below b = { .n = 0 };
	bool found = false;
	size_t i;

	push(&b, group, strlen(group));
	for (i = 0; i < b.n; i++) {
		found = found || holds_directly(items, b.name[i], entry);
		if (!found)
			push_children(items, b.name[i], &b);
	}
	for (i = 0; i < b.n; i++)
		free(b.name[i]);
	return found;
}

/* The domain of a target that names an address or a domain without a star,
 * else NULL. */
static const char *
one_domain(const struct target *t)
{
	const char *at;

	if (t->kind == TARGET_ADDRESS && (at = strrchr(t->text, '@')) != NULL)
		return at + 1;
	if (t->kind == TARGET_DOMAIN && strncmp(t->text, "*.", 2) != 0)
		return t->text;
	return NULL;
}

static bool
domain_covers(const char *wide, const struct target *narrow)
{
	const char *domain = one_domain(narrow);
	size_t w, n;

	if (strncmp(wide, "*.", 2) != 0)
		return domain != NULL && strcmp(wide, domain) == 0;
	if (narrow->kind == TARGET_DOMAIN && domain == NULL)
		domain = narrow->text;	/* a wildcard below a wildcard */
	if (domain == NULL)
		return false;
	w = strlen(wide) - 1;	/* ".x" */
	n = strlen(domain);
	return n > w && strcmp(domain + n - w, wide + 1) == 0;
}

bool
cover_target(const struct items *items, const struct target *wide,
    const struct target *narrow)
{
	const char *domain = one_domain(narrow);

	if (wide->kind == narrow->kind && (wide->text == NULL ||
	    (strcmp(wide->text, narrow->text) == 0 &&
	    (wide->value == NULL || strcmp(wide->value,
	    narrow->value) == 0))))
		return true;
	switch (wide->kind) {
	case TARGET_EVERYONE:
		return narrow->kind != TARGET_DISPLAY_NAME;
	case TARGET_INTERNAL:
		return domain != NULL && cover_is_internal(items, domain);
	case TARGET_EXTERNAL:
		return domain != NULL && !cover_is_internal(items, domain);
	case TARGET_FREE_MAIL:
		return domain != NULL && cover_is_free_mail(items, domain);
	case TARGET_DOMAIN:
		return domain_covers(wide->text, narrow);
	case TARGET_GROUP:
		if (narrow->kind == TARGET_GROUP)
			return group_in(items, wide->text, narrow->text);
		return (narrow->kind == TARGET_ADDRESS ||
		    narrow->kind == TARGET_DOMAIN) &&
		    cover_group_holds(items, wide->text, narrow->text);
	default:
		return false;
	}
}
