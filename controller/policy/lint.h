/*
 * lint.h - what is wrong, dangerous or useless in a policy that compiles:
 * each finding says where, why, and what would mend it.
 *
 * A finding is an object {code, severity, subject, message, mend, at?}:
 * severity is "refused" (apply does not take it), or "warning"; at is
 * "file:line:column" for what was read from a document.  "refused" findings
 * come from comparing with what was in force before and name the flag that
 * lets them through.
 */
#ifndef POLICY_LINT_H
#define POLICY_LINT_H

#include <jansson.h>
#include <stdint.h>

#include "controller/policy/items.h"

#define LINT_PAIRS_MAX 2000000	/* pairs of policies compared */
#define LINT_ENTRIES_MAX 1000000	/* entries of groups looked at */
#define LINT_FINDINGS_MAX 1000	/* kept; the rest is counted */

struct lint_options {
	int64_t now_us;
	const struct items *before;	/* in force, to find losses; or NULL */
	long accept_directory_loss;	/* addresses of a `known` domain that
					 * may go; -1: 2 % and at most 20 */
	bool accept_list_loss;		/* lists may shrink or become empty */
	/* When the policy last decided something; 0: never, -1: unknown.
	 * NULL: nobody knows. */
	int64_t (*last_used_us)(void *arg, const char *policy);
	void *arg;
};

/*
 * Check items, which must compile.  Returns an array, refused ones first,
 * then in the order of the checks; the caller decrefs it.  Looking stops at
 * the limits above, and a last finding says so.
 */
json_t *lint(const struct items *items, const struct lint_options *o);

/* Is any of the findings refused? */
bool lint_is_refused(const json_t *findings);

/* Append a line or two for each finding, for people. */
struct buf;
void lint_print(const json_t *findings, struct buf *out);

#endif
