/*
 * simulate.h - which verdicts change between the policy in force and a draft,
 * over messages that were seen or made up.
 */
#ifndef POLICY_SIMULATE_H
#define POLICY_SIMULATE_H

#include <jansson.h>
#include <stdint.h>

#include "controller/policy/compile.h"

#define SIMULATE_LIST_MAX 100000	/* changes listed in full */

struct simulation;

/* Both are borrowed.  now_us decides windows; list is how many changes are
 * kept in full, at most SIMULATE_LIST_MAX. */
struct simulation *simulation_new(const struct records *before,
    const struct records *after, int64_t now_us, size_t list);
void simulation_free(struct simulation **s);

/*
 * Take one line: a JSON object with the flags of explain as keys: from, to (a
 * text or a list of them), and header_from, header_name, ip, host, auth_user,
 * at, greylist, stage where known.  number stands in the report.  A blank
 * line counts as nothing.  0, or ERR_INVAL with what is wrong with it.
 */
int simulation_line(struct simulation *s, uint64_t number, const char *line,
    size_t len, struct diag *why);

/*
 * {envelopes, changed, transitions: [{before, after, count}], policies:
 * [{policy, cause, count}], list: [{line, from, to, before: {verdict, reason,
 * policy, bypass}, after: {..}, policy, cause}]}, counts falling.  cause says
 * how the policy named changes the verdict: refuses, lifts, gone; policy is
 * null where no policy but a setting, the directory or a user's list does.
 */
json_t *simulation_report(const struct simulation *s);

#endif
