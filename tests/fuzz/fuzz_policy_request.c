/*
 * fuzz_policy_request.c - any bytes as policy requests: whole at once and in
 * two pieces give the same answer, and values lie inside what came.
 */
#include "node/policy_request.h"
#include "proto/base/err.h"
#include "tests/fuzz/target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *p = (const char *)data;
	struct policy_parser whole = { 0 }, parts = { 0 };
	struct policy_request r, again;
	size_t used = 0, used2 = 0;
	int rc = policy_request_parse(&whole, p, len, &r, &used, NULL), rc2;

	rc2 = policy_request_parse(&parts, p, len / 2, &again, &used2, NULL);
	if (rc2 == ERR_AGAIN)
		rc2 = policy_request_parse(&parts, p, len, &again, &used2,
		    NULL);
	fuzz_assert(rc == rc2 && used == used2 && used <= len);
	if (rc == 0 && r.sender.p != NULL)
		fuzz_assert(r.sender.p >= p &&
		    r.sender.p + r.sender.len <= p + used);
	return 0;
}
