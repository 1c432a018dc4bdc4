/*
 * fuzz_audit.c - any bytes as entries of an audit log, a line each, with their
 * right hashes: the chain is followed, or ends where one does not follow on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/wire/audit.h"
#include "tests/fuzz/target.h"

/* What is followed begins with its sequence, and moves up. */
static void
check(const struct audit_mark *before, const struct audit_mark *after,
    struct bytes line)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "{\"sequence\":%" PRIu64 ",",
	    after->seq);

	fuzz_assert(line.n >= (size_t)n &&
	    memcmp(line.p, head, (size_t)n) == 0);
	fuzz_assert(after->seq > before->seq);
	if (after->adopted != after->seq) {
		fuzz_assert(after->adopted == before->adopted);
		fuzz_assert(after->seq == before->seq + 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct audit_mark at = { .seq = 0 }, before;
	uint8_t hash[AUDIT_HASH_LEN];
	const uint8_t *end = data;
	struct bytes line;
	struct diag why;

	while (end != NULL && len > 0) {
		end = memchr(data, '\n', len);
		line = bytes_of(data, end == NULL ? len :
		    (size_t)(end - data));
		before = at;
		memcpy(hash, at.hash, sizeof(hash));
		audit_chain(hash, line);
		if (audit_follow(&at, line, hash, &why) < 0) {
			fuzz_assert(audit_mark_same(&at, &before));
			return 0;
		}
		check(&before, &at, line);
		if (end != NULL) {
			data += line.n + 1;
			len -= line.n + 1;
		}
	}
	return 0;
}
