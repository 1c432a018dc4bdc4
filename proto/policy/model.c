/*
 * model.c - the names, ranks and defaults of policies and settings.
 */
#include "proto/policy/model.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"

static const char *const types[] = {
	"blocked_senders", "permitted_senders", "anti_spoofing",
	"greylisting", NULL
};
static const char *const actions[] = {
	"block_sender", "permit_sender", "apply", "take_no_action", NULL
};
static const char *const identities[] = {
	"", "envelope", "header", "both", NULL
};
static const char *const kinds[] = {
	"everyone", "internal", "external", "free_mail", "domain", "group",
	"attribute", "display_name", "address", NULL
};
static const char *const validations[] = {
	"", "any", "known", "defer", NULL
};
static const char *const header_stages[] = { "auto", "yes", "no", NULL };
static const char *const mixeds[] = {
	"remove", "split", "reject_all", NULL
};
static const char *const enforcements[] = {
	"enforce", "soft", "observe", NULL
};
static const char *const details[] = { "uniform", "detailed", NULL };

static int
find(const char *const *names, const char *s)
{
	int i;

	if (s[0] == '\0')
		return ERR_INVAL;
	for (i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], s) == 0)
			return i;
	}
	return ERR_INVAL;
}

void
settings_default(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	s->validation = VALIDATE_ANY;
}

static void
target_fini(struct target *t)
{
	free(t->text);
	free(t->value);
}

void
policy_fini(struct policy *p)
{
	size_t i;

	free(p->id);
	free(p->narrative);
	free(p->comment);
	target_fini(&p->from);
	target_fini(&p->to);
	free(p->ips);
	for (i = 0; i < p->hosts_n; i++)
		free(p->hosts[i]);
	free(p->hosts);
	memset(p, 0, sizeof(*p));
}

int
policy_rank(enum target_kind kind)
{
	static const int rank[TARGET_KINDS] = {
		[TARGET_EVERYONE] = 10, [TARGET_INTERNAL] = 20,
		[TARGET_EXTERNAL] = 30, [TARGET_FREE_MAIL] = 35,
		[TARGET_DOMAIN] = 40, [TARGET_GROUP] = 50,
		[TARGET_ATTRIBUTE] = 60, [TARGET_DISPLAY_NAME] = 65,
		[TARGET_ADDRESS] = 70,
	};

	return rank[kind];
}

uint64_t
model_gid(const char *name)
{
	uint8_t h[16];
	uint64_t gid = 0;
	int i;

	crypto_generichash(h, sizeof(h), (const uint8_t *)name, strlen(name),
	    NULL, 0);
	for (i = 0; i < 8; i++)
		gid = gid << 8 | h[i];
	return gid;
}

const char *
policy_type_name(enum policy_type t)
{
	return types[t];
}

const char *
policy_action_name(enum policy_action a)
{
	return actions[a];
}

const char *
identity_name(enum identity i)
{
	return identities[i];
}

const char *
target_kind_name(enum target_kind k)
{
	return kinds[k];
}

bool
policy_action_fits(enum policy_type t, enum policy_action a)
{
	if (a == ACTION_TAKE_NO_ACTION)
		return true;
	switch (t) {
	case POLICY_BLOCKED_SENDERS:
		return a == ACTION_BLOCK;
	case POLICY_PERMITTED_SENDERS:
		return a == ACTION_PERMIT;
	default:
		return a == ACTION_APPLY;
	}
}

#define PARSE(fn, type, names) \
	int \
	fn(const char *s, type *out) \
	{ \
		int i = find(names, s); \
	\
		if (i < 0) \
			return ERR_INVAL; \
		*out = (type)i; \
		return 0; \
	}

PARSE(policy_type_parse, enum policy_type, types)
PARSE(policy_action_parse, enum policy_action, actions)
PARSE(identity_parse, enum identity, identities)
PARSE(validation_parse, enum validation, validations)
PARSE(header_stage_parse, enum header_stage, header_stages)
PARSE(mixed_parse, enum mixed, mixeds)
PARSE(enforcement_parse, enum enforcement, enforcements)
PARSE(reply_detail_parse, enum reply_detail, details)
