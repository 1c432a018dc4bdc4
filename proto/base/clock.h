/*
 * clock.h - the one source of time.
 *
 * Deadlines and rates use the monotonic clock; what people read and what
 * validity windows are compared with uses the wall clock, in UTC.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds of CLOCK_BOOTTIME: rises through a suspend, never steps. */
uint64_t clock_mono_ms(void);

/* Milliseconds of the last tick of the kernel, at most 10 ago, of a clock that
 * stands still in a suspend: not comparable with the one above. */
uint64_t clock_mono_tick_ms(void);

/* Microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_us(void);

/* The same as of the last tick of the kernel, at most 10 ms ago: for a
 * fifth of the cost, where times are minutes. */
int64_t clock_wall_tick_us(void);

#define CLOCK_TEXT_LEN 32

/* Write wall_us as RFC 3339 UTC with milliseconds, NUL-terminated. */
void clock_format(int64_t wall_us, char out[CLOCK_TEXT_LEN]);

/*
 * Read an RFC 3339 time ("2026-06-15T12:00:00Z", an offset, fractional
 * seconds; a lone date is its first second, UTC).  0 or ERR_INVAL.
 */
int clock_parse(const char *text, int64_t *wall_us);

/*
 * Read a duration such as "90s", "15m", "36h", "30d" into milliseconds.
 * 0, ERR_INVAL, or ERR_TOOBIG above 100 years.
 */
int clock_parse_duration(const char *text, uint64_t *out_ms);

#endif
