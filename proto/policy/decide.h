/*
 * decide.h - the one decision: what a verdict is, for one recipient.
 *
 * Pure: no I/O, no clock, no allocation, no recursion, a step budget.  The
 * caller parses the addresses, asks want() which records the decision
 * needs, fetches them from wherever they live, and calls judge().
 *
 *	want_first(t, env, &keys, NULL, NULL) -> fetch keys.n records into facts
 *	want_second(t, env, &facts, &keys) -> appends the keys that depend on
 *	                               the recipient's primary address; fetch
 *	                               those from the old keys.n on
 *	judge(t, env, &keys, &facts, now, stage, &verdict, trace or NULL)
 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/mail/addr.h"
#include "proto/mail/ip.h"
#include "proto/policy/model.h"
#include "proto/policy/record_hash.h"
#include "proto/policy/tables.h"

#define DECIDE_ENGINE 1		/* rises when the meaning of judge() changes */
#define DECIDE_KEYS_MAX 512
#define DECIDE_HEADERS_MAX 32	/* header From addresses evaluated */
#define DECIDE_STEPS_MAX 100000000
#define DECIDE_TRACE_CANDIDATES 16	/* kept a stage; the rest counted */
#define DECIDE_TRACE_STAGES 16

enum greylist { GREYLIST_PASSED, GREYLIST_NEW };

struct envelope {
	struct addr sender;	/* zeroed when sender_bad */
	bool sender_bad;	/* did not parse */
	struct addr rcpt;
	bool rcpt_bad;
	struct addr rcpt_base;	/* by want_first(): without extension */
	struct addr sender_base;
	struct addr primary;	/* filled by want_second(): directory primary */
	bool has_rcpt_base, has_sender_base, has_primary;
	/* by want_first(): their domains; the validation of the recipient's */
	bool rcpt_internal, sender_internal;
	enum validation rcpt_validation;
	const struct addr *user;	/* whose list, by want_second() */
	bool has_ip;
	struct ip ip;		/* the connecting client */
	const char *host;	/* forward-confirmed name, canonical, or NULL */
	bool authenticated;	/* SMTP AUTH succeeded */
	enum greylist greylist;
	const struct addr *headers;	/* header From; NULL: absent */
	size_t headers_n;	/* at most DECIDE_HEADERS_MAX */
	struct addr *header_base;	/* room for headers_n, filled by
				 * want_first(); kind ADDR_NULL: none.  NULL
				 * when headers is NULL */
	bool headers_more;	/* there were more: no allow by header */
	const char *header_name;	/* display name, canonical, or NULL */
};

/* Whose key it is: the recipient side comes in three forms. */
enum want_who { WHO_RCPT, WHO_RCPT_BASE, WHO_PRIMARY, WHO_SENDER,
    WHO_SENDER_BASE, WHO_HEADER, WHO_HEADER_BASE };

/* The hashes of an address, as tables know it; those of the suffixes of its
 * domain that something names, shortest first. */
#define SUFFIX_MAX 128
struct suffix_hash { uint64_t hash; uint16_t at, labels; };
struct addr_hash {
	uint64_t address, domain;
	size_t suffix_n;
	struct suffix_hash suffix[SUFFIX_MAX];
};

/* One record needed.  Text is borrowed from the envelope. */
struct want_key {
	struct record_hash hash;
	const char *a;
	const char *b;		/* class 'U': the entry, else NULL */
	uint16_t a_len, b_len;
	uint16_t precision;	/* of a match by it: see KEY_PRECISION_FROM */
	uint8_t cls;
	uint8_t who;		/* enum want_who */
	uint8_t index;		/* WHO_HEADER*: which one */
	bool wild;		/* "*." stands before a */
};

struct want {
	size_t n;
	bool over;		/* a key had no room */
	struct addr_hash rcpt, primary, sender;	/* primary: when it has one */
	uint64_t rcpt_base, sender_base;	/* likewise */
	/* What some policy may name of each side, in any form, as bits of
	 * narrow_kind: surely nothing where none is set. */
	uint8_t rcpt_named, sender_named;
	bool trusted, authorized;	/* the client, by its address */
	struct want_key key[DECIDE_KEYS_MAX];
};

/* Write the record key of k; returns its length (at most RECORD_KEY_MAX). */
size_t want_key_write(const struct want_key *k,
    uint8_t out[RECORD_KEY_MAX]);

enum fact_state { FACT_ABSENT, FACT_FOUND, FACT_ERROR };

struct facts {
	enum fact_state state[DECIDE_KEYS_MAX];
	uint32_t at[DECIDE_KEYS_MAX], len[DECIDE_KEYS_MAX];	/* in values */
	struct buf values;
};

void facts_init(struct facts *f);
void facts_fini(struct facts *f);
void facts_reset(struct facts *f);
/* What was found for key i: value copied; state says found, absent, error. */
void facts_set(struct facts *f, size_t i, enum fact_state state,
    const void *value, size_t len);

static inline void
facts_set_absent(struct facts *f, size_t i)
{
	f->state[i] = FACT_ABSENT;
}

/* Told at once what the keys of both rounds will most likely lie near, so that
 * a filter can be fetched from memory while they are named. */
typedef void want_ahead(void *arg, const uint64_t *near, size_t n);

