/*
 * remedy.c - proposes a change for a refusal, makes it on a trial of the
 * policy and judges again.
 */
#include "controller/policy/remedy.h"

#include <stdlib.h>
#include <string.h>

#define EXCEPTIONS "Blocked Senders Exceptions"

struct remedy {
	const struct records *records;
	struct envelope *env;
	int64_t now_us;
	enum stage stage;
	json_t *out;
};

/* Would the message pass with this item put in (or taken out)? */
static bool
flips(struct remedy *m, const char *key, const char *value)
{
	struct verdict v = { .kind = VERDICT_REJECT };
	struct change c = { 0 };
	struct items trial;
	struct records r;

	items_over(&trial, m->records->items);
	change_add(&c, key, items_get(&trial, key), value,
	    value == NULL ? NULL : "console");
	apply_change(&trial, &c);
	if (compile_change(m->records, &trial, &c, &r, NULL, NULL) == 0) {
		records_decide(&r, m->env, m->now_us, m->stage, &v, NULL);
		records_fini(&r);
	}
	change_fini(&c);
	items_fini(&trial);
	return v.kind == VERDICT_ACCEPT;
}

/* Offer it when it flips; o is consumed.  True when offered. */
static bool
offer(struct remedy *m, const char *key, const char *value, json_t *o)
{
	if (!flips(m, key, value)) {
		json_decref(o);
		return false;
	}
	json_object_set_new(o, "flips", json_true());
	json_object_set_new(o, "note", json_string("the refused message is "
	    "not stored: ask the sender to send it again"));
	json_array_append_new(m->out, o);
	return true;
}

static bool
offer_group(struct remedy *m, const char *entry, const char *group)
{
	char *key = item_key("entry", entry, group);
	bool done = offer(m, key, "{}", json_pack("{s:s, s:s, s:s}", "kind",
	    "group_entry", "group", group, "entry", entry));

	free(key);
	return done;
}

/* A take-no-action policy for this sender and recipient, with the blocking
 * policy's override. */
static void
offer_exception(struct remedy *m, const struct policy *blocked)
{
	json_t *p = json_pack("{s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s}, s:b, "
	    "s:b, s:b, s:b}", "type", policy_type_name(blocked->type),
	    "action", "take_no_action", "narrative",
	    "Exception for one sender", "addresses_based_on", "envelope",
	    "from", "address", m->env->sender.text, "to", "address",
	    m->env->rcpt.text, "override", blocked->override,
	    "bidirectional", 0, "enabled", 1, "monitor", 0);
	char *value = json_dumps(p, JSON_COMPACT | JSON_SORT_KEYS);
	char *key = item_key("policy", "exception", NULL);

	offer(m, key, value, json_pack("{s:s, s:o, s:s}", "kind",
	    "take_no_action", "policy", p, "why", "the entry in the "
	    "exceptions group does not outrank this block"));
	free(key);
	free(value);
}

static void
for_blocked(struct remedy *m, const struct verdict *v)
{
	if (m->env->sender.kind != ADDR_MAILBOX || v->policy == NULL)
		return;
	if (!offer_group(m, m->env->sender.text, EXCEPTIONS))
		offer_exception(m, v->policy);
}

static void
for_user(struct remedy *m, const struct verdict *v)
{
	const char *user = m->env->user == NULL ? "" : m->env->user->text;
	char *key = item_key("sender", user, v->entry);

	offer(m, key, NULL, json_pack("{s:s, s:s, s:s}", "kind",
	    "remove_user_entry", "user", user, "entry", v->entry));
	free(key);
	if (m->env->sender.kind == ADDR_MAILBOX)
		offer_group(m, m->env->sender.text, "Permitted Senders");
}

json_t *
remedies(const struct records *r, struct envelope *env,
    int64_t now_us, enum stage stage, const struct verdict *v)
{
	struct remedy m = { r, env, now_us, stage, json_array() };

	switch (v->reason) {
	case REASON_BLOCKED_ENVELOPE:
		for_blocked(&m, v);
		break;
	case REASON_USER_BLOCKED_ENVELOPE:
	case REASON_USER_BLOCKED_HEADER:
		for_user(&m, v);
		break;
	case REASON_RELAY_EXTERNAL:
		offer_group(&m, env->rcpt.text, "Relay");
		break;
	default:
		break;
	}
	return m.out;
}
