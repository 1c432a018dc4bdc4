/*
 * tables_share.c - makes tables, alone or from others whose unchanged classes
 * they share, and frees what nobody shares any more.
 *
 * A class is one part: some members of struct tables, copied with the pointers
 * in them, and one count of who holds them.  They are written until
 * tables_finish(), by tables that do not share them, and never again; who
 * lets go of a part last frees what its own copy points to.
 */
#include "proto/policy/tables_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The part of a class of records; TABLES_CLASSES: none. */
static enum tables_class
class_of(uint8_t cls)
{
	switch (cls) {
	case RECORD_SETTING:
		return TABLES_SETTINGS;
	case RECORD_INTERNAL:
		return TABLES_DOMAINS;
	case RECORD_AUTHORIZED:
		return TABLES_AUTHORIZED;
	case RECORD_TRUSTED:
		return TABLES_TRUSTED;
	case RECORD_FREE_MAIL:
		return TABLES_FREE_MAIL;
	case RECORD_PROTECTED:
		return TABLES_PROTECTED;
	case RECORD_RETURN_PATH:
		return TABLES_RETURN_PATH;
	case RECORD_GROUP:
		return TABLES_GROUPS;
	case RECORD_POLICY:
		return TABLES_POLICIES;
	default:
		return TABLES_CLASSES;
	}
}

static struct tables_part *
part_new(void)
{
	struct tables_part *p = xcalloc(1, sizeof(*p));

	atomic_init(&p->refs, 1);
	return p;
}

struct tables *
tables_new(const uint8_t *secret)
{
	static const uint8_t known[HASH_SECRET_LEN] = { 0 };
	struct tables *t = xcalloc(1, sizeof(*t));
	int i;

	hash_key_init(&t->hash, secret != NULL ? secret : known);
	settings_default(&t->settings);
	for (i = 0; i < TABLES_CLASSES; i++)
		t->part[i] = part_new();
	return t;
}

static void
empty_policies(struct tables *t)
{
	t->policies = NULL;
	t->policies_n = t->policies_cap = t->conditions_n = 0;
	t->index = NULL;
	t->index_n = t->index_cap = 0;
	t->bucket = NULL;
	t->bucket_mask = 0;
	memset(t->wide, 0, sizeof(t->wide));
	t->guard = t->guard_block = NULL;
	t->named.bit = NULL;
	memset(t->kinds, 0, sizeof(t->kinds));
	memset(&t->depths, 0, sizeof(t->depths));
	memset(t->header_exception, 0, sizeof(t->header_exception));
	memset(t->header_exception_n, 0, sizeof(t->header_exception_n));
	t->header_rule = NULL;
	t->header_rule_n = t->header_rule_cap = 0;
	t->has_monitored = t->has_attributes = t->has_rcpt_groups = false;
}

/* Make the members of a part those of tables without a record of it. */
static void
empty(struct tables *t, enum tables_class part)
{
	static const struct name_list no_names;
	static const struct prefixes no_prefixes;

	switch (part) {
	case TABLES_SETTINGS:
		settings_default(&t->settings);
		break;
	case TABLES_DOMAINS:
		t->domains = NULL;
		t->domains_n = t->domains_cap = t->domain_mask = 0;
		t->domain_at = NULL;
		t->domain_named.bit = NULL;
		memset(&t->domain_depths, 0, sizeof(t->domain_depths));
		break;
	case TABLES_AUTHORIZED:
		t->authorized = no_prefixes;
		break;
	case TABLES_TRUSTED:
		t->trusted = no_prefixes;
		break;
	case TABLES_FREE_MAIL:
		t->free_mail = no_names;
		break;
	case TABLES_PROTECTED:
		t->protected_local = no_names;
		break;
	case TABLES_RETURN_PATH:
		t->return_path = no_names;
		break;
	case TABLES_GROUPS:
		t->groups = NULL;
		t->groups_n = t->groups_cap = 0;
		break;
	case TABLES_POLICIES:
		empty_policies(t);
		break;
	case TABLES_CLASSES:
		break;
	}
}

struct tables *
tables_renew(const struct tables *old, const uint8_t *changed, size_t n)
{
	struct tables *t = xmalloc(sizeof(*t));
	size_t i;

	assert(old->finished);
	*t = *old;
	t->finished = false;
	for (i = 0; i < TABLES_CLASSES; i++)
		t->shared[i] = true;
	for (i = 0; i < n; i++) {
		enum tables_class part = class_of(changed[i]);

		if (part == TABLES_CLASSES || !t->shared[part])
			continue;
		t->shared[part] = false;
		t->part[part] = part_new();
		empty(t, part);
	}
	for (i = 0; i < TABLES_CLASSES; i++) {
		if (t->shared[i])
			atomic_fetch_add_explicit(&t->part[i]->refs, 1,
			    memory_order_relaxed);
	}
	return t;
}

bool
tables_has_class(const struct tables *t, uint8_t cls)
{
	enum tables_class part = class_of(cls);

	return part != TABLES_CLASSES && t->shared[part];
}

void
tables_count(struct tables *t, uint8_t cls)
{
	t->part[class_of(cls)]->records++;
}

uint64_t
tables_records_n(const struct tables *t)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < TABLES_CLASSES; i++)
		n += t->part[i]->records;
	return n;
}

/* --- letting go ----------------------------------------------------------- */

static void
free_names(struct name_list *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->name[i]);
	free(s->name);
}

static void
free_domains(struct tables *t)
{
	size_t i;

	for (i = 0; i < t->domains_n; i++)
		free(t->domains[i].name);
	free(t->domains);
	free(t->domain_at);
	free(t->domain_named.bit);
}

static void
free_groups(struct tables *t)
{
	size_t i;

	for (i = 0; i < t->groups_n; i++) {
		free(t->groups[i].name);
		free(t->groups[i].parents);
		free(t->groups[i].closure);
		free(t->groups[i].above);
	}
	free(t->groups);
}

static void
free_policies(struct tables *t)
{
	size_t i;

	for (i = 0; i < t->policies_n; i++)
		policy_fini(&t->policies[i]);
	free(t->policies);
	free(t->index);
	free(t->guard);
	free(t->guard_block);
	free(t->bucket);
	free(t->named.bit);
	for (i = 0; i < POLICY_TYPES; i++)
		free(t->header_exception[i]);
	free(t->header_rule);
}

static void
free_part(struct tables *t, enum tables_class part)
{
	switch (part) {
	case TABLES_DOMAINS:
		free_domains(t);
		break;
	case TABLES_AUTHORIZED:
		free(t->authorized.p);
		break;
	case TABLES_TRUSTED:
		free(t->trusted.p);
		break;
	case TABLES_FREE_MAIL:
		free_names(&t->free_mail);
		break;
	case TABLES_PROTECTED:
		free_names(&t->protected_local);
		break;
	case TABLES_RETURN_PATH:
		free_names(&t->return_path);
		break;
	case TABLES_GROUPS:
		free_groups(t);
		break;
	case TABLES_POLICIES:
		free_policies(t);
		break;
	case TABLES_SETTINGS:
	case TABLES_CLASSES:
		break;
	}
}

void
tables_free(struct tables **tp)
{
	struct tables *t = *tp;
	int i;

	if (t == NULL)
		return;
	for (i = 0; i < TABLES_CLASSES; i++) {
		if (atomic_fetch_sub_explicit(&t->part[i]->refs, 1,
		    memory_order_acq_rel) > 1)
			continue;
		free_part(t, (enum tables_class)i);
		free(t->part[i]);
	}
	free(t);
	*tp = NULL;
}
