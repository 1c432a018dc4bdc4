/*
 * auth_rate.h - how often an address was denied lately: beyond a limit it is
 * told to wait, and the log says so once, not at each try.
 *
 * A right token is never held back by it: behind a proxy or on a shared
 * machine one caller's mistakes would else lock out all others, and 256
 * random bits are not found by trying.
 */
#ifndef HTTP_AUTH_RATE_H
#define HTTP_AUTH_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define AUTH_RATE_MAX 20	/* denials of one address.. */
#define AUTH_RATE_MS 60000	/* ..within this time */
#define AUTH_RATE_PEERS 64	/* addresses kept; the oldest makes room */

struct auth_rate {
	struct { char peer[64]; uint64_t began_ms; unsigned n; }
	    slot[AUTH_RATE_PEERS];
	uint64_t denied;	/* in all */
};

/* Count a denial of peer at now_ms (monotonic).  How many it has within the
 * time, this one included. */
unsigned auth_rate_denied(struct auth_rate *r, const char *peer,
    uint64_t now_ms);

#endif
