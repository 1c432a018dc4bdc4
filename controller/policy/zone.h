/*
 * zone.h - dates and local times of an organisation as instants.
 */
#ifndef POLICY_ZONE_H
#define POLICY_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/diag.h"

/*
 * Read text: an instant with its offset, or a date or local time in zone (a
 * name of the tz database).  A date is the day's first instant, or with
 * `end` the first one after it.  A time named as an end is that instant.
 * Changes TZ of the process while it runs: one thread at a time.
 * 0, ERR_INVAL (why: text or zone is unknown).
 */
int zone_instant(const char *zone, const char *text, bool end,
    int64_t *out_us, struct diag *why);

#endif
