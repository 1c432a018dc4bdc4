/*
 * lint_losses.c - what a change would lose: a directory that validates
 * recipients, lists that shrink.  A broken export of the directory must not
 * refuse mail to the whole house.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/lint_impl.h"
#include "proto/base/names.h"
#include "proto/mail/addr.h"

#define LOSS_MAX 20		/* addresses */
#define LOSS_PERCENT 2
#define SHRINK_PERCENT 20

enum { BEFORE, AFTER };	/* how many there were and are */

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
known_domains(const struct lint *l, struct names *out)
{
	bool def = is_known_default(l->items);
	struct items_cursor c;
	const struct item *it;

	for (it = items_first(&c, l->items, "domain" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		bool says = strstr(it->value, "recipient_validation") != NULL;

		if (says ? strstr(it->value, "\"known\"") != NULL : def)
			names_add(out, strchr(it->key, ITEM_SEP) + 1, NULL);
	}
}

/* The domain of `known` that an address belongs to: itself or a wildcard. */
static struct name *
domain_of(struct names *known, const char *address)
{
	const char *at = strrchr(address, '@'), *dot;
	struct name *c = at == NULL ? NULL : names_get(known, at + 1);
	char wild[ADDR_DOMAIN_MAX + 3];

	for (dot = at == NULL ? NULL : strchr(at, '.'); dot != NULL &&
	    c == NULL; dot = strchr(dot + 1, '.')) {
		snprintf(wild, sizeof(wild), "*%s", dot);
		c = names_get(known, wild);
	}
	return c;
}

static void
count_directory(const struct items *items, struct names *known, int when)
{
	struct items_cursor c;
	const struct item *it;

	for (it = items_first(&c, items, "directory" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		struct name *d = domain_of(known, strchr(it->key, ITEM_SEP) +
		    1);

		if (d != NULL)
			d->n[when]++;
	}
}

static void
check_directory(struct lint *l)
{
	struct names known = { NULL, 0, 0 };
	size_t i;

	known_domains(l, &known);
	if (known.n > 0) {
		if (l->o->before != NULL)
			count_directory(l->o->before, &known, BEFORE);
		count_directory(l->items, &known, AFTER);
	}
	for (i = 0; i < known.n; i++) {
		const struct name *d = &known.name[i];
		size_t lost = d->n[BEFORE] > d->n[AFTER] ?
		    d->n[BEFORE] - d->n[AFTER] : 0;
		size_t may = d->n[BEFORE] * LOSS_PERCENT / 100;
		char subject[300];

		if (l->o->accept_directory_loss >= 0)
			may = (size_t)l->o->accept_directory_loss;
		else if (may > LOSS_MAX)
			may = LOSS_MAX;
		snprintf(subject, sizeof(subject), "directory of %.255s",
		    d->text);
		if (d->n[AFTER] == 0 && l->o->accept_directory_loss < 0)
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
			    "would be refused", lost, d->n[BEFORE]);
	}
	names_fini(&known);
}

static void
count_entries(const struct items *items, struct names *groups, int when)
{
	struct items_cursor c;
	const struct item *it;

	for (it = items_first(&c, items, "entry" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		const char *entry = strchr(it->key, ITEM_SEP) + 1;
		const char *group = strchr(entry, ITEM_SEP) + 1;
		struct name *g = when == BEFORE ? names_add(groups, group,
		    NULL) : names_get(groups, group);

		if (g != NULL)
			g->n[when]++;
	}
}

/* Only lists long enough that a person would not empty them by hand. */
static void
check_lists(struct lint *l)
{
	struct names groups = { NULL, 0, 0 };
	size_t i;

	count_entries(l->o->before, &groups, BEFORE);
	count_entries(l->items, &groups, AFTER);
	for (i = 0; i < groups.n; i++) {
		const struct name *g = &groups.name[i];
		char subject[300];

		if (l->o->accept_list_loss || g->n[BEFORE] < 50 ||
		    g->n[AFTER] * 100 >= g->n[BEFORE] * (100 - SHRINK_PERCENT))
			continue;
		snprintf(subject, sizeof(subject), "group \"%.255s\"",
		    g->text);
		lint_add(l, LINT_REFUSED, "list_loss", NULL, subject,
		    "mend the list, or say --accept-list-loss",
		    "it would shrink from %zu to %zu entries", g->n[BEFORE],
		    g->n[AFTER]);
	}
	names_fini(&groups);
}

void
lint_losses(struct lint *l)
{
	check_directory(l);
	if (l->o->before != NULL)
		check_lists(l);
}
