/*
 * auth_rate.c - counts denials by address, in a table of fixed size.
 */
#include "controller/http/auth_rate.h"

#include <stdio.h>
#include <string.h>

unsigned
auth_rate_denied(struct auth_rate *r, const char *peer, uint64_t now_ms)
{
	size_t i, at = 0;

	r->denied++;
	for (i = 0; i < AUTH_RATE_PEERS; i++) {
		if (r->slot[i].n > 0 && strcmp(r->slot[i].peer, peer) == 0)
			break;
		if (r->slot[i].n == 0 ||
		    (r->slot[at].n > 0 &&
		    r->slot[i].began_ms < r->slot[at].began_ms))
			at = i;
	}
	if (i < AUTH_RATE_PEERS)
		at = i;
	if (i == AUTH_RATE_PEERS ||
	    now_ms - r->slot[at].began_ms >= AUTH_RATE_MS) {
		snprintf(r->slot[at].peer, sizeof(r->slot[at].peer), "%s",
		    peer);
		r->slot[at].began_ms = now_ms;
		r->slot[at].n = 0;
	}
	return ++r->slot[at].n;
}
