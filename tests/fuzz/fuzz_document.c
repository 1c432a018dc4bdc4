/*
 * fuzz_document.c - any bytes as a policy document: refused, or compiled to
 * records that the loader takes.
 */
#include "controller/policy/compile.h"
#include "controller/policy/document.h"
#include "tests/fuzz/target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct document d = { "doc", (const char *)data, len };
	struct records r;
	struct items items;
	struct diag why;

	if (document_read(&d, 1, NULL, NULL, &items, &why) < 0)
		return 0;
	if (compile(&items, &r, &why) == 0)
		records_fini(&r);
	items_fini(&items);
	return 0;
}
