/*
 * clock.c - reads the clocks; reads and writes times for people.
 */
#include "proto/base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/err.h"

uint64_t
clock_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t
clock_mono_tick_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t
clock_wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_wall_tick_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
clock_format(int64_t wall_us, char out[CLOCK_TEXT_LEN])
{
	int64_t ms = wall_us / 1000;
	time_t sec = (time_t)(ms / 1000);
	int frac = (int)(ms % 1000);
	struct tm tm;
	char text[24];

	if (frac < 0) {
		frac += 1000;
		sec--;
	}
	if (gmtime_r(&sec, &tm) == NULL || tm.tm_year > 8099 ||
	    tm.tm_year < -1900) {
		snprintf(out, CLOCK_TEXT_LEN, "out-of-range");
		return;
	}
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, CLOCK_TEXT_LEN, "%s.%03dZ", text, frac);
}

/* n digits at *p as a number in [min, max]; moves on. */
static int
digits(const char **p, int n, int min, int max, int *out)
{
	int i, v = 0;

	for (i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return ERR_INVAL;
		v = v * 10 + ((*p)[i] - '0');
	}
	*p += n;
	if (v < min || v > max)
		return ERR_INVAL;
	*out = v;
	return 0;
}

static int
take(const char **p, char c)
{
	if (**p != c)
		return ERR_INVAL;
	(*p)++;
	return 0;
}

static int
date(const char **p, struct tm *tm)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31,
	    30, 31 };
	int y, m, d;

	if (digits(p, 4, 1, 9999, &y) < 0 || take(p, '-') < 0 ||
	    digits(p, 2, 1, 12, &m) < 0 || take(p, '-') < 0 ||
	    digits(p, 2, 1, days[m - 1], &d) < 0)
		return ERR_INVAL;
	if (m == 2 && d == 29 &&
	    (y % 4 != 0 || (y % 100 == 0 && y % 400 != 0)))
		return ERR_INVAL;
	tm->tm_year = y - 1900;
	tm->tm_mon = m - 1;
	tm->tm_mday = d;
	return 0;
}

/* "Z" or "+hh:mm" as seconds. */
static int
offset(const char **p, int *sec)
{
	int h, m, sign;

	if (**p == 'Z' || **p == 'z') {
		(*p)++;
		*sec = 0;
		return 0;
	}
	sign = **p == '-' ? -1 : 1;
	if (**p != '+' && **p != '-')
		return ERR_INVAL;
	(*p)++;
	if (digits(p, 2, 0, 23, &h) < 0 || take(p, ':') < 0 ||
	    digits(p, 2, 0, 59, &m) < 0)
		return ERR_INVAL;
	*sec = sign * (h * 3600 + m * 60);
	return 0;
}

int
clock_parse(const char *text, int64_t *wall_us)
{
	struct tm tm = { 0 };
	int64_t frac = 0, unit = 100000;
	int sec = 0;
	const char *p = text;

	if (date(&p, &tm) < 0)
		return ERR_INVAL;
	if (*p != '\0') {
		if ((*p != 'T' && *p != 't' && *p != ' '))
			return ERR_INVAL;
		p++;
		if (digits(&p, 2, 0, 23, &tm.tm_hour) < 0 ||
		    take(&p, ':') < 0 ||
		    digits(&p, 2, 0, 59, &tm.tm_min) < 0 ||
		    take(&p, ':') < 0 ||
		    digits(&p, 2, 0, 60, &tm.tm_sec) < 0)
			return ERR_INVAL;
		if (*p == '.') {
			p++;
			if (!isdigit((unsigned char)*p))
				return ERR_INVAL;
			for (; isdigit((unsigned char)*p); p++, unit /= 10)
				frac += (*p - '0') * unit;
		}
		if (offset(&p, &sec) < 0 || *p != '\0')
			return ERR_INVAL;
	}
	*wall_us = ((int64_t)timegm(&tm) - sec) * 1000000 + frac;
	return 0;
}

int
clock_parse_duration(const char *text, uint64_t *out_ms)
{
	static const uint64_t most = (uint64_t)100 * 366 * 86400000;
	uint64_t v = 0, unit;
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return ERR_INVAL;
	for (; isdigit((unsigned char)*p); p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > most)
			return ERR_TOOBIG;
	}
	if (strcmp(p, "ms") == 0)
		unit = 1;
	else if (strcmp(p, "s") == 0)
		unit = 1000;
	else if (strcmp(p, "m") == 0)
		unit = 60000;
	else if (strcmp(p, "h") == 0)
		unit = 3600000;
	else if (strcmp(p, "d") == 0)
		unit = 86400000;
	else
		return ERR_INVAL;
	if (v > most / unit)
		return ERR_TOOBIG;
	*out_ms = v * unit;
	return 0;
}
