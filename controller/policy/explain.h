/*
 * explain.h - a verdict with its trace and remedies, as JSON by the contract
 * and as a table for people; and the runner of case files.
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include <stdio.h>

#include "controller/policy/compile.h"

/* A question as people ask it; NULL where nothing was said. */
struct question {
	const char *from, *to;		/* from "" is the null sender */
	const char *header_from;	/* NULL: the envelope sender; "": none */
	const char *header_name;
	const char *ip, *host, *auth_user, *at;
	const char *greylist;		/* "new", "passed" */
	const char *stage;		/* "rcpt", "full" (default) */
};

/*
 * Answer q from r: the JSON object of the contract (jansson's json_t as
 * void, caller decrefs) in *out.  0, or ERR_INVAL when the question itself is
 * malformed (ip, at, stage, greylist; bad addresses are verdicts).
 */
int explain(const struct records *r, const struct question *q, void **out,
    struct diag *why);
/* Exit status of a verdict: accept 0, reject 1, defer 10, hold 11. */
int explain_exit(const char *verdict);
/* The table that a help desk can read aloud, from that JSON. */
void explain_table(const void *json, struct buf *out);

/*
 * Evaluate every case of a YAML file (a list of {id, policy, envelope,
 * expect}); prints a line to out for each that differs and then
 * "N cases, N passed, N failed".  0 all passed, 1 some differ; ERR_INVAL for
 * a malformed file.
 */
int explain_cases(const char *path, FILE *out, struct diag *why);

#endif
