/*
 * compile_policy.c - a policy item's JSON to the struct that is encoded.
 *
 * The document reader has checked all of it; what is wrong here all the same
 * (a store from elsewhere) is an error, never a guess.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/records_impl.h"
#include "controller/policy/zone.h"
#include "proto/base/err.h"
#include "proto/mail/name.h"

static int
word_target(const char *word, struct target *t)
{
	int k;

	for (k = TARGET_EVERYONE; k <= TARGET_FREE_MAIL; k++) {
		if (strcmp(word, target_kind_name((enum target_kind)k)) == 0) {
			t->kind = (enum target_kind)k;
			return 0;
		}
	}
	return ERR_INVAL;
}

static int
parse_target(const json_t *j, struct target *t)
{
	char name[NAME_TEXT_MAX];
	const char *key, *text;
	json_t *v;
	int k;

	if (json_is_string(j))
		return word_target(json_string_value(j), t);
	if (!json_is_object(j) || json_object_size(j) != 1)
		return ERR_INVAL;
	key = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)j));
	v = json_object_get(j, key);
	for (k = TARGET_DOMAIN; k < TARGET_KINDS; k++) {
		if (strcmp(key, target_kind_name((enum target_kind)k)) == 0)
			break;
	}
	if (k == TARGET_KINDS)
		return ERR_INVAL;
	t->kind = (enum target_kind)k;
	if (t->kind == TARGET_ATTRIBUTE && json_object_size(v) == 1) {
		key = json_object_iter_key(json_object_iter(v));
		v = json_object_get(v, key);
		t->text = xstrdup(key);
	}
	if ((text = json_string_value(v)) == NULL)
		return ERR_INVAL;
	if (t->kind == TARGET_ATTRIBUTE)
		t->value = xstrdup(text);
	else if (t->kind != TARGET_DISPLAY_NAME)
		t->text = xstrdup(text);
	else if (name_parse(name, text, strlen(text), NULL) == 0)
		t->text = xstrdup(name);
	else
		return ERR_INVAL;
	if (t->kind == TARGET_GROUP)
		t->gid = model_gid(t->text);
	return 0;
}

static int
parse_validity(const json_t *j, const char *zone, struct policy *p,
    struct diag *why)
{
	const char *from = json_string_value(json_object_get(j, "from"));
	const char *until = json_string_value(json_object_get(j, "until"));
	int rc;

	p->valid_from_us = INT64_MIN;
	p->valid_until_us = INT64_MAX;
	if (from != NULL && (rc = zone_instant(zone, from, false,
	    &p->valid_from_us, why)) < 0)
		return rc;
	if (until != NULL && (rc = zone_instant(zone, until, true,
	    &p->valid_until_us, why)) < 0)
		return rc;
	if (p->valid_from_us >= p->valid_until_us)
		return diag_set(why, ERR_INVAL,
		    "valid: \"from\" is after \"until\"");
	return 0;
}

static int
parse_conditions(const json_t *o, struct policy *p)
{
	const json_t *ips = json_object_get(o, "source_ips");
	const json_t *hosts = json_object_get(o, "hostnames");
	size_t i;

	p->ips = xcalloc(json_array_size(ips), sizeof(*p->ips));
	for (i = 0; i < json_array_size(ips); i++) {
		const char *s = json_string_value(json_array_get(ips, i));

		if (s == NULL || ip_prefix_parse(s, &p->ips[i]) < 0)
			return ERR_INVAL;
		p->ips_n++;
	}
	p->hosts = xcalloc(json_array_size(hosts), sizeof(*p->hosts));
	for (i = 0; i < json_array_size(hosts); i++) {
		const char *s = json_string_value(json_array_get(hosts, i));

		if (s == NULL)
			return ERR_INVAL;
		p->hosts[p->hosts_n++] = xstrdup(s);
	}
	return 0;
}

static const char *
word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

int
policy_from_json(const char *id, const char *json, const char *zone,
    struct policy *p, struct diag *why)
{
	json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	const char *comment;
	int rc = ERR_INVAL;

	memset(p, 0, sizeof(*p));
	if (why != NULL)
		why->text[0] = '\0';
	p->id = xstrdup(id);
	p->narrative = xstrdup(word(o, "narrative"));
	comment = json_string_value(json_object_get(o, "comment"));
	p->comment = comment == NULL ? NULL : xstrdup(comment);
	if (o == NULL || policy_type_parse(word(o, "type"), &p->type) < 0 ||
	    policy_action_parse(word(o, "action"), &p->action) < 0 ||
	    identity_parse(word(o, "addresses_based_on"),
	    &p->based_on) < 0 ||
	    parse_target(json_object_get(o, "from"), &p->from) < 0 ||
	    parse_target(json_object_get(o, "to"), &p->to) < 0 ||
	    parse_conditions(o, p) < 0)
		goto out;
	p->override = json_is_true(json_object_get(o, "override"));
	p->bidirectional = json_is_true(json_object_get(o, "bidirectional"));
	p->enabled = json_is_true(json_object_get(o, "enabled"));
	p->monitor = json_is_true(json_object_get(o, "monitor"));
	rc = parse_validity(json_object_get(o, "valid"), zone, p, why);
out:
	json_decref(o);
	if (rc < 0) {
		policy_fini(p);
		if (why != NULL && why->text[0] == '\0')
			diag_set(why, rc, "policy %s is malformed", id);
	}
	return rc;
}
