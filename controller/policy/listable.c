/*
 * listable.c - external senders only; no whole provider or suffix blocked;
 * nothing made for one message.
 */
#include "controller/policy/listable.h"

#include <libpsl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/policy/record.h"

static const char *
domain_of(const struct entry *e)
{
	const char *at = strrchr(e->text, '@');

	return e->kind == ENTRY_ADDRESS && at != NULL ? at + 1 :
	    e->kind == ENTRY_WILDCARD ? e->text + 2 : e->text;
}

static bool
has_record(const struct records *r, char cls, const char *text)
{
	struct buf key;
	bool there;

	buf_init(&key, 0);
	record_key_text(&key, cls, text);
	there = records_has(r, key.data, key.len);
	buf_fini(&key);
	return there;
}

bool
entry_is_internal(const struct records *r, const struct entry *e)
{
	const char *domain = domain_of(e), *dot = domain;
	char wild[ADDR_TEXT_MAX + 2] = "*";

	if (has_record(r, RECORD_INTERNAL, domain))
		return true;
	while ((dot = strchr(dot, '.')) != NULL) {
		memcpy(wild + 1, dot, strlen(dot) + 1);
		if (has_record(r, RECORD_INTERNAL, wild))
			return true;
		dot++;
	}
	memcpy(wild + 1, ".", 2);
	strcat(wild, domain);
	return e->kind == ENTRY_WILDCARD && has_record(r, RECORD_INTERNAL,
	    wild);
}

bool
entry_is_free_mail(const struct records *r, const struct entry *e)
{
	return e->kind != ENTRY_ADDRESS &&
	    has_record(r, RECORD_FREE_MAIL, domain_of(e));
}

/* "bounce-al=acme.example": the recipient written into the local part. */
static bool
is_verp(const char *local, size_t len)
{
	const char *eq = memchr(local, '=', len);

	return eq != NULL && memchr(eq, '.', len - (size_t)(eq - local)) !=
	    NULL;
}

bool
address_is_one_time(const char *address)
{
	static const char *const prefix[] = { "srs0=", "srs0+", "srs0-",
	    "srs1=", "srs1+", "srs1-", "prvs=", "msprvs1=", "btv1=" };
	const char *at = strrchr(address, '@');
	size_t i, len = at == NULL ? 0 : (size_t)(at - address);

	for (i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++)
		if (len > strlen(prefix[i]) && strncasecmp(address,
		    prefix[i], strlen(prefix[i])) == 0)
			return true;
	return is_verp(address, len);
}

static bool
is_public_suffix(const char *domain)
{
	const psl_ctx_t *psl = psl_builtin();

	return psl != NULL && psl_is_public_suffix(psl, domain) != 0;
}

/* Does the group of that name hold the entry, its domain or a sender in it? */
static bool
is_unblockable(const struct items *items, const struct entry *e)
{
	char *group = item_key("group", UNBLOCKABLE_GROUP, NULL);
	const char *domain = domain_of(e);
	struct items_cursor cur;
	const struct item *it;
	bool found = false;

	it = items_get(items, group);
	free(group);
	if (it == NULL)
		return false;
	for (it = items_first(&cur, items, "entry" ITEM_SEP_S); it != NULL &&
	    !found; it = items_next(&cur)) {
		const char *text = it->key + strlen("entry" ITEM_SEP_S);
		const char *end = strchr(text, ITEM_SEP), *at;
		size_t n = (size_t)(end - text), d = strlen(domain);

		if (strcmp(end + 1, UNBLOCKABLE_GROUP) != 0)
			continue;
		at = memrchr(text, '@', n);
		if (at != NULL && e->kind == ENTRY_ADDRESS)
			found = n == e->len && memcmp(text, e->text, n) == 0;
		else if (at != NULL)
			found = (size_t)(text + n - at - 1) == d &&
			    memcmp(at + 1, domain, d) == 0;
		else if (text[0] == '*')
			found = d > n - 1 && memcmp(domain + d - (n - 1),
			    text + 1, n - 1) == 0;
		else
			found = n == d && memcmp(text, domain, d) == 0;
	}
	return found;
}

const char *
unlistable(const struct items *items, const struct records *r,
    const struct entry *e, bool block)
{
	if (e->kind == ENTRY_WILDCARD)
		return "a user's list holds addresses and domains";
	if (entry_is_internal(r, e))
		return "it is internal, and users' lists are for external "
		    "senders";
	if (e->kind == ENTRY_ADDRESS && address_is_one_time(e->text))
		return "it was made for one message (VERP, BATV, SRS): list "
		    "the address of the header From, or the domain";
	if (!block)
		return NULL;
	if (entry_is_free_mail(r, e))
		return "a free-mail domain cannot be blocked as a domain: "
		    "list the address";
	if (e->kind == ENTRY_DOMAIN && is_public_suffix(e->text))
		return "a public suffix cannot be blocked as a domain";
	return is_unblockable(items, e) ? "the group \"" UNBLOCKABLE_GROUP
	    "\" says that users cannot block it" : NULL;
}
