/*
 * log.h - one line per event on stderr: time, level, a stable event name and
 * key=value fields.
 *
 * error: someone must act; warning: degraded, heals itself; info: state
 * changed; debug: the rest, per-message lines included.  No key, token or
 * message body is ever logged.  Control bytes in values are escaped, so a
 * value from the network cannot forge a line.  Safe from any thread; one
 * write(2) per line.
 *
 *	log_info("ruleset.swapped", F_U("version", v), F_S("dir", dir));
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_LOGFMT, LOG_JSON };

struct log_field {
	const char *key;	/* NULL ends the list */
	char type;		/* 's' string, 'u' unsigned, 'i' signed */
	const char *s;		/* NULL prints as "" */
	uint64_t u;
};

#define F_S(k, v) (struct log_field){ .key = (k), .type = 's', .s = (v) }
#define F_U(k, v) \
	(struct log_field){ .key = (k), .type = 'u', .u = (uint64_t)(v) }
#define F_I(k, v) (struct log_field){ .key = (k), .type = 'i', \
	.u = (uint64_t)(int64_t)(v) }

/*
 * Choose format, lowest level written, and the program name that stands in
 * each line.  Call once at start, before threads.  name is copied.
 */
void log_setup(const char *name, enum log_format format,
    enum log_level level);

/* Write one line; use the macros below. */
void log_write(enum log_level level, const char *event,
    const struct log_field *fields);

#define LOG_AT(level, event, ...) log_write((level), (event), \
	(const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,) { 0 } })
#define log_error(event, ...) LOG_AT(LOG_ERROR, event, ##__VA_ARGS__)
#define log_warning(event, ...) LOG_AT(LOG_WARNING, event, ##__VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_INFO, event, ##__VA_ARGS__)
#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event, ##__VA_ARGS__)

#endif
