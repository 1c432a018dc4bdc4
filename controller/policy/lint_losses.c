/*
 * lint_losses.c - what a change would lose: a directory that validates
 * recipients, lists that shrink.  A broken export of the directory must not
 * refuse mail to the whole house.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/lint_impl.h"
#include "proto/base/buf.h"
#include "proto/mail/addr.h"

#define LOSS_MAX 20		/* addresses */
#define LOSS_PERCENT 2
#define SHRINK_PERCENT 20

/* Names with how many there were and are. */
struct count { char *name; size_t before, after; };
struct counts { struct count *c; size_t n, cap; };

static struct count *
find(struct counts *s, const char *name, bool make)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(s->c[mid].name, name);

		if (c == 0)
			return &s->c[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!make)
		return NULL;
	s->c = xgrow(s->c, &s->cap, s->n + 1, sizeof(*s->c));
	memmove(&s->c[lo + 1], &s->c[lo], (s->n - lo) * sizeof(*s->c));
	s->n++;
	s->c[lo] = (struct count){ .name = xstrdup(name) };
	return &s->c[lo];
}

static void
counts_fini(struct counts *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->c[i].name);
	free(s->c);
}

static bool
is_known_default(const struct items *items)
{
	char *key = item_key("setting", "recipient_validation", NULL);
	const struct item *it = items_get(items, key);
	bool known = it != NULL && strcmp(it->value, "\"known\"") == 0;

	free(key);
	return known;
}

/* The domains whose recipients must be known. */
static void
known_domains(const struct lint *l, struct counts *out)
{
	bool def = is_known_default(l->items);
	struct items_cursor c;
	const struct item *it;

	for (it = items_first(&c, l->items, "domain" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		bool says = strstr(it->value, "recipient_validation") != NULL;

		if (says ? strstr(it->value, "\"known\"") != NULL : def)
			find(out, strchr(it->key, ITEM_SEP) + 1, true);
	}
}

/* The domain of `known` that an address belongs to: itself or a wildcard. */
static struct count *
domain_of(struct counts *known, const char *address)
{
	const char *at = strrchr(address, '@'), *dot;
	struct count *c = at == NULL ? NULL : find(known, at + 1, false);
	char wild[ADDR_DOMAIN_MAX + 3];

	for (dot = at == NULL ? NULL : strchr(at, '.'); dot != NULL &&
	    c == NULL; dot = strchr(dot + 1, '.')) {
		snprintf(wild, sizeof(wild), "*%s", dot);
		c = find(known, wild, false);
	}
	return c;
}

static void
count_directory(const struct items *items, struct counts *known, bool before)
{
	struct items_cursor c;
	const struct item *it;

	for (it = items_first(&c, items, "directory" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		struct count *d = domain_of(known, strchr(it->key, ITEM_SEP) +
		    1);

		if (d != NULL && before)
			d->before++;
		else if (d != NULL)
			d->after++;
	}
}

static void
check_directory(struct lint *l)
{
	struct counts known = { NULL, 0, 0 };
	size_t i;

	known_domains(l, &known);
	if (known.n > 0) {
		if (l->o->before != NULL)
			count_directory(l->o->before, &known, true);
		count_directory(l->items, &known, false);
	}
	for (i = 0; i < known.n; i++) {
		const struct count *d = &known.c[i];
		size_t lost = d->before > d->after ? d->before - d->after : 0;
		size_t may = d->before * LOSS_PERCENT / 100;
		char subject[300];

		if (l->o->accept_directory_loss >= 0)
			may = (size_t)l->o->accept_directory_loss;
		else if (may > LOSS_MAX)
			may = LOSS_MAX;
		snprintf(subject, sizeof(subject), "directory of %.255s",
		    d->name);
		if (d->after == 0 && l->o->accept_directory_loss < 0)
			lint_add(l, LINT_REFUSED, "directory_empty", NULL,
			    subject, "load the directory in the same apply, "
			    "or say --accept-directory-loss", "it is empty "
			    "while its recipients must be known: all mail to "
			    "the domain would be refused");
		else if (lost > may)
			lint_add(l, LINT_REFUSED, "directory_loss", NULL,
			    subject, "mend the export, or say "
			    "--accept-directory-loss with that number",
			    "%zu of %zu addresses would go: mail to them "
			    "would be refused", lost, d->before);
	}
	counts_fini(&known);
}

static void
count_entries(const struct items *items, struct counts *groups, bool before)
{
	struct items_cursor c;
	const struct item *it;

	for (it = items_first(&c, items, "entry" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		const char *entry = strchr(it->key, ITEM_SEP) + 1;
		struct count *g = find(groups, strchr(entry, ITEM_SEP) + 1,
		    before);

		if (g != NULL && before)
			g->before++;
		else if (g != NULL)
			g->after++;
	}
}

/* Only lists long enough that a person would not empty them by hand. */
static void
check_lists(struct lint *l)
{
	struct counts groups = { NULL, 0, 0 };
	size_t i;

	count_entries(l->o->before, &groups, true);
	count_entries(l->items, &groups, false);
	for (i = 0; i < groups.n; i++) {
		const struct count *g = &groups.c[i];
		char subject[300];

		if (l->o->accept_list_loss || g->before < 50 ||
		    g->after * 100 >= g->before * (100 - SHRINK_PERCENT))
			continue;
		snprintf(subject, sizeof(subject), "group \"%.255s\"",
		    g->name);
		lint_add(l, LINT_REFUSED, "list_loss", NULL, subject,
		    "mend the list, or say --accept-list-loss",
		    "it would shrink from %zu to %zu entries", g->before,
		    g->after);
	}
	counts_fini(&groups);
}

void
lint_losses(struct lint *l)
{
	check_directory(l);
	if (l->o->before != NULL)
		check_lists(l);
}
