/*
 * remedy.c - proposes a change for a refusal, makes it on a trial of the
 * policy and judges again.
 */
#include "controller/policy/remedy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCEPTIONS "Blocked Senders Exceptions"
#define PERMITTED "Permitted Senders"
#define RELAY "Relay"

struct remedy {
	const struct records *records;
	struct envelope *env;
	int64_t now_us;
	enum stage stage;
	const struct verdict *v;
	json_t *out;
};

/* Would the message pass with c made? */
static bool
change_flips(struct remedy *m, const struct change *c)
{
	struct verdict v = { .kind = VERDICT_REJECT };
	struct items trial;
	struct records r;

	items_over(&trial, m->records->items);
	apply_change(&trial, c);
	if (compile_change(m->records, &trial, c, &r, NULL, NULL) == 0) {
		records_decide(&r, m->env, m->now_us, m->stage, &v, NULL);
		records_fini(&r);
	}
	items_fini(&trial);
	return v.kind == VERDICT_ACCEPT;
}

/* Would it pass with this item put in, or (value NULL) taken out? */
static bool
flips(struct remedy *m, const char *key, const char *value)
{
	struct change c = { 0 };
	bool yes;

	change_add(&c, key, items_get(m->records->items, key), value,
	    value == NULL ? NULL : "console");
	yes = change_flips(m, &c);
	change_fini(&c);
	return yes;
}

/* Put o (consumed), which flips, on the list with its sentence. */
static void __attribute__((format(printf, 4, 5)))
offer(struct remedy *m, json_t *o, bool one_click, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_set_new(o, "text", json_string(text));
	json_object_set_new(o, "flips", json_true());
	json_object_set_new(o, "one_click", json_boolean(one_click));
	json_object_set_new(o, "note", json_string("the refused message is "
	    "not stored: ask the sender to send it again"));
	json_array_append_new(m->out, o);
}

/* An entry in a group; the group Relay means something even before it is
 * made. */
static bool
offer_group(struct remedy *m, const char *entry, const char *group)
{
	char *key = item_key("entry", entry, group);
	char *name = item_key("group", group, NULL);
	const struct items *items = m->records->items;
	struct change c = { 0 };
	bool yes;

	change_add(&c, key, items_get(items, key), "{}", "console");
	if (strcmp(group, RELAY) == 0 && items_get(items, name) == NULL)
		change_add(&c, name, NULL, "{}", "console");
	yes = change_flips(m, &c);
	change_fini(&c);
	free(name);
	free(key);
	if (yes)
		offer(m, json_pack("{s:s, s:s, s:s, s:s}", "kind",
		    "group_entry", "group", group, "entry", entry, "for",
		    "90d"), true, "add %s to the group \"%s\"", entry,
		    group);
	return yes;
}

/* The entry for this sender: an address that is made for one delivery will
 * not come again, so its domain stands for it. */
static const char *
sender_entry(const struct remedy *m)
{
	const struct addr *a = &m->env->sender;

	if (a->kind != ADDR_MAILBOX)
		return NULL;
	if (strncmp(a->text, "prvs=", 5) == 0 ||
	    strncmp(a->text, "srs0=", 5) == 0 ||
	    strncmp(a->text, "srs1=", 5) == 0)
		return addr_domain(a);
	return a->text;
}

static json_t *
named_target(const char *kind, const char *text)
{
	return json_pack("{s:s}", kind, text);
}

/* A target as a document has it. */
static json_t *
target_json(const struct target *t)
{
	if (t->kind == TARGET_ATTRIBUTE)
		return json_pack("{s:{s:s}}", "attribute", t->text,
		    t->value);
	if (t->text != NULL)
		return named_target(target_kind_name(t->kind), t->text);
	return json_string(target_kind_name(t->kind));
}

/* What an exception is to be. */
struct exception {
	enum policy_type type;
	enum identity based_on;
	json_t *from, *to;	/* consumed */
	bool override, with_ip;
	const char *why;
};

static json_t *
exception_policy(struct remedy *m, const struct exception *e)
{
	json_t *p = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:b, s:b, "
	    "s:b}", "type", policy_type_name(e->type), "action",
	    "take_no_action", "narrative", "Exception for one sender",
	    "addresses_based_on", identity_name(e->based_on), "from",
	    e->from, "to", e->to, "override", e->override, "bidirectional",
	    0, "enabled", 1, "monitor", 0);
	char text[IP_TEXT_LEN];

	if (e->with_ip) {
		struct ip_prefix one = { .ip = m->env->ip, .len = 128 };

		ip_prefix_format(&one, text);
		json_object_set_new(p, "source_ips", json_pack("[s]", text));
	}
	return p;
}

