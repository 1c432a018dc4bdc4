/*
 * document_org.c - the sections organization and managed_senders.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/policy/reader.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"
#include "proto/policy/model.h"

typedef int (*row_fn)(struct reader *r, const struct yaml *y);

static int
each(struct reader *r, const struct yaml *list, const char *what, row_fn fn)
{
	size_t i;
	int rc = 0;

	if (list->type != YAML_LIST)
		return reader_fail(r, list, "%s must be a list", what);
	for (i = 0; i < list->n && rc == 0; i++)
		rc = fn(r, list->items[i]);
	return rc;
}

/* A canonical domain, or "*." and one, from y into out. */
static int
domain_text(struct reader *r, const struct yaml *y, bool wild_allowed,
    char out[ADDR_TEXT_MAX])
{
	const char *text = reader_text(r, y, "a domain", 1000);
	struct diag why;
	struct entry e;

	if (text == NULL)
		return ERR_INVAL;
	if (entry_parse(&e, text, strlen(text), &why) < 0)
		return reader_fail(r, y, "\"%s\": %s", text, why.text);
	if (e.kind == ENTRY_ADDRESS ||
	    (e.kind == ENTRY_WILDCARD && !wild_allowed))
		return reader_fail(r, y, "\"%s\" must be a domain", text);
	memcpy(out, e.text, e.len + 1);
	return 0;
}

static int
internal_row(struct reader *r, const struct yaml *y)
{
	static const char *const known[] = { "domain",
	    "recipient_validation", NULL };
	const struct yaml *name = y, *mode = NULL;
	char domain[ADDR_TEXT_MAX];
	enum validation v;
	json_t *value = json_object();
	int rc = 0;

	if (y->type == YAML_MAP) {
		rc = reader_keys(r, y, "an internal domain", known);
		name = yaml_get(y, "domain");
		mode = yaml_get(y, "recipient_validation");
		if (rc == 0 && name == NULL)
			rc = reader_fail(r, y, "\"domain\" is missing");
	}
	if (rc == 0)
		rc = domain_text(r, name, true, domain);
	if (rc == 0 && mode != NULL) {
		if (mode->type != YAML_SCALAR ||
		    validation_parse(mode->text, &v) < 0)
			rc = reader_fail(r, mode, "recipient_validation is "
			    "any, known or defer");
		else
			json_object_set_new(value, "recipient_validation",
			    json_string(mode->text));
	}
	if (rc < 0) {
		json_decref(value);
		return rc;
	}
	return reader_add(r, y, "domain", domain, NULL, value);
}

static int
prefix_row(struct reader *r, const struct yaml *y, const char *kind)
{
	const char *text = reader_text(r, y, "an address range", 64);
	char canonical[IP_TEXT_LEN];
	struct ip_prefix p;

	if (text == NULL)
		return ERR_INVAL;
	if (ip_prefix_parse(text, &p) < 0)
		return reader_fail(r, y, "\"%s\" is no address or prefix "
		    "(192.0.2.0/24, 2001:db8::/32; no bits behind the "
		    "prefix)", text);
	if (p.len == 0 || (p.len == 96 && ip_is_v4(&p.ip)))
		return reader_fail(r, y, "%s would let the whole Internet "
		    "in; name your own networks", text);
	ip_prefix_format(&p, canonical);
	return reader_add(r, y, kind, canonical, NULL, NULL);
}

static int
authorized_row(struct reader *r, const struct yaml *y)
{
	return prefix_row(r, y, "range");
}

static int
trusted_row(struct reader *r, const struct yaml *y)
{
	return prefix_row(r, y, "trusted");
}

static int
free_mail_row(struct reader *r, const struct yaml *y)
{
	char domain[ADDR_TEXT_MAX];
	int rc = domain_text(r, y, false, domain);

	return rc < 0 ? rc : reader_add(r, y, "freemail", domain, NULL, NULL);
}

