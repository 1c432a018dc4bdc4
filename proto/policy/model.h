/*
 * model.h - one policy, its targets, and the settings of an organisation, in
 * memory; and the names under which documents and answers speak of them.
 */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/mail/ip.h"

#define MODEL_POLICIES_MAX 100000
#define MODEL_DOMAINS_MAX 20000
#define MODEL_GROUPS_MAX 10000
#define MODEL_WILDCARD_DEPTHS_MAX 8
#define MODEL_ENTRY_GROUPS_MAX 64	/* that hold one entry directly */
#define MODEL_ID_MAX 64			/* [A-Za-z0-9._-]{1,64} */
#define MODEL_TEXT_MAX 1000		/* narrative, comment, names: bytes */
#define MODEL_IPS_MAX 1000		/* source IPs of one policy */
#define MODEL_HOSTS_MAX 100
#define MODEL_CONDITIONS_MAX 1000000	/* source IPs and host names, in all */

enum policy_type {
	POLICY_BLOCKED_SENDERS,
	POLICY_PERMITTED_SENDERS,
	POLICY_ANTI_SPOOFING,
	POLICY_GREYLISTING,
	POLICY_TYPES		/* how many */
};

/* In the order of the last component of the key: greater wins. */
enum policy_action {
	ACTION_BLOCK,		/* blocked_senders: block_sender */
	ACTION_PERMIT,		/* permitted_senders: permit_sender */
	ACTION_APPLY,		/* anti_spoofing, greylisting */
	ACTION_TAKE_NO_ACTION
};

enum identity { BASED_ENVELOPE = 1, BASED_HEADER = 2, BASED_BOTH = 3 };

enum target_kind {
	TARGET_EVERYONE, TARGET_INTERNAL, TARGET_EXTERNAL, TARGET_FREE_MAIL,
	TARGET_DOMAIN, TARGET_GROUP, TARGET_ATTRIBUTE, TARGET_DISPLAY_NAME,
	TARGET_ADDRESS,
	TARGET_KINDS
};

struct target {
	enum target_kind kind;
	char *text;		/* domain ("*.x" too), address, display name,
				 * attribute name, group name; else NULL */
	char *value;		/* attribute: its value */
	uint64_t gid;		/* group: model_gid(text) */
};

struct policy {
	char *id, *narrative, *comment;	/* comment may be NULL */
	enum policy_type type;
	enum policy_action action;
	enum identity based_on;
	struct target from, to;
	bool override, bidirectional, enabled, monitor;
	int64_t valid_from_us;	/* first instant in force; INT64_MIN: always */
	int64_t valid_until_us;	/* first instant no longer; INT64_MAX: never */
	struct ip_prefix *ips;
	size_t ips_n;
	char **hosts;		/* canonical domains */
	size_t hosts_n;
};

enum validation { VALIDATE_DEFAULT, VALIDATE_ANY, VALIDATE_KNOWN,
    VALIDATE_DEFER };
enum header_stage { HEADER_AUTO, HEADER_YES, HEADER_NO };
enum mixed { MIXED_REMOVE, MIXED_SPLIT, MIXED_REJECT_ALL };
enum enforcement { ENFORCE, ENFORCE_SOFT, ENFORCE_OBSERVE };
enum reply_detail { REPLY_UNIFORM, REPLY_DETAILED };

struct settings {
	char delimiters[8];		/* recipient_delimiter; "": none */
	enum validation validation;	/* never VALIDATE_DEFAULT */
	enum header_stage header_stage;
	enum mixed mixed;
	enum enforcement enforcement;
	enum reply_detail reply_detail;
	char reply_help[128];		/* URL after the text; "": none */
	uint8_t wildcard_depths[MODEL_WILDCARD_DEPTHS_MAX]; /* label counts of
				 * the suffixes of wildcard group entries */
	size_t wildcard_depths_n;
};

/* The settings of an empty document. */
void settings_default(struct settings *s);

/* Frees what p points at, not p. */
void policy_fini(struct policy *p);
int policy_rank(enum target_kind kind);		/* semantics: 10 to 70 */

/* A group's number: the first 8 bytes of BLAKE2b of its name, so that records
 * are a function of the document alone. */
uint64_t model_gid(const char *name);

/* Names as documents write them; the parse functions give 0 or ERR_INVAL. */
const char *policy_type_name(enum policy_type t);	/* "blocked_senders" */
const char *policy_action_name(enum policy_action a);	/* "block_sender" */
const char *identity_name(enum identity i);		/* "envelope" */
const char *target_kind_name(enum target_kind k);	/* "free_mail" */
int policy_type_parse(const char *s, enum policy_type *out);
int policy_action_parse(const char *s, enum policy_action *out);
int identity_parse(const char *s, enum identity *out);
/* True where this type allows this action. */
bool policy_action_fits(enum policy_type t, enum policy_action a);
/* "any" "known" "defer"; "auto" "yes" "no"; "remove" "split" "reject_all";
 * "enforce" "soft" "observe"; "uniform" "detailed". */
int validation_parse(const char *s, enum validation *out);
int header_stage_parse(const char *s, enum header_stage *out);
int mixed_parse(const char *s, enum mixed *out);
int enforcement_parse(const char *s, enum enforcement *out);
int reply_detail_parse(const char *s, enum reply_detail *out);

#endif
