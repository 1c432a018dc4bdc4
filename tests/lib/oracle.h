/*
 * oracle.h - a second evaluator, slow and obvious, for tests alone.
 *
 * Written from the rules of evaluation and from nothing else: it shares no
 * code with the decision, has no records, no index and no keys to fetch, and
 * answers by going through everything, one rule after the other.  What it and
 * judge() say must never differ.
 */
#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/mail/ip.h"
#include "proto/policy/decide.h"

#define ORACLE_TEXT 72
#define ORACLE_POLICIES 14
#define ORACLE_DOMAINS 5
#define ORACLE_GROUPS 5
#define ORACLE_ENTRIES 6
#define ORACLE_PEOPLE 5
#define ORACLE_SENDERS 8
#define ORACLE_PREFIXES 3
#define ORACLE_HEADERS 40	/* more than are evaluated */

/* One side of a policy; text as in the document, canonical. */
struct oracle_target {
	enum target_kind kind;
	char text[ORACLE_TEXT];		/* or the attribute's name */
	char value[ORACLE_TEXT];	/* the attribute's value */
};

struct oracle_policy {
	char id[24];
	enum policy_type type;
	enum policy_action action;
	enum identity based_on;
	struct oracle_target from, to;
	bool override, bidirectional, enabled, monitor;
	bool has_from, has_until;
	int64_t from_us, until_us;	/* first in force, first no longer */
	struct ip_prefix ips[ORACLE_PREFIXES];
	size_t ips_n;
	char hosts[2][ORACLE_TEXT];
	size_t hosts_n;
};

struct oracle_domain { char name[ORACLE_TEXT]; enum validation mode; };

struct oracle_person {
	char address[ORACLE_TEXT];
	char alias[2][ORACLE_TEXT];
	size_t aliases_n;
	char attribute[ORACLE_TEXT], value[ORACLE_TEXT];	/* or "" */
	bool disabled;
};

struct oracle_group {
	char name[24];
	char entry[ORACLE_ENTRIES][ORACLE_TEXT];
	size_t entries_n;
	size_t child[ORACLE_GROUPS];	/* groups in it, cycles allowed */
	size_t children_n;
};

struct oracle_sender {
	char user[ORACLE_TEXT], entry[ORACLE_TEXT];
	bool block, permit, automatic;
};

struct oracle_model {
	struct oracle_domain domain[ORACLE_DOMAINS];
	size_t domains_n;
	struct ip_prefix authorized[ORACLE_PREFIXES], trusted[ORACLE_PREFIXES];
	size_t authorized_n, trusted_n;
	char delimiters[4];
	enum validation validation;
	char free_mail[2][ORACLE_TEXT];
	size_t free_mail_n;
	char protect[2][ORACLE_TEXT];	/* besides postmaster and abuse */
	size_t protect_n;
	bool own_paths;			/* return_paths given, not default */
	char path[2][ORACLE_TEXT];
	size_t paths_n;
	struct oracle_person person[ORACLE_PEOPLE];
	size_t people_n;
	struct oracle_group group[ORACLE_GROUPS];
	size_t groups_n;
	struct oracle_policy policy[ORACLE_POLICIES];
	size_t policies_n;
	struct oracle_sender sender[ORACLE_SENDERS];
	size_t senders_n;
};

/* An address in canonical text: "" null, no "@" bare, "l@[ip]" literal. */
struct oracle_address { char text[ORACLE_TEXT]; bool ambiguous; };

struct oracle_message {
	bool sender_bad, rcpt_bad;
	struct oracle_address sender, rcpt;
	bool has_ip;
	struct ip ip;
	char host[ORACLE_TEXT];		/* confirmed, or "" */
	bool authenticated;
	bool greylist_new;
	bool has_header;		/* there is a header From */
	struct oracle_address header[ORACLE_HEADERS];
	size_t headers_n;		/* as in the message: may be over 32 */
	char header_name[ORACLE_TEXT];	/* or "" */
	int64_t now_us;
};

struct oracle_answer {
	enum verdict_kind kind;
	enum reason reason;
	enum level level;
	char policy[24];		/* that decided a refusal, or "" */
	enum granted granted;
	bool open;
	bool has_would;
	enum reason would;
	char would_policy[24];		/* or "" */
};

/* Decide, in time that grows with everything there is. */
void oracle_decide(const struct oracle_model *m,
    const struct oracle_message *msg, enum stage stage,
    struct oracle_answer *out);

#endif
