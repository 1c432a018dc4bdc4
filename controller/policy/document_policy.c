/*
 * document_policy.c - the section policies: each checked, and kept as JSON
 * with canonical addresses and all defaults written out.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/reader.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/near.h"
#include "proto/mail/addr.h"
#include "proto/mail/name.h"
#include "proto/policy/model.h"

/* A target of one key: {domain: x} and so on; value is set in out. */
static int
named_target(struct reader *r, const struct yaml *y, const char *what,
    json_t *out)
{
	static const char *const known[] = { "domain", "group", "attribute",
	    "display_name", "address", NULL };
	char name[NAME_TEXT_MAX];
	const struct yaml *v;
	const char *kind;
	struct diag why;
	struct entry e;
	int rc = reader_keys(r, y, what, known);

	if (rc < 0)
		return rc;
	if (y->n != 1)
		return reader_fail(r, y, "%s must name exactly one thing",
		    what);
	kind = y->keys[0]->text;
	v = y->items[0];
	if (strcmp(kind, "attribute") == 0) {
		if (v->type != YAML_MAP || v->n != 1 ||
		    reader_text(r, v->items[0], "an attribute", 255) == NULL)
			return reader_fail(r, v, "an attribute is one "
			    "{name: value}");
		json_object_set_new(out, kind, json_pack("{s:s}",
		    v->keys[0]->text, v->items[0]->text));
		return 0;
	}
	if (reader_text(r, v, kind, 1000) == NULL)
		return ERR_INVAL;
	if (strcmp(kind, "display_name") == 0) {
		if (name_parse(name, v->text, strlen(v->text), &why) < 0)
			return reader_fail(r, v, "display_name: %s", why.text);
		if (name[0] == '\0')
			return reader_fail(r, v, "display_name is empty");
		json_object_set_new(out, kind, json_string(v->text));
		return 0;
	}
	if (kind[0] == 'g') {
		json_object_set_new(out, kind, json_string(v->text));
		return 0;
	}
	if (entry_parse(&e, v->text, strlen(v->text), &why) < 0)
		return reader_fail(r, v, "\"%s\": %s", v->text, why.text);
	if ((e.kind == ENTRY_ADDRESS) != (strcmp(kind, "address") == 0))
		return reader_fail(r, v, "\"%s\" is no %s", v->text, kind);
	json_object_set_new(out, kind, json_string(e.text));
	return 0;
}