/* Name all records needed.  0, or ERR_TOOBIG (cannot happen within the limits
 * of the envelope).  ahead may be NULL. */
int want_first(const struct tables *t, struct envelope *env,
    struct want *keys, want_ahead *ahead, void *arg);
int want_second(const struct tables *t, struct envelope *env,
    const struct facts *f, struct want *keys);

enum stage {
	STAGE_RCPT,	/* pass 1; a refusal only if no header can lift it */
	STAGE_ONLY,	/* pass 1 where no header stage exists: it is all */
	STAGE_FULL	/* pass 1, then pass 2 with the header identity */
};

enum verdict_kind { VERDICT_ACCEPT, VERDICT_REJECT, VERDICT_DEFER,
    VERDICT_HOLD };

/* In the order of the catalogue in reply.c. */
enum reason {
	REASON_ACCEPTED, REASON_BLOCKED_ENVELOPE, REASON_BLOCKED_HEADER,
	REASON_USER_BLOCKED_ENVELOPE, REASON_USER_BLOCKED_HEADER,
	REASON_RELAY_EXTERNAL, REASON_RELAY_UNAUTHORIZED,
	REASON_SPOOF_ENVELOPE, REASON_SPOOF_HEADER,
	REASON_RECIPIENT_INVALID, REASON_RECIPIENT_DISABLED,
	REASON_RECIPIENT_UNKNOWN, REASON_SENDER_SYNTAX,
	REASON_RECIPIENT_SYNTAX, REASON_GREYLISTED, REASON_NO_SNAPSHOT,
	REASON_INTERNAL, REASON_SPLIT, REASON_MTA_REFUSED,
	REASONS
};

enum level { LEVEL_NONE, LEVEL_POLICY, LEVEL_USER, LEVEL_SYSTEM };
enum granted { GRANTED_NONE, GRANTED_ADMIN, GRANTED_USER, GRANTED_AUTO };

/*
 * The key that decides between policies (semantics: which policy wins).
 * Precision is 1,000 times 3 (address), 2 (exact domain) or 1 (wildcard) plus,
 * for a wildcard, the labels of its suffix.
 */
enum { KEY_OVERRIDE, KEY_RANK_FROM, KEY_RANK_TO, KEY_PRECISION_FROM,
    KEY_PRECISION_TO, KEY_IP, KEY_ACTION, KEY_PARTS };

/* How a policy matched. */
struct match {
	const struct policy *policy;
	int32_t key[KEY_PARTS];		/* greater wins, left to right */
	enum identity identity;		/* envelope or header */
	bool reverse;			/* bi-directional, the other way */
	char entry[ADDR_TEXT_MAX];	/* what matched on the sender's side */
	uint64_t gid;			/* group that holds entry directly */
};

enum stage_id {
	ST_SYNTAX, ST_RELAY, ST_PROTECTED, ST_BLOCKED, ST_SPOOFING,
	ST_VALIDATION, ST_PERMITTED, ST_MANAGED, ST_GREYLIST
};

struct stage_trace {
	enum stage_id id;
	int pass;			/* 1 or 2 */
	bool has_winner, open;
	struct match winner;
	const char *result;		/* reason name of a refusal, or NULL */
	size_t candidates_n;		/* all there were */
	struct match candidates[DECIDE_TRACE_CANDIDATES];	/* best first */
	char user_entry[ADDR_TEXT_MAX];	/* ST_MANAGED: the entry, */
	uint8_t user_flags;		/* and what it says */
};

struct trace {
	size_t n;
	struct stage_trace stage[DECIDE_TRACE_STAGES];
};

struct verdict {
	enum verdict_kind kind;
	enum reason reason;
	enum level level;
	const struct policy *policy;	/* that decided a refusal, or NULL */
	bool user_domain;		/* a user's block was of a domain */
	enum granted granted;		/* who bypasses spam checks */
	bool open;			/* pass 2 may still refuse */
	bool has_would;			/* monitored policies would differ: */
	enum reason would;
	const struct policy *would_policy;
	uint32_t steps;			/* what it cost, of DECIDE_STEPS_MAX */
	char entry[ADDR_TEXT_MAX];	/* matched entry, or "" */
};

/*
 * Decide.  Always fills *out; REASON_INTERNAL (defer) when a fact is an error
 * or the step budget is spent.  trace may be NULL.
 */
void judge(const struct tables *t, const struct envelope *env,
    const struct want *keys, const struct facts *f, int64_t now_us,
    enum stage stage, struct verdict *out, struct trace *trace);

/*
 * The blocking policies, exceptions and anti-spoofing policies that could
 * match this recipient by the header, whatever it will say, as one number: 0
 * when there are none.  Recipients with the same number get the same from
 * every policy about headers.  Users' own entries do not count.
 */
uint64_t judge_header_set(const struct tables *t, const struct envelope *env,
    const struct want *keys, const struct facts *f, int64_t now_us);

/* A part of the key as answers show it: precision without the labels. */
int match_key_shown(const struct match *m, int part);

const char *verdict_name(enum verdict_kind k);	/* "accept" ... */
const char *stage_name(enum stage_id id);	/* "blocked_senders" ... */
const char *level_name(enum level l);		/* "policy" ... */
const char *granted_name(enum granted g);	/* "admin" ... */

#endif
