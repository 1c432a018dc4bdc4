/*
 * audit.c - the chain of the audit log, and the check of one link.
 */
#include "proto/wire/audit.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "proto/base/err.h"

#define DOMAIN "postern.audit"	/* with its NUL */

const char *
audit_state_name(enum audit_state s)
{
	static const char *const names[] = { "unknown", "ok", "behind",
	    "forked" };

	return (unsigned)s <= AUDIT_STATE_LAST ? names[s] : "unknown";
}

bool
audit_mark_same(const struct audit_mark *a, const struct audit_mark *b)
{
	return a->adopted == b->adopted && a->seq == b->seq &&
	    memcmp(a->hash, b->hash, AUDIT_HASH_LEN) == 0;
}

void
audit_chain(uint8_t hash[AUDIT_HASH_LEN], struct bytes line)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, AUDIT_HASH_LEN);
	crypto_generichash_update(&st, (const uint8_t *)DOMAIN,
	    sizeof(DOMAIN));
	crypto_generichash_update(&st, hash, AUDIT_HASH_LEN);
	crypto_generichash_update(&st, line.p, line.n);
	crypto_generichash_final(&st, hash, AUDIT_HASH_LEN);
}

/* Take a fixed text, and a number without leading zeros behind it. */
static bool
take_number(struct bytes *in, const char *before, uint64_t *out)
{
	struct bytes at = *in, first;
	size_t n = strlen(before), digits = 0;

	if (at.n < n || memcmp(at.p, before, n) != 0)
		return false;
	bytes_take(&at, n);
	first = at;
	for (*out = 0; at.n > 0 && at.p[0] >= '0' && at.p[0] <= '9' &&
	    digits < 19; digits++)
		*out = *out * 10 + bytes_u8(&at) - '0';
	if (digits == 0 || (digits > 1 && first.p[0] == '0') || at.n == 0 ||
	    at.p[0] != ',')
		return false;
	*in = at;
	return true;
}

int
audit_follow(struct audit_mark *at, struct bytes line,
    const uint8_t hash[AUDIT_HASH_LEN], struct diag *why)
{
	struct audit_mark next = *at;
	struct bytes in = line;
	uint64_t above = 0;
	bool adopts;

	if (!take_number(&in, "{\"sequence\":", &next.seq))
		return diag_set(why, ERR_CORRUPT, "what follows entry "
		    "%" PRIu64 " does not begin with a sequence", at->seq);
	adopts = take_number(&in, ",\"above\":", &above);
	if (adopts ? above < at->seq || next.seq != above + 1 :
	    next.seq != at->seq + 1)
		return diag_set(why, ERR_CORRUPT, "entry %" PRIu64 " stands "
		    "behind entry %" PRIu64, next.seq, at->seq);
	if (adopts)
		next.adopted = next.seq;
	audit_chain(next.hash, line);
	if (memcmp(next.hash, hash, AUDIT_HASH_LEN) != 0)
		return diag_set(why, ERR_CORRUPT, "entry %" PRIu64 " does "
		    "not have its hash: it, or one before it, was changed",
		    next.seq);
	*at = next;
	return 0;
}
