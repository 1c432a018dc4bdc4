/*
 * target.h - what a policy's target is held against, and whether it matches.
 * For match.c alone.
 */
#ifndef POLICY_TARGET_H
#define POLICY_TARGET_H

#include "proto/policy/match.h"

enum { PRECISION_ADDRESS = 3000, PRECISION_DOMAIN = 2000,
    PRECISION_WILDCARD = 1000, NO_MATCH = -1 };

/* The envelope sender; header From address i.  block: the form without
 * extension counts too. */
void side_sender(const struct judging *j, bool block, struct side *s);
void side_header(const struct judging *j, size_t i, bool block,
    struct side *s);

/*
 * The precision with which t matches s, or NO_MATCH.  entry is what matched
 * where t names something ("" else), *direct the group that holds it.
 */
int match_target(struct judging *j, const struct target *t,
    const struct side *s, char entry[ADDR_TEXT_MAX], uint64_t *direct);

#endif
