/*
 * explain.h - a verdict with its trace and remedies, as JSON by the contract
 * and as a table for people; and the runner of case files.
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include <jansson.h>
#include <stdio.h>

#include "controller/policy/compile.h"
#include "controller/policy/question.h"

/*
 * Answer q from records; *out is the object of the contract, the caller
 * decrefs it.  0, or ERR_INVAL when the question itself is malformed (ip,
 * host, at, stage, greylist).  Malformed addresses are what they are in mail:
 * in the envelope a verdict, in the header an identity that is absent or
 * ambiguous.
 */
int explain(const struct records *r, const struct question *q, json_t **out,
    struct diag *why);

/* Exit status of an answer: accept 0, reject 1, defer 10, hold 11. */
int explain_exit(const json_t *answer);

/* The table that a help desk can read aloud. */
void explain_table(const json_t *answer, struct buf *out);

/*
 * Evaluate every case of a YAML file (a list of {id, policy, envelope,
 * expect}); prints a line to out for each that differs and then
 * "N cases, N passed, N failed".  *differ says whether any did.  0, or an
 * error for a file that cannot be read.
 */
int explain_cases(const char *path, FILE *out, bool *differ,
    struct diag *why);

#endif
