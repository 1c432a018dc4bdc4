/*
 * lint_impl.h - what the parts of lint share.  For lint*.c alone.
 */
#ifndef POLICY_LINT_IMPL_H
#define POLICY_LINT_IMPL_H

#include "controller/policy/lint.h"
#include "proto/policy/model.h"

/* A policy that could take part now or later: enabled and not over. */
struct lint_policy {
	struct policy p;
	const struct item *item;
	bool live;		/* enabled, not expired, not monitored */
};

struct lint {
	const struct items *items;
	const struct lint_options *o;
	json_t *refused, *warnings;
	size_t more;		/* findings beyond the limit */
	bool cut;		/* a limit stopped the looking */
	struct lint_policy *policy;	/* by type, kind and text of from */
	size_t n, cap;
};

enum lint_severity { LINT_WARNING, LINT_REFUSED };

/*
 * Add a finding about it (NULL: about no one item).  subject is "policy x",
 * "group y"; mend says what to do.
 */
void lint_add(struct lint *l, enum lint_severity severity, const char *code,
    const struct item *it, const char *subject, const char *mend,
    const char *fmt, ...) __attribute__((format(printf, 7, 8)));

/* Policies against each other: ties, shadows, exceptions that lose. */
void lint_pairs(struct lint *l);
/* Each policy by itself. */
void lint_policies(struct lint *l);
/* Organisation, groups and their entries, directory. */
void lint_sets(struct lint *l);
/* Directories that are empty; what was lost against o->before. */
void lint_losses(struct lint *l);

/* "policy x" for messages, in out. */
const char *lint_subject(const struct policy *p, char out[80]);

#endif
