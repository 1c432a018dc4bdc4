/*
 * load_http.h - the same question for a content filter that speaks rspamd's
 * HTTP: a short message with its envelope, on a connection of its own.
 */
#ifndef BENCH_LOAD_HTTP_H
#define BENCH_LOAD_HTTP_H

#include <stdbool.h>

#include "bench/load.h"

/* Is it "http:HOST:PORT"?  *address is then what stands behind, else all. */
bool load_http_target(const char *target, const char **address);
/* As load_request(). */
size_t load_http_request(const struct load_conf *conf, uint64_t n, bool hit,
    char *out);
/* Does this whole answer say "reject"? */
bool load_http_refused(const char *answer);

#endif
