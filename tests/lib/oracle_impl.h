/*
 * oracle_impl.h - between the two files of the oracle: who matches what, and
 * what follows from it.
 */
#ifndef TESTS_ORACLE_IMPL_H
#define TESTS_ORACLE_IMPL_H

#include "tests/lib/oracle.h"

/* Which identities a stage looks at. */
enum { LOOK_ENVELOPE = 1, LOOK_HEADER = 2 };

struct oracle_key {
	int override, rank_from, rank_to, precision_from, precision_to, ip,
	    action;
};

struct oracle_winner {
	bool is;
	const struct oracle_policy *policy;
	struct oracle_key key;
	int identity;			/* LOOK_ENVELOPE or LOOK_HEADER */
};

/* The recipient in all its forms. */
struct oracle_rcpt {
	char form[4][ORACLE_TEXT];
	size_t n;
	const struct oracle_person *person;	/* or NULL: not known */
	char user[ORACLE_TEXT];			/* whose list counts */
};

/* The part behind the last "@", or "". */
const char *oracle_domain_of(const char *address);
bool oracle_is_internal(const struct oracle_model *m, const char *address);
/* The form without extension; false when there is none to take off. */
bool oracle_strip(const char *address, const char *delimiters,
    char out[ORACLE_TEXT]);
bool oracle_in_prefixes(const struct ip_prefix *p, size_t n, bool has_ip,
    const struct ip *ip);
bool oracle_authorised(const struct oracle_model *m,
    const struct oracle_message *msg);
bool oracle_trusted(const struct oracle_model *m,
    const struct oracle_message *msg);
void oracle_recipient(const struct oracle_model *m,
    const struct oracle_message *msg, struct oracle_rcpt *out);
/* Precision of the best entry of group `name` that holds address, or -1. */
int oracle_group_holds(const struct oracle_model *m, const char *name,
    const char *address);
/* Greater than, left to right. */
bool oracle_key_above(const struct oracle_key *a, const struct oracle_key *b);
/* The one policy of a type that applies; look says with which identities. */
void oracle_winner(const struct oracle_model *m,
    const struct oracle_message *msg, const struct oracle_rcpt *r,
    enum policy_type type, int look, bool monitored,
    struct oracle_winner *out);
/* Could an exception by header have a greater key than this block? */
bool oracle_could_lift(const struct oracle_model *m,
    const struct oracle_message *msg, const struct oracle_rcpt *r,
    const struct oracle_winner *block);
/* The blocking, anti-spoofing policies and their exceptions, a bit each, that
 * may match by header for this recipient, whatever the header says. */
uint32_t oracle_header_rules(const struct oracle_model *m,
    const struct oracle_message *msg);

#endif