/* A take-no-action policy; its id comes from what it says, so that asking
 * twice proposes the same. */
static bool
offer_exception(struct remedy *m, const struct exception *e)
{
	char id[32], *value, *key;
	bool yes;
	json_t *p;

	if (e->with_ip && !m->env->has_ip) {
		json_decref(e->from);
		json_decref(e->to);
		return false;
	}
	p = exception_policy(m, e);
	value = json_dumps(p, JSON_COMPACT | JSON_SORT_KEYS);
	snprintf(id, sizeof(id), "allow-%016llx",
	    (unsigned long long)model_gid(value));
	key = item_key("policy", id, NULL);
	yes = flips(m, key, value);
	free(key);
	free(value);
	if (!yes) {
		json_decref(p);
		return false;
	}
	json_object_set_new(p, "id", json_string(id));
	offer(m, json_pack("{s:s, s:o, s:s}", "kind", "take_no_action",
	    "policy", p, "why", e->why), true, "add a take-no-action policy "
	    "of type %s: %s", policy_type_name(e->type), e->why);
	return true;
}

/* An exception by the envelope: as strong as the block, then with override. */
static void
offer_envelope_exception(struct remedy *m, const char *why)
{
	const struct policy *block = m->v->policy;
	struct exception e = { .type = block->type,
	    .based_on = BASED_ENVELOPE, .override = block->override,
	    .why = why };
	int i;

	for (i = 0; i < 2; i++) {
		bool named = m->env->sender.kind != ADDR_NULL;

		e.from = named ? named_target("address",
		    m->env->sender.text) : json_string("everyone");
		e.to = named_target("address", m->env->rcpt.text);
		e.with_ip = !named;
		if (offer_exception(m, &e) || e.override)
			return;
		e.override = true;
		e.why = "nothing but override outranks this block";
	}
}

static void
for_blocked(struct remedy *m)
{
	const char *entry = sender_entry(m);

	if (m->v->policy == NULL)
		return;
	if (entry == NULL || !offer_group(m, entry, EXCEPTIONS))
		offer_envelope_exception(m, entry == NULL ?
		    "a bounce has no sender to enter in a group" :
		    "an entry in the group \"" EXCEPTIONS "\" does not "
		    "outrank this block");
}

/* By the header only together with the client's address, since a header
 * alone is forgeable; else by the envelope. */
static void
for_blocked_header(struct remedy *m)
{
	struct exception e = { .type = POLICY_BLOCKED_SENDERS,
	    .based_on = BASED_HEADER, .with_ip = true,
	    .why = "by the header From, from this client's address alone" };
	const char *entry = sender_entry(m);

	if (m->v->policy == NULL || m->env->headers_n == 0)
		return;
	if (entry != NULL && offer_group(m, entry, EXCEPTIONS))
		return;
	e.from = named_target("address", m->env->headers[0].text);
	e.to = named_target("address", m->env->rcpt.text);
	e.override = m->v->policy->override;
	if (!offer_exception(m, &e))
		offer_envelope_exception(m, "by the envelope, since the "
		    "header alone could be forged");
}

/* The user's own entry without what was said by hand, or as a permit. */
static char *
user_value(const struct item *it, bool permit)
{
	json_t *v = it == NULL ? json_object() :
	    json_loads(it->value, 0, NULL);
	char *text = NULL;

	json_object_del(v, "manual");
	if (permit)
		json_object_set_new(v, "manual", json_string("permit"));
	if (permit || json_is_true(json_object_get(v, "auto")))
		text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(v);
	return text;
}

static void
offer_user(struct remedy *m, const char *user, const char *entry,
    bool permit)
{
	char *key = item_key("sender", user, entry);
	char *value = user_value(items_get(m->records->items, key), permit);

	if (flips(m, key, value))
		offer(m, json_pack("{s:s, s:s, s:s}", "kind", permit ?
		    "permit_user_entry" : "remove_user_entry", "user", user,
		    "entry", entry), true, permit ? "put %s as permitted on "
		    "the list of %s" : "take %s off the list of %s", entry,
		    user);
	free(value);
	free(key);
}

static void
for_user(struct remedy *m)
{
	const char *user = m->env->user == NULL ? "" : m->env->user->text;
	const char *sender = m->v->reason == REASON_USER_BLOCKED_HEADER &&
	    m->env->headers_n > 0 ? m->env->headers[0].text :
	    m->env->sender.text;
	char name[ADDR_TEXT_MAX], entry[ADDR_TEXT_MAX];

	/* judging again fills what env derives, which user points into */
	snprintf(name, sizeof(name), "%s", user);
	snprintf(entry, sizeof(entry), "%s", m->v->entry);
	offer_user(m, name, entry, false);
	if (sender[0] != '\0')
		offer_user(m, name, sender, true);
	if (sender_entry(m) != NULL)
		offer_group(m, sender_entry(m), PERMITTED);
}

