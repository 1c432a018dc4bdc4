/*
 * zone.c - local times by the C library's own tz database reader.
 */
#include "controller/policy/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

static bool
zone_is_known(const char *zone)
{
	char path[128];

	if (strcmp(zone, "UTC") == 0)
		return true;
	if (zone[0] == '/' || strstr(zone, "..") != NULL ||
	    strlen(zone) > 63)
		return false;
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone);
	return access(path, R_OK) == 0;
}

static int64_t
local_to_us(const char *zone, struct tm tm)
{
	const char *now = getenv("TZ");
	char *saved = now == NULL ? NULL : xstrdup(now);
	time_t t;

	setenv("TZ", zone, 1);
	tzset();
	tm.tm_isdst = -1;
	t = mktime(&tm);
	if (saved == NULL)
		unsetenv("TZ");
	else
		setenv("TZ", saved, 1);
	tzset();
	free(saved);
	return (int64_t)t * 1000000;
}

int
zone_instant(const char *zone, const char *text, bool end, int64_t *out_us,
    struct diag *why)
{
	bool date = strlen(text) == 10;
	char utc[80];
	struct tm tm;
	time_t sec;

	if (!date && clock_parse(text, out_us) == 0)
		return 0;
	snprintf(utc, sizeof(utc), "%s%s", text, date ? "" : "Z");
	if (clock_parse(utc, out_us) < 0)
		return diag_set(why, ERR_INVAL, "\"%s\" is no date or time",
		    text);
	if (!zone_is_known(zone))
		return diag_set(why, ERR_INVAL, "time zone \"%s\" is not in "
		    "/usr/share/zoneinfo (is tzdata installed?)", zone);
	sec = (time_t)(*out_us / 1000000);
	gmtime_r(&sec, &tm);
	if (date && end)
		tm.tm_mday++;
	*out_us = local_to_us(zone, tm);
	return 0;
}