static int
target(struct reader *r, const struct yaml *policy, const char *side,
    json_t *out)
{
	static const char *const known[] = { "everyone", "internal",
	    "external", "free_mail", NULL };
	const struct yaml *y = yaml_get(policy, side);
	const char *near;
	json_t *t;
	size_t i;
	int rc;

	if (y == NULL)
		return reader_fail(r, policy, "\"%s\" is missing", side);
	if (y->type == YAML_MAP) {
		t = json_object();
		rc = named_target(r, y, side, t);
		if (strcmp(side, "to") == 0 && rc == 0 &&
		    json_object_get(t, "display_name") != NULL)
			rc = reader_fail(r, y, "\"to\" has no display_name");
		json_object_set_new(out, side, t);
		return rc;
	}
	for (i = 0; known[i] != NULL && y->type == YAML_SCALAR; i++) {
		if (strcmp(known[i], y->text) != 0)
			continue;
		if (i == 3 && strcmp(side, "to") == 0)
			return reader_fail(r, y, "\"to\" has no free_mail");
		json_object_set_new(out, side, json_string(y->text));
		return 0;
	}
	near = y->type == YAML_SCALAR ? near_name(y->text, known) : NULL;
	return reader_fail(r, y, "\"%s\" is everyone, internal, external, "
	    "free_mail, {domain: ..}, {group: ..}, {attribute: {..}}, "
	    "{display_name: ..} or {address: ..}%s%s%s", side,
	    near == NULL ? "" : "; did you mean \"",
	    near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

static int
flag(struct reader *r, const struct yaml *policy, const char *name,
    bool def, json_t *out)
{
	const struct yaml *y = yaml_get(policy, name);

	if (y != NULL && yaml_bool(y, &def) < 0)
		return reader_fail(r, y, "%s is true or false", name);
	json_object_set_new(out, name, json_boolean(def));
	return 0;
}

static int
validity(struct reader *r, const struct yaml *policy, json_t *out)
{
	static const char *const known[] = { "from", "until", NULL };
	const struct yaml *y = yaml_get(policy, "valid");
	json_t *v;
	size_t i;
	int rc;

	if (y == NULL)
		return 0;
	if ((rc = reader_keys(r, y, "valid", known)) < 0)
		return rc;
	v = json_object();
	json_object_set_new(out, "valid", v);
	for (i = 0; i < y->n; i++) {
		const char *text = reader_text(r, y->items[i], "a time", 64);
		char utc[80];
		int64_t at;

		if (text == NULL)
			return ERR_INVAL;
		/* A local time has no offset: try it with one. */
		snprintf(utc, sizeof(utc), "%sZ", text);
		if (clock_parse(text, &at) < 0 && clock_parse(utc, &at) < 0)
			return reader_fail(r, y->items[i], "\"%s\" is no "
			    "date (2026-06-30) or time "
			    "(2026-06-30T18:00:00, with or without offset)",
			    text);
		json_object_set_new(v, y->keys[i]->text, json_string(text));
	}
	return 0;
}

static int
source_ip(struct reader *r, const struct yaml *y, json_t *out)
{
	const char *text = reader_text(r, y, "a source IP", 64);
	char canonical[IP_TEXT_LEN];
	struct ip_prefix p;

	if (text == NULL)
		return ERR_INVAL;
	if (ip_prefix_parse(text, &p) < 0)
		return reader_fail(r, y, "\"%s\" is no address or prefix "
		    "(no bits behind the prefix)", text);
	ip_prefix_format(&p, canonical);
	json_array_append_new(out, json_string(canonical));
	return 0;
}

static int
hostname(struct reader *r, const struct yaml *y, json_t *out)
{
	const char *text = reader_text(r, y, "a host name", 1000);
	struct diag why;
	struct entry e;

	if (text == NULL)
		return ERR_INVAL;
	if (entry_parse(&e, text, strlen(text), &why) < 0 ||
	    e.kind == ENTRY_ADDRESS)
		return reader_fail(r, y, "\"%s\" is no host name", text);
	json_array_append_new(out, json_string(e.text));
	return 0;
}

static int
conditions(struct reader *r, const struct yaml *policy, const char *name,
    size_t max, int (*row)(struct reader *, const struct yaml *, json_t *),
    json_t *out)
{
	const struct yaml *y = yaml_get(policy, name);
	json_t *list;
	size_t i;
	int rc = 0;

	if (y == NULL)
		return 0;
	if (y->type != YAML_LIST)
		return reader_fail(r, y, "%s must be a list", name);
	if (y->n > max)
		return reader_fail(r, y, "%s: at most %zu", name, max);
	list = json_array();
	json_object_set_new(out, name, list);
	for (i = 0; i < y->n && rc == 0; i++)
		rc = row(r, y->items[i], list);
	return rc;
}

static int
words(struct reader *r, const struct yaml *p, json_t *out)
{
	const struct yaml *type = yaml_get(p, "type");
	const struct yaml *action = yaml_get(p, "action");
	const struct yaml *based = yaml_get(p, "addresses_based_on");
	const struct yaml *text = yaml_get(p, "narrative");
	enum policy_type t;
	enum policy_action a;
	enum identity i = BASED_ENVELOPE;

	if (type == NULL || action == NULL || text == NULL)
		return reader_fail(r, p, "\"%s\" is missing", type == NULL ?
		    "type" : action == NULL ? "action" : "narrative");
	if (type->type != YAML_SCALAR ||
	    policy_type_parse(type->text, &t) < 0)
		return reader_fail(r, type, "type is blocked_senders, "
		    "permitted_senders, anti_spoofing or greylisting");
	if (action->type != YAML_SCALAR ||
	    policy_action_parse(action->text, &a) < 0)
		return reader_fail(r, action, "action is block_sender, "
		    "permit_sender, apply or take_no_action");
	if (!policy_action_fits(t, a))
		return reader_fail(r, action, "a policy of type %s cannot "
		    "%s", type->text, action->text);
	if (based != NULL && (based->type != YAML_SCALAR ||
	    identity_parse(based->text, &i) < 0))
		return reader_fail(r, based, "addresses_based_on is "
		    "envelope, header or both");
	if (reader_text(r, text, "narrative", MODEL_TEXT_MAX) == NULL)
		return ERR_INVAL;
	json_object_set_new(out, "type", json_string(type->text));
	json_object_set_new(out, "action", json_string(action->text));
	json_object_set_new(out, "narrative", json_string(text->text));
	json_object_set_new(out, "addresses_based_on",
	    json_string(identity_name(i)));
	if ((text = yaml_get(p, "comment")) == NULL)
		return 0;
	if (reader_text(r, text, "comment", MODEL_TEXT_MAX) == NULL)
		return ERR_INVAL;
	json_object_set_new(out, "comment", json_string(text->text));
	return 0;
}

static bool
is_word(const json_t *o, const char *key, const char *word)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL && strcmp(s, word) == 0;
}

/* What single keys cannot tell. */
static int
whole(struct reader *r, const struct yaml *y, const json_t *o)
{
	const json_t *from = json_object_get(o, "from");

	if (json_is_object(from) &&
	    json_object_get(from, "display_name") != NULL &&
	    json_is_true(json_object_get(o, "bidirectional")))
		return reader_fail(r, y, "display_name with bidirectional "
		    "has no meaning: a recipient has no display name");
	if (is_word(o, "type", "blocked_senders") &&
	    is_word(o, "from", "external") && is_word(o, "to", "external"))
		return reader_fail(r, y, "External to External is locked: "
		    "the relay guard refuses it always; to let a recipient "
		    "through put it in the group Relay");
	return 0;
}

static int
policy_id(struct reader *r, const struct yaml *p, const char **id)
{
	const struct yaml *y = yaml_get(p, "id");
	const char *s;

	if (y == NULL)
		return reader_fail(r, p, "\"id\" is missing");
	if ((*id = reader_text(r, y, "id", MODEL_ID_MAX)) == NULL)
		return ERR_INVAL;
	for (s = *id; *s != '\0'; s++) {
		if (!isalnum((unsigned char)*s) && strchr("._-", *s) == NULL)
			return reader_fail(r, y, "id \"%s\": letters, "
			    "digits, \".\", \"_\" and \"-\" only", *id);
	}
	return 0;
}

static int
policy_row(struct reader *r, const struct yaml *y)
{
	static const char *const known[] = { "id", "type", "narrative",
	    "action", "addresses_based_on", "from", "to", "override",
	    "bidirectional", "enabled", "valid", "source_ips", "hostnames",
	    "monitor", "comment", NULL };
	json_t *out = json_object();
	const char *id = NULL;
	int rc;

	if ((rc = reader_keys(r, y, "a policy", known)) < 0 ||
	    (rc = policy_id(r, y, &id)) < 0 ||
	    (rc = words(r, y, out)) < 0 ||
	    (rc = target(r, y, "from", out)) < 0 ||
	    (rc = target(r, y, "to", out)) < 0 ||
	    (rc = flag(r, y, "override", false, out)) < 0 ||
	    (rc = flag(r, y, "bidirectional", false, out)) < 0 ||
	    (rc = flag(r, y, "enabled", true, out)) < 0 ||
	    (rc = flag(r, y, "monitor", false, out)) < 0 ||
	    (rc = validity(r, y, out)) < 0 ||
	    (rc = conditions(r, y, "source_ips", MODEL_IPS_MAX, source_ip,
	    out)) < 0 ||
	    (rc = conditions(r, y, "hostnames", MODEL_HOSTS_MAX, hostname,
	    out)) < 0 ||
	    (rc = whole(r, y, out)) < 0) {
		json_decref(out);
		return rc;
	}
	return reader_add(r, y, "policy", id, NULL, out);
}

int
read_policies(struct reader *r, const struct yaml *y)
{
	size_t i;
	int rc = 0;

	if (y->type != YAML_LIST)
		return reader_fail(r, y, "policies must be a list");
	for (i = 0; i < y->n && rc == 0; i++)
		rc = policy_row(r, y->items[i]);
	return rc;
}
