/*
 * listable.h - what may stand on a user's list of senders, and what a profile
 * group may be given by an import (semantics, sections 5 and 6).
 */
#ifndef POLICY_LISTABLE_H
#define POLICY_LISTABLE_H

#include "controller/policy/compile.h"
#include "proto/mail/addr.h"

/* Whose senders users cannot block: a profile group of this name. */
#define UNBLOCKABLE_GROUP "unblockable"

/* Is the entry's domain one of the organisation's own, or above one? */
bool entry_is_internal(const struct records *r, const struct entry *e);
/* Is the entry a whole free-mail domain? */
bool entry_is_free_mail(const struct records *r, const struct entry *e);
/* Does the local part of an address look made for one message: VERP, BATV,
 * SRS? */
bool address_is_one_time(const char *address);

/*
 * Why e may not stand on a user's list, as a text that ends with what to do,
 * or NULL: it may.  block says whether it is to block.
 */
const char *unlistable(const struct items *items, const struct records *r,
    const struct entry *e, bool block);

#endif
