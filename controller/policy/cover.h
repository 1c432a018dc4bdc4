/*
 * cover.h - does one target hold everything that another can match?  What
 * lint knows of policies that shadow each other.
 *
 * It answers true only where that is certain from the items; "cannot tell"
 * is false, so a finding built on it is never a guess.
 */
#ifndef POLICY_COVER_H
#define POLICY_COVER_H

#include "controller/policy/items.h"
#include "proto/policy/model.h"

/* Is domain internal, itself or by "*." of a parent? */
bool cover_is_internal(const struct items *items, const char *domain);
/* Is domain one of the free-mail domains in force? */
bool cover_is_free_mail(const struct items *items, const char *domain);
/* Is the entry ("al@x", "x", "*.x") held by the group, directly, by a wider
 * entry, or through groups in it? */
bool cover_group_holds(const struct items *items, const char *group,
    const char *entry);
/* Everything that `narrow` matches, `wide` matches too. */
bool cover_target(const struct items *items, const struct target *wide,
    const struct target *narrow);

#endif