static int
local_row(struct reader *r, const struct yaml *y, const char *kind)
{
	const char *text = reader_text(r, y, "a local part", 64);
	char lower[65];
	size_t i;

	if (text == NULL)
		return ERR_INVAL;
	for (i = 0; text[i] != '\0'; i++) {
		if (text[i] == '@')
			return reader_fail(r, y, "\"%s\": write the local "
			    "part alone, without @", text);
		lower[i] = text[i] >= 'A' && text[i] <= 'Z' ?
		    (char)(text[i] + 32) : text[i];
	}
	lower[i] = '\0';
	return reader_add(r, y, kind, lower, NULL, NULL);
}

static int
protected_row(struct reader *r, const struct yaml *y)
{
	return local_row(r, y, "protected");
}

static int
return_path_row(struct reader *r, const struct yaml *y)
{
	return local_row(r, y, "return_path");
}

/* A setting of one word: checked by the parse function of its type. */
static int
setting(struct reader *r, const struct yaml *y, const char *name,
    const char *text)
{
	return reader_add(r, y, "setting", name, NULL, json_string(text));
}

static int
header_stage(struct reader *r, const struct yaml *y)
{
	enum header_stage v;
	bool flag;

	if (yaml_bool(y, &flag) == 0)
		return setting(r, y, "header_stage", flag ? "yes" : "no");
	if (y->type != YAML_SCALAR || header_stage_parse(y->text, &v) < 0)
		return reader_fail(r, y, "header_stage is auto, yes or no");
	return setting(r, y, "header_stage", y->text);
}

static int
choice(struct reader *r, const struct yaml *y, const char *name)
{
	enum validation validation;
	enum mixed mixed;
	enum enforcement enforcement;
	enum reply_detail detail;
	const char *text = y->type == YAML_SCALAR ? y->text : "";

	if (strcmp(name, "recipient_validation") == 0 &&
	    validation_parse(text, &validation) < 0)
		return reader_fail(r, y, "%s is any, known or defer", name);
	if (strcmp(name, "mixed_recipients") == 0 &&
	    mixed_parse(text, &mixed) < 0)
		return reader_fail(r, y, "%s is remove, split or reject_all",
		    name);
	if (strcmp(name, "enforcement") == 0 &&
	    enforcement_parse(text, &enforcement) < 0)
		return reader_fail(r, y, "%s is enforce, soft or observe",
		    name);
	if (strcmp(name, "reply_detail") == 0 &&
	    reply_detail_parse(text, &detail) < 0)
		return reader_fail(r, y, "%s is uniform or detailed", name);
	return setting(r, y, name, text);
}

static int
free_text(struct reader *r, const struct yaml *y, const char *name,
    size_t max)
{
	const char *text = reader_text(r, y, name, max), *p;

	if (text == NULL)
		return ERR_INVAL;
	for (p = text; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80 || *p == ' ')
			return reader_fail(r, y, "%s must be printable "
			    "ASCII without spaces", name);
	}
	return setting(r, y, name, text);
}

static int
lists(struct reader *r, const struct yaml *y, const char *name)
{
	static const struct { const char *name; row_fn fn; } rows[] = {
		{ "internal_domains", internal_row },
		{ "authorized_outbound", authorized_row },
		{ "trusted_relays", trusted_row },
		{ "free_mail_domains", free_mail_row },
		{ "protected_recipients", protected_row },
		{ "return_paths", return_path_row },
	};
	size_t i;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(name, rows[i].name) != 0)
			continue;
		/* An empty list is not the same as none: it is no default. */
		if ((i == 3 || i == 5) && (rc = setting(r, y, name,
		    "listed")) < 0)
			return rc;
		return each(r, y, name, rows[i].fn);
	}
	return ERR_NOENT;
}

int
read_organization(struct reader *r, const struct yaml *y)
{
	static const char *const known[] = { "internal_domains", "time_zone",
	    "authorized_outbound", "trusted_relays", "recipient_delimiter",
	    "recipient_validation", "header_stage", "mixed_recipients",
	    "enforcement", "reply_detail", "reply_help",
	    "free_mail_domains", "protected_recipients", "return_paths",
	    NULL };
	size_t i;
	int rc = reader_keys(r, y, "organization", known);

	for (i = 0; rc == 0 && i < y->n; i++) {
		const char *name = y->keys[i]->text;
		const struct yaml *v = y->items[i];

		if ((rc = lists(r, v, name)) != ERR_NOENT)
			continue;
		if (strcmp(name, "header_stage") == 0)
			rc = header_stage(r, v);
		else if (strcmp(name, "time_zone") == 0)
			rc = free_text(r, v, name, 63);
		else if (strcmp(name, "recipient_delimiter") == 0)
			rc = free_text(r, v, name, 7);
		else if (strcmp(name, "reply_help") == 0)
			rc = free_text(r, v, name, 120);
		else
			rc = choice(r, v, name);
	}
	return rc;
}