static void
for_spoof(struct remedy *m)
{
	struct exception e = { .type = POLICY_ANTI_SPOOFING, .with_ip = true,
	    .why = "for this client's address alone" };
	const struct policy *p = m->v->policy;

	if (p == NULL)
		return;
	e.based_on = p->based_on;
	e.override = p->override;
	e.from = target_json(&p->from);
	e.to = target_json(&p->to);
	offer_exception(m, &e);
}

static void
for_recipient(struct remedy *m, bool enable)
{
	const char *address = m->env->has_primary ? m->env->primary.text :
	    m->env->rcpt.text;
	char *key = item_key("directory", address, NULL), *value;
	const struct item *it = items_get(m->records->items, key);
	json_t *v = it == NULL ? json_object() :
	    json_loads(it->value, 0, NULL);

	json_object_set_new(v, "enabled", json_true());
	value = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
	if (flips(m, key, value))
		offer(m, json_pack("{s:s, s:s}", "kind", enable ?
		    "directory_enable" : "directory_add", "address",
		    address), true, enable ? "enable %s in the directory" :
		    "add %s to the directory", address);
	json_decref(v);
	free(value);
	free(key);
}

/* The verdict with something about the question changed, not the policy. */
static bool
passes(struct remedy *m)
{
	struct verdict v;

	records_decide(m->records, m->env, m->now_us, m->stage, &v, NULL);
	return v.kind == VERDICT_ACCEPT;
}

static void
for_greylisted(struct remedy *m)
{
	m->env->greylist = GREYLIST_PASSED;
	if (passes(m))
		offer(m, json_pack("{s:s}", "kind", "pass_triplet"), true,
		    "let this client, sender and recipient pass now; or "
		    "wait: the sender's server tries again by itself");
	m->env->greylist = GREYLIST_NEW;
	if (sender_entry(m) != NULL)
		offer_group(m, sender_entry(m), PERMITTED);
}

/* Whom to trust with sending outside is a person's decision. */
static void
for_relay(struct remedy *m)
{
	char text[IP_TEXT_LEN], *key;
	struct ip_prefix one = { .ip = m->env->ip, .len = 128 };

	if (m->env->has_ip) {
		ip_prefix_format(&one, text);
		key = item_key("range", text, NULL);
		if (flips(m, key, "{}"))
			offer(m, json_pack("{s:s, s:s}", "kind",
			    "authorize_client", "ip", text), false, "if %s "
			    "is yours, add it to authorized_outbound", text);
		free(key);
	}
	m->env->authenticated = true;
	if (passes(m))
		offer(m, json_pack("{s:s}", "kind", "smtp_auth"), false,
		    "have the client log in (SMTP AUTH)");
	m->env->authenticated = false;
}

json_t *
remedies(const struct records *r, struct envelope *env, int64_t now_us,
    enum stage stage, const struct verdict *v)
{
	struct remedy m = { r, env, now_us, stage, v, json_array() };

	switch (v->reason) {
	case REASON_BLOCKED_ENVELOPE:
		for_blocked(&m);
		break;
	case REASON_BLOCKED_HEADER:
		for_blocked_header(&m);
		break;
	case REASON_USER_BLOCKED_ENVELOPE:
	case REASON_USER_BLOCKED_HEADER:
		for_user(&m);
		break;
	case REASON_RELAY_EXTERNAL:
		offer_group(&m, env->rcpt.text, RELAY);
		break;
	case REASON_RELAY_UNAUTHORIZED:
		for_relay(&m);
		break;
	case REASON_SPOOF_ENVELOPE:
	case REASON_SPOOF_HEADER:
		for_spoof(&m);
		break;
	case REASON_RECIPIENT_INVALID:
	case REASON_RECIPIENT_UNKNOWN:
	case REASON_RECIPIENT_DISABLED:
		for_recipient(&m, v->reason == REASON_RECIPIENT_DISABLED);
		break;
	case REASON_GREYLISTED:
		for_greylisted(&m);
		break;
	default:
		break;
	}
	return m.out;
}

const char *
remedy_none(enum reason reason)
{
	switch (reason) {
	case REASON_SENDER_SYNTAX:
	case REASON_RECIPIENT_SYNTAX:
		return "the address is malformed: only who wrote it can mend "
		    "it";
	case REASON_NO_SNAPSHOT:
		return "the node had no policy yet: see that it reaches its "
		    "controller; the sender's server tries again";
	case REASON_INTERNAL:
		return "the node could not decide: its log says why; the "
		    "sender's server tries again";
	default:
		return NULL;
	}
}
