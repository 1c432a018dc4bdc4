/*
 * random_judge.h - the decision on a random case, and its answer beside the
 * oracle's.
 */
#ifndef TESTS_RANDOM_JUDGE_H
#define TESTS_RANDOM_JUDGE_H

#include "tests/lib/random_case.h"

/* The verdict in the oracle's words. */
void random_answer(const struct verdict *v, struct oracle_answer *out);
/* Judge msg by these records. */
void random_judge(const struct records *records,
    const struct oracle_message *msg, enum stage stage,
    struct oracle_answer *out);
/* Do they say the same? */
bool random_same(const struct oracle_answer *a,
    const struct oracle_answer *b);
/* Append a line: who says what. */
void random_tell(const char *who, const struct oracle_answer *a,
    struct buf *out);

#endif