/*
 * Put a line of a user's list in.  One sender may stand there twice, by hand
 * and by itself; of a block and a permit by hand the block counts, as in the
 * decision.  value is consumed.
 */
static int
sender_add(struct reader *r, const struct yaml *y, const char *user,
    const char *entry, json_t *value)
{
	char *key = item_key("sender", user, entry), *text;
	const struct item *old = items_get(r->out, key);
	json_t *both;

	if (old == NULL) {
		free(key);
		return reader_add(r, y, "sender", user, entry, value);
	}
	both = json_loads(old->value, 0, NULL);
	if (strcmp(json_string_value(json_object_get(both, "manual")) == NULL ?
	    "" : json_string_value(json_object_get(both, "manual")),
	    "block") == 0)
		json_object_del(value, "manual");
	json_object_update(both, value);
	text = json_dumps(both, JSON_COMPACT | JSON_SORT_KEYS);
	item_set_place(items_put(r->out, key, text, ""), r->name, y->line,
	    y->column);
	free(text);
	free(key);
	json_decref(both);
	json_decref(value);
	return 0;
}

/* One {block: ..}, {permit: ..} or {auto: .., last_used: ..}. */
static int
sender_row(struct reader *r, const char *user, const struct yaml *y)
{
	static const char *const known[] = { "block", "permit", "auto",
	    "last_used", NULL };
	const struct yaml *v = NULL, *used = yaml_get(y, "last_used");
	const char *action = NULL;
	json_t *value;
	struct entry e;
	struct diag why;
	int64_t at;
	size_t i;
	int rc = reader_keys(r, y, "a managed sender", known);

	if (rc < 0)
		return rc;
	for (i = 0; i < 3; i++) {
		if (yaml_get(y, known[i]) == NULL)
			continue;
		if (action != NULL)
			return reader_fail(r, y, "block, permit and auto "
			    "exclude each other");
		action = known[i];
		v = yaml_get(y, action);
	}
	if (action == NULL)
		return reader_fail(r, y, "block, permit or auto is missing");
	if (reader_text(r, v, "a sender", 1000) == NULL)
		return ERR_INVAL;
	if (entry_parse(&e, v->text, strlen(v->text), &why) < 0)
		return reader_fail(r, v, "\"%s\": %s", v->text, why.text);
	if (e.kind == ENTRY_WILDCARD)
		return reader_fail(r, v, "a user's list holds addresses and "
		    "domains, no wildcards");
	if (used != NULL && (used->type != YAML_SCALAR ||
	    clock_parse(used->text, &at) < 0))
		return reader_fail(r, used, "last_used must be a date");
	value = json_object();
	if (strcmp(action, "auto") == 0)
		json_object_set_new(value, "auto", json_true());
	else
		json_object_set_new(value, "manual", json_string(action));
	if (used != NULL)
		json_object_set_new(value, "last_used",
		    json_string(used->text));
	return sender_add(r, y, user, e.text, value);
}

int
read_senders(struct reader *r, const struct yaml *y)
{
	char user[ADDR_TEXT_MAX];
	size_t i, k;
	int rc = 0;

	if (y->type != YAML_MAP)
		return reader_fail(r, y, "managed_senders must be a mapping "
		    "of addresses to lists");
	for (i = 0; i < y->n && rc == 0; i++) {
		const struct yaml *list = y->items[i];

		if ((rc = reader_address(r, y->keys[i], user)) < 0)
			break;
		if (list->type != YAML_LIST)
			return reader_fail(r, list, "the entries of %s must "
			    "be a list", user);
		for (k = 0; k < list->n && rc == 0; k++)
			rc = sender_row(r, user, list->items[k]);
	}
	return rc;
}
